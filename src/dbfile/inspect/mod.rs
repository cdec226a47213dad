//! A database file in full: the use of each page, every tree, and everything that is wrong.
//!
//! [`super::damage`] stops at the first cheap proof; a person with a damaged file wants everything, with the place, the
//! actual and the expected value. The rules are those of `sqlite3BtreeIntegrityCheck`, of `lockBtree` and of the code
//! that loads the schema; records are checked as well, and so is the order of the keys if the SQL makes it clear.
//!
//! Invariants: it panics on no input. Time and memory are linear in the size of the file: each page is visited once,
//! and overlapping cells are not read over and over. A database that SQLite wrote has no problems.

mod dump;
mod entry;
mod header;
mod layout;
mod links;
mod log;
mod problem;
mod report;
mod rollback;
mod schema;
mod space;
mod values;
mod walk;

use std::borrow::Cow;

pub use dump::{CellDump, PageDump, Span, dump};
pub use log::{FrameReport, LogReport, Stop, inspect_log};
pub use problem::{Kind, Problem};
pub use report::{FieldReport, FreePages, Inspection, PageReport, PageUse, SchemaReport, Tree};
pub use rollback::{GroupReport, RecordFate, RecordReport, RollbackReport, inspect_journal};

use super::header::HEADER_BYTES;
use super::{Geometry, pointer_map};
use problem::Problems;

/// How many bytes of records are read, in multiples of the file size. Well-formed ones need one.
const RECORD_FILES_MAX: usize = 4;
/// The same for rows that are compared with index entries: a row is read once for each index.
const LINK_FILES_MAX: usize = 64;

/// Inspects a database file. Its WAL or journal is not considered; see [`super::recover`]. `lock_byte` is usually
/// [`super::geometry::LOCK_BYTE`].
pub fn inspect(image: &[u8], lock_byte: u32) -> Inspection {
    let geometry = Geometry::of(image);
    let mut problems = Problems::new(&geometry);
    if image.is_empty() {
        return Inspector::new(&[], geometry, 0, lock_byte, problems).finish(image);
    }
    if image.len() < HEADER_BYTES {
        let what = format!("the file has {} bytes", image.len());
        problems.add(Kind::Header, 1, image.len(), what, format!("a header of {HEADER_BYTES} bytes"));
        return Inspector::new(&[], geometry, 0, lock_byte, problems).finish(image);
    }
    header::check(image, &mut problems);
    let pages = header::page_count(image, &geometry, &mut problems);
    // SQLite reads zeros past the end of the file.
    let whole = geometry.pages as usize * geometry.page_bytes;
    let mut padded = Cow::Borrowed(image);
    if image.len() < whole {
        padded.to_mut().resize(whole, 0);
    }
    let mut inspector = Inspector::new(&padded, geometry, pages, lock_byte, problems);
    inspector.mark_special();
    inspector.trees();
    inspector.freelist();
    inspector.unused();
    inspector.finish(image)
}

/// The state of the inspection.
struct Inspector<'a> {
    /// Complete pages.
    image: &'a [u8],
    geometry: Geometry,
    /// Pages of the database.
    pages: u32,
    lock_byte_page: u32,
    has_map: bool,
    /// What is known about each page, by number; 0 is not used.
    found: Vec<PageReport>,
    schema: Vec<super::schema::SchemaRow>,
    trees: Vec<Tree>,
    /// The keys of each tree, in the order of `trees`.
    links: Vec<links::Links>,
    free: FreePages,
    problems: Problems,
    record_bytes_left: usize,
    /// The same for rows that are read again for the comparison with indexes.
    link_bytes_left: usize,
}

impl<'a> Inspector<'a> {
    fn new(image: &'a [u8], geometry: Geometry, pages: u32, lock_byte: u32, problems: Problems) -> Self {
        let in_file = if image.is_empty() { 0 } else { geometry.pages };
        let report = |number| PageReport { number, ..PageReport::default() };
        Self {
            image,
            geometry,
            pages,
            lock_byte_page: geometry.lock_byte_page(lock_byte),
            has_map: pointer_map::is_present(image),
            found: (0..=in_file).map(report).collect(),
            schema: Vec::new(),
            trees: Vec::new(),
            links: Vec::new(),
            free: FreePages::default(),
            problems,
            record_bytes_left: image.len().saturating_mul(RECORD_FILES_MAX),
            link_bytes_left: image.len().saturating_mul(LINK_FILES_MAX),
        }
    }

    fn finish(self, image: &[u8]) -> Inspection {
        report::build(self, image)
    }
}

#[cfg(test)]
mod lies;
#[cfg(test)]
mod tests;
