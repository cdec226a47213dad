//! `fuzzcheck show`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::TestCase;
use tandem::dbfile::describe;
use tandem::testcase::{CaseId, Readable, dbsqlfuzz};

use super::{in_words, paths_or_corpus, script, tell_skipped};
use crate::cli::ShowArgs;
use crate::{source, ui};

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode> {
    let (case, code) = find(args)?;
    ui::print(|out| print(&case, args, out))?;
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

/// The case of a file, or the only one in the corpora whose id begins as given; the exit code tells
/// whether all corpora could be searched.
fn find(args: &ShowArgs) -> Result<(TestCase, ExitCode)> {
    let path = Path::new(&args.case);
    if path.is_file() {
        return Ok((source::read_case(path)?.0, ExitCode::SUCCESS));
    }
    let paths = paths_or_corpus(&args.corpus);
    let all = source::open(&paths, None)?;
    let code = tell_skipped(&all);
    let begin = args.case.to_lowercase();
    let with_ids = all.cases.map(|named| (named.case.id(), named.case));
    // One case may be in several corpora.
    let mut found: BTreeMap<CaseId, TestCase> =
        with_ids.filter(|(id, _)| id.to_string().starts_with(&begin)).collect();
    match (found.len(), found.pop_first()) {
        (1, Some((_, case))) => Ok((case, code)),
        (0, _) => {
            let folders = in_words(&paths);
            bail!("`{}` is no file, and no case in {folders} has an id that begins with it", args.case)
        }
        (n, _) => bail!("{n} cases have an id that begins with `{}`: give more of it", args.case),
    }
}
