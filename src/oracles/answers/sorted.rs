//! Rows come in the order that `ORDER BY` says, and are what a query over the query sees.
//!
//! * **order**: the keys of the rows, sorted again over a copy of the query that keeps nothing of its plan, come in the
//!   same order.
//! * **row**: a row that is returned is found again in `SELECT * FROM (query) WHERE …` by each of its values, the number
//!   of rows is `count(*)`, and their distinct ones are those of `SELECT DISTINCT` (the invariants of SQLite's
//!   `test/fuzzinvariants.c`, which can no longer fail there).

use super::query::{self, Query};
use super::rows::{difference, is_same_list};
use super::{Check, Said, Statementwise, plans};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql::tree::{Kind, Node, Part};

pub(crate) const ORDER: Statementwise = Statementwise { name: "order", check: Check::Queries(order) };
pub(crate) const ROW: Statementwise = Statementwise { name: "row", check: Check::Queries(row) };

fn order(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if query.open == Some(super::Open::Unsteady) {
        return Said::Nothing(super::Open::Unsteady.reason());
    }
    let terms = query.tree.child(Kind::Order).and_then(|order| order.child(Kind::Terms));
    let Some(terms) = terms else {
        return Said::Nothing("without ORDER BY");
    };
    let Some(keys) = keys(query, terms) else {
        return by_rank(query, terms, db).unwrap_or_else(|said| said);
    };
    let rank =
        keys.iter().map(|(column, direction)| format!("{column}{direction}")).collect::<Vec<_>>().join(", ");
    let sorted = format!("SELECT * FROM (SELECT * FROM ({}) LIMIT -1) ORDER BY {rank}", query.text);
    let off = plans::all_off(db);
    let rows = match db.rows_without(&sorted, off) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    let of = |rows: &[Row]| -> Vec<Row> {
        let key = |row: &Row| keys.iter().filter_map(|(column, _)| row.get(column - 1).cloned()).collect();
        rows.iter().map(key).collect()
    };
    let (own, sorted) = (of(&query.rows), of(&rows));
    if is_same_list(&own, &sorted) {
        return Said::Agrees { is_telling: own.iter().skip(1).any(|key| *key != own[0]) };
    }
    if difference(&own, &sorted).is_some() || super::rows::is_same_list_but_representatives(&own, &sorted) {
        return Said::Nothing("the query answers differently within another");
    }
    let shown = |rows: &[Row]| rows.iter().take(8).map(super::rows::shown).collect::<Vec<_>>().join(" / ");
    Said::Differs(
        "keys".to_owned(),
        format!("rows come as {}, sorted they are {}", shown(&own), shown(&sorted)),
    )
}

