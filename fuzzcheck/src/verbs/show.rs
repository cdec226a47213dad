//! `fuzzcheck show`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tandem::TestCase;
use tandem::dbfile::describe;
use tandem::testcase::{Readable, dbsqlfuzz};

use crate::handover::{Handed, shell};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup::find;

/// Show a case: settings, files described page by page, SQL.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    corpus: Vec<PathBuf>,
    /// As a script for the sqlite3 shell, with the database inline.
    #[arg(long, conflicts_with = "dbsqlfuzz")]
    script: bool,
    /// As dbsqlfuzz text.
    #[arg(long)]
    dbsqlfuzz: bool,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let (named, code) = find(&self.case, &self.corpus, None)?;
        let written = if self.dbsqlfuzz {
            let written = dbsqlfuzz::write(&named.case);
            let losses = written.losses.into_iter().map(str::to_owned).collect::<Vec<_>>();
            Some((written.text, losses))
        } else if self.script {
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
