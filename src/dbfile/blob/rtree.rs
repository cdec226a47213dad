//! R-Tree nodes (<https://sqlite.org/rtree.html>, "File format" in SQLite's `rtree.c`) and geopoly shapes
//! (<https://sqlite.org/geopoly.html>).

use super::{Field, PARTS_MAX};
use crate::dbfile::{read_be, write_be};

/// Bytes before the cells.
const HEADER_BYTES: usize = 4;
/// How many dimensions there are at most.
pub const DIMENSIONS_MAX: usize = 5;

/// A cell: a child or row with its box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The rowid on a leaf, otherwise a node number.
    pub id: i64,
    /// Minimum and maximum of each dimension in turn, each as the bits of a 32-bit float or integer.
    pub coordinates: Vec<u32>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Levels below the root; only the root's value matters.
    pub depth: u16,
    /// Cells, as many as there is room for.
    pub cells: Vec<Cell>,
    /// Size of the node in bytes, the same throughout a tree.
    pub bytes: usize,
}

fn cell_bytes(dimensions: usize) -> usize {
    8 + 8 * dimensions.clamp(1, DIMENSIONS_MAX)
}

impl Node {
    /// Parses the node in `blob`, with this number of dimensions.
    pub fn parse(blob: &[u8], dimensions: usize) -> Option<Self> {
        let step = cell_bytes(dimensions);
        let room = blob.len().checked_sub(HEADER_BYTES)? / step;
        let count = (read_be(blob, 2, 2) as usize).min(room);
        let cell = |i: usize| {
            let at = HEADER_BYTES + i * step;
            let coordinates = (at + 8..at + step).step_by(4).map(|at| read_be(blob, at, 4) as u32);
            Cell { id: read_be(blob, at, 8) as i64, coordinates: coordinates.collect() }
        };
        Some(Self {
            depth: read_be(blob, 0, 2) as u16,
            cells: (0..count).map(cell).collect(),
            bytes: blob.len(),
        })
    }

    /// Writes the node, without the cells for which there is no room.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        let mut count = 0;
        for cell in &self.cells {
            if out.len() + 8 + 4 * cell.coordinates.len() > self.bytes {
                break;
            }
            out.extend_from_slice(&cell.id.to_be_bytes());
            out.extend(cell.coordinates.iter().flat_map(|bits| bits.to_be_bytes()));
            count += 1;
        }
        write_be(&mut out, 0, 2, u64::from(self.depth));
        write_be(&mut out, 2, 2, count);
        out.resize(self.bytes, 0);
        out
    }
}

/// The numbers of a node.
pub fn fields(blob: &[u8], dimensions: usize) -> Vec<Field> {
    let step = cell_bytes(dimensions);
    let count = (read_be(blob, 2, 2) as usize).min(blob.len() / step).min(PARTS_MAX / 12);
    let cells = (0..count).flat_map(|i| {
        let at = HEADER_BYTES + i * step;
        let coordinates = (at + 8..at + step).step_by(4).map(|at| Field::fixed(at, 4));
        std::iter::once(Field::fixed(at, 8)).chain(coordinates)
    });
    [Field::fixed(0, 2), Field::fixed(2, 2)].into_iter().chain(cells).collect()
}

/// A polygon of geopoly.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The byte order of the coordinates.
    pub is_little_endian: bool,
    /// Corners.
    pub corners: Vec<[f32; 2]>,
}

impl Shape {
    /// Parses the shape in `blob`, if it has the length that its header says.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        let count = read_be(blob, 1, 3) as usize;
        if blob.len() != 4 + 8 * count || blob[0] > 1 {
            return None;
        }
        let is_little_endian = blob[0] == 1;
        let number = |at: usize| {
            let bits = read_be(blob, at, 4) as u32;
            f32::from_bits(if is_little_endian { bits.swap_bytes() } else { bits })
        };
        let corners = (0..count).map(|i| [number(4 + 8 * i), number(8 + 8 * i)]).collect();
        Some(Self { is_little_endian, corners })
    }

    /// Writes the shape.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.is_little_endian), 0, 0, 0];
        write_be(&mut out, 1, 3, self.corners.len() as u64);
        for number in self.corners.iter().flatten() {
            out.extend(if self.is_little_endian { number.to_le_bytes() } else { number.to_be_bytes() });
        }
        out
    }
}
