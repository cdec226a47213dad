//! Joins, and queries inside other statements.

use super::{Subject, parse_expr, pick_node, tree_mutator};
use crate::mutators::{Context, sql_templates};
use crate::sql::tree::{self, Kind, Node, Part};

const JOINS: [&str; 10] = [
    "JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "CROSS JOIN",
    "NATURAL JOIN",
    "NATURAL LEFT JOIN",
    ",",
    "INNER JOIN",
    "NATURAL FULL JOIN",
];

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

tree_mutator! {
    /// Changes, adds or drops a join; moves a condition from `ON` to `WHERE` or back.
    Join => join
}

fn join(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    match context.rng.u8(0..10) {
        0..3 => other_join(tree, context),
        3..5 => move_condition(tree, context),
        5 => less(tree, context),
        _ => {
            let table = context.pick(&subject.names.tables).map(|table| table.name.clone());
            let condition = sql_templates::fill("$E", subject.names, context);
            more(tree, &table.unwrap_or_else(|| "sqlite_schema".to_owned()), &condition, context)
        }
    }
}

fn other_join(tree: &mut Node, context: &mut Context<'_>) -> bool {
    let new = JOINS[context.rng.usize(0..JOINS.len())];
    let Some(from) = pick_node(tree, context, |node| node.child(Kind::JoinOperator).is_some()) else {
        return false;
    };
    let operators = from.parts.iter().enumerate();
    let operators =
        operators.filter(|(_, part)| matches!(part, Part::Node(node) if node.kind == Kind::JoinOperator));
    let places: Vec<usize> = operators.map(|(i, _)| i).collect();
    let Some(&at) = context.pick(&places) else {
        return false;
    };
    let operator = Node::text(Kind::JoinOperator, new);
    let is_new = from.parts[at] != Part::Node(operator.clone());
    from.parts[at] = Part::Node(operator);
    // A natural join takes no condition.
    if let Some(Part::Node(on)) = from.parts.get_mut(at + 2).filter(|_| new.starts_with("NATURAL")) {
        on.parts.clear();
    }
    is_new
}

fn is_condition(on: &Node) -> bool {
    on.kind == Kind::JoinOn && on.child(Kind::Expr).is_some()
}

fn move_condition(tree: &mut Node, context: &mut Context<'_>) -> bool {
    let is_fit = |node: &Node| {
        let has = |kind| node.child(kind).is_some_and(|clause| !clause.is_absent());
        node.kind == Kind::Core
            && has(Kind::From)
            && (has(Kind::Where) || super::indexes(node, is_condition).len() == 1)
    };
    let Some(core) = pick_node(tree, context, is_fit) else {
        return false;
    };
    let condition = core.child(Kind::Where).and_then(|clause| clause.child(Kind::Expr)).cloned();
    let Some(on) = core.child_mut(Kind::From).and_then(|from| from.child_mut(Kind::JoinOn)) else {
        return false;
    };
    match condition {
        Some(condition) if !is_condition(on) || context.chance(50) => {
            on.parts = vec![text("ON"), Part::Node(condition)];
            if let Some(clause) = core.child_mut(Kind::Where) {
                clause.parts.clear();
            }
        }
        _ if is_condition(on) => {
            let Some(condition) = on.child(Kind::Expr).cloned() else {
                return false;
            };
            on.parts.clear();
            if let Some(clause) = core.child_mut(Kind::Where) {
                clause.parts = vec![text("WHERE"), Part::Node(condition)];
            }
        }
        _ => return false,
    }
    true
}

fn less(tree: &mut Node, context: &mut Context<'_>) -> bool {
    let Some(from) = pick_node(tree, context, |node| node.child(Kind::JoinOperator).is_some()) else {
        return false;
    };
    let is_operator = |part: &Part| matches!(part, Part::Node(node) if node.kind == Kind::JoinOperator);
    let Some(last) = from.parts.iter().rposition(is_operator) else {
        return false;
    };
    // Operator, table, condition.
    from.parts.drain(last..(last + 3).min(from.parts.len()));
    true
}

