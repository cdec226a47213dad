//! `UPDATE`, `DELETE` and `INSERT` do what the rows say.
//!
//! Before the statement, its predicate and the values that it assigns are columns of a query over the whole table, where
//! the optimizer has nothing to do (NoREC, Rigger and Su, ESEC/FSE 2020, for statements that write). Afterwards
//! - all rows for which the predicate was not true are exactly as they were, types included, and no others are there;
//! - those for which it was are deleted, or have the assigned values, as the affinities of their columns convert them
//!   (<https://sqlite.org/datatype3.html>), and everything else as it was;
//! - an `INSERT` has added the rows of its query;
//! - `changes()` is the number of these rows, and `RETURNING` shows them (<https://sqlite.org/lang_returning.html>).
//!
//! An agreement is telling if rows were changed. Nothing is said where more decides than the rows: triggers, foreign key
//! actions, conflict clauses, `LIMIT`, `UPDATE … FROM`. Values of subqueries that are assigned are left out, since they
//! may read what the statement has already changed.

use super::query::{self, Query, has};
use super::rows::exact_difference;
use super::table::Table;
use super::{After, Change, Check, Said, Statementwise};
use crate::engine::sqlite::{Row, Session};
use crate::engine::{Code, StatementTrace, Value};
use crate::sql;
use crate::sql::tree::{Kind, Node};

pub(crate) const CHANGE: Statementwise = Statementwise { name: "change", check: Check::Changes(check) };

/// Clauses with which the rows alone do not decide.
const CLAUSES: [Kind; 7] =
    [Kind::With, Kind::Conflict, Kind::From, Kind::Order, Kind::Limit, Kind::Upsert, Kind::Indexed];

/// A row of which not everything is certain.
type Expected = Vec<Option<Value>>;

/// What a statement must do.
struct Prediction {
    table: Table,
    /// Rows that must be there as they are.
    kept: Vec<Row>,
    /// Rows that must be there in addition: what is new, or what is changed.
    made: Vec<Expected>,
    /// Rows that it inserts, changes or deletes.
    count: usize,
    /// The columns of `RETURNING`.
    returning: Option<String>,
    /// What it must return, as far as that is known before: the rows of a `DELETE`.
    returned: Option<Vec<Row>>,
}

fn check<'q>(change: &'q Change<'_>, db: &mut Session<'_, '_>) -> Result<After<'q>, &'static str> {
    let tree = change.tree.ok_or("a statement that is not understood")?;
    if change.code != Code::DONE {
        return Err("a statement that fails");
    }
    if !matches!(tree.kind, Kind::Insert | Kind::Update | Kind::Delete) {
        return Err("a statement of another kind");
    }
    if tree.children().any(|clause| !clause.is_absent() && CLAUSES.contains(&clause.kind)) {
        return Err("clauses with which the rows alone do not decide");
    }
    let table = Table::of(tree, db)?;
    let prediction = match tree.kind {
        Kind::Insert => inserted(tree, table, db)?,
        _ => changed(tree, table, db)?,
    };
    Ok(Box::new(move |trace, db| prediction.compare(trace, db)))
}

/// The rows of a query of which SQL leaves one answer.
fn steady(text: &str, db: &mut Session<'_, '_>) -> Result<Vec<Row>, &'static str> {
    let query = Query::new(text, None, db)?;
    match query.open {
        Some(open) => Err(open.reason()),
        None => Ok(query.rows),
    }
}

/// The columns of `RETURNING`, if they can be asked for again.
fn returning(tree: &Node, table: &Table) -> Option<String> {
    let columns = tree.child(Kind::Returning)?.child(Kind::Columns)?;
    (!has(columns, Kind::Select) && !table.is_virtual).then(|| columns.print())
}

/// What an `UPDATE` or `DELETE` must do.
fn changed(tree: &Node, table: Table, db: &mut Session<'_, '_>) -> Result<Prediction, &'static str> {
    let condition = tree.child(Kind::Where).and_then(|condition| condition.child(Kind::Expr));
    if table.is_virtual && condition.is_some_and(|condition| !reads_only(condition, &table)) {
        return Err("a virtual table's own columns");
    }
    let assigned = assigned(tree, &table)?;
    let values: Vec<String> =
        assigned.iter().filter_map(|(_, value)| value.as_ref().map(Node::print)).collect();
    let returning = returning(tree, &table);
    let mut columns = vec![table.shown().to_owned()];
    columns.push(condition.map_or("1".to_owned(), |condition| format!("({}) IS TRUE", condition.print())));
    columns.extend(values.iter().map(|value| format!("({value})")));
    columns.extend(returning.clone().filter(|_| tree.kind == Kind::Delete));
    let rows = steady(&format!("SELECT {} FROM {}", columns.join(", "), table.from), db)?;
    let width = table.width();
    let (chosen, kept): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.get(width) == Some(&Value::Integer(1)));
    let kept = kept.into_iter().map(|row| row[..width].to_vec()).collect();
    let count = chosen.len();
    let (made, returned) = if tree.kind == Kind::Update {
        (chosen.iter().map(|row| updated(row, &assigned, &table)).collect(), None)
    } else {
        let shown = |row: &Row| row[width + 1..].to_vec();
        (Vec::new(), returning.is_some().then(|| chosen.iter().map(shown).collect()))
    };
    Ok(Prediction { table, kept, made, count, returning, returned })
}

