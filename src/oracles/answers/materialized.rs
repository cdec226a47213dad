//! Tables that are copied first say the same.
//!
//! Each table of the query is shadowed by a common table expression of its name that reads all of it: without rowids and
//! indexes, and so that nothing is pushed into it (`LIMIT -1`). What indexes, statistics, `INDEXED BY`, covering and
//! partial indexes or indexes on expressions bring about must not be seen in the answer. Affinities and collations of
//! the columns stay as they are (<https://sqlite.org/datatype3.html#column_affinity_for_views_and_subqueries>).

use super::query::{self, Query};
use super::{Check, Said, Statementwise};
use crate::engine::sqlite::Session;
use crate::sql;
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const MATERIALIZED: Statementwise =
    Statementwise { name: "materialized", check: Check::Queries(check) };

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open_unconstrained(db) {
        return Said::Nothing(reason);
    }
    if query.has_double_quotes {
        return Said::Nothing("double quotes");
    }
    let Some(text) = shadowed(query) else {
        return Said::Nothing("no tables of its own, or with names of its own");
    };
    let rows = match db.rows(&text) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match query.must_be(&rows, db, "rows", &format!("`{text}` answers otherwise")) {
        Err(said) => said,
        Ok(()) => {
            let differs = db.facts(&text, db.optimizations_off()).is_ok_and(|facts| {
                let indexes = |facts: &[(String, [i64; 3])]| {
                    facts.iter().filter(|(opcode, _)| opcode.starts_with("Seek")).count()
                };
                indexes(&facts.program) != indexes(&query.facts.program)
            });
            Said::Agrees { is_telling: differs && !rows.is_empty() }
        }
    }
}

/// The query with its tables shadowed; `None` if it has none, or a name would mean something else.
fn shadowed(query: &Query<'_>) -> Option<String> {
    let mut tree = query.tree.clone();
    let mut names = Vec::new();
    collect(&mut tree, &mut names)?;
    names.sort();
    names.dedup();
    if names.is_empty() {
        return None;
    }
    let mut shadows = Vec::new();
    for name in &names {
        let mut of_name = query.facts.tables.iter().filter(|(_, table)| table.eq_ignore_ascii_case(name));
        let (schema, table) = of_name.next()?;
        if of_name.next().is_some()
            || query.facts.through.iter().any(|through| through.eq_ignore_ascii_case(name))
        {
            return None;
        }
        let (schema, table) = (sql::quoted(schema, '"'), sql::quoted(table, '"'));
        shadows.push(format!("{table} AS (SELECT * FROM {schema}.{table} LIMIT -1)"));
    }
    Some(format!("WITH {} {}", shadows.join(", "), tree.print()))
}

/// Collects the names of tables and removes what names indexes; `None` for a query with common table expressions or
/// qualified names.
fn collect(node: &mut Node, names: &mut Vec<String>) -> Option<()> {
    if node.kind == Kind::With && !node.is_absent() {
        return None;
    }
    if node.kind == Kind::Indexed {
        node.parts.clear();
    }
    let is_qualified = node.parts.iter().any(|part| matches!(part, Part::Text(text) if text == "."));
    for child in node.children_mut() {
        if child.kind == Kind::TableName {
            if is_qualified {
                return None;
            }
            names.push(sql::bare(child.as_text()?).to_owned());
        }
        collect(child, names)?;
    }
    Some(())
}
