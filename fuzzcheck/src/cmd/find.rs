//! A case by its file or its id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::targets::Target;
use tandem::testcase::CaseId;

use super::{in_words, paths_or_corpus, tell_skipped};
use crate::source::{self, NamedCase};

/// The case of a file, or the only one in the corpora whose id begins as given; the exit code tells
/// whether all corpora could be searched.
pub(super) fn find(
    name: &str,
    corpora: &[PathBuf],
    target: Option<&'static Target>,
) -> Result<(NamedCase, ExitCode)> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok((source::single(path, target)?, ExitCode::SUCCESS));
    }
    let paths = paths_or_corpus(corpora);
    let all = source::open(&paths, target)?;
    let code = tell_skipped(&all);
    let begin = name.to_lowercase();
    let with_ids = all.cases.map(|named| (named.case.id(), named));
    // One case may be in several corpora.
    let mut found: BTreeMap<CaseId, NamedCase> =
        with_ids.filter(|(id, _)| id.to_string().starts_with(&begin)).collect();
    match (found.len(), found.pop_first()) {
        (1, Some((_, named))) => Ok((named, code)),
        (0, _) => {
            let folders = in_words(&paths);
            bail!("`{name}` is no file, and no case in {folders} has an id that begins with it")
        }
        (n, _) => bail!("{n} cases have an id that begins with `{name}`: give more of it"),
    }
}
