//! Cells of b-tree pages and the records in them.

use super::db_header::image_mutator;
use super::db_pages::{page_number, pick_btree_page, store};
use super::{Context, Outcome};
use crate::dbfile::page::{self, BtreePage, PageKind};
use crate::dbfile::record::{self, Value};
use crate::dbfile::{Geometry, cell, read_be, varint};

image_mutator! {
    /// Cell pointers: two are swapped, one is duplicated, or one points elsewhere.
    CellPointers => edit_pointers
}

image_mutator! {
    /// The cells of a page: dropped, duplicated, reordered, or moved to another page; the page is rebuilt and
    /// well-formed.
    CellList => edit_list
}

image_mutator! {
    /// Changes one number of a cell: payload length, rowid, child.
    CellField => edit_field
}

image_mutator! {
    /// Changes a value of a record; record, cell and page are rebuilt and well-formed.
    RecordValue => edit_value
}

image_mutator! {
    /// Changes a serial type or the header length of a record in place, so that the record lies.
    RecordType => edit_type
}

pub(super) fn edit_pointers(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(number) = pick_btree_page(image, context) else {
        return Outcome::Skipped;
    };
    let Some(page) = BtreePage::parse(image, &geometry, number) else {
        return Outcome::Skipped;
    };
    let count = page.cell_offsets().count();
    if count == 0 {
        return Outcome::Skipped;
    }
    let at = page.pointer_at(context.rng.usize(0..count));
    let other = page.pointer_at(context.rng.usize(0..count));
    let (old, old_other) = (read_be(page.bytes, at, 2), read_be(page.bytes, other, 2));
    let end = geometry.usable_bytes as u64;
    let value = match context.rng.u8(0..6) {
        0 => {
            store(image, &geometry, number, other, 2, old);
            old_other
        }
        1 => old_other,
        2 => end - context.rng.u64(0..6),
        3 => old.wrapping_add(context.rng.u64(0..9)).wrapping_sub(4),
        4 => context.rng.u64(0..end),
        _ => context.number(old, 2),
    };
    store(image, &geometry, number, at, 2, value)
}

pub(super) fn edit_list(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let (Some(number), Some(other)) = (pick_btree_page(image, context), pick_btree_page(image, context))
    else {
        return Outcome::Skipped;
    };
    let (Some(page), Some(source)) =
        (BtreePage::parse(image, &geometry, number), BtreePage::parse(image, &geometry, other))
    else {
        return Outcome::Skipped;
    };
    let mut cells = page.cell_bytes();
    let before = cells.clone();
    let count = cells.len();
    match context.rng.u8(0..5) {
        0 if count > 0 => {
            let out = context.range(count, 4).unwrap_or(0..0);
            cells.drain(out);
        }
        1 if count > 0 => {
            let copied = cells[context.rng.usize(0..count)].clone();
            cells.insert(context.rng.usize(0..=count), copied);
        }
        2 if count > 1 => cells.swap(context.rng.usize(0..count), context.rng.usize(0..count)),
        3 if count > 1 => context.rng.shuffle(&mut cells),
        _ if source.kind == page.kind => {
            let moved = source.cell_bytes();
            if let Some(cell) = context.pick(&moved) {
                cells.insert(context.rng.usize(0..=count), cell.clone());
            }
        }
        _ => {}
    }
    let (kind, right_child) = (page.kind, page.right_child().unwrap_or(0));
    if cells == before || !page::build(image, &geometry, number, kind, &cells, right_child) {
        return Outcome::Skipped;
    }
    Outcome::Mutated
}

/// A page and one of its cells.
struct Chosen {
    number: u32,
    kind: PageKind,
    index: usize,
    offset: usize,
    cell: cell::Cell,
}

