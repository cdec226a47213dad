//! What must hold when several connections take turns.
//!
//! | Oracle | What it checks |
//! |---|---|
//! | `turns` | nobody waits for somebody who waits for them; checkpoints answer as they are documented |
//! | [`serial`] | transactions one after the other, in the order in which they could write, do the same |
//! | [`histories`] | what was read of lists and registers is explained by some order: [`crate::histories`] |

mod histories;
mod serial;

pub(super) use histories::Histories;
pub(super) use serial::Serial;

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Observation, StatementTrace, Taint};
use crate::testcase::{CheckpointMode, Operation, TestCase};

/// Why what statements of several connections returned is not judged: there are none, something else is among them, or it is not
/// known how a transaction ended.
fn unfit(case: &TestCase, observation: &Observation) -> Option<SkipReason> {
    let statements = &observation.trace.statements;
    let places = || statements.iter().filter_map(|statement| statement.place);
    let first = places().next().map(|place| place.connection);
    if case.operations.is_empty() || places().all(|place| Some(place.connection) == first) {
        return Some(SkipReason::OneConnection);
    }
    if !case.faults.is_empty() {
        return Some(SkipReason::Excused("planned faults"));
    }
    if observation.ended_early() {
        return Some(SkipReason::CheckCutShort);
    }
    let is_plain = |operation: &Operation| {
        matches!(
            operation,
            Operation::Run { .. }
                | Operation::Meet
                | Operation::Checkpoint { .. }
                | Operation::BusyHandler { .. }
                | Operation::BusyTimeout { .. }
        )
    };
    if !case.operations.list().iter().all(is_plain) {
        return Some(SkipReason::Excused("operations that are no statements"));
    }
    // What runs behind the operations runs on connection 0.
    let is_open = places().rfind(|place| place.connection == 0).is_some_and(|place| !place.is_autocommit);
    let goes_on = is_open && statements.iter().any(|statement| statement.place.is_none());
    goes_on.then_some(SkipReason::Excused("a transaction that goes on behind the operations"))
}

/// The name of the first of these taints that the run has.
fn tainted(observation: &Observation, taints: &[Taint]) -> Option<SkipReason> {
    let taint = taints.iter().find(|taint| observation.taint.contains(**taint))?;
    taint.members().next().map(|(_, name)| SkipReason::Tainted(name))
}

pub(super) struct Turns;

impl Oracle for Turns {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        if case.operations.is_empty() {
            return Verdict::Skip(SkipReason::OneConnection);
        }
        let is_stuck = observation.trace.turns.as_ref().is_some_and(|turns| turns.is_stuck);
        if is_stuck && case.faults.is_empty() {
            return Verdict::Fail(Finding {
                signature: Signature::new("turns", "deadlock", "-"),
                message: "each connection waits for another, although SQLite refuses a lock to one of two that wait for \
                          each other (https://sqlite.org/c3ref/busy_handler.html)"
                    .to_owned(),
            });
        }
        let checkpoints = observation.trace.statements.iter().filter_map(|statement| {
            let operation = case.operations.list().get(statement.place?.operation)?;
            match operation {
                Operation::Checkpoint { mode, .. } => Some((*mode, statement)),
                _ => None,
            }
        });
        let mut wrong = None;
        for (mode, statement) in checkpoints {
            ask.count_check(statement.code().0 == OK);
            wrong = wrong.or_else(|| wrong_answer(mode, statement));
        }
        match wrong.filter(|_| case.faults.is_empty()) {
            Some(message) => {
                Verdict::Fail(Finding { signature: Signature::new("turns", "checkpoint", "answer"), message })
            }
            None => Verdict::Pass,
        }
    }
}

const OK: i32 = 0;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;

/// What is wrong with the answer to a checkpoint (<https://sqlite.org/c3ref/wal_checkpoint_v2.html>).
fn wrong_answer(mode: CheckpointMode, statement: &StatementTrace) -> Option<String> {
    let [log, done] = statement.frames?;
    if log < 0 || done < 0 {
        // There is no WAL, or it failed.
        return None;
    }
    let primary = statement.code().primary();
    let wrong = match mode {
        _ if done > log => "more frames are in the database than are in the log",
        _ if primary == BUSY || primary == LOCKED => return None,
        CheckpointMode::Full | CheckpointMode::Restart if primary == OK && done < log => {
            "it succeeded without having all frames in the database"
        }
        CheckpointMode::Truncate if primary == OK && (log, done) != (0, 0) => {
            "it succeeded without having truncated the log"
        }
        _ => return None,
    };
    Some(format!("{mode:?}: {wrong}: {} of {}", done, log))
}
