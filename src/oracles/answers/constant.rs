//! A subquery that does not depend on its surroundings can be replaced by its value (CODDTest, Zhang and Rigger, SIGMOD
//! 2025).
//!
//! The query of `IN` is replaced by the rows that it returns, from a common table expression that is not flattened
//! (`LIMIT -1`): a column of it has the affinity of what it is made from, and without indexes it is searched otherwise. `EXISTS` is replaced
//! anywhere; a value only where it is an argument of a function or a whole column of the result, since
//! a subquery has the affinity of its column, and a constant has none
//! (<https://sqlite.org/datatype3.html#affinity_of_expressions>). A subquery that depends on nothing is one that SQLite
//! answers alone: names are looked up from inside out.

use super::open::scalar_subquery;
use super::query::{self, Query, has};
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::Session;
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const CONSTANT: Statementwise = Statementwise { name: "constant", check: Check::Queries(check) };

/// Functions whose result depends on an argument's collation or on how it is written.
const PARTICULAR: [&str; 10] =
    ["min", "max", "nullif", "coalesce", "ifnull", "iif", "if", "likely", "unlikely", "likelihood"];

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open() {
        return Said::Nothing(reason);
    }
    if let Some(reason) = query.why_no_other_words() {
        return Said::Nothing(reason);
    }
    if query.has(Kind::With) || query.has(Kind::Group) {
        return Said::Nothing("names that mean something else alone, or groups");
    }
    // The subtype of a value is not seen in it.
    if query.facts.functions.iter().any(|name| name.starts_with("json")) {
        return Said::Nothing("functions of JSON");
    }
    let mut tree = query.tree.clone();
    if replace(&mut tree, query.core().is_some(), db) == 0 {
        return Said::Nothing("without subqueries to replace");
    }
    let text = tree.print();
    let rows = match db.rows(&text) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match query.must_be(&rows, db, "rows", &format!("`{text}` answers otherwise")) {
        Ok(()) => Said::Agrees { is_telling: !rows.is_empty() },
        Err(Said::Differs(..)) if query.adds_up_reals(&rows) => Said::Nothing("sums of real numbers"),
        Err(said) => said,
    }
}

/// Replaces subqueries below a node, and returns how many; those that are columns of the result only of the outermost
/// query, `is_outer`.
fn replace(node: &mut Node, is_outer: bool, db: &mut Session<'_, '_>) -> usize {
    if matches!(node.kind, Kind::Order | Kind::Limit | Kind::Over) {
        return 0;
    }
    let name = node.child(Kind::FunctionName).and_then(Node::as_text).map(str::to_ascii_lowercase);
    let calls = node.kind == Kind::Expr && name.is_some_and(|name| !PARTICULAR.contains(&name.as_str()));
    let is_column = node.kind == Kind::ResultColumn && is_outer;
    let mut replaced = 0;
    for child in node.children_mut() {
        let arguments =
            if calls && child.kind == Kind::Exprs { child.children_mut().collect() } else { Vec::new() };
        for argument in arguments {
            replaced += usize::from(replace_value(argument, db));
        }
        if is_column && child.kind == Kind::Expr {
            replaced += usize::from(replace_value(child, db));
        }
        if child.kind == Kind::Expr && is_in(child) {
            for part in child.children_mut() {
                replaced += usize::from(materialize(part, db));
            }
            continue;
        }
        let is_exists =
            matches!(&child.parts[..], [Part::Text(word), Part::Node(_), ..] if word.starts_with("EXISTS"));
        let found = child
            .child(Kind::Select)
            .filter(|_| is_exists && child.kind == Kind::Expr)
            .map(|query| db.rows(&query.print()));
        if let Some(Ok(rows)) = found {
            *child = Node::text(Kind::Expr, if rows.is_empty() { "0" } else { "1" });
            replaced += 1;
        } else {
            replaced += replace(child, is_outer && child.kind != Kind::From && child.kind != Kind::Expr, db);
        }
    }
    replaced
}

/// True for `… IN (SELECT …)`.
fn is_in(expression: &Node) -> bool {
    let is_word = |part: &Part| matches!(part, Part::Text(word) if word.ends_with("IN ("));
    expression.parts.iter().any(is_word) && expression.child(Kind::Select).is_some()
}

/// Replaces a query by one that reads its rows from elsewhere; false if it is none, or depends on what is around it.
fn materialize(query: &mut Node, db: &mut Session<'_, '_>) -> bool {
    // The arms of a compound may have several affinities.
    let is_simple = query.child(Kind::Compound).is_some_and(|compound| compound.children().count() == 1);
    if query.kind != Kind::Select || !is_simple || !has(query, Kind::From) {
        return false;
    }
    let text = query.print();
    if db.rows(&text).is_err() {
        return false;
    }
    let rows = format!("WITH tandem_rows AS (SELECT * FROM ({text}) LIMIT -1) SELECT * FROM tandem_rows");
    *query = Node::text(Kind::Select, rows);
    true
}

/// Replaces an expression that is a subquery by its value; false if it is none, or depends on what is around it.
fn replace_value(expression: &mut Node, db: &mut Session<'_, '_>) -> bool {
    let Some(query) = scalar_subquery(expression).filter(|query| has(query, Kind::From)) else {
        return false;
    };
    let Ok(rows) = db.rows(&query.print()) else {
        return false;
    };
    let literal = match rows.first().map(Vec::as_slice) {
        None | Some([Value::Null]) => Some("NULL".to_owned()),
        Some([Value::Integer(n)]) if *n >= 0 => Some(n.to_string()),
        Some([Value::Text(text)]) if !text.contains(&0) => {
            std::str::from_utf8(text).ok().map(|text| format!("'{}'", text.replace('\'', "''")))
        }
        _ => None,
    };
    match literal {
        Some(literal) => {
            *expression = Node::text(Kind::Expr, literal);
            true
        }
        None => false,
    }
}