/// The order of a query that is sorted by what it does not return: another query returns that as well, and numbers the
/// places among which rows may be exchanged.
fn by_rank(query: &Query<'_>, terms: &Node, db: &mut Session<'_, '_>) -> Result<Said, Said> {
    if let Some(reason) = query.why_open() {
        return Err(Said::Nothing(reason));
    }
    let is_plain = query.core().is_some_and(|core| core.child(Kind::Distinct).is_none_or(Node::is_absent));
    let width = query.rows.first().map_or(0, Vec::len);
    if !is_plain || width == 0 {
        return Err(Said::Nothing("sorted by what it does not return"));
    }
    // SQLite then feeds a window in reverse if it has computed its rows before, without a coroutine.
    if db.optimizations_off() != 0 || query::is_reversed(db) != Some(false) {
        return Err(Said::Nothing("scans are reversed, or optimizations off"));
    }
    let mut tree = query.tree.clone();
    tree.children_mut().filter(|clause| clause.kind == Kind::Order).for_each(|clause| clause.parts.clear());
    let mut rank = Vec::new();
    let columns = tree.child_mut(Kind::Compound).and_then(|compound| compound.child_mut(Kind::Core));
    let columns = columns.and_then(|core| core.child_mut(Kind::Columns));
    let columns = columns.ok_or(Said::Nothing("sorted by what it does not return"))?;
    let aliases: Vec<String> = columns.children().filter_map(alias).collect();
    for (at, term) in terms.children().enumerate() {
        let mut has_alias = false;
        term.visit(&mut |node| {
            has_alias |= node.kind == Kind::Column
                && aliases.iter().any(|name| name.eq_ignore_ascii_case(&node.print()));
        });
        if has_alias {
            // `b COLLATE NOCASE` is the `b` of the result, `b + 1` that of a table.
            return Err(Said::Nothing("a name of the result in what it is sorted by"));
        }
        let (expression, direction) =
            split(term).ok_or(Said::Nothing("sorted by what it does not return"))?;
        if expression.print().trim().parse::<f64>().is_ok() {
            return Err(Said::Nothing("sorted by the number of a column"));
        }
        let key = vec![Part::Node(expression.clone()), Part::Text(format!("AS tandem_{at}").into())];
        columns.parts.push(Part::Node(Node::new(Kind::ResultColumn, key)));
        rank.push(format!("k{at}{direction}"));
    }
    let names = (0..width).map(|at| format!("c{at}")).chain((0..rank.len()).map(|at| format!("k{at}")));
    let asked = format!(
        "WITH tandem_q({}) AS ({}) SELECT *, dense_rank() OVER (ORDER BY {}) FROM (SELECT * FROM tandem_q LIMIT -1) \
         ORDER BY {}",
        names.collect::<Vec<_>>().join(", "),
        tree.print(),
        rank.join(", "),
        width + rank.len() + 1,
    );
    let ranked = db.rows(&asked).map_err(|none| Said::Nothing(query::why(none)))?;
    let visible: Vec<Row> = ranked.iter().map(|row| row[..width.min(row.len())].to_vec()).collect();
    if difference(&query.rows, &visible).is_some() {
        return Err(Said::Nothing("the query answers differently within another"));
    }
    let mut start = 0;
    for group in ranked.chunk_by(|one, other| one.last() == other.last()) {
        let end = start + group.len();
        let differs = difference(&query.rows[start..end], &visible[start..end]);
        if let Some(difference) = differs {
            if db.rows(query.text).ok().as_ref() != Some(&query.rows) {
                return Err(Said::Nothing("it answers differently when asked again"));
            }
            let message = format!("rows {} to {end} in the order of `{asked}`: {difference}", start + 1);
            return Err(Said::Differs("rank".to_owned(), message));
        }
        start = end;
    }
    Ok(Said::Agrees {
        is_telling: ranked.first().map(|row| row.last()) != ranked.last().map(|row| row.last()),
    })
}

/// For each term of an `ORDER BY` its column, from 1, and its direction; `None` if a term is not a column of the result.
pub(super) fn keys(query: &Query<'_>, terms: &Node) -> Option<Vec<(usize, String)>> {
    let compound = query.tree.child(Kind::Compound)?;
    let columns = compound.children().next()?.child(Kind::Columns)?;
    if columns.children().any(|column| column.print().trim().ends_with('*')) {
        // How many columns a star stands for is not known here: only numbers are.
        return terms.children().map(|term| numbered(term, query)).collect();
    }
    let position = |term: &Node| {
        if let Some(key) = numbered(term, query) {
            return Some(key);
        }
        let (expression, direction) = split(term)?;
        let text = expression.print();
        let named = |column: &Node| alias(column).is_some_and(|name| name.eq_ignore_ascii_case(&text));
        let is_same = |column: &Node| {
            let own = column.child(Kind::Expr).map(Node::print);
            named(column) || own.is_some_and(|own| own.eq_ignore_ascii_case(&text))
        };
        // A name of the result goes before a column of the same name.
        let at = columns.children().position(named).or_else(|| columns.children().position(is_same))?;
        Some((at + 1, direction))
    };
    terms.children().map(position).collect()
}

/// The name that a result column is given.
fn alias(column: &Node) -> Option<String> {
    match column.child(Kind::Alias)?.parts.last()? {
        Part::Text(name) => Some(name.to_string()),
        Part::Node(_) => None,
    }
}

