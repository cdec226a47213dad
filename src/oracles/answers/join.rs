//! Joins written in other ways.
//!
//! * `A RIGHT JOIN B ON p` is `B LEFT JOIN A ON p`.
//! * Inner joins have the same rows in whatever order of tables; `CROSS JOIN` keeps the order that is written, and so
//!   asks for another plan (<https://sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join>).
//! * If `WHERE` looks at single rows only, the rows of `FULL JOIN` contain those of `LEFT JOIN` and `RIGHT JOIN`, and
//!   these contain those of `JOIN` (<https://sqlite.org/lang_select.html#the_from_clause>).
//!
//! None of this may be asked of virtual tables that choose rows themselves; of functions in `FROM` only those
//! are judged whose arguments are constants.

use super::norec::Filtered;
use super::pivot::{Affinity, plain_columns};
use super::query::{self, Query, has};
use super::rows::{is_contained, shown};
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql;
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const JOIN: Statementwise = Statementwise { name: "join", check: Check::Queries(check) };

/// A table of `FROM`, after the operator and before the condition that join it with what stands left of it.
struct Joined<'q> {
    operator: String,
    table: &'q Node,
    on: Option<&'q Node>,
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_no_other_rows() {
        return Said::Nothing(reason);
    }
    let Some(from) = query.core().and_then(|core| core.child(Kind::From)) else {
        return Said::Nothing("compound, or without tables");
    };
    let tables = tables(from);
    let [.., last] = &tables[..] else {
        return Said::Nothing("without tables");
    };
    if tables.len() < 2 {
        return Said::Nothing("without joins");
    }
    if query.opens_virtual_tables() && !has_fixed_functions_only(query, db) {
        return Said::Nothing("virtual tables");
    }
    if tables.iter().any(|joined| calls_with_columns(joined.table)) {
        return Said::Nothing("functions of other tables");
    }
    let otherwise =
        if tables.len() == 2 && matches!(last.operator.as_str(), "RIGHT JOIN" | "RIGHT OUTER JOIN") {
            ("right", swapped(query, &tables))
        } else {
            ("order", reordered(query, &tables))
        };
    let mut said = Said::Nothing("joins that are left as they are");
    if let (kind, Some(text)) = otherwise {
        said = match db.rows(&text) {
            Err(none) => Said::Nothing(query::why(none)),
            Ok(rows) => match query.must_be(&rows, db, kind, &format!("`{text}` answers otherwise")) {
                Ok(()) => Said::Agrees { is_telling: !rows.is_empty() },
                Err(Said::Differs(..)) if query.adds_up_reals(&rows) => Said::Nothing("sums of real numbers"),
                Err(said) => said,
            },
        };
    }
    match (said, contained(query, &tables, db)) {
        (said @ Said::Differs(..), _) | (Said::Nothing(_), said) | (said, Said::Nothing(_)) => said,
        (Said::Agrees { is_telling: a }, Said::Agrees { is_telling: b }) => {
            Said::Agrees { is_telling: a || b }
        }
        (_, said) => said,
    }
}

/// The tables of a `FROM`.
fn tables(from: &Node) -> Vec<Joined<'_>> {
    let mut tables: Vec<Joined<'_>> = Vec::new();
    let mut operator = String::new();
    for node in from.children() {
        match node.kind {
            Kind::JoinOperator => operator = node.print().trim().to_ascii_uppercase(),
            Kind::TableRef => {
                tables.push(Joined { operator: std::mem::take(&mut operator), table: node, on: None })
            }
            Kind::JoinOn if !node.is_absent() => {
                if let Some(last) = tables.last_mut() {
                    last.on = Some(node);
                }
            }
            _ => {}
        }
    }
    tables
}

/// The name under which columns of a table of `FROM` are known.
pub(super) fn name_of(table: &Node) -> Option<String> {
    let alias =
        table.child(Kind::Alias).filter(|alias| !alias.is_absent()).map(|alias| match &alias.parts[..] {
            [.., Part::Text(name)] => name.to_string(),
            _ => String::new(),
        });
    let own = || {
        [Kind::TableName, Kind::FunctionName]
            .iter()
            .find_map(|&kind| table.child(kind)?.as_text().map(str::to_owned))
    };
    alias.or_else(own).filter(|name| !name.is_empty())
}

/// True if a function in `FROM` has columns among its arguments, or contains other queries.
fn calls_with_columns(table: &Node) -> bool {
    table
        .child(Kind::Exprs)
        .is_some_and(|arguments| has(arguments, Kind::Column) || has(arguments, Kind::Select))
}

