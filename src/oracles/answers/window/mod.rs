//! What an aggregate over a window returns is the aggregate over the rows of its frame.
//!
//! For each call of a known aggregate with `OVER`, SQLite is asked for the value and, in the same rows, for the arguments,
//! for the partition and for the place among its peers (`dense_rank()`, which keeps nothing of what leaves a frame); the
//! aggregate over the rows of each frame is then computed here (<https://sqlite.org/windowfunctions.html>). Where rows
//! tie, only frames that take all peers or none have one answer.
//!
//! # Digits
//! SQLite takes a value that leaves a frame away from the sum, and since 3.43 adds up as Kahan, Babuska and Neumaier do:
//! the error is some digits of the result and a tiny part of all that was ever added (about n² ε², for ε = 2⁻⁵²). This
//! is what is allowed ([`ERROR_OF_RESULT`], [`ERROR_OF_PARTITION`]), so that a sum that lost all of 1.5 to
//! 9223372036854775807 is seen. Earlier versions add up plainly: their sums of reals are not judged.

mod aggregate;
mod frame;

use super::aggregates::aggregates;
use super::norec::Filtered;
use super::open::Open;
use super::query::{self, Query, has};
use super::rows::{difference, shown};
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql::tree::{Kind, Node, Part};
use aggregate::{Aggregate, Expected};
use frame::{Frame, Place};

pub(crate) const WINDOW: Statementwise = Statementwise { name: "window", check: Check::Queries(check) };

/// Calls that are judged per query.
const CALLS_MAX: usize = 4;
/// Rows that are judged; each is compared with each.
const ROWS_MAX: usize = 400;

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if query.open == Some(Open::Unsteady) {
        return Said::Nothing(Open::Unsteady.reason());
    }
    let (Some(core), Some(parts)) = (query.core(), Filtered::of(query)) else {
        return Said::Nothing("compound, or without tables");
    };
    let is_absent = |kind| core.child(kind).is_none_or(Node::is_absent);
    let Some(columns) = core.child(Kind::Columns) else {
        return Said::Nothing("without columns");
    };
    if !is_absent(Kind::Group) || !is_absent(Kind::Having) || aggregates(columns) {
        return Said::Nothing("windows over groups");
    }
    let mut calls = Vec::new();
    collect(columns, &mut calls);
    let mut said = Said::Nothing("without aggregates over windows");
    for call in calls.into_iter().take(CALLS_MAX) {
        let Some(call) = Call::of(call, core) else {
            continue;
        };
        match (call.judge(query, &parts, db), &said) {
            (differs @ Said::Differs(..), _) => return differs,
            (Said::Agrees { is_telling }, Said::Agrees { is_telling: before }) => {
                said = Said::Agrees { is_telling: is_telling || *before };
            }
            (Said::Nothing(_), Said::Agrees { .. }) => {}
            (other, _) => said = other,
        }
    }
    said
}

/// Collects the calls with `OVER` outside of subqueries.
pub(super) fn collect<'q>(node: &'q Node, calls: &mut Vec<&'q Node>) {
    if node.kind == Kind::Select {
        return;
    }
    if node.child(Kind::Over).is_some_and(|over| !over.is_absent()) {
        calls.push(node);
    }
    node.children().for_each(|child| collect(child, calls));
}

/// The window of a call in a core; `None` for one that builds on another.
pub(super) fn of<'q>(call: &'q Node, core: &'q Node) -> Option<&'q Node> {
    let over = call.child(Kind::Over)?;
    let window = match (over.child(Kind::Window), &over.parts[..]) {
        (Some(window), _) => window,
        (None, [_, Part::Text(name)]) => definition(core, name)?,
        _ => return None,
    };
    let is_based = window.parts.iter().any(|part| matches!(part, Part::Text(_)));
    (!is_based).then_some(window)
}

