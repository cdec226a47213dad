//! References to pages, the freelist, the pointer map, and pages that nothing refers to.

use super::Inspector;
use super::problem::Kind;
use super::report::{PageUse, in_words};
use crate::dbfile::pointer_map::Use;
use crate::dbfile::{Geometry, header, read_be};

/// Where a page number is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) page: u32,
    pub(super) at: usize,
}

impl Inspector<'_> {
    /// Marks the pages that no reference may lead to.
    pub(super) fn mark_special(&mut self) {
        for number in 1..=self.geometry.pages {
            let used_as = if number > self.pages {
                PageUse::Behind
            } else if number == self.lock_byte_page {
                PageUse::LockByte
            } else if self.has_map && number == self.map_of(number) {
                PageUse::PointerMap
            } else {
                continue;
            };
            self.found[number as usize].used_as = used_as;
        }
    }

    /// The pointer-map page that covers a page, or that the page is.
    pub(super) fn map_of(&self, page: u32) -> u32 {
        let (map, _) = self.geometry.pointer_map_entry(page);
        // If the lock byte falls on a map page, the map is on the next page.
        if map == self.lock_byte_page { map + 1 } else { map }
    }

    /// Records that `from` refers to a page. `false` if that is outside of the database, or in use already.
    pub(super) fn claim(&mut self, page: u32, from: At, used_as: PageUse, entry: Use) -> bool {
        if page == 0 || page > self.pages {
            let what = format!("refers to page {page}, {}", role(used_as));
            let expected = format!("2 to {}", self.pages);
            self.problems.add(Kind::PageNumber, from.page, from.at, what, expected);
            return false;
        }
        let found = &mut self.found[page as usize];
        if found.used_as != PageUse::Unused {
            found.further_references = found.further_references.saturating_add(1);
            let before = in_words(self.found[page as usize].used_as, &self.trees);
            let what = format!("refers to page {page}, {}", role(used_as));
            let expected = format!("another page: {page} is {before}");
            self.problems.add(Kind::SecondReference, from.page, from.at, what, expected);
            return false;
        }
        found.used_as = used_as;
        self.check_map(page, entry);
        true
    }

    fn check_map(&mut self, page: u32, entry: Use) {
        if !self.has_map || page < 3 {
            return;
        }
        let map = self.map_of(page);
        let at = 5 * (page as usize).saturating_sub(map as usize + 1);
        let bytes = self.geometry.page(self.image, map);
        let found = (read_be(bytes, at, 1) as u8, read_be(bytes, at + 1, 4) as u32);
        if found != entry.entry() {
            let what = format!("the pointer map says of page {page}: {}", map_entry(found));
            self.problems.add(Kind::PointerMap, map, at, what, map_entry(entry.entry()));
        }
    }

    /// Walks the freelist.
    pub(super) fn freelist(&mut self) {
        self.free.claimed = header::FREELIST_COUNT.get(self.image);
        let mut from = At { page: 1, at: header::FREELIST_TRUNK.at };
        let mut next = header::FREELIST_TRUNK.get(self.image);
        let mut is_whole = true;
        while next != 0 {
            if !self.claim(next, from, PageUse::FreelistTrunk, Use::Free) {
                is_whole = false;
                break;
            }
            self.free.trunks += 1;
            self.trunk(next);
            from = At { page: next, at: 0 };
            next = read_be(self.geometry.page(self.image, next), 0, 4) as u32;
        }
        let count = self.free.trunks.saturating_add(self.free.leaves);
        if count != self.free.claimed {
            let what = format!("the header claims {} free pages", self.free.claimed);
            let so_far = if is_whole { "" } else { " up to where the freelist breaks off" };
            let at = header::FREELIST_COUNT.at;
            self.problems.add(Kind::FreelistCount, 1, at, what, format!("{count}{so_far}"));
        }
    }

    fn trunk(&mut self, trunk: u32) {
        let bytes = self.geometry.page(self.image, trunk);
        let room = (self.geometry.usable_bytes / 4 - 2) as u64;
        let mut leaves = read_be(bytes, 4, 4);
        if leaves > room {
            let what = format!("the freelist trunk claims {leaves} leaves");
            self.problems.add(Kind::FreelistTrunk, trunk, 4, what, format!("at most {room}"));
            leaves = room;
        }
        self.found[trunk as usize].cells = Some(leaves as usize);
        self.free.leaves = self.free.leaves.saturating_add(leaves as u32);
        for i in 0..leaves as usize {
            let at = 8 + 4 * i;
            let leaf = read_be(bytes, at, 4) as u32;
            self.claim(leaf, At { page: trunk, at }, PageUse::FreelistLeaf { trunk }, Use::Free);
        }
    }

    /// Records pages that nothing refers to.
    pub(super) fn unused(&mut self) {
        for number in 1..=self.pages {
            if self.found[number as usize].used_as == PageUse::Unused {
                let what = "nothing refers to the page".to_owned();
                let expected = "a use, or a place on the freelist".to_owned();
                let at = Geometry::btree_offset(number);
                self.problems.add(Kind::Unused, number, at, what, expected);
            }
        }
    }
}

fn role(used_as: PageUse) -> &'static str {
    match used_as {
        PageUse::Btree { parent: 0, .. } => "as a root",
        PageUse::Btree { .. } => "as a child",
        PageUse::Overflow { .. } => "as an overflow page",
        PageUse::FreelistTrunk => "as a freelist trunk",
        _ => "as free",
    }
}

/// An entry of the pointer map in words.
pub(super) fn map_entry((kind, parent): (u8, u32)) -> String {
    match kind {
        1 => format!("a root (parent {parent})"),
        2 => format!("free (parent {parent})"),
        3 => format!("first overflow page of page {parent}"),
        4 => format!("overflow page after page {parent}"),
        5 => format!("child of page {parent}"),
        other => format!("type {other}, page {parent}"),
    }
}
