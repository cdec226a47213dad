//! Nodes of R-Trees and shapes of geopoly.

use super::Context;
use super::db_blobs::{Mode, lie};
use crate::dbfile::blob::Field;
use crate::dbfile::blob::rtree::{self, Node, Shape};

/// Depths around SQLite's limit of 40.
const DEPTHS: [u16; 8] = [0, 1, 2, 3, 39, 40, 41, 0xffff];
/// Coordinates at which comparing and rounding change.
const COORDINATES: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::MIN_POSITIVE,
];

/// A node with one edit.
pub(super) fn node(old: &[u8], dimensions: usize, mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    if mode == Mode::Lie {
        if context.chance(25) {
            let mut new = old.to_vec();
            let depth = DEPTHS[context.rng.usize(0..DEPTHS.len())];
            Field::fixed(0, 2).set(&mut new, u64::from(depth));
            return (new != old).then_some(new);
        }
        if context.chance(8) {
            // All nodes of a tree have the same length.
            let mut new = old.to_vec();
            new.resize(context.rng.usize(0..=old.len() + 8), 0);
            return (new != old).then_some(new);
        }
        return lie(old, &rtree::fields(old, dimensions), context);
    }
    let mut node = Node::parse(old, dimensions)?;
    let count = node.cells.len();
    let index = context.rng.usize(0..count.max(1));
    let cell = node.cells.get_mut(index)?;
    let coordinates = cell.coordinates.len();
    let at = context.rng.usize(0..coordinates.max(1));
    match context.rng.u8(0..8) {
        0 => drop(node.cells.remove(index)),
        1 => {
            let mut copied = cell.clone();
            copied.id = copied.id.wrapping_add(context.rng.i64(0..3));
            node.cells.push(copied);
        }
        2 => cell.coordinates.swap(at & !1, at | 1),
        3 => {
            let bits = context.number(u64::from(cell.coordinates[at]), 4) as u32;
            cell.coordinates[at] = bits;
        }
        4 => cell.id = context.number(cell.id as u64, 8) as i64,
        5 if count > 1 => node.cells.swap(index, context.rng.usize(0..count)),
        _ => cell.coordinates[at] = COORDINATES[context.rng.usize(0..COORDINATES.len())].to_bits(),
    }
    Some(node.emit()).filter(|new| new != old)
}

/// A shape with one edit.
pub(super) fn shape(old: &[u8], mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let Some(mut shape) = Shape::parse(old).filter(|_| mode == Mode::Consistent) else {
        return lie(old, &[Field::fixed(0, 1), Field::fixed(1, 3), Field::fixed(4, 4)], context);
    };
    let count = shape.corners.len();
    let index = context.rng.usize(0..count.max(1));
    match context.rng.u8(0..6) {
        0 => shape.is_little_endian = !shape.is_little_endian,
        1 if count > 0 => drop(shape.corners.remove(index)),
        2 => {
            let corner = *shape.corners.get(index)?;
            shape.corners.insert(index, corner);
        }
        3 => shape.corners.reverse(),
        _ => {
            let value = COORDINATES[context.rng.usize(0..COORDINATES.len())];
            shape.corners.get_mut(index)?[context.rng.usize(0..2)] = value;
        }
    }
    Some(shape.emit()).filter(|new| new != old)
}
