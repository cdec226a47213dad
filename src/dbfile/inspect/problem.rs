//! What is wrong, where, and what was expected.

use serde::Serialize;

use crate::dbfile::Geometry;

/// How many problems are kept at most; a damaged page may claim tens of thousands of cells.
const PROBLEMS_MAX: usize = 10_000;

/// The kind of problem; scripts rely on the kebab-case names, so they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A header field that keeps SQLite from opening the file, or that it calls corrupt.
    Header,
    /// A header field that no SQLite writes, and none minds.
    OddHeader,
    /// The header claims more pages than the file has.
    FileSize,
    /// The file continues past the pages that the header claims.
    PagesBehind,
    /// The file ends within a page.
    CutPage,
    /// A b-tree page with an invalid type byte.
    NotBtree,
    /// A page for rowids in a tree of keys, or vice versa.
    PageType,
    /// A page below a root, or an interior root, without cells.
    EmptyPage,
    /// More cells than a page has room for.
    CellCount,
    /// The cell content area begins among the cell pointers or past the end of the page.
    ContentStart,
    /// A cell pointer points outside of the content area.
    CellPointer,
    /// A cell extends past the usable part of the page.
    CellOutside,
    /// Bytes that belong to two cells, or to a cell and a freeblock.
    Overlap,
    /// The list of freeblocks leaves the page, is out of order, or has a block that is too small.
    Freeblock,
    /// The count of fragmented bytes is wrong.
    Fragments,
    /// A page number outside of the file: of a child, an overflow page, a free page.
    PageNumber,
    /// A page that is referenced twice, a cycle included.
    SecondReference,
    /// Children at different depths, or a tree that is too deep.
    Depth,
    /// Rowids out of order.
    RowidOrder,
    /// Index entries out of order.
    KeyOrder,
    /// The header of a record, or its length, is wrong.
    Record,
    /// A reserved serial type.
    SerialType,
    /// An overflow chain that ends early.
    OverflowShort,
    /// An overflow chain that continues past its payload.
    OverflowLong,
    /// A freelist trunk with more leaves than it has room for.
    FreelistTrunk,
    /// The number of free pages in the header is wrong.
    FreelistCount,
    /// A pointer-map entry that disagrees with the use of its page.
    PointerMap,
    /// The largest root page in the header is not that of the schema.
    LargestRoot,
    /// Root pages that do not precede all others, as they must in a database with a pointer map.
    RootOrder,
    /// Nothing refers to the page.
    Unused,
    /// A schema row with an impossible root page.
    RootPage,
    /// A schema row that SQLite does not write.
    SchemaRow,
    /// An index entry that belongs to no row, or a row without one.
    IndexEntry,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 33] = [
        Self::Header,
        Self::OddHeader,
        Self::FileSize,
        Self::PagesBehind,
        Self::CutPage,
        Self::NotBtree,
        Self::PageType,
        Self::EmptyPage,
        Self::CellCount,
        Self::ContentStart,
        Self::CellPointer,
        Self::CellOutside,
        Self::Overlap,
        Self::Freeblock,
        Self::Fragments,
        Self::PageNumber,
        Self::SecondReference,
        Self::Depth,
        Self::RowidOrder,
        Self::KeyOrder,
        Self::Record,
        Self::SerialType,
        Self::OverflowShort,
        Self::OverflowLong,
        Self::FreelistTrunk,
        Self::FreelistCount,
        Self::PointerMap,
        Self::LargestRoot,
        Self::RootOrder,
        Self::Unused,
        Self::RootPage,
        Self::SchemaRow,
        Self::IndexEntry,
    ];

    /// True for what no SQLite writes, but none calls corrupt.
    pub fn is_odd(self) -> bool {
        matches!(self, Self::OddHeader | Self::PagesBehind | Self::RootOrder | Self::SchemaRow)
    }

    /// True for what is in a field of the database header.
    pub fn is_of_header(self) -> bool {
        use Kind::{FileSize, FreelistCount, Header, LargestRoot, OddHeader, PagesBehind};
        matches!(self, Header | OddHeader | FileSize | PagesBehind | FreelistCount | LargestRoot)
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind.
    pub kind: Kind,
    /// SQLite does not mind, so it is not damage.
    pub is_odd: bool,
    /// The page with the wrong bytes.
    pub page: u32,
    /// Their offset in the page, in bytes.
    pub at: usize,
    /// Their offset in the file, in bytes.
    pub offset: usize,
    /// What is there.
    pub what: String,
    /// What was expected.
    pub expected: String,
}

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Problems {
    pub(super) list: Vec<Problem>,
    pub(super) left_out: usize,
    page_bytes: usize,
}

impl Problems {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self { list: Vec::new(), left_out: 0, page_bytes: geometry.page_bytes }
    }

    /// Records that on `page`, at offset `at`, something else was expected.
    pub(super) fn add(&mut self, kind: Kind, page: u32, at: usize, what: String, expected: String) {
        if self.list.len() >= PROBLEMS_MAX {
            self.left_out += 1;
            return;
        }
        let offset = (page.saturating_sub(1) as usize).saturating_mul(self.page_bytes).saturating_add(at);
        self.list.push(Problem { kind, is_odd: kind.is_odd(), page, at, offset, what, expected });
    }
}
