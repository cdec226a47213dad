//! A database as SQL that makes it again.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tandem::engine::sqlite;
use tandem::sql::{VirtualTable, quoted};

/// Objects with SQL text; those of which others are made come first.
const OBJECTS: &str = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' \
                       ESCAPE '\\' ORDER BY type <> 'table', type = 'trigger', rowid";

/// The script. Rowids are kept where a table has them; what a virtual table keeps in tables of its own is made by its
/// rows.
///
/// # Errors
/// If the database cannot be read.
pub(crate) fn script(path: &Path) -> Result<String> {
    // Not while cases run in this process.
    let _shared = sqlite::shared();
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let objects: Vec<[String; 3]> = db
        .prepare(OBJECTS)?
        .query_map([], |row| Ok([text(row.get_ref(0)?), text(row.get_ref(1)?), text(row.get_ref(2)?)]))?
        .collect::<rusqlite::Result<_>>()
        .context("reading its schema")?;
    let virtuals: Vec<&str> = objects
        .iter()
        .filter(|[.., sql]| VirtualTable::of(sql.as_bytes()).is_some())
        .map(|[_, name, _]| name.as_str())
        .collect();
    let is_shadow = |name: &str| {
        virtuals.iter().any(|owner| name.strip_prefix(owner).is_some_and(|rest| rest.starts_with('_')))
    };
    let mut out = String::from("PRAGMA foreign_keys=0;\nBEGIN;\n");
    for [kind, name, sql] in objects.iter().filter(|[_, name, _]| !is_shadow(name)) {
        writeln!(out, "{sql};")?;
        if kind == "table" {
            rows(&db, name, &mut out).with_context(|| format!("reading the table {name}"))?;
        }
    }
    out.push_str("COMMIT;\n");
    Ok(out)
}

/// The statements that insert the rows of a table.
fn rows(db: &Connection, name: &str, out: &mut String) -> Result<()> {
    let quoted_name = quoted(name, '"');
    let columns: Vec<String> = db
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?
        .query_map([name], |row| Ok(text(row.get_ref(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut list: Vec<String> = columns.iter().map(|column| quoted(column, '"')).collect();
    let has_own = columns.iter().any(|column| column.eq_ignore_ascii_case("rowid"));
    if !has_own && db.prepare(&format!("SELECT rowid FROM {quoted_name}")).is_ok() {
        list.insert(0, "rowid".to_owned());
    }
    let list = list.join(", ");
    let mut statement = db.prepare(&format!("SELECT {list} FROM {quoted_name}"))?;
    let count = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..count).map(|at| Ok(literal(row.get_ref(at)?))).collect::<Result<Vec<String>>>()?;
        writeln!(out, "INSERT INTO {quoted_name}({list}) VALUES({});", values.join(", "))?;
    }
    Ok(())
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// A value as SQLite reads it back, type and all.
fn literal(value: ValueRef<'_>) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if number.is_infinite() => {
            if number > 0.0 { "9e999" } else { "-9e999" }.to_owned()
        }
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => quoted(text, '\''),
            _ => format!("CAST(x'{}' AS TEXT)", hex(bytes)),
        },
        ValueRef::Blob(bytes) => format!("x'{}'", hex(bytes)),
    }
}
