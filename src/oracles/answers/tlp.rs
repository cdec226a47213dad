//! A predicate is true, false or NULL for each row (ternary logic partitioning, Rigger and Su, OOPSLA 2020).
//!
//! The rows of a query without its `WHERE` are those `WHERE p`, `WHERE NOT p` and `WHERE p ISNULL` taken together; so are
//! the groups of a query with `HAVING`, the distinct rows of one with `DISTINCT`, and `count()`, `min()`, `max()` and
//! `sum()` of integers are found again in those of the three parts. `p` is the query's own predicate, or one made of a
//! column of its result. An agreement is telling if two parts have rows.

use super::aggregates::aggregates;
use super::query::{self, Query, has};
use super::rows::{difference, distinct};
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql::tree::{Kind, Node};

pub(crate) const TLP: Statementwise = Statementwise { name: "tlp", check: Check::Queries(check) };

/// How the parts make up the whole.
enum Union {
    /// All rows of all parts.
    All,
    /// Their distinct rows.
    Distinct,
    /// A row of aggregates, which each are combined.
    Aggregates(Vec<&'static str>),
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open().or(query.why_no_other_rows()) {
        return Said::Nothing(reason);
    }
    let Some(core) = query.core().filter(|core| core.child(Kind::From).is_some_and(|from| !from.is_absent()))
    else {
        return Said::Nothing("compound, or without tables");
    };
    let Some((union, clause)) = union(core) else {
        return Said::Nothing("aggregates or windows that are not partitioned");
    };
    let own = core.child(clause).and_then(|clause| clause.child(Kind::Expr)).map(Node::print);
    let Some(predicate) = own.or_else(|| made(core, clause)) else {
        return Said::Nothing("without a predicate");
    };
    let whole = match db.rows(&with_clause(query, clause, None)) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    let mut parts = Vec::new();
    for part in [format!("({predicate})"), format!("NOT ({predicate})"), format!("({predicate}) ISNULL")] {
        match db.rows(&with_clause(query, clause, Some(&part))) {
            Ok(rows) => parts.push(rows),
            Err(none) => return Said::Nothing(query::why(none)),
        }
    }
    let is_telling = parts.iter().filter(|rows| !rows.is_empty()).count() > 1;
    let Some(different) = union.difference(&whole, &parts) else {
        return Said::Agrees { is_telling };
    };
    if query.adds_up_reals(&whole) {
        return Said::Nothing("sums of real numbers");
    }
    if query.has_representatives() && super::rows::is_same_but_representatives(&whole, &parts.concat()) {
        return Said::Nothing("which of several equal values represents them");
    }
    let kind = match union {
        Union::All if clause == Kind::Having => "groups",
        Union::All => "rows",
        Union::Distinct => "distinct",
        Union::Aggregates(_) => "aggregates",
    };
    Said::Differs(kind.to_owned(), format!("partitions by `{predicate}` differ from the whole: {different}"))
}

/// How the query can be partitioned, and by which clause.
fn union(core: &Node) -> Option<(Union, Kind)> {
    let is_present = |kind| core.child(kind).is_some_and(|node| !node.is_absent());
    let columns = core.child(Kind::Columns)?;
    if has(columns, Kind::Over) || is_present(Kind::Windows) {
        return None;
    }
    let is_distinct =
        core.child(Kind::Distinct).is_some_and(|node| node.print().trim().eq_ignore_ascii_case("distinct"));
    match (is_distinct, is_present(Kind::Group)) {
        (false, true) => Some((Union::All, Kind::Having)),
        _ if is_present(Kind::Having) => None,
        (true, false) if !aggregates(columns) => Some((Union::Distinct, Kind::Where)),
        (false, false) if !aggregates(columns) => Some((Union::All, Kind::Where)),
        (false, false) => {
            let names: Option<Vec<&str>> = columns.children().map(combined).collect();
            Some((Union::Aggregates(names?), Kind::Where))
        }
        _ => None,
    }
}

/// The name of the aggregate that a column is, if it can be combined.
fn combined(column: &Node) -> Option<&'static str> {
    let call = column.child(Kind::Expr)?;
    let name = call.child(Kind::FunctionName)?.as_text()?.to_ascii_lowercase();
    let is_distinct = call.print().to_ascii_lowercase().contains("distinct");
    ["count", "min", "max", "sum"].into_iter().find(|known| *known == name && !is_distinct)
}

/// A predicate of the query's own columns.
fn made(core: &Node, clause: Kind) -> Option<String> {
    if clause == Kind::Having {
        return Some("count(*) > 1".to_owned());
    }
    let mut columns = Vec::new();
    core.child(Kind::Columns)?.children().for_each(|column| collect(column, &mut columns));
    columns.first().map(|column| format!("{column} > 1"))
}

/// Collects the columns that are named outside of subqueries.
pub(super) fn collect(node: &Node, columns: &mut Vec<String>) {
    match node.kind {
        Kind::Select => {}
        Kind::Column => columns.push(node.print()),
        _ => node.children().for_each(|child| collect(child, columns)),
    }
}

/// The query with another predicate, unsorted.
fn with_clause(query: &Query<'_>, clause: Kind, predicate: Option<&str>) -> String {
    let mut tree = query.tree.clone();
    if let Some(order) = tree.child_mut(Kind::Order) {
        order.parts.clear();
    }
    let core = tree.child_mut(Kind::Compound).and_then(|compound| compound.child_mut(Kind::Core));
    if let Some(place) = core.and_then(|core| core.child_mut(clause)) {
        let word = if clause == Kind::Having { "HAVING" } else { "WHERE" };
        *place = predicate
            .map_or_else(|| Node::absent(clause), |text| Node::text(clause, format!("{word} {text}")));
    }
    tree.print()
}

impl Union {
    fn difference(&self, whole: &[Row], parts: &[Vec<Row>]) -> Option<String> {
        let all = parts.concat();
        match self {
            Self::All => difference(whole, &all),
            Self::Distinct => difference(&distinct(whole), &distinct(&all)),
            Self::Aggregates(names) => {
                let [row] = whole else {
                    return difference(whole, &all);
                };
                let combined: Vec<Option<Value>> =
                    names.iter().enumerate().map(|(at, name)| combine(name, &all, at)).collect();
                // What is not known here is taken to be right.
                let expected =
                    combined.into_iter().zip(row).map(|(value, own)| value.unwrap_or_else(|| own.clone()));
                difference(whole, &[expected.collect()])
            }
        }
    }
}

/// The aggregate of the values that the parts have in a column; `None` unless they are integers.
fn combine(name: &str, parts: &[Row], at: usize) -> Option<Value> {
    let mut numbers = Vec::new();
    for row in parts {
        match row.get(at)? {
            Value::Null => {}
            Value::Integer(n) => numbers.push(*n),
            _ => return None,
        }
    }
    let integer = match name {
        "min" => numbers.iter().min().copied(),
        "max" => numbers.iter().max().copied(),
        _ if numbers.is_empty() => None,
        _ => Some(numbers.iter().try_fold(0_i64, |sum, n| sum.checked_add(*n))?),
    };
    Some(integer.map_or(Value::Null, Value::Integer))
}