/// True if all virtual tables of the query are functions that return the same rows whatever is asked of them.
fn has_fixed_functions_only(query: &Query<'_>, db: &mut Session<'_, '_>) -> bool {
    let is_fixed = |name: &str| name.starts_with("pragma_") || name == "json_each" || name == "json_tree";
    let Ok(rows) = db.rows("SELECT lower(name) FROM pragma_table_list WHERE type='virtual'") else {
        return false;
    };
    let is_virtual =
        |name: &str| rows.iter().flatten().any(|known| *known == Value::Text(name.as_bytes().to_vec()));
    let mut names = Vec::new();
    let mut uses_hidden = false;
    for tree in &query.trees {
        tree.visit(&mut |node| match node.kind {
            Kind::TableName => names.extend(node.as_text().map(|name| sql::bare(name).to_ascii_lowercase())),
            Kind::Column => {
                let column = node.print().to_ascii_lowercase();
                uses_hidden |=
                    ["arg", "schema", "json", "root"].iter().any(|hidden| column.ends_with(hidden));
            }
            Kind::TableRef => {
                uses_hidden |= node
                    .child(Kind::FunctionName)
                    .and_then(Node::as_text)
                    .is_some_and(|name| !is_fixed(&sql::bare(name).to_ascii_lowercase()))
            }
            _ => {}
        });
    }
    names.extend(query.facts.tables.iter().map(|(_, name)| name.to_ascii_lowercase()));
    // A name that is not called is a table: without its arguments, a function depends on WHERE.
    let mut called = Vec::new();
    query.tree.visit(&mut |node| {
        if node.kind == Kind::TableRef {
            called.extend(
                node.child(Kind::FunctionName)
                    .and_then(Node::as_text)
                    .map(|name| sql::bare(name).to_ascii_lowercase()),
            );
        }
    });
    !uses_hidden && names.iter().all(|name| called.contains(name) || (!is_virtual(name) && !is_fixed(name)))
}

/// The query with another `FROM`, with its stars spelled out.
fn with_from(query: &Query<'_>, tables: &[Joined<'_>], from: &str) -> Option<String> {
    let names: Option<Vec<String>> = tables.iter().map(|joined| name_of(joined.table)).collect();
    let mut tree = query.tree.clone();
    let core = tree.child_mut(Kind::Compound)?.child_mut(Kind::Core)?;
    let has_rowid = |node: &Node| {
        let mut found = false;
        node.visit(&mut |node| found |= node.kind == Kind::Column && is_rowid(node));
        found
    };
    if has_rowid(core) {
        return None;
    }
    for column in core.child_mut(Kind::Columns)?.children_mut() {
        if column.as_text() == Some("*") {
            let names = names.as_ref()?;
            let mut distinct: Vec<String> =
                names.iter().map(|name| sql::bare(name).to_ascii_lowercase()).collect();
            distinct.sort();
            distinct.dedup();
            if distinct.len() < names.len() {
                return None;
            }
            let stars: Vec<String> = names.iter().map(|name| format!("{name}.*")).collect();
            *column = Node::text(Kind::ResultColumn, stars.join(", "));
        }
    }
    *core.child_mut(Kind::From)? = Node::text(Kind::From, from);
    Some(tree.print())
}

/// A rowid without its table could be that of either.
fn is_rowid(column: &Node) -> bool {
    column.as_text().is_some_and(|name| {
        ["rowid", "oid", "_rowid_"].iter().any(|rowid| sql::bare(name).eq_ignore_ascii_case(rowid))
    })
}

fn swapped(query: &Query<'_>, tables: &[Joined<'_>]) -> Option<String> {
    let [left, right] = tables else {
        return None;
    };
    let on = match right.on {
        Some(on) => format!("ON {}", on.child(Kind::Expr)?.print()),
        None => "ON 1".to_owned(),
    };
    let from = format!("FROM {} LEFT JOIN {} {on}", right.table.print(), left.table.print());
    with_from(query, tables, &from)
}

/// Inner joins in the reverse order.
fn reordered(query: &Query<'_>, tables: &[Joined<'_>]) -> Option<String> {
    let is_inner = |operator: &str| matches!(operator, "" | "," | "JOIN" | "INNER JOIN" | "CROSS JOIN");
    if !tables.iter().all(|joined| is_inner(&joined.operator)) {
        return None;
    }
    let mut conditions = Vec::new();
    for on in tables.iter().filter_map(|joined| joined.on) {
        conditions.push(format!("({})", on.child(Kind::Expr)?.print()));
    }
    let on = if conditions.is_empty() { String::new() } else { format!(" ON {}", conditions.join(" AND ")) };
    let reversed: Vec<String> = tables.iter().rev().map(|joined| joined.table.print()).collect();
    with_from(query, tables, &format!("FROM {}{on}", reversed.join(" CROSS JOIN ")))
}

