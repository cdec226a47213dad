//! Copies tables and indexes of one database into another, in one of two ways: rows are read and put into new b-trees,
//! so that page sizes, reserved bytes and encodings need not match; or pages are copied as they are, damage and all,
//! with only their page numbers changed.

use super::page::{BtreePage, PageKind};
use super::pointer_map::{self, Use};
use super::record::{self, Value};
use super::schema::{self, SchemaRow};
use super::space::Space;
use super::tree::PageSet;
use super::{Geometry, header, read_be, rows, tree, write_be};

/// How many rows of one object are copied at most.
const ROWS_MAX: usize = 5000;

/// How a b-tree is copied into another database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Row by row.
    Rows,
    /// Page by page if both databases have the same geometry and encoding; otherwise row by row.
    Pages,
}

/// Copies `objects` into `space`: schema rows with the text that they get there and the root page that they have in
/// `source`. At most `room` bytes of payload. `None` if they are too large, a root is not a b-tree page, or there is no
/// space; the image may be partly changed then.
pub fn graft(
    space: &mut Space<'_>,
    source: &[u8],
    objects: &[SchemaRow],
    how: How,
    room: usize,
) -> Option<()> {
    let from = Geometry::of(source);
    let encodings = (header::ENCODING.get(source), header::ENCODING.get(space.image));
    let is_alike = from.page_bytes == space.geometry.page_bytes
        && from.usable_bytes == space.geometry.usable_bytes
        && encodings.0 == encodings.1;
    let mut room = room;
    let mut next_rowid = schema::rows(space.image).iter().map(|row| row.rowid).max().unwrap_or(0);
    for object in objects {
        let mut root = 0;
        if object.root != 0 {
            let old = object.root_page(&from)?;
            root = match how {
                How::Pages if is_alike && old != 1 => pages_copy(space, source, old, &mut room)?,
                _ => tree_copy(space, source, &from, old, encodings, &mut room)?,
            };
        }
        next_rowid = next_rowid.checked_add(1)?;
        rows::insert(space, 1, next_rowid, &schema_record(object, root, encodings.1))?;
    }
    Some(())
}

/// The record of a schema row.
pub fn schema_record(row: &SchemaRow, root: u32, encoding: u32) -> Vec<u8> {
    let text = |text: &str| Value::Text(schema::encode(text, encoding));
    let sql = if row.sql.is_empty() { Value::Null } else { text(&row.sql) };
    let root = Value::Integer(i64::from(root));
    record::encode(&[text(&row.kind), text(&row.name), text(&row.table), root, sql])
}

/// Builds a copy of a b-tree; returns its root page.
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

/// Copies the pages of a b-tree and its overflow pages, and replaces their page numbers; numbers of other pages stay.
/// Returns the root page.
fn pages_copy(space: &mut Space<'_>, source: &[u8], root: u32, room: &mut usize) -> Option<u32> {
    let from = space.geometry;
    let from = Geometry { pages: source.len().div_ceil(from.page_bytes) as u32, ..from };
    let trees = tree::pages(source, &from, root);
    let mut seen = PageSet::new(&from);
    for &page in &trees {
        seen.insert(page);
    }
    let mut chains = Vec::new();
    for &number in &trees {
        let page = BtreePage::parse(source, &from, number)?;
        for mut next in page.cells().filter_map(|(_, cell)| cell.payload?.overflow) {
            while seen.insert(next) {
                chains.push(next);
                next = read_be(from.page(source, next), 0, 4) as u32;
            }
        }
    }
    let bytes = (trees.len() + chains.len()).checked_mul(from.page_bytes)?;
    *room = room.checked_sub(bytes)?;
    let mut numbers = vec![0; from.pages as usize + 1];
    for &old in trees.iter().chain(&chains) {
        let new = if old == root { space.allocate_root()? } else { space.allocate(Use::Child { of: 0 })? };
        let page = from.page(source, old);
        space.geometry.page_mut(space.image, new).get_mut(..page.len())?.copy_from_slice(page);
        *numbers.get_mut(old as usize)? = new;
    }
    let number_of = |old: u32| numbers.get(old as usize).copied().filter(|&new| new != 0);
    for &old in &chains {
        let new = number_of(old)?;
        if let Some(next) = number_of(read_be(from.page(source, old), 0, 4) as u32) {
            write_be(space.geometry.page_mut(space.image, new), 0, 4, u64::from(next));
            pointer_map::set(space.image, &space.geometry, next, Use::Overflow { after: new });
        }
    }
    for &old in trees.iter().filter(|&&old| old != 1) {
        let new = number_of(old)?;
        for (at, old) in references(&BtreePage::parse(source, &from, old)?) {
            if let Some(number) = number_of(old) {
                write_be(space.geometry.page_mut(space.image, new), at, 4, u64::from(number));
            }
        }
        pointer_map::set_references(space.image, &space.geometry, new);
    }
    number_of(root)
}

/// The page numbers in a b-tree page, each with its position.
fn references(page: &BtreePage<'_>) -> Vec<(usize, u32)> {
    let mut found: Vec<(usize, u32)> =
        page.right_child().map(|child| (page.start + 8, child)).into_iter().collect();
    for (offset, cell) in page.cells() {
        found.extend(cell.left_child.map(|child| (offset, child)));
        if let Some((payload, first)) =
            cell.payload.as_ref().and_then(|payload| Some((payload, payload.overflow?)))
        {
            found.push((offset + payload.start + payload.local, first));
        }
    }
    found
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
