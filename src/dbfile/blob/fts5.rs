//! FTS5's `%_data` table: averages, structure, leaves, doclist indexes, tombstones; the ids tell them apart.
//!
//! Source: the comment on the format in SQLite's `fts5_index.c`.

use super::{Coding, Field, PARTS_MAX, Term, varints};
use crate::dbfile::{read_be, varint, write_be};

/// Id of the averages record.
pub const AVERAGES_ID: i64 = 1;
/// Id of the structure record.
pub const STRUCTURE_ID: i64 = 10;
/// What follows the cookie in a structure record with origins and tombstones.
const STRUCTURE_V2: [u8; 4] = [0xff, 0, 0, 1];
/// Numbers of a segment in a structure record, and in one of version 2.
const SEGMENT_NUMBERS: [usize; 2] = [3, 8];
/// Bits of the parts of an id.
const PAGE_BITS: u32 = 31;
const HEIGHT_BITS: u32 = 5;

/// What a row of `%_data` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Total numbers of rows and tokens.
    Averages,
    /// Levels and segments.
    Structure,
    /// Terms and documents.
    Leaf,
    /// First rowids of the leaves of a long doclist.
    DoclistIndex,
    /// Deleted rows of a segment.
    Tombstones,
}

/// What the id of a row encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    /// Segment, 1 to 65535; plus 65536 for its tombstones.
    pub segment: i64,
    /// Set for doclist indexes.
    pub is_doclist_index: bool,
    /// Height in the doclist index.
    pub height: i64,
    /// Page number.
    pub page: i64,
}

impl Id {
    /// Decodes an id.
    pub fn of(id: i64) -> Self {
        let height_at = PAGE_BITS;
        let flag_at = PAGE_BITS + HEIGHT_BITS;
        Self {
            segment: id >> (flag_at + 1),
            is_doclist_index: id >> flag_at & 1 == 1,
            height: id >> height_at & 31,
            page: id & 0x7fff_ffff,
        }
    }

    /// Encodes the id.
    pub fn number(self) -> i64 {
        let flag_at = PAGE_BITS + HEIGHT_BITS;
        let segment = self.segment.wrapping_shl(flag_at + 1);
        let flag = i64::from(self.is_doclist_index) << flag_at;
        segment | flag | (self.height & 31) << PAGE_BITS | (self.page & 0x7fff_ffff)
    }

    /// What a row of this id is.
    pub fn kind(id: i64) -> Kind {
        let parts = Self::of(id);
        match id {
            AVERAGES_ID => Kind::Averages,
            STRUCTURE_ID => Kind::Structure,
            _ if parts.is_doclist_index => Kind::DoclistIndex,
            _ if parts.segment > 0xffff => Kind::Tombstones,
            _ => Kind::Leaf,
        }
    }
}

/// The structure record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Changes with the configuration.
    pub cookie: u32,
    /// With origins and tombstones.
    pub is_v2: bool,
    /// Writes so far.
    pub counter: u64,
    /// Levels.
    pub levels: Vec<Level>,
}

/// A level of the structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Segments that a merge is reading.
    pub merging: u64,
    /// Id, first and last page; in version 2 also the origins, tombstone pages, tombstones, entries.
    pub segments: Vec<Vec<u64>>,
}

