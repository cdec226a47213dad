//! A predicate that is written in a longer way says the same (equivalent expression transformation, Jiang and Su, OSDI
//! 2024).
//!
//! `BETWEEN` and `IN` with a list are written as comparisons. Otherwise, only what is true, false or NULL to its clause is
//! rewritten, as a whole: `WHERE`, `HAVING`, `ON` and the conditions of
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
    let ways = (0..TRIED).map(|way| WAYS[(seed + way * (1 + seed % (WAYS.len() - 1))) % WAYS.len()]);
    for way in ways.map(Some).chain([None]) {
        let mut tree = query.tree.clone();
        let is_rewritten = match way {
            Some(way) => rewrite(&mut tree, way),
            None => spell_out(&mut tree),
        };
        if !is_rewritten {
            continue;
        }
        let text = tree.print();
        let rows = match db.rows(&text) {
            Ok(rows) => rows,
            Err(none) => return Said::Nothing(query::why(none)),
        };
        let kind = if way.is_some() { "rows" } else { "operators" };
        match query.must_be(&rows, db, kind, &format!("`{text}` answers otherwise")) {
            Err(Said::Differs(..)) if query.adds_up_reals(&rows) => {
                return Said::Nothing("sums of real numbers");
            }
            Err(said) => return said,
            Ok(()) => said = Said::Agrees { is_telling: !rows.is_empty() },
        }
    }
    said
}

/// Spells out `BETWEEN` (<https://sqlite.org/lang_expr.html#between>) and `IN` with a list
/// (<https://sqlite.org/datatype3.html#comparison_expressions>) as these pages do; false without any.
fn spell_out(node: &mut Node) -> bool {
    let mut found = false;
    for child in node.children_mut() {
        found |= spell_out(child);
    }
    let words = node.parts.iter().filter_map(|part| match part {
        Part::Text(word) => Some(word.as_str()),
        Part::Node(_) => None,
    });
    let words: Vec<&str> = words.collect();
    let (not, words) = match words.split_first() {
        Some((&"NOT", rest)) => ("NOT ", rest),
        _ => ("", &words[..]),
    };
    let operands: Vec<&Node> = node.children().collect();
    let spelled = match (words, &operands[..]) {
        (["BETWEEN", "AND"], [value, least, most]) => {
            let value = value.print();
            format!("(({value}) >= ({}) AND ({value}) <= ({}))", least.print(), most.print())
        }
        (["IN (", ")"], [value, list]) if list.kind == Kind::Exprs && are_plain(list) => {
            let value = value.print();
            let equal = list.children().map(|item| format!("({value}) = +({})", item.print()));
            format!("({})", equal.collect::<Vec<_>>().join(" OR "))
        }
        _ => return found,
    };
    *node = Node::text(Kind::Expr, format!("({not}{spelled})"));
    true
}

/// True for a list with items that have no collation of their own, which counts for `=` but not for `IN`.
fn are_plain(list: &Node) -> bool {
    let mut is_plain = list.children().next().is_some();
    list.visit(&mut |node| {
        let collates = |part: &Part| matches!(part, Part::Text(word) if word == "COLLATE");
        is_plain &= !matches!(node.kind, Kind::Column | Kind::Select) && !node.parts.iter().any(collates);
    });
    is_plain
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
