//! JSON says the same in its two forms (<https://sqlite.org/json1.html#jsonb>).
//!
//! * What reads JSON, a function, `->` or `json_each()`, reads the same from `jsonb()` of it.
//! * A function that returns JSON returns what its twin of JSONB does, as `json(jsonb_set(…))`.
//! * Each text of a result that is JSON is, by `json()`, what `json(jsonb())` makes of it.
//!
//! Only RFC 8259 JSON is judged (`json_valid(x, 1)`): what JSON5 allows may be spelled otherwise afterwards. SQLite
//! before 3.45 does not know `jsonb()`; then nothing is said.

use super::query::{self, Query};
use super::rows::shown;
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql::tree::{Kind, Node};

pub(crate) const JSON: Statementwise = Statementwise { name: "json", check: Check::Queries(check) };

/// Functions whose first argument may be in either form, and which return JSON and have a twin that returns JSONB.
const EDITORS: [&str; 6] =
    ["json_set", "json_insert", "json_replace", "json_remove", "json_patch", "json_array_insert"];
/// Others, also those that make tables, whose first argument may be in either form.
const READERS: [&str; 7] =
    ["json_extract", "json_type", "json_array_length", "json_pretty", "json", "json_each", "json_tree"];
/// Others that have such a twin.
const BUILDERS: [&str; 2] = ["json_array", "json_object"];
/// Texts of a result that are checked.
const TEXTS_MAX: usize = 20;

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    let is_json = |name: &String| name.starts_with("json") || name.starts_with("->");
    let mut called = query.facts.functions.iter().chain(query.facts.tables.iter().map(|(_, table)| table));
    if !called.any(is_json) {
        return Said::Nothing("without functions of JSON");
    }
    let mut said = texts(query, db);
    let is_open = query.open.is_some() || query.has_representatives() || shows_argument(query);
    if is_open || query.why_no_other_words().is_some() {
        return said;
    }
    for (kind, rewrite) in [("read", wrap as fn(&mut Node) -> bool), ("form", by_twins)] {
        let mut tree = query.tree.clone();
        if !matches!(said, Said::Differs(..)) && rewrite(&mut tree) {
            match same(query, kind, &tree.print(), db) {
                // What its texts are was judged all the same.
                Said::Nothing(_) if matches!(said, Said::Agrees { .. }) => {}
                other => said = other,
            }
        }
    }
    said
}

/// Whether a query that reads JSON in another way returns the same.
fn same(query: &Query<'_>, kind: &str, text: &str, db: &mut Session<'_, '_>) -> Said {
    let rows = match db.rows(text) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match query.must_be(&rows, db, kind, &format!("`{text}` answers otherwise")) {
        Ok(()) => Said::Agrees { is_telling: !rows.is_empty() },
        Err(said) => said,
    }
}

/// True if it may read the hidden column in which `json_each()` returns its argument as it is.
fn shows_argument(query: &Query<'_>) -> bool {
    let mut shows = false;
    query.tree.visit(&mut |node| {
        shows |=
            node.kind == Kind::Column && node.as_text().is_some_and(|name| name.eq_ignore_ascii_case("json"))
    });
    shows
}

/// Whether texts of the result are the same JSON after they were in the other form.
fn texts(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    let is_text = |value: &&Value| matches!(value, Value::Text(text) if text.starts_with(b"{") || text.starts_with(b"["));
    let values: Vec<&Value> = query.rows.iter().flatten().filter(is_text).take(TEXTS_MAX).collect();
    let mut said = Said::Nothing("without JSON in its result");
    for value in values {
        let asked = "SELECT json(?1), json(jsonb(?1)), json_valid(jsonb(?1), 8) WHERE json_valid(?1, 1)";
        match db.rows_bound(asked, std::slice::from_ref(value)) {
            Err(none) => return Said::Nothing(query::why(none)),
            Ok(rows) => match rows.first().map(Vec::as_slice) {
                Some([text, again, Value::Integer(1)]) if text == again => {
                    said = Said::Agrees { is_telling: true }
                }
                Some(row) => {
                    let row: &Row = &row.to_vec();
                    return Said::Differs(
                        "round-trip".to_owned(),
                        format!("json(), json(jsonb()), whether jsonb() is valid: {}", shown(row)),
                    );
                }
                None => {}
            },
        }
    }
    said
}

/// Wraps the first arguments of functions, and left operands of operators, that read JSON; false without any.
fn wrap(node: &mut Node) -> bool {
    let reads = function(node).is_some_and(|name| is_in(&name, &READERS));
    let extracts =
        node.child(Kind::Operator).and_then(Node::as_text).is_some_and(|text| text.starts_with("->"));
    let mut found = false;
    for (at, child) in node.children_mut().enumerate() {
        let argument = match child.kind {
            Kind::Exprs if reads => child.children_mut().next(),
            Kind::Expr if extracts && at == 0 => Some(&mut *child),
            _ => None,
        };
        if let Some(argument) = argument {
            let text = argument.print();
            let wrapped = format!("CASE WHEN json_valid({text}, 1) THEN jsonb({text}) ELSE {text} END");
            *argument = Node::text(Kind::Expr, wrapped);
            found = true;
        } else {
            found |= wrap(child);
        }
    }
    found
}

/// Calls the twins of functions that return JSON; false without any.
fn by_twins(node: &mut Node) -> bool {
    let mut found = false;
    for child in node.children_mut() {
        found |= by_twins(child);
    }
    if node.kind == Kind::Expr
        && let Some(name) = function(node)
        && is_in(&name, &BUILDERS)
    {
        let arguments = node.child(Kind::Exprs).map(Node::print).unwrap_or_default();
        let twin = name.replacen("json", "jsonb", 1);
        *node = Node::text(Kind::Expr, format!("json({twin}({arguments}))"));
        found = true;
    }
    found
}

/// True for an editor, and for these functions.
fn is_in(name: &str, others: &[&str]) -> bool {
    EDITORS.contains(&name) || others.contains(&name)
}

/// The function that a node calls, in lower case.
fn function(node: &Node) -> Option<String> {
    node.child(Kind::FunctionName).and_then(Node::as_text).map(str::to_ascii_lowercase)
}
