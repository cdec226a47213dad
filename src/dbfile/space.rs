//! Allocates and frees pages. Freelist, page count and pointer map stay right if they were right before.
//!
//! Any file will do: a broken freelist is skipped, and new pages come from the end.

use super::cell::Cell;
use super::page::BtreePage;
use super::pointer_map::{self, Use};
use super::{Geometry, header, read_be, tree, write_be};

/// Allocation does not grow an image beyond this size, in bytes.
const IMAGE_BYTES_MAX: usize = 9_000_000;

/// An image whose pages are allocated and freed.
#[derive(Debug)]
pub struct Space<'a> {
    /// The image; whole pages.
    pub image: &'a mut Vec<u8>,
    /// Its geometry, kept up to date.
    pub geometry: Geometry,
    /// Pages by which the file may still grow.
    pages_left: usize,
}

impl<'a> Space<'a> {
    /// For an image that may grow by `pages_max` pages. A partial last page is filled up.
    pub fn new(image: &'a mut Vec<u8>, pages_max: usize) -> Self {
        let geometry = Geometry::of(image);
        image.resize(geometry.pages as usize * geometry.page_bytes, 0);
        Self { image, geometry, pages_left: pages_max }
    }

    /// Allocates a page, filled with zeros, for this use: a free one, otherwise a new one at the end. `None` if the
    /// file may not grow.
    pub fn allocate(&mut self, used_as: Use) -> Option<u32> {
        let page = self.take_free().or_else(|| self.take_new())?;
        self.geometry.page_mut(self.image, page).fill(0);
        pointer_map::set(self.image, &self.geometry, page, used_as);
        Some(page)
    }

    fn take_free(&mut self) -> Option<u32> {
        let trunk = header::FREELIST_TRUNK.get(self.image);
        if !self.can_be_free(trunk) {
            return None;
        }
        let page = self.geometry.page_mut(self.image, trunk);
        let leaves = read_be(page, 4, 4) as usize;
        let taken = if leaves == 0 {
            let next = read_be(page, 0, 4) as u32;
            header::FREELIST_TRUNK.set(self.image, next);
            trunk
        } else {
            let last = (leaves - 1).min(self.geometry.usable_bytes / 4 - 3);
            let leaf = read_be(page, 8 + 4 * last, 4) as u32;
            if leaf == trunk || !self.can_be_free(leaf) {
                return None;
            }
            write_be(self.geometry.page_mut(self.image, trunk), 4, 4, last as u64);
            leaf
        };
        let count = header::FREELIST_COUNT.get(self.image).saturating_sub(1);
        header::FREELIST_COUNT.set(self.image, count);
        Some(taken)
    }

    fn can_be_free(&self, page: u32) -> bool {
        let has_map = pointer_map::is_present(self.image);
        page >= 2 && page <= self.geometry.pages && !(has_map && self.geometry.is_pointer_map(page))
    }

    fn take_new(&mut self) -> Option<u32> {
        let is_map =
            pointer_map::is_present(self.image) && self.geometry.is_pointer_map(self.geometry.pages + 1);
        let count = if is_map { 2 } else { 1 };
        let bytes = count * self.geometry.page_bytes;
        if count > self.pages_left || self.image.len() + bytes > IMAGE_BYTES_MAX {
            return None;
        }
        self.pages_left -= count;
        let is_claim_right = header::PAGE_COUNT.get(self.image) == self.geometry.pages;
        self.image.resize(self.image.len() + bytes, 0);
        self.geometry.pages += count as u32;
        if is_claim_right {
            header::PAGE_COUNT.set(self.image, self.geometry.pages);
        }
        Some(self.geometry.pages)
    }

    /// Allocates a page, filled with zeros, for a root. In a database with a pointer map roots come before all other
    /// pages, so the page after the largest root is moved elsewhere.
    pub fn allocate_root(&mut self) -> Option<u32> {
        if !pointer_map::is_present(self.image) {
            return self.allocate(Use::Root);
        }
        let mut page = header::LARGEST_ROOT.get(self.image).checked_add(1)?.max(3);
        if self.geometry.is_pointer_map(page) {
            page = page.checked_add(1)?;
        }
        if page > self.geometry.pages {
            (self.take_new()? == page).then_some(())?;
        } else {
            self.vacate(page)?;
        }
        self.geometry.page_mut(self.image, page).fill(0);
        header::LARGEST_ROOT.set(self.image, page);
        pointer_map::set(self.image, &self.geometry, page, Use::Root);
        Some(page)
    }

