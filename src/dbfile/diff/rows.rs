//! Compares the rows of two trees of the same name, by rowid or key.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Side;
use crate::dbfile::inspect::Tree;
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::{Geometry, describe, header};
use crate::sql::{Names, Token, tokenize};

/// How many rows of a tree are kept at most, of each kind.
const ROWS_MAX: usize = 1000;
/// How many bytes of records are read, in multiples of the file size. Well-formed ones need two.
const RECORD_FILES_MAX: usize = 6;

/// A row of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowOf {
    /// Its rowid or key.
    pub key: String,
    /// The page of its cell.
    pub page: u32,
    /// The offset of the cell in the page, in bytes.
    pub at: usize,
    /// Its values.
    pub values: Vec<String>,
}

/// A column that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// Its name if the schema has it, otherwise its number, from 0.
    pub column: String,
    /// Its value in the first database; none if the record has no such column.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
    /// The first byte that differs in two texts or two blobs of which only the beginnings are shown.
    pub first_byte: Option<usize>,
}

/// A row that both have, with differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowChange {
    /// Its rowid or key.
    pub key: String,
    /// Page, and offset in it in bytes, of its cell in the first database.
    pub at_a: (u32, usize),
    /// In the second.
    pub at_b: (u32, usize),
    /// Columns; none if the same values are just stored differently.
    pub columns: Vec<ColumnChange>,
}

/// Two trees whose rows differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct TreeDiff {
    /// The object of the schema.
    pub name: String,
    /// Rows that only the first database has.
    pub only_a: Vec<RowOf>,
    /// Rows that only the second has.
    pub only_b: Vec<RowOf>,
    /// Rows that differ.
    pub changed: Vec<RowChange>,
    /// How many more rows there are.
    pub left_out: usize,
    /// Not all rows were read, because too many cells share the same bytes.
    pub has_unread_rows: bool,
}

/// What a key is made of.
#[derive(Clone, Copy)]
enum Key {
    Rowid,
    /// The first columns of the record.
    Columns(usize),
}

/// The rows of one tree.
struct Content<'a> {
    image: &'a [u8],
    geometry: Geometry,
    by_key: BTreeMap<Vec<u8>, Vec<Row>>,
    is_whole: bool,
}

/// Compares the trees that both have.
pub(super) fn trees(a: Side<'_>, b: Side<'_>) -> Vec<TreeDiff> {
    let of_name: BTreeMap<&str, &Tree> =
        b.inspection.trees.iter().rev().map(|tree| (tree.name.as_str(), tree)).collect();
    // The schema's rows are compared separately.
    let pairs = a.inspection.trees.iter().skip(1);
    let mut seen = BTreeSet::new();
    let pairs = pairs.filter(|tree| seen.insert(tree.name.as_str()));
    let pairs = pairs.filter_map(|tree| Some((tree, *of_name.get(tree.name.as_str())?)));
    pairs.filter_map(|(in_a, in_b)| compare(a, b, in_a, in_b)).collect()
}

fn compare(a: Side<'_>, b: Side<'_>, in_a: &Tree, in_b: &Tree) -> Option<TreeDiff> {
    let row = a.inspection.schema.iter().find(|row| row.name == in_a.name);
    let sql = row.map_or("", |row| row.sql.as_str());
    let is_table = row.is_some_and(|row| row.kind == "table");
    let key = match is_table {
        true if in_a.has_rowids && in_b.has_rowids => Key::Rowid,
        true => Key::Columns(key_columns(sql)),
        false => Key::Columns(usize::MAX),
    };
    let columns = if is_table && in_a.has_rowids { columns(sql) } else { Vec::new() };
    let contents = [read(a, in_a.root, key), read(b, in_b.root, key)];
    let mut diff = TreeDiff {
        name: in_a.name.clone(),
        has_unread_rows: contents.iter().any(|content| !content.is_whole),
        ..TreeDiff::default()
    };
    let [in_a, in_b] = &contents;
    let keys: BTreeSet<&Vec<u8>> = in_a.by_key.keys().chain(in_b.by_key.keys()).collect();
    for bytes in keys {
        let [rows_a, rows_b] =
            [in_a, in_b].map(|content| content.by_key.get(bytes).map_or(&[][..], Vec::as_slice));
        for (row_a, row_b) in rows_a.iter().zip(rows_b) {
            if let Some(change) = changed(in_a, row_a, in_b, row_b, key, &columns) {
                keep(&mut diff.changed, change, &mut diff.left_out);
            }
        }
        for row in rows_a.iter().skip(rows_b.len()) {
            keep(&mut diff.only_a, in_a.show(row, key), &mut diff.left_out);
        }
        for row in rows_b.iter().skip(rows_a.len()) {
            keep(&mut diff.only_b, in_b.show(row, key), &mut diff.left_out);
        }
    }
    let differs = !(diff.only_a.is_empty() && diff.only_b.is_empty() && diff.changed.is_empty());
    (differs || diff.has_unread_rows).then_some(diff)
}

