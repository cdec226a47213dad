//! Constants that are bound to parameters say the same.
//!
//! Both are of no affinity and of the collation `BINARY` (<https://sqlite.org/datatype3.html#affinity_of_expressions>).
//! What SQLite does with constants when it prepares a statement, it then must do when it runs. Left alone: numbers of
//! columns (`ORDER BY`, `GROUP BY`) and `LIMIT`.

use super::query::{self, Query};
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::Session;
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const BOUND: Statementwise = Statementwise { name: "bound", check: Check::Queries(check) };

/// Literals of a query that are bound.
const LITERALS_MAX: usize = 100;

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open() {
        return Said::Nothing(reason);
    }
    if let Some(reason) = query.why_no_other_words() {
        return Said::Nothing(reason);
    }
    if query.has(Kind::Group) || has_parameters(&query.tree) {
        return Said::Nothing("groups or parameters that say the same as a constant");
    }
    let (mut tree, mut literals) = (query.tree.clone(), Vec::new());
    bind(&mut tree, &mut literals);
    if literals.is_empty() || literals.len() > LITERALS_MAX {
        return Said::Nothing("without constants");
    }
    let values = match db.rows(&format!("SELECT {}", literals.join(", "))) {
        Ok(rows) => rows.into_iter().next().unwrap_or_default(),
        Err(none) => return Said::Nothing(query::why(none)),
    };
    // `-0.0` is negative, and `-?1` is subtracted from nothing; SQL tells the two apart in their bytes alone.
    if values.contains(&Value::Real(0.0)) {
        return Said::Nothing("a zero that may be negative");
    }
    let text = tree.print();
    let rows = match db.rows_bound(&text, &values) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match query.must_be(&rows, db, "rows", &format!("`{text}` answers otherwise")) {
        Ok(()) => {
            let is_constant = |value: &Value| values.contains(value);
            Said::Agrees { is_telling: !rows.iter().flatten().all(is_constant) }
        }
        Err(Said::Differs(..)) if query.adds_up_reals(&rows) => Said::Nothing("sums of real numbers"),
        Err(said) => said,
    }
}

/// True if the query has parameters of its own.
fn has_parameters(tree: &Node) -> bool {
    let mut found = false;
    let is_parameter =
        |part: &Part| matches!(part, Part::Text(text) if text.starts_with(['?', ':', '@', '$', '#']));
    tree.visit(&mut |node| found |= node.kind == Kind::Expr && node.parts.iter().any(is_parameter));
    found
}

/// Replaces literals by parameters.
fn bind(node: &mut Node, literals: &mut Vec<String>) {
    if matches!(node.kind, Kind::Order | Kind::Group | Kind::Limit | Kind::Frame) {
        return;
    }
    for child in node.children_mut() {
        match child.as_text() {
            Some(text) if child.kind == Kind::Literal && is_value(text) => {
                literals.push(text.to_owned());
                let parameter = format!("?{}", literals.len());
                *child = Node::text(Kind::Literal, parameter);
            }
            _ => bind(child, literals),
        }
    }
}

/// True for numbers, texts and blobs, but for the number that only a minus makes an integer.
fn is_value(text: &str) -> bool {
    let is_minimum = text.contains("9223372036854775808");
    let digits = text.trim_start_matches(['x', 'X']);
    !is_minimum && digits.starts_with(|first: char| first == '\'' || first == '.' || first.is_ascii_digit())
}
