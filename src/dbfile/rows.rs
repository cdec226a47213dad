//! Whole rows of tables and entries of indexes: read with their overflow pages, stored with a payload of any size,
//! inserted, removed. Pages are rebuilt; one that has no room is split, and a root grows a level.
//!
//! Invariant: a database that `integrity_check` finds sound stays sound, except for what the new payload itself implies
//! (say, an index that should have changed with it).

use super::page::{self, BtreePage, PageKind};
use super::pointer_map::{self, Use};
use super::space::Space;
use super::{Geometry, cell, read_be, tree, varint, write_be};

/// Depth to which a tree is followed.
const DEPTH_MAX: usize = 20;

/// A row, or an index entry, and the position of its cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Root page of its b-tree.
    pub root: u32,
    /// Page of its cell.
    pub page: u32,
    /// Offset of the cell in the page.
    pub offset: usize,
    /// Its rowid, in a rowid table.
    pub rowid: Option<i64>,
    /// Its payload.
    pub payload: cell::Payload,
}

impl Row {
    /// Its payload, overflow pages included.
    pub fn read(&self, image: &[u8], geometry: &Geometry) -> Vec<u8> {
        tree::payload(image, geometry, self.page, self.offset, &self.payload)
    }
}

/// At most `most` rows of the b-tree at `root`, in no particular order; in a tree of keys, interior pages have some of
/// them.
pub fn of(image: &[u8], geometry: &Geometry, root: u32, most: usize) -> Vec<Row> {
    let pages = tree::pages(image, geometry, root).into_iter();
    let parsed = pages.filter_map(|number| Some((number, BtreePage::parse(image, geometry, number)?)));
    let rows = parsed.flat_map(|(page, btree)| {
        btree.cells().filter_map(move |(offset, cell)| {
            Some(Row { root, page, offset, rowid: cell.rowid, payload: cell.payload? })
        })
    });
    rows.take(most).collect()
}

/// At most `most` rows of the b-tree at `root`, in the order of their keys.
pub fn in_order(image: &[u8], geometry: &Geometry, root: u32, most: usize) -> Vec<Row> {
    /// What remains to be visited.
    enum Visit {
        Page(u32),
        Cell(Row),
    }
    let mut seen = tree::PageSet::new(geometry);
    let mut rows = Vec::new();
    let mut stack = vec![Visit::Page(root)];
    while let Some(visit) = stack.pop() {
        let number = match visit {
            Visit::Cell(row) => {
                rows.push(row);
                continue;
            }
            Visit::Page(number) if rows.len() < most && seen.insert(number) => number,
            Visit::Page(_) => continue,
        };
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            continue;
        };
        let start = stack.len();
        for (offset, cell) in page.cells() {
            stack.extend(cell.left_child.map(Visit::Page));
            let (rowid, payload) = (cell.rowid, cell.payload);
            stack.extend(
                payload.map(|payload| Visit::Cell(Row { root, page: number, offset, rowid, payload })),
            );
        }
        stack.extend(page.right_child().map(Visit::Page));
        stack[start..].reverse();
    }
    rows.truncate(most);
    rows
}

/// A b-tree page to be written.
pub(super) struct Node {
    pub(super) kind: PageKind,
    pub(super) cells: Vec<Vec<u8>>,
    pub(super) right_child: u32,
}

impl Node {
    pub(super) fn of(page: &BtreePage<'_>) -> Self {
        Self { kind: page.kind, cells: page.cell_bytes(), right_child: page.right_child().unwrap_or(0) }
    }
}

/// Replaces the payload and the rowid of a row; the rowid's order is not checked. `None` if there is no room; the image
/// may be partly changed then.
pub fn replace(space: &mut Space<'_>, row: &Row, rowid: Option<i64>, payload: &[u8]) -> Option<()> {
    let path = tree::path(space.image, &space.geometry, row.root, row.page)?;
    let page = BtreePage::parse(space.image, &space.geometry, row.page)?;
    let (index, (_, old)) = page.cells().enumerate().find(|(_, (offset, _))| *offset == row.offset)?;
    let mut node = Node::of(&page);
    let chain = chain(space, &row.payload);
    node.cells[index] = new_cell(space, node.kind, old.left_child, rowid, payload, chain)?;
    write(space, &path, node)
}

/// Inserts a row into a rowid table at its rowid's position, or replaces the row with that rowid.
pub fn insert(space: &mut Space<'_>, root: u32, rowid: i64, payload: &[u8]) -> Option<()> {
    let path = path_to_rowid(space, root, rowid)?;
    let page = BtreePage::parse(space.image, &space.geometry, *path.last()?)?;
    let rowids: Vec<i64> = page.cells().filter_map(|(_, cell)| cell.rowid).collect();
    let mut node = Node::of(&page);
    let index = rowids.partition_point(|&other| other < rowid).min(node.cells.len());
    if rowids.get(index) == Some(&rowid) {
        let (offset, cell) = page.cells().nth(index)?;
        let row = Row { root, page: *path.last()?, offset, rowid: cell.rowid, payload: cell.payload? };
        return replace(space, &row, Some(rowid), payload);
    }
    node.cells.insert(index, new_cell(space, PageKind::TableLeaf, None, Some(rowid), payload, Vec::new())?);
    write(space, &path, node)
}

