//! What virtual tables and JSON functions store in the values of ordinary tables.
//!
//! Each format is parsed in two ways: as a model that can be changed and written back well-formed, and as a list of
//! [`Field`]s, single numbers in place, for lies. Both accept any bytes.
//!
//! | module | kept in |
//! |---|---|
//! | [`fts3`] | `%_segdir.root`, `%_segments.block`, `%_stat.value`, `%_docsize.size` |
//! | [`fts5`] | `%_data.block`, `%_docsize.sz` |
//! | [`rtree`] | `%_node.data`; shapes of geopoly in `%_rowid` |
//! | [`jsonb`] | any column |

pub mod fts3;
pub mod fts5;
pub mod json;
pub mod jsonb;
pub mod rtree;

use std::ops::Range;

use super::schema::SchemaRow;
use super::{Geometry, read_be, varint, write_be};

/// How many fields or elements of a blob are read at most.
pub const PARTS_MAX: usize = 4000;

/// How many tables and virtual tables of a schema are examined.
const TABLES_MAX: usize = 2000;
const OWNERS_MAX: usize = 40;

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Big-endian, of the length of its range.
    BigEndian,
    /// SQLite's varint.
    Varint,
    /// FTS3's varint: the low seven bits first.
    Fts3Varint,
}

/// A number in a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its position.
    pub at: Range<usize>,
    /// Its encoding.
    pub coding: Coding,
}

impl Field {
    /// A big-endian number of `width` bytes at `at`.
    pub fn fixed(at: usize, width: usize) -> Self {
        Self { at: at..at + width, coding: Coding::BigEndian }
    }

    /// Its value; 0 if the bytes do not reach so far.
    pub fn get(&self, blob: &[u8]) -> u64 {
        let rest = blob.get(self.at.start..).unwrap_or_default();
        match self.coding {
            Coding::BigEndian => read_be(blob, self.at.start, self.at.len().min(8)),
            Coding::Varint => varint::read(rest).map_or(0, |(value, _)| value),
            Coding::Fts3Varint => fts3::read_varint(rest).map_or(0, |(value, _)| value),
        }
    }

    /// Replaces the value. What follows moves if the new one has another length.
    pub fn set(&self, blob: &mut Vec<u8>, value: u64) {
        let mut new = Vec::new();
        match self.coding {
            Coding::BigEndian => {
                new.resize(self.at.len().min(8), 0);
                let width = new.len();
                write_be(&mut new, 0, width, value);
            }
            Coding::Varint => varint::write(value, &mut new),
            Coding::Fts3Varint => fts3::write_varint(value, &mut new),
        }
        let start = self.at.start.min(blob.len());
        let end = self.at.end.clamp(start, blob.len());
        blob.splice(start..end, new);
    }
}

/// A term of a full-text index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The term. On interior nodes of FTS3 it separates two children; in FTS5 its first byte selects the index, `0` the
    /// main one.
    pub text: Vec<u8>,
    /// Its documents: none on interior nodes of FTS3; in FTS5 they may continue on the next leaf.
    pub doclist: Vec<u8>,
}

/// The varints that follow one another from `at` to the end of `blob`.
pub fn varints(blob: &[u8], mut at: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some((_, length)) = blob.get(at..).and_then(varint::read) {
        fields.push(Field { at: at..at + length, coding: Coding::Varint });
        at += length;
        if fields.len() >= PARTS_MAX {
            break;
        }
    }
    fields
}

/// The role of a shadow table for its virtual table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the module and the last part of the table's name")]
pub enum Part {
    Fts3Content,
    Fts3Docsize,
    Fts3Segdir,
    Fts3Segments,
    Fts3Stat,
    Fts5Config,
    Fts5Content,
    Fts5Data,
    Fts5Docsize,
    Fts5Idx,
    RtreeNode,
    RtreeParent,
    RtreeRowid,
    GeopolyRowid,
}

/// A table in which a virtual table stores data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowTable {
    /// What it stores.
    pub part: Part,
    /// Its root page.
    pub root: u32,
    /// The virtual table.
    pub owner: String,
    /// Dimensions of an R-Tree.
    pub dimensions: usize,
}

/// The shadow tables among the rows of the schema.
pub fn shadow_tables(rows: &[SchemaRow], geometry: &Geometry) -> Vec<ShadowTable> {
    let mut found = Vec::new();
    let tables: Vec<&SchemaRow> = rows.iter().filter(|row| row.is_table()).take(TABLES_MAX).collect();
    for owner in tables.iter().filter(|row| row.is_virtual()).take(OWNERS_MAX) {
        let Some((module, arguments)) = module(&owner.sql) else {
            continue;
        };
        let columns = arguments.iter().filter(|column| !column.trim_start().starts_with('+')).count();
        let dimensions = if module == "geopoly" { 2 } else { columns.saturating_sub(1) / 2 };
        for table in &tables {
            let end = table.name.strip_prefix(&owner.name).and_then(|rest| rest.strip_prefix('_'));
            let part = end.and_then(|end| part(&module, end));
            if let (Some(part), Some(root)) = (part, table.root_page(geometry)) {
                found.push(ShadowTable { part, root, owner: owner.name.clone(), dimensions });
            }
        }
    }
    found
}

fn part(module: &str, end: &str) -> Option<Part> {
    Some(match (module, end) {
        ("fts3" | "fts4", "content") => Part::Fts3Content,
        ("fts3" | "fts4", "docsize") => Part::Fts3Docsize,
        ("fts3" | "fts4", "segdir") => Part::Fts3Segdir,
        ("fts3" | "fts4", "segments") => Part::Fts3Segments,
        ("fts3" | "fts4", "stat") => Part::Fts3Stat,
        ("fts5", "config") => Part::Fts5Config,
        ("fts5", "content") => Part::Fts5Content,
        ("fts5", "data") => Part::Fts5Data,
        ("fts5", "docsize") => Part::Fts5Docsize,
        ("fts5", "idx") => Part::Fts5Idx,
        ("rtree" | "rtree_i32" | "geopoly", "node") => Part::RtreeNode,
        ("rtree" | "rtree_i32" | "geopoly", "parent") => Part::RtreeParent,
        ("rtree" | "rtree_i32", "rowid") => Part::RtreeRowid,
        ("geopoly", "rowid") => Part::GeopolyRowid,
        _ => return None,
    })
}

/// The module's name in lower case and its arguments, from the text of a CREATE VIRTUAL TABLE.
pub fn module(sql: &str) -> Option<(String, Vec<String>)> {
    let lower = sql.to_ascii_lowercase();
    let at = lower.find("using")? + "using".len();
    let rest = lower.get(at..)?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let inner = rest.trim_start().strip_prefix('(').unwrap_or_default();
    let inner = inner.rfind(')').map_or(inner, |close| &inner[..close]);
    Some((name.to_owned(), inner.split(',').map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests;
