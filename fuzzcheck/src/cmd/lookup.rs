//! One case, by the file that it is in or by its id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tandem::TestCase;
use tandem::targets::Target;
use tandem::testcase::CaseId;

use super::{in_words, paths_or_corpus, tell_skipped};
use crate::source::{self, NamedCase};

/// The case of a file, or the only one in the corpora whose id begins as given; the exit code tells
/// whether all corpora could be searched.
pub(super) fn find(name: &str, corpus: &[PathBuf]) -> Result<(TestCase, ExitCode)> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok((source::read_case(path)?.0, ExitCode::SUCCESS));
    }
    let paths = paths_or_corpus(corpus);
    let all = source::open(&paths, None)?;
    let code = tell_skipped(&all);
    let begin = name.to_lowercase();
    let with_ids = all.cases.map(|named| (named.case.id(), named.case));
    // One case may be in several corpora.
    let mut found: BTreeMap<CaseId, TestCase> =
        with_ids.filter(|(id, _)| id.to_string().starts_with(&begin)).collect();
    match (found.len(), found.pop_first()) {
        (1, Some((_, case))) => Ok((case, code)),
        (0, _) => {
            let folders = in_words(&paths);
            bail!("`{name}` is no file, and no case in {folders} has an id that begins with it")
        }
        (n, _) => bail!("{n} cases have an id that begins with `{name}`: give more of it"),
    }
}

/// The case of a file with its target, or the only one in the shipped corpora whose id begins so.
pub(super) fn named(name: &str, target: Option<&'static Target>) -> Result<NamedCase> {
    let path = Path::new(name);
    if path.exists() {
        let mut all = source::open(&[path.to_owned()], target)?;
        if all.total != 1 {
            bail!(
                "{name}: {} cases are there, and one is wanted: give the id of one in corpus/, or take it out with \
                 `export --case ID --file FILE`",
                all.total
            );
        }
        return all.cases.next().context("the case is not there any more");
    }
    let begin = name.to_lowercase();
    let is_it = |named: &NamedCase| {
        named.case.id().to_string().starts_with(&begin)
            && target.is_none_or(|target| target.name == named.target.name)
    };
    let mut found: Vec<NamedCase> = source::open(&paths_or_corpus(&[]), None)?.cases.filter(is_it).collect();
    match (found.len(), found.pop()) {
        (1, Some(named)) => Ok(named),
        (0, _) => bail!("`{name}` is no file, and no case in corpus/ has an id that begins with it"),
        (n, _) => bail!("{n} cases have an id that begins with `{name}`: give more of it, or --target"),
    }
}
