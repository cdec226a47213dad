//! How far the loops of a case are, always up to date on disk until they have ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::replay::protocol::Counts;

/// Of the file with the state.
const VERSION: u32 = 2;
/// How often the state is written at most.
const WRITTEN_EVERY: Duration = Duration::from_secs(2);

/// How far a loop is, and what it has shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The first turn that has not been taken.
    pub next: u32,
    /// Turns that were taken.
    pub turns: u64,
    /// Whether the case has ended without meeting the fault.
    pub is_done: bool,
    /// What failed, and how often.
    pub hits: BTreeMap<String, u64>,
    /// Turns that a limit cut short.
    pub cut_short: u64,
    /// Turns in which the oracle of the loop said that all is well.
    pub passed: u64,
    /// Turns that it did not judge, by reason, without those in which no fault was met.
    pub not_judged: BTreeMap<String, u64>,
    /// Disks that a power loss left, and how many of them were different: those that were opened.
    pub disks: [u64; 2],
    /// CPU nanoseconds to make the disks, to recover those that were opened, and to check them.
    pub disks_ns: [u64; 3],
    /// CPU time in nanoseconds, all in all.
    pub cpu_ns: u64,
    /// Bugs.
    pub found: Vec<Found>,
}

/// A bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Which.
    pub signature: String,
    /// What happened the first time.
    pub message: String,
    /// Turns that showed it.
    pub turns: u64,
    /// The case and the faults of the first one, in words.
    pub faults: String,
    /// The case, encoded.
    #[serde(with = "hex_bytes")]
    pub body: Vec<u8>,
    /// The loop.
    pub loop_name: String,
}

/// Bytes as hexadecimal digits.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let pairs = text
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        pairs.collect::<Option<_>>().ok_or_else(|| D::Error::custom("no hexadecimal digits"))
    }
}

impl Progress {
    /// Adds that of another case; the bugs are counted elsewhere.
    pub(crate) fn merge(&mut self, other: Self) {
        self.turns += other.turns;
        self.is_done &= other.is_done;
        self.cut_short += other.cut_short;
        self.passed += other.passed;
        self.disks = [0, 1].map(|at| self.disks[at] + other.disks[at]);
        self.disks_ns = [0, 1, 2].map(|at| self.disks_ns[at] + other.disks_ns[at]);
        self.cpu_ns += other.cpu_ns;
        for (all, some) in [(&mut self.hits, other.hits), (&mut self.not_judged, other.not_judged)] {
            some.into_iter().for_each(|(what, count)| *all.entry(what).or_default() += count);
        }
    }

    /// Adds what an oracle counted.
    pub(super) fn count(&mut self, oracle: &str, counts: &Counts) {
        let Some(counts) = counts.oracles.get(oracle) else {
            return;
        };
        self.passed += counts.passed;
        self.disks[0] += counts.checks;
        self.disks[1] += counts.nontrivial;
        self.disks_ns = [0, 1, 2].map(|at| self.disks_ns[at] + counts.disks_ns[at]);
        let not_met = tandem::oracles::SkipReason::FaultNotMet.to_string();
        for (reason, count) in counts.not_judged.iter().filter(|(reason, _)| **reason != not_met) {
            *self.not_judged.entry(reason.clone()).or_default() += count;
        }
    }
}

/// The state of all loops of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    /// What is run, and how: a state of anything else is of no use.
    what: String,
    /// By the names of the loops.
    pub loops: BTreeMap<String, Progress>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    written: Option<Instant>,
}

impl State {
    /// That at `path`, if it is of `what`; otherwise a new one.
    pub(crate) fn open(path: &Path, what: &str, is_fresh: bool) -> Self {
        let new = || Self {
            version: VERSION,
            what: what.to_owned(),
            loops: BTreeMap::new(),
            path: path.to_owned(),
            written: None,
        };
        let earlier = std::fs::read(path).ok().filter(|_| !is_fresh);
        let earlier = earlier.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        match earlier.filter(|state| (state.version, state.what.as_str()) == (VERSION, what)) {
            Some(state) => Self { path: path.to_owned(), ..state },
            None => new(),
        }
    }

    /// Notes how far a loop is; written now and then, or at once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn note(&mut self, name: &str, progress: &Progress, at_once: bool) -> Result<()> {
        let is_due = at_once || self.written.is_none_or(|written| written.elapsed() > WRITTEN_EVERY);
        if is_due {
            self.loops.insert(name.to_owned(), progress.clone());
            let folder = self.path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
            files::write(&self.path, &serde_json::to_vec(self)?)?;
            self.written = Some(Instant::now());
        }
        Ok(())
    }

    /// Removes the state of loops that have all ended: the next run begins anew.
    pub(crate) fn remove(&self) {
        std::fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_the_same_one_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.json");
        let found = Found { body: vec![0, 171], turns: 2, ..found() };
        let progress = Progress { next: 7, found: vec![found], ..Progress::default() };
        State::open(&path, "this", false).note("oom once", &progress, true).unwrap();
        assert_eq!(State::open(&path, "this", false).loops["oom once"], progress);
        for (what, is_fresh) in [("that", false), ("this", true)] {
            assert!(State::open(&path, what, is_fresh).loops.is_empty());
        }
        std::fs::write(&path, "{").unwrap();
        let state = State::open(&path, "this", false);
        assert!(state.loops.is_empty());
        state.remove();
        assert!(!path.exists());
    }

    fn found() -> Found {
        let [signature, message, faults, loop_name] = ["s", "m", "f", "l"].map(str::to_owned);
        Found { signature, message, faults, loop_name, turns: 1, body: Vec::new() }
    }
}
