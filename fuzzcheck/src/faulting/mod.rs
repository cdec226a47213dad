//! Faults in turn: each that a case can meet, until it ends without having met one.
//!
//! Each is a case of its own, with a plan, that workers run and judge as any other: what one finds is a case that replays.

pub(crate) mod loops;
pub(crate) mod state;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::Result;
use tandem::TestCase;
use tandem::testcase::FaultPlan;

use crate::build::worker::Worker;
use crate::replay::report::Done;
use crate::replay::{Options, run_all};
use crate::source::NamedCase;

use loops::Loop;
use state::{Found, Progress};

/// A case, and how it runs with faults.
pub(crate) struct Subject<'a> {
    pub case: &'a NamedCase,
    pub worker: &'a Worker,
    pub options: &'a Options,
    /// Workers at the same time.
    pub jobs: usize,
    /// Set to end early.
    pub stop: &'a AtomicBool,
}

impl Subject<'_> {
    /// The case with the faults of a turn.
    fn turn(&self, one: &Loop, nth: u32) -> NamedCase {
        let faults = one.faults(nth);
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let faults = FaultPlan::new(faults);
        NamedCase {
            name: format!("{}, {}", self.case.name, words.join("; ")),
            case: TestCase { faults, ..one.on_its_device(&self.case.case) },
            target: self.case.target,
            heap_bytes: self.case.heap_bytes,
            provenance: None,
        }
    }

    /// Goes on with a loop, from where `progress` is to its end; `tell` hears of each turn.
    ///
    /// # Errors
    /// If workers cannot be started, our own code fails, or `tell` does.
    pub(crate) fn run(
        &self,
        one: &Loop,
        progress: &mut Progress,
        mut tell: impl FnMut(&Progress, Option<&Done>) -> Result<()>,
    ) -> Result<()> {
        let from = progress.next;
        let (next, has_ended) = (AtomicU32::new(from), AtomicBool::new(false));
        let mut turns = std::iter::from_fn(|| {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            (!has_ended.load(Ordering::Relaxed) && nth < u32::MAX).then(|| self.turn(one, nth))
        });
        let options = self.worker.options(self.options.clone());
        let (mut done_ahead, mut failure) = (BTreeSet::new(), None);
        let report = run_all(&self.worker.program, &options, self.jobs, &mut turns, self.stop, |done| {
            // Turns are numbered in the order in which they are handed out.
            let nth = from + u32::try_from(done.index).unwrap_or(u32::MAX) - 1;
            if let Some(message) = &done.outcome.harness_error {
                failure.get_or_insert_with(|| anyhow::anyhow!("{}: {message}", done.name));
            }
            if one.is_behind_the_last(nth, &done.outcome) {
                has_ended.store(true, Ordering::Relaxed);
            } else {
                done_ahead.insert(nth);
                progress.add(one, done);
            }
            while done_ahead.remove(&progress.next) {
                progress.next += 1;
            }
            if let Err(error) = tell(progress, Some(done)) {
                failure.get_or_insert(error);
                self.stop.store(true, Ordering::Relaxed);
            }
        })?;
        progress.count(one, &report.counts);
        progress.is_done = has_ended.load(Ordering::Relaxed) && !self.stop.load(Ordering::Relaxed);
        failure.map_or(Ok(()), Err)?;
        tell(progress, None)
    }
}

impl Progress {
    fn add(&mut self, one: &Loop, done: &Done) {
        let result = &done.outcome.result;
        self.turns += 1;
        self.cpu_ns += result.cpu_ns;
        self.cut_short += u64::from(!result.cut_short.is_empty());
        for (hit, count) in &result.hits {
            *self.hits.entry(hit.clone()).or_default() += count;
        }
        for bug in &result.bugs {
            match self.found.iter_mut().find(|found| found.signature == bug.signature) {
                Some(found) => found.turns += 1,
                None => self.found.push(Found {
                    signature: bug.signature.clone(),
                    message: bug.message.clone(),
                    turns: 1,
                    faults: done.name.clone(),
                    body: done.body.clone(),
                    loop_name: one.name.clone(),
                }),
            }
        }
    }
}
