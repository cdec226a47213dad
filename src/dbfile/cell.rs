//! Cells of b-tree pages (<https://sqlite.org/fileformat2.html#b_tree_pages>).

use super::page::PageKind;
use super::{read_be, varint};

/// Bytes that a cell takes at least, so that it can become a freeblock.
pub const BYTES_MIN: usize = 4;

/// The parts of a cell. Offsets count from the start of the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Child with smaller keys, on interior pages.
    pub left_child: Option<u32>,
    /// The key of a table cell.
    pub rowid: Option<i64>,
    /// The payload; interior table cells have none.
    pub payload: Option<Payload>,
    /// Bytes that the cell takes, not counting overflow pages.
    pub length: usize,
}

/// The payload of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The length that the cell claims, in bytes, overflow pages included.
    pub total: u64,
    /// Offset in the cell of the part on this page.
    pub start: usize,
    /// Bytes on this page.
    pub local: usize,
    /// First overflow page.
    pub overflow: Option<u32>,
}

/// Parses the cell at the start of `bytes`. `None` if the bytes end inside its header; the payload
/// may run past the end.
pub fn parse(bytes: &[u8], kind: PageKind, usable_bytes: usize) -> Option<Cell> {
    let mut at = 0;
    let mut left_child = None;
    if !kind.is_leaf() {
        left_child = Some(read_be(bytes.get(..4)?, 0, 4) as u32);
        at = 4;
    }
    if kind == PageKind::TableInterior {
        let (rowid, n) = varint::read(&bytes[at..])?;
        return Some(Cell { left_child, rowid: Some(rowid as i64), payload: None, length: at + n });
    }
    let (total, n) = payload_length(&bytes[at..])?;
    at += n;
    let mut rowid = None;
    if kind == PageKind::TableLeaf {
        let (value, n) = varint::read(bytes.get(at..)?)?;
        rowid = Some(value as i64);
        at += n;
    }
    let local = local_bytes(total, kind, usable_bytes);
    let mut length = at + local;
    let mut overflow = None;
    if (local as u64) < total {
        overflow = Some(read_be(bytes, length, 4) as u32);
        length += 4;
    }
    let payload = Payload { total, start: at, local, overflow };
    Some(Cell { left_child, rowid, payload: Some(payload), length: length.max(BYTES_MIN) })
}

/// Reads the length of a payload as SQLite does: truncated to 32 bits, and with only seven bits from the ninth byte.
fn payload_length(bytes: &[u8]) -> Option<(u64, usize)> {
    let (_, length) = varint::read(bytes)?;
    let value = bytes[..length].iter().fold(0_u32, |value, byte| value << 7 | u32::from(byte & 0x7f));
    Some((u64::from(value), length))
}

/// How many bytes of a payload of `total` bytes are stored on the b-tree page itself.
pub fn local_bytes(total: u64, kind: PageKind, usable_bytes: usize) -> usize {
    let usable = usable_bytes as u64;
    let max = if kind == PageKind::TableLeaf { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if total <= max {
        return total as usize;
    }
    let min = (usable - 12) * 32 / 255 - 23;
    let spill = min + (total - min) % (usable - 4);
    (if spill <= max { spill } else { min }) as usize
}

/// Encodes a table leaf cell with this rowid and a payload that needs no overflow page.
pub fn table_leaf(rowid: i64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 12);
    varint::write(payload.len() as u64, &mut bytes);
    varint::write(rowid as u64, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}