/// A call of an aggregate over a window.
struct Call {
    text: String,
    aggregate: Aggregate,
    /// What is aggregated; `NULL` for `count(*)`.
    argument: String,
    separator: String,
    filter: String,
    partition: Option<String>,
    /// `ORDER BY …`, or nothing.
    order: String,
    /// The only key of the order; `NULL` if there is another number of them.
    key: String,
    is_descending: bool,
    frame: Frame,
}

impl Call {
    fn of(call: &Node, core: &Node) -> Option<Self> {
        let window = of(call, core)?;
        if has(call, Kind::Select) || has(window, Kind::Select) {
            return None;
        }
        let name = call.child(Kind::FunctionName)?.as_text()?.to_ascii_lowercase();
        let arguments: Vec<String> =
            call.child(Kind::Exprs).into_iter().flat_map(Node::children).map(Node::print).collect();
        let aggregate = Aggregate::of(&name, arguments.len())?;
        let expression = |kind| call.child(kind).and_then(|node| node.child(Kind::Expr)).map(Node::print);
        let present = |kind| window.child(kind).filter(|node| !node.is_absent());
        let partition =
            present(Kind::Partition).and_then(|partition| partition.child(Kind::Exprs)).map(Node::print);
        let terms: Vec<&Node> = present(Kind::Order)
            .and_then(|order| order.child(Kind::Terms))
            .into_iter()
            .flat_map(Node::children)
            .collect();
        let (key, is_descending) = match terms[..] {
            [term] => (term.child(Kind::Expr)?.print(), term.print().to_ascii_uppercase().contains(" DESC")),
            _ => ("NULL".to_owned(), false),
        };
        Some(Self {
            text: call.print(),
            aggregate,
            argument: arguments.first().cloned().unwrap_or_else(|| "NULL".to_owned()),
            separator: arguments.get(1).cloned().unwrap_or_else(|| "','".to_owned()),
            filter: expression(Kind::Filter).unwrap_or_else(|| "1".to_owned()),
            partition,
            order: present(Kind::Order).map(Node::print).unwrap_or_default(),
            key,
            is_descending,
            frame: Frame::of(present(Kind::Frame), !terms.is_empty())?,
        })
    }

    fn judge(&self, query: &Query<'_>, parts: &Filtered, db: &mut Session<'_, '_>) -> Said {
        let Self { text, argument, separator, filter, order, key, .. } = self;
        let partition = self
            .partition
            .as_ref()
            .map_or("1".to_owned(), |terms| format!("dense_rank() OVER (ORDER BY {terms})"));
        let within = self.partition.as_ref().map_or(String::new(), |terms| format!("PARTITION BY {terms} "));
        let as_text =
            if self.aggregate.is_text() { format!("CAST(({argument}) AS TEXT)") } else { "NULL".to_owned() };
        let filter_by =
            parts.predicate.as_ref().map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
        let windows =
            query.core().and_then(|core| core.child(Kind::Windows)).map(Node::print).unwrap_or_default();
        let (with, from) = (&parts.with, &parts.from);
        let asked = format!(
            "{with} SELECT {text}, {argument}, {as_text}, ({filter}) IS TRUE, {separator}, {partition}, \
             dense_rank() OVER ({within}{order}), {key} {from}{filter_by} {windows}"
        );
        let rows = match db.rows(&asked) {
            Err(none) => return Said::Nothing(query::why(none)),
            Ok(rows) if rows.len() > ROWS_MAX => return Said::Nothing("too many rows"),
            Ok(rows) => rows,
        };
        let Some(places) = rows.iter().map(Place::of).collect::<Option<Vec<Place>>>() else {
            return Said::Nothing("ranks that are no numbers");
        };
        let is_total = frame::is_total(&places);
        if !self.frame.is_determined(&places, is_total) {
            return Said::Nothing("the order of rows decides");
        }
        let sums_exactly = !self.aggregate.is_sum() || adds_up_exactly(db);
        let mut judged = 0;
        for (row, place) in rows.iter().zip(&places) {
            let mut partition: Vec<&Place> =
                places.iter().filter(|other| other.partition == place.partition).collect();
            partition.sort_by_key(|place| place.rank);
            let frame: Vec<&Row> = partition
                .iter()
                .filter(|other| {
                    self.frame.contains(place, other, self.is_descending) && is_counted(other.row)
                })
                .map(|other| other.row)
                .collect();
            let all: Vec<&Row> = partition.iter().map(|other| other.row).collect();
            let expected = self.aggregate.over(&frame, &all, is_total, sums_exactly);
            if !expected.allows(&row[0]) {
                let message =
                    format!("{text} is {}, not {expected}, in `{asked}`", shown(&row[..1].to_vec()));
                // No value at all is another bug than a wrong one.
                let kind = if row[0] == Value::Null { "-null" } else { "" };
                return Said::Differs(format!("{}{kind}", self.aggregate.name()), message);
            }
            judged += usize::from(expected != Expected::Anything);
        }
        if judged == rows.len()
            && !rows.is_empty()
            && let Some(said) = self.own_column(query, &rows, is_total, db)
        {
            return said;
        }
        match judged {
            0 if !rows.is_empty() => Said::Nothing("arguments that are not judged"),
            _ => Said::Agrees { is_telling: judged > 1 },
        }
    }

