//! Queries, and whether SQL leaves one answer to them.

use super::open::{self, Answers, Open};
use super::{Change, plans, rows};
use crate::engine::Value;
use crate::engine::sqlite::{Facts, NoAnswer, Row, Session};
use crate::sql;
use crate::sql::tree::{self, Kind, Node};

/// Functions of full-text tables that know how a row was found.
const AUXILIARY: [&str; 6] = ["bm25", "highlight", "snippet", "matchinfo", "offsets", "fts5_get_locale"];

/// A query that SQLite answers, and its answer.
pub struct Query<'q> {
    /// Its text, without a semicolon.
    pub text: &'q str,
    /// Its tree: [`Kind::Select`], without a limit that lets all rows through.
    pub tree: Node,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What it uses and does.
    pub facts: Facts,
    /// Its tree, and those of the views that it reads.
    pub trees: Vec<Node>,
    /// Why SQL leaves several answers, if it does.
    pub open: Option<Open>,
    /// True if SQL leaves one answer to its rows, but several to others.
    pub is_by_rows: bool,
    /// True if it has texts in double quotes, which are columns in one place and strings in another.
    pub has_double_quotes: bool,
}

impl<'q> Query<'q> {
    /// A query with its rows, or those that it returns now.
    ///
    /// # Errors
    /// Why it cannot be judged.
    pub(crate) fn new(
        text: &'q str,
        rows: Option<Vec<Row>>,
        db: &mut Session<'_, '_>,
    ) -> Result<Self, &'static str> {
        let tree = tree::parse(text.as_bytes()).filter(|tree| tree.kind == Kind::Select);
        let mut tree = tree.ok_or("a query that is not understood")?;
        if db.optimizations_off() & plans::COROUTINES != 0 && is_reversed(db) != Some(false) {
            return Err("scans are reversed, and coroutines off");
        }
        let facts = db.facts(text, db.optimizations_off()).map_err(why)?;
        let rows = match rows {
            Some(rows) => rows,
            None => db.rows(text).map_err(why)?,
        };
        if rows.len() > ROWS_MAX {
            return Err("too many rows");
        }
        let mut trees = vec![tree.clone()];
        if !facts.through.is_empty() {
            trees.extend(views(&facts, db).ok_or("views that are not understood")?);
        }
        let has_double_quotes = {
            let mut tokens = sql::tokenize(text.as_bytes()).into_iter();
            tokens.any(|token| text.as_bytes()[token.range.clone()].starts_with(b"\""))
        };
        let (open, is_by_rows) = match open::answers(&trees, &facts, db) {
            Answers::Open(open) => (Some(open), false),
            Answers::One => (None, false),
            Answers::OneByRows => (None, true),
        };
        if open.is_none() {
            tree = open::without_limit(&tree);
        }
        Ok(Self { text, tree, rows, facts, trees, open, is_by_rows, has_double_quotes })
    }

    /// The only core of a query that is not compound.
    pub fn core(&self) -> Option<&Node> {
        let compound = self.tree.child(Kind::Compound)?;
        let mut cores = compound.children();
        let core = cores.next().filter(|core| core.child(Kind::Columns).is_some())?;
        cores.next().is_none().then_some(core)
    }

    /// Why an expression in it cannot be written otherwise: it would mean something else, or give its column another
    /// name, by which a `NATURAL` join around it goes.
    pub fn why_no_other_words(&self) -> Option<&'static str> {
        let mut joins_by_names = false;
        self.tree.visit(&mut |node| {
            joins_by_names |=
                node.kind == Kind::JoinOperator && node.print().to_ascii_uppercase().contains("NATURAL");
        });
        if self.has_double_quotes {
            return Some("double quotes");
        }
        joins_by_names.then_some("a NATURAL join")
    }

    /// Why it cannot be asked for other rows than it has: SQL leaves several answers then, or now.
    pub fn why_no_other_rows(&self) -> Option<&'static str> {
        let by_rows = self.is_by_rows.then_some("its rows alone leave one answer");
        self.open.map(Open::reason).or(by_rows)
    }

    /// Why SQL leaves several answers, or a virtual table may give others to other words.
    pub fn why_open(&self) -> Option<&'static str> {
        let tables = self.opens_virtual_tables().then_some("virtual tables");
        self.open.map(Open::reason).or(tables)
    }

    /// The same for rewritings with which a virtual table no longer sees a constraint: it may have others' names for
    /// arguments, and answer `MATCH` alone, but a condition on what it shows is one on its rows.
    pub(crate) fn why_open_unconstrained(&self, db: &Session<'_, '_>) -> Option<&'static str> {
        let tables =
            || (self.opens_virtual_tables() && !self.reads_what_is_shown(db)).then_some("virtual tables");
        self.open.map(Open::reason).or_else(tables)
    }

    /// True if all columns that it names are among those of `*`, and none is matched.
    fn reads_what_is_shown(&self, db: &Session<'_, '_>) -> bool {
        let Some(from) = self.core().and_then(|core| core.child(Kind::From)) else {
            return false;
        };
        let with = self.tree.child(Kind::With).map(Node::print).unwrap_or_default();
        let shown = db.column_names(format!("{with} SELECT * {}", from.print()).trim()).unwrap_or_default();
        let mut is_shown = self.trees.len() == 1 && !self.has(Kind::With);
        self.tree.visit(&mut |node| match node.kind {
            Kind::Column => {
                let name = node.print();
                let name = sql::bare(name.rsplit('.').next().unwrap_or_default()).to_owned();
                is_shown &= shown.iter().any(|shown| shown.eq_ignore_ascii_case(&name));
            }
            Kind::Expr => {
                let matches = |part: &tree::Part| matches!(part, tree::Part::Text(word) if word.to_ascii_uppercase().contains("MATCH"));
                is_shown &= !node.parts.iter().any(matches);
            }
            _ => {}
        });
        is_shown && !self.calls(&AUXILIARY)
    }

    /// True if its program opens a virtual table.
    pub fn opens_virtual_tables(&self) -> bool {
        self.facts.has_opcode("VOpen")
    }

    /// True if any of its trees has a node of this kind that is not absent.
    pub fn has(&self, kind: Kind) -> bool {
        self.trees.iter().any(|tree| has(tree, kind))
    }

    /// Whether it aggregates, or takes several equal rows for one, anywhere.
    pub fn has_representatives(&self) -> bool {
        let unites = |tree: &Node| {
            let mut found = false;
            tree.visit(&mut |node| {
                found |= node.kind == Kind::CompoundOperator && node.print().trim() != "UNION ALL"
            });
            found
        };
        self.has(Kind::Distinct)
            || self.has(Kind::Group)
            || self.trees.iter().any(unites)
            || self.calls(&["min", "max"])
    }

    /// True if it calls any of these functions, in views, too.
    pub fn calls(&self, names: &[&str]) -> bool {
        self.facts.functions.iter().any(|name| names.contains(&name.as_str()))
    }

    /// True if numbers are added up that are not all integers: in another order, digits of large ones may be lost that
    /// cancel out.
    pub(crate) fn adds_up_reals(&self, other: &[Row]) -> bool {
        let is_real = |value: &Value| matches!(value, Value::Real(_));
        self.calls(&["sum", "total", "avg", "median", "percentile", "percentile_cont", "percentile_disc"])
            && self.rows.iter().chain(other).flatten().any(is_real)
    }

    /// Compares its rows with those of another query that must return the same ones. `kind` is for the signature, `how`
    /// for people.
    ///
    /// # Errors
    /// Why nothing can be said.
    pub fn must_be(
        &self,
        other: &[Row],
        db: &mut Session<'_, '_>,
        kind: &str,
        how: &str,
    ) -> Result<(), super::Said> {
        use super::Said::{Differs, Nothing};
        let Some(difference) = rows::difference(&self.rows, other) else {
            return Ok(());
        };
        if self.has_representatives() && rows::is_same_but_representatives(&self.rows, other) {
            return Err(Nothing("which of several equal values represents them"));
        }
        match db.rows(self.text) {
            Ok(again) if rows::difference(&self.rows, &again).is_none() => {}
            _ => return Err(Nothing("it answers differently when asked again")),
        }
        if self.has_representatives() || self.adds_up_reals(other) {
            // What is equal to a collation can be told apart by what is done with it, and large numbers that cancel out
            // take with them what was added in between.
            let reversed = self.reversed(db);
            if reversed.is_none_or(|reversed| rows::difference(&self.rows, &reversed).is_some()) {
                return Err(Nothing("a reversed scan gives other rows"));
            }
        }
        Err(Differs(kind.to_owned(), format!("{how}: {difference}")))
    }

    /// Its rows if tables are scanned backwards.
    pub fn reversed(&self, db: &mut Session<'_, '_>) -> Option<Vec<Row>> {
        let is_on = is_reversed(db)?;
        db.rows(&format!("PRAGMA reverse_unordered_selects={}", i32::from(!is_on))).ok()?;
        let rows = db.rows(self.text).ok();
        db.rows(&format!("PRAGMA reverse_unordered_selects={}", i32::from(is_on))).ok()?;
        rows
    }
}

