//! `fuzzcheck report`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::base::project;
use crate::campaign::report::{json, newest, read, write, write_to};
use crate::ui;
use crate::verbs::Verb;

/// Write the report of a night again: report.html, junit.xml, report.json.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a campaign, or its campaign.json [default: the latest one in fuzz/nightly/]
    #[arg(value_name = "CAMPAIGN")]
    campaign: Option<PathBuf>,
    /// Folder to write to [default: that of the campaign]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Print the JSON Schema of report.json, which describes its fields, and write nothing.
    #[arg(long, conflicts_with_all = ["campaign", "to"])]
    schema: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        if self.schema {
            return ui::line(format_args!("{}", json::schema()?)).map(|()| ExitCode::SUCCESS);
        }
        let project = self.project.clone().unwrap_or_else(project);
        let path = match &self.campaign {
            Some(path) => path.clone(),
            None => newest(&project.join("fuzz/nightly"))?,
        };
        let (campaign, folder) = read(&path)?;
        let written = match &self.to {
            None => write(&campaign, &folder)?,
            Some(to) if to.is_file() => bail!("{}: --to needs a folder, and this is a file", to.display()),
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
}
