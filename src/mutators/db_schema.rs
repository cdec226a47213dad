//! Rows of `sqlite_schema`: their SQL edited with the SQL mutators, their other columns changed, rows duplicated or
//! removed. They are stored through the record layer: long rows go to overflow pages, full pages are split.

use super::db_header::image_mutator;
use super::db_pages::page_number;
use super::db_rows::{atomically, text};
use super::{Context, Mutator, Outcome};
use super::{sql_tokens, sql_tree};
use crate::dbfile::graft::schema_record;
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::space::Space;
use crate::dbfile::{Geometry, header};
use crate::testcase::TestCase;

/// Columns of `sqlite_schema`.
const TYPE: usize = 0;
const NAME: usize = 1;
const TABLE: usize = 2;
const ROOT: usize = 3;
pub(super) const SQL: usize = 4;

/// Names with a special meaning.
const RESERVED: [&str; 9] = [
    "sqlite_stat1",
    "sqlite_stat4",
    "sqlite_sequence",
    "sqlite_schema",
    "sqlite_master",
    "sqlite_temp_schema",
    "sqlite_autoindex_t1_1",
    "sqlite_x",
    "",
];

image_mutator! {
    /// Changes the SQL text of a schema row, but not its b-tree.
    SchemaSql => edit_sql
}

image_mutator! {
    /// Changes the type, name, table or root page of a schema row.
    SchemaField => edit_field
}

image_mutator! {
    /// Duplicates, removes, reorders or adds a row of the schema.
    SchemaRows => edit_rows
}

/// Changes a statement of the schema. Database mutators reach the SQL mutators only here.
pub(super) fn edit_statement(sql: &str, context: &mut Context<'_>) -> Option<String> {
    let mut case = TestCase::from_sql(sql.as_bytes());
    let edits: [&dyn Mutator; 12] = [
        &sql_tree::Exchange,
        &sql_tree::Exchange,
        &sql_tree::Clause,
        &sql_tree::List,
        &sql_tree::Wrap,
        &sql_tree::Literal,
        &sql_tree::Function,
        &sql_tokens::Replace,
        &sql_tokens::InsertClause,
        &sql_tokens::WrapExpression,
        &sql_tokens::Delete,
        &sql_tokens::ExchangeGroups,
    ];
    let edit = edits[context.rng.usize(0..edits.len())];
    let is_edited = edit.mutate(&mut case, context) == Outcome::Mutated;
    is_edited.then(|| String::from_utf8_lossy(case.sql.as_bytes()).into_owned())
}

pub(super) fn edit_sql(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let rows = schema::rows(image);
    let with_sql: Vec<&SchemaRow> = rows.iter().filter(|row| !row.sql.is_empty()).collect();
    let Some(row) = context.pick(&with_sql) else {
        return Outcome::Skipped;
    };
    let Some(sql) = edit_statement(&row.sql, context) else {
        return Outcome::Skipped;
    };
    set_sql(image, row, &sql, context)
}

/// Replaces the SQL text of a schema row.
pub(super) fn set_sql(image: &mut Vec<u8>, row: &SchemaRow, sql: &str, context: &mut Context<'_>) -> Outcome {
    let sql = text(image, sql);
    atomically(image, context, |space, _| rewrite(space, row, |values| values[SQL] = sql))
}

