//! A case does the same when run again: result codes, rows, VM steps and files.
//!
//! On request with `--oracles`: it doubles the work, and the comparison of builds finds most of the same problems. Always
//! applies; there are no excuses, because nothing that a run depends on changes between the two.

use super::{Environment, Finding, Oracle, Signature, Verdict};
use crate::engine::{Asked, Observation};
use crate::testcase::TestCase;

pub(super) struct Determinism;

impl Oracle for Determinism {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let second = match ask.run(case, Asked::VERDICTS) {
            Ok(second) => second,
            Err(reason) => return Verdict::Skip(reason),
        };
        ask.count_check(observation.trace.statements.is_empty());
        observation.trace.difference(&second.trace).map_or(Verdict::Pass, |message| {
            Verdict::Fail(Finding {
                signature: Signature::new("determinism", "trace", "second-run"),
                message,
            })
        })
    }
}
