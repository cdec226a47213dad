//! Nodes of FTS3's segment b-trees.

use super::Context;
use super::db_blobs::{Mode, lie};
use crate::dbfile::blob::fts3::{self, Doc, Node};

/// A node with a change.
pub(super) fn node(old: &[u8], mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let Some(mut node) = Node::parse(old).filter(|_| mode == Mode::Consistent) else {
        return lie(old, &fts3::node_fields(old), context);
    };
    let count = node.entries.len();
    let index = context.rng.usize(0..count);
    match context.rng.u8(0..10) {
        0 if count > 1 => drop(node.entries.remove(index)),
        1 => {
            let mut entry = node.entries[index].clone();
            entry.term.push(b"!a~\xff"[context.rng.usize(0..4)]);
            node.entries.insert(index + 1, entry);
        }
        2 => {
            let term = &mut node.entries[index].term;
            context.mutate_bytes(term, 8);
        }
        3 if node.height > 0 => node.left_child = context.number(node.left_child, 8),
        4 => {
            let other = node.entries[context.rng.usize(0..count)].doclist.clone();
            node.entries[index].doclist = other;
        }
        _ => {
            let doclist = &mut node.entries[index].doclist;
            *doclist = documents(doclist, context)?;
        }
    }
    Some(node.emit()).filter(|new| new != old)
}

fn documents(old: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let mut docs = fts3::parse_doclist(old).filter(|docs| !docs.is_empty())?;
    let index = context.rng.usize(0..docs.len());
    match context.rng.u8(0..6) {
        0 if docs.len() > 1 => drop(docs.remove(index)),
        1 => {
            let copied = Doc { delta: context.rng.u64(1..4), ..docs[index].clone() };
            docs.insert(index + 1, copied);
        }
        // A document without positions is deleted.
        2 => docs[index].positions = vec![0],
        3 => docs[index].delta = context.number(docs[index].delta, 8),
        _ => positions(&mut docs[index].positions, context),
    }
    Some(fts3::emit_doclist(&docs))
}

/// Puts a position or column into a position list, or takes one out. Numbers from 2 on are positions, 1
/// begins a column, 0 ends the list.
fn positions(list: &mut Vec<u8>, context: &mut Context<'_>) {
    let numbers = fts3::varints(list, 0, list.len());
    let Some(field) = context.pick(&numbers[..numbers.len().saturating_sub(1)]) else {
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
