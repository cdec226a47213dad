//! One page in full: every cell with its record, and the meaning of every byte.

use serde::Serialize;

use super::report::{Inspection, PageUse};
use super::space::map_entry;
use crate::dbfile::cell::Cell;
use crate::dbfile::page::BtreePage;
use crate::dbfile::{Geometry, MAGIC, describe, header, read_be, record, tree, varint};

/// How many cells are decoded, and how many bytes are listed, in pages, at most: overlapping cells may have any number.
const CELLS_MAX: usize = 2000;
const SPAN_PAGES_MAX: usize = 8;

/// Bytes of a page that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Their offset in the page, in bytes.
    pub at: usize,
    /// Their number.
    pub length: usize,
    /// Their meaning.
    pub label: String,
}

/// A cell with its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellDump {
    /// Its index in the page.
    pub index: usize,
    /// The offset of its pointer in the page, in bytes.
    pub pointer_at: usize,
    /// Its offset in the page, in bytes.
    pub at: usize,
    /// Bytes of the page that it takes; 0 if it cannot be parsed.
    pub length: usize,
    /// Its left child.
    pub left_child: Option<u32>,
    /// Its rowid.
    pub rowid: Option<i64>,
    /// Length of its payload in bytes.
    pub payload_bytes: Option<u64>,
    /// Its first overflow page.
    pub overflow: Option<u32>,
    /// Serial types of its record.
    pub serial_types: Vec<u64>,
    /// Values of its record, overflow pages included.
    pub values: Vec<String>,
}

/// A page in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageDump {
    /// Its number.
    pub number: u32,
    /// Its offset in the file, in bytes.
    pub offset: usize,
    /// Its cells, if it is a b-tree page.
    pub cells: Vec<CellDump>,
    /// How many more cells there are.
    pub cells_left_out: usize,
    /// All bytes, in order; spans may overlap if cells do.
    pub spans: Vec<Span>,
}

/// Page `number` of an inspected file; `None` if there is no such page.
pub fn dump(image: &[u8], inspection: &Inspection, number: u32) -> Option<PageDump> {
    let geometry = Geometry::of(image);
    let used_as = inspection.pages.get((number as usize).checked_sub(1)?)?.used_as;
    let bytes = geometry.page(image, number);
    let mut dump = PageDump {
        number,
        offset: geometry.range(number, image.len()).start,
        cells: Vec::new(),
        cells_left_out: 0,
        spans: Vec::new(),
    };
    if number == 1 {
        database_header(image, &mut dump);
    }
    // An unreferenced page may once have belonged to a tree.
    let may_be_btree = matches!(used_as, PageUse::Btree { .. } | PageUse::Unused | PageUse::Behind);
    match BtreePage::parse(image, &geometry, number).filter(|_| may_be_btree) {
        Some(page) => btree(image, &geometry, &page, &mut dump),
        None => other(bytes, used_as, number, &geometry, &mut dump),
    }
    fill(&mut dump.spans, bytes.len(), geometry.usable_bytes);
    Some(dump)
}

impl PageDump {
    fn span(&mut self, at: usize, length: usize, label: impl Into<String>) {
        self.spans.push(Span { at, length, label: label.into() });
    }
}

fn database_header(image: &[u8], dump: &mut PageDump) {
    dump.span(0, MAGIC.len(), "magic text");
    for field in header::FIELDS {
        dump.span(field.at, field.width, format!("{}: {}", field.name, field.get(image)));
    }
    dump.span(header::EXPANSION.start, header::EXPANSION.len(), "reserved for expansion");
}

fn btree(image: &[u8], geometry: &Geometry, page: &BtreePage<'_>, dump: &mut PageDump) {
    let start = page.start;
    dump.span(start, 1, format!("type {}: {:?}", page.kind.byte(), page.kind));
    dump.span(start + 1, 2, format!("first freeblock: {}", page.first_freeblock()));
    dump.span(start + 3, 2, format!("cells: {}", page.cell_count()));
    dump.span(start + 5, 2, format!("cell content begins at {}", page.content_start()));
    dump.span(start + 7, 1, format!("fragmented bytes: {}", page.fragmented_bytes()));
    if let Some(child) = page.right_child() {
        dump.span(start + 8, 4, format!("right child: page {child}"));
    }
    for (index, offset) in page.cell_offsets().enumerate() {
        if index >= CELLS_MAX {
            dump.cells_left_out += 1;
            continue;
        }
        dump.span(page.pointer_at(index), 2, format!("cell {index} is at {offset}"));
        let cell = page.cell(offset);
        dump.cells.push(cell_dump(image, geometry, page, (index, offset), cell.as_ref(), dump.number));
        if let Some(cell) = cell {
            cell_spans(image, page, (index, offset), &cell, dump);
        }
    }
    let mut at = page.first_freeblock();
    while at != 0 && at + 4 <= page.bytes.len() {
        let (next, length) = (read_be(page.bytes, at, 2) as usize, read_be(page.bytes, at + 2, 2) as usize);
        dump.span(at, length.max(4), format!("freeblock of {length} bytes, next: {next}"));
        if next <= at {
            break;
        }
        at = next;
    }
}

