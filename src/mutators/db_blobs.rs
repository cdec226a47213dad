//! The blobs that virtual tables keep in their shadow tables. The tables are found by name in the schema, and values
//! are stored through the record layer, so that everything around them stays sound.
//!
//! Modes: *consistent* (the blob is parsed, changed, and written back with correct lengths), *one lie* (a single number
//! is changed in place), *raw* (libFuzzer's byte mutations).

use super::db_cells::like;
use super::db_header::image_mutator;
use super::db_rows::{atomically, pick_row, text};
use super::{Context, Outcome, blob_fts3, blob_fts5, blob_rtree};
use crate::dbfile::blob::{self, Field, Part, ShadowTable, fts5};
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::space::Space;
use crate::dbfile::{Geometry, schema};

/// Bytes by which a blob may grow under libFuzzer's mutations.
const RAW_ROOM_BYTES: usize = 64;

/// How a blob is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Consistent,
    Lie,
    Raw,
}

impl Mode {
    pub(super) fn pick(context: &mut Context<'_>) -> Self {
        match context.rng.u8(0..10) {
            0..5 => Self::Consistent,
            5..8 => Self::Lie,
            _ => Self::Raw,
        }
    }
}

image_mutator! {
    /// Edits tables of FTS3 and FTS4.
    Fts3 => edit_fts3
}

image_mutator! {
    /// Edits tables of FTS5.
    Fts5 => edit_fts5
}

image_mutator! {
    /// Edits tables of R-Tree and geopoly.
    Rtree => edit_rtree
}

pub(super) fn edit_fts3(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let mode = Mode::pick(context);
    edit_fts3_as(image, mode, context)
}

/// As [`edit_fts3`], in this mode.
pub(super) fn edit_fts3_as(image: &mut Vec<u8>, mode: Mode, context: &mut Context<'_>) -> Outcome {
    use Part::{Fts3Content, Fts3Docsize, Fts3Segdir, Fts3Segments, Fts3Stat};
    let parts =
        [Fts3Segdir, Fts3Segdir, Fts3Segdir, Fts3Segments, Fts3Segments, Fts3Stat, Fts3Docsize, Fts3Content];
    edit(image, &parts, mode, context)
}

pub(super) fn edit_fts5(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let mode = Mode::pick(context);
    edit_fts5_as(image, mode, context)
}

/// As [`edit_fts5`], in this mode.
pub(super) fn edit_fts5_as(image: &mut Vec<u8>, mode: Mode, context: &mut Context<'_>) -> Outcome {
    use Part::{Fts5Config, Fts5Content, Fts5Data, Fts5Docsize, Fts5Idx};
    let parts = [Fts5Data, Fts5Data, Fts5Data, Fts5Data, Fts5Idx, Fts5Docsize, Fts5Config, Fts5Content];
    edit(image, &parts, mode, context)
}

pub(super) fn edit_rtree(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let mode = Mode::pick(context);
    edit_rtree_as(image, mode, context)
}

/// As [`edit_rtree`], in this mode.
pub(super) fn edit_rtree_as(image: &mut Vec<u8>, mode: Mode, context: &mut Context<'_>) -> Outcome {
    use Part::{GeopolyRowid, RtreeNode, RtreeParent, RtreeRowid};
    let parts = [RtreeNode, RtreeNode, RtreeNode, RtreeParent, RtreeRowid, GeopolyRowid, GeopolyRowid];
    edit(image, &parts, mode, context)
}

/// Edits a row of a table of one of these parts.
pub(super) fn edit(image: &mut Vec<u8>, parts: &[Part], mode: Mode, context: &mut Context<'_>) -> Outcome {
    let tables = blob::shadow_tables(&schema::rows(image), &Geometry::of(image));
    // By part first: a table with many kinds of rows is worth more than one with a single kind.
    let part = context.pick(parts).copied();
    let of_part: Vec<&ShadowTable> = tables.iter().filter(|table| Some(table.part) == part).collect();
    let any: Vec<&ShadowTable> = tables.iter().filter(|table| parts.contains(&table.part)).collect();
    let Some(table) = context.pick(&of_part).or(context.pick(&any)) else {
        return Outcome::Skipped;
    };
    atomically(image, context, |space, context| {
        let row = pick_row(space.image, table.root, context)?;
        edit_row(space, table, &row, mode, context)
    })
}

fn edit_row(
    space: &mut Space<'_>,
    table: &ShadowTable,
    row: &Row,
    mode: Mode,
    context: &mut Context<'_>,
) -> Option<()> {
    let payload = row.read(space.image, &space.geometry);
    let mut values = record::values(&payload);
    if table.part == Part::Fts5Data && mode != Mode::Consistent && context.chance(15) {
        return renumber(space, row, &payload, context);
    }
    let blobs = values.iter().positions(|value| matches!(value, Value::Blob(blob) if !blob.is_empty()));
    match context.pick(&blobs).copied().filter(|_| !is_number_turn(table.part, mode, context)) {
        Some(index) => {
            let Value::Blob(old) = &values[index] else {
                return None;
            };
            let new = edit_blob(table, row.rowid.unwrap_or(0), old, mode, context)?;
            (new.len() <= old.len() + context.room()).then_some(())?;
            values[index] = Value::Blob(new);
        }
        None => edit_numbers(space, table, &mut values, mode, context)?,
    }
    rows::replace(space, row, row.rowid, &record::encode(&values))
}