fn keep<T>(list: &mut Vec<T>, item: T, left_out: &mut usize) {
    if list.len() < ROWS_MAX {
        list.push(item);
    } else {
        *left_out += 1;
    }
}

fn read(side: Side<'_>, root: u32, key: Key) -> Content<'_> {
    let geometry = Geometry::of(side.image);
    let mut content = Content { image: side.image, geometry, by_key: BTreeMap::new(), is_whole: true };
    let mut bytes_left = side.image.len().saturating_mul(RECORD_FILES_MAX);
    for row in rows::of(side.image, &geometry, root, usize::MAX) {
        // Bytes read here, and later for the comparison.
        let length = usize::try_from(row.payload.total).unwrap_or(usize::MAX).min(side.image.len());
        let Some(left) = bytes_left.checked_sub(length) else {
            content.is_whole = false;
            break;
        };
        bytes_left = left;
        let bytes = match (key, row.rowid) {
            // In the order of the numbers.
            (Key::Rowid, Some(rowid)) => ((rowid as u64) ^ 1 << 63).to_be_bytes().to_vec(),
            (Key::Rowid, None) => Vec::new(),
            (Key::Columns(_), _) => record::encode(&content.key_values(&row, key)),
        };
        content.by_key.entry(bytes).or_default().push(row);
    }
    content
}

impl Content<'_> {
    fn values(&self, row: &Row) -> Vec<Value> {
        record::values(&row.read(self.image, &self.geometry))
    }

    fn key_values(&self, row: &Row, key: Key) -> Vec<Value> {
        let mut values = self.values(row);
        if let Key::Columns(count) = key {
            values.truncate(count);
        }
        values
    }

    fn text(&self, value: &Value) -> String {
        describe::value(value, header::ENCODING.get(self.image))
    }

    fn key_text(&self, row: &Row, key: Key) -> String {
        match (key, row.rowid) {
            (Key::Rowid, Some(rowid)) => rowid.to_string(),
            _ => {
                let values = self.key_values(row, key);
                values.iter().map(|value| self.text(value)).collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn show(&self, row: &Row, key: Key) -> RowOf {
        let values = self.values(row).iter().map(|value| self.text(value)).collect();
        RowOf { key: self.key_text(row, key), page: row.page, at: row.offset, values }
    }
}

fn changed(
    in_a: &Content<'_>,
    a: &Row,
    in_b: &Content<'_>,
    b: &Row,
    key: Key,
    names: &[String],
) -> Option<RowChange> {
    if a.read(in_a.image, &in_a.geometry) == b.read(in_b.image, &in_b.geometry) {
        return None;
    }
    let (values_a, values_b) = (in_a.values(a), in_b.values(b));
    let differs = |i: &usize| values_a.get(*i) != values_b.get(*i);
    let columns = (0..values_a.len().max(values_b.len())).filter(differs);
    let columns = columns.map(|i| ColumnChange {
        column: names.get(i).cloned().unwrap_or_else(|| i.to_string()),
        a: values_a.get(i).map(|value| in_a.text(value)),
        b: values_b.get(i).map(|value| in_b.text(value)),
        first_byte: values_a.get(i).zip(values_b.get(i)).and_then(|(a, b)| first_byte(a, b)),
    });
    let (at_a, at_b) = ((a.page, a.offset), (b.page, b.offset));
    Some(RowChange { key: in_a.key_text(a, key), at_a, at_b, columns: columns.collect() })
}

fn first_byte(a: &Value, b: &Value) -> Option<usize> {
    let ((Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b))) = (a, b) else {
        return None;
    };
    Some(a.iter().zip(b).take_while(|(a, b)| a == b).count())
}

/// The columns that are stored, in order; none if the SQL does not make that clear.
fn columns(sql: &str) -> Vec<String> {
    let mut tables = Names::of(sql.as_bytes()).tables;
    tables.pop().filter(|table| table.generated.is_empty()).map_or(Vec::new(), |table| table.columns)
}

/// How many columns the primary key of a table WITHOUT ROWID has: its records begin with them.
fn key_columns(sql: &str) -> usize {
    let tokens: Vec<Token> =
        tokenize(sql.as_bytes()).into_iter().filter(|token| !token.kind.is_blank()).collect();
    let text = |i: usize| tokens.get(i).map_or("", |token| &sql[token.range.clone()]);
    let is = |i: usize, word: &str| text(i).eq_ignore_ascii_case(word);
    let Some(at) = (0..tokens.len()).find(|&i| is(i, "PRIMARY") && is(i + 1, "KEY")) else {
        return usize::MAX;
    };
    if text(at + 2) != "(" {
        return 1;
    }
    let (mut depth, mut names) = (1, BTreeSet::from([text(at + 3).to_ascii_lowercase()]));
    for i in at + 3..tokens.len() {
        match text(i) {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 1 => {
                names.insert(text(i + 1).to_ascii_lowercase());
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.len()
}
