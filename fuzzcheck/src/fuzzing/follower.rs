//! Reruns new cases in slower builds that find more.
//!
//! A fuzzer without a sanitizer tries several times as many cases. It keeps the few that do something new,
//! so the slow builds run only these, and a sample of the rest, because coverage is not all that
//! makes a bug. [`super::checks`] runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tandem::targets::Target;

use super::checks::{Check, Seen};
use crate::files;
use crate::source::NamedCase;

/// How often it looks for new cases.
const TICK: Duration = Duration::from_millis(500);
/// Cases at a time.
const BATCH: usize = 64;

/// What a check did so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// New cases of the corpus.
    pub new: u64,
    /// Cases of the sample.
    pub sampled: u64,
    /// Cases that showed a bug.
    pub findings: u64,
}

/// Reruns the new cases of a corpus.
pub(crate) struct Follower {
    checks: Vec<Box<dyn Check>>,
    target: &'static Target,
    corpus: PathBuf,
    /// Where the target writes its sample; each file is removed once it was run.
    sample: PathBuf,
    artifacts: PathBuf,
    seen: BTreeSet<OsString>,
    counts: BTreeMap<String, Counts>,
}

/// A case that a check has found something in.
pub(crate) struct Caught {
    /// Which check.
    pub check: String,
    /// The command that finds it again.
    pub replay: String,
    /// What it found.
    pub seen: Seen,
    /// The case.
    pub path: PathBuf,
}

impl Follower {
    /// Follows the corpus of a target, except for the cases named in `seen`.
    ///
    /// # Errors
    /// If folders cannot be read or made.
    pub(crate) fn new(
        checks: Vec<Box<dyn Check>>,
        target: &'static Target,
        corpus: PathBuf,
        seen: BTreeSet<OsString>,
        artifacts: PathBuf,
        sample: PathBuf,
    ) -> Result<Self> {
        fs::create_dir_all(&sample).with_context(|| format!("{}", sample.display()))?;
        let counts = checks.iter().map(|check| (check.name(), Counts::default())).collect();
        let follower = Self { checks, target, corpus, sample, artifacts, seen, counts };
        // A sample that an earlier session left behind is of another program.
        for name in names(&follower.sample)? {
            fs::remove_file(follower.sample.join(name)).context("removing an old sample")?;
        }
        Ok(follower)
    }

    /// What its checks did, by name.
    pub(crate) fn counts(&self) -> &BTreeMap<String, Counts> {
        &self.counts
    }

    /// How many cases of the corpus it has not run.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn left(&self) -> Result<u64> {
        Ok(names(&self.corpus)?.difference(&self.seen).count() as u64)
    }

    /// The cases of the corpus that it need not rerun, by name.
    pub(crate) fn into_seen(self) -> BTreeSet<OsString> {
        self.seen
    }

    /// Follows until `is_over`, then runs the rest; `stop` ends it at the next batch. Calls `caught` for each finding.
    /// Others may use the follower between two batches.
    ///
    /// # Errors
    /// If the harness fails.
    pub(crate) fn follow(
        this: &Mutex<Self>,
        is_over: &AtomicBool,
        stop: impl Fn() -> bool,
        mut caught: impl FnMut(Caught),
    ) -> Result<()> {
        let lock = || this.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Looked at before the folder: what is written until then is still run.
            let is_last = is_over.load(Ordering::Relaxed);
            while !stop() && lock().run_batch(&mut caught)? > 0 {}
            if is_last || stop() {
                return Ok(());
            }
            std::thread::sleep(TICK);
        }
    }

    /// Runs some new cases; how many.
    fn run_batch(&mut self, caught: &mut impl FnMut(Caught)) -> Result<usize> {
        let kept: Vec<PathBuf> = names(&self.corpus)?
            .into_iter()
            .filter(|name| !self.seen.contains(name))
            .take(BATCH)
            .map(|name| self.corpus.join(name))
            .collect();
        self.seen.extend(kept.iter().filter_map(|path| Some(path.file_name()?.to_owned())));
        let sampled: Vec<PathBuf> = names(&self.sample)?
            .into_iter()
            .filter(|name| !name.to_string_lossy().starts_with('.'))
            .take(BATCH - kept.len())
            .map(|name| self.sample.join(name))
            .collect();
        let mut cases = Vec::new();
        for path in kept.iter().chain(&sampled) {
            // libFuzzer replaces cases by smaller ones, so some may be gone.
            if let Ok(bytes) = fs::read(path) {
                let case = (self.target.decode)(&bytes);
                let name = path.display().to_string();
                cases.push(NamedCase { name, target: self.target, case, heap_bytes: None, provenance: None });
            }
        }
        for path in &sampled {
            fs::remove_file(path).ok();
        }
        for check in &mut self.checks {
            let found = check.check(&cases)?;
            let counts = self.counts.entry(check.name()).or_default();
            counts.new += kept.len() as u64;
            counts.sampled += sampled.len() as u64;
            counts.findings += found.iter().filter(|(_, seen)| matches!(seen, Seen::Bug(_))).count() as u64;
            for (at, seen) in found {
                let path = keep(&cases[at], &self.artifacts)?;
                let replay = check.replay(&path, self.target);
                caught(Caught { check: check.name(), replay, seen, path });
            }
        }
        Ok(kept.len() + sampled.len())
    }

    /// The finding of the first check that has one for the case in a file: a program without a sanitizer only
    /// knows that it died.
    ///
    /// # Errors
    /// If the harness fails.
    pub(crate) fn look(&mut self, path: &Path) -> Result<Option<Caught>> {
        let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
        let case = (self.target.decode)(&bytes);
        let name = path.display().to_string();
        let case = [NamedCase { name, target: self.target, case, heap_bytes: None, provenance: None }];
        for check in &mut self.checks {
            if let Some((_, seen)) = check.check(&case)?.into_iter().next() {
                let replay = check.replay(path, self.target);
                return Ok(Some(Caught { check: check.name(), replay, seen, path: path.to_owned() }));
            }
        }
        Ok(None)
    }
}