/// Removes a row from a leaf and frees its overflow pages. `None` if it is the last row on a page other than the root,
/// or not on a leaf.
pub fn remove(space: &mut Space<'_>, row: &Row) -> Option<()> {
    let page = BtreePage::parse(space.image, &space.geometry, row.page)?;
    let index = page.cells().position(|(offset, _)| offset == row.offset)?;
    let mut node = Node::of(&page);
    if !node.kind.is_leaf() || node.cells.len() == 1 && row.page != row.root {
        return None;
    }
    node.cells.remove(index);
    let chain = chain(space, &row.payload);
    write(space, &[row.page], node)?;
    chain.into_iter().for_each(|page| space.release(page));
    Some(())
}

/// Overwrites the b-tree at `root`, whatever it was, with these rows: rowid and payload, in order. Its old pages are
/// not freed.
pub fn fill(space: &mut Space<'_>, root: u32, rows: &[(Option<i64>, Vec<u8>)]) -> Option<()> {
    let is_table = rows.first().is_none_or(|(rowid, _)| rowid.is_some());
    let kind = if is_table { PageKind::TableLeaf } else { PageKind::IndexLeaf };
    fill_kind(space, root, kind, rows)
}

/// As [`fill`], for a tree of this kind even if it has no rows.
pub fn fill_kind(
    space: &mut Space<'_>,
    root: u32,
    kind: PageKind,
    rows: &[(Option<i64>, Vec<u8>)],
) -> Option<()> {
    let mut cells = Vec::with_capacity(rows.len());
    for (rowid, payload) in rows {
        cells.push(new_cell(space, kind, None, *rowid, payload, Vec::new())?);
    }
    write(space, &[root], Node { kind, cells, right_child: 0 })
}

/// The pages of an overflow chain, no more than the payload needs.
fn chain(space: &Space<'_>, payload: &cell::Payload) -> Vec<u32> {
    let rest = payload.total.saturating_sub(payload.local as u64);
    let needed = rest.div_ceil(space.geometry.usable_bytes as u64 - 4);
    let mut chain = payload
        .overflow
        .map_or(Vec::new(), |first| tree::overflow_chain(space.image, &space.geometry, first));
    chain.truncate(usize::try_from(needed).unwrap_or(usize::MAX));
    chain
}

/// Encodes a cell, whose overflow goes to the pages of `chain` and to new ones; leftover pages become free.
pub(super) fn new_cell(
    space: &mut Space<'_>,
    kind: PageKind,
    child: Option<u32>,
    rowid: Option<i64>,
    payload: &[u8],
    mut chain: Vec<u32>,
) -> Option<Vec<u8>> {
    let local = cell::local_bytes(payload.len() as u64, kind, space.geometry.usable_bytes);
    let mut bytes = Vec::with_capacity(local + 24);
    bytes.extend(child.iter().flat_map(|child| child.to_be_bytes()));
    varint::write(payload.len() as u64, &mut bytes);
    if let Some(rowid) = rowid {
        varint::write(rowid as u64, &mut bytes);
    }
    bytes.extend_from_slice(&payload[..local]);
    let room = space.geometry.usable_bytes - 4;
    let pieces: Vec<&[u8]> = payload[local..].chunks(room).collect();
    while chain.len() > pieces.len() {
        let surplus = chain.pop()?;
        space.release(surplus);
    }
    while chain.len() < pieces.len() {
        let after = chain.last().copied().unwrap_or(0);
        chain.push(space.allocate(Use::Overflow { after })?);
    }
    for (i, piece) in pieces.into_iter().enumerate() {
        let next = chain.get(i + 1).copied().unwrap_or(0);
        let page = space.geometry.page_mut(space.image, chain[i]);
        write_be(page, 0, 4, u64::from(next));
        page.get_mut(4..4 + piece.len())?.copy_from_slice(piece);
    }
    bytes.extend(chain.first().iter().flat_map(|first| first.to_be_bytes()));
    Some(bytes)
}

fn path_to_rowid(space: &Space<'_>, root: u32, rowid: i64) -> Option<Vec<u32>> {
    let mut path = vec![root];
    while path.len() <= DEPTH_MAX {
        let page = BtreePage::parse(space.image, &space.geometry, *path.last()?)?;
        match page.kind {
            PageKind::TableLeaf => return Some(path),
            PageKind::TableInterior => {
                let below = page.cells().find(|(_, cell)| cell.rowid.is_some_and(|key| key >= rowid));
                path.push(below.and_then(|(_, cell)| cell.left_child).or(page.right_child())?);
            }
            _ => return None,
        }
    }
    None
}

