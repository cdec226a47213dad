//! What a connection sees after a case has run: schema and tables, for comparison with another engine.

use super::execution::query;
use super::ffi::Connection;
use super::health;
use crate::engine::Value;
use crate::engine::transcript::{EndState, RowsDigest, TableDigest};
use crate::sql;

/// VM steps and bytes that reading the schema and all tables may take: generous, because it is not part of the case.
const READ_VM_STEPS: u64 = 2_000_000;
const READ_BYTES: u64 = 1 << 30;

const SCHEMA: &str = "SELECT type, name, tbl_name, ifnull(sql, '') FROM main.sqlite_master";

/// What the connection sees, including an open transaction.
///
/// `integrity` is the result of [`health::integrity`], which lifts the case's limits; reading the tables requires that.
pub(super) fn state(connection: &Connection<'_>, integrity: Option<Vec<String>>) -> Option<EndState> {
    connection.watch().set_budget(READ_VM_STEPS, READ_BYTES);
    let mut schema: Vec<[String; 4]> = query(connection, SCHEMA)?
        .into_iter()
        .filter_map(|row| Some(<[Value; 4]>::try_from(row).ok()?.map(health::text)))
        .collect();
    schema.sort();
    let names = schema.iter().filter(|[kind, ..]| kind == "table").map(|[_, name, ..]| name);
    let mut tables: Vec<TableDigest> = names.filter_map(|name| table(connection, name)).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Some(EndState { schema, tables, integrity })
}

/// The content of a table, if it can be read.
fn table(connection: &Connection<'_>, name: &str) -> Option<TableDigest> {
    let quoted = format!("main.{}", sql::quoted(name, '"'));
    if let Some(rows) = query(connection, &format!("SELECT rowid, * FROM {quoted}")) {
        let (mut digest, mut with_rowid) = (RowsDigest::default(), RowsDigest::default());
        for row in &rows {
            with_rowid.add(row);
            digest.add(&row[1..]);
        }
        return Some(TableDigest { name: name.to_owned(), rows: digest, with_rowid: Some(with_rowid) });
    }
    let rows = query(connection, &format!("SELECT * FROM {quoted}"))?;
    let mut digest = RowsDigest::default();
    rows.iter().for_each(|row| digest.add(row));
    Some(TableDigest { name: name.to_owned(), rows: digest, with_rowid: None })
}
