//! Walks a tree: every page, cell, record and overflow chain.

use super::entry::{self, Order, Place};
use super::links::Links;
use super::problem::Kind;
use super::report::{PageUse, Tree};
use super::space::At;
use super::{Inspector, layout};
use crate::dbfile::cell::Payload;
use crate::dbfile::page::BtreePage;
use crate::dbfile::pointer_map::Use;
use crate::dbfile::record::Value;
use crate::dbfile::{describe, header, read_be};

/// How many levels of a tree SQLite follows at most.
const DEPTH_MAX: u32 = 20;

/// What a tree is expected to be.
pub(super) struct Plan {
    /// The schema object.
    pub(super) name: String,
    /// A table with rowids.
    pub(super) has_rowids: bool,
    /// The order of keys can be checked.
    pub(super) has_plain_keys: bool,
    /// Rows are to be compared with those of a table or its indexes.
    pub(super) links: bool,
}

/// The state of a walk.
struct Walk {
    tree: usize,
    plan: Plan,
    order: Order,
}

impl Inspector<'_> {
    /// Walks the tree at `root`, to which `from` refers; returns its number.
    pub(super) fn tree(&mut self, plan: Plan, root: u32, from: At) -> usize {
        let tree = self.trees.len();
        let (name, has_rowids) = (plan.name.clone(), plan.has_rowids);
        self.trees.push(Tree { name, root, has_rowids, ..Tree::default() });
        self.links.push(Links::default());
        if self.claim(root, from, PageUse::Btree { tree, parent: 0 }, Use::Root) {
            let mut walk = Walk { tree, plan, order: Order::default() };
            self.page(&mut walk, root, 1);
        }
        tree
    }

    /// Walks a page at this level, 1 for the root. Returns how many levels there are from it down, if that is known.
    fn page(&mut self, walk: &mut Walk, number: u32, level: u32) -> Option<u32> {
        let totals = &mut self.trees[walk.tree];
        totals.depth = totals.depth.max(level);
        let Some(page) = BtreePage::parse(self.image, &self.geometry, number) else {
            let at = crate::dbfile::Geometry::btree_offset(number);
            let what = format!("the type byte is {}", read_be(self.geometry.page(self.image, number), at, 1));
            self.problems.add(
                Kind::NotBtree,
                number,
                at,
                what,
                expected_types(walk.plan.has_rowids).to_owned(),
            );
            return None;
        };
        if level > DEPTH_MAX {
            let what = format!("the page is at level {level}");
            self.problems.add(Kind::Depth, number, page.start, what, format!("at most {DEPTH_MAX} levels"));
            return None;
        }
        let pages = if page.kind.is_leaf() { &mut totals.leaf_pages } else { &mut totals.interior_pages };
        *pages += 1;
        if page.kind.is_table() != walk.plan.has_rowids {
            let what = format!("the type byte is {}", page.kind.byte());
            let expected = expected_types(walk.plan.has_rowids).to_owned();
            self.problems.add(Kind::PageType, number, page.start, what, expected);
        }
        let layout = layout::check(&page, number, &self.geometry, &mut self.problems);
        let found = &mut self.found[number as usize];
        found.type_byte = Some(page.kind.byte());
        found.cells = Some(page.cell_count());
        found.free_bytes = Some(layout.free_bytes);
        let may_be_empty = if page.kind.is_leaf() { level == 1 } else { number == 1 };
        if page.cell_count() == 0 && !may_be_empty {
            let what = "the page has no cells".to_owned();
            self.problems.add(Kind::EmptyPage, number, page.start + 3, what, "at least one".to_owned());
        }
        let mut below = None;
        for placed in &layout.cells {
            if let Some(child) = placed.cell.left_child {
                let from = At { page: number, at: placed.offset };
                self.child(walk, child, from, level, &mut below);
            }
            self.cell(walk, number, page.kind.is_leaf(), placed);
        }
        if let Some(child) = page.right_child() {
            self.child(walk, child, At { page: number, at: page.start + 8 }, level, &mut below);
            return below.map(|below| below + 1);
        }
        Some(1)
    }

    /// Walks a child; `below` is the number of levels below the children before it.
    fn child(&mut self, walk: &mut Walk, child: u32, from: At, level: u32, below: &mut Option<u32>) {
        let used_as = PageUse::Btree { tree: walk.tree, parent: from.page };
        if !self.claim(child, from, used_as, Use::Child { of: from.page }) {
            return;
        }
        let own = self.page(walk, child, level + 1);
        if let (Some(own), Some(others)) = (own, *below)
            && own != others
        {
            let what = format!("below the child page {child} there are {own} levels");
            self.problems.add(Kind::Depth, from.page, from.at, what, format!("{others}, as before it"));
        }
        *below = below.or(own);
    }

    fn cell(&mut self, walk: &mut Walk, number: u32, is_leaf: bool, placed: &layout::Placed) {
        let layout::Placed { index, offset, ref cell, is_inside } = *placed;
        if let Some(rowid) = cell.rowid {
            walk.order.rowid(rowid, is_leaf, number, offset, &mut self.problems);
        }
        let Some(payload) = &cell.payload else {
            return;
        };
        let totals = &mut self.trees[walk.tree];
        totals.rows += 1;
        totals.payload_bytes = totals.payload_bytes.saturating_add(payload.total);
        if let Some(rowid) = cell.rowid.filter(|_| walk.plan.links) {
            self.links[walk.tree].add(rowid, number, offset);
        }
        if !is_inside {
            return;
        }
        let Some(bytes) = self.payload(walk.tree, number, offset, payload) else {
            return;
        };
        let place = Place { page: number, at: offset + payload.start, index, rowid: cell.rowid };
        let columns = entry::check(&bytes, &place, &mut self.problems);
        if walk.plan.has_rowids || !(walk.plan.has_plain_keys || walk.plan.links) {
            return;
        }
        let key = entry::key(&bytes, &columns);
        if walk.plan.links {
            self.links[walk.tree].add_entry(key.last(), number, offset);
        }
        if walk.plan.has_plain_keys {
            if !walk.order.may_follow(&key) {
                let what = format!("the entry {} follows a larger one", self.show(&key));
                let expected = "entries in the order of their keys".to_owned();
                self.problems.add(Kind::KeyOrder, number, offset, what, expected);
            }
            walk.order.entry(key);
        }
    }

    /// The payload of a cell, while recording its overflow pages; `None` if it is incomplete, or too much was read.
    fn payload(&mut self, tree: usize, number: u32, offset: usize, payload: &Payload) -> Option<Vec<u8>> {
        let start = offset + payload.start;
        let local = self.geometry.page(self.image, number).get(start..start + payload.local)?;
        let is_read = local.len() <= self.record_bytes_left;
        self.record_bytes_left = if is_read { self.record_bytes_left - local.len() } else { 0 };
        let mut bytes = if is_read { local.to_vec() } else { Vec::new() };
        if let Some(first) = payload.overflow {
            let room = self.geometry.usable_bytes - 4;
            let rest = payload.total - payload.local as u64;
            let needed = rest.div_ceil(room as u64);
            let mut from = At { page: number, at: start + payload.local };
            let (mut next, mut entry) = (first, Use::FirstOverflow { of: number });
            for i in 0..needed {
                if next == 0 {
                    let what = format!("the overflow chain of the cell at {offset} of page {number} ends");
                    let expected = format!("page {} of its {needed}", i + 1);
                    self.problems.add(Kind::OverflowShort, from.page, from.at, what, expected);
                    return None;
                }
                if !self.claim(next, from, PageUse::Overflow { tree, of: number }, entry) {
                    return None;
                }
                self.trees[tree].overflow_pages += 1;
                let page = self.geometry.page(self.image, next);
                bytes.extend_from_slice(&page[4..4 + room]);
                from = At { page: next, at: 0 };
                entry = Use::Overflow { after: next };
                next = read_be(page, 0, 4) as u32;
            }
            if next != 0 {
                let what = format!("the overflow chain of page {number} continues to page {next}");
                let expected = format!("0: its payload needs {needed} pages");
                self.problems.add(Kind::OverflowLong, from.page, from.at, what, expected);
            }
            bytes.truncate(usize::try_from(payload.total).unwrap_or(usize::MAX));
        }
        is_read.then_some(bytes)
    }

    fn show(&self, key: &[Value]) -> String {
        /// How many values of a key are shown at most.
        const VALUES_MAX: usize = 6;
        let encoding = header::ENCODING.get(self.image);
        let values = key.iter().take(VALUES_MAX).map(|value| describe::value(value, encoding));
        let more = if key.len() > VALUES_MAX { ", …" } else { "" };
        format!("({}{more})", values.collect::<Vec<_>>().join(", "))
    }
}

fn expected_types(has_rowids: bool) -> &'static str {
    if has_rowids { "5 or 13: a table with rowids" } else { "2 or 10: an index, or a table WITHOUT ROWID" }
}
