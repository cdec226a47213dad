//! Records, and the order of the keys in a tree.

use std::fmt;

use super::problem::{Kind, Problems};
use crate::dbfile::record::{self, Column, Value};
use crate::dbfile::{index, varint};

/// How many columns are checked at most: more than any build of SQLite allows.
const COLUMNS_MAX: usize = 40_000;

/// The position of a record, for its problems.
pub(super) struct Place {
    pub(super) page: u32,
    /// Offset of the payload in the page.
    pub(super) at: usize,
    /// Index of the cell in the page.
    pub(super) index: usize,
    /// The key of a row in a rowid table.
    pub(super) rowid: Option<i64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cell {}", self.index)?;
        self.rowid.map_or(Ok(()), |rowid| write!(f, " (rowid {rowid})"))
    }
}

/// Checks that header and contents of a record have the claimed lengths; returns its columns.
pub(super) fn check(bytes: &[u8], place: &Place, problems: &mut Problems) -> Vec<Column> {
    let (name, page, at) = (place, place.page, place.at);
    let columns = record::leading_columns(bytes, COLUMNS_MAX);
    let header = varint::read(bytes).map(|(header_bytes, _)| header_bytes);
    let Some(header_bytes) = header.filter(|&header_bytes| header_bytes <= bytes.len() as u64) else {
        let claimed = header.map_or("is cut off".to_owned(), |bytes| format!("claims {bytes} bytes"));
        let what = format!("the header of the record of {name} {claimed}");
        problems.add(Kind::Record, page, at, what, format!("at most its {} bytes", bytes.len()));
        return columns;
    };
    let own_length = varint::read(bytes).map_or(0, |(_, length)| length);
    let header_end = columns.last().map_or(own_length, |column| column.type_at.end);
    if header_end as u64 != header_bytes {
        let what = format!("the header of the record of {name} claims {header_bytes} bytes");
        let expected = format!("{header_end}, where its last serial type ends");
        problems.add(Kind::Record, page, at, what, expected);
        return columns;
    }
    for (i, column) in columns.iter().enumerate() {
        if matches!(column.serial_type, 10 | 11) {
            let what = format!("column {i} of {name} has the serial type {}", column.serial_type);
            problems.add(
                Kind::SerialType,
                page,
                at + column.type_at.start,
                what,
                "0 to 9, or above 11".to_owned(),
            );
        }
    }
    let lengths = columns.iter().map(|column| record::content_bytes(column.serial_type));
    let content = lengths.fold(0, u64::saturating_add);
    let rest = bytes.len() as u64 - header_bytes;
    if content != rest {
        let what = format!("the serial types of {name} claim {content} bytes of content");
        problems.add(Kind::Record, page, at, what, format!("{rest}, what its payload has"));
    }
    columns
}

/// The values of a key as an index compares them.
pub(super) fn key(bytes: &[u8], columns: &[Column]) -> Vec<Value> {
    let normal = |value| match value {
        // SQLite reads NaN as NULL, and the two zeros are equal.
        Value::Real(x) if x.is_nan() => Value::Null,
        Value::Real(0.0) => Value::Real(0.0),
        other => other,
    };
    columns.iter().map(|column| normal(record::value(bytes, column))).collect()
}

/// The order of the keys of one tree, from left to right.
#[derive(Default)]
pub(super) struct Order {
    rowid: Option<i64>,
    entry: Option<Vec<Value>>,
}

impl Order {
    /// Records the rowid of a leaf cell, or of an interior one, which may equal that of its left neighbour.
    pub(super) fn rowid(&mut self, rowid: i64, is_leaf: bool, page: u32, at: usize, problems: &mut Problems) {
        if let Some(last) = self.rowid.replace(rowid)
            && (rowid < last || rowid == last && is_leaf)
        {
            let expected =
                format!("{} {last}, the one before it", if is_leaf { "above" } else { "at least" });
            problems.add(Kind::RowidOrder, page, at, format!("rowid {rowid}"), expected);
        }
    }

    /// True if the entry may follow the last one.
    pub(super) fn may_follow(&self, entry: &[Value]) -> bool {
        self.entry.as_ref().is_none_or(|last| index::compare_entries(last, entry).is_le())
    }

    /// Records an entry of a tree of keys.
    pub(super) fn entry(&mut self, entry: Vec<Value>) {
        self.entry = Some(entry);
    }
}
