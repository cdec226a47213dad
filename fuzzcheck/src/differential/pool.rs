//! Runs a stream of cases on several pairs of workers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use anyhow::Result;

use super::{Build, Checked, DifferentialReport, DifferentialRunner, scripted};
use crate::replay::pool::Feed;
use crate::source::NamedCase;

/// Runs all cases on both builds with `jobs` pairs of workers, and tells `observer` of each case and whether it
/// shows something new. Stops early, without an error, when `stop` is set.
///
/// # Errors
/// If workers cannot be started.
pub fn compare_all(
    builds: &[Build; 2],
    jobs: usize,
    cases: impl Iterator<Item = NamedCase> + Send,
    stop: &AtomicBool,
    mut observer: impl FnMut(bool),
) -> Result<DifferentialReport> {
    let mut runners =
        (0..jobs.max(1)).map(|_| DifferentialRunner::new(builds)).collect::<Result<Vec<_>>>()?;
    let mut report = DifferentialReport::new(runners[0].identities().clone());
    let mut cases = cases.map(scripted);
    let feed = Feed::new(&mut cases, stop);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for runner in &mut runners {
            let sender = sender.clone();
            let feed = &feed;
            scope.spawn(move || work(runner, feed, &sender));
        }
        drop(sender);
        let mut failure = None;
        for message in receiver {
            match message {
                Ok(batch) => batch.into_iter().for_each(|checked| observer(!report.add(checked).is_empty())),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    })?;
    Ok(report)
}

fn work(runner: &mut DifferentialRunner, feed: &Feed<'_>, sender: &mpsc::Sender<Result<Vec<Checked>>>) {
    while let Some(batch) = feed.next() {
        let done = runner.check_batch(batch);
        let has_failed = done.is_err();
        // The receiver is gone only where the program ends.
        if sender.send(done).is_err() || has_failed {
            break;
        }
    }
}
