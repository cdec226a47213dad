//! Finds a case by its file or its id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::targets::Target;
use tandem::testcase::CaseId;

use crate::source::{self, NamedCase};
use crate::verbs::shared::{in_words, paths_or_corpus, tell_skipped};

/// The case in a file, or the only one in the corpora whose id begins as given; the exit code says
/// whether all corpora could be searched. `target` overrides the target detected, and selects among the
/// targets that a case of a corpus is for.
pub(super) fn find(
    text: &str,
    corpora: &[PathBuf],
    target: Option<&'static Target>,
) -> Result<(NamedCase, ExitCode)> {
    let path = Path::new(text);
    if path.is_file() {
        let mut all = source::open(&[path.to_owned()], target)?;
        return match (all.total, all.cases.next()) {
            (1, Some(named)) => Ok((named, ExitCode::SUCCESS)),
            (n, _) => bail!("{text}: contains {n} cases: give the id of one"),
        };
    }
    let paths = paths_or_corpus(corpora);
    let all = source::open(&paths, None)?;
    let code = tell_skipped(&all);
    let begin = text.to_lowercase();
    let is_wanted = |named: &NamedCase| {
        named.case.id().to_string().starts_with(&begin)
            && target.is_none_or(|wanted| wanted.name == named.target.name)
    };
    // One case may be in several corpora.
    let with_ids = all.cases.filter(is_wanted).map(|named| (named.case.id(), named));
    let mut found: BTreeMap<CaseId, NamedCase> = with_ids.collect();
    match (found.len(), found.pop_first()) {
        (1, Some((_, named))) => Ok((named, code)),
        (0, _) => {
            let folders = in_words(&paths);
            bail!("`{text}` is not a file, and no case in {folders} has an id that begins with it")
        }
        (n, _) => bail!("{n} cases have an id that begins with `{text}`: give more digits"),
    }
}
