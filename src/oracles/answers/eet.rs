//! A predicate that is written in a longer way says the same (equivalent expression transformation, Jiang and Su, OSDI
//! 2024).
//!
//! Only what is true, false or NULL to its clause is rewritten, as a whole: `WHERE`, `HAVING`, `ON` and the conditions of
//! `CASE WHEN`. The operands of comparisons keep their affinities and collations.

use super::query::{self, Query};
use super::tlp::collect;
use super::{Check, Said, Statementwise};
use crate::engine::sqlite::Session;
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const EET: Statementwise = Statementwise { name: "eet", check: Check::Queries(check) };

/// Ways to write a predicate `p`, with a column `x` of it.
const WAYS: [&str; 6] = [
    "NOT NOT (p)",
    "((x IS NOT x) OR (p))",
    "((x IS x) AND (p))",
    "(((p) OR NOT (p) OR (p) ISNULL) AND (p))",
    "(((x) ISNULL AND (x) NOTNULL) OR (p))",
    "CASE WHEN (p) THEN 1 ELSE 0 END",
];
/// Ways that are tried per query.
const TRIED: usize = 2;

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open() {
        return Said::Nothing(reason);
    }
    if let Some(reason) = query.why_no_other_words() {
        return Said::Nothing(reason);
    }
    let seed = crate::oracles::choice(0, query.text.as_bytes());
    let mut said = Said::Nothing("without predicates");
    for way in 0..TRIED {
        let way = WAYS[(seed + way * (1 + seed % (WAYS.len() - 1))) % WAYS.len()];
        let mut tree = query.tree.clone();
        if !rewrite(&mut tree, way) {
            return said;
        }
        let text = tree.print();
        let rows = match db.rows(&text) {
            Ok(rows) => rows,
            Err(none) => return Said::Nothing(query::why(none)),
        };
        match query.must_be(&rows, db, "rows", &format!("`{text}` answers otherwise")) {
            Err(Said::Differs(..)) if query.adds_up_reals(&rows) => {
                return Said::Nothing("sums of real numbers");
            }
            Err(said) => return said,
            Ok(()) => said = Said::Agrees { is_telling: !rows.is_empty() },
        }
    }
    said
}

/// Rewrites all predicates below a node; false if there are none.
fn rewrite(node: &mut Node, way: &str) -> bool {
    let mut found = false;
    for child in node.children_mut() {
        found |= rewrite(child, way);
    }
    let is_clause = matches!(node.kind, Kind::Where | Kind::Having | Kind::JoinOn);
    let is_having = node.kind == Kind::Having;
    let is_case = node.kind == Kind::Expr
        && matches!(&node.parts[..], [Part::Text(case), Part::Text(when), ..] if case == "CASE" && when == "WHEN");
    let mut is_condition = is_clause;
    for part in &mut node.parts {
        match part {
            Part::Text(word) if is_case => is_condition = word == "WHEN",
            Part::Node(expression) if is_condition && expression.kind == Kind::Expr => {
                *expression = rewritten(expression, if is_having || is_case { WAYS[3] } else { way });
                found = true;
            }
            _ => {}
        }
    }
    found
}

/// A predicate in another way. One that names no column has a number for it.
fn rewritten(predicate: &Node, way: &str) -> Node {
    let mut columns = Vec::new();
    collect(predicate, &mut columns);
    let column = columns.first().map_or("1", String::as_str);
    let text = predicate.print();
    let letters = way.chars().map(|letter| match letter {
        'p' => text.clone(),
        'x' => column.to_owned(),
        other => other.to_string(),
    });
    Node::text(Kind::Expr, letters.collect::<String>())
}
