//! What the session extension records of a statement undoes it and repeats it (<https://sqlite.org/sessionintro.html>).
//!
//! Each statement that changes rows first runs on trial, within a savepoint. Its changes, inverted and applied, must
//! bring back the rows that were there before; applied again, and as a patchset to the rows before, those afterwards.
//! It is a conflict that the extension reports if a row is not there that it has itself seen, or is another one. An
//! agreement is telling if the changes were to rows.
//!
//! Only what the extension documents to record is compared: tables with a primary key, and of those the rows in which no
//! part of it is NULL. Nothing is said where applying does more than the changes say (triggers, enforced foreign keys,
//! virtual tables), where two different keys are equal to a collation, and of constraints that hold in one order of
//! changes but not in another.

use rusqlite::ffi;

use super::query;
use super::rows::exact_difference;
use super::{After, Change, Check, Said, Statementwise};
use crate::engine::sqlite::{NoAnswer, Row, Session};
use crate::engine::{Code, Value};
use crate::sql::tree::Kind;
use crate::sql::{self, VirtualTable};

pub(crate) const SESSION: Statementwise = Statementwise { name: "session", check: Check::Changes(check) };

/// What a statement on trial changes for those that follow, although it is rolled back.
const COUNTERS: [&[u8]; 3] = [b"changes", b"total_changes", b"last_insert_rowid"];
/// What prevents that changes can be compared: a query that then returns a row, and the reason.
const GATES: [(&str, &str); 3] = [
    ("SELECT 1 FROM pragma_encoding WHERE encoding <> 'UTF-8'", "text in UTF-16"),
    ("SELECT 1 FROM pragma_foreign_keys WHERE foreign_keys", "foreign keys are enforced"),
    (
        "SELECT 1 FROM (SELECT type FROM main.sqlite_master UNION ALL SELECT type FROM temp.sqlite_master)
         WHERE type = 'trigger' LIMIT 1",
        "triggers",
    ),
];
/// Tables that are recorded, and the columns of their primary keys.
const TABLES: &str = "SELECT t.name, c.name FROM main.sqlite_master AS t, pragma_table_xinfo(t.name, 'main') AS c
    WHERE t.type = 'table' AND t.name NOT GLOB 'sqlite_*' AND c.pk > 0
      AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(t.name, 'main') WHERE hidden <> 0)
      AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS k
                      WHERE i.origin = 'pk' AND k.key AND k.coll <> 'BINARY')
    ORDER BY t.name";

fn check<'q>(change: &'q Change<'_>, db: &mut Session<'_, '_>) -> Result<After<'q>, &'static str> {
    let tree = change.tree.ok_or("a statement that is not understood")?;
    if !matches!(tree.kind, Kind::Insert | Kind::Update | Kind::Delete) || change.code != Code::DONE {
        return Err("a statement of another kind, or one that fails");
    }
    if reads_counters(db) {
        return Err("counters of changes");
    }
    for (query, reason) in GATES {
        if db.rows(query).map_err(query::why)?.len() == 1 {
            return Err(reason);
        }
    }
    for row in db.rows("SELECT sql FROM main.sqlite_master WHERE sql IS NOT NULL").map_err(query::why)? {
        let [Value::Text(definition)] = &row[..] else {
            return Err("a schema that cannot be read");
        };
        if VirtualTable::of(definition).is_some() {
            return Err("virtual tables");
        }
        // Applying meets conflicts in another order than the statement did.
        if sql::words(definition).any(|word| word.eq_ignore_ascii_case(b"CONFLICT")) {
            return Err("conflicts that tables resolve");
        }
    }
    let tables = tables(db)?;
    db.rows("SAVEPOINT tandem_session").map_err(query::why)?;
    let said = on_trial(change.text, &tables, db);
    db.rows("ROLLBACK TO tandem_session").map_err(query::why)?;
    db.rows("RELEASE tandem_session").map_err(query::why)?;
    Ok(Box::new(move |_, _| said.unwrap_or_else(|said| said)))
}

/// True if the script may read what changes that are rolled back leave behind.
pub(super) fn reads_counters(db: &Session<'_, '_>) -> bool {
    sql::words(db.script()).any(|word| COUNTERS.iter().any(|counter| word.eq_ignore_ascii_case(counter)))
}

/// A query for each table that is recorded.
fn tables(db: &mut Session<'_, '_>) -> Result<Vec<String>, &'static str> {
    let rows = db.rows(TABLES).map_err(query::why)?;
    let mut tables: Vec<(&[u8], String)> = Vec::new();
    for row in &rows {
        let [Value::Text(table), Value::Text(column)] = &row[..] else {
            return Err("tables that cannot be listed");
        };
        let quoted = |name| sql::quoted(std::str::from_utf8(name).unwrap_or_default(), '"');
        let has_key = format!("{} IS NOT NULL", quoted(column));
        match tables.last_mut() {
            Some((last, query)) if last == table => *query += &format!(" AND {has_key}"),
            _ => {
                let query = format!("SELECT * FROM main.{} NOT INDEXED WHERE {has_key}", quoted(table));
                tables.push((table, query));
            }
        }
    }
    if tables.is_empty() {
        return Err("without a table that is recorded");
    }
    Ok(tables.into_iter().map(|(_, query)| query).collect())
}

/// The rows of all tables; the comment says when, for planted bugs.
fn read(tables: &[String], when: &str, db: &mut Session<'_, '_>) -> Result<Vec<Vec<Row>>, Said> {
    let read = |query: &String| db.rows(&format!("{query} /* {when} */"));
    tables.iter().map(read).collect::<Result<_, NoAnswer>>().map_err(|none| Said::Nothing(query::why(none)))
}

fn on_trial(text: &str, tables: &[String], db: &mut Session<'_, '_>) -> Result<Said, Said> {
    let before = read(tables, "before", db)?;
    let recorded = db.recorded(text).map_err(|none| Said::Nothing(query::why(none)))?;
    let after = read(tables, "after", db)?;
    apply("undone", &recorded.inverse, tables, &before, db)?;
    apply("repeated", &recorded.changeset, tables, &after, db)?;
    db.rows("ROLLBACK TO tandem_session").map_err(|none| Said::Nothing(query::why(none)))?;
    apply("patched", &recorded.patchset, tables, &after, db)?;
    Ok(Said::Agrees { is_telling: !recorded.changeset.is_empty() })
}

/// Applies changes and compares what is there then.
fn apply(
    name: &str,
    changes: &[u8],
    tables: &[String],
    expected: &[Vec<Row>],
    db: &mut Session<'_, '_>,
) -> Result<(), Said> {
    match db.apply(changes) {
        Ok(()) => {}
        Err((_, Some(ffi::SQLITE_CHANGESET_DATA | ffi::SQLITE_CHANGESET_NOTFOUND))) => {
            let message = format!("{name}: a row that was changed is not there, or is another");
            return Err(Said::Differs("conflict".to_owned(), message));
        }
        Err((_, Some(_))) => return Err(Said::Nothing("constraints, in another order of changes")),
        Err((none, None)) => return Err(Said::Nothing(query::why(none))),
    }
    let rows = read(tables, name, db)?;
    for ((query, rows), expected) in tables.iter().zip(&rows).zip(expected) {
        if let Some(difference) = exact_difference(expected, rows) {
            return Err(Said::Differs(name.to_owned(), format!("{name}: `{query}`: {difference}")));
        }
    }
    Ok(())
}
