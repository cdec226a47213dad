//! Replaces subtrees, adds and drops clauses, edits lists.

use super::{Subject, edit, indexes, operand, pick_node, tree_mutator};
use crate::generators::Fragments;
use crate::mutators::{Context, Outcome};
use crate::sql;
use crate::sql::tree::{self, Kind, Node, Part};
use crate::testcase::{Script, TestCase};

tree_mutator! {
    /// Replaces a subtree by another of the same kind, from the statement, another one of the script, or the seeds.
    Exchange => exchange
}

/// Inserts one or a few subtrees of another script into statements of this one.
pub(in crate::mutators) fn exchange_with(
    case: &mut TestCase,
    donor: &Script,
    context: &mut Context<'_>,
) -> Outcome {
    let donors: Vec<_> = sql::statements(donor.as_bytes()).collect();
    let mut outcome = Outcome::Skipped;
    for _ in 0..context.rng.u8(1..4) {
        let new = edit(case, context, |tree, _, context| {
            let donor = context.pick(&donors).and_then(|range| tree::parse(&donor.as_bytes()[range.clone()]));
            exchange_from(tree, donor.as_ref(), context)
        });
        if new == Outcome::Mutated {
            outcome = new;
        }
    }
    outcome
}

fn exchange(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    let source = match context.rng.u8(0..10) {
        0..2 => Some(tree.clone()),
        2..6 => subject.other_tree(context),
        _ => None,
    };
    exchange_from(tree, source.as_ref(), context)
}

/// Replaces a subtree by one of the same kind from `source` or the seeds.
fn exchange_from(tree: &mut Node, source: Option<&Node>, context: &mut Context<'_>) -> bool {
    // Large subtrees and small ones alike: choose the kind of node first, or nearly all would be leaves.
    let mut kinds = Vec::new();
    tree.visit(&mut |node| kinds.push(node.kind));
    kinds.remove(0);
    kinds.sort_unstable();
    kinds.dedup();
    let Some(&kind) = context.pick(&kinds) else {
        return false;
    };
    let Some(new) = fragment(source, kind, context) else {
        return false;
    };
    let Some(place) = pick_node(tree, context, |node| node.kind == kind) else {
        return false;
    };
    let new = if place.kind == Kind::Expr { operand(new) } else { new };
    let is_new = *place != new;
    *place = new;
    is_new
}

/// A node of `kind` from `source`, otherwise from the seeds.
fn fragment(source: Option<&Node>, kind: Kind, context: &mut Context<'_>) -> Option<Node> {
    let mut own = Vec::new();
    if let Some(source) = source {
        source.visit(&mut |node| {
            if node.kind == kind && !node.is_absent() {
                own.push(node);
            }
        });
    }
    match context.pick(&own) {
        Some(node) => Some((*node).clone()),
        None => context.pick(Fragments::of_seeds().of(kind)).copied().cloned(),
    }
}

tree_mutator! {
    /// Adds, drops or changes a clause.
    Clause => clause
}

fn clause(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    let goes = context.chance(25);
    let is_fit = |node: &Node| node.kind.is_optional() && (!goes || !node.is_absent());
    let source = if context.chance(30) { subject.other_tree(context) } else { None };
    let Some(place) = pick_node(tree, context, is_fit) else {
        return false;
    };
    if goes {
        place.parts.clear();
        return true;
    }
    let Some(new) = fragment(source.as_ref(), place.kind, context) else {
        return false;
    };
    let is_new = *place != new;
    *place = new;
    is_new
}

tree_mutator! {
    /// Drops, duplicates or moves an item of a list, or takes one from elsewhere.
    List => list
}

fn list(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    let source = if context.chance(40) { subject.other_tree(context) } else { None };
    let lists = indexes(tree, |node| node.kind.is_list() && !node.parts.is_empty());
    let Some(&index) = context.pick(&lists) else {
        return false;
    };
    let Some(list) = tree.nth_mut(index) else {
        return false;
    };
    let count = list.parts.len();
    let (at, other) = (context.rng.usize(0..count), context.rng.usize(0..count));
    match context.rng.u8(0..5) {
        0 if count > 1 => {
            list.parts.remove(at);
        }
        1 => {
            let item = list.parts[at].clone();
            list.parts.insert(other, item);
        }
        2 if count > 1 && list.parts[at] != list.parts[other] => list.parts.swap(at, other),
        _ => {
            let kind = list.children().next().map(|item| item.kind);
            let Some(item) = kind.and_then(|kind| fragment(source.as_ref(), kind, context)) else {
                return false;
            };
            list.parts.insert(at, Part::Node(item));
        }
    }
    true
}
