//! Several probes as the judge of [`tandem::minimize`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tandem::TestCase;
use tandem::minimize::{Answer, Judge};
use tandem::targets::Target;

use super::state::State;
use super::{Probe, Probes};

/// Accepted cases that are remembered, for the one that does not show its bug in the end.
const HISTORY_MAX: usize = 64;
/// Most runs of a candidate of a flaky bug.
const REPEATS_MAX: u32 = 20;
/// How often a case is run to learn how often it shows its bug.
pub(crate) const TRIALS: u32 = 5;

/// Hears of each smaller case, and of the pass that found it.
type OnSmaller<'a> = Box<dyn FnMut(&TestCase, &'static str) + 'a>;

/// The bug that must remain.
#[derive(Clone, Copy)]
pub(crate) struct Bug<'a> {
    /// What its case runs on.
    pub target: &'static Target,
    /// Its signature.
    pub signature: &'a str,
    /// Runs of [`TRIALS`] in which it showed.
    pub hits: u32,
}

/// How to search for a smaller case.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// Candidates at the same time.
    pub jobs: usize,
    /// CPU milliseconds after which a candidate counts as a hang.
    pub timeout_ms: u64,
    /// How long.
    pub time: Duration,
    /// Set to end it early.
    pub stop: Arc<AtomicBool>,
}

/// Judges candidates.
pub(crate) struct WorkerJudge<'a> {
    probes: Vec<Probe>,
    target: &'static Target,
    signature: String,
    /// Runs after which a candidate that has not shown the bug does not.
    repeats: u32,
    deadline: Instant,
    stop: Arc<AtomicBool>,
    state: State,
    /// Cases that were accepted, newest last.
    history: Vec<TestCase>,
    on_smaller: OnSmaller<'a>,
}

impl<'a> WorkerJudge<'a> {
    /// A judge of what is still this bug, which keeps the best case in `state`.
    ///
    /// # Errors
    /// If workers cannot be started.
    pub(crate) fn new(
        probes: &Probes,
        bug: Bug<'_>,
        search: Search,
        state: State,
        on_smaller: impl FnMut(&TestCase, &'static str) + 'a,
    ) -> Result<Self> {
        let start = || probes.start(Some(search.timeout_ms));
        Ok(Self {
            probes: (0..search.jobs.max(1)).map(|_| start()).collect::<Result<_>>()?,
            target: bug.target,
            signature: bug.signature.to_owned(),
            repeats: repeats(bug.hits),
            deadline: Instant::now() + search.time,
            stop: search.stop,
            state,
            history: Vec::new(),
            on_smaller: Box::new(on_smaller),
        })
    }

    /// The newest of the accepted cases that shows the bug in new workers, with the full time; `None` if none of those
    /// that are remembered does.
    ///
    /// # Errors
    /// If cases cannot be run.
    pub(crate) fn confirmed(&mut self, probes: &Probes) -> Result<Option<TestCase>> {
        while let Some(case) = self.history.pop() {
            if shows(&mut probes.start(None)?, &case, self.target, &self.signature, self.repeats)? {
                self.state.best(&case)?;
                return Ok(Some(case));
            }
        }
        Ok(None)
    }

    /// Notes the end.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(&mut self, attempts: u64, is_minimal: bool) -> Result<()> {
        self.state.finish(attempts, is_minimal)
    }
}

/// Runs after which a bug that shows in `hits` of [`TRIALS`] runs would have shown, most likely.
fn repeats(hits: u32) -> u32 {
    if hits >= TRIALS { 1 } else { (3 * TRIALS).div_ceil(hits.max(1)).min(REPEATS_MAX) }
}

/// Whether a case shows the bug in one of so many runs.
///
/// # Errors
/// If it cannot be run.
pub(crate) fn shows(
    probe: &mut Probe,
    case: &TestCase,
    target: &'static Target,
    signature: &str,
    repeats: u32,
) -> Result<bool> {
    for round in 0..repeats {
        // What comes and goes may do so from one process to the next.
        if round > 0 {
            probe.renew();
        }
        if probe.bugs(case, target)?.iter().any(|bug| bug.signature == signature) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Judge for WorkerJudge<'_> {
    type Error = anyhow::Error;

    fn first(&mut self, candidates: &[TestCase]) -> Result<Answer> {
        if self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline {
            return Ok(Answer::Stop);
        }
        let (target, signature, repeats) = (self.target, &self.signature, self.repeats);
        if let ([probe], [case]) = (self.probes.as_mut_slice(), candidates) {
            let is_kept = shows(probe, case, target, signature, repeats)?;
            return Ok(if is_kept { Answer::Kept(0) } else { Answer::Lost });
        }
        let verdicts: Vec<Result<bool>> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .probes
                .iter_mut()
                .zip(candidates)
                .map(|(probe, case)| scope.spawn(move || shows(probe, case, target, signature, repeats)))
                .collect();
            running.into_iter().map(|thread| thread.join().expect("a probe does not panic")).collect()
        });
        let verdicts = verdicts.into_iter().collect::<Result<Vec<bool>>>()?;
        Ok(verdicts.iter().position(|&kept| kept).map_or(Answer::Lost, Answer::Kept))
    }

    fn width(&self) -> usize {
        self.probes.len()
    }

    fn note(&mut self, case: &TestCase, pass: &'static str) -> Result<()> {
        self.state.best(case).context("the smaller case cannot be saved")?;
        if self.history.len() >= HISTORY_MAX {
            // Every second one of the older ones.
            let mut at = 0;
            self.history.retain(|_| {
                at += 1;
                at % 2 == 0 || at > HISTORY_MAX / 2
            });
        }
        self.history.push(case.clone());
        (self.on_smaller)(case, pass);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_seldom_is_tried_often() {
        assert_eq!([5, 4, 2, 1].map(repeats), [1, 4, 8, 15]);
    }
}
