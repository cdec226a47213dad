//! Edits the syntax tree of a statement.
//!
//! One statement of the script is parsed, edited and printed; the statements around it stay byte for byte the same.
//! After most edits its names are bound to what exists at that point of the script ([`crate::sql::tree::Binder`]); some
//! are left unbound, to be wrong.

mod expressions;
mod queries;
mod repair;
mod subtrees;

pub(super) use expressions::{Function, Literal, Wrap};
pub(super) use queries::{Embed, Join};
pub(super) use repair::{Rebind, Repair, repair};
pub(super) use subtrees::{Clause, Exchange, List, exchange_with};

use smol_str::SmolStr;
use std::ops::Range;

use super::sql_statements::store;
use super::{Context, Outcome, sql_templates};
use crate::sql::tree::{self, Binder, Kind, Node, Part};
use crate::sql::{self, Names};
use crate::testcase::{Script, TestCase};

/// Defines a mutator that edits trees with a function.
macro_rules! tree_mutator {
    ($(#[$doc:meta])* $name:ident => $edit:ident) => {
        $(#[$doc])*
        pub(in crate::mutators) struct $name;

        impl crate::mutators::Mutator for $name {
            fn can_mutate(&self, case: &crate::testcase::TestCase) -> bool {
                !case.sql.is_empty()
            }

            fn mutate(
                &self,
                case: &mut crate::testcase::TestCase,
                context: &mut crate::mutators::Context<'_>,
            ) -> crate::mutators::Outcome {
                super::edit(case, context, $edit)
            }
        }
    };
}
use tree_mutator;

/// Statements that are tried until one has a tree with something to edit.
const ATTEMPTS_MAX: usize = 4;
/// Edited statements whose names are bound, of 100.
const BOUND_PERCENT: u8 = 85;
/// How many of 100 names are left wrong when a statement is bound.
const ERRORS_PERCENT: u8 = 3;

/// A statement that is being edited.
pub(super) struct Subject<'a> {
    /// The names that exist when it runs.
    pub(super) names: &'a Names,
    /// The other statements of the script.
    pub(super) others: &'a [Range<usize>],
    /// The script.
    pub(super) script: &'a [u8],
}

impl Subject<'_> {
    /// The tree of some other statement of the script.
    pub(super) fn other_tree(&self, context: &mut Context<'_>) -> Option<Node> {
        let range = context.pick(self.others)?.clone();
        tree::parse(&self.script[range])
    }
}

/// Edits the tree of one statement of the script with `edit`, which says whether it changed something.
pub(super) fn edit(
    case: &mut TestCase,
    context: &mut Context<'_>,
    mut edit: impl FnMut(&mut Node, &Subject<'_>, &mut Context<'_>) -> bool,
) -> Outcome {
    let script = case.sql.as_bytes();
    let statements: Vec<Range<usize>> = sql::statements(script).collect();
    for _ in 0..ATTEMPTS_MAX {
        let Some(range) = context.pick(&statements).cloned() else {
            return Outcome::Skipped;
        };
        let Some(mut tree) = tree::parse(&script[range.clone()]) else {
            continue;
        };
        let names = sql_templates::names_before(case, range.start);
        let subject = Subject { names: &names, others: &statements, script };
        if !edit(&mut tree, &subject, context) {
            continue;
        }
        if context.chance(BOUND_PERCENT) {
            bind(&mut tree, &names, context);
        }
        let new = tree.print();
        if new.len() > range.len() + context.room() {
            continue;
        }
        return replace(case, range, &new);
    }
    Outcome::Skipped
}

/// Binds the names of a statement.
pub(super) fn bind(tree: &mut Node, names: &Names, context: &mut Context<'_>) {
    Binder::new(names, context.vocabulary, &mut context.rng, ERRORS_PERCENT).statement(tree);
}

/// Replaces a statement by `new`; its semicolon and the whitespace before it stay.
fn replace(case: &mut TestCase, range: Range<usize>, new: &str) -> Outcome {
    let script = case.sql.as_bytes();
    let old = &script[range.clone()];
    let blank = old.iter().take_while(|byte| sql::token::is_space(**byte)).count();
    let end = if old.ends_with(b";") { range.end - 1 } else { range.end };
    let text = [&script[..range.start + blank], new.as_bytes(), &script[end..]].concat();
    store(case, Script::new(text))
}

/// The indexes, in the order of [`Node::visit`], of nodes for which `is_fit` holds.
pub(super) fn indexes(tree: &Node, is_fit: impl Fn(&Node) -> bool) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    tree.visit(&mut |node| {
        if is_fit(node) {
            found.push(at);
        }
        at += 1;
    });
    found
}

/// A node to edit for which `is_fit` holds.
pub(super) fn pick_node<'t>(
    tree: &'t mut Node,
    context: &mut Context<'_>,
    is_fit: impl Fn(&Node) -> bool,
) -> Option<&'t mut Node> {
    let found = indexes(tree, is_fit);
    let index = *context.pick(&found)?;
    tree.nth_mut(index)
}

/// An expression that is valid anywhere: in parentheses, unless it needs none.
pub(super) fn operand(expr: Node) -> Node {
    let is_simple = match expr.parts.as_slice() {
        [Part::Node(_)] => true,
        [Part::Text(first), .., Part::Text(last)] => first.ends_with('(') && last == ")",
        _ => expr.child(Kind::FunctionName).is_some(),
    };
    if is_simple || expr.kind != Kind::Expr {
        return expr;
    }
    let list = Node::new(Kind::Exprs, vec![Part::Node(expr)]);
    Node::new(
        Kind::Expr,
        vec![Part::Text(SmolStr::new_static("(")), Part::Node(list), Part::Text(SmolStr::new_static(")"))],
    )
}

/// The tree of an expression.
pub(super) fn parse_expr(text: &str) -> Option<Node> {
    let tree = tree::parse(format!("SELECT {text}").as_bytes())?;
    let columns = tree.child(Kind::Compound)?.child(Kind::Core)?.child(Kind::Columns)?;
    columns.child(Kind::ResultColumn)?.child(Kind::Expr).cloned()
}

#[cfg(test)]
mod tests;