impl Structure {
    /// The record in `blob`.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        let is_v2 = blob.get(4..8) == Some(&STRUCTURE_V2[..]);
        let mut numbers = varints(blob, if is_v2 { 8 } else { 4 }).into_iter().map(|field| field.get(blob));
        let (count, mut total, counter) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let mut levels = Vec::new();
        for _ in 0..count.min(PARTS_MAX as u64) {
            let (merging, segments) = (numbers.next()?, numbers.next()?);
            total = total.checked_sub(segments)?;
            let mut level = Level { merging, segments: Vec::new() };
            for _ in 0..segments.min(PARTS_MAX as u64) {
                let numbers: Vec<u64> = numbers.by_ref().take(SEGMENT_NUMBERS[usize::from(is_v2)]).collect();
                (!numbers.is_empty()).then_some(())?;
                level.segments.push(numbers);
            }
            levels.push(level);
        }
        (total == 0).then(|| Self { cookie: read_be(blob, 0, 4) as u32, is_v2, counter, levels })
    }

    /// Writes the record, with the right counts.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = self.cookie.to_be_bytes().to_vec();
        if self.is_v2 {
            out.extend_from_slice(&STRUCTURE_V2);
        }
        let segments: usize = self.levels.iter().map(|level| level.segments.len()).sum();
        let mut put = |number: u64| varint::write(number, &mut out);
        put(self.levels.len() as u64);
        put(segments as u64);
        put(self.counter);
        for level in &self.levels {
            put(level.merging);
            put(level.segments.len() as u64);
            level.segments.iter().flatten().for_each(|&number| put(number));
        }
        out
    }
}

/// A leaf of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Offset of the first rowid in [`Leaf::carried`], if there is one.
    pub first_rowid: Option<usize>,
    /// What continues from the previous leaf.
    pub carried: Vec<u8>,
    /// Terms in order.
    pub terms: Vec<Term>,
}

impl Leaf {
    /// The leaf in `blob`.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        let end = read_be(blob, 2, 2) as usize;
        let content = blob.get(..end).filter(|content| content.len() >= 4)?;
        let mut starts = Vec::new();
        let mut start = 0_usize;
        for field in varints(blob, end) {
            start = start.checked_add(usize::try_from(field.get(blob)).ok()?)?;
            starts.push(start);
        }
        let carried = content.get(4..starts.first().copied().unwrap_or(end))?.to_vec();
        let first_rowid = (read_be(blob, 0, 2) as usize).checked_sub(4).filter(|&at| at < carried.len());
        let mut terms: Vec<Term> = Vec::new();
        for (i, &start) in starts.iter().enumerate() {
            let bytes = content.get(start..starts.get(i + 1).copied().unwrap_or(end))?;
            let mut at = 0;
            let mut number = || {
                let (value, length) = varint::read(bytes.get(at..)?)?;
                at += length;
                usize::try_from(value).ok()
            };
            let mut text = Vec::new();
            if let Some(last) = terms.last() {
                text.extend_from_slice(last.text.get(..number()?)?);
            }
            let suffix = number()?;
            let rest = bytes.get(at..)?;
            text.extend_from_slice(rest.get(..suffix)?);
            terms.push(Term { text, doclist: rest[suffix..].to_vec() });
        }
        Some(Self { first_rowid, carried, terms })
    }

    /// Writes the leaf, with terms prefix-compressed and a correct footer.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        let mut footer = Vec::new();
        out.extend_from_slice(&self.carried);
        let (mut last, mut last_start): (Option<&[u8]>, usize) = (None, 0);
        for term in &self.terms {
            varint::write((out.len() - last_start) as u64, &mut footer);
            last_start = out.len();
            let mut prefix = 0;
            if let Some(last) = last {
                prefix = last.iter().zip(&term.text).take_while(|(a, b)| a == b).count();
                varint::write(prefix as u64, &mut out);
            }
            varint::write((term.text.len() - prefix) as u64, &mut out);
            out.extend_from_slice(&term.text[prefix..]);
            out.extend_from_slice(&term.doclist);
            last = Some(&term.text);
        }
        let end = out.len() as u64;
        write_be(&mut out, 0, 2, self.first_rowid.map_or(0, |at| at as u64 + 4));
        write_be(&mut out, 2, 2, end);
        out.append(&mut footer);
        out
    }
}

/// A document of a doclist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doc {
    /// Its rowid minus the previous document's.
    pub delta: u64,
    /// Marked as deleted.
    pub is_delete: bool,
    /// Its positions.
    pub positions: Vec<u8>,
    /// Bytes of positions that are on the next leaf.
    pub missing: u64,
}

