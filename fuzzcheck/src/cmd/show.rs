//! `fuzzcheck show`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use tandem::TestCase;
use tandem::dbfile::describe;
use tandem::testcase::{Readable, dbsqlfuzz};

use super::lookup;
use super::script;
use crate::cli::ShowArgs;
use crate::ui;

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode> {
    let (named, code) = lookup::find(&args.case, &args.corpus, None)?;
    ui::print(|out| print(&named.case, args, out))?;
    Ok(code)
}

fn print(case: &TestCase, args: &ShowArgs, out: &mut dyn Write) -> Result<()> {
    if args.dbsqlfuzz {
        let written = dbsqlfuzz::write(case);
        out.write_all(&written.text)?;
        for loss in written.losses {
            eprintln!("fuzzcheck: {loss}");
        }
    } else if args.script {
        let (text, losses) = script::write(case);
        out.write_all(&text)?;
        for loss in losses {
            eprintln!("fuzzcheck: {loss}");
        }
    } else {
        write!(out, "{}", Readable(case))?;
        for (name, content) in case.files.iter() {
            writeln!(out, "\n-- file {name}")?;
            for line in describe::full(name.as_str(), content).lines() {
                writeln!(out, "--   {line}")?;
            }
        }
    }
    Ok(())
}
