//! Queries that aggregate.

use super::query::has;
use crate::engine::sqlite::Session;
use crate::sql::tree::{Kind, Node};

/// Aggregates whose result depends on the order of their rows.
pub(crate) const ORDERED_AGGREGATES: [&str; 6] = [
    "group_concat",
    "string_agg",
    "json_group_array",
    "json_group_object",
    "jsonb_group_array",
    "jsonb_group_object",
];
/// Window functions whose result depends on the order of rows that tie.
pub(crate) const ORDERED_WINDOWS: [&str; 7] =
    ["row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"];
/// Aggregates.
const AGGREGATES: [&str; 13] = [
    "count",
    "sum",
    "total",
    "avg",
    "min",
    "max",
    "median",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "geopoly_group_bbox",
    "decimal_sum",
    "string_agg",
];

/// True if an aggregate is called in an expression, as such and not within a subquery.
pub(crate) fn aggregates(node: &Node) -> bool {
    if node.kind == Kind::Select {
        return false;
    }
    is_aggregate_call(node) || node.children().any(aggregates)
}

fn is_aggregate_call(node: &Node) -> bool {
    let name = node.child(Kind::FunctionName).and_then(Node::as_text).map(str::to_ascii_lowercase);
    let Some(name) = name.filter(|_| node.kind == Kind::Expr) else {
        return false;
    };
    let arguments = node.child(Kind::Exprs).map_or(0, |exprs| exprs.children().count());
    let is_window = node.child(Kind::Over).is_some_and(|over| !over.is_absent());
    let is_scalar = matches!(name.as_str(), "min" | "max") && arguments > 1;
    let is_known = AGGREGATES.contains(&name.as_str()) || ORDERED_AGGREGATES.contains(&name.as_str());
    is_known && !is_window && !is_scalar
}

/// True if a core that aggregates has a column outside aggregates that it does not group by.
pub(crate) fn has_bare_column(tree: &Node) -> bool {
    let mut found = false;
    tree.visit(&mut |core| {
        if core.kind != Kind::Core {
            return;
        }
        let group = core.child(Kind::Group).filter(|group| !group.is_absent());
        let (Some(columns), having) = (core.child(Kind::Columns), core.child(Kind::Having)) else {
            return;
        };
        if group.is_none() && !aggregates(columns) && having.is_none_or(|having| !aggregates(having)) {
            return;
        }
        let terms: Vec<&Node> =
            group.and_then(|group| group.child(Kind::Exprs)).into_iter().flat_map(Node::children).collect();
        let parts = columns.children().chain(having);
        found |= parts.into_iter().any(|part| is_bare(part, &terms));
    });
    found
}

/// The bare columns of a core as they are written; `None` if they cannot be listed.
pub(super) fn bare_columns(core: &Node) -> Option<Vec<String>> {
    let group = core.child(Kind::Group).and_then(|group| group.child(Kind::Exprs));
    let terms: Vec<&Node> = group.into_iter().flat_map(Node::children).collect();
    let parts = core.child(Kind::Columns)?.children().chain(core.child(Kind::Having));
    let mut names = Vec::new();
    let is_listed = parts.into_iter().all(|part| list_bare(part, &terms, &mut names));
    (is_listed && !names.is_empty()).then_some(names)
}

fn is_bare(node: &Node, terms: &[&Node]) -> bool {
    let mut names = Vec::new();
    !list_bare(node, terms, &mut names) || !names.is_empty()
}

/// False if there are some that have no name: `*`.
fn list_bare(node: &Node, terms: &[&Node], names: &mut Vec<String>) -> bool {
    if terms.contains(&node) || is_aggregate_call(node) {
        return true;
    }
    match node.kind {
        Kind::Column => {
            let name = node.print();
            if !terms.iter().any(|term| term.print() == name) {
                names.push(name);
            }
            true
        }
        Kind::ResultColumn if node.children().next().is_none() => false,
        Kind::Alias => true,
        _ => node.children().all(|child| list_bare(child, terms, names)),
    }
}

/// True if a subquery of an expression may aggregate columns of the query around it: then that query aggregates
/// (<https://sqlite.org/lang_aggfunc.html>), although no aggregate is called in it. `is_within` an expression.
pub(crate) fn is_outer(node: &Node, is_within: bool, db: &Session<'_, '_>) -> bool {
    if is_within && node.kind == Kind::Core {
        let from = node.child(Kind::From).map(Node::print).unwrap_or_default();
        let mut outer = false;
        let mut look = |call: &Node| {
            let arguments = call.child(Kind::Exprs).filter(|exprs| has(exprs, Kind::Column));
            if let Some(arguments) = arguments.filter(|_| is_aggregate_call(call)) {
                outer |= db.refusal(format!("SELECT {} {from}", arguments.print()).as_bytes()).is_some();
            }
        };
        node.visit(&mut look);
        if outer {
            return true;
        }
    }
    let is_within = is_within || node.kind == Kind::Expr;
    node.children().any(|child| is_outer(child, is_within, db))
}
