//! JSONB (<https://sqlite.org/jsonb.html>): elements with a header and a payload; the payload of arrays and objects
//! consists of elements.

use super::{Field, PARTS_MAX};
use crate::dbfile::{read_be, write_be};

/// Nesting that is parsed at most. SQLite's limit is 1000; deeper elements stay bytes.
const DEPTH_MAX: usize = 60;

/// Types of elements.
#[expect(missing_docs, reason = "named as in the format's documentation")]
pub mod kind {
    pub const NULL: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const INT: u8 = 3;
    pub const INT5: u8 = 4;
    pub const FLOAT: u8 = 5;
    pub const FLOAT5: u8 = 6;
    pub const TEXT: u8 = 7;
    pub const TEXTJ: u8 = 8;
    pub const TEXT5: u8 = 9;
    pub const TEXTRAW: u8 = 10;
    pub const ARRAY: u8 = 11;
    pub const OBJECT: u8 = 12;
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Elements; those of an object alternate between label and value.
    Elements(Vec<Element>),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// One of [`kind`]; 13 to 15 are reserved.
    pub kind: u8,
    /// Bytes of the header: 1, 2, 3, 5 or 9. It is made longer if the payload needs it.
    pub header_bytes: usize,
    /// The payload.
    pub content: Content,
}

/// Kind, header length, payload length of the element at the start of `bytes`.
pub fn header(bytes: &[u8]) -> Option<(u8, usize, u64)> {
    let first = *bytes.first()?;
    let width = match first >> 4 {
        12 => 1,
        13 => 2,
        14 => 4,
        15 => 8,
        short => return Some((first & 15, 1, u64::from(short))),
    };
    (bytes.len() > width).then(|| (first & 15, 1 + width, read_be(bytes, 1, width)))
}

/// True if `bytes` look like JSONB, judging by the header of the only element.
pub fn looks_like(bytes: &[u8]) -> bool {
    let is_it = |(kind, start, length): (u8, usize, u64)| {
        kind <= kind::OBJECT && length == (bytes.len() - start) as u64
    };
    header(bytes).is_some_and(is_it)
}

impl Element {
    /// An element with the shortest header.
    pub fn new(kind: u8, content: Content) -> Self {
        Self { kind, header_bytes: 1, content }
    }

    /// Parses the element in `blob`, if its length is right. An array or object whose payload does not consist of
    /// elements has bytes.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        let mut left = PARTS_MAX;
        let (element, length) = parse(blob, DEPTH_MAX, &mut left)?;
        (length == blob.len()).then_some(element)
    }

    /// Writes the element with right lengths.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.emit_to(&mut out);
        out
    }

    fn emit_to(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        match &self.content {
            Content::Bytes(bytes) => payload.extend_from_slice(bytes),
            Content::Elements(elements) => elements.iter().for_each(|element| element.emit_to(&mut payload)),
        }
        write_header(self.kind, payload.len() as u64, self.header_bytes, out);
        out.append(&mut payload);
    }

    /// The number of elements, this one and all nested ones.
    pub fn count(&self) -> usize {
        1 + self.children().iter().map(Self::count).sum::<usize>()
    }

    /// The direct children.
    pub fn children(&self) -> &[Self] {
        match &self.content {
            Content::Elements(elements) => elements,
            Content::Bytes(_) => &[],
        }
    }

    /// The element with this number in the order of [`Element::count`].
    pub fn nth_mut(&mut self, number: usize) -> Option<&mut Self> {
        if number == 0 {
            return Some(self);
        }
        let Content::Elements(elements) = &mut self.content else {
            return None;
        };
        let mut number = number - 1;
        for element in elements {
            let count = element.count();
            if number < count {
                return element.nth_mut(number);
            }
            number -= count;
        }
        None
    }
}

/// Appends a header of at least `header_bytes` bytes.
pub fn write_header(kind: u8, length: u64, header_bytes: usize, out: &mut Vec<u8>) {
    let needed = match length {
        0..=11 => 1,
        12..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    };
    let (nibble, width) = match header_bytes.max(needed) {
        1 => (length as u8, 0),
        2 => (12, 1),
        3 => (13, 2),
        4 | 5 => (14, 4),
        _ => (15, 8),
    };
    let start = out.len();
    out.push(nibble << 4 | kind & 15);
    out.resize(start + 1 + width, 0);
    write_be(out, start + 1, width, length);
}

fn parse(bytes: &[u8], depth: usize, left: &mut usize) -> Option<(Element, usize)> {
    *left = left.checked_sub(1)?;
    let (kind, start, length) = header(bytes)?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    let payload = bytes.get(start..end)?;
    let is_container = matches!(kind, kind::ARRAY | kind::OBJECT) && depth > 0;
    let elements = if is_container { elements(payload, depth - 1, left) } else { None };
    let content = elements.map_or_else(|| Content::Bytes(payload.to_vec()), Content::Elements);
    Some((Element { kind, header_bytes: start, content }, end))
}

fn elements(payload: &[u8], depth: usize, left: &mut usize) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let (element, length) = parse(&payload[at..], depth, left)?;
        elements.push(element);
        at += length;
    }
    Some(elements)
}

/// The headers of `blob`: the first byte of each element, and the lengths that follow it.
pub fn fields(blob: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut at = 0;
    while fields.len() < PARTS_MAX
        && let Some((kind, start, length)) = blob.get(at..).and_then(header)
    {
        fields.push(Field::fixed(at, 1));
        if start > 1 {
            fields.push(Field::fixed(at + 1, start - 1));
        }
        at += start;
        if !matches!(kind, kind::ARRAY | kind::OBJECT) {
            at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        }
    }
    fields
}
