//! What a connection sees of its databases, as digests: the states between which a fault may leave a database.

use rusqlite::ffi;

use super::execution::query;
use super::ffi::Connection;
use crate::engine::{Code, DatabaseView, Value, View};
use crate::sql::{self, VirtualTable};
use twox_hash::XxHash3_64;

/// Ticks and bytes that reading all databases of a case may take.
const TICKS_MAX: u64 = 50_000;
const BYTES_MAX: u64 = 1 << 30;

/// What the connection sees now, an open transaction included, after so many statements of the script.
pub(super) fn view(connection: &Connection<'_>, statements: usize) -> View {
    let (databases, _) = connection.watch().apart(TICKS_MAX, BYTES_MAX, || databases(connection));
    View { statements, databases, is_autocommit: connection.is_autocommit() }
}

/// Reads from each database after something failed. A virtual table may still hold a page, and with it the pager in its error
/// state: the first reading of all fails, as the statement did, and ends that.
pub(super) fn settle(connection: &Connection<'_>) {
    for row in query(connection, "PRAGMA database_list").unwrap_or_default() {
        if let Some(Value::Text(schema)) = row.get(1) {
            let schema = sql::quoted(&String::from_utf8_lossy(schema), '"');
            first(connection, &format!("SELECT count(*) FROM {schema}.sqlite_master"));
        }
    }
}

fn databases(connection: &Connection<'_>) -> Vec<DatabaseView> {
    let rows = query(connection, "PRAGMA database_list").unwrap_or_default();
    let named = rows.into_iter().filter_map(|row| match <[Value; 3]>::try_from(row).ok()? {
        [_, Value::Text(schema), Value::Text(file)] if !file.is_empty() => {
            Some((String::from_utf8(schema).ok()?, String::from_utf8(file).ok()?))
        }
        _ => None,
    });
    let database = |(schema, file): (String, String)| {
        let schema = sql::quoted(&schema, '"');
        DatabaseView {
            digest: digest(connection, &schema),
            journal: first(connection, &format!("PRAGMA {schema}.journal_mode")),
            synchronous: first(connection, &format!("PRAGMA {schema}.synchronous")),
            file,
        }
    };
    named.map(database).collect()
}

/// The first value of a result as text; empty if there is none.
fn first(connection: &Connection<'_>, sql: &str) -> String {
    let rows = query(connection, sql).unwrap_or_default();
    match rows.into_iter().flatten().next() {
        Some(Value::Integer(number)) => number.to_string(),
        Some(value) => super::health::text(value),
        None => String::new(),
    }
}

/// A number that stands for schema and content of a database, whatever its pages look like; that of an error if the schema
/// cannot be read. Tables in which virtual tables keep their data are left out: the same content may be there in many ways.
pub(super) fn digest(connection: &Connection<'_>, schema: &str) -> Result<u64, Code> {
    let text = format!("SELECT type, name, tbl_name, ifnull(sql, '') FROM {schema}.sqlite_master");
    let Some(rows) = query(connection, &text) else {
        return Err(connection.error_code());
    };
    let mut rows: Vec<[String; 4]> = rows
        .into_iter()
        .filter_map(|row| Some(<[Value; 4]>::try_from(row).ok()?.map(super::health::text)))
        .collect();
    rows.sort();
    let virtual_tables: Vec<String> = rows
        .iter()
        .filter_map(|[_, name, _, sql]| {
            VirtualTable::of(sql.as_bytes()).map(|_| format!("{}_", name.to_ascii_lowercase()))
        })
        .collect();
    let is_shadow = |name: &str| {
        let name = name.to_ascii_lowercase();
        virtual_tables.iter().any(|table| name.starts_with(table.as_str()))
    };
    let mut bytes = Vec::new();
    for [kind, name, table, sql] in rows.iter().filter(|[_, _, table, _]| !is_shadow(table)) {
        for part in [kind, name, table, sql] {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        if kind == "table" {
            match rows_digest(connection, schema, name) {
                Ok(digest) => bytes.extend_from_slice(&digest.to_le_bytes()),
                Err(code) if code.tells_of_damage() || code.primary() == ffi::SQLITE_INTERRUPT => {
                    return Err(code);
                }
                // A virtual table without its module.
                Err(_) => bytes.push(1),
            }
        }
    }
    for pragma in ["user_version", "application_id"] {
        bytes.extend_from_slice(first(connection, &format!("PRAGMA {schema}.{pragma}")).as_bytes());
        bytes.push(0);
    }
    Ok(XxHash3_64::oneshot(&bytes))
}

/// A number that stands for the rows of a table, in any order, with their rowids if it has any.
fn rows_digest(connection: &Connection<'_>, schema: &str, table: &str) -> Result<u64, Code> {
    let table = format!("{schema}.{}", sql::quoted(table, '"'));
    let (_, with_rowid, _) = connection.prepare(format!("SELECT rowid, * FROM {table}").as_bytes());
    let (code, statement) = match with_rowid {
        Some(statement) => (Code::OK, Some(statement)),
        None => {
            let (code, statement, _) = connection.prepare(format!("SELECT * FROM {table}").as_bytes());
            (code, statement)
        }
    };
    let mut statement = statement.ok_or(code)?;
    let (mut sum, mut bytes) = (0_u64, Vec::new());
    loop {
        match statement.step() {
            Code::ROW => {
                bytes.clear();
                (0..statement.columns()).for_each(|column| statement.column(column).write(&mut bytes));
                sum = sum.wrapping_add(XxHash3_64::oneshot(&bytes) | 1);
            }
            Code::DONE => return Ok(sum),
            code => return Err(code),
        }
    }
}
