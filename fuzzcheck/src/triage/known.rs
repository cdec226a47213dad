//! Which signatures are known: those of cases in corpora with a bug that is not fixed, and of the bugs that runs
//! steer around ([`tandem::known`]).
//!
//! Signatures are compared as a whole: if only the beginning of one is known, a finding that
//! begins the same may well be another bug.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tandem::known::KNOWN;

use crate::source;

/// Descriptions of known bugs, by signature.
pub(crate) struct Known(BTreeMap<String, String>);

impl Known {
    /// All that these corpora know; and the library, whose bugs are those of the bundled SQLite.
    ///
    /// # Errors
    /// If a corpus cannot be read.
    pub(crate) fn all(corpora: &[PathBuf], is_bundled: bool) -> Result<Self> {
        let is_whole = |signature: &str| !signature.ends_with('/');
        let of_library = KNOWN.iter().filter(|bug| is_bundled && is_whole(bug.signature));
        let mut known: BTreeMap<String, String> = of_library
            .map(|bug| (bug.signature.to_owned(), format!("{}, seen in {}", bug.name, bug.seen_in)))
            .collect();
        for case in source::open(corpora, None)?.cases {
            if let Some(signature) = case.known() {
                known.entry(signature).or_insert(case.name);
            }
        }
        Ok(Self(known))
    }

    /// As [`Known::all`], with the corpora of a working copy, where it has any.
    ///
    /// # Errors
    /// If a corpus cannot be read.
    pub(crate) fn of_project(project: &Path, is_bundled: bool) -> Result<Self> {
        let corpora = project.join("corpus");
        Self::all(if corpora.exists() { std::slice::from_ref(&corpora) } else { &[] }, is_bundled)
    }

    /// What is known of a signature.
    pub(crate) fn get(&self, signature: &str) -> Option<&str> {
        self.0.get(signature).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_known_as_a_whole() {
        let known = Known::all(&[], true).unwrap();
        let fts5_like = "crash/asan-heap-buffer-overflow/sqlite3Fts5ExprPattern";
        assert_eq!(known.get(fts5_like), Some("fts5-like, seen in 3.54.1"));
        for other in ["crash/stack-overflow/f", "crash/stack-overflow/", "integrity/main/index"] {
            assert_eq!(known.get(other), None);
        }
        assert_eq!(Known::all(&[], false).unwrap().get(fts5_like), None);
    }
}
