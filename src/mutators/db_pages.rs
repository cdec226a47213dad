//! Pages: their headers, the pointers between them, whole pages copied.

use super::db_header::image_mutator;
use super::{Context, Outcome};
use crate::dbfile::page::{BtreePage, PageKind};
use crate::dbfile::{Geometry, header, read_be, tree, write_be};

/// A b-tree page of the image, preferably one that the schema reaches.
pub(super) fn pick_btree_page(image: &[u8], context: &mut Context<'_>) -> Option<u32> {
    let geometry = Geometry::of(image);
    let all = btree_pages(image, &geometry);
    // The first page decides whether the database opens at all; in a small database it would be chosen too often.
    let chosen = context.pick(&all).copied();
    if chosen == Some(1) && context.chance(60) { context.pick(&all).copied() } else { chosen }
}

/// Pages whose type byte says that they are b-tree pages.
fn btree_pages(image: &[u8], geometry: &Geometry) -> Vec<u32> {
    (1..=geometry.pages).filter(|&number| BtreePage::parse(image, geometry, number).is_some()).collect()
}

/// A page number: of the image, around its end, or special.
pub(super) fn page_number(pages: u32, context: &mut Context<'_>) -> u32 {
    match context.rng.u8(0..8) {
        0 => 0,
        1 => 1,
        2 => pages,
        3 => pages.saturating_add(1),
        4 => context.rng.u32(..),
        _ => context.rng.u32(1..=pages.max(1)),
    }
}

/// Writes a number of `width` bytes into a page; skipped if it is there already.
pub(super) fn store(
    image: &mut [u8],
    geometry: &Geometry,
    number: u32,
    at: usize,
    width: usize,
    value: u64,
) -> Outcome {
    let page = geometry.page_mut(image, number);
    let old = read_be(page, at, width);
    write_be(page, at, width, value);
    if read_be(page, at, width) == old { Outcome::Skipped } else { Outcome::Mutated }
}

image_mutator! {
    /// Changes one field of a b-tree page's header.
    PageHeader => edit_header
}

pub(super) fn edit_header(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(number) = pick_btree_page(image, context) else {
        return Outcome::Skipped;
    };
    let start = Geometry::btree_offset(number);
    if context.chance(25) {
        let kind = PageKind::ALL[context.rng.usize(0..4)];
        return store(image, &geometry, number, start, 1, u64::from(kind.byte()));
    }
    // First freeblock, cell count, content start, fragmented bytes, right child.
    let fields = [(1, 2), (3, 2), (5, 2), (7, 1), (8, 4)];
    let (offset, width) = fields[context.rng.usize(0..fields.len())];
    let old = read_be(geometry.page(image, number), start + offset, width);
    let value = match context.rng.u8(0..4) {
        0 => context.rng.u64(0..geometry.page_bytes as u64),
        1 if width == 4 => u64::from(page_number(geometry.pages, context)),
        2 => old.wrapping_add(context.rng.u64(0..9)).wrapping_sub(4),
        _ => context.number(old, width),
    };
    store(image, &geometry, number, start + offset, width, value)
}

image_mutator! {
    /// Copies a page over another.
    CopyPage => copy
}

pub(super) fn copy(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let from = context.rng.u32(1..=geometry.pages.max(1));
    let to = context.rng.u32(1..=geometry.pages.max(1));
    // Page 1 begins with the database header: its first 100 bytes are neither copied nor overwritten.
    let skip = if from == 1 || to == 1 { header::HEADER_BYTES } else { 0 };
    let source = geometry.page(image, from).get(skip..).unwrap_or_default().to_vec();
    let page = geometry.page_mut(image, to);
    let Some(target) = page.get_mut(skip..) else {
        return Outcome::Skipped;
    };
    let count = source.len().min(target.len());
    if target[..count] == source[..count] {
        return Outcome::Skipped;
    }
    target[..count].copy_from_slice(&source[..count]);
    Outcome::Mutated
}

image_mutator! {
    /// Changes a page number stored in a page: child, overflow, freelist, pointer map.
    PagePointer => edit_pointer
}

/// Where a page number is stored: page and offset.
type Place = (u32, usize);

pub(super) fn edit_pointer(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let mut places = tree_pointers(image, &geometry);
    places.extend(list_pointers(image, &geometry));
    let Some(&(number, at)) = context.pick(&places) else {
        return Outcome::Skipped;
    };
    // Half the time a page that something else refers to, so that the two share it.
    let value = match context.pick(&places) {
        Some(&(page, offset)) if context.chance(50) => read_be(geometry.page(image, page), offset, 4),
        _ => u64::from(page_number(geometry.pages, context)),
    };
    store(image, &geometry, number, at, 4, value)
}

/// Children and first overflow pages.
fn tree_pointers(image: &[u8], geometry: &Geometry) -> Vec<Place> {
    let mut places = Vec::new();
    for number in btree_pages(image, geometry) {
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            continue;
        };
        if !page.kind.is_leaf() {
            places.push((number, page.start + 8));
        }
        for (offset, cell) in page.cells() {
            if cell.left_child.is_some() {
                places.push((number, offset));
            }
            if let Some(payload) = cell.payload.filter(|payload| payload.overflow.is_some()) {
                let first = offset + payload.start + payload.local;
                places.push((number, first));
                let chain = tree::overflow_chain(image, geometry, payload.overflow.unwrap_or(0));
                places.extend(chain.into_iter().map(|page| (page, 0)));
            }
        }
    }
    places
}

/// Freelist trunks, their entries, and pointer-map entries.
fn list_pointers(image: &[u8], geometry: &Geometry) -> Vec<Place> {
    const ENTRIES_MAX: usize = 6;
    let mut places = vec![(1, header::FREELIST_TRUNK.at)];
    for trunk in tree::freelist(image, geometry).trunks {
        places.extend((0..2 + ENTRIES_MAX).map(|i| (trunk, 4 * i)));
    }
    if header::LARGEST_ROOT.get(image) != 0 && geometry.pages >= 2 {
        let entries = geometry.pages.min(geometry.pointer_map_entries()) as usize;
        places.extend((0..entries).map(|i| (2, 5 * i + 1)));
    }
    places
}
