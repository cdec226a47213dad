//! The sum of all results.

use std::collections::{BTreeMap, BTreeSet};

use tandem::engine::Limit;
use tandem::targets::Target;

use super::client::Outcome;
use super::cut_short::CutShort;
use super::protocol::{Counts, FoundBug, OracleCounts};
use crate::source::Provenance;

/// How many of the slowest cases are remembered.
const SLOWEST_MAX: usize = 100;

/// A case that was run.
#[derive(Clone)]
pub struct Done {
    /// Its name.
    pub name: String,
    /// What it ran on.
    pub target: &'static Target,
    /// Its encoding.
    pub body: Vec<u8>,
    /// Bytes that SQLite may hold, if the source of the case says so.
    pub heap_bytes: Option<u64>,
    /// Its place among all cases, from 1.
    pub index: u64,
    /// Its entry in a corpus.
    pub provenance: Option<Provenance>,
    /// Its outcome.
    pub outcome: Outcome,
}

impl Done {
    /// Whether it shows a bug other than its known one.
    pub fn has_unknown_bugs(&self) -> bool {
        self.outcome.result.bugs.iter().any(|bug| !is_known(self.known(), bug))
    }

    /// The signature of its known bug, if it has one.
    fn known(&self) -> Option<&str> {
        self.provenance.as_ref()?.known()
    }
}

/// Whether a case whose known bug has the signature `known` is expected to show `bug`.
pub fn is_known(known: Option<&str>, bug: &FoundBug) -> bool {
    known == Some(&bug.signature)
}

/// A case with bugs.
#[derive(Clone)]
pub struct Finding {
    /// The case.
    pub case: Done,
    /// What was found, most important first; never empty.
    pub bugs: Vec<FoundBug>,
}

/// A slow case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slow {
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Its name.
    pub name: String,
    /// Virtual-machine steps.
    pub vm_steps: u64,
}

/// A case that does not show its known bug.
#[derive(Debug, Clone)]
pub struct Silent {
    /// Its name.
    pub case: String,
    /// Its entry in the corpus.
    pub provenance: Provenance,
}

/// The results of a run.
#[derive(Default)]
pub struct Report {
    /// Cases that were run.
    pub cases: u64,
    /// Cases with bugs, in the order of the cases.
    pub findings: Vec<Finding>,
    /// Cases in which our own code failed: name and message.
    pub harness_errors: Vec<(String, String)>,
    /// Cases that show their known bug.
    pub known: Vec<String>,
    /// Cases that do not show their known bug: it is fixed, or this build cannot show it.
    pub silent: Vec<Silent>,
    /// Cases that a limit cut short, by their place among all: name and limits.
    pub cut_short: BTreeMap<u64, (String, BTreeSet<Limit>)>,
    /// What each case did, by name and target, where that was asked for and the worker outlived it:
    /// [`super::protocol::CaseDigest::short`].
    pub digests: BTreeMap<String, String>,
    /// What was counted over all of them.
    pub counts: Counts,
    /// CPU time of all cases in nanoseconds, without the overhead of the workers.
    pub cpu_ns: u64,
    /// The slowest cases, slowest first.
    pub slowest: Vec<Slow>,
}

impl Report {
    /// Whether no oracle judged any of the cases, and nothing else was found.
    pub fn is_unjudged(&self) -> bool {
        let has_judged = |counts: &OracleCounts| counts.passed + counts.failed > 0;
        self.findings.is_empty() && self.known.is_empty() && !self.counts.oracles.values().any(has_judged)
    }

    /// Adds a case.
    pub fn add(&mut self, done: Done) {
        self.cases += 1;
        let result = &done.outcome.result;
        self.cpu_ns += result.cpu_ns;
        let slow = Slow { cpu_ns: result.cpu_ns, name: done.name.clone(), vm_steps: result.vm_steps };
        let at = self.slowest.partition_point(|other| other.cpu_ns >= slow.cpu_ns);
        if at < SLOWEST_MAX {
            self.slowest.insert(at, slow);
            self.slowest.truncate(SLOWEST_MAX);
        }
        if let Some(digest) = &result.digest {
            self.digests.insert(format!("{} on {}", done.name, done.target.name), digest.short());
        }
        if let Some(message) = &done.outcome.harness_error {
            self.harness_errors.push((done.name.clone(), message.clone()));
        }
        if !result.cut_short.is_empty() {
            self.cut_short.insert(done.index, (done.name.clone(), result.cut_short.clone()));
        }
        if done.known().is_some() && !done.has_unknown_bugs() {
            match done.provenance {
                Some(provenance) if result.bugs.is_empty() => {
                    self.silent.push(Silent { case: done.name, provenance })
                }
                _ => self.known.push(done.name),
            }
        } else if !result.bugs.is_empty() {
            let bugs = result.bugs.clone();
            let at = self.findings.partition_point(|other| other.case.index < done.index);
            self.findings.insert(at, Finding { case: done, bugs });
        }
    }

    /// The signatures of all findings, with the number of cases in which each was the most important one.
    pub fn signatures(&self) -> BTreeMap<&str, usize> {
        let mut signatures = BTreeMap::new();
        for finding in &self.findings {
            *signatures.entry(finding.bugs[0].signature.as_str()).or_default() += 1;
        }
        signatures
    }

    /// The cases that were cut short, by limit.
    pub fn cut_short_by_limit(&self) -> Vec<CutShort> {
        CutShort::by_limit(self.cut_short.values().map(|(_, limits)| limits))
    }
}
