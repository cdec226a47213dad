//! Whether SQL leaves several answers to a query: by its words, and where they leave it open, by running.

use super::aggregates::{self, ORDERED_AGGREGATES, ORDERED_WINDOWS, aggregates, has_bare_column};
use super::query::has;
use super::window;
use crate::engine::Value;
use crate::engine::sqlite::{Facts, Session};
use crate::sql::tree::{self, Kind, Node};

/// Functions whose result is another each time, or depends on more than their arguments and rows. Dates are not among
/// them: the clock of the simulated machine stands still.
const UNSTEADY: [&str; 6] =
    ["random", "randomblob", "changes", "total_changes", "last_insert_rowid", "sqlite_offset"];
/// Tables whose content depends on how SQLite does its work.
const UNSTEADY_TABLES: [&str; 6] =
    ["sqlite_stmt", "bytecode", "tables_used", "dbstat", "sqlite_dbpage", "sqlite_stat4"];

/// Why SQL leaves more than one answer to a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It calls what answers differently each time.
    Unsteady,
    /// `LIMIT` takes some rows of many.
    Limit,
    /// A subquery that stands for a value has several rows.
    ManyValues,
    /// A column that is neither aggregated nor grouped by, or may be so because a subquery aggregates what is around it.
    BareColumn,
    /// The order of rows decides.
    RowOrder,
}

impl Open {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unsteady => "functions or tables that answer differently each time",
            Self::Limit => "LIMIT without a total order",
            Self::ManyValues => "a subquery of several rows as a value",
            Self::BareColumn => "a bare column in an aggregate query",
            Self::RowOrder => "the order of rows decides",
        }
    }
}

/// How many answers SQL leaves to a query.
pub(super) enum Answers {
    /// Several: why.
    Open(Open),
    /// One.
    One,
    /// One to its rows, but several to others, which not all rewritings keep to.
    OneByRows,
}

/// How many answers SQL leaves to a query with these trees.
pub(super) fn answers(trees: &[Node], facts: &Facts, db: &mut Session<'_, '_>) -> Answers {
    let calls = |names: &[&str]| facts.functions.iter().any(|name| names.contains(&name.as_str()));
    let is_unsteady_table = |name: &str| UNSTEADY_TABLES.contains(&name.to_ascii_lowercase().as_str());
    if calls(&UNSTEADY) || facts.tables.iter().any(|(_, name)| is_unsteady_table(name)) {
        return Answers::Open(Open::Unsteady);
    }
    if !trees.iter().all(|tree| are_limits_inert(tree, false, db)) {
        return Answers::Open(Open::Limit);
    }
    let has_rows_frame = |tree: &Node| {
        let mut found = false;
        tree.visit(&mut |node| {
            found |= node.kind == Kind::Frame && node.print().to_ascii_uppercase().contains("ROWS")
        });
        found
    };
    let is_ordered =
        calls(&ORDERED_AGGREGATES) || calls(&ORDERED_WINDOWS) || trees.iter().any(has_rows_frame);
    if is_ordered && !trees.iter().all(|tree| are_windows_total(tree, has_rows_frame(tree), db)) {
        return Answers::Open(Open::RowOrder);
    }
    if trees.iter().any(|tree| aggregates::is_outer(tree, false, db)) {
        return Answers::Open(Open::BareColumn);
    }
    let bare: Vec<&Node> = trees.iter().filter(|tree| has_bare_column(tree)).collect();
    if !bare.iter().all(|tree| are_bare_columns_steady(tree, db)) {
        return Answers::Open(Open::BareColumn);
    }
    // They fail if a subquery that stands for a value has several rows.
    let mut proofs = trees.to_vec();
    proofs.retain_mut(|proof| prove_single(proof, db));
    if proofs.iter().any(|proof| db.rows(&proof.print()).is_err()) {
        return Answers::Open(Open::ManyValues);
    }
    if bare.is_empty() && proofs.is_empty() { Answers::One } else { Answers::OneByRows }
}

/// The query of an expression that is one, in parentheses.
pub(crate) fn scalar_subquery(node: &Node) -> Option<&Node> {
    match &node.parts[..] {
        [tree::Part::Text(bracket), tree::Part::Node(query), ..]
            if node.kind == Kind::Expr && bracket == "(" && query.kind == Kind::Select =>
        {
            Some(query)
        }
        _ => None,
    }
}

/// Replaces subqueries that may have several rows as a value by ones that fail then; false if there are none.
fn prove_single(node: &mut Node, db: &mut Session<'_, '_>) -> bool {
    let mut found = false;
    for child in node.children_mut() {
        found |= prove_single(child, db);
    }
    let Some(query) = scalar_subquery(node) else {
        return found;
    };
    let query = without_limit(query);
    if is_single(&query, db) {
        return found;
    }
    // -2^63 has no absolute value. Nothing here is constant, and so computed where there is no row.
    let proof = format!(
        "(WITH tandem_q(x) AS ({}) SELECT CASE WHEN abs(-9223372036854775807 - (count(*) > 1)) IS NULL THEN 0 \
         ELSE max(x) END FROM tandem_q)",
        query.print()
    );
    *node = Node::text(Kind::Expr, proof);
    true
}

/// The query with all of its rows.
pub(super) fn without_limit(query: &Node) -> Node {
    let mut query = query.clone();
    for clause in query.children_mut().filter(|clause| clause.kind == Kind::Limit) {
        clause.parts.clear();
    }
    query
}

