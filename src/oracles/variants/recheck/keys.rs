//! Foreign keys that were enforced all the time are not violated (<https://sqlite.org/foreignkeys.html>).
//!
//! Nothing is said where SQLite leaves violations by design: without its tables (`DROP`, `ALTER`), and where a trigger or
//! a conflict clause keeps an action of a foreign key from happening.

use super::script;
use crate::engine::sqlite::{Row, Session};
use crate::engine::{Observation, Value};
use crate::sql;
use crate::testcase::TestCase;

/// Words of statements and triggers after which a violation is by design.
const EXCEPTIONS: [&str; 6] = ["drop", "alter", "ignore", "before", "raise", "fail"];
/// Statements that change no rows, or only the schema, or show what is set.
const KEEPING: [&str; 12] = [
    "SELECT",
    "VALUES",
    "PRAGMA",
    "BEGIN",
    "SAVEPOINT",
    "CREATE",
    "EXPLAIN",
    "ATTACH",
    "DETACH",
    "ANALYZE",
    "REINDEX",
    "VACUUM",
];
const CHECK: &str = "PRAGMA main.foreign_key_check";
const ANY: &str = "SELECT 1 FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS k WHERE m.type = 'table' LIMIT 1";

/// Whether nothing in the script or the schema keeps foreign keys from being enforced.
pub(super) fn may_be_enforced(case: &TestCase, observation: &Observation) -> bool {
    script::mentions(case, observation, &["references"]) && !script::mentions(case, observation, &EXCEPTIONS)
}

/// Foreign keys that hold, and are enforced.
pub(super) struct Keys(());

impl Keys {
    /// If they hold at the start.
    pub(super) fn begin(is_empty: bool, db: &mut Session<'_, '_>) -> Option<Self> {
        (is_empty || db.rows(CHECK).is_ok_and(|rows| rows.is_empty())).then_some(Self(()))
    }

    /// Whether a statement that comes next does not change rows, or they are enforced now.
    pub(super) fn are_kept_by(text: &[u8], db: &mut Session<'_, '_>) -> bool {
        let verb = sql::words(text).next().unwrap_or_default().to_ascii_uppercase();
        let is_one_of_several = || sql::words(text).any(|word| word.eq_ignore_ascii_case(b"foreign_keys"));
        if KEEPING.iter().any(|keeping| keeping.as_bytes() == verb) {
            return verb == b"PRAGMA" || !is_one_of_several();
        }
        verb.is_empty() || is_on(&db.rows("PRAGMA foreign_keys").unwrap_or_default()) && !is_one_of_several()
    }

    /// The violations; otherwise whether there are no foreign keys that could be violated.
    pub(super) fn violated(&self, db: &mut Session<'_, '_>) -> Option<Result<bool, String>> {
        // Without an index of the parent, it fails.
        let violations = db.rows(CHECK).ok()?;
        let is_trivial = db.rows(ANY).ok()?.is_empty();
        Some(match violations.first() {
            Some(first) => Err(format!("enforced foreign keys are violated: {first:?}")),
            None => Ok(is_trivial),
        })
    }
}

fn is_on(rows: &[Row]) -> bool {
    rows == [vec![Value::Integer(1)]]
}
