//! A predicate says the same in `WHERE` and as a result column (NoREC, Rigger and Su, ESEC/FSE 2020).
//!
//! `SELECT columns FROM tables WHERE p` must return the rows of `SELECT (p) IS TRUE, columns FROM tables` that begin
//! with 1: there the optimizer has nothing to do. A query that aggregates or takes equal rows for one is judged by its
//! tables and its predicate alone. An agreement is telling if the predicate is both true and not.

use super::aggregates::aggregates;
use super::query::{Query, has};
use super::rows::difference;
use super::{Check, Said, Statementwise, query};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql::tree::{Kind, Node};

pub(crate) const NOREC: Statementwise = Statementwise { name: "norec", check: Check::Queries(check) };

/// Parts of `SELECT columns FROM tables WHERE p`.
pub(crate) struct Filtered {
    /// `WITH …`, or nothing.
    pub with: String,
    /// Its columns; `1` if they say nothing of single rows.
    pub columns: String,
    /// `FROM …`.
    pub from: String,
    /// The predicate; absent without `WHERE`.
    pub predicate: Option<String>,
    /// True if the query returns exactly these columns of these rows.
    pub is_whole: bool,
}

impl Filtered {
    /// The parts of a query that is no compound and reads tables.
    pub(crate) fn of(query: &Query<'_>) -> Option<Self> {
        let core = query.core()?;
        let print = |kind| core.child(kind).filter(|node| !node.is_absent()).map(Node::print);
        let columns = core.child(Kind::Columns)?;
        let is_plain = ![Kind::Group, Kind::Having, Kind::Distinct, Kind::Windows]
            .iter()
            .any(|&kind| has(core_only(core, kind), kind))
            && !aggregates(columns)
            && !has(columns, Kind::Over);
        let is_whole = is_plain && query.tree.child(Kind::Limit).is_none_or(Node::is_absent);
        Some(Self {
            with: query
                .tree
                .child(Kind::With)
                .filter(|with| !with.is_absent())
                .map_or(String::new(), Node::print),
            columns: if is_plain { columns.print() } else { "1".to_owned() },
            from: print(Kind::From)?,
            predicate: core.child(Kind::Where).and_then(|filter| filter.child(Kind::Expr)).map(Node::print),
            is_whole,
        })
    }
}

/// The child of a core of a kind, or the core's absent one.
fn core_only(core: &Node, kind: Kind) -> &Node {
    static NONE: Node = Node { kind: Kind::Statement, parts: Vec::new() };
    core.child(kind).unwrap_or(&NONE)
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open_unconstrained(db) {
        return Said::Nothing(reason);
    }
    let Some(parts) = Filtered::of(query) else {
        return Said::Nothing("compound, or without tables");
    };
    let Some(predicate) = &parts.predicate else {
        return Said::Nothing("without a predicate");
    };
    let Filtered { with, columns, from, .. } = &parts;
    let unfiltered = match db.rows(&format!("{with} SELECT ({predicate}) IS TRUE, {columns} {from}")) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    let is_true = |row: &Row| row.first() == Some(&Value::Integer(1));
    let chosen: Vec<Row> =
        unfiltered.iter().filter(|row| is_true(row)).map(|row| row[1..].to_vec()).collect();
    let is_telling = !chosen.is_empty() && chosen.len() < unfiltered.len();
    let how = "the predicate as a column chooses other rows";
    if parts.is_whole
        && let Err(said) = query.must_be(&chosen, db, "rows", how)
    {
        return said;
    }
    // The query itself may have been planned for its own columns.
    let filtered = format!("{with} SELECT {columns} {from} WHERE {predicate}");
    match db.rows(&filtered) {
        Err(none) => Said::Nothing(query::why(none)),
        Ok(rows) => match difference(&rows, &chosen) {
            None => Said::Agrees { is_telling },
            Some(difference) if query.has_representatives() => match db.rows(&filtered) {
                Ok(again)
                    if super::rows::difference(&again, &rows).is_none() && rows.len() != chosen.len() =>
                {
                    Said::Differs("rows".to_owned(), format!("{how}: {difference}"))
                }
                _ => Said::Nothing("which of several equal values represents them"),
            },
            Some(difference) => Said::Differs("rows".to_owned(), format!("{how}: {difference}")),
        },
    }
}
