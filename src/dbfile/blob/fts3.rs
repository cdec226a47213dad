//! FTS3 and FTS4 (<https://sqlite.org/fts3.html#data_structures>): nodes of segment b-trees, and lists of varints.

use super::{Coding, Field, PARTS_MAX, Term};

/// Reads a varint of FTS3: value and length.
pub fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Appends a varint of FTS3.
pub fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A node of a segment b-tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 0 for a leaf.
    pub height: u64,
    /// Block of the first child, on interior nodes; the others follow it.
    pub left_child: u64,
    /// Terms in order.
    pub terms: Vec<Term>,
}

/// A document of a doclist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doc {
    /// Its id minus the previous document's.
    pub delta: u64,
    /// Its positions, the 0 at the end included.
    pub positions: Vec<u8>,
}

/// Reads numbers and bytes from front to back and records their positions.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (value, length) = read_varint(self.bytes.get(self.at..)?)?;
        self.fields.push(Field { at: self.at..self.at + length, coding: Coding::Fts3Varint });
        self.at += length;
        (self.fields.len() < PARTS_MAX).then_some(value)
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}

fn node(reader: &mut Reader<'_>) -> Option<Node> {
    let height = reader.number()?;
    let left_child = if height > 0 { reader.number()? } else { 0 };
    let mut terms: Vec<Term> = Vec::new();
    while reader.at < reader.bytes.len() {
        let mut text = Vec::new();
        if let Some(last) = terms.last() {
            let prefix = usize::try_from(reader.number()?).ok()?;
            text.extend_from_slice(last.text.get(..prefix)?);
        }
        let suffix = reader.number()?;
        text.extend_from_slice(reader.take(suffix)?);
        let mut doclist = Vec::new();
        if height == 0 {
            let length = reader.number()?;
            let start = reader.at;
            doclist = reader.take(length)?.to_vec();
            reader.fields.extend(varints(reader.bytes, start, reader.at));
        }
        terms.push(Term { text, doclist });
    }
    Some(Node { height, left_child, terms })
}

/// The numbers of a node, as far as it can be parsed.
pub fn node_fields(blob: &[u8]) -> Vec<Field> {
    let mut reader = Reader { bytes: blob, at: 0, fields: Vec::new() };
    node(&mut reader);
    reader.fields
}

/// Consecutive varints.
pub fn varints(blob: &[u8], start: usize, end: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut at = start;
    while at < end && fields.len() < PARTS_MAX {
        let Some((_, length)) = blob.get(at..).and_then(read_varint) else {
            break;
        };
        fields.push(Field { at: at..at + length, coding: Coding::Fts3Varint });
        at += length;
    }
    fields
}

impl Node {
    /// Parses the node in `blob`, if it is well-formed to its end.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        node(&mut Reader { bytes: blob, at: 0, fields: Vec::new() }).filter(|node| !node.terms.is_empty())
    }

    /// Writes the node, with terms prefix-compressed.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_varint(self.height, &mut out);
        if self.height > 0 {
            write_varint(self.left_child, &mut out);
        }
        let mut last: Option<&[u8]> = None;
        for term in &self.terms {
            let mut prefix = 0;
            if let Some(last) = last {
                prefix = last.iter().zip(&term.text).take_while(|(a, b)| a == b).count();
                // SQLite treats an empty suffix as corruption.
                prefix = prefix.min(term.text.len().saturating_sub(1));
                write_varint(prefix as u64, &mut out);
            }
            write_varint((term.text.len() - prefix) as u64, &mut out);
            out.extend_from_slice(&term.text[prefix..]);
            if self.height == 0 {
                write_varint(term.doclist.len() as u64, &mut out);
                out.extend_from_slice(&term.doclist);
            }
            last = Some(&term.text);
        }
        out
    }
}

/// The documents of a doclist, if it is well-formed to its end.
pub fn parse_doclist(doclist: &[u8]) -> Option<Vec<Doc>> {
    let mut docs = Vec::new();
    let mut at = 0;
    while at < doclist.len() {
        let (delta, length) = read_varint(&doclist[at..])?;
        at += length;
        let start = at;
        loop {
            let (value, length) = read_varint(doclist.get(at..)?)?;
            at += length;
            if value == 0 {
                break;
            }
        }
        docs.push(Doc { delta, positions: doclist[start..at].to_vec() });
    }
    Some(docs)
}

/// Writes a doclist.
pub fn emit_doclist(docs: &[Doc]) -> Vec<u8> {
    let mut out = Vec::new();
    for doc in docs {
        write_varint(doc.delta, &mut out);
        out.extend_from_slice(&doc.positions);
    }
    out
}