fn numbered(term: &Node, query: &Query<'_>) -> Option<(usize, String)> {
    let (expression, direction) = split(term)?;
    let at: usize = expression.print().trim().parse().ok()?;
    let width = query.rows.first().map_or(0, Vec::len);
    (1..=width).contains(&at).then_some((at, direction))
}

/// A term's expression, and what follows it.
fn split(term: &Node) -> Option<(&Node, String)> {
    let expression = term.child(Kind::Expr)?;
    let rest = term.print();
    let rest = rest.strip_prefix(&expression.print())?.to_owned();
    Some((expression, rest))
}

fn row(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(open) = query.open {
        return Said::Nothing(open.reason());
    }
    if query.opens_virtual_tables() {
        return Said::Nothing("virtual tables");
    }
    if query.has_representatives() {
        return Said::Nothing("which of several equal values represents them");
    }
    let count = match db.rows(&format!("SELECT count(*) FROM ({})", query.text)) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    let expected = Value::Integer(query.rows.len() as i64);
    if count != vec![vec![expected]] {
        let again = db.rows(query.text);
        if again.is_ok_and(|again| difference(&again, &query.rows).is_none()) {
            return Said::Differs(
                "count".to_owned(),
                format!("{} rows, but count(*) is {}", query.rows.len(), super::rows::shown(&count[0])),
            );
        }
        return Said::Nothing("it answers differently when asked again");
    }
    let Some(first) = query.rows.get(query.rows.len() / 2) else {
        return Said::Agrees { is_telling: false };
    };
    found_again(query, first, db)
}

/// Whether a row is found by its values, whatever their types and collations: `IS` finds at least what is the same.
fn found_again(query: &Query<'_>, row: &Row, db: &mut Session<'_, '_>) -> Said {
    let Some(names) = names(query, row.len(), db) else {
        return Said::Nothing("columns without names of their own");
    };
    // Text and numbers in a column's comparison are converted as its affinity says; unary plus would take that away, and
    // with it the index that may be wrong.
    let conditions: Vec<String> = names.iter().zip(row).map(|(name, value)| condition(name, value)).collect();
    for off in [db.optimizations_off(), plans::all_off(db)] {
        let text = format!("SELECT * FROM ({}) WHERE {}", query.text, conditions.join(" AND "));
        let rows = match db.rows_without(&text, off) {
            Ok(rows) => rows,
            Err(none) => return Said::Nothing(query::why(none)),
        };
        if !super::rows::is_contained(std::slice::from_ref(row), &rows) {
            if db.rows(query.text).is_ok_and(|again| difference(&again, &query.rows).is_none()) {
                return Said::Differs(
                    "lost".to_owned(),
                    format!("the row {} is not found by `{text}`", super::rows::shown(row)),
                );
            }
            return Said::Nothing("it answers differently when asked again");
        }
    }
    Said::Agrees { is_telling: query.rows.len() > 1 }
}

fn condition(name: &str, value: &Value) -> String {
    match value {
        Value::Null => format!("{name} ISNULL"),
        Value::Integer(n) if *n == i64::MIN => format!("{name} = (-9223372036854775807 - 1)"),
        Value::Integer(n) => format!("{name} = {n}"),
        // Digits may not say all of it.
        Value::Real(_) => format!("{name} NOTNULL"),
        Value::Text(text) if text.contains(&0) || std::str::from_utf8(text).is_err() => {
            format!("{name} NOTNULL")
        }
        Value::Text(text) => format!("{name} = '{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        Value::Blob(blob) => {
            let digits: String = blob.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name} = x'{digits}'")
        }
    }
}

/// Names of the columns of the query as a subquery, if they are distinct; in backticks, because one that is not there is
/// then an error, and no text.
fn names(query: &Query<'_>, width: usize, db: &mut Session<'_, '_>) -> Option<Vec<String>> {
    let names = db.column_names(&format!("SELECT * FROM ({})", query.text)).ok()?;
    let mut distinct: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    distinct.sort();
    distinct.dedup();
    let is_fit = names.len() == width && distinct.len() == width;
    is_fit.then(|| names.iter().map(|name| crate::sql::quoted(name, '`')).collect())
}