/// Whether tables are scanned backwards.
pub(super) fn is_reversed(db: &mut Session<'_, '_>) -> Option<bool> {
    let rows = db.rows("PRAGMA reverse_unordered_selects").ok()?;
    Some(rows.first().and_then(|row| row.first()) == Some(&Value::Integer(1)))
}

/// Rows of a query that is judged at most.
const ROWS_MAX: usize = 500;

/// The reason for no answer, in words.
pub(crate) fn why(none: NoAnswer) -> &'static str {
    match none {
        NoAnswer::TooMuch => "takes too long or returns too much",
        NoAnswer::Error(_) => "it fails when asked otherwise",
    }
}

/// The queries within a statement that writes: what it inserts, a view that it creates, the rows that it changes.
pub(super) fn within(change: &Change<'_>) -> Vec<String> {
    let Some(tree) = change.tree else {
        return Vec::new();
    };
    let text_of = |kind| tree.child(kind).filter(|node| !node.is_absent()).map(Node::print);
    match tree.kind {
        Kind::Insert => {
            let reads = |query: &&Node| has(query, Kind::From) || has_rows(query);
            tree.child(Kind::Select).filter(reads).map(Node::print).into_iter().collect()
        }
        Kind::CreateView | Kind::CreateTable => text_of(Kind::Select).into_iter().collect(),
        Kind::Update | Kind::Delete if has_no(tree, &[Kind::Order, Kind::Limit]) => {
            let part =
                |kind| text_of(kind).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            let Some(condition) = part(Kind::Where) else {
                return Vec::new();
            };
            let (target, with) = (target(tree), part(Kind::With).unwrap_or_default());
            let others = part(Kind::From).map(|from| from.replacen("FROM", ",", 1)).unwrap_or_default();
            vec![format!("{with} SELECT * FROM {target} {others} {condition}").trim().to_owned()]
        }
        _ => Vec::new(),
    }
}