pub(super) fn edit_field(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let rows = schema::rows(image);
    let (Some(row), Some(other)) = (context.pick(&rows), context.pick(&rows)) else {
        return Outcome::Skipped;
    };
    let text = |value: &str| text(image, value);
    let kinds = ["table", "index", "view", "trigger", "", "tablex"];
    let (column, value) = match context.rng.u8(0..12) {
        0 => (TYPE, text(kinds[context.rng.usize(0..kinds.len())])),
        1 => (NAME, text(&other.name)),
        2 => (TABLE, text(&other.name)),
        3 => (SQL, text(&other.sql)),
        4 => (SQL, Value::Null),
        5 | 6 => (ROOT, Value::Integer(other.root)),
        // An index gets the b-tree of its own table, or vice versa.
        7 => {
            let related = rows.iter().filter(|other| other.table == row.table && other.root != row.root);
            let roots: Vec<i64> = related.map(|other| other.root).collect();
            (ROOT, Value::Integer(context.pick(&roots).copied().unwrap_or(1)))
        }
        8 => (NAME, text(RESERVED[context.rng.usize(0..RESERVED.len())])),
        9 => (TABLE, text(RESERVED[context.rng.usize(0..RESERVED.len())])),
        10 => {
            let odd = [Value::Null, text("2"), Value::Real(2.0), Value::Integer(-1), Value::Integer(1 << 32)];
            (ROOT, odd[context.rng.usize(0..odd.len())].clone())
        }
        _ => (ROOT, Value::Integer(i64::from(page_number(geometry.pages, context)))),
    };
    atomically(image, context, |space, _| rewrite(space, row, |values| values[column] = value))
}

pub(super) fn edit_rows(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let rows = schema::rows(image);
    let (Some(row), Some(other)) = (context.pick(&rows), context.pick(&rows)) else {
        return Outcome::Skipped;
    };
    let free = rows.iter().map(|row| row.rowid).max().unwrap_or(0).saturating_add(1);
    let root = u32::try_from(row.root).unwrap_or(0);
    let encoding = header::ENCODING.get(image);
    atomically(image, context, |space, context| match context.rng.u8(0..5) {
        0 => rows::insert(space, 1, free, &schema_record(row, root, encoding)),
        // A second name for the same b-tree.
        1 => {
            let alias = SchemaRow { name: format!("{}_2", row.name), ..row.clone() };
            let alias = SchemaRow { sql: alias.sql.replacen(&row.name, &alias.name, 1), ..alias };
            rows::insert(space, 1, free, &schema_record(&alias, root, encoding))
        }
        2 => rows::remove(space, &place(space, row)?),
        // Swaps two rows: an index then precedes its table, or a view what it selects from.
        3 => {
            let first = place(space, row)?.read(space.image, &space.geometry);
            let second = place(space, other)?.read(space.image, &space.geometry);
            rows::insert(space, 1, row.rowid, &second)?;
            rows::insert(space, 1, other.rowid, &first)
        }
        _ => {
            let name = RESERVED[context.rng.usize(0..RESERVED.len())];
            let sql = match context.rng.u8(0..3) {
                0 => format!("CREATE VIEW \"{name}\" AS SELECT * FROM \"{}\"", other.name),
                1 => format!("CREATE TABLE \"{name}\"(a, b, c)"),
                _ => String::new(),
            };
            let kind = if sql.starts_with("CREATE VIEW") { "view" } else { "table" };
            let root = if kind == "view" { 0 } else { root };
            let new = SchemaRow {
                kind: kind.to_owned(),
                name: name.to_owned(),
                table: name.to_owned(),
                sql,
                ..row.clone()
            };
            rows::insert(space, 1, free, &schema_record(&new, root, encoding))
        }
    })
}

/// The cell of a schema row.
pub(super) fn place(space: &Space<'_>, row: &SchemaRow) -> Option<Row> {
    let page = crate::dbfile::page::BtreePage::parse(space.image, &space.geometry, row.page)?;
    let cell = page.cell(row.offset)?;
    Some(Row { root: 1, page: row.page, offset: row.offset, rowid: cell.rowid, payload: cell.payload? })
}

/// Changes the values of a schema row.
pub(super) fn rewrite(space: &mut Space<'_>, row: &SchemaRow, edit: impl FnOnce(&mut [Value])) -> Option<()> {
    let place = place(space, row)?;
    let mut values = record::values(&place.read(space.image, &space.geometry));
    values.resize(values.len().max(SQL + 1), Value::Null);
    edit(&mut values);
    rows::replace(space, &place, place.rowid, &record::encode(&values))
}
