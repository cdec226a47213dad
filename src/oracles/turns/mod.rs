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
use crate::engine::{Observation, StatementTrace};
use crate::testcase::{CheckpointMode, Operation, TestCase};

/// Why the runs of several connections are not judged, if there are none.
fn alone(case: &TestCase, observation: &Observation) -> Option<SkipReason> {
    let mut places = observation.trace.statements.iter().filter_map(|statement| statement.place);
    let first = places.next().map(|place| place.connection);
    let is_alone = places.all(|place| Some(place.connection) == first);
    (case.operations.is_empty() || is_alone).then_some(SkipReason::OneConnection)
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
