//! A database as SQL that recreates it; of a damaged one, whatever can be read.

use std::fmt::Write as _;

use crate::dbfile::record::{self, Value};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{Geometry, describe, header, rows};
use crate::sql;

/// Maximum number of rows per table.
const ROWS_MAX: usize = 200;
/// Maximum total size in bytes.
const BYTES_MAX: usize = 400_000;

/// The script; `None` if there is nothing to write. Indexes, views and triggers come after the rows.
pub(super) fn script(image: &[u8], has_rows: bool) -> Option<Vec<u8>> {
    let all = schema::rows(image);
    let mut out = settings(image);
    for row in
        all.iter().filter(|row| row.is_table() && !row.sql.is_empty() && !is_made_by_another(row, &all))
    {
        statement(&mut out, &row.sql);
        if has_rows {
            table(&mut out, image, row, &all);
        }
    }
    for row in all.iter().filter(|row| !row.is_table() && !row.sql.is_empty()) {
        statement(&mut out, &row.sql);
    }
    (!all.is_empty() && out.len() <= BYTES_MAX).then(|| out.into_bytes())
}

fn statement(out: &mut String, sql: &str) {
    out.push_str(sql);
    out.push_str(";\n");
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String does not fail");
}

/// The settings in the header that a script can express too.
fn settings(image: &[u8]) -> String {
    let mut out = String::new();
    match header::ENCODING.get(image) {
        2 => out.push_str("PRAGMA encoding='UTF-16le';\n"),
        3 => out.push_str("PRAGMA encoding='UTF-16be';\n"),
        _ => {}
    }
    if let Some(bytes) = header::page_size(image).filter(|&bytes| bytes != 4096) {
        put(&mut out, format_args!("PRAGMA page_size={bytes};\n"));
    }
    if header::LARGEST_ROOT.get(image) != 0 {
        let mode = if header::INCREMENTAL_VACUUM.get(image) != 0 { "INCREMENTAL" } else { "FULL" };
        put(&mut out, format_args!("PRAGMA auto_vacuum={mode};\n"));
    }
    out
}

/// Whether SQLite creates the table on behalf of another: `sqlite_sequence` and the like, shadow tables of virtual ones.
fn is_made_by_another(row: &SchemaRow, all: &[SchemaRow]) -> bool {
    let owner = |other: &&SchemaRow| {
        other.is_virtual() && row.name.strip_prefix(&other.name).is_some_and(|rest| rest.starts_with('_'))
    };
    row.name.starts_with("sqlite_") || all.iter().any(|other| owner(&other))
}

/// The rows of a table. Those of a full-text table are in another table, after their id.
fn table(out: &mut String, image: &[u8], row: &SchemaRow, all: &[SchemaRow]) {
    let geometry = Geometry::of(image);
    let content = format!("{}_content", row.name);
    let source = if row.is_virtual() { all.iter().find(|other| other.name == content) } else { Some(row) };
    let Some(root) = source.and_then(|source| source.root_page(&geometry)) else {
        return;
    };
    let skipped = usize::from(row.is_virtual());
    let encoding = header::ENCODING.get(image);
    for found in rows::in_order(image, &geometry, root, ROWS_MAX) {
        let values = record::values(&found.read(image, &geometry));
        if values.len() <= skipped || out.len() > BYTES_MAX {
            continue;
        }
        let literals: Vec<String> = values[skipped..].iter().map(|value| literal(value, encoding)).collect();
        put(out, format_args!("INSERT INTO {} VALUES({});\n", sql::readable(&row.name), literals.join(",")));
    }
}

/// A value as an SQL literal.
fn literal(value: &Value, encoding: u32) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) if number.is_nan() => "NULL".to_owned(),
        Value::Real(number) if number.is_infinite() => {
            if *number > 0.0 { "9e999" } else { "-9e999" }.to_owned()
        }
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => match schema::decode(text, encoding) {
            // A script ends at a NUL.
            text if text.contains('\0') => format!("CAST(x'{}' AS TEXT)", describe::hex(text.as_bytes())),
            text => sql::quoted(&text, '\''),
        },
        Value::Blob(bytes) => format!("x'{}'", describe::hex(bytes)),
    }
}