fn pick_cell(image: &[u8], geometry: &Geometry, context: &mut Context<'_>) -> Option<Chosen> {
    let number = pick_btree_page(image, context)?;
    let page = BtreePage::parse(image, geometry, number)?;
    let cells: Vec<(usize, (usize, cell::Cell))> = page.cells().enumerate().collect();
    let (index, (offset, cell)) = context.pick(&cells)?.clone();
    Some(Chosen { number, kind: page.kind, index, offset, cell })
}

pub(super) fn edit_field(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(chosen) = pick_cell(image, &geometry, context) else {
        return Outcome::Skipped;
    };
    let is_child = chosen.cell.left_child.is_some() && context.chance(40);
    if is_child {
        let value = u64::from(page_number(geometry.pages, context));
        return store(image, &geometry, chosen.number, chosen.offset, 4, value);
    }
    // The varints follow the child: payload length, rowid, or both.
    let mut at = chosen.offset + if chosen.kind.is_leaf() { 0 } else { 4 };
    let page = geometry.page_mut(image, chosen.number);
    let skip_first = chosen.kind == PageKind::TableLeaf && context.chance(50);
    if skip_first {
        at += varint::read(page.get(at..).unwrap_or_default()).map_or(0, |(_, length)| length);
    }
    overwrite_varint(page, at, geometry.usable_bytes, context)
}

/// Replaces the varint at `at` by another of the same length, or by a longer one that overwrites what follows.
fn overwrite_varint(page: &mut [u8], at: usize, usable: usize, context: &mut Context<'_>) -> Outcome {
    let Some((old, length)) = page.get(at..).and_then(varint::read) else {
        return Outcome::Skipped;
    };
    // Where a payload just fits on its page, and other limits of the format.
    let usable = usable as u64;
    let edges = [usable - 35, usable - 34, (usable - 12) * 64 / 255 - 23, (usable - 12) * 32 / 255 - 23];
    let value = match context.rng.u8(0..5) {
        0 => edges[context.rng.usize(0..edges.len())],
        1 => 1 << context.rng.u32(0..64),
        2 => old.wrapping_add(context.rng.u64(0..9)).wrapping_sub(4),
        _ => context.number(old, 8),
    };
    let mut new = Vec::new();
    let keeps_length = context.chance(60);
    let value =
        if keeps_length && length < varint::BYTES_MAX { value & ((1 << (7 * length)) - 1) } else { value };
    varint::write_padded(value, length, &mut new);
    let room = page.len() - at;
    new.truncate(room);
    if page[at..at + new.len()] == new[..] {
        return Outcome::Skipped;
    }
    page[at..at + new.len()].copy_from_slice(&new);
    Outcome::Mutated
}

pub(super) fn edit_value(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(chosen) = pick_cell(image, &geometry, context) else {
        return Outcome::Skipped;
    };
    // A payload with overflow pages would need them moved, too.
    let Some(payload) = chosen.cell.payload.as_ref().filter(|payload| payload.overflow.is_none()) else {
        return Outcome::Skipped;
    };
    let Some(page) = BtreePage::parse(image, &geometry, chosen.number) else {
        return Outcome::Skipped;
    };
    let start = (chosen.offset + payload.start).min(page.bytes.len());
    let end = (start + payload.local).min(page.bytes.len());
    let mut values = record::values(&page.bytes[start..end]);
    let before = values.clone();
    let rowid = edit_values(&mut values, chosen.cell.rowid, context);
    if values == before && rowid == chosen.cell.rowid {
        return Outcome::Skipped;
    }
    let new = cell_with(&chosen, rowid, &record::encode(&values));
    let mut cells = page.cell_bytes();
    let Some(cell) = cells.get_mut(chosen.index) else {
        return Outcome::Skipped;
    };
    *cell = new;
    let right_child = page.right_child().unwrap_or(0);
    let before = page.bytes.to_vec();
    if !page::build(image, &geometry, chosen.number, chosen.kind, &cells, right_child)
        || geometry.page(image, chosen.number) == before
    {
        return Outcome::Skipped;
    }
    Outcome::Mutated
}

