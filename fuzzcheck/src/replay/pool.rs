//! Runs a stream of cases on several workers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use anyhow::Result;

use super::client::{Client, Outcome};
use super::protocol::{BatchResult, Job, Options};
use super::report::{Done, Report};
use super::watchdog;
use crate::source::NamedCase;

/// Most cases in a batch, and the bytes at which it is closed.
const BATCH_CASES_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Cases with the jobs made of them.
pub(crate) type Batch = (Vec<NamedCase>, Vec<Job>);

/// Where workers get their batches.
pub(crate) struct Feed<'a> {
    cases: Mutex<&'a mut (dyn Iterator<Item = NamedCase> + Send)>,
    next_index: AtomicU64,
    /// Set when no more cases are to be run: the user interrupted, or a worker cannot be started.
    is_closed: &'a AtomicBool,
}

impl<'a> Feed<'a> {
    pub(crate) fn new(
        cases: &'a mut (dyn Iterator<Item = NamedCase> + Send),
        is_closed: &'a AtomicBool,
    ) -> Self {
        Self { cases: Mutex::new(cases), next_index: AtomicU64::new(1), is_closed }
    }

    pub(crate) fn next(&self) -> Option<Batch> {
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut jobs, mut bytes) = (Vec::new(), Vec::new(), 0);
        while batch.len() < BATCH_CASES_MAX
            && bytes < BATCH_BYTES_MAX
            && !self.is_closed.load(Ordering::Relaxed)
        {
            let Some(named) = cases.next() else {
                break;
            };
            let body = named.case.encode();
            bytes += body.len();
            let index = self.next_index.fetch_add(1, Ordering::Relaxed);
            jobs.push(Job {
                index,
                target: named.target,
                heap_bytes: named.heap_bytes,
                body,
                exploration: None,
            });
            batch.push(named);
        }
        (!batch.is_empty()).then_some((batch, jobs))
    }
}

/// Runs all cases with `jobs` workers that are `program worker …`, and tells `observer` of each case as
/// it is done. Stops early, without an error, when `stop` is set: workers may finish their batches, but not
/// for long.
///
/// # Errors
/// If workers cannot be started.
pub fn run_all(
    program: &Path,
    options: &Options,
    jobs: usize,
    cases: &mut (dyn Iterator<Item = NamedCase> + Send),
    stop: &AtomicBool,
    mut observer: impl FnMut(&Done),
) -> Result<Report> {
    let mut clients = (0..jobs.max(1)).map(|_| Client::new(program, options)).collect::<Result<Vec<_>>>()?;
    let slots: Vec<_> = clients.iter().map(Client::slot).collect();
    let feed = Feed::new(cases, stop);
    let is_over = AtomicBool::new(false);
    let timeout = Duration::from_millis(options.timeout_ms);
    let mut report = Report::default();
    std::thread::scope(|scope| -> Result<()> {
        let watchdog = scope.spawn(|| watchdog::watch(&slots, timeout, &is_over, stop));
        let (sender, receiver) = mpsc::channel();
        for client in &mut clients {
            let sender = sender.clone();
            let feed = &feed;
            scope.spawn(move || work(client, feed, &sender));
        }
        drop(sender);
        let mut failure = None;
        for message in receiver {
            match message {
                Ok((batch, outcomes, told)) => {
                    report.counts.add(&told.counts);
                    for done in pair(batch, outcomes) {
                        observer(&done);
                        report.add(done);
                    }
                }
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
        watchdog.thread().unpark();
        failure.map_or(Ok(()), Err)
    })?;
    Ok(report)
}

type Message = Result<(Batch, Vec<Outcome>, BatchResult)>;

fn work(client: &mut Client, feed: &Feed<'_>, sender: &mpsc::Sender<Message>) {
    while let Some((batch, jobs)) = feed.next() {
        let done = client.run(jobs.clone()).map(|(outcomes, counts)| ((batch, jobs), outcomes, counts));
        let has_failed = done.is_err();
        // The receiver is gone only where the program ends.
        if sender.send(done).is_err() || has_failed {
            break;
        }
    }
}

/// Each case that has an outcome with it, in the order of the cases. After an interruption some have none.
fn pair((cases, jobs): Batch, outcomes: Vec<Outcome>) -> Vec<Done> {
    let outcomes = outcomes.into_iter().map(|outcome| (outcome.result.index, outcome));
    let mut outcomes: BTreeMap<u64, Outcome> = outcomes.collect();
    let done = cases.into_iter().zip(jobs).filter_map(|(named, job)| {
        Some(Done {
            name: named.name,
            target: job.target,
            outcome: outcomes.remove(&job.index)?,
            heap_bytes: job.heap_bytes,
            body: job.body,
            index: job.index,
            provenance: named.provenance,
        })
    });
    done.collect()
}
