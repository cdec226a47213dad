//! How a file is divided into pages.

use std::ops::Range;

use super::header;

/// Page size assumed if the header's is invalid: SQLite's default.
const FALLBACK_PAGE_BYTES: usize = 4096;

/// Offset of the lock byte, unless a test control moved it: 1 GiB
/// (<https://sqlite.org/fileformat2.html#the_lock_byte_page>).
pub const LOCK_BYTE: u32 = 0x4000_0000;

/// Page size, usable size and number of pages of a database image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Page size in bytes: a power of two from 512 to 65536.
    pub page_bytes: usize,
    /// Bytes of a page that b-trees use: the page size minus the reserved bytes, at least 480.
    pub usable_bytes: usize,
    /// Pages in the file, including a partial last one.
    pub pages: u32,
}

impl Geometry {
    /// The geometry of `image`, from its header as far as that is valid.
    pub fn of(image: &[u8]) -> Self {
        let page_bytes = header::page_size(image).unwrap_or(FALLBACK_PAGE_BYTES);
        let reserved = header::RESERVED.get(image) as usize;
        let usable_bytes = if page_bytes - reserved >= 480 { page_bytes - reserved } else { page_bytes };
        let pages = image.len().div_ceil(page_bytes) as u32;
        Self { page_bytes, usable_bytes, pages }
    }

    /// Bytes of page `number` in a file of `len` bytes; empty for a page that does not exist.
    pub fn range(&self, number: u32, len: usize) -> Range<usize> {
        let Some(index) = (number as usize).checked_sub(1) else {
            return 0..0;
        };
        let start = index.saturating_mul(self.page_bytes).min(len);
        start..start.saturating_add(self.page_bytes).min(len)
    }

    /// Page `number`; it may be cut short at the end of the file, and is empty beyond.
    pub fn page<'a>(&self, image: &'a [u8], number: u32) -> &'a [u8] {
        &image[self.range(number, image.len())]
    }

    /// Page `number` to write to.
    pub fn page_mut<'a>(&self, image: &'a mut [u8], number: u32) -> &'a mut [u8] {
        let range = self.range(number, image.len());
        &mut image[range]
    }

    /// Offset of the b-tree header in page `number`: after the database header on page 1.
    pub fn btree_offset(number: u32) -> usize {
        if number == 1 { header::HEADER_BYTES } else { 0 }
    }

    /// Entries of a pointer-map page: one per page it covers, five bytes each.
    pub fn pointer_map_entries(&self) -> u32 {
        (self.usable_bytes / 5) as u32
    }

    /// True if page `number` holds a pointer map, in a file that has one.
    pub fn is_pointer_map(&self, number: u32) -> bool {
        number >= 2 && (number - 2).is_multiple_of(self.pointer_map_entries() + 1)
    }

    /// Where the pointer-map entry of a page is: page of the map, and offset in it
    /// (<https://sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages>).
    pub fn pointer_map_entry(&self, page: u32) -> (u32, usize) {
        let group = self.pointer_map_entries() + 1;
        let map = page.saturating_sub(2) / group * group + 2;
        (map, 5 * page.saturating_sub(map + 1) as usize)
    }

    /// The page with the lock byte at this offset, which holds no data.
    pub fn lock_byte_page(&self, lock_byte: u32) -> u32 {
        (lock_byte as usize / self.page_bytes + 1) as u32
    }
}
