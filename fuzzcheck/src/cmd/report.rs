//! `fuzzcheck report`.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::base::project;
use crate::campaign::report::{json, newest, read, write, write_to};
use crate::cli::report::ReportArgs;
use crate::ui;

pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    if args.schema {
        return ui::line(format_args!("{}", json::schema()?)).map(|()| ExitCode::SUCCESS);
    }
    let project = args.project.clone().unwrap_or_else(project);
    let path = match &args.campaign {
        Some(path) => path.clone(),
        None => newest(&project.join("fuzz/nightly"))?,
    };
    let (campaign, folder) = read(&path)?;
    let written = match &args.to {
        None => write(&campaign, &folder)?,
        Some(to) if to.is_file() => bail!("{}: --to names a file: name a folder", to.display()),
        Some(to) => write_to(&campaign, &folder, to)?,
    };
    ui::print(|out| {
        for path in &written {
            writeln!(out, "{}", path.display())?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
