//! What the statements of a simulation consist of: counted in their syntax trees, whoever made them.

use std::collections::BTreeMap;
use std::fmt;

use super::classes::CLASSES;
use crate::sql::tree::{self, Kind, Node, Part};

/// Forms of expressions.
#[rustfmt::skip]
const FORMS: [&str; 20] = [
    "literal", "column", "binary", "unary", "call", "aggregate or window with FILTER", "window", "case", "cast", "collate", "between", "like",
    "is null", "in list", "in query", "in table", "exists", "scalar subquery", "parentheses", "raise",
];
/// Clauses in which expressions stand, innermost first where several are meant.
const PLACES: [(Kind, &str); 17] = [
    (Kind::ResultColumn, "result column"),
    (Kind::JoinOn, "ON"),
    (Kind::Where, "WHERE"),
    (Kind::Group, "GROUP BY"),
    (Kind::Having, "HAVING"),
    (Kind::Order, "ORDER BY"),
    (Kind::Limit, "LIMIT"),
    (Kind::Window, "OVER"),
    (Kind::Filter, "FILTER"),
    (Kind::Row, "VALUES"),
    (Kind::Set, "SET"),
    (Kind::Upsert, "ON CONFLICT"),
    (Kind::Returning, "RETURNING"),
    (Kind::When, "WHEN of a trigger"),
    (Kind::Terms, "index"),
    (Kind::ColumnConstraint, "constraint of a column"),
    (Kind::TableConstraint, "constraint of a table"),
];
/// Statements and clauses that are counted.
#[rustfmt::skip]
const STATEMENTS: [(Kind, &str); 33] = [
    (Kind::Select, "SELECT"), (Kind::Insert, "INSERT"), (Kind::Update, "UPDATE"), (Kind::Delete, "DELETE"), (Kind::CreateTable, "CREATE TABLE"),
    (Kind::CreateIndex, "CREATE INDEX"), (Kind::CreateView, "CREATE VIEW"), (Kind::CreateTrigger, "CREATE TRIGGER"), (Kind::Alter, "ALTER TABLE"),
    (Kind::Pragma, "PRAGMA"), (Kind::Statement, "other statements"), (Kind::CompoundOperator, "compound"), (Kind::Distinct, "DISTINCT"),
    (Kind::From, "FROM"), (Kind::JoinOperator, "join"), (Kind::JoinOn, "ON or USING"), (Kind::Where, "WHERE"), (Kind::Group, "GROUP BY"),
    (Kind::Having, "HAVING"), (Kind::Windows, "WINDOW"), (Kind::Order, "ORDER BY"), (Kind::Limit, "LIMIT"), (Kind::Cte, "WITH"), (Kind::Filter, "FILTER"),
    (Kind::Over, "OVER"), (Kind::Frame, "frame"), (Kind::Indexed, "INDEXED BY"), (Kind::Upsert, "ON CONFLICT"), (Kind::Returning, "RETURNING"),
    (Kind::Conflict, "OR IGNORE and the like"), (Kind::TableOptions, "STRICT or WITHOUT ROWID"), (Kind::TableConstraint, "table constraint"),
    (Kind::ColumnConstraint, "column constraint"),
];
/// What has no expression around it.
const ELSEWHERE: &str = "elsewhere";

/// Counts of what came up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    classes: BTreeMap<&'static str, u64>,
    statements: BTreeMap<&'static str, u64>,
    expressions: BTreeMap<(&'static str, &'static str), u64>,
    /// Statements without a tree.
    unread: u64,
}

impl Coverage {
    /// Adds a statement of a class.
    pub(super) fn add(&mut self, class: &'static str, sql: &str) {
        *self.classes.entry(class).or_default() += 1;
        match tree::parse(sql.as_bytes()) {
            Some(tree) => self.visit(&tree, ELSEWHERE),
            None => self.unread += 1,
        }
    }

