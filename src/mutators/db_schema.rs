//! Rows of `sqlite_schema`: their SQL with the token mutators, their other columns.

use super::db_header::{edit_main, has_main};
use super::db_pages::page_number;
use super::sql_tokens;
use super::{Context, Mutator, Outcome};
use crate::dbfile::page::{self, BtreePage};
use crate::dbfile::record::{self, Value};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{Geometry, cell, header, tree};
use crate::testcase::TestCase;

/// Columns of `sqlite_schema`.
const TYPE: usize = 0;
const NAME: usize = 1;
const TABLE: usize = 2;
const ROOT: usize = 3;
const SQL: usize = 4;

/// The SQL text of a schema row changes while its b-tree stays.
pub(super) struct SchemaSql;

impl Mutator for SchemaSql {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        edit_main(case, context, edit_sql)
    }
}

/// Type, name, table or root page of a schema row.
pub(super) struct SchemaField;

impl Mutator for SchemaField {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        edit_main(case, context, edit_field)
    }
}

pub(super) fn edit_sql(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let rows = schema::rows(image);
    let with_sql: Vec<&SchemaRow> = rows.iter().filter(|row| !row.sql.is_empty()).collect();
    let Some(row) = context.pick(&with_sql) else {
        return Outcome::Skipped;
    };
    let mut text = TestCase::from_sql(row.sql.as_bytes());
    let edits: [&dyn Mutator; 6] = [
        &sql_tokens::Replace,
        &sql_tokens::Replace,
        &sql_tokens::InsertClause,
        &sql_tokens::WrapExpression,
        &sql_tokens::Delete,
        &sql_tokens::ExchangeGroups,
    ];
    let edit = edits[context.rng.usize(0..edits.len())];
    if edit.mutate(&mut text, context) == Outcome::Skipped {
        return Outcome::Skipped;
    }
    let encoding = header::ENCODING.get(image);
    let sql = schema::encode(&String::from_utf8_lossy(text.sql.as_bytes()), encoding);
    rewrite(image, row, |values| values[SQL] = Value::Text(sql))
}

pub(super) fn edit_field(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let rows = schema::rows(image);
    let (Some(row), Some(other)) = (context.pick(&rows), context.pick(&rows)) else {
        return Outcome::Skipped;
    };
    let encoding = header::ENCODING.get(image);
    let text = |text: &str| Value::Text(schema::encode(text, encoding));
    let kinds = ["table", "index", "view", "trigger"];
    let (column, value) = match context.rng.u8(0..8) {
        0 => (TYPE, text(kinds[context.rng.usize(0..kinds.len())])),
        1 => (NAME, text(&other.name)),
        2 => (TABLE, text(&other.name)),
        3 => (SQL, text(&other.sql)),
        4 => (SQL, Value::Null),
        5 => (ROOT, Value::Integer(other.root)),
        6 => (NAME, text(if context.chance(50) { "sqlite_stat1" } else { "sqlite_sequence" })),
        _ => (ROOT, Value::Integer(i64::from(page_number(geometry.pages, context)))),
    };
    rewrite(image, row, |values| values[column] = value)
}

/// Changes the values of a schema row and builds its page anew. Skips where the row has overflow pages
/// or the page has no room.
fn rewrite(image: &mut [u8], row: &SchemaRow, edit: impl FnOnce(&mut [Value])) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(page) = BtreePage::parse(image, &geometry, row.page) else {
        return Outcome::Skipped;
    };
    let cells: Vec<(usize, cell::Cell)> = page.cells().collect();
    let Some(index) = cells.iter().position(|(offset, _)| *offset == row.offset) else {
        return Outcome::Skipped;
    };
    let Some(payload) = cells[index].1.payload.as_ref().filter(|payload| payload.overflow.is_none()) else {
        return Outcome::Skipped;
    };
    let bytes = tree::payload(image, &geometry, row.page, row.offset, payload);
    let mut values = record::values(&bytes);
    values.resize(values.len().max(SQL + 1), Value::Null);
    let before = values.clone();
    edit(&mut values);
    let mut contents = page.cell_bytes();
    contents[index] = cell::table_leaf(row.rowid, &record::encode(&values));
    let right_child = page.right_child().unwrap_or(0);
    if values == before || !page::build(image, &geometry, row.page, page.kind, &contents, right_child) {
        return Outcome::Skipped;
    }
    Outcome::Mutated
}