/// True if an expression names only columns that the table shows, or its rowid.
fn reads_only(expression: &Node, table: &Table) -> bool {
    let mut is_known = true;
    expression.visit(&mut |node| {
        if node.kind == Kind::Column {
            is_known &= node
                .as_text()
                .is_some_and(|name| table.position(name).is_some() || name.eq_ignore_ascii_case("rowid"));
        }
    });
    is_known
}

/// The assignments of an `UPDATE`; without a value where that is not certain.
fn assigned(tree: &Node, table: &Table) -> Result<Vec<(String, Option<Node>)>, &'static str> {
    let mut assigned = Vec::new();
    for set in tree.child(Kind::Sets).into_iter().flat_map(Node::children) {
        let value = set.child(Kind::Expr);
        let is_certain = value.is_some_and(|value| !has(value, Kind::Select) && !has(value, Kind::TableName));
        match set.child(Kind::ColumnNames) {
            None => {
                let name =
                    set.child(Kind::ColumnName).and_then(Node::as_text).ok_or("an assignment to nothing")?;
                assigned.push((name.to_owned(), value.cloned().filter(|_| is_certain)));
            }
            Some(names) => assigned
                .extend(names.children().filter_map(Node::as_text).map(|name| (name.to_owned(), None))),
        }
    }
    let is_known = |(name, _): &(String, _)| table.position(name).is_some() || table.may_be_rowid(name);
    if assigned.iter().all(is_known) { Ok(assigned) } else { Err("a virtual table's own columns") }
}

/// A row after an `UPDATE`. `row` is what it was, whether the predicate was true, and the certain values.
fn updated(row: &Row, assigned: &[(String, Option<Node>)], table: &Table) -> Expected {
    let width = table.width();
    let first = width - table.columns.len();
    let mut expected: Expected = row[..width].iter().cloned().map(Some).collect();
    let mut values = row[width + 1..].iter();
    for (name, value) in assigned {
        let value = value.as_ref().and_then(|_| values.next());
        let position = table.position(name);
        if table.may_be_rowid(name) {
            // Two names of the same, perhaps.
            expected[..first].fill(None);
            let keys = (0..table.columns.len()).filter(|&at| table.columns[at].is_key && position.is_none());
            keys.for_each(|at| expected[first + at] = None);
        }
        if let Some(at) = position {
            expected[first + at] = value.and_then(|value| table.columns[at].stored(value));
        }
    }
    for (column, value) in table.columns.iter().zip(&mut expected[first..]) {
        if column.is_generated {
            *value = None;
        }
    }
    expected
}

/// What an `INSERT` must do.
fn inserted(tree: &Node, table: Table, db: &mut Session<'_, '_>) -> Result<Prediction, &'static str> {
    let kept = steady(&format!("SELECT {} FROM {}", table.shown(), table.from), db)?;
    let given = match tree.child(Kind::Select) {
        Some(select) => {
            let text = select.print();
            let query = Query::new(&text, None, db)?;
            if let Some(open) = query.open {
                return Err(open.reason());
            }
            if query.opens_virtual_tables() {
                return Err("virtual tables");
            }
            query.rows
        }
        None => vec![Vec::new()],
    };
    // Where each column's value stands in a row of the query.
    let mut sources = vec![None; table.columns.len()];
    match tree.child(Kind::ColumnNames) {
        Some(names) => {
            for (index, name) in names.children().filter_map(Node::as_text).enumerate() {
                match table.position(name) {
                    Some(at) if sources[at].is_none() => sources[at] = Some(index),
                    Some(_) => return Err("a column that is named twice"),
                    None if table.is_virtual => return Err("a virtual table's own columns"),
                    None if table.may_be_rowid(name) => {}
                    None => return Err("a column's name that is not understood"),
                }
            }
        }
        None if tree.child(Kind::Select).is_some() => {
            let own = (0..table.columns.len()).filter(|&at| !table.columns[at].is_generated);
            own.enumerate().for_each(|(index, at)| sources[at] = Some(index));
        }
        None => {}
    }
    let defaults: Vec<Option<Value>> =
        table.columns.iter().map(|column| default(column.default.as_deref(), db)).collect();
    let made = given.iter().map(|row| {
        let values = table.columns.iter().zip(&sources).zip(&defaults).map(|((column, source), default)| {
            let value = match source {
                Some(index) => row.get(*index),
                None => default.as_ref(),
            };
            // A key may be the rowid, which SQLite chooses if it is NULL, whatever its default.
            let is_chosen = column.is_key && (source.is_none() || value == Some(&Value::Null));
            column.stored(value.filter(|_| !column.is_generated && !is_chosen)?)
        });
        table.has_rowid.then_some(None).into_iter().chain(values).collect()
    });
    let made: Vec<Expected> = made.collect();
    let (count, returning) = (made.len(), returning(tree, &table));
    Ok(Prediction { table, kept, made, count, returning, returned: None })
}