/// True for `VALUES` with several rows.
fn has_rows(query: &Node) -> bool {
    let core = query.child(Kind::Compound).and_then(|compound| compound.children().next());
    core.and_then(|core| core.child(Kind::Rows)).is_some_and(|rows| rows.children().count() > 1)
}

/// The table that a statement writes to, with its alias, as it can stand in `FROM`.
pub(crate) fn target(tree: &Node) -> String {
    let mut text = String::new();
    for part in &tree.parts {
        match part {
            tree::Part::Node(node) if node.kind == Kind::Target || node.kind == Kind::Alias => {
                text = format!("{text} {}", node.print());
            }
            _ => {}
        }
    }
    let schema = tree.parts.windows(2).find_map(|pair| match pair {
        [tree::Part::Text(schema), tree::Part::Text(dot)] if dot == "." => Some(schema.to_string()),
        _ => None,
    });
    match schema {
        Some(schema) => format!("{schema}.{}", text.trim()),
        None => text.trim().to_owned(),
    }
}

pub(crate) fn has(tree: &Node, kind: Kind) -> bool {
    let mut found = false;
    tree.visit(&mut |node| found |= node.kind == kind && !node.is_absent());
    found
}

fn has_no(tree: &Node, kinds: &[Kind]) -> bool {
    tree.children().all(|child| child.is_absent() || !kinds.contains(&child.kind))
}

/// The queries of the views that a query reads.
fn views(facts: &Facts, db: &mut Session<'_, '_>) -> Option<Vec<Node>> {
    let schemas: std::collections::BTreeSet<&str> =
        facts.tables.iter().map(|(schema, _)| schema.as_str()).chain(["main", "temp"]).collect();
    let mut trees = Vec::new();
    for name in &facts.through {
        let quoted = name.replace('\'', "''");
        let of = |schema: &&str| {
            let schema = sql::quoted(schema, '"');
            let found =
                db.rows(&format!("SELECT sql FROM {schema}.sqlite_master WHERE name='{quoted}'")).ok()?;
            match found.into_iter().flatten().next() {
                Some(Value::Text(text)) => Some(text),
                _ => None,
            }
        };
        let text = schemas.iter().find_map(of);
        // A common table expression is named in the same way, and is part of the query.
        if let Some(text) = text {
            trees.push(tree::parse(&text)?);
        }
    }
    Some(trees)
}
