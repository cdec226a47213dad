//! One case under many schedules, in worker processes.
//!
//! A batch of schedules is one job: a worker explores it and stops at its first finding. Each run of a random strategy has a
//! seed of its own, so the same schedules are tried however many workers there are; a search goes on from batch to batch.

pub(crate) mod interleaving;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;
use tandem::schedules::Strategy;
use tandem::testcase::Schedule;

use crate::build::worker::Worker;
use crate::replay::client::Client;
use crate::replay::protocol::{Counts, ExplorationFrame, ExploredFrame, Job};
use crate::replay::{FoundBug, Options, Outcome};
use crate::source::NamedCase;

/// Schedules of the first batch; each is then sized to take about a second.
const FIRST_RUNS: u64 = 20;
const BATCH_NS: u64 = 1_000_000_000;
/// Most schedules of a batch.
const RUNS_MAX: u64 = 20_000;

/// What to explore, and how.
pub(crate) struct Explorer<'a> {
    pub worker: &'a Worker,
    pub options: &'a Options,
    /// Workers at the same time, of a strategy that is random.
    pub jobs: usize,
    pub strategy: &'a Strategy,
    pub seed: u64,
    pub runs: u64,
    /// Set to end early.
    pub stop: &'a AtomicBool,
}

/// What was explored.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Totals {
    /// Schedules that were run.
    pub runs: u64,
    /// Points of the longest run.
    pub points: u32,
    /// Switches of all runs.
    pub switches: u64,
    /// Runs in which something was refused as locked.
    pub busy: u64,
    /// Runs that a limit cut short.
    pub cut_short: u64,
    /// Whether all schedules of the strategy were run.
    pub is_exhausted: bool,
    /// CPU time of the workers in nanoseconds.
    pub cpu_ns: u64,
    /// What was found first.
    #[serde(skip)]
    pub found: Option<Found>,
    /// How often each oracle judged, and why not.
    #[serde(skip)]
    pub counts: Counts,
}

/// A bug under a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub bug: FoundBug,
    /// The case with the schedule.
    pub case: TestCase,
}

/// Where the workers are.
struct State {
    next: u64,
    batch: u64,
    rest: Option<String>,
    is_over: bool,
    totals: Totals,
}

impl Explorer<'_> {
    /// Explores, until something is found or all is done; `tell` hears what was done so far.
    ///
    /// # Errors
    /// If workers cannot be started, or our own code fails.
    pub(crate) fn run(&self, named: &NamedCase, tell: &(dyn Fn(&Totals) + Sync)) -> Result<Totals> {
        let jobs = if self.strategy.is_random() { self.jobs.max(1) } else { 1 };
        let state = Mutex::new(State {
            next: 0,
            batch: FIRST_RUNS,
            rest: None,
            is_over: false,
            totals: Totals::default(),
        });
        std::thread::scope(|scope| -> Result<()> {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| self.work(named, &state, tell))).collect();
            let mut done = Ok(());
            for worker in workers {
                let result = worker.join().unwrap_or_else(|_| bail!("a thread panicked"));
                done = done.and(result);
            }
            done
        })?;
        Ok(state.into_inner().unwrap_or_else(PoisonError::into_inner).totals)
    }

    fn work(&self, named: &NamedCase, state: &Mutex<State>, tell: &(dyn Fn(&Totals) + Sync)) -> Result<()> {
        let mut client = Client::new(&self.worker.program, &self.worker.options(self.options.clone()))?;
        let locked = || state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // The lock is not held while a worker is busy.
            let next = self.next(&mut locked());
            let Some(exploration) = next else {
                break;
            };
            let job = Job {
                index: exploration.from + 1,
                target: named.target,
                heap_bytes: named.heap_bytes,
                body: named.case.encode(),
                exploration: Some(exploration),
            };
            let (outcomes, told) = client.run_watched(vec![job])?;
            let Some(outcome) = outcomes.into_iter().next() else {
                break;
            };
            if let Some(message) = outcome.harness_error {
                locked().is_over = true;
                bail!("{}: a worker failed, which is a bug in Tandem: {message}", named.name);
            }
            let mut state = locked();
            state.totals.counts.add(&told.counts);
            state.add(&named.case, outcome);
            tell(&state.totals);
        }
        Ok(())
    }

    /// The next batch, if there is one.
    fn next(&self, state: &mut State) -> Option<ExplorationFrame> {
        let runs = state.batch.min(self.runs - state.next.min(self.runs));
        if runs == 0 || state.is_over || self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let from = state.next;
        state.next += runs;
        let rest = state.rest.clone();
        Some(ExplorationFrame { strategy: self.strategy.to_string(), seed: self.seed, from, runs, rest })
    }
}

impl State {
    fn add(&mut self, case: &TestCase, outcome: Outcome) {
        let result = outcome.result;
        let ExploredFrame { runs, points, switches, cut_short, busy, rest, is_exhausted, schedule } =
            result.explored.unwrap_or_default();
        let totals = &mut self.totals;
        totals.runs += runs;
        totals.points = totals.points.max(points);
        totals.switches += switches;
        totals.busy += busy;
        totals.cut_short += cut_short;
        totals.is_exhausted |= is_exhausted;
        totals.cpu_ns += result.cpu_ns;
        if result.cpu_ns > 0 && runs > 0 {
            self.batch = (BATCH_NS / (result.cpu_ns / runs).max(1)).clamp(FIRST_RUNS, RUNS_MAX);
        }
        self.rest = rest;
        self.is_over |= is_exhausted || !result.bugs.is_empty();
        if let (Some(bug), None) = (result.bugs.into_iter().next(), &totals.found) {
            let schedule: Schedule = schedule.and_then(|text| text.parse().ok()).unwrap_or_default();
            totals.found = Some(Found { bug, case: TestCase { schedule, ..case.clone() } });
        }
    }
}

/// How long a batch may take before it counts as a hang, in CPU milliseconds.
pub(crate) fn timeout_ms(one_run_ms: u64) -> u64 {
    one_run_ms + 4 * Duration::from_nanos(BATCH_NS).as_millis() as u64
}
