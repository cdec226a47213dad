//! B-tree pages (<https://sqlite.org/fileformat2.html#b_tree_pages>).

use super::cell::{self, Cell};
use super::{Geometry, read_be, write_be};

/// The four kinds of b-tree pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// Interior page of an index or WITHOUT ROWID table.
    IndexInterior,
    /// Interior page of a table.
    TableInterior,
    /// Leaf page of an index or WITHOUT ROWID table.
    IndexLeaf,
    /// Leaf page of a table.
    TableLeaf,
}

impl PageKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::IndexInterior, Self::TableInterior, Self::IndexLeaf, Self::TableLeaf];

    /// The kind with this type byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }

    /// The type byte: 2, 5, 10 or 13.
    pub fn byte(self) -> u8 {
        match self {
            Self::IndexInterior => 2,
            Self::TableInterior => 5,
            Self::IndexLeaf => 10,
            Self::TableLeaf => 13,
        }
    }

    /// True for leaves.
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::IndexLeaf | Self::TableLeaf)
    }

    /// True for pages of rowid tables.
    pub fn is_table(self) -> bool {
        matches!(self, Self::TableInterior | Self::TableLeaf)
    }

    /// Length of the page header in bytes.
    pub fn header_bytes(self) -> usize {
        if self.is_leaf() { 8 } else { 12 }
    }
}

/// A b-tree page as found in the file; only its type byte is checked.
#[derive(Debug, Clone, Copy)]
pub struct BtreePage<'a> {
    /// The whole page, the database header on page 1 included.
    pub bytes: &'a [u8],
    /// Where the b-tree header begins: 100 on page 1, else 0.
    pub start: usize,
    /// Its kind, according to the type byte.
    pub kind: PageKind,
    usable_bytes: usize,
}

/// Bytes of all cells of a page at most, in pages. Well-formed cells share no bytes.
const CELL_PAGES_MAX: usize = 16;

impl<'a> BtreePage<'a> {
    /// Page `number`, if its type byte says that it is a b-tree page.
    pub fn parse(image: &'a [u8], geometry: &Geometry, number: u32) -> Option<Self> {
        let bytes = geometry.page(image, number);
        let start = Geometry::btree_offset(number);
        let kind = PageKind::from_byte(*bytes.get(start)?)?;
        Some(Self { bytes, start, kind, usable_bytes: geometry.usable_bytes })
    }

    /// Offset of the first freeblock, 0 for none.
    pub fn first_freeblock(&self) -> usize {
        read_be(self.bytes, self.start + 1, 2) as usize
    }

    /// Number of cells that the header claims.
    pub fn cell_count(&self) -> usize {
        read_be(self.bytes, self.start + 3, 2) as usize
    }

    /// Start of the cell content area; stored as 0 for 65536.
    pub fn content_start(&self) -> usize {
        match read_be(self.bytes, self.start + 5, 2) {
            0 => 65536,
            n => n as usize,
        }
    }

    /// Fragmented free bytes.
    pub fn fragmented_bytes(&self) -> u8 {
        self.bytes.get(self.start + 7).copied().unwrap_or(0)
    }

    /// The right-most child of an interior page.
    pub fn right_child(&self) -> Option<u32> {
        (!self.kind.is_leaf()).then(|| read_be(self.bytes, self.start + 8, 4) as u32)
    }

    /// Offset of the cell pointer `index` in the page.
    pub fn pointer_at(&self, index: usize) -> usize {
        self.start + self.kind.header_bytes() + 2 * index
    }

