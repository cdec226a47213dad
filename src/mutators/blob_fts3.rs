//! Nodes of FTS3's segment b-trees.

use super::Context;
use super::blob_terms::{edit_positions, edit_terms};
use super::db_blobs::{Mode, lie};
use crate::dbfile::blob::fts3::{self, Doc, Node};

/// A node with one edit.
pub(super) fn node(old: &[u8], mode: Mode, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let Some(mut node) = Node::parse(old).filter(|_| mode == Mode::Consistent) else {
        return lie(old, &fts3::node_fields(old), context);
    };
    let index = context.rng.usize(0..node.terms.len());
    let edit = context.rng.u8(0..10);
    if edit == 4 && node.height > 0 {
        node.left_child = context.number(node.left_child, 8);
    } else if !edit_terms(&mut node.terms, index, edit, context) {
        let doclist = &mut node.terms[index].doclist;
        *doclist = documents(doclist, context)?;
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
        _ => {
            let positions = &mut docs[index].positions;
            let numbers = fts3::varints(positions, 0, positions.len());
            // The last number ends the list.
            edit_positions(positions, &numbers[..numbers.len().saturating_sub(1)], context);
        }
    }
    Some(fts3::emit_doclist(&docs))
}
