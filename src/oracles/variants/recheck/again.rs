//! What must be the same on a new connection, and what must still be possible on the old one.

use std::ops::Range;

use super::is_elsewhere;
use crate::engine::sqlite::{NoAnswer, Row, Session};
use crate::engine::{Code, StatementTrace, Value};
use crate::sql;

/// Tables and views that are read at most.
const TABLES_MAX: usize = 40;

const QUERYING: [&str; 3] = ["SELECT", "VALUES", "WITH"];
/// Statements after which the schema, and what it means, is what it was before.
const KEEPING: [&str; 14] = [
    "SELECT",
    "VALUES",
    "WITH",
    "INSERT",
    "REPLACE",
    "UPDATE",
    "DELETE",
    "ANALYZE",
    "REINDEX",
    "BEGIN",
    "COMMIT",
    "END",
    "SAVEPOINT",
    "RELEASE",
];

/// Where the queries of a script are that were answered since the schema last changed.
pub(super) fn queries(statements: &[StatementTrace]) -> Vec<Range<usize>> {
    // A statement that fails may take back what a whole transaction did.
    let keeps =
        |statement: &StatementTrace| KEEPING.contains(&statement.verb) && statement.code().is_success();
    let since = statements.iter().rposition(|statement| !keeps(statement)).map_or(0, |at| at + 1);
    let is_answered = |statement: &&StatementTrace| {
        QUERYING.contains(&statement.verb) && statement.is_read_only && statement.code().is_success()
    };
    let mut queries: Vec<Range<usize>> =
        statements[since..].iter().filter(is_answered).map(|statement| statement.sql.clone()).collect();
    queries.truncate(TABLES_MAX);
    queries
}

/// What SQLite says of a query that it cannot plan, or in which it does not know a name.
const REFUSALS: [&str; 4] =
    ["no query solution", "no such table", "no such column", "malformed database schema"];

/// Whether it is a bug that a query, which was answered before, is refused with this. Functions of constants may run,
/// and fail, when a query is prepared after `ANALYZE`.
pub(super) fn is_telling(code: Code, message: &str) -> bool {
    code.tells_of_damage() || REFUSALS.iter().any(|known| message.starts_with(known))
}

/// Queries for all that is known of the schema, which have the same answer on each connection.
const SCHEMA: [(&str, &str); 3] = [
    ("schema", "SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema ORDER BY rowid"),
    (
        "columns",
        "SELECT m.name, x.cid, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden \
         FROM main.sqlite_schema AS m, pragma_table_xinfo(m.name, 'main') AS x WHERE m.type = 'table' ORDER BY 1, 2",
    ),
    (
        "indexes",
        "SELECT m.name, l.name, l.\"unique\", l.origin, l.partial, x.seqno, x.cid, x.name, x.\"desc\", x.coll, x.key \
         FROM main.sqlite_schema AS m, pragma_index_list(m.name, 'main') AS l, \
         pragma_index_xinfo(l.name, 'main') AS x WHERE m.type = 'table' ORDER BY 1, 2, 6",
    ),
];

/// What a connection sees.
pub(super) struct Seen {
    schema: Vec<Result<Vec<Row>, NoAnswer>>,
    /// `SELECT * FROM` tables and views that can be prepared, and the rows of tables.
    readable: Vec<(String, Option<Vec<Row>>)>,
}

impl Seen {
    /// What this one sees; `None` without a schema.
    pub(super) fn of(db: &mut Session<'_, '_>) -> Option<Self> {
        let tables =
            "SELECT name, rootpage > 0 FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY 1";
        let tables = db.rows(tables).ok()?;
        let mut readable = Vec::new();
        for table in tables.iter().take(TABLES_MAX) {
            let [Value::Text(name), is_stored] = &table[..] else {
                continue;
            };
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let text = format!("SELECT * FROM main.{}", sql::quoted(name, '"'));
            if db.refusal(text.as_bytes()).is_none() {
                let rows = (*is_stored == Value::Integer(1)).then(|| db.rows(&text).ok()).flatten();
                readable.push((text, rows));
            }
        }
        Some(Self { schema: SCHEMA.iter().map(|(_, text)| db.rows(text)).collect(), readable })
    }

    /// How what another connection sees differs; otherwise whether there was nothing to see.
    pub(super) fn difference(&self, db: &mut Session<'_, '_>) -> Option<Result<bool, String>> {
        for ((what, text), before) in SCHEMA.iter().zip(&self.schema) {
            let Ok(before) = before else {
                continue;
            };
            match db.rows(text) {
                Ok(after) if after == *before => {}
                Ok(after) => {
                    let pairs = before.iter().zip(&after);
                    let differs = pairs.clone().find(|(before, after)| before != after);
                    let (counts, length) = ((before.len(), after.len()), pairs.len());
                    return Some(Err(format!(
                        "other {what}: {differs:?}, or after {length} of {counts:?} rows"
                    )));
                }
                Err(NoAnswer::Error(code)) if !is_elsewhere(code) => {
                    return Some(Err(format!("the {what} cannot be read: {code}")));
                }
                Err(_) => return None,
            }
        }
        for (text, before) in &self.readable {
            if let Some((code, message)) = db.refusal(text.as_bytes()) {
                let message = format!("`{text}` is refused: {code}, {message}");
                return (!is_elsewhere(code)).then_some(Err(message));
            }
            let Some(before) = before else {
                continue;
            };
            let after = db.rows(text);
            if after.as_ref().is_ok_and(|after| !is_same_multiset(before, after)) {
                return Some(Err(format!("`{text}` has other rows")));
            }
        }
        Some(Ok(self.readable.is_empty()))
    }
}

/// The planner may read a table by another index.
fn is_same_multiset(before: &[Row], after: &[Row]) -> bool {
    let sorted = |rows: &[Row]| {
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    before == after || sorted(before) == sorted(after)
}
