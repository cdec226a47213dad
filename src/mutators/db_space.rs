//! Pages outside of b-trees: overflow chains, freelist, pointer map.

use super::db_header::image_mutator;
use super::db_pages::{page_number, store};
use super::{Context, Outcome};
use crate::dbfile::page::BtreePage;
use crate::dbfile::{Geometry, header, pointer_map, read_be, space, tree, write_be};

/// Chains from which one is chosen.
const CHAINS_MAX: usize = 64;

image_mutator! {
    /// Breaks an overflow chain: a cycle, a premature end, a tail shared with another chain, a link to other pages.
    Overflow => edit_overflow
}

image_mutator! {
    /// Edits the freelist: wrong counts, duplicate entries, live pages in it, a cycle; or puts pages on it.
    Freelist => edit_freelist
}

image_mutator! {
    /// Changes an entry of the pointer map.
    PointerMap => edit_pointer_map
}

image_mutator! {
    /// Repairs page count, freelist and pointer map.
    Repair => repair
}

/// The overflow chains of all pages whose type byte says b-tree: where the number of the first page is stored, and the
/// pages.
fn chains(image: &[u8], geometry: &Geometry) -> Vec<((u32, usize), Vec<u32>)> {
    let mut chains = Vec::new();
    for number in 1..=geometry.pages {
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            continue;
        };
        for (offset, cell) in page.cells() {
            let Some((payload, first)) =
                cell.payload.and_then(|payload| Some((payload.clone(), payload.overflow?)))
            else {
                continue;
            };
            let place = (number, offset + payload.start + payload.local);
            chains.push((place, tree::overflow_chain(image, geometry, first)));
            if chains.len() >= CHAINS_MAX {
                return chains;
            }
        }
    }
    chains
}

pub(super) fn edit_overflow(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let chains = chains(image, &geometry);
    let (Some((first_at, chain)), Some((_, other))) = (context.pick(&chains), context.pick(&chains)) else {
        return Outcome::Skipped;
    };
    // The number that leads to a page of the chain: in the cell, or on the page before.
    let index = context.rng.usize(0..=chain.len());
    let place = if index == 0 { *first_at } else { (chain[index - 1], 0) };
    let free = tree::freelist(image, &geometry);
    let value = match context.rng.u8(0..9) {
        0 => 0,
        1 => context.pick(chain).copied().unwrap_or(1),
        2 => context.pick(other).copied().unwrap_or(0),
        3 => context.pick(&free.leaves).or(free.trunks.first()).copied().unwrap_or(1),
        4 => 2,
        5 => first_at.0,
        // Skips a page, or ends the chain.
        6 => chain.get(index + 1).copied().unwrap_or(0),
        7 => context.pick(other).copied().unwrap_or(geometry.pages),
        _ => page_number(geometry.pages, context),
    };
    store(image, &geometry, place.0, place.1, 4, u64::from(value))
}

pub(super) fn edit_freelist(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let free = tree::freelist(image, &geometry);
    let Some(&trunk) = context.pick(&free.trunks) else {
        // No trunk yet: a page of the image becomes one.
        let page = context.rng.u32(1..=geometry.pages.max(1));
        let before = image.clone();
        let mut space = space::Space::new(image, 0);
        space.release(page);
        return if *image == before { Outcome::Skipped } else { Outcome::Mutated };
    };
    let count = read_be(geometry.page(image, trunk), 4, 4);
    let most = geometry.usable_bytes as u64 / 4 - 2;
    let any_leaf = context.pick(&free.leaves).copied().unwrap_or(trunk);
    let entry = 8 + 4 * context.rng.usize(0..=(count.min(most) as usize));
    match context.rng.u8(0..9) {
        0 => {
            let counts = [0, 1, count + 1, count.wrapping_sub(1), most, most + 1, 0xffff_ffff];
            let value = counts[context.rng.usize(0..counts.len())];
            store(image, &geometry, trunk, 4, 4, value)
        }
        1 => store(image, &geometry, trunk, entry, 4, u64::from(any_leaf)),
        2 => store(image, &geometry, trunk, entry, 4, u64::from(page_number(geometry.pages, context))),
        3 => store(image, &geometry, trunk, 0, 4, u64::from(trunk)),
        4 => store(image, &geometry, trunk, 0, 4, u64::from(any_leaf)),
        5 => store(image, &geometry, trunk, 0, 4, 0),
        6 => {
            let at = header::FREELIST_TRUNK.at;
            store(image, &geometry, 1, at, 4, u64::from(any_leaf))
        }
        7 => {
            let old = u64::from(header::FREELIST_COUNT.get(image));
            let value = context.number(old, 4);
            store(image, &geometry, 1, header::FREELIST_COUNT.at, 4, value)
        }
        // The same pages in another order.
        _ => {
            let before = image.clone();
            let mut pages: Vec<u32> = free.trunks.iter().chain(&free.leaves).copied().collect();
            context.rng.shuffle(&mut pages);
            space::rebuild_freelist(image, &pages);
            if *image == before { Outcome::Skipped } else { Outcome::Mutated }
        }
    }
}

pub(super) fn edit_pointer_map(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    if !pointer_map::is_present(image) || geometry.pages < 3 {
        return Outcome::Skipped;
    }
    let page = context.rng.u32(3..=geometry.pages);
    let (map, at) = geometry.pointer_map_entry(page);
    if context.chance(40) {
        let kind = context.rng.u64(0..7);
        return store(image, &geometry, map, at, 1, kind);
    }
    let parent = page_number(geometry.pages, context);
    store(image, &geometry, map, at + 1, 4, u64::from(parent))
}

pub(super) fn repair(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let before = image.clone();
    // Now and then adds a pointer map where there was none, on a page that already has another use.
    if context.chance(10) && !pointer_map::is_present(image) {
        write_be(image, header::LARGEST_ROOT.at, 4, 3);
    }
    space::repair(image);
    if *image == before { Outcome::Skipped } else { Outcome::Mutated }
}
