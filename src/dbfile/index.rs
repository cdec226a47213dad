//! Inserts entries into indexes in the order of their keys: ascending columns compared byte by byte, which is an
//! index's default.

use std::cmp::Ordering;

use super::page::{BtreePage, PageKind};
use super::record::{self, Value};
use super::rows::{self, Node};
use super::space::Space;
use super::tree;

/// Depth to which a tree is followed.
const DEPTH_MAX: usize = 20;

/// The order of two values in an index
/// (<https://sqlite.org/datatype3.html#sort_order>, collation BINARY).
pub fn compare(a: &Value, b: &Value) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Integer(a), Value::Real(b)) => (*a as f64).total_cmp(b),
        (Value::Real(a), Value::Integer(b)) => a.total_cmp(&(*b as f64)),
        (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

/// The order of two entries, column by column.
pub fn compare_entries(a: &[Value], b: &[Value]) -> Ordering {
    let columns = a.iter().zip(b).map(|(a, b)| compare(a, b));
    columns.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
}

/// Inserts an entry into the index at `root`. `None` if the tree has no keys, or there is no room; the image may be
/// partly changed then.
pub fn insert(space: &mut Space<'_>, root: u32, entry: &[Value]) -> Option<()> {
    let mut path = vec![root];
    while path.len() <= DEPTH_MAX {
        let number = *path.last()?;
        let page = BtreePage::parse(space.image, &space.geometry, number)?;
        if page.kind.is_table() {
            return None;
        }
        let cells: Vec<_> = page.cells().collect();
        let is_before = |(offset, cell): &(usize, super::cell::Cell)| {
            let payload = cell.payload.as_ref();
            let read =
                payload.map(|payload| tree::payload(space.image, &space.geometry, number, *offset, payload));
            compare_entries(&record::values(&read.unwrap_or_default()), entry).is_lt()
        };
        let at = cells.partition_point(is_before);
        if page.kind == PageKind::IndexLeaf {
            let mut node = Node::of(&page);
            let record = record::encode(entry);
            let cell = rows::new_cell(space, PageKind::IndexLeaf, None, None, &record, Vec::new())?;
            node.cells.insert(at.min(node.cells.len()), cell);
            return rows::write(space, &path, node);
        }
        let child = cells.get(at).and_then(|(_, cell)| cell.left_child);
        path.push(child.or(page.right_child())?);
    }
    None
}