/// Writes a case to the folder of libFuzzer's artifacts.
fn keep(case: &NamedCase, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let path = folder.join(format!("fuzzcheck-{}", case.case.id().short()));
    files::write(&path, &case.case.encode())?;
    Ok(path)
}

/// The names in a folder; none if it does not exist yet.
pub(crate) fn names(folder: &Path) -> Result<BTreeSet<OsString>> {
    if folder.exists() { files::names_in(folder) } else { Ok(BTreeSet::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::FoundBug;

    fn planted() -> Seen {
        Seen::Bug(FoundBug { signature: "planted/bug/-".to_owned(), message: String::new() })
    }

    /// Finds a bug in every case whose script says so.
    struct Planted;

    impl Check for Planted {
        fn name(&self) -> String {
            "planted".to_owned()
        }

        fn replay(&self, _: &Path, target: &Target) -> String {
            format!("again {}", target.name)
        }

        fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, Seen)>> {
            let is_bad = |case: &NamedCase| case.case.sql.as_bytes().starts_with(b"SELECT 'bad'");
            Ok((0..cases.len()).filter(|&at| is_bad(&cases[at])).map(|at| (at, planted())).collect())
        }
    }

    #[test]
    fn what_is_new_and_what_is_sampled_is_checked_once() {
        let folder = tempfile::tempdir().unwrap();
        let [corpus, artifacts, sample] =
            ["corpus", "artifacts", "sample"].map(|name| folder.path().join(name));
        fs::create_dir_all(&corpus).unwrap();
        let script = |text: String| tandem::TestCase::from_sql(text).encode();
        fs::write(corpus.join("old"), script("SELECT 'bad', 'but old'".to_owned())).unwrap();
        let target = &tandem::targets::SQL;
        let seen = names(&corpus).unwrap();
        let follower =
            Follower::new(vec![Box::new(Planted)], target, corpus.clone(), seen, artifacts, sample.clone())
                .unwrap();
        let follower = Mutex::new(follower);
        for i in 0..100 {
            fs::write(corpus.join(format!("{i}")), script(format!("SELECT {i}"))).unwrap();
        }
        fs::write(corpus.join("new"), script("SELECT 'bad'".to_owned())).unwrap();
        fs::write(sample.join("7"), script("SELECT 'bad', 'sampled'".to_owned())).unwrap();
        fs::write(sample.join(".8"), b"not yet written").unwrap();
        let over = AtomicBool::new(true);
        let mut found = Vec::new();
        for _ in 0..2 {
            Follower::follow(&follower, &over, || false, |caught| found.push(caught)).unwrap();
        }
        let mut follower = follower.into_inner().unwrap();
        assert_eq!(follower.counts()["planted"], Counts { new: 101, sampled: 1, findings: 2 });
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|caught| caught.path.exists() && caught.seen == planted()));
        assert!(!sample.join("7").exists() && sample.join(".8").exists());
        let bad = follower.look(&corpus.join("old")).unwrap().unwrap();
        assert_eq!((bad.seen, bad.replay.as_str()), (planted(), "again sql"));
        assert!(follower.look(&corpus.join("5")).unwrap().is_none());
    }
}