fn cell_dump(
    image: &[u8],
    geometry: &Geometry,
    page: &BtreePage<'_>,
    (index, at): (usize, usize),
    cell: Option<&Cell>,
    number: u32,
) -> CellDump {
    let encoding = header::ENCODING.get(image);
    let payload = cell.and_then(|cell| cell.payload.as_ref());
    let bytes =
        payload.map(|payload| tree::payload(image, geometry, number, at, payload)).unwrap_or_default();
    let columns = record::columns(&bytes);
    CellDump {
        index,
        pointer_at: page.pointer_at(index),
        at,
        length: cell.map_or(0, |cell| cell.length),
        left_child: cell.and_then(|cell| cell.left_child),
        rowid: cell.and_then(|cell| cell.rowid),
        payload_bytes: payload.map(|payload| payload.total),
        overflow: payload.and_then(|payload| payload.overflow),
        serial_types: columns.iter().map(|column| column.serial_type).collect(),
        values: columns
            .iter()
            .map(|column| describe::value(&record::value(&bytes, column), encoding))
            .collect(),
    }
}

/// The parts of a cell.
fn cell_spans(
    image: &[u8],
    page: &BtreePage<'_>,
    (index, offset): (usize, usize),
    cell: &Cell,
    dump: &mut PageDump,
) {
    let mut at = offset;
    if let Some(child) = cell.left_child {
        dump.span(at, 4, format!("cell {index}: left child: page {child}"));
        at += 4;
    }
    let Some(payload) = &cell.payload else {
        let rowid = cell.rowid.unwrap_or_default();
        dump.span(at, offset + cell.length - at, format!("cell {index}: rowid {rowid}"));
        return;
    };
    let length_bytes = varint::read(&page.bytes[at..]).map_or(0, |(_, length)| length);
    dump.span(at, length_bytes, format!("cell {index}: payload of {} bytes", payload.total));
    at += length_bytes;
    let start = offset + payload.start;
    if let Some(rowid) = cell.rowid {
        dump.span(at, start - at, format!("cell {index}: rowid {rowid}"));
    }
    let end = (start + payload.local).min(page.bytes.len());
    let local = page.bytes.get(start..end).unwrap_or_default();
    let columns = record::columns(local);
    let header_end = columns.last().map_or(1, |column| column.type_at.end).min(local.len());
    let types: Vec<String> = columns.iter().map(|column| column.serial_type.to_string()).collect();
    dump.span(start, header_end, format!("cell {index}: record header, serial types {}", types.join(" ")));
    for (i, column) in columns.iter().enumerate().filter(|(_, column)| !column.content.is_empty()) {
        let whole = record::content_bytes(column.serial_type);
        let is_cut = column.content.len() as u64 != whole;
        let more = if is_cut { format!(" (the first of {whole} bytes)") } else { String::new() };
        let value = describe::value(&record::value(local, column), header::ENCODING.get(image));
        let label = format!("cell {index}: column {i}: {value}{more}");
        dump.span(start + column.content.start, column.content.len(), label);
    }
    if let Some(first) = payload.overflow {
        dump.span(start + payload.local, 4, format!("cell {index}: first overflow page {first}"));
    }
}

/// A page outside of b-trees.
fn other(bytes: &[u8], used_as: PageUse, number: u32, geometry: &Geometry, dump: &mut PageDump) {
    let word = |at| read_be(bytes, at, 4);
    match used_as {
        PageUse::Overflow { .. } => {
            dump.span(0, 4, format!("next overflow page: {}", word(0)));
            dump.span(4, geometry.usable_bytes - 4, "payload");
        }
        PageUse::FreelistTrunk => {
            dump.span(0, 4, format!("next trunk: page {}", word(0)));
            dump.span(4, 4, format!("leaves: {}", word(4)));
            let room = (geometry.usable_bytes / 4 - 2) as u64;
            for i in 0..word(4).min(room) as usize {
                let at = 8 + 4 * i;
                dump.span(at, 4, format!("free page {}", word(at)));
            }
        }
        PageUse::PointerMap => {
            for i in 0..geometry.pointer_map_entries() {
                let at = 5 * i as usize;
                let entry = (read_be(bytes, at, 1) as u8, read_be(bytes, at + 1, 4) as u32);
                if entry != (0, 0) {
                    dump.span(at, 5, format!("page {}: {}", number + 1 + i, map_entry(entry)));
                }
            }
        }
        _ => {}
    }
}

/// Cuts spans at the end of the page, sorts them, and labels the gaps.
fn fill(spans: &mut Vec<Span>, page_bytes: usize, usable: usize) {
    spans.retain(|span| span.at < page_bytes && span.length > 0);
    spans.sort_by_key(|span| (span.at, span.length));
    let (mut filled, mut end, mut listed) = (Vec::with_capacity(spans.len()), 0, 0);
    let between = |from: usize, to: usize, filled: &mut Vec<Span>| {
        let usable = usable.clamp(from, to.max(from));
        for (at, end, label) in [(from, usable, "not in use"), (usable, to, "reserved")] {
            if at < end {
                filled.push(Span { at, length: end - at, label: label.to_owned() });
            }
        }
    };
    for span in spans.drain(..) {
        let length = span.length.min(page_bytes - span.at);
        listed += length;
        if listed > SPAN_PAGES_MAX * page_bytes {
            break;
        }
        between(end, span.at, &mut filled);
        end = end.max(span.at + length);
        filled.push(Span { length, ..span });
    }
    between(end, page_bytes, &mut filled);
    *spans = filled;
}
