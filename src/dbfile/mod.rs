//! The database file format without an engine: parse, check, edit, describe.
//!
//! Format: <https://sqlite.org/fileformat2.html>. Everything accepts any bytes and never panics: a database under
//! fuzzing is mostly wrong somewhere. Page numbers start at 1.
//!
//! | module | part of the file |
//! |---|---|
//! | [`header`] | the first 100 bytes, by field |
//! | [`geometry`] | page size, usable size, page count; pages as slices |
//! | [`page`] | b-tree pages: header, cell pointers, building a page from cells |
//! | [`cell`] | cells: payload, rowid, child, overflow |
//! | [`record`] | records: serial types and values |
//! | [`tree`] | walks over b-trees, overflow chains and the freelist |
//! | [`space`], [`pointer_map`] | free pages, and the use of each page |
//! | [`rows`] | rows of tables and entries of indexes: read, stored, inserted, with overflow and splits |
//! | [`index`] | entries inserted into indexes in order |
//! | [`graft`] | tables and indexes copied from one database to another |
//! | [`blob`] | what FTS, R-Tree and JSONB store in values |
//! | [`schema`] | rows of `sqlite_schema` |
//! | [`own_tables`] | internal tables of SQLite and its modules |
//! | [`wal`], [`journal`] | the files beside the database |
//! | [`recover`] | a database with its WAL or journal applied |
//! | [`damage`] | cheap proof that a file is malformed |
//! | [`inspect`] | everything that is wrong with a file, and the use of every page |
//! | [`diff`] | the differences between two databases |
//! | [`describe`] | all of it for a person |

pub mod blob;
pub mod cell;
pub mod damage;
pub mod describe;
#[cfg(feature = "tools")]
pub mod diff;
pub mod geometry;
pub mod graft;
pub mod header;
pub mod index;
#[cfg(feature = "tools")]
pub mod inspect;
pub mod journal;
pub mod own_tables;
pub mod page;
pub mod pointer_map;
pub mod record;
pub mod recover;
pub mod rows;
pub mod schema;
pub mod space;
pub mod tree;
pub mod varint;
pub mod wal;

pub use geometry::Geometry;

/// The first 16 bytes of every database file.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Reads a big-endian number of `width` ≤ 8 bytes at `at`; bytes past the end count as zero.
pub(crate) fn read_be(bytes: &[u8], at: usize, width: usize) -> u64 {
    (at..at + width).fold(0, |value, i| value << 8 | u64::from(bytes.get(i).copied().unwrap_or(0)))
}

/// Writes the low `width` bytes of `value` big-endian at `at`; those past the end are dropped.
pub(crate) fn write_be(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    for i in 0..width {
        if let Some(byte) = bytes.get_mut(at + i) {
            *byte = (value >> (8 * (width - 1 - i))) as u8;
        }
    }
}
