//! Walks over b-trees, overflow chains and the freelist. Every walk ends: no page is visited twice.

use super::cell::{Cell, Payload};
use super::page::BtreePage;
use super::pointer_map::Use;
use super::{Geometry, header, read_be};

/// Longest payload that [`payload`] assembles, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1_000_000;

/// A set of page numbers of one image.
#[derive(Debug, Clone)]
pub struct PageSet(Vec<bool>);

impl PageSet {
    /// The empty set for an image of this geometry.
    pub fn new(geometry: &Geometry) -> Self {
        Self(vec![false; geometry.pages as usize + 1])
    }

    /// Adds a page; `false` if it was there already or is not a page of the image.
    pub fn insert(&mut self, page: u32) -> bool {
        match self.0.get_mut(page as usize) {
            Some(seen) if page != 0 => !std::mem::replace(seen, true),
            _ => false,
        }
    }

    /// True if the page is in the set.
    pub fn contains(&self, page: u32) -> bool {
        self.0.get(page as usize).copied().unwrap_or(false)
    }
}

/// The pages of the b-tree at `root`, parents before children, left to right. Pages whose type byte is not that of a
/// b-tree page are left out.
pub fn pages(image: &[u8], geometry: &Geometry, root: u32) -> Vec<u32> {
    let mut seen = PageSet::new(geometry);
    let mut found = Vec::new();
    let mut stack = vec![root];
    while let Some(number) = stack.pop() {
        if !seen.insert(number) {
            continue;
        }
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            continue;
        };
        found.push(number);
        if !page.kind.is_leaf() {
            let children: Vec<u32> = page.children().collect();
            stack.extend(children.into_iter().rev());
        }
    }
    found
}

/// The cells on the leaves of the b-tree at `root`, from left to right: page, offset in it, cell.
pub fn leaf_cells<'a>(
    image: &'a [u8],
    geometry: &'a Geometry,
    root: u32,
) -> impl Iterator<Item = (u32, usize, Cell)> + use<'a> {
    let leaves = pages(image, geometry, root).into_iter().filter_map(|number| {
        let page = BtreePage::parse(image, geometry, number)?;
        page.kind.is_leaf().then_some((number, page))
    });
    leaves.flat_map(|(number, page)| page.cells().map(move |(offset, cell)| (number, offset, cell)))
}

/// The pages of the overflow chain that begins at `first`.
pub fn overflow_chain(image: &[u8], geometry: &Geometry, first: u32) -> Vec<u32> {
    let mut seen = PageSet::new(geometry);
    let mut chain = Vec::new();
    let mut next = first;
    while seen.insert(next) {
        chain.push(next);
        next = read_be(geometry.page(image, next), 0, 4) as u32;
    }
    chain
}

/// The payload of the cell at `offset` of page `number`, overflow pages included; truncated if the chain ends early, or
/// at [`PAYLOAD_BYTES_MAX`].
pub fn payload(image: &[u8], geometry: &Geometry, number: u32, offset: usize, payload: &Payload) -> Vec<u8> {
    let total = usize::try_from(payload.total).unwrap_or(usize::MAX).min(PAYLOAD_BYTES_MAX);
    let page = geometry.page(image, number);
    let start = (offset + payload.start).min(page.len());
    let end = (start + payload.local).min(page.len());
    let mut bytes = page[start..end].to_vec();
    let chain = payload.overflow.map(|first| overflow_chain(image, geometry, first));
    for next in chain.unwrap_or_default() {
        if bytes.len() >= total {
            break;
        }
        let page = geometry.page(image, next);
        let usable = page.len().min(geometry.usable_bytes);
        bytes.extend_from_slice(page.get(4..usable).unwrap_or_default());
    }
    bytes.truncate(total);
    bytes
}

/// The freelist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freelist {
    /// Trunk pages in the order of the chain.
    pub trunks: Vec<u32>,
    /// Leaf pages in the order of the trunks.
    pub leaves: Vec<u32>,
}

/// The freelist of `image`. Leaf entries that are not pages of the image are kept: they are what one wants to see.
pub fn freelist(image: &[u8], geometry: &Geometry) -> Freelist {
    let mut list = Freelist::default();
    let mut seen = PageSet::new(geometry);
    let mut next = header::FREELIST_TRUNK.get(image);
    while seen.insert(next) {
        list.trunks.push(next);
        let page = geometry.page(image, next);
        let room = page.len().saturating_sub(8) / 4;
        let count = (read_be(page, 4, 4) as usize).min(room);
        list.leaves.extend((0..count).map(|i| read_be(page, 8 + 4 * i, 4) as u32));
        next = read_be(page, 0, 4) as u32;
    }
    list
}

/// The pages that the b-trees of the schema use, overflow pages included, each with its first use.
pub fn uses(image: &[u8], geometry: &Geometry) -> Vec<(u32, Use)> {
    let mut seen = PageSet::new(geometry);
    let mut found = Vec::new();
    let rows = super::schema::rows(image);
    let roots = rows.iter().filter_map(|row| row.root_page(geometry));
    let mut stack: Vec<(u32, Use)> = std::iter::once(1).chain(roots).map(|root| (root, Use::Root)).collect();
    while let Some((number, used_as)) = stack.pop() {
        if !seen.insert(number) {
            continue;
        }
        found.push((number, used_as));
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            continue;
        };
        stack.extend(page.children().map(|child| (child, Use::Child { of: number })));
        for first in page.cells().filter_map(|(_, cell)| cell.payload?.overflow) {
            let (mut next, mut used_as) = (first, Use::FirstOverflow { of: number });
            while seen.insert(next) {
                found.push((next, used_as));
                used_as = Use::Overflow { after: next };
                next = read_be(geometry.page(image, next), 0, 4) as u32;
            }
        }
    }
    found
}

/// The pages from `root` down to `target`, both included; `None` if `target` is not in the tree.
pub fn path(image: &[u8], geometry: &Geometry, root: u32, target: u32) -> Option<Vec<u32>> {
    let mut parents = vec![0; geometry.pages as usize + 1];
    let mut stack = vec![root];
    let mut seen = PageSet::new(geometry);
    seen.insert(root);
    while let Some(number) = stack.pop() {
        if number == target {
            let up = std::iter::successors(Some(target), |&page| {
                parents.get(page as usize).copied().filter(|&parent| parent != 0)
            });
            let mut path: Vec<u32> = up.collect();
            path.reverse();
            return Some(path);
        }
        let Some(page) = BtreePage::parse(image, geometry, number).filter(|page| !page.kind.is_leaf()) else {
            continue;
        };
        for child in page.children() {
            if seen.insert(child) {
                parents[child as usize] = number;
                stack.push(child);
            }
        }
    }
    None
}
