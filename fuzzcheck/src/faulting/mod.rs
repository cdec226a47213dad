//! Faults in turn: each that a case can meet, until it ends without having met one.
//!
//! Each is a case of its own, with a plan, that workers run and judge as any other: what one finds is a case that replays.

pub(crate) mod loops;
pub(crate) mod state;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::Result;
use sha2::{Digest, Sha256};
use tandem::TestCase;
use tandem::testcase::FaultPlan;

use crate::build::worker::Worker;
use crate::replay::report::Done;
use crate::replay::{Options, run_all};
use crate::source::NamedCase;

use loops::Loop;
use state::{Found, Progress};

/// How cases run with faults.
pub(crate) struct Place<'a> {
    pub worker: &'a Worker,
    pub options: &'a Options,
    /// Workers at the same time.
    pub jobs: usize,
    /// Set to end early.
    pub stop: &'a AtomicBool,
}

/// A case, and how it runs.
pub(crate) struct Subject<'a> {
    pub case: &'a NamedCase,
    pub place: &'a Place<'a>,
}

/// The case with the faults of a turn.
fn turn(named: &NamedCase, one: &Loop, nth: u32) -> NamedCase {
    let faults = one.faults(nth);
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let faults = FaultPlan::new(faults);
    NamedCase {
        name: format!("{}, {}", named.name, words.join("; ")),
        case: TestCase { faults, ..one.on_its_device(&named.case) },
        target: named.target,
        heap_bytes: named.heap_bytes,
        provenance: None,
    }
}

/// What some turns of the loops of many cases have shown.
#[derive(Default)]
pub(crate) struct Sample {
    pub progress: Progress,
    /// Bugs, with the case that showed each first.
    pub found: Vec<(NamedCase, Found)>,
}

impl Place<'_> {
    /// Runs `size` turns of each loop of each case, chosen at random by a seed; `tell` hears how many there were so far.
    ///
    /// # Errors
    /// If workers cannot be started, or our own code fails.
    pub(crate) fn sample(
        &self,
        cases: &[NamedCase],
        loops: &[Loop],
        size: u32,
        seed: u64,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Sample> {
        let of_loop = move |named, one| (0..size).map(move |k| turn(named, one, choice(named, one, k, seed)));
        let of_case = |named| loops.iter().flat_map(move |one| of_loop(named, one));
        let mut turns = cases.iter().flat_map(of_case);
        let options = self.worker.options(self.options.clone());
        let (mut sample, mut failure) = (Sample::default(), None);
        let report = run_all(&self.worker.program, &options, self.jobs, &mut turns, self.stop, |done| {
            if let Some(message) = &done.outcome.harness_error {
                failure.get_or_insert_with(|| anyhow::anyhow!("{}: {message}", done.name));
            }
            sample.progress.add("sample", done);
            tell(sample.progress.turns);
            let new = sample.progress.found.get(sample.found.len()..).unwrap_or_default();
            let case = (done.index - 1) as usize / (loops.len() * size as usize);
            sample.found.extend(new.iter().map(|found| (cases[case].clone(), found.clone())));
        })?;
        failure.map_or(Ok(()), Err)?;
        let oracles: BTreeSet<&str> = loops.iter().map(Loop::oracle).collect();
        oracles.into_iter().for_each(|oracle| sample.progress.count(oracle, &report.counts));
        for ((_, found), last) in sample.found.iter_mut().zip(&sample.progress.found) {
            found.turns = last.turns;
        }
        Ok(sample)
    }
}

/// A turn of a loop, by a number and a seed: each power of two as often as any other, up to that of a long script.
fn choice(named: &NamedCase, one: &Loop, number: u32, seed: u64) -> u32 {
    const POWERS: u32 = 13;
    let hash = Sha256::new()
        .chain_update(named.case.id().as_bytes())
        .chain_update(&one.name)
        .chain_update(number.to_le_bytes())
        .chain_update(seed.to_le_bytes())
        .finalize();
    let word = |at: usize| u32::from_le_bytes(hash[at..at + 4].try_into().expect("four bytes"));
    let power = 1 << (word(0) % POWERS);
    power + word(4) % power
}

impl Subject<'_> {
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
            (!has_ended.load(Ordering::Relaxed) && nth < u32::MAX).then(|| turn(self.case, one, nth))
        });
        let &Place { worker, jobs, stop, .. } = self.place;
        let options = worker.options(self.place.options.clone());
        let (mut done_ahead, mut failure) = (BTreeSet::new(), None);
        let report = run_all(&worker.program, &options, jobs, &mut turns, stop, |done| {
            // Turns are numbered in the order in which they are handed out.
            let nth = from + u32::try_from(done.index).unwrap_or(u32::MAX) - 1;
            if let Some(message) = &done.outcome.harness_error {
                failure.get_or_insert_with(|| anyhow::anyhow!("{}: {message}", done.name));
            }
            if one.is_behind_the_last(nth, &done.outcome) {
                has_ended.store(true, Ordering::Relaxed);
            } else {
                done_ahead.insert(nth);
                progress.add(&one.name, done);
            }
            while done_ahead.remove(&progress.next) {
                progress.next += 1;
            }
            if let Err(error) = tell(progress, Some(done)) {
                failure.get_or_insert(error);
                stop.store(true, Ordering::Relaxed);
            }
        })?;
        progress.count(one.oracle(), &report.counts);
        progress.is_done = has_ended.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed);
        failure.map_or(Ok(()), Err)?;
        tell(progress, None)
    }
}

impl Progress {
    fn add(&mut self, loop_name: &str, done: &Done) {
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
                    loop_name: loop_name.to_owned(),
                }),
            }
        }
    }
}
