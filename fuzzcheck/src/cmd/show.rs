//! `fuzzcheck show`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::TestCase;
use tandem::dbfile::describe;
use tandem::testcase::{Readable, dbsqlfuzz};

use super::{paths_or_corpus, script};
use crate::cli::ShowArgs;
use crate::source::{self, NamedCase};

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode> {
    let case = find(args)?;
    let mut out = std::io::stdout().lock();
    if args.dbsqlfuzz {
        let written = dbsqlfuzz::write(&case);
        out.write_all(&written.text)?;
        for loss in written.losses {
            eprintln!("fuzzcheck: {loss}");
        }
    } else if args.script {
        let (text, losses) = script::write(&case);
        out.write_all(&text)?;
        for loss in losses {
            eprintln!("fuzzcheck: {loss}");
        }
    } else {
        write!(out, "{}", Readable(&case))?;
        for (name, content) in case.files.iter() {
            writeln!(out, "\n-- file {name}")?;
            for line in describe::full(name.as_str(), content).lines() {
                writeln!(out, "--   {line}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The case of a file, or the only one in the corpora whose id begins as given.
fn find(args: &ShowArgs) -> Result<TestCase> {
    let path = Path::new(&args.case);
    if path.is_file() {
        return Ok(source::read_case(path)?.0);
    }
    let all = source::open(&paths_or_corpus(&args.corpus), None)?;
    let is_it = |named: &NamedCase| named.case.id().to_string().starts_with(&args.case.to_lowercase());
    let mut found: Vec<NamedCase> = all.cases.filter(is_it).collect();
    found.dedup_by_key(|named| named.case.id());
    match found.len() {
        0 => bail!("`{}` is no file, and no case in the corpora has an id that begins with it", args.case),
        1 => Ok(found.remove(0).case),
        n => bail!("{n} cases have an id that begins with `{}`: give more of it", args.case),
    }
}