/// Changes one value, the number of values, or the rowid; returns the rowid.
fn edit_values(values: &mut Vec<Value>, rowid: Option<i64>, context: &mut Context<'_>) -> Option<i64> {
    let count = values.len();
    match context.rng.u8(0..12) {
        0 => values.push(value(context)),
        1 if count > 0 => drop(values.pop()),
        2 if count > 1 => values.swap(context.rng.usize(0..count), context.rng.usize(0..count)),
        3 if rowid.is_some() => return rowid.map(|old| context.number(old as u64, 8) as i64),
        _ if count > 0 => {
            let index = context.rng.usize(0..count);
            values[index] = like(&values[index], context);
        }
        _ => {}
    }
    rowid
}

/// A value of any type.
fn value(context: &mut Context<'_>) -> Value {
    match context.rng.u8(0..6) {
        0 => Value::Null,
        1 => Value::Real([0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, 1e-308, 9e15][context.rng.usize(0..7)]),
        2 => Value::Text(b"text"[..context.rng.usize(0..=4)].to_vec()),
        3 => Value::Blob(vec![context.rng.u8(..); context.rng.usize(0..40)]),
        _ => Value::Integer(context.number(0, 8) as i64),
    }
}

/// A value near the old one, or any value.
pub(super) fn like(old: &Value, context: &mut Context<'_>) -> Value {
    let mut edited = |bytes: &Vec<u8>| {
        let mut bytes = bytes.clone();
        match context.rng.u8(0..4) {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes.extend_from_within(..bytes.len().min(200)),
            _ => context.mutate_bytes(&mut bytes, 16),
        }
        bytes
    };
    match old {
        Value::Text(text) if !text.is_empty() => Value::Text(edited(text)),
        Value::Blob(blob) if !blob.is_empty() => Value::Blob(edited(blob)),
        Value::Integer(n) if context.chance(70) => Value::Integer(context.number(*n as u64, 8) as i64),
        _ => value(context),
    }
}

/// Encodes a cell like `chosen` with this rowid and payload.
fn cell_with(chosen: &Chosen, rowid: Option<i64>, payload: &[u8]) -> Vec<u8> {
    match rowid {
        Some(rowid) => cell::table_leaf(rowid, payload),
        None => {
            let mut bytes = Vec::with_capacity(payload.len() + 9);
            if let Some(child) = chosen.cell.left_child {
                bytes.extend_from_slice(&child.to_be_bytes());
            }
            varint::write(payload.len() as u64, &mut bytes);
            bytes.extend_from_slice(payload);
            bytes
        }
    }
}

pub(super) fn edit_type(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let Some(chosen) = pick_cell(image, &geometry, context) else {
        return Outcome::Skipped;
    };
    let Some(payload) = &chosen.cell.payload else {
        return Outcome::Skipped;
    };
    let page = geometry.page_mut(image, chosen.number);
    let start = (chosen.offset + payload.start).min(page.len());
    let end = (start + payload.local).min(page.len());
    let columns = record::columns(&page[start..end]);
    let Some(column) = context.pick(&columns).filter(|_| !context.chance(15)) else {
        return overwrite_varint(page, start, geometry.usable_bytes, context);
    };
    let at = start + column.type_at.start;
    let length = column.type_at.len();
    // Reserved types, constants, text for blob and vice versa, a length off by one.
    let old = column.serial_type;
    let choices = [0, 6, 7, 8, 9, 10, 11, 12, 13, old ^ 1, old.wrapping_add(2), old.wrapping_sub(2)];
    let new = choices[context.rng.usize(0..choices.len())];
    let mut bytes = Vec::new();
    varint::write_padded(new, length, &mut bytes);
    if bytes.len() != length || page[at..at + length] == bytes[..] {
        return Outcome::Skipped;
    }
    page[at..at + length].copy_from_slice(&bytes);
    Outcome::Mutated
}
