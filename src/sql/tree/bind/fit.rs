//! Makes counts agree.

use crate::sql::tree::{Kind, Node, Part};

/// Columns that fillers may be added for.
const FILLERS: [&str; 3] = ["1", "NULL", "'x'"];

fn filler(index: usize) -> Node {
    let literal = Node::text(Kind::Literal, FILLERS[index % FILLERS.len()]);
    Node::new(Kind::Expr, vec![Part::Node(literal)])
}

/// Makes a list of expressions `count` long.
pub(super) fn resize_exprs(exprs: &mut Node, count: usize) {
    exprs.parts.truncate(count);
    while exprs.parts.len() < count {
        exprs.parts.push(Part::Node(filler(exprs.parts.len())));
    }
}

/// Makes a core or `VALUES` return `count` columns; `*` is replaced, because its number is uncertain.
pub(super) fn resize_core(core: &mut Node, count: usize) {
    if let Some(rows) = core.child_mut(Kind::Rows) {
        for exprs in rows.children_mut().filter_map(|row| row.child_mut(Kind::Exprs)) {
            resize_exprs(exprs, count);
        }
    }
    let Some(columns) = core.child_mut(Kind::Columns) else {
        return;
    };
    columns.parts.retain(|part| match part {
        Part::Node(column) => column.child(Kind::Expr).is_some(),
        Part::Text(_) => false,
    });
    columns.parts.truncate(count);
    while columns.parts.len() < count {
        let expr = Part::Node(filler(columns.parts.len()));
        columns.parts.push(Part::Node(Node::new(Kind::ResultColumn, vec![expr])));
    }
}

/// Makes a query return `count` columns.
pub(super) fn resize_select(query: &mut Node, count: usize) {
    if let Some(compound) = query.child_mut(Kind::Compound) {
        for core in compound.children_mut().filter(|node| node.kind == Kind::Core) {
            resize_core(core, count);
        }
    }
}

/// Number of values of an expression as it is: more than one for row values and wide subqueries.
pub(super) fn width(expr: &Node) -> usize {
    if let Some(query) = expr.child(Kind::Select) {
        let is_scalar = matches!(expr.parts.first(), Some(Part::Text(text)) if text == "(");
        return if is_scalar { select_width(query).unwrap_or(1) } else { 1 };
    }
    match (expr.parts.as_slice(), expr.child(Kind::Exprs)) {
        ([Part::Text(open), Part::Node(_), Part::Text(_)], Some(exprs)) if open == "(" => {
            match exprs.parts.as_slice() {
                [Part::Node(one)] => width(one),
                many => many.len(),
            }
        }
        _ => 1,
    }
}

/// Number of columns of a query that lists them all.
fn select_width(query: &Node) -> Option<usize> {
    let core = query.child(Kind::Compound)?.child(Kind::Core)?;
    if let Some(rows) = core.child(Kind::Rows) {
        return rows.children().next()?.child(Kind::Exprs).map(|exprs| exprs.parts.len());
    }
    let columns = core.child(Kind::Columns)?;
    columns.children().all(|column| column.child(Kind::Expr).is_some()).then_some(columns.parts.len())
}
