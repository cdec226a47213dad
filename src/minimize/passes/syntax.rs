//! Clauses, list items and expressions, on the syntax tree.

use std::ops::Range;

use super::{Part, Pass, with_sql};
use crate::sql;
use crate::sql::tree::{self, Kind, Node, Part as Piece};
use crate::testcase::TestCase;

/// Maximum number of descendants tried in place of a node.
const HOISTED_MAX: usize = 6;

pub(super) struct Syntax;

impl Pass for Syntax {
    fn name(&self) -> &'static str {
        "syntax"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        trees(case).iter().map(|(_, tree)| edits(tree).len()).sum()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let mut left = at.start;
        for (range, tree) in trees(case) {
            let edits = edits(&tree);
            match edits.get(left) {
                Some(edit) => {
                    let new = edited(&tree, *edit)?;
                    return Some(with_statement(case, range, &new));
                }
                None => left -= edits.len(),
            }
        }
        None
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// The statements that have a tree, and their positions.
fn trees(case: &TestCase) -> Vec<(Range<usize>, Node)> {
    let text = case.sql.as_bytes();
    sql::statements(text).filter_map(|range| Some((range.clone(), tree::parse(&text[range])?))).collect()
}

fn with_statement(case: &TestCase, range: Range<usize>, statement: &str) -> TestCase {
    let text = case.sql.as_bytes();
    let new = [&text[..range.start], statement.as_bytes(), b";\n", &text[range.end..]].concat();
    with_sql(case, new)
}

/// A way to make a statement smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// The statement is replaced by a query in it.
    Query(usize),
    /// The clause is removed.
    Absent(usize),
    /// List items are removed.
    Items(usize, usize, usize),
    /// The node is replaced by a descendant of its kind.
    Hoist(usize, usize),
    /// The expression is replaced by a literal.
    Literal(usize, &'static str),
}

/// The ways to make a tree smaller, those that remove most first.
pub(super) fn edits(tree: &Node) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut index = 0;
    tree.visit(&mut |node| {
        if index > 0 && node.kind == Kind::Select {
            edits.push(Edit::Query(index));
        }
        if node.kind.is_optional() && !node.is_absent() {
            edits.push(Edit::Absent(index));
        }
        if node.kind.is_list() {
            edits.extend(items(index, node.parts.len()));
        }
        if index > 0 && !node.is_absent() {
            edits.extend((0..below(node).len()).map(|which| Edit::Hoist(index, which)));
        }
        let is_literal = matches!(node.as_text(), Some("NULL" | "0" | "1"));
        if node.kind == Kind::Expr && !is_literal && !is_literal_node(node) {
            edits.extend(["NULL", "1"].map(|text| Edit::Literal(index, text)));
        }
        index += 1;
    });
    edits
}

fn is_literal_node(node: &Node) -> bool {
    matches!(node.parts.as_slice(), [Piece::Node(inner)] if inner.kind == Kind::Literal)
}

/// Halves, then single items; not all of them.
fn items(index: usize, count: usize) -> Vec<Edit> {
    let mut edits = Vec::new();
    if count > 3 {
        edits.push(Edit::Items(index, count / 2, count));
        edits.push(Edit::Items(index, 0, count / 2));
    }
    if count > 1 {
        edits.extend((0..count).rev().map(|at| Edit::Items(index, at, at + 1)));
    }
    edits
}

/// The nearest descendants of `node` that are of its kind.
fn below(node: &Node) -> Vec<&Node> {
    fn collect<'n>(node: &'n Node, kind: Kind, found: &mut Vec<&'n Node>) {
        for child in node.children() {
            if found.len() >= HOISTED_MAX {
                return;
            }
            if child.kind == kind && !child.is_absent() {
                found.push(child);
            } else {
                collect(child, kind, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(node, node.kind, &mut found);
    found
}

/// The statement after an edit, without a semicolon.
pub(super) fn edited(tree: &Node, edit: Edit) -> Option<String> {
    let mut tree = tree.clone();
    match edit {
        Edit::Query(index) => return Some(tree.nth_mut(index)?.print()),
        Edit::Absent(index) => tree.nth_mut(index)?.parts.clear(),
        Edit::Items(index, start, end) => _ = tree.nth_mut(index)?.parts.drain(start..end),
        Edit::Hoist(index, which) => {
            let node = tree.nth_mut(index)?;
            let new = (*below(node).get(which)?).clone();
            *node = new;
        }
        Edit::Literal(index, text) => {
            let node = tree.nth_mut(index)?;
            *node = Node::text(node.kind, text);
        }
    }
    Some(tree.print())
}
