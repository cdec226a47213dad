//! Changesets from a grammar (<https://sqlite.org/session/c_changeset_abort.html>, `sqlite3session.c`), and damage to them.
//!
//! Random bytes never get past the first header. So changes are well-formed and fit a table of the case, or they are and do
//! not fit, or some bytes of them are changed.
//!
//! ```text
//! changeset := table*
//! table     := ('T' | 'P') columns:varint is-key:u8[columns] name NUL change*
//! change    := operation:u8 is-indirect:u8 old? new?
//! record    := value[columns]
//! value     := 0 | 1 i64 | 2 f64 | 3 length:varint text | 4 length:varint blob | 5
//! ```
//! Numbers are big-endian. A change of a patchset (`P`) has of the old row only what is in its key.

use super::Context;
use crate::dbfile::varint;
use crate::sql::{self, Names};

const INSERT: u8 = 18;
const UPDATE: u8 = 23;
const DELETE: u8 = 9;
/// Length of a text or blob, and bytes by which libFuzzer's mutations may let a changeset grow.
const ROOM_BYTES: usize = 24;

/// A changeset, usually for tables of the case.
pub(super) fn new(names: &Names, context: &mut Context<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let is_patchset = context.chance(25);
    for _ in 0..context.rng.u8(1..3) {
        let table = context.pick(&names.tables);
        let name = table.map_or("t", |table| sql::bare(&table.name)).to_owned();
        let known = table.map_or(2, |table| table.columns.len().max(1));
        let columns = if context.chance(90) { known.min(16) } else { context.rng.usize(1..6) };
        // A group of another kind than those before is an error.
        let is_patchset = is_patchset ^ context.chance(3);
        add_table(&name, columns, is_patchset, &mut out, context);
    }
    if context.chance(35) {
        damage(&mut out, context);
    }
    out
}

fn add_table(name: &str, columns: usize, is_patchset: bool, out: &mut Vec<u8>, context: &mut Context<'_>) {
    out.push(if is_patchset { b'P' } else { b'T' });
    varint::write(columns as u64, out);
    // Most tables have one column as their key, and that is the first.
    let mut keys: Vec<u8> = vec![0; columns];
    keys[0] = 1;
    if context.chance(20) {
        keys.iter_mut().for_each(|key| *key = context.rng.u8(0..3));
    }
    out.extend_from_slice(&keys);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    for _ in 0..context.rng.u8(1..4) {
        let operation = [INSERT, UPDATE, DELETE][context.rng.usize(0..3)];
        out.extend([operation, u8::from(context.chance(20))]);
        match operation {
            INSERT => add_record(&keys, |_| true, out, context),
            DELETE if is_patchset => {
                let of_key: Vec<u8> = keys.iter().copied().filter(|&key| key != 0).collect();
                add_record(&of_key, |_| true, out, context);
            }
            DELETE => add_record(&keys, |_| true, out, context),
            _ => {
                let changed: Vec<bool> = keys.iter().map(|_| context.rng.bool()).collect();
                if !is_patchset {
                    add_record(&keys, |at| keys[at] != 0 || changed[at], out, context);
                }
                add_record(
                    &keys,
                    |at| changed[at] && (keys[at] == 0) || is_patchset && keys[at] != 0,
                    out,
                    context,
                );
            }
        }
    }
}

/// Values for some of the columns, and none for the others.
fn add_record(keys: &[u8], is_there: impl Fn(usize) -> bool, out: &mut Vec<u8>, context: &mut Context<'_>) {
    for (at, &key) in keys.iter().enumerate() {
        if !is_there(at) {
            out.push(0);
        } else if key != 0 && context.chance(80) {
            // Of a row that may be there.
            out.push(1);
            out.extend_from_slice(&context.rng.i64(0..8).to_be_bytes());
        } else {
            add_value(out, context);
        }
    }
}

fn add_value(out: &mut Vec<u8>, context: &mut Context<'_>) {
    let kind = context.rng.u8(1..6);
    out.push(kind);
    match kind {
        1 => out.extend_from_slice(&context.number(1, 8).to_be_bytes()),
        2 => out.extend_from_slice(&context.number(0x3ff0_0000_0000_0000, 8).to_be_bytes()),
        3 | 4 => {
            let length = context.rng.usize(0..ROOM_BYTES);
            varint::write(length as u64, out);
            out.extend((0..length).map(|_| context.rng.u8(b' '..b'~')));
        }
        _ => {}
    }
}

/// Cuts it, changes one byte, or lets libFuzzer change some.
pub(super) fn damage(content: &mut Vec<u8>, context: &mut Context<'_>) {
    let Some(at) = context.range(content.len(), 1).map(|range| range.start) else {
        content.push(b'T');
        return;
    };
    match context.rng.u8(0..4) {
        0 => content.truncate(at),
        1 => content[at] = context.number(content[at].into(), 1) as u8,
        2 => {
            // The header of the first table is read by different code for each function.
            let at = at.min(4);
            content[at] = context.number(content[at].into(), 1) as u8;
        }
        _ => context.mutate_bytes(content, ROOM_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::vocabulary::Vocabulary;

    #[test]
    fn changesets_begin_with_a_header_of_a_table_of_the_case() {
        let vocabulary = Vocabulary::new(Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let names = Names::of(b"CREATE TABLE abc(a, b, c)");
        let mut fitting = 0;
        for seed in 0..100 {
            let mut same = |_: &mut [u8], size: usize, _: usize| size;
            let content = new(&names, &mut Context::new(seed, &vocabulary, &mut same, 10, 4000));
            let header = content.windows(4).any(|part| part == b"abc\0");
            fitting += u32::from(header && matches!(content[0], b'T' | b'P') && content[1] == 3);
        }
        assert!(fitting > 60, "{fitting}");
    }
}