/// Tables whose other columns have a meaning, too.
fn is_number_turn(part: Part, mode: Mode, context: &mut Context<'_>) -> bool {
    match part {
        Part::Fts3Segdir => context.chance(40),
        // The term is the key.
        Part::Fts5Idx => mode == Mode::Consistent || context.chance(50),
        _ => false,
    }
}

fn edit_blob(
    table: &ShadowTable,
    id: i64,
    old: &[u8],
    mode: Mode,
    context: &mut Context<'_>,
) -> Option<Vec<u8>> {
    match (mode, table.part) {
        (Mode::Raw, _) => {
            let mut new = old.to_vec();
            context.mutate_bytes(&mut new, RAW_ROOM_BYTES);
            Some(new)
        }
        (_, Part::Fts3Segdir | Part::Fts3Segments) => blob_fts3::node(old, mode, context),
        (_, Part::Fts3Docsize | Part::Fts3Stat) => {
            lie(old, &crate::dbfile::blob::fts3::varints(old, 0, old.len()), context)
        }
        (_, Part::Fts5Data) => blob_fts5::data(fts5::Id::kind(id), old, mode, context),
        (_, Part::Fts5Docsize) => lie(old, &blob::varints(old, 0), context),
        (_, Part::RtreeNode) => blob_rtree::node(old, table.dimensions, mode, context),
        (_, Part::GeopolyRowid) => blob_rtree::shape(old, mode, context),
        _ => match like(&Value::Blob(old.to_vec()), context) {
            Value::Blob(new) => Some(new),
            _ => None,
        },
    }
}

/// Changes one number.
pub(super) fn lie(old: &[u8], fields: &[Field], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let field = context.pick(fields)?;
    let width = if field.at.len() > 4 || context.chance(15) { 8 } else { field.at.len() };
    let number = field.get(old);
    let value = match context.rng.u8(0..4) {
        0 => number.wrapping_add(1),
        1 => context.pick(fields)?.get(old),
        _ => context.number(number, width),
    };
    let mut new = old.to_vec();
    field.set(&mut new, value);
    (new != old).then_some(new)
}

/// Changes a number or text in a column; consistent only if no index covers it.
fn edit_numbers(
    space: &Space<'_>,
    table: &ShadowTable,
    values: &mut [Value],
    mode: Mode,
    context: &mut Context<'_>,
) -> Option<()> {
    let first = match table.part {
        // Level and index of a segment are its key.
        Part::Fts3Segdir if mode == Mode::Consistent => 2,
        Part::Fts5Idx if mode == Mode::Consistent => 2,
        Part::Fts5Config => 1,
        _ => 0,
    };
    let range = context.range(values.len().checked_sub(first)?, 1)?;
    let index = first + range.start;
    values[index] = match (table.part, index) {
        (Part::Fts3Segdir, 4) => end_block(space, &values[index], context),
        // Any version but these locks the whole table.
        (Part::Fts5Config, 1) if mode == Mode::Consistent && values[0] == text(space.image, "version") => {
            Value::Integer(if values[1] == Value::Integer(4) { 5 } else { 4 })
        }
        _ => like(&values[index], context),
    };
    Some(())
}

/// The last block of a segment: a number, or a text with that number and the size of the segment.
fn end_block(space: &Space<'_>, old: &Value, context: &mut Context<'_>) -> Value {
    let old = match old {
        Value::Integer(number) => *number,
        _ => 0,
    };
    let block = if context.chance(50) { old } else { context.number(old as u64, 8) as i64 };
    let size = context.number(100, 8) as i64;
    match context.rng.u8(0..5) {
        0 => Value::Integer(block),
        1 => text(space.image, &format!("{block}  -{size}")),
        2 => text(space.image, &format!("{block} x")),
        _ => text(space.image, &format!("{block} {size}")),
    }
}

/// Gives a row of FTS5's `%_data` another id: segment, page, height or kind.
fn renumber(space: &mut Space<'_>, row: &Row, payload: &[u8], context: &mut Context<'_>) -> Option<()> {
    let old = row.rowid?;
    let mut id = fts5::Id::of(old);
    match context.rng.u8(0..4) {
        0 => id.segment = context.rng.i64(0..4) + if context.chance(30) { 1 << 16 } else { 0 },
        1 => id.page = context.rng.i64(0..4),
        2 => id.height = context.rng.i64(0..32),
        _ => id.is_doclist_index = !id.is_doclist_index,
    }
    (id.number() != old).then_some(())?;
    if context.chance(70) {
        rows::remove(space, row)?;
    }
    rows::insert(space, row.root, id.number(), payload)
}

/// Positions of the matching items.
trait Positions: Iterator + Sized {
    fn positions(self, is_it: impl Fn(Self::Item) -> bool) -> Vec<usize> {
        self.enumerate().filter_map(|(i, item)| is_it(item).then_some(i)).collect()
    }
}

impl<I: Iterator> Positions for I {}
