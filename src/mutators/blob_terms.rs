//! What the indexes of FTS3 and FTS5 have in common: ordered terms, each with documents and positions.

use super::Context;
use crate::dbfile::blob::{Field, Term};

/// Applies edit number `edit` to the term at `index`; `false`, with nothing changed, if there is no such edit.
pub(super) fn edit_terms(terms: &mut Vec<Term>, index: usize, edit: u8, context: &mut Context<'_>) -> bool {
    match edit {
        0 if terms.len() > 1 => drop(terms.remove(index)),
        1 => {
            let mut term = terms[index].clone();
            term.text.push(b"!a~\xff"[context.rng.usize(0..4)]);
            terms.insert(index + 1, term);
        }
        2 => context.mutate_bytes(&mut terms[index].text, 8),
        3 => {
            let other = terms[context.rng.usize(0..terms.len())].doclist.clone();
            terms[index].doclist = other;
        }
        _ => return false,
    }
    true
}

/// Inserts a position or column into a position list at one of its `numbers`, removes that number, or changes it.
/// Numbers from 2 on are positions; 1 starts a column.
pub(super) fn edit_positions(list: &mut Vec<u8>, numbers: &[Field], context: &mut Context<'_>) {
    let Some(field) = context.pick(numbers) else {
        list.insert(0, 2);
        return;
    };
    let start = field.at.start;
    match context.rng.u8(0..4) {
        0 => drop(list.splice(start..start, [1, context.rng.u8(0..4)])),
        1 => drop(list.splice(start..start, [context.rng.u8(2..20)])),
        2 => drop(list.drain(field.at.clone())),
        _ => {
            let value = context.number(field.get(list), 4).max(2);
            field.set(list, value);
        }
    }
}