fn more(tree: &mut Node, table: &str, condition: &str, context: &mut Context<'_>) -> bool {
    let operator = JOINS[context.rng.usize(0..JOINS.len())];
    let alias = format!("j{}", context.rng.u8(0..10));
    let condition = parse_expr(condition).filter(|_| !operator.starts_with("NATURAL"));
    let Some(from) = pick_node(tree, context, |node| node.kind == Kind::From && !node.is_absent()) else {
        return false;
    };
    let name = Node::text(Kind::TableName, table);
    let alias = Node::new(Kind::Alias, vec![text("AS"), text(&alias)]);
    let parts = vec![Part::Node(name), Part::Node(alias), Part::Node(Node::absent(Kind::Indexed))];
    let on = condition.map_or_else(Vec::new, |condition| vec![text("ON"), Part::Node(condition)]);
    from.parts.push(Part::Node(Node::text(Kind::JoinOperator, operator)));
    from.parts.push(Part::Node(Node::new(Kind::TableRef, parts)));
    from.parts.push(Part::Node(Node::new(Kind::JoinOn, on)));
    true
}

/// What a query `$Q` may be wrapped in.
const QUERIES: [&str; 16] = [
    "SELECT * FROM ($Q)",
    "SELECT * FROM ($Q) AS q0 WHERE $E",
    "SELECT count(*) FROM ($Q)",
    "WITH q1 AS ($Q) SELECT * FROM q1",
    "WITH q2 AS MATERIALIZED ($Q) SELECT * FROM q2 WHERE $E",
    "WITH q3 AS NOT MATERIALIZED ($Q) SELECT * FROM q3, q3 AS q4",
    "SELECT * FROM ($Q) UNION ALL SELECT * FROM ($Q)",
    "SELECT * FROM ($Q) EXCEPT SELECT * FROM ($Q)",
    "SELECT $E WHERE EXISTS ($Q)",
    "SELECT * FROM $T WHERE $C IN ($Q)",
    "SELECT ($Q), $E FROM $T",
    "SELECT * FROM $T AS q5 LEFT JOIN ($Q) AS q6 ON $E",
    "VALUES(($Q), $L), ($L, ($Q))",
    "SELECT DISTINCT * FROM ($Q) ORDER BY 1 LIMIT 5",
    "SELECT *, row_number() OVER (ORDER BY 1) FROM ($Q)",
    "SELECT * FROM ($Q) AS q7 NATURAL FULL JOIN ($Q) AS q8",
];
/// Statements that a query `$Q` may be wrapped in.
const STATEMENTS: [&str; 12] = [
    "CREATE TABLE $N AS $Q",
    "CREATE VIEW $N AS $Q",
    "CREATE TEMP VIEW $N AS $Q",
    "INSERT INTO $T $Q",
    "INSERT INTO $T($C) $Q",
    "REPLACE INTO $T $Q RETURNING *",
    "DELETE FROM $T WHERE $C IN ($Q)",
    "UPDATE $T SET $C = ($Q)",
    "CREATE TRIGGER $N AFTER INSERT ON $T BEGIN $Q; END",
    "CREATE TRIGGER $N AFTER UPDATE ON $T BEGIN INSERT INTO $T $Q; END",
    "EXPLAIN QUERY PLAN $Q",
    "UPDATE $T SET $C = q.$C FROM ($Q) AS q",
];

tree_mutator! {
    /// Wraps a query in a larger statement, or unwraps one.
    Embed => embed
}

fn embed(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    if context.chance(15) {
        return hoist(tree, context);
    }
    let is_whole = tree.kind == Kind::Select && context.chance(50);
    let Some(place) = (match is_whole {
        true => Some(&mut *tree),
        false => pick_node(tree, context, |node| node.kind == Kind::Select),
    }) else {
        return false;
    };
    let template = if is_whole && context.chance(60) { STATEMENTS.as_slice() } else { QUERIES.as_slice() };
    let template = template[context.rng.usize(0..template.len())];
    // A parameter stands in for the query while the names are filled in.
    let filled = sql_templates::fill(&template.replace("$Q", "\u{1}"), subject.names, context);
    let query = place.print();
    let Some(new) = tree::parse(filled.replace('\u{1}', &query).as_bytes()) else {
        return false;
    };
    *place = new;
    true
}

fn hoist(tree: &mut Node, context: &mut Context<'_>) -> bool {
    let inner = super::indexes(tree, |node| node.kind == Kind::Select);
    let Some(&index) = context.pick(&inner).filter(|index| **index > 0) else {
        return false;
    };
    let Some(query) = tree.nth_mut(index).cloned() else {
        return false;
    };
    *tree = query;
    true
}
