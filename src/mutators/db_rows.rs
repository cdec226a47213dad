//! Whole rows: values of any size stored with their overflow pages, rows inserted and removed; full pages are split.
//! What depends on the pages stays correct; what depends on the values (an index on them) does not.

use super::db_cells::like;
use super::db_header::image_mutator;
use super::{Context, Outcome};
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::space::Space;
use crate::dbfile::{Geometry, cell, header};

/// Rows of a table from which one is chosen.
pub(super) const ROWS_MAX: usize = 300;
/// Pages that an edit may add for splits, besides those that its bytes need.
const SPLIT_PAGES_MAX: usize = 4;

/// Edits an image through the record layer, entirely or not at all.
pub(super) fn atomically(
    image: &mut Vec<u8>,
    context: &mut Context<'_>,
    edit: impl FnOnce(&mut Space<'_>, &mut Context<'_>) -> Option<()>,
) -> Outcome {
    let before = image.clone();
    let page_bytes = Geometry::of(image).page_bytes;
    // Pages are mostly zeros, which a case's encoding leaves out.
    let pages = if context.room() < 64 { 0 } else { context.room() / page_bytes + SPLIT_PAGES_MAX };
    let done = edit(&mut Space::new(image, pages), context);
    if done.is_some() && *image != before {
        return Outcome::Mutated;
    }
    *image = before;
    Outcome::Skipped
}

/// A row of the b-tree at `root`.
pub(super) fn pick_row(image: &[u8], root: u32, context: &mut Context<'_>) -> Option<Row> {
    context.pick(&rows::of(image, &Geometry::of(image), root, ROWS_MAX)).cloned()
}

/// Schema rows that have a b-tree, with their root pages.
pub(super) fn trees(image: &[u8]) -> Vec<(SchemaRow, u32)> {
    let geometry = Geometry::of(image);
    let trees = schema::rows(image).into_iter().filter(|row| row.has_btree() != Some(false));
    trees.filter_map(|row| row.root_page(&geometry).map(|root| (row, root))).collect()
}

/// One of [`trees`].
fn pick_tree(image: &[u8], context: &mut Context<'_>) -> Option<(SchemaRow, u32)> {
    context.pick(&trees(image)).cloned()
}

image_mutator! {
    /// Replaces a value of a row by one of any size, overflow pages included.
    RowStore => store
}

image_mutator! {
    /// Removes a row; its overflow pages become free.
    RowRemove => remove
}

pub(super) fn store(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    atomically(image, context, |space, context| {
        let (_, root) = pick_tree(space.image, context)?;
        let row = pick_row(space.image, root, context)?;
        let payload = row.read(space.image, &space.geometry);
        let mut values = record::values(&payload);
        let count = values.len();
        let index = context.rng.usize(0..count.max(1));
        let value = values.get_mut(index)?;
        *value =
            if context.chance(40) { sized(value, &payload, space, context) } else { like(value, context) };
        let new = record::encode(&values);
        (new.len() <= payload.len() + context.room()).then_some(())?;
        rows::replace(space, &row, row.rowid, &new)
    })
}

/// A text or blob of a length at which storage changes: it just fits on the page, is one byte too long, fills whole
/// overflow pages, or many of them.
fn sized(old: &Value, payload: &[u8], space: &Space<'_>, context: &mut Context<'_>) -> Value {
    let usable = space.geometry.usable_bytes;
    let edges = [
        usable - 35,
        usable - 34,
        (usable - 12) * 64 / 255 - 23,
        (usable - 12) * 64 / 255 - 22,
        (usable - 12) * 32 / 255 - 23 + usable - 4,
        usable - 4 + cell::BYTES_MIN,
        2 * (usable - 4),
        5 * usable,
    ];
    let target = edges[context.rng.usize(0..edges.len())] + context.rng.usize(0..4);
    let bytes = match old {
        Value::Text(bytes) | Value::Blob(bytes) => bytes.clone(),
        _ => b"a".to_vec(),
    };
    let others = payload.len().saturating_sub(bytes.len()) + 2;
    let length = target.saturating_sub(others).min(bytes.len() + context.room());
    let pattern = if bytes.is_empty() { b"b".to_vec() } else { bytes };
    let is_blob = matches!(old, Value::Blob(_));
    let new: Vec<u8> = pattern.into_iter().cycle().take(length).collect();
    if is_blob { Value::Blob(new) } else { Value::Text(new) }
}

/// A rowid near an old one, or at either end of the range.
pub(super) fn new_rowid(image: &[u8], root: u32, context: &mut Context<'_>) -> i64 {
    let all = rows::of(image, &Geometry::of(image), root, ROWS_MAX);
    let old = context.pick(&all).and_then(|row| row.rowid).unwrap_or(0);
    match context.rng.u8(0..6) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => context.number(old as u64, 8) as i64,
        _ => all.iter().filter_map(|row| row.rowid).max().unwrap_or(0).wrapping_add(1),
    }
}

pub(super) fn remove(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    atomically(image, context, |space, context| {
        let (_, root) = pick_tree(space.image, context)?;
        let row = pick_row(space.image, root, context)?;
        rows::remove(space, &row)
    })
}

/// Text in the encoding of the database.
pub(super) fn text(image: &[u8], text: &str) -> Value {
    Value::Text(schema::encode(text, header::ENCODING.get(image)))
}
