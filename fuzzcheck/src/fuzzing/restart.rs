//! How a fuzzer restarts after a finding.
//!
//! libFuzzer ends at its first finding, and starts by running its whole corpus: with thousands of cases, and an SQLite that
//! crashes every minute, it would do nothing else. So only the first run has the whole corpus; later ones
//! start with a part of it, a different one each time, in a separate folder (libFuzzer's fork mode does much the
//! same). What they add is moved to the corpus at the end. It may be nothing new there: merging sorts that out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files::names_in;

/// How many cases a later run starts with.
const CASES_MAX: usize = 300;

/// The folder of a later run.
#[derive(Debug)]
pub(super) struct Part {
    folder: PathBuf,
    corpus: PathBuf,
    /// What it begins with, by name.
    seeds: BTreeSet<OsString>,
}

impl Part {
    /// Takes a part of `corpus` into `folder`: another one for each `round`.
    ///
    /// # Errors
    /// If a folder cannot be read or written.
    pub(super) fn new(corpus: &Path, folder: PathBuf, round: usize) -> Result<Self> {
        collect(&folder, corpus)?;
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let all: Vec<OsString> = names_in(corpus)?.into_iter().collect();
        let step = all.len().div_ceil(CASES_MAX).max(1);
        let mut seeds = BTreeSet::new();
        for name in all.into_iter().skip(round % step).step_by(step) {
            let (from, to) = (corpus.join(&name), folder.join(&name));
            // A copy where there is no link; a case that another process has just removed is no loss.
            if fs::hard_link(&from, &to).is_ok() || fs::copy(&from, &to).is_ok() {
                seeds.insert(name);
            }
        }
        Ok(Self { folder, corpus: corpus.to_owned(), seeds })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves what was added to the corpus, and removes the folder.
    ///
    /// # Errors
    /// If a folder cannot be read or written.
    pub(super) fn end(self) -> Result<()> {
        for name in &self.seeds {
            fs::remove_file(self.folder.join(name)).ok();
        }
        collect(&self.folder, &self.corpus)
    }
}

/// Moves all of a folder, which an earlier session may have left behind, into the corpus, and removes it.
///
/// # Errors
/// If a folder cannot be read or written.
pub(super) fn collect(folder: &Path, corpus: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for name in names_in(folder)? {
        let (from, to) = (folder.join(&name), corpus.join(&name));
        let moved = if to.exists() { fs::remove_file(&from) } else { fs::rename(&from, &to) };
        moved.with_context(|| format!("{}", from.display()))?;
    }
    fs::remove_dir(folder).with_context(|| format!("{}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_taken_and_what_is_added_comes_back() {
        let all = tempfile::tempdir().unwrap();
        let [corpus, run] = ["corpus", "run"].map(|name| all.path().join(name));
        fs::create_dir(&corpus).unwrap();
        for i in 0..1000 {
            fs::write(corpus.join(format!("{i:04}")), format!("{i}")).unwrap();
        }
        let mut taken = BTreeSet::new();
        for round in 0..4 {
            let part = Part::new(&corpus, run.clone(), round).unwrap();
            let seeds = names_in(&run).unwrap();
            assert_eq!(seeds.len(), 250);
            taken.extend(seeds);
            fs::write(part.folder().join(format!("new-{round}")), "x").unwrap();
            part.end().unwrap();
            assert!(!run.exists());
        }
        assert_eq!((taken.len(), names_in(&corpus).unwrap().len()), (1000, 1004));
        // What a killed session left behind is not lost.
        fs::create_dir(&run).unwrap();
        fs::write(run.join("left"), "x").unwrap();
        Part::new(&corpus, run.clone(), 0).unwrap().end().unwrap();
        assert!(corpus.join("left").exists());
    }
}
