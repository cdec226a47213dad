//! One case under many schedules.

use twox_hash::XxHash3_64;

use super::{Judged, Target};
use crate::engine::Asked;
use crate::engine::sqlite::{Budget, Executor};
use crate::oracles::{self, Entry};
use crate::schedules::{Scheduler, Strategy};
use crate::testcase::{Schedule, TestCase};

/// Which schedules to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exploration {
    /// How they are chosen.
    pub strategy: Strategy,
    /// The seed of a strategy that is random.
    pub seed: u64,
    /// The number of the first run, from 0: each has a seed of its own, so runs can be divided among processes.
    pub from: u64,
    /// How many runs.
    pub runs: u64,
    /// For a depth-first search: where it was ([`Explored::rest`]).
    pub rest: Option<String>,
}

/// What was explored.
#[derive(Debug, Clone, Default)]
pub struct Explored {
    /// Runs that were made.
    pub runs: u64,
    /// Points of the longest run.
    pub points: u32,
    /// Switches of all runs.
    pub switches: u64,
    /// For a depth-first search that is not at its end: where it is.
    pub rest: Option<String>,
    /// True if there are no more schedules.
    pub is_exhausted: bool,
}

impl Target {
    /// Runs a case under one schedule after the other, until they are all done, an oracle finds something, or `heard` says to
    /// stop. It hears of each run, with the schedule that repeats it in the case.
    pub fn explore(
        &self,
        executor: &mut Executor,
        case: &TestCase,
        budget: &Budget,
        exploration: &Exploration,
        judges: &dyn Fn(&Entry) -> bool,
        heard: &mut dyn FnMut(&TestCase, &Judged) -> bool,
    ) -> Explored {
        let plain = TestCase { schedule: Schedule::default(), ..case.clone() };
        let run = |executor: &mut Executor, scheduler| {
            executor.run_scheduled(&plain, self.program, budget, Asked::VERDICTS, scheduler)
        };
        let strategy = &exploration.strategy;
        // How long a run is, so that what is to happen at a random point happens within it.
        let points = match strategy.is_random() {
            true => {
                let (in_order, _) = run(executor, begun(Strategy::InOrder.scheduler(0, 0)).0);
                in_order.trace.turns.map_or(0, |turns| turns.points)
            }
            false => 0,
        };
        let mut explored = Explored::default();
        let mut last = Strategy::resume(strategy, exploration.rest.as_deref());
        while explored.runs < exploration.runs {
            if strategy.is_random() {
                let number = (exploration.from + explored.runs).to_le_bytes();
                last = strategy.scheduler(XxHash3_64::oneshot_with_seed(exploration.seed, &number), points);
            }
            let (scheduler, has_begun) = begun(last);
            if !has_begun {
                explored.is_exhausted = true;
                return explored;
            }
            let (observation, used) = run(executor, scheduler);
            last = used;
            let turns = observation.trace.turns.clone().unwrap_or_default();
            explored.runs += 1;
            explored.points = explored.points.max(turns.points);
            explored.switches += turns.schedule.switches().len() as u64;
            let scheduled = TestCase { schedule: turns.schedule, ..plain.clone() };
            let judgements = oracles::judge(executor, &scheduled, self.program, budget, &observation, judges);
            let judged = Judged { observation, judgements };
            if !heard(&scheduled, &judged) {
                break;
            }
        }
        explored.rest = last.rest();
        explored.is_exhausted = matches!(strategy, Strategy::Dfs(_)) && explored.rest.is_none();
        explored
    }
}

/// The scheduler, and whether it has another run.
fn begun(mut scheduler: Box<dyn Scheduler>) -> (Box<dyn Scheduler>, bool) {
    let has_begun = scheduler.begin();
    (scheduler, has_begun)
}

#[cfg(test)]
#[path = "explore_tests.rs"]
mod tests;
