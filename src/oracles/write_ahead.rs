//! Whether SQLite makes durable what it must before it changes a database: see [`crate::faults::order`].
//!
//! # Excuses
//! * A database that was not sound at the start: its freelist, its journal or its WAL may say anything.
//! * `synchronous=OFF`, `journal_mode=OFF` and `MEMORY` from the first moment on; a build that has them by default is not
//!   told apart, and its users exclude this oracle.
//! * A database that comes with a journal and with a WAL.
//! * A connection without locks, or one that takes the file for immutable.
//! * A write to `sqlite_dbpage`: what lies behind the end that the header tells of needs no original.
//! * A disk that lies, and power that is cut by an operation of the case: files are replaced under the check.

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Observation, Taint};
use crate::testcase::{MAIN_DB, Operation, TestCase};

/// What nothing can be said after.
const EXCUSES: [Taint; 6] = [
    Taint::SYNC_OFF,
    Taint::JOURNAL_OFF,
    Taint::MEMORY_JOURNAL,
    Taint::LYING_DISK,
    Taint::DBPAGE,
    Taint::UNLOCKED,
];

pub(super) struct WriteAhead;

impl Oracle for WriteAhead {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        if observation.trace.statements.iter().all(|statement| statement.is_read_only) {
            return Verdict::Skip(SkipReason::NothingWritten);
        }
        let Some(violation) = &observation.order_violation else {
            return Verdict::Pass;
        };
        if !(ask.is_healthy_at_start() && ask.are_others_healthy_at_start()) {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
        let excuse = EXCUSES.into_iter().find(|&taint| observation.taint.contains(taint));
        if let Some((_, name)) = excuse.and_then(|taint| taint.members().next())
            && !ask.trusts_settings()
        {
            return Verdict::Skip(SkipReason::Tainted(name));
        }
        // What is in one of them is about another database than what is in the other.
        let has_both = |name: &str| matches!(case.files.database(name), [_, Some(_), Some(_)]);
        let names = observation.attached.iter().map(String::as_str).chain([MAIN_DB]);
        if names.into_iter().any(has_both) {
            return Verdict::Skip(SkipReason::Excused("a journal and a WAL"));
        }
        if case.operations.list().iter().any(|operation| matches!(operation, Operation::PowerCut)) {
            return Verdict::Skip(SkipReason::Tainted("power-cut"));
        }
        let (kind, detail) = if violation.contains("wal-index") {
            ("wal-index", "overtaken")
        } else if violation.contains("WAL") {
            ("checkpoint", "before-sync")
        } else {
            ("journal", "before-sync")
        };
        Verdict::Fail(Finding {
            signature: Signature::new("write_ahead", kind, detail),
            message: violation.clone(),
        })
    }
}