/// True if every `LIMIT` lets through all that there is. That of a subquery as a value does if that has one row, which
/// is proved later. `is_value` for the expression around such a subquery.
fn are_limits_inert(node: &Node, is_value: bool, db: &mut Session<'_, '_>) -> bool {
    let is_inert = match node.child(Kind::Limit).filter(|limit| !limit.is_absent()) {
        None => true,
        Some(limit) => {
            let numbers: Vec<Option<usize>> =
                limit.children().map(|number| number.print().trim().parse().ok()).collect();
            match numbers[..] {
                [Some(1..)] if is_value => true,
                [Some(most)] => db.rows(&without_limit(node).print()).is_ok_and(|rows| rows.len() <= most),
                _ => false,
            }
        }
    };
    is_inert && node.children().all(|child| are_limits_inert(child, scalar_subquery(node).is_some(), db))
}

/// True if no two rows tie in a window in which their order decides, and it decides nowhere else.
fn are_windows_total(tree: &Node, has_rows_frame: bool, db: &mut Session<'_, '_>) -> bool {
    let decides = |call: &Node| {
        let name = call.child(Kind::FunctionName).and_then(Node::as_text).map(str::to_ascii_lowercase);
        let is_ordered = |name: String| {
            ORDERED_AGGREGATES.contains(&name.as_str()) || ORDERED_WINDOWS.contains(&name.as_str())
        };
        let has_window = call.child(Kind::Over).is_some_and(|over| !over.is_absent());
        name.is_some_and(is_ordered) || has_rows_frame && has_window
    };
    let with = tree.child(Kind::With).map(Node::print).unwrap_or_default();
    let (mut all, mut proved) = (0, 0);
    tree.visit(&mut |node| {
        all += usize::from(decides(node));
        let mut calls = Vec::new();
        if let Some(columns) = node.child(Kind::Columns).filter(|_| node.kind == Kind::Core) {
            window::collect(columns, &mut calls);
        }
        calls.retain(|call| decides(call));
        proved += calls.into_iter().filter(|call| is_total(call, node, &with, db)).count();
    });
    all == proved
}

/// True if no two rows of a core tie in the window of a call.
fn is_total(call: &Node, core: &Node, with: &str, db: &mut Session<'_, '_>) -> bool {
    let is_grouped = core.child(Kind::Group).is_some_and(|group| !group.is_absent());
    let Some(window) = window::of(call, core).filter(|_| !is_grouped) else {
        return false;
    };
    let present = |kind| window.child(kind).filter(|node| !node.is_absent());
    let partition =
        present(Kind::Partition).and_then(|partition| partition.child(Kind::Exprs)).map(Node::print);
    let terms = present(Kind::Order).and_then(|order| order.child(Kind::Terms));
    let keys =
        terms.into_iter().flat_map(Node::children).filter_map(|term| term.child(Kind::Expr)).map(Node::print);
    let peers: Vec<String> = partition.into_iter().chain(keys).collect();
    let by = if peers.is_empty() { String::new() } else { format!("PARTITION BY {}", peers.join(", ")) };
    let part = |kind| core.child(kind).map(Node::print).unwrap_or_default();
    let asked = format!("{with} SELECT count(*) OVER ({by}) {} {}", part(Kind::From), part(Kind::Where));
    db.rows(asked.trim()).is_ok_and(|rows| rows.iter().all(|row| row[..] == [Value::Integer(1)]))
}

/// True if the bare columns of a simple query have one value in each group, whichever row they are from.
fn are_bare_columns_steady(tree: &Node, db: &mut Session<'_, '_>) -> bool {
    let cores: Vec<&Node> = tree.child(Kind::Compound).into_iter().flat_map(Node::children).collect();
    let [core] = cores[..] else {
        return false;
    };
    let is_elsewhere =
        core.children().any(has_bare_column) || tree.child(Kind::With).is_some_and(has_bare_column);
    let Some(columns) = aggregates::bare_columns(core).filter(|_| !is_elsewhere && !has(tree, Kind::Over))
    else {
        return false;
    };
    let vary: Vec<String> = columns.iter().map(|name| format!("count(DISTINCT quote({name})) > 1")).collect();
    let part = |kind| core.child(kind).map(Node::print).unwrap_or_default();
    let with = tree.child(Kind::With).map(Node::print).unwrap_or_default();
    let asked = format!(
        "{with} SELECT {} {} {} {}",
        vary.join(" OR "),
        part(Kind::From),
        part(Kind::Where),
        part(Kind::Group)
    );
    db.rows(asked.trim()).is_ok_and(|rows| rows.iter().all(|row| row[..] == [Value::Integer(0)]))
}

/// True if a query returns one row at most: it aggregates without groups, or it does so now, on its own.
fn is_single(query: &Node, db: &mut Session<'_, '_>) -> bool {
    let cores: Vec<&Node> = query.child(Kind::Compound).into_iter().flat_map(Node::children).collect();
    if let [core] = cores[..] {
        let columns = core.child(Kind::Columns);
        let has_group = core.child(Kind::Group).is_some_and(|group| !group.is_absent());
        if !has_group && columns.is_some_and(aggregates) {
            return true;
        }
        if core.child(Kind::From).is_none_or(Node::is_absent) {
            return true;
        }
    }
    db.rows(&query.print()).is_ok_and(|rows| rows.len() <= 1)
}