    /// Moves the contents of a page to another page, or takes it off the freelist, depending on the pointer map.
    fn vacate(&mut self, page: u32) -> Option<()> {
        let (kind, parent) = pointer_map::get(self.image, &self.geometry, page);
        if kind == Use::Free.entry().0 {
            let free = tree::freelist(self.image, &self.geometry);
            let others: Vec<u32> =
                free.trunks.into_iter().chain(free.leaves).filter(|&other| other != page).collect();
            rebuild_freelist(self.image, &others);
            return Some(());
        }
        let used_as =
            [Use::FirstOverflow { of: parent }, Use::Overflow { after: parent }, Use::Child { of: parent }];
        let used_as = used_as.into_iter().find(|used_as| used_as.entry().0 == kind)?;
        let at = self.reference_to(page, used_as)?;
        let new = self.allocate(used_as)?;
        let content = self.geometry.page(self.image, page).to_vec();
        let target = self.geometry.page_mut(self.image, new);
        (target.len() == content.len()).then_some(())?;
        target.copy_from_slice(&content);
        write_be(self.geometry.page_mut(self.image, parent), at, 4, u64::from(new));
        if matches!(used_as, Use::Child { .. }) {
            pointer_map::set_references(self.image, &self.geometry, new);
        } else {
            let next = read_be(&content, 0, 4) as u32;
            pointer_map::set(self.image, &self.geometry, next, Use::Overflow { after: new });
        }
        Some(())
    }

    /// Where in its parent the number of a page is stored.
    fn reference_to(&self, page: u32, used_as: Use) -> Option<usize> {
        let (_, parent) = used_as.entry();
        if let Use::Overflow { .. } = used_as {
            return (read_be(self.geometry.page(self.image, parent), 0, 4) as u32 == page).then_some(0);
        }
        let btree = BtreePage::parse(self.image, &self.geometry, parent)?;
        if let Use::FirstOverflow { .. } = used_as {
            let place = |(offset, cell): (usize, Cell)| {
                let payload = cell.payload?;
                (payload.overflow == Some(page)).then_some(offset + payload.start + payload.local)
            };
            return btree.cells().find_map(place);
        }
        let in_cell = btree.cells().find(|(_, cell)| cell.left_child == Some(page)).map(|(offset, _)| offset);
        in_cell.or((btree.right_child() == Some(page)).then_some(btree.start + 8))
    }

    /// Puts a page on the freelist: as a leaf of the first trunk if that has room, otherwise as a new trunk.
    pub fn release(&mut self, page: u32) {
        if !self.can_be_free(page) {
            return;
        }
        // The last six entries stay empty, because old versions of SQLite could not read full trunks.
        let room = self.geometry.usable_bytes / 4 - 8;
        let trunk = header::FREELIST_TRUNK.get(self.image);
        let leaves = read_be(self.geometry.page(self.image, trunk), 4, 4) as usize;
        if trunk != page && self.can_be_free(trunk) && leaves < room {
            let bytes = self.geometry.page_mut(self.image, trunk);
            write_be(bytes, 8 + 4 * leaves, 4, u64::from(page));
            write_be(bytes, 4, 4, leaves as u64 + 1);
        } else {
            let bytes = self.geometry.page_mut(self.image, page);
            bytes.fill(0);
            write_be(bytes, 0, 4, u64::from(trunk));
            header::FREELIST_TRUNK.set(self.image, page);
        }
        let count = header::FREELIST_COUNT.get(self.image).saturating_add(1);
        header::FREELIST_COUNT.set(self.image, count);
        pointer_map::set(self.image, &self.geometry, page, Use::Free);
    }
}

/// Rewrites the freelist so that it has exactly these pages, in trunks that are as full as possible.
pub fn rebuild_freelist(image: &mut Vec<u8>, pages: &[u32]) {
    header::FREELIST_TRUNK.set(image, 0);
    header::FREELIST_COUNT.set(image, 0);
    let mut space = Space::new(image, 0);
    pages.iter().for_each(|&page| space.release(page));
}

/// Makes a file of sound pages consistent: page count, freelist (exactly the pages that nothing else uses)
/// and pointer map.
pub fn repair(image: &mut Vec<u8>) {
    let geometry = Geometry::of(image);
    header::PAGE_COUNT.set(image, geometry.pages);
    let counter = header::CHANGE_COUNTER.get(image);
    header::VERSION_VALID_FOR.set(image, counter);
    let mut used = tree::PageSet::new(&geometry);
    for (page, _) in tree::uses(image, &geometry) {
        used.insert(page);
    }
    let has_map = pointer_map::is_present(image);
    let is_free = |&page: &u32| !(used.contains(page) || has_map && geometry.is_pointer_map(page));
    let free: Vec<u32> = (2..=geometry.pages).filter(is_free).collect();
    rebuild_freelist(image, &free);
    pointer_map::rebuild(image);
}