/// Writes the page at the end of `path`, which starts at the root; splits it if it has no room.
pub(super) fn write(space: &mut Space<'_>, path: &[u32], node: Node) -> Option<()> {
    let number = *path.last()?;
    if page::build(space.image, &space.geometry, number, node.kind, &node.cells, node.right_child) {
        pointer_map::set_references(space.image, &space.geometry, number);
        return Some(());
    }
    let [.., parent, _] = *path else {
        return grow(space, number, node);
    };
    if path.len() > DEPTH_MAX {
        return None;
    }
    let mut above = Node::of(&BtreePage::parse(space.image, &space.geometry, parent)?);
    let child_of = |cell: &Vec<u8>| read_be(cell, 0, 4) as u32;
    let at = above.cells.iter().position(|cell| child_of(cell) == number);
    let at = at.or((above.right_child == number).then_some(above.cells.len()))?;
    let mut groups = split(node, space.geometry.usable_bytes);
    let (last, _) = groups.pop()?;
    let mut dividers = Vec::with_capacity(groups.len());
    for (group, divider) in groups {
        let sibling = space.allocate(Use::Child { of: parent })?;
        if !page::build(space.image, &space.geometry, sibling, group.kind, &group.cells, group.right_child) {
            return None;
        }
        pointer_map::set_references(space.image, &space.geometry, sibling);
        dividers.push([&sibling.to_be_bytes()[..], &divider].concat());
    }
    if !page::build(space.image, &space.geometry, number, last.kind, &last.cells, last.right_child) {
        return None;
    }
    pointer_map::set_references(space.image, &space.geometry, number);
    above.cells.splice(at..at, dividers);
    write(space, &path[..path.len() - 1], above)
}

/// Moves the contents of the root to a new page below it, and writes that.
fn grow(space: &mut Space<'_>, root: u32, node: Node) -> Option<()> {
    if node.cells.is_empty() {
        return None;
    }
    let child = space.allocate(Use::Child { of: root })?;
    let kind = if node.kind.is_table() { PageKind::TableInterior } else { PageKind::IndexInterior };
    if !page::build(space.image, &space.geometry, root, kind, &[], child) {
        return None;
    }
    // As in SQLite, only the root adds depth: from here on there is a parent for the dividers.
    write(space, &[root, child], node)
}

/// Splits a node into nodes that fit, each but the last with the divider after it, which goes to the parent after the
/// child's number.
fn split(node: Node, usable: usize) -> Vec<(Node, Vec<u8>)> {
    let Node { kind, cells, right_child } = node;
    let size = |cell: &Vec<u8>| cell.len().max(cell::BYTES_MIN) + 2;
    let capacity = usable - kind.header_bytes();
    let total: usize = cells.iter().map(size).sum();
    // An even share, and a little more, so that the last group is not just a rounding remainder.
    let target = total / total.div_ceil(capacity).max(2) + 1;
    let takes_divider = kind != PageKind::TableLeaf;
    let mut groups = Vec::new();
    let (mut group, mut used) = (Vec::new(), 0);
    let mut left = cells.len();
    for cell in cells {
        left -= 1;
        let is_full = !group.is_empty() && (used >= target || used + size(&cell) > capacity);
        if is_full && takes_divider && left > 0 {
            let (child, divider) = as_divider(&cell, kind, usable);
            groups.push((Node { kind, cells: std::mem::take(&mut group), right_child: child }, divider));
            used = 0;
            continue;
        }
        if is_full && takes_divider && group.len() > 1 {
            let last: Vec<u8> = group.pop().unwrap_or_default();
            let (child, divider) = as_divider(&last, kind, usable);
            groups.push((Node { kind, cells: std::mem::take(&mut group), right_child: child }, divider));
            used = 0;
        } else if is_full && !takes_divider {
            let divider = group.last().map(|last| rowid_divider(last, usable)).unwrap_or_default();
            groups.push((Node { kind, cells: std::mem::take(&mut group), right_child: 0 }, divider));
            used = 0;
        }
        used += size(&cell);
        group.push(cell);
    }
    groups.push((Node { kind, cells: group, right_child }, Vec::new()));
    groups
}

/// The child of a cell that moves up, and the cell's bytes without it and without padding.
fn as_divider(bytes: &[u8], kind: PageKind, usable: usize) -> (u32, Vec<u8>) {
    let parsed = cell::parse(bytes, kind, usable);
    let tail = |payload: cell::Payload| {
        payload.start + payload.local + if payload.overflow.is_some() { 4 } else { 0 }
    };
    let length = parsed.and_then(|cell| cell.payload).map_or(bytes.len(), tail).min(bytes.len());
    let start = if kind.is_leaf() { 0 } else { 4.min(length) };
    (if kind.is_leaf() { 0 } else { read_be(bytes, 0, 4) as u32 }, bytes[start..length].to_vec())
}

/// The divider for a table leaf that ends with this cell: its rowid.
fn rowid_divider(bytes: &[u8], usable: usize) -> Vec<u8> {
    let rowid = cell::parse(bytes, PageKind::TableLeaf, usable).and_then(|cell| cell.rowid).unwrap_or(0);
    let mut divider = Vec::new();
    varint::write(rowid as u64, &mut divider);
    divider
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
