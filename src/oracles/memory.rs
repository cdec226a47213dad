//! After the connection is closed, SQLite holds no memory.
//!
//! Counted in our allocator, one layer below `sqlite3_memory_used()`, for the thread that runs the case. Always
//! applies; there are no excuses. A leak is named after the function that made the first allocation that is left, which
//! takes a second run to determine.

use super::{Environment, Finding, Oracle, Signature, Verdict};
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(super) struct Memory;

impl Oracle for Memory {
    fn check(&self, _case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let (bytes, allocations) = observation.leaked;
        if (bytes, allocations) == (0, 0) {
            return Verdict::Pass;
        }
        let site = ask.leak_site();
        let site = site.as_deref().unwrap_or("-");
        Verdict::Fail(Finding {
            signature: Signature::new("memory", "leak", site),
            message: format!(
                "{bytes} bytes in {allocations} allocations are still live after sqlite3_close(); {site} made the first"
            ),
        })
    }
}
