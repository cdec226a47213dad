//! Nothing that a case shows comes from memory that was never written: result codes, rows, VM steps and files are the
//! same with other bytes there.
//!
//! A replay fills fresh memory with the same byte each time ([`crate::faults::fresh`]), so that [`super::determinism`]
//! sees nothing of it. On request with `--twice`, as that is. Always applies; there are no excuses: SQLite clears each page
//! that it adds to a file or takes from the freelist, so that even the unused space of its pages was written.

use super::{Environment, Finding, Oracle, Signature, Verdict};
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(super) struct Uninitialized;

impl Oracle for Uninitialized {
    fn check(&self, _case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let other = match ask.run_with_other_fresh_memory() {
            Ok(other) => other,
            Err(reason) => return Verdict::Skip(reason),
        };
        observation.trace.difference(&other.trace).map_or(Verdict::Pass, |message| {
            Verdict::Fail(Finding {
                signature: Signature::new("uninitialized", "trace", "other-bytes"),
                message,
            })
        })
    }
}
