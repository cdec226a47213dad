//! Nothing is written past a page, and after the connection is closed, SQLite holds no memory.
//!
//! SQLite may read some bytes past a page, so that AddressSanitizer cannot be told of a write there; the page cache sees it
//! when the page is given back. Always applies, as no damaged file is an excuse to write there.
//!
//! What is held is counted in our allocator, one layer below `sqlite3_memory_used()`, for the thread that runs the case.
//! Always applies; the only excuse is a bug that is known. A leak is named after the function that made the first allocation that is left, which
//! takes a second run to determine.

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Observation, RAW_CHANGESET};
use crate::known;
use crate::testcase::TestCase;

/// What makes the values of a changeset.
const VALUE: &str = "sqlite3ValueNew";

pub(super) struct Memory;

impl Oracle for Memory {
    fn check(&self, _case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        if let Some(site) = &observation.page_overrun {
            return Verdict::Fail(Finding {
                signature: Signature::new("memory", "page-overrun", site),
                message: format!(
                    "something was written past a page; {site} was running when the page was given back"
                ),
            });
        }
        let (bytes, allocations) = observation.leaked;
        if (bytes, allocations) == (0, 0) {
            return Verdict::Pass;
        }
        let site = ask.leak_site();
        let site = site.as_deref().unwrap_or("-");
        let mut statements = observation.trace.statements.iter();
        if site == VALUE && statements.any(|one| one.verb == RAW_CHANGESET) && !ask.meets_known_bugs() {
            return Verdict::Skip(SkipReason::Excused(known::CHANGESET_LEAK));
        }
        Verdict::Fail(Finding {
            signature: Signature::new("memory", "leak", site),
            message: format!(
                "{bytes} bytes in {allocations} allocations are still live after sqlite3_close(); {site} made the first"
            ),
        })
    }
}
