//! JSON says the same in its two forms (<https://sqlite.org/json1.html#jsonb>).
//!
//! * A function of JSON that reads a value of a column reads the same from `jsonb()` of it.
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

/// Functions whose first argument may be in either form.
const READERS: [&str; 3] = ["json_extract", "json_type", "json_array_length"];
/// Texts of a result that are checked.
const TEXTS_MAX: usize = 20;

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    let is_json = |name: &String| name.starts_with("json") || name.starts_with("->");
    if !query.facts.functions.iter().any(is_json) {
        return Said::Nothing("without functions of JSON");
    }
    let texts = texts(query, db);
    let mut tree = query.tree.clone();
    let is_open = query.open.is_some() || query.has_double_quotes || query.has_representatives();
    if matches!(texts, Said::Differs(..)) || is_open || !wrap(&mut tree) {
        return texts;
    }
    let text = tree.print();
    let rows = match db.rows(&text) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match query.must_be(&rows, db, "read", &format!("`{text}` answers otherwise")) {
        Ok(()) => Said::Agrees { is_telling: !rows.is_empty() },
        Err(said) => said,
    }
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

/// Wraps the first arguments of functions that read JSON; false without any.
fn wrap(node: &mut Node) -> bool {
    let mut found = false;
    let name = node.child(Kind::FunctionName).and_then(Node::as_text).map(str::to_ascii_lowercase);
    let reads = node.kind == Kind::Expr && name.is_some_and(|name| READERS.contains(&name.as_str()));
    for child in node.children_mut() {
        if reads
            && child.kind == Kind::Exprs
            && let Some(first) = child.children_mut().next()
        {
            let text = first.print();
            *first = Node::text(
                Kind::Expr,
                format!("CASE WHEN json_valid({text}, 1) THEN jsonb({text}) ELSE {text} END"),
            );
            found = true;
        } else {
            found |= wrap(child);
        }
    }
    found
}
