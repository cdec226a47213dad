//! Tables and indexes of one database put into another: their rows are read and b-trees built from them
//! anew, so that page sizes, reserved bytes and encodings need not agree.

use super::page::{BtreePage, PageKind};
use super::record::{self, Value};
use super::schema::{self, SchemaRow};
use super::space::Space;
use super::{Geometry, header, rows, tree};

/// Most rows of one object.
const ROWS_MAX: usize = 5000;

/// Puts `objects` into `space`: rows of the schema with the texts that they shall have there and the root
/// pages that they have in `source`. At most `room` bytes of payload. `None` where they are too large, a
/// root is no b-tree page, or there is no space; the image may be half changed then.
pub fn graft(space: &mut Space<'_>, source: &[u8], objects: &[SchemaRow], room: usize) -> Option<()> {
    let from = Geometry::of(source);
    let encodings = (header::ENCODING.get(source), header::ENCODING.get(space.image));
    let mut room = room;
    let mut next_rowid = schema::rows(space.image).iter().map(|row| row.rowid).max().unwrap_or(0);
    for object in objects {
        let mut root = 0;
        if object.root != 0 {
            root = tree_copy(space, source, &from, object.root_page(&from)?, encodings, &mut room)?;
        }
        next_rowid = next_rowid.checked_add(1)?;
        rows::insert(space, 1, next_rowid, &schema_record(object, root, encodings.1))?;
    }
    Some(())
}

/// The record of a row of the schema.
pub fn schema_record(row: &SchemaRow, root: u32, encoding: u32) -> Vec<u8> {
    let text = |text: &str| Value::Text(schema::encode(text, encoding));
    let sql = if row.sql.is_empty() { Value::Null } else { text(&row.sql) };
    let root = Value::Integer(i64::from(root));
    record::encode(&[text(&row.kind), text(&row.name), text(&row.table), root, sql])
}

/// Builds a copy of a b-tree; its root page.
fn tree_copy(
    space: &mut Space<'_>,
    source: &[u8],
    from: &Geometry,
    root: u32,
    encodings: (u32, u32),
    room: &mut usize,
) -> Option<u32> {
    let kind = BtreePage::parse(source, from, root)?.kind;
    let mut copies = Vec::new();
    for row in rows::in_order(source, from, root, ROWS_MAX) {
        let claimed = usize::try_from(row.payload.total).ok()?.min(tree::PAYLOAD_BYTES_MAX);
        *room = room.checked_sub(claimed)?;
        let mut payload = row.read(source, from);
        if encodings.0 != encodings.1 {
            payload = in_encoding(&payload, encodings);
        }
        copies.push((row.rowid, payload));
    }
    let kind = if kind.is_table() { PageKind::TableLeaf } else { PageKind::IndexLeaf };
    let new = space.allocate_root()?;
    rows::fill_kind(space, new, kind, &copies)?;
    Some(new)
}

fn in_encoding(payload: &[u8], (from, to): (u32, u32)) -> Vec<u8> {
    let mut values = record::values(payload);
    for value in &mut values {
        if let Value::Text(text) = value {
            *text = schema::encode(&schema::decode(text, from), to);
        }
    }
    record::encode(&values)
}

#[cfg(test)]
#[path = "graft_tests.rs"]
mod tests;
