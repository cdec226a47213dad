//! The best case so far and its origin, always up to date on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tandem::TestCase;
use tandem::testcase::CaseId;

use crate::files;

/// The record beside the best case, in a file of the same name plus `.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    version: u32,
    /// The original case.
    original: String,
    /// The bug.
    signature: String,
    /// The build that shows it.
    build: String,
    /// Candidates so far, over all runs.
    attempts: u64,
    /// Whether no smaller case was found.
    is_minimal: bool,
}

/// The state of minimizing.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    record: Record,
}

impl State {
    /// The state at `path` for a case, a bug and a build; with the best case of an earlier run, if there is one.
    ///
    /// # Errors
    /// If the files cannot be read or written.
    pub(crate) fn open(
        path: &Path,
        original: &TestCase,
        signature: &str,
        build: &str,
        is_fresh: bool,
    ) -> Result<(Self, Option<TestCase>)> {
        let record = Record {
            version: 1,
            original: original.id().to_string(),
            signature: signature.to_owned(),
            build: build.to_owned(),
            attempts: 0,
            is_minimal: false,
        };
        let mut state = Self { path: path.to_owned(), record };
        let earlier = if is_fresh { None } else { state.earlier() };
        if let Some((record, case)) = earlier {
            state.record = record;
            return Ok((state, Some(case)));
        }
        if path.exists() && state.beside().is_ok_and(|record| record.is_none()) {
            anyhow::bail!("{}: exists, but was not written by `minimize`: use another --to", path.display());
        }
        // In this order: a case without a record beside it is not ours.
        state.write()?;
        state.best(original)?;
        Ok((state, None))
    }

    /// The best case of an earlier run for the same bug.
    fn earlier(&self) -> Option<(Record, TestCase)> {
        let record = self.beside().ok()??;
        let same = |record: &Record| {
            (record.version, &record.original, &record.signature, &record.build)
                == (1, &self.record.original, &self.record.signature, &self.record.build)
        };
        let bytes = std::fs::read(&self.path).ok().filter(|_| same(&record))?;
        Some((record, TestCase::decode_strict(&bytes).ok()?))
    }

    fn beside(&self) -> Result<Option<Record>> {
        let path = self.record_path();
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        Ok(serde_json::from_slice(&text).ok())
    }

    fn record_path(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".json");
        self.path.with_file_name(name)
    }

    /// Candidates of earlier runs.
    pub(crate) fn attempts(&self) -> u64 {
        self.record.attempts
    }

    /// Whether an earlier run found no smaller case.
    pub(crate) fn is_minimal(&self) -> bool {
        self.record.is_minimal
    }

    /// Saves a better case.
    ///
    /// # Errors
    /// If it cannot be written; the one before is still there.
    pub(crate) fn best(&self, case: &TestCase) -> Result<()> {
        let bytes = case.encode();
        debug_assert_eq!(CaseId::of_encoded(&bytes), case.id());
        files::write(&self.path, &bytes)
    }

    /// Records the end of a run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(&mut self, attempts: u64, is_minimal: bool) -> Result<()> {
        self.record.attempts += attempts;
        self.record.is_minimal = is_minimal;
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.record)?;
        files::write(&self.record_path(), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_the_same_one_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best");
        let [original, better] = ["SELECT 1, 2", "SELECT 1"].map(TestCase::from_sql);
        let open = |signature, is_fresh| State::open(&path, &original, signature, "x", is_fresh).unwrap();
        let (mut state, earlier) = open("a/b/c", false);
        assert!(earlier.is_none() && path.exists());
        state.best(&better).unwrap();
        state.finish(7, false).unwrap();
        let (state, earlier) = open("a/b/c", false);
        assert!(earlier == Some(better) && state.attempts() == 7 && !state.is_minimal());
        // Another bug, or the wish to begin anew.
        assert!(open("a/b/d", false).1.is_none());
        let (state, earlier) = open("a/b/d", true);
        assert!(earlier.is_none() && state.attempts() == 0);
        // A file of somebody else's stays.
        let other = folder.path().join("other");
        std::fs::write(&other, "mine").unwrap();
        assert!(State::open(&other, &original, "a/b/c", "x", false).is_err());
        assert_eq!(std::fs::read(&other).unwrap(), b"mine");
    }
}
