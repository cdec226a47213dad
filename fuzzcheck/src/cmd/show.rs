//! `fuzzcheck show`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use tandem::TestCase;
use tandem::dbfile::describe;
use tandem::testcase::{Readable, dbsqlfuzz};

use super::lookup::find;
use crate::cli::ShowArgs;
use crate::handover::{Handed, shell};
use crate::ui;

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode> {
    let (named, code) = find(&args.case, &args.corpus, None)?;
    let written = if args.dbsqlfuzz {
        let written = dbsqlfuzz::write(&named.case);
        let losses = written.losses.into_iter().map(str::to_owned).collect::<Vec<_>>();
        Some((written.text, losses))
    } else if args.script {
        let form = shell::write(&Handed::new(&named)?, None);
        Some((form.content, form.losses))
    } else {
        None
    };
    ui::print(|out| match &written {
        Some((text, losses)) => {
            losses.iter().for_each(|loss| eprintln!("fuzzcheck: {loss}"));
            Ok(out.write_all(text)?)
        }
        None => readable(&named.case, out),
    })?;
    Ok(code)
}

/// Settings, SQL, and all files page by page.
pub(super) fn readable(case: &TestCase, out: &mut dyn Write) -> Result<()> {
    write!(out, "{}", Readable(case))?;
    for (name, content) in case.files.iter() {
        writeln!(out, "\n-- file {name}")?;
        for line in describe::full(name.as_str(), content).lines() {
            writeln!(out, "--   {line}")?;
        }
    }
    Ok(())
}
