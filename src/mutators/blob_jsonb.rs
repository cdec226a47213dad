//! JSONB in any value of any table, and JSON text converted to JSONB.

use super::db_blobs::{Mode, lie};
use super::db_header::image_mutator;
use super::db_rows::{atomically, trees};
use super::{Context, Outcome};
use crate::dbfile::blob::jsonb::{self, Content, Element, kind};
use crate::dbfile::blob::{Field, json};
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::{Geometry, header, schema};

/// Tables that are searched for JSON.
const TABLES_MAX: usize = 6;
/// Rows of a table that are searched.
const ROWS_MAX: usize = 24;
/// The longest value that is taken for JSON, in bytes.
const VALUE_BYTES_MAX: usize = 20_000;
/// Levels of nesting to add: around SQLite's limit of 1000, and small numbers.
const LEVELS: [usize; 5] = [1, 2, 30, 999, 1001];
/// Texts that do not match their type, or have wrong escapes.
const TEXTS: [&[u8]; 12] = [
    b"\\u12",
    b"\\uD800",
    b"\\ud83d\\ude00",
    b"\\x4",
    b"\\",
    b"a\"b",
    b"\\\xe2\x80\xa8",
    b"\xff\xc0",
    b"-",
    b"0x",
    b"1e",
    b".",
];

image_mutator! {
    /// Edits a JSONB value.
    Jsonb => edit
}

pub(super) fn edit(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let mode = Mode::pick(context);
    edit_in_mode(image, mode, context)
}

pub(super) fn edit_in_mode(image: &mut Vec<u8>, mode: Mode, context: &mut Context<'_>) -> Outcome {
    atomically(image, context, |space, context| {
        let (row, mut values, index) = pick(space.image, context)?;
        let encoding = header::ENCODING.get(space.image);
        let (old, is_text) = match &values[index] {
            Value::Text(text) => (json::parse(schema::decode(text, encoding).as_bytes())?.emit(), true),
            Value::Blob(blob) => (blob.clone(), false),
            _ => return None,
        };
        let new = if is_text && context.chance(50) { old } else { change(&old, mode, context)? };
        (new.len() <= VALUE_BYTES_MAX + context.room()).then_some(())?;
        values[index] = Value::Blob(new);
        rows::replace(space, &row, row.rowid, &record::encode(&values))
    })
}

/// A row with a value that looks like JSONB, or like an array or object in text.
fn pick(image: &[u8], context: &mut Context<'_>) -> Option<(Row, Vec<Value>, usize)> {
    let geometry = Geometry::of(image);
    let trees = trees(image);
    let mut scalar = None;
    for _ in 0..TABLES_MAX.min(trees.len()) {
        let &(_, root) = context.pick(&trees)?;
        let mut found = Vec::new();
        for row in rows::of(image, &geometry, root, ROWS_MAX) {
            if row.payload.total > VALUE_BYTES_MAX as u64 {
                continue;
            }
            let values = record::values(&row.read(image, &geometry));
            let is_json = |value: &Value| match value {
                Value::Blob(blob) => jsonb::looks_like(blob) && !matches!(blob[0] & 15, 0..=2),
                Value::Text(text) => text.iter().find(|&&byte| byte != 0).is_some_and(|b| b"[{".contains(b)),
                _ => false,
            };
            if let Some(index) = values.iter().position(is_json) {
                found.push((row, values, index));
            }
        }
        // Any short blob may look like a number or a text: prefer one with elements.
        let (sure, unsure): (Vec<_>, Vec<_>) = found.into_iter().partition(
            |(_, values, index)| !matches!(&values[*index], Value::Blob(blob) if blob[0] & 15 < kind::ARRAY),
        );
        if let Some(chosen) = context.pick(&sure) {
            return Some(chosen.clone());
        }
        scalar = scalar.or(unsure.into_iter().next());
    }
    scalar
}

/// JSONB with one edit.
pub(super) fn change(old: &[u8], mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let new = match mode {
        Mode::Consistent => consistent(old, context)?,
        Mode::Lie => header_lie(old, context)?,
        Mode::Raw => {
            let mut new = old.to_vec();
            context.mutate_bytes(&mut new, 32);
            new
        }
    };
    (new != old).then_some(new)
}

/// Changes one header: its type, its size, or how the size is stored.
fn header_lie(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let fields = jsonb::fields(old);
    let field = context.pick(&fields)?;
    if field.at.len() > 1 || context.chance(20) {
        return lie(old, &fields, context);
    }
    let first = field.get(old);
    let value = match context.rng.u8(0..4) {
        0 => first & 0xf0 | context.rng.u64(0..16),
        1 => first & 0x0f | context.rng.u64(0..16) << 4,
        2 => first.wrapping_add(0x10),
        _ => first.wrapping_sub(0x10),
    };
    let mut new = old.to_vec();
    Field::fixed(field.at.start, 1).set(&mut new, value & 0xff);
    Some(new)
}

/// The lengths stay right; a text or number may no longer fit its type.
fn consistent(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let mut root = Element::parse(old)?;
    let count = root.count();
    let copied = root.nth_mut(context.rng.usize(0..count))?.clone();
    let element = root.nth_mut(context.rng.usize(0..count))?;
    match context.rng.u8(0..9) {
        0 => element.kind = context.rng.u8(0..16),
        1 => element.header_bytes = [1, 2, 3, 5, 9][context.rng.usize(0..5)],
        2 => *element = copied,
        3 => {
            let levels = LEVELS[context.rng.usize(0..LEVELS.len())];
            (levels * 4 < context.room()).then_some(())?;
            return Some(wrapped(old, levels, context.chance(30)));
        }
        4 | 5 => match &mut element.content {
            Content::Elements(elements) => match context.rng.u8(0..3) {
                0 => elements.push(copied),
                1 => drop(elements.pop()),
                _ => context.rng.shuffle(elements),
            },
            Content::Bytes(bytes) => context.mutate_bytes(bytes, 16),
        },
        _ => {
            element.kind = context.rng.u8(kind::INT..=kind::TEXTRAW);
            let text = TEXTS[context.rng.usize(0..TEXTS.len())];
            element.content = Content::Bytes(text.to_vec());
        }
    }
    Some(root.emit())
}

/// The element inside so many levels of arrays, or of objects with one label.
fn wrapped(element: &[u8], levels: usize, in_objects: bool) -> Vec<u8> {
    // Built backwards from the inside out: the header of a level precedes its payload.
    let label: &[u8] = if in_objects { b"\x17k" } else { b"" };
    let container = if in_objects { kind::OBJECT } else { kind::ARRAY };
    let mut headers: Vec<Vec<u8>> = Vec::with_capacity(levels);
    let mut length = element.len();
    for _ in 0..levels {
        length += label.len();
        let mut header = Vec::new();
        jsonb::write_header(container, length as u64, 1, &mut header);
        length += header.len();
        header.extend_from_slice(label);
        headers.push(header);
    }
    headers.reverse();
    headers.push(element.to_vec());
    headers.concat()
}