/// Kinds of joins, and kinds that have all their rows.
const WIDER: [(&str, &str); 5] =
    [("", "LEFT"), ("", "RIGHT"), ("", "FULL"), ("LEFT", "FULL"), ("RIGHT", "FULL")];

/// Whether the rows of a wider join contain those of a narrower one. Only the last join is changed: what stands left of
/// it is the same then.
fn contained(query: &Query<'_>, tables: &[Joined<'_>], db: &mut Session<'_, '_>) -> Said {
    let (Some(parts), [before @ .., last]) = (Filtered::of(query), tables) else {
        return Said::Nothing("without tables");
    };
    let operator = last.operator.replace(" OUTER", "");
    let natural = if operator.starts_with("NATURAL") { "NATURAL " } else { "" };
    let kind = operator.trim_start_matches("NATURAL ").trim_end_matches("JOIN").trim();
    let own = match kind {
        "LEFT" | "RIGHT" | "FULL" => kind,
        "" | "INNER" if !operator.is_empty() && operator != "," => "",
        _ => return Said::Nothing("joins that are left as they are"),
    };
    if query.has_representatives() {
        return Said::Nothing("which of several equal values represents them");
    }
    let counts = !parts.is_whole && only_counts(query);
    let columns = if counts { "count(*)" } else { &parts.columns };
    let text = |kind: &str| {
        let mut from = "FROM".to_owned();
        for Joined { operator, table, on } in before {
            from = format!("{from} {operator} {} {}", table.print(), on.map(Node::print).unwrap_or_default());
        }
        let on = last.on.map(Node::print).unwrap_or_default();
        let filter =
            parts.predicate.as_ref().map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
        let with = &parts.with;
        format!("{with} SELECT {columns} {from} {natural}{kind} JOIN {} {on}{filter}", last.table.print())
    };
    let mut is_telling = false;
    let shares = !natural.is_empty() || last.on.is_some_and(|on| has(on, Kind::ColumnNames));
    let mut is_alike = |kind: &str| match kind {
        "RIGHT" => !shares,
        "FULL" => !shares || matches!(before, [first] if shares_alike(query, first.table, last.table, db)),
        _ => true,
    };
    let mut kinds = vec!["", "LEFT"];
    kinds.extend(["RIGHT", "FULL"].into_iter().filter(|kind| is_alike(kind)));
    for (narrow, wide) in WIDER.into_iter().filter(|(narrow, wide)| *narrow == own || *wide == own) {
        if !kinds.contains(&narrow) || !kinds.contains(&wide) {
            continue;
        }
        let (narrow, wide) = (text(narrow), text(wide));
        let (Ok(few), Ok(many)) = (db.rows(&narrow), db.rows(&wide)) else {
            continue;
        };
        is_telling |= few.len() < many.len() || counts;
        if !is_within(&few, &many, counts) {
            let sample = without_most(&few, &many).map(shown).unwrap_or_default();
            let message = format!("`{narrow}` has {sample}, which `{wide}` does not");
            return Said::Differs("contains".to_owned(), message);
        }
    }
    Said::Agrees { is_telling }
}

/// True if a column of `USING` or `NATURAL` compares alike in both tables. It is that of the left table in an inner or
/// left join, that of the right one in a right join, and the first of the two that is not NULL in a full join.
fn shares_alike(query: &Query<'_>, left: &Node, right: &Node, db: &mut Session<'_, '_>) -> bool {
    let (Some((_, left)), Some((_, right))) =
        (plain_columns(query, left, db), plain_columns(query, right, db))
    else {
        return false;
    };
    let is_other = |(name, affinity): &(String, Affinity)| {
        right.iter().any(|(known, other)| known.eq_ignore_ascii_case(name) && other != affinity)
    };
    !left.iter().any(is_other)
}

/// True if all that the query returns is the number of its rows.
fn only_counts(query: &Query<'_>) -> bool {
    let Some(core) = query.core() else {
        return false;
    };
    let has_no = |kind| core.child(kind).is_none_or(Node::is_absent);
    let columns =
        core.child(Kind::Columns).map(|columns| columns.print().replace(' ', "")).unwrap_or_default();
    has_no(Kind::Group)
        && has_no(Kind::Having)
        && has_no(Kind::Distinct)
        && columns.eq_ignore_ascii_case("count(*)")
}

fn is_within(few: &[Row], many: &[Row], counts: bool) -> bool {
    match (few, many) {
        ([few], [many]) if counts => {
            matches!((&few[..], &many[..]), ([Value::Integer(few)], [Value::Integer(many)]) if few <= many)
        }
        _ => is_contained(few, many),
    }
}

/// A row of the first that the second does not have.
fn without_most<'r>(few: &'r [Row], many: &[Row]) -> Option<&'r Row> {
    few.iter().find(|row| !is_contained(std::slice::from_ref(*row), many)).or(few.first())
}