/// A default that is a literal, or NULL without one.
fn default(text: Option<&str>, db: &mut Session<'_, '_>) -> Option<Value> {
    let Some(text) = text else {
        return Some(Value::Null);
    };
    let is_literal = text.starts_with(|c: char| c.is_ascii_digit() || "-'".contains(c))
        && sql::tokenize(text.as_bytes()).len() <= 2;
    let rows = is_literal.then(|| db.rows(&format!("SELECT {text}")).ok())??;
    rows.into_iter().flatten().next()
}

impl Prediction {
    fn compare(self, trace: &StatementTrace, db: &mut Session<'_, '_>) -> Said {
        // First, since it is about the last statement.
        let changes = match db.rows("SELECT changes()") {
            Ok(rows) => rows,
            Err(none) => return Said::Nothing(query::why(none)),
        };
        let differs = |kind: &str, message: String| Said::Differs(kind.to_owned(), message);
        let (shown, from, width) = (self.table.shown(), &self.table.from, self.table.width());
        let rows = match db.rows(&format!("SELECT {shown} FROM {from}")) {
            Ok(rows) => rows,
            Err(none) => return Said::Nothing(query::why(none)),
        };
        let made = without(&rows, &self.kept);
        if made.len() + self.kept.len() != rows.len() || made.len() != self.made.len() {
            let difference = exact_difference(&self.kept, &rows).unwrap_or_default();
            let expected = self.made.len();
            return differs(
                "rows",
                format!("besides rows to be kept there should be {expected}: {difference}"),
            );
        }
        let is_certain = |at: &usize| self.made.iter().all(|row| row.get(*at).is_some_and(Option::is_some));
        let certain: Vec<usize> = (0..width).filter(is_certain).collect();
        let expected: Vec<Row> =
            self.made.iter().map(|row| certain.iter().filter_map(|&at| row[at].clone()).collect()).collect();
        let actual: Vec<Row> =
            made.iter().map(|row| certain.iter().map(|&at| row[at].clone()).collect()).collect();
        if let Some(difference) = exact_difference(&expected, &actual) {
            return differs("values", format!("the rows should have other values: {difference}"));
        }
        let count = Value::Integer(self.count as i64);
        if changes != vec![vec![count]] {
            return differs(
                "changes",
                format!("{} rows, but changes() is {}", self.count, super::rows::shown(&changes[0])),
            );
        }
        match self.returned(db).and_then(|returned| exact_difference(&returned, &trace.values)) {
            Some(difference) => differs("returning", format!("RETURNING shows other rows: {difference}")),
            None => Said::Agrees { is_telling: self.count > 0 },
        }
    }

    /// What `RETURNING` must have shown, if there is one and that is known.
    fn returned(&self, db: &mut Session<'_, '_>) -> Option<Vec<Row>> {
        let columns = self.returning.as_ref()?;
        if self.returned.is_some() {
            return self.returned.clone();
        }
        let text = format!("SELECT {}, {columns} FROM {}", self.table.shown(), self.table.from);
        let (rows, width) = (steady(&text, db).ok()?, self.table.width());
        let is_made = |row: &&Row| !self.kept.iter().any(|kept| *kept == row[..width]);
        Some(rows.iter().filter(is_made).map(|row| row[width..].to_vec()).collect())
    }
}

/// The rows that are not among others.
fn without<'r>(rows: &'r [Row], others: &[Row]) -> Vec<&'r Row> {
    rows.iter().filter(|row| !others.contains(row)).collect()
}
