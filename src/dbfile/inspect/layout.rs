//! A b-tree page on its own: pointers, cells, freeblocks, and whether they cover the page (`btreeInitPage`,
//! `btreeComputeFreeSpace` and the end of `checkTreePage` in SQLite's `btree.c`).

use super::problem::{Kind, Problems};
use crate::dbfile::cell::{self, Cell};
use crate::dbfile::page::BtreePage;
use crate::dbfile::{Geometry, read_be};

/// Smallest freeblock, and smallest gap between two, in bytes.
const FREEBLOCK_BYTES_MIN: usize = 4;

/// A cell that could be read.
pub(super) struct Placed {
    /// Its index in the page.
    pub(super) index: usize,
    /// Its offset in the page.
    pub(super) offset: usize,
    pub(super) cell: Cell,
    /// It lies within the page.
    pub(super) is_inside: bool,
}

/// The contents of a page.
pub(super) struct Layout {
    pub(super) cells: Vec<Placed>,
    /// Free bytes according to the page header and the freeblocks.
    pub(super) free_bytes: usize,
}

/// Reads page `number` and records its contradictions.
pub(super) fn check(
    page: &BtreePage<'_>,
    number: u32,
    geometry: &Geometry,
    problems: &mut Problems,
) -> Layout {
    let before = problems.list.len() + problems.left_out;
    let usable = geometry.usable_bytes;
    let pointers_end = page.pointer_at(page.cell_count());
    if pointers_end > usable {
        let most = (usable - page.pointer_at(0)) / 2;
        let what = format!("the page claims {} cells", page.cell_count());
        problems.add(Kind::CellCount, number, page.start + 3, what, format!("at most {most}"));
    }
    let content_start = page.content_start();
    let pointers_end = pointers_end.min(usable);
    if content_start < pointers_end || content_start > usable {
        let what = format!("cell content begins at {content_start}");
        problems.add(Kind::ContentStart, number, page.start + 5, what, format!("{pointers_end} to {usable}"));
    }
    let cells = cells(page, number, pointers_end.max(content_start.min(usable)), usable, problems);
    let freeblocks = freeblocks(page, number, content_start, usable, problems);
    let free: usize = freeblocks.iter().map(|(_, length)| length).sum();
    // If pointers or the list are wrong, so is the coverage.
    if problems.list.len() + problems.left_out == before {
        coverage(page, number, &cells, &freeblocks, usable, problems);
    }
    let gap = content_start.saturating_sub(pointers_end);
    Layout { cells, free_bytes: gap + free + usize::from(page.fragmented_bytes()) }
}

fn cells(
    page: &BtreePage<'_>,
    number: u32,
    content_start: usize,
    usable: usize,
    problems: &mut Problems,
) -> Vec<Placed> {
    let mut cells = Vec::new();
    for (index, offset) in page.cell_offsets().enumerate() {
        let last = usable - cell::BYTES_MIN;
        if offset < content_start || offset > last {
            let what = format!("cell {index} is supposed to be at {offset}");
            problems.add(
                Kind::CellPointer,
                number,
                page.pointer_at(index),
                what,
                format!("{content_start} to {last}"),
            );
        }
        let parsed = page.cell(offset);
        let end = parsed.as_ref().map_or(usize::MAX, |cell| offset + cell.length);
        let is_inside = end <= usable && offset >= page.pointer_at(0);
        if offset <= last && end > usable {
            let reach = parsed.as_ref().map_or("beyond the page".to_owned(), |_| format!("to byte {end}"));
            let what = format!("cell {index} extends {reach}");
            problems.add(Kind::CellOutside, number, offset, what, format!("an end at {usable} or before"));
        }
        cells.extend(parsed.map(|cell| Placed { index, offset, cell, is_inside }));
    }
    cells
}

/// Offset and length of each freeblock, as far as their list can be followed.
fn freeblocks(
    page: &BtreePage<'_>,
    number: u32,
    content_start: usize,
    usable: usize,
    problems: &mut Problems,
) -> Vec<(usize, usize)> {
    let mut blocks = Vec::new();
    let (mut from, mut at) = (page.start + 1, page.first_freeblock());
    let mut lowest = content_start;
    while at != 0 {
        if at < lowest || at + FREEBLOCK_BYTES_MIN > usable {
            let what = format!("a freeblock is supposed to be at {at}");
            let expected = format!("0, or {lowest} to {}", usable - FREEBLOCK_BYTES_MIN);
            problems.add(Kind::Freeblock, number, from, what, expected);
            break;
        }
        let length = read_be(page.bytes, at + 2, 2) as usize;
        if length < FREEBLOCK_BYTES_MIN || at + length > usable {
            let what = format!("the freeblock at {at} has {length} bytes");
            let expected = format!("{FREEBLOCK_BYTES_MIN} to {}", usable - at);
            problems.add(Kind::Freeblock, number, at + 2, what, expected);
            break;
        }
        blocks.push((at, length));
        from = at;
        // Anything closer would be part of the same block.
        lowest = at + length + FREEBLOCK_BYTES_MIN;
        at = read_be(page.bytes, at, 2) as usize;
    }
    blocks
}

/// From the start of the content area on, each byte belongs to one cell, to one freeblock, or to none, and the header
/// counts the last kind.
fn coverage(
    page: &BtreePage<'_>,
    number: u32,
    cells: &[Placed],
    freeblocks: &[(usize, usize)],
    usable: usize,
    problems: &mut Problems,
) {
    let in_cells = cells
        .iter()
        .map(|placed| (placed.offset, placed.offset + placed.cell.length, format!("cell {}", placed.index)));
    let in_blocks =
        freeblocks.iter().map(|&(at, length)| (at, at + length, format!("the freeblock at {at}")));
    let mut spans: Vec<(usize, usize, String)> = in_cells.chain(in_blocks).collect();
    spans.sort_by_key(|&(start, end, _)| (start, end));
    let (mut end, mut fragments) = (page.content_start(), 0);
    let mut last: Option<&str> = None;
    let mut overlaps = false;
    for (start, own_end, name) in &spans {
        match last {
            Some(last) if *start < end => {
                overlaps = true;
                let what = format!("{name} begins at {start}, within {last}");
                problems.add(Kind::Overlap, number, *start, what, format!("{end} or behind"));
            }
            _ => fragments += start.saturating_sub(end),
        }
        if *own_end > end {
            end = *own_end;
            last = Some(name);
        }
        last = last.or(Some(name));
    }
    fragments += usable - end;
    if !overlaps && fragments != usize::from(page.fragmented_bytes()) {
        let what = format!("the page claims {} fragmented bytes", page.fragmented_bytes());
        problems.add(Kind::Fragments, number, page.start + 7, what, fragments.to_string());
    }
}
