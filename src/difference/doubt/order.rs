//! What depends on the order of rows, according to the syntax tree of a statement.

use crate::sql::tree::{Kind, Node};

/// Aggregates: columns next to them come from any row.
pub(super) const AGGREGATES: [&str; 8] =
    ["count", "sum", "total", "avg", "min", "max", "group_concat", "string_agg"];

/// What depends on the order of rows and is visible only in the tree.
pub(super) fn in_tree(tree: &Node) -> Option<&'static str> {
    let mut found = None;
    tree.visit(&mut |node| {
        let doubt = match node.kind {
            Kind::Expr if is_scalar_subquery(node) => Some("a scalar subquery"),
            Kind::Core if has_bare_columns(node) => Some("a column beside an aggregate"),
            _ => None,
        };
        found = found.or(doubt);
    });
    found
}

/// `(SELECT …)` as a value takes the first row, whichever that is, unless there is only one.
fn is_scalar_subquery(node: &Node) -> bool {
    let Some(query) = node.child(Kind::Select) else {
        return false;
    };
    // `x IN (SELECT …)` has x before it.
    let is_in_or_exists = node.children().any(|child| child.kind == Kind::Expr)
        || node.print().trim_start().to_ascii_uppercase().starts_with("EXISTS");
    let is_single = || {
        let core = query.child(Kind::Compound).filter(|compound| compound.children().count() == 1);
        let core = core.and_then(|compound| compound.child(Kind::Core));
        core.is_some_and(|core| {
            let has_from = core.child(Kind::From).is_some_and(|from| !from.is_absent());
            let is_grouped = core.child(Kind::Group).is_some_and(|group| !group.is_absent());
            !has_from || calls_aggregate(core) && !is_grouped
        })
    };
    !is_in_or_exists && !is_single()
}

/// True if the result columns call an aggregate.
fn calls_aggregate(core: &Node) -> bool {
    let mut found = false;
    if let Some(columns) = core.child(Kind::Columns) {
        visit_same_query(columns, &mut |node| {
            let name = (node.kind == Kind::FunctionName).then(|| node.as_text()).flatten();
            found |= name.is_some_and(|name| AGGREGATES.contains(&name.to_ascii_lowercase().as_str()));
            true
        });
    }
    found
}

/// A column outside of any call, in a query with groups or an aggregate: its value comes from any row of the group,
/// unless the query groups by it.
fn has_bare_columns(core: &Node) -> bool {
    let group = core.child(Kind::Group).filter(|group| !group.is_absent());
    if group.is_none() && !calls_aggregate(core) {
        return false;
    }
    let mut grouped = Vec::new();
    if let Some(group) = group {
        group.visit(&mut |node| {
            if node.kind == Kind::Column {
                grouped.push(node.print().to_ascii_lowercase());
            }
        });
    }
    let is_bare = |column: &Node| {
        let text = column.print().to_ascii_lowercase();
        let is_star = text == "*" || text.ends_with(".*");
        let mut has_free = is_star;
        visit_same_query(column, &mut |node| {
            has_free |= node.kind == Kind::Column && !grouped.contains(&node.print().to_ascii_lowercase());
            node.child(Kind::FunctionName).is_none()
        });
        has_free
    };
    core.child(Kind::Columns).is_some_and(|columns| columns.children().any(is_bare))
}

/// Calls `action` on a node and its descendants in the same query, as long as it says to descend.
fn visit_same_query(node: &Node, action: &mut impl FnMut(&Node) -> bool) {
    if node.kind != Kind::Select && action(node) {
        node.children().for_each(|child| visit_same_query(child, action));
    }
}