/// The documents of a doclist that has positions.
pub fn parse_doclist(doclist: &[u8]) -> Option<Vec<Doc>> {
    let mut docs = Vec::new();
    let mut at = 0;
    while at < doclist.len() {
        let (delta, length) = varint::read(&doclist[at..])?;
        at += length;
        let (size, length) = varint::read(doclist.get(at..)?)?;
        at += length;
        let bytes = usize::try_from(size / 2).unwrap_or(usize::MAX).min(doclist.len() - at);
        let positions = doclist[at..at + bytes].to_vec();
        docs.push(Doc { delta, is_delete: size & 1 == 1, positions, missing: size / 2 - bytes as u64 });
        at += bytes;
    }
    Some(docs)
}

/// Writes a doclist.
pub fn emit_doclist(docs: &[Doc]) -> Vec<u8> {
    let mut out = Vec::new();
    for doc in docs {
        varint::write(doc.delta, &mut out);
        let size = (doc.missing.wrapping_add(doc.positions.len() as u64)).wrapping_mul(2);
        varint::write(size | u64::from(doc.is_delete), &mut out);
        out.extend_from_slice(&doc.positions);
    }
    out
}

/// The numbers in a row of `%_data` of this kind.
pub fn fields(kind: Kind, blob: &[u8]) -> Vec<Field> {
    match kind {
        Kind::Averages => varints(blob, 0),
        Kind::Structure => {
            let start = if blob.get(4..8) == Some(&STRUCTURE_V2[..]) { 8 } else { 4 };
            std::iter::once(Field::fixed(0, 4)).chain(varints(blob, start)).collect()
        }
        Kind::DoclistIndex => std::iter::once(Field::fixed(0, 1)).chain(varints(blob, 1)).collect(),
        Kind::Tombstones => {
            let width = if blob.first() == Some(&4) { 4 } else { 8 };
            let header = [Field::fixed(0, 1), Field::fixed(1, 1), Field::fixed(4, 4)];
            let slots = (8..blob.len()).step_by(width).take(PARTS_MAX);
            header.into_iter().chain(slots.map(|at| Field::fixed(at, width))).collect()
        }
        Kind::Leaf => leaf_fields(blob),
    }
}

fn leaf_fields(blob: &[u8]) -> Vec<Field> {
    let end = (read_be(blob, 2, 2) as usize).min(blob.len());
    let mut fields = vec![Field::fixed(0, 2), Field::fixed(2, 2)];
    let footer = varints(blob, end);
    let mut start = 0_usize;
    for (i, field) in footer.iter().enumerate() {
        start = start.saturating_add(usize::try_from(field.get(blob)).unwrap_or(usize::MAX));
        let mut at = start;
        // Prefix (not of the first term) and length of the term; then it and its doclist.
        for _ in 0..if i == 0 { 1 } else { 2 } {
            let Some((value, length)) = blob.get(at..end).and_then(varint::read) else {
                return fields;
            };
            fields.push(Field { at: at..at + length, coding: Coding::Varint });
            at += length;
            start = at.saturating_add(usize::try_from(value).unwrap_or(usize::MAX));
        }
        let doclist = blob.get(start..end).map_or(Vec::new(), |_| varints(&blob[..end], start));
        fields.extend(doclist.into_iter().take(12));
        start = fields_start(&footer, i, blob);
    }
    fields.extend(footer);
    fields.truncate(PARTS_MAX);
    fields
}

/// Offset of term `i`, according to the footer.
fn fields_start(footer: &[Field], i: usize, blob: &[u8]) -> usize {
    let offsets = footer[..=i].iter().map(|field| usize::try_from(field.get(blob)).unwrap_or(usize::MAX));
    offsets.fold(0, usize::saturating_add)
}