    /// Offsets of as many cells as fit in the page.
    pub fn cell_offsets(&self) -> impl Iterator<Item = usize> + use<'a> {
        let page = *self;
        let room = self.bytes.len().saturating_sub(page.pointer_at(0)) / 2;
        (0..page.cell_count().min(room)).map(move |i| read_be(page.bytes, page.pointer_at(i), 2) as usize)
    }

    /// The cell at `offset`, if it lies in the page.
    pub fn cell(&self, offset: usize) -> Option<Cell> {
        let bytes = self.bytes.get(offset..)?;
        cell::parse(bytes, self.kind, self.usable_bytes)
    }

    /// The cells that can be parsed, each with its offset in the page.
    pub fn cells(&self) -> impl Iterator<Item = (usize, Cell)> + use<'a> {
        let page = *self;
        self.cell_offsets().filter_map(move |offset| Some((offset, page.cell(offset)?)))
    }

    /// Children from left to right.
    pub fn children(&self) -> impl Iterator<Item = u32> + use<'a> {
        let children = self.cells().filter_map(|(_, cell)| cell.left_child);
        children.chain(self.right_child())
    }

    /// The bytes of the cells in order, cut at the end of the page, without cells that cannot be parsed. Overlapping
    /// cells could have thousands of times the page's bytes together, so those beyond a fixed total are left out, too.
    pub fn cell_bytes(&self) -> Vec<Vec<u8>> {
        let mut bytes_left = CELL_PAGES_MAX * self.bytes.len();
        let cut = |(offset, cell): (usize, Cell)| {
            let bytes = &self.bytes[offset..(offset + cell.length).min(self.bytes.len())];
            bytes_left = bytes_left.checked_sub(bytes.len())?;
            Some(bytes.to_vec())
        };
        self.cells().map_while(cut).collect()
    }
}

/// Writes a well-formed b-tree page to page `number`: `cells` in order, packed at the end of the usable area, no
/// freeblocks, no fragments. The database header on page 1 stays. Returns `false`, and changes nothing, if the cells do
/// not fit.
pub fn build(
    image: &mut [u8],
    geometry: &Geometry,
    number: u32,
    kind: PageKind,
    cells: &[Vec<u8>],
    right_child: u32,
) -> bool {
    let usable = geometry.usable_bytes;
    let page = geometry.page_mut(image, number);
    let start = Geometry::btree_offset(number);
    let pointers_at = start + kind.header_bytes();
    let content: usize = cells.iter().map(|cell| cell.len().max(cell::BYTES_MIN)).sum();
    if page.len() < usable || pointers_at + 2 * cells.len() + content > usable {
        return false;
    }
    page[start..usable].fill(0);
    let mut at = usable;
    for (i, cell) in cells.iter().enumerate() {
        at -= cell.len().max(cell::BYTES_MIN);
        page[at..at + cell.len()].copy_from_slice(cell);
        write_be(page, pointers_at + 2 * i, 2, at as u64);
    }
    page[start] = kind.byte();
    write_be(page, start + 3, 2, cells.len() as u64);
    write_be(page, start + 5, 2, at as u64); // 65536 is stored as 0, which the cut does
    if !kind.is_leaf() {
        write_be(page, start + 8, 4, u64::from(right_child));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbfile::{MAGIC, header};

    #[test]
    fn cells_that_overlap_are_not_multiplied() {
        let mut image = vec![0; 65536];
        image[..MAGIC.len()].copy_from_slice(MAGIC);
        header::PAGE_SIZE.set(&mut image, 1);
        let geometry = Geometry::of(&image);
        // A row of 8190 bytes with the rowid 1.
        let cell = [&[0xbf, 0x7e, 1][..], &[7; 8190]].concat();
        assert!(build(&mut image, &geometry, 1, PageKind::TableLeaf, &[cell], 0));
        let start = Geometry::btree_offset(1);
        let (at, count) = (read_be(&image, start + 8, 2), 20_000);
        write_be(&mut image, start + 3, 2, count);
        for i in 0..count as usize {
            write_be(&mut image, start + 8 + 2 * i, 2, at);
        }
        let cells = BtreePage::parse(&image, &geometry, 1).unwrap().cell_bytes();
        assert_eq!((cells.len(), cells[0].len()), (CELL_PAGES_MAX * 65536 / 8193, 8193));
    }
}