    /// Adds that of another simulation.
    pub fn merge(&mut self, other: &Self) {
        for (class, count) in &other.classes {
            *self.classes.entry(class).or_default() += count;
        }
        for (statement, count) in &other.statements {
            *self.statements.entry(statement).or_default() += count;
        }
        for (place, count) in &other.expressions {
            *self.expressions.entry(*place).or_default() += count;
        }
        self.unread += other.unread;
    }

    fn visit(&mut self, node: &Node, place: &'static str) {
        let is_there = !node.kind.is_optional() || !node.is_absent();
        if let Some((_, name)) = STATEMENTS.iter().find(|(kind, _)| *kind == node.kind && is_there) {
            *self.statements.entry(name).or_default() += 1;
        }
        // The terms of an ORDER BY are those of an index elsewhere.
        let is_inner = node.kind == Kind::Terms && place != ELSEWHERE;
        let of_kind = PLACES.iter().find(|(kind, _)| *kind == node.kind && !is_inner);
        let place = of_kind.map_or(place, |(_, name)| name);
        // Inside a query, what stands around it is no place of its expressions.
        let place = if node.kind == Kind::Select { ELSEWHERE } else { place };
        if node.kind == Kind::Expr {
            *self.expressions.entry((form(node), place)).or_default() += 1;
        }
        node.children().for_each(|child| self.visit(child, place));
    }
}

/// The form of an expression.
fn form(node: &Node) -> &'static str {
    let word = |at: usize| match node.parts.iter().filter(|part| matches!(part, Part::Text(_))).nth(at) {
        Some(Part::Text(text)) => text.trim(),
        _ => "",
    };
    let has = |kind| node.child(kind).is_some();
    let has_filled = |kind| node.child(kind).is_some_and(|child| !child.is_absent());
    let words: Vec<&str> = (0..3).map(word).collect();
    let says = |sought: &str| words.iter().any(|word| word.split(' ').any(|word| word == sought));
    match () {
        () if has_filled(Kind::Over) => "window",
        () if has_filled(Kind::Filter) => "aggregate or window with FILTER",
        () if has(Kind::FunctionName) => "call",
        () if has(Kind::Literal) => "literal",
        () if has(Kind::Column) => "column",
        () if has(Kind::Operator) => "binary",
        () if has(Kind::Collation) => "collate",
        () if says("EXISTS") => "exists",
        () if says("IN") && has(Kind::Select) => "in query",
        () if says("IN") && has(Kind::TableName) => "in table",
        () if says("IN") => "in list",
        () if has(Kind::Select) => "scalar subquery",
        () if says("CASE") => "case",
        () if says("CAST") => "cast",
        () if says("BETWEEN") => "between",
        () if says("NULL") => "is null",
        () if says("LIKE") || says("GLOB") || says("MATCH") || says("REGEXP") => "like",
        () if word(0).starts_with("RAISE") => "raise",
        () if word(0) == "(" => "parentheses",
        () => "unary",
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<&u64>| count.map_or_else(|| "(not hit)".to_owned(), u64::to_string);
        writeln!(f, "Classes of statements")?;
        for class in &CLASSES {
            writeln!(f, "  {:<40} {}", class.name, count(self.classes.get(class.name)))?;
        }
        writeln!(f, "\nStatements and clauses")?;
        for (_, name) in STATEMENTS {
            writeln!(f, "  {name:<40} {}", count(self.statements.get(name)))?;
        }
        writeln!(f, "  {:<40} {}", "(not read by the parser)", self.unread)?;
        writeln!(f, "\nExpressions, and where they stood")?;
        for form in FORMS {
            for place in PLACES.map(|(_, name)| name).into_iter().chain([ELSEWHERE]) {
                let place_of = format!("{form} in {place}");
                writeln!(f, "  {place_of:<60} {}", count(self.expressions.get(&(form, place))))?;
            }
        }
        Ok(())
    }
}