    /// The values that the query itself returned, if the call is a column of it and each of them has one answer.
    fn own_column(
        &self,
        query: &Query<'_>,
        rows: &[Row],
        is_total: bool,
        db: &mut Session<'_, '_>,
    ) -> Option<Said> {
        let columns = query.core()?.child(Kind::Columns)?;
        let is_star = |column: &Node| column.children().next().is_none() || column.print().ends_with('*');
        let is_plain = query.core()?.child(Kind::Distinct).is_none_or(Node::is_absent)
            && query.trees.iter().all(|tree| !has(tree, Kind::Limit))
            && query.trees.len() == 1
            && (is_total || !self.aggregate.is_text())
            && !columns.children().any(is_star)
            // The rows of a subquery may depend on an order.
            && query.tree.print().to_ascii_uppercase().matches("SELECT").count() == 1;
        let at = columns
            .children()
            .position(|column| column.child(Kind::Expr).is_some_and(|own| own.print() == self.text))?;
        let is_real = |value: &Value| matches!(value, Value::Real(_));
        if !is_plain || rows.iter().any(|row| is_real(&row[0])) {
            return None;
        }
        let column = |rows: &[Row], at: usize| -> Vec<Row> {
            rows.iter().filter_map(|row| Some(vec![row.get(at)?.clone()])).collect()
        };
        let difference = difference(&column(&query.rows, at), &column(rows, 0))?;
        let again = db.rows(query.text).ok()?;
        (super::rows::difference(&again, &query.rows).is_none()).then(|| {
            Said::Differs(
                "column".to_owned(),
                format!("{} differs from what it is alone: {difference}", self.text),
            )
        })
    }
}

/// The definition of a named window.
fn definition<'q>(core: &'q Node, name: &str) -> Option<&'q Node> {
    let windows = core.child(Kind::Windows)?;
    let is_it = |definition: &&Node| matches!(definition.parts.first(), Some(Part::Text(own)) if own.eq_ignore_ascii_case(name));
    windows.children().find(is_it)?.child(Kind::Window)
}

fn is_counted(row: &Row) -> bool {
    row[3] == Value::Integer(1)
}

/// True since SQLite 3.43.
fn adds_up_exactly(db: &mut Session<'_, '_>) -> bool {
    let version = db.rows("SELECT sqlite_version()").unwrap_or_default();
    let Some(Value::Text(version)) = version.into_iter().flatten().next() else {
        return false;
    };
    let version = String::from_utf8_lossy(&version).into_owned();
    let mut numbers = version.split('.').filter_map(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(3), Some(43))
}
