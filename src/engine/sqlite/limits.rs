//! Which limit made SQLite abandon a statement.

use rusqlite::ffi;

use super::executor::Budget;
use super::ffi::{Connection, process};
use crate::engine::{Code, Limit, StatementTrace, Taint};
use crate::faults::alloc;
use crate::testcase::{Setting, TestCase};

/// The limit that made SQLite abandon a statement, if it is one of the budget's and not one that the case sets itself.
/// `refused_before` is [`alloc::Counts::refused`] before the statement.
pub(super) fn met(
    connection: &Connection<'_>,
    case: &TestCase,
    budget: &Budget,
    trace: &StatementTrace,
    refused_before: u64,
) -> Option<Limit> {
    let is_unset = |setting| case.config.get(setting) == 0;
    let small = |setting| (budget.has_small_limits && is_unset(setting)).then_some(Limit::Sqlite);
    match trace.code().0 {
        // If preparing finds something too long, it is the statement itself.
        ffi::SQLITE_TOOBIG if trace.prepare != Code::OK => small(Setting::LimitSqlLength),
        ffi::SQLITE_TOOBIG if is_unset(Setting::LimitLength) => Some(Limit::LengthBytes),
        ffi::SQLITE_NOMEM | ffi::SQLITE_IOERR_NOMEM => {
            let sets_heap_limit = connection.watch().taint.get().contains(Taint::HEAP_LIMIT);
            if alloc::counts().refused > refused_before {
                Some(Limit::Memory)
            } else if process::has_met_heap_limit(budget.heap_bytes as i64) {
                Some(Limit::HeapBytes)
            } else {
                // SQLite reports a program that is too long as out of memory.
                small(Setting::LimitVdbeOp).filter(|_| !sets_heap_limit)
            }
        }
        ffi::SQLITE_ERROR => {
            // Only the message distinguishes them; no verdict depends on it.
            let message = connection.error_message();
            if message.starts_with("Expression tree is too large") {
                small(Setting::LimitExprDepth)
            } else if message == "LIKE or GLOB pattern too complex" {
                small(Setting::LimitLikePatternLength)
            } else {
                None
            }
        }
        _ => None,
    }
}
