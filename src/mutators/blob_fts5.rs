//! Rows of FTS5's `%_data`.

use super::Context;
use super::blob_terms::{edit_positions, edit_terms};
use super::db_blobs::{Mode, lie};
use crate::dbfile::blob::fts5::{self, Doc, Kind, Leaf, Level, Structure};
use crate::dbfile::blob::{self, Term};

/// A row of this kind with one edit.
pub(super) fn data(kind: Kind, old: &[u8], mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let new = match (mode, kind) {
        (Mode::Consistent, Kind::Structure) => structure(old, context)?,
        (Mode::Consistent, Kind::Leaf) => leaf(old, context)?,
        (Mode::Consistent, Kind::Averages) => averages(old, context)?,
        _ => lie(old, &fts5::fields(kind, old), context)?,
    };
    (new != old).then_some(new)
}

fn averages(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let fields = blob::varints(old, 0);
    let field = context.pick(&fields)?;
    let mut new = old.to_vec();
    field.set(&mut new, field.get(old).wrapping_add(context.rng.u64(0..300)));
    Some(new)
}

fn structure(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let mut structure = Structure::parse(old)?;
    let levels = structure.levels.len();
    let level = context.rng.usize(0..levels.max(1));
    match context.rng.u8(0..8) {
        0 => structure.counter = context.number(structure.counter, 8),
        1 => structure.levels.insert(level.min(levels), Level { merging: 0, segments: Vec::new() }),
        // An interrupted merge.
        2 => {
            let level = structure.levels.get_mut(level)?;
            level.merging = context.rng.u64(0..=level.segments.len() as u64);
            if levels == 1 {
                structure.levels.push(Level { merging: 0, segments: vec![vec![9, 1, 1, 1, 1, 0, 0, 1]] });
                let width = if structure.is_v2 { 8 } else { 3 };
                structure.levels[1].segments[0].truncate(width);
            }
        }
        3 => {
            let segments = &mut structure.levels.get_mut(level)?.segments;
            let taken = context.range(segments.len(), 1)?;
            let segment = segments.remove(taken.start);
            if level + 1 == levels {
                structure.levels.push(Level { merging: 0, segments: Vec::new() });
            }
            structure.levels[level + 1].segments.push(segment);
        }
        4 => {
            let segments = &mut structure.levels.get_mut(level)?.segments;
            let copied = context.pick(segments)?.clone();
            segments.push(copied);
        }
        5 => {
            let segments = &mut structure.levels.get_mut(level)?.segments;
            let taken = context.range(segments.len(), 1)?;
            segments.remove(taken.start);
        }
        _ => {
            let segments = &mut structure.levels.get_mut(level)?.segments;
            let range = context.range(segments.len(), 1)?;
            let segment = segments.get_mut(range.start)?;
            let number = context.rng.usize(0..segment.len().max(1));
            let number = segment.get_mut(number)?;
            *number = if context.chance(60) { number.wrapping_add(1) } else { context.number(*number, 2) };
        }
    }
    Some(structure.emit())
}

fn leaf(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let mut leaf = Leaf::parse(old)?;
    let count = leaf.terms.len();
    if count == 0 || !leaf.carried.is_empty() && context.chance(30) {
        context.mutate_bytes(&mut leaf.carried, 8);
        return Some(leaf.emit());
    }
    let index = context.rng.usize(0..count);
    match context.rng.u8(0..10) {
        // The first byte tells the index of the term: the main one or a prefix index.
        4 => {
            let first = leaf.terms[index].text.first_mut()?;
            *first = b'0' + context.rng.u8(0..4);
            leaf.terms.sort_by(|a, b| a.text.cmp(&b.text));
        }
        5 if leaf.first_rowid.is_some() => leaf.first_rowid = None,
        edit if edit_terms(&mut leaf.terms, index, edit, context) => {}
        _ => documents(&mut leaf.terms[index], context)?,
    }
    Some(leaf.emit())
}

fn documents(term: &mut Term, context: &mut Context<'_>) -> Option<()> {
    let mut docs = fts5::parse_doclist(&term.doclist).filter(|docs| !docs.is_empty())?;
    let index = context.rng.usize(0..docs.len());
    match context.rng.u8(0..7) {
        0 if docs.len() > 1 => drop(docs.remove(index)),
        1 => {
            let copied = Doc { delta: context.rng.u64(1..4), ..docs[index].clone() };
            docs.insert(index + 1, copied);
        }
        2 => docs[index].is_delete = !docs[index].is_delete,
        3 => docs[index].delta = context.number(docs[index].delta, 8),
        4 => docs[index].positions.clear(),
        _ => {
            let positions = &mut docs[index].positions;
            let numbers = blob::varints(positions, 0);
            edit_positions(positions, &numbers, context);
        }
    }
    term.doclist = fts5::emit_doclist(&docs);
    Some(())
}
