//! The differences between two databases: header, schema, pages by bytes, rows by key. A damaged one that was made from
//! a sound one usually differs in one lie and its consequences.

mod rows;

use serde::Serialize;

use super::inspect::{Inspection, SchemaReport};
use super::{Geometry, header};

pub use rows::{ColumnChange, RowChange, RowOf, TreeDiff};

/// Equal bytes between two that differ are counted as part of one range, up to this many.
const GAP_BYTES: usize = 8;
/// How many ranges of a page are kept at most.
const RANGES_MAX: usize = 64;

/// A field of the header that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDiff {
    /// Its name in the format's documentation.
    pub name: &'static str,
    /// Its offset in bytes.
    pub at: usize,
    /// In the first database.
    pub a: u32,
    /// In the second.
    pub b: u32,
}

/// A schema row that differs, or that one database lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaDiff {
    /// In the first database.
    pub a: Option<SchemaReport>,
    /// In the second.
    pub b: Option<SchemaReport>,
}

/// Bytes that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Their offset in the page.
    pub at: usize,
    /// Their number; some of them may be equal.
    pub length: usize,
}

/// A page that differs, or that one database lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageDiff {
    /// Its number.
    pub number: u32,
    /// What it is used as in the first database; none if it has no such page.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
    /// Bytes that differ.
    pub ranges: Vec<Range>,
    /// How many more ranges there are.
    pub ranges_left_out: usize,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The files are identical.
    pub is_equal: bool,
    /// Sizes of the files in bytes.
    pub file_bytes: [usize; 2],
    /// Page sizes in bytes. If they differ, pages are not compared.
    pub page_bytes: [usize; 2],
    /// Fields of the header.
    pub header: Vec<FieldDiff>,
    /// Rows of the schema, by type and name.
    pub schema: Vec<SchemaDiff>,
    /// Pages.
    pub pages: Vec<PageDiff>,
    /// Trees that both have, by name, whose rows differ.
    pub trees: Vec<TreeDiff>,
}

/// A database and its inspection.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The file.
    pub image: &'a [u8],
    /// See [`super::inspect::inspect`].
    pub inspection: &'a Inspection,
}

/// Compares two databases.
pub fn diff(a: Side<'_>, b: Side<'_>) -> Diff {
    let both = [a, b];
    let fields = header::FIELDS.into_iter().filter(|field| field.get(a.image) != field.get(b.image));
    Diff {
        is_equal: a.image == b.image,
        file_bytes: both.map(|side| side.image.len()),
        page_bytes: both.map(|side| side.inspection.page_bytes),
        header: fields
            .map(|field| FieldDiff {
                name: field.name,
                at: field.at,
                a: field.get(a.image),
                b: field.get(b.image),
            })
            .collect(),
        schema: schema(a, b),
        pages: pages(a, b),
        trees: rows::trees(a, b),
    }
}

/// The schema rows by type and name, of which there may be several.
fn schema(a: Side<'_>, b: Side<'_>) -> Vec<SchemaDiff> {
    let key = |row: &SchemaReport| (row.kind.clone(), row.name.clone());
    // Positions of rows are compared as part of the pages.
    let is_same = |a: &SchemaReport, b: &SchemaReport| {
        (a.rowid, a.root, &a.table, &a.sql) == (b.rowid, b.root, &b.table, &b.sql)
    };
    let sorted = |side: Side<'_>| {
        let mut rows = side.inspection.schema.clone();
        rows.sort_by_key(key);
        rows.into_iter().peekable()
    };
    let (mut a, mut b) = (sorted(a), sorted(b));
    let mut found = Vec::new();
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return found,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => key(a).cmp(&key(b)),
        };
        let a = if order.is_le() { a.next() } else { None };
        let b = if order.is_ge() { b.next() } else { None };
        let differs = a.as_ref().zip(b.as_ref()).is_none_or(|(a, b)| !is_same(a, b));
        found.extend(differs.then_some(SchemaDiff { a, b }));
    }
}

fn pages(a: Side<'_>, b: Side<'_>) -> Vec<PageDiff> {
    if a.inspection.page_bytes != b.inspection.page_bytes {
        return Vec::new();
    }
    let most = a.inspection.pages.len().max(b.inspection.pages.len());
    let used_as =
        |side: Side<'_>, i: usize| side.inspection.pages.get(i).map(|page| side.inspection.use_of(page));
    let compare = |i: usize| {
        let number = i as u32 + 1;
        let bytes = |side: Side<'_>| Geometry::of(side.image).range(number, side.image.len());
        let (in_a, in_b) = (&a.image[bytes(a)], &b.image[bytes(b)]);
        if in_a == in_b {
            return None;
        }
        let (ranges, ranges_left_out) = ranges(in_a, in_b);
        Some(PageDiff { number, a: used_as(a, i), b: used_as(b, i), ranges, ranges_left_out })
    };
    (0..most).filter_map(compare).collect()
}

/// The bytes that differ, and how many ranges are left out. A byte that only one has differs.
fn ranges(a: &[u8], b: &[u8]) -> (Vec<Range>, usize) {
    let mut all: Vec<Range> = Vec::new();
    for at in (0..a.len().max(b.len())).filter(|&at| a.get(at) != b.get(at)) {
        match all.last_mut() {
            Some(last) if at <= last.at + last.length + GAP_BYTES => last.length = at + 1 - last.at,
            _ => all.push(Range { at, length: 1 }),
        }
    }
    let left_out = all.len().saturating_sub(RANGES_MAX);
    all.truncate(RANGES_MAX);
    (all, left_out)
}

#[cfg(test)]
mod tests;
