//! Scripts for comparing two engines: tables with rows, then statements of weighted classes.
//!
//! Each statement is tried on the SQLite of this process as soon as it is made, in the state that those before it have
//! brought about. One that cannot be prepared, takes too long, or asks for the clock, is made again; one that fails while
//! it runs stays, since two engines have to fail alike. So nearly all of a script can be compared. The same choices give
//! the same script, whether they come from a seed or from a fuzzer's bytes.
//!
//! Behind a statement that writes stands a query of all rows of its table, behind one that defines something a query of
//! the schema: where the two engines part is seen at once, not at the end.

pub mod classes;
mod coverage;
mod tables;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

pub use classes::{CLASSES, Class, Effect, Weights};
pub use coverage::Coverage;

use super::statements::{Entropy, Statements, Validity};
use crate::engine::sqlite::{Budget, Execution, Executor, NoAnswer, Program, Session};
use crate::engine::{OPTIMIZATIONS, Value};

use crate::sql::tree::{self, Kind, Node};
use crate::sql::vocabulary::{CLOCK, RANDOM, TELLS_OF_BUILD, Vocabulary};
use crate::sql::{Names, bare, quoted, tokenize};
use crate::testcase::{FileName, Script, Setting, TestCase};

/// How often a statement is made again, as a multiple of how many there are to be.
const TRIALS: u32 = 30;
/// Rows of a query at most: what is longer says nothing more.
const ROWS_MAX: usize = 400;
/// Of so many statements that fail while they run, one stays.
const FAILING_ONE_IN: u32 = 4;
/// Functions that return something else in another build, or are not worth their time.
const UNEQUAL: [&str; 19] = [
    "last_insert_rowid",
    "changes",
    "total_changes",
    "sqlite_log",
    "zeroblob",
    "fts5_source_id",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_get_locale",
    "sqlite_unknown",
    "unknown",
    "load_extension",
    "bm25",
    "highlight",
    "snippet",
    "offsets",
    "matchinfo",
    "optimize",
    "match",
];

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Statements behind the tables, without the queries that compare tables and schema.
    pub statements: u32,
    /// Tables to begin with, if there is no database.
    pub tables: u32,
    /// Columns of each.
    pub columns: u32,
    /// Rows of each.
    pub rows: u32,
    /// Bytes of a wide column of each row; 0 for none.
    pub row_bytes: u32,
    /// How often each class of statements comes.
    pub weights: Weights,
    /// `PRAGMA journal_mode`, if it is to be another.
    pub journal_mode: Option<String>,
    /// `PRAGMA cache_size` in pages; 0 for SQLite's own.
    pub cache_pages: u32,
    /// Statements to begin with, whatever comes of them.
    pub setup: Vec<String>,
    /// The database to begin with.
    pub image: Option<Vec<u8>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            statements: 100,
            tables: 2,
            columns: 5,
            rows: 12,
            row_bytes: 0,
            weights: Weights::default(),
            journal_mode: None,
            cache_pages: 0,
            setup: Vec::new(),
            image: None,
        }
    }
}

/// A statement of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its text, without a semicolon.
    pub sql: String,
    /// The class that it is of, or what it is for.
    pub class: &'static str,
    /// The step that it compares the effect of, if that is what it is for.
    pub checks: Option<usize>,
}

/// What a script is made of, and what was there at its end.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The statements.
    pub steps: Vec<Step>,
    /// Rows of `sqlite_schema` at the end: type, name, table and SQL.
    pub schema: Vec<[String; 4]>,
    /// What came up.
    pub coverage: Coverage,
    /// What it begins with.
    start: TestCase,
}

impl Simulation {
    /// Makes one.
    pub fn new(plan: &Plan, entropy: &mut dyn Entropy) -> Self {
        let mut case = TestCase::default();
        case.config.set(Setting::CachePages, plan.cache_pages);
        if let Some(image) = &plan.image {
            case.files.insert(FileName::main(), image.clone());
        }
        let mut executor = Executor::shared();
        let vocabulary = comparable(executor.vocabulary());
        let state = State {
            plan,
            entropy,
            vocabulary,
            names: Names::default(),
            savepoints: 0,
            steps: Vec::new(),
            coverage: Coverage::default(),
            schema: Vec::new(),
        };
        let guide = Guide(RefCell::new(state));
        executor.run(&case, &guide, &Budget { has_small_limits: false, ..Budget::UNLIMITED });
        let State { steps, coverage, schema, .. } = guide.0.into_inner();
        Self { steps, schema, coverage, start: case }
    }

    /// The case without these steps, and where each of the others stands in its script.
    pub fn case_without(&self, left_out: &BTreeSet<usize>) -> (TestCase, Vec<(usize, Range<usize>)>) {
        let (mut script, mut places) = (String::new(), Vec::new());
        for (index, step) in self.steps.iter().enumerate().filter(|(index, _)| !left_out.contains(index)) {
            let start = script.len();
            script.push_str(&step.sql);
            places.push((index, start..script.len()));
            script.push_str(";\n");
        }
        (TestCase { sql: Script::new(script), ..self.start.clone() }, places)
    }
}

/// Choices from a seed.
pub fn from_seed(seed: u64) -> impl Entropy {
    fastrand::Rng::with_seed(seed)
}

/// Choices from bytes, such as a fuzzer's; when they are used up, always the first alternative.
pub fn from_bytes(bytes: &[u8]) -> impl Entropy {
    arbitrary::Unstructured::new(bytes)
}

/// The words of the build without those whose results two engines need not agree on.
fn comparable(mut vocabulary: Vocabulary) -> Vocabulary {
    vocabulary.functions.retain(|function| {
        let name = function.name.as_str();
        // Aggregates stand where the grammar has them.
        function.kind == 's' && !is_avoided(name) && !UNEQUAL.contains(&name) && !name.starts_with("sqlite_")
    });
    vocabulary
}

/// Whether a statement with this word says too little about the engine. (What printf() makes of a format that prints
/// nothing changed in 3.54.0.)
fn is_avoided(word: &str) -> bool {
    ["printf", "format"].contains(&word)
        || CLOCK.contains(&word)
        || RANDOM.contains(&word)
        || TELLS_OF_BUILD.contains(&word)
}

/// Makes the statements while it has a connection to try them on.
struct Guide<'p>(RefCell<State<'p>>);

impl Program for Guide<'_> {
    fn run(&self, _: &TestCase, execution: &mut Execution<'_>) {
        self.0.borrow_mut().generate(&mut Session::new(execution, u64::MAX));
    }
}

struct State<'p> {
    plan: &'p Plan,
    entropy: &'p mut dyn Entropy,
    vocabulary: Vocabulary,
    names: Names,
    /// Savepoints that are open.
    savepoints: u32,
    steps: Vec<Step>,
    coverage: Coverage,
    schema: Vec<[String; 4]>,
}

impl State<'_> {
    fn generate(&mut self, db: &mut Session<'_, '_>) {
        self.set_up(db);
        self.read_schema(db);
        let (mut made, mut trials) = (0, 0);
        while made < self.plan.statements && trials < self.plan.statements.saturating_mul(TRIALS) {
            trials += 1;
            let place = f64::from(self.entropy.below(1 << 30)) / f64::from(1 << 30);
            let class = self.plan.weights.at(place);
            let sql = self.statement(class, db);
            if self.try_out(class.name, class.effect, sql, db) {
                made += 1;
                self.check_behind(class, db);
            }
        }
        if !db.is_autocommit() {
            self.push("end", "COMMIT".to_owned(), None, db);
        }
        self.read_schema(db);
    }

    /// What the plan begins with, tables and their rows.
    fn set_up(&mut self, db: &mut Session<'_, '_>) {
        let plan = self.plan;
        for sql in &plan.setup {
            self.push("setup", sql.clone(), None, db);
        }
        if let Some(mode) = &plan.journal_mode {
            self.push("setup", format!("PRAGMA journal_mode={mode}"), None, db);
        }
        let tables = if plan.image.is_some() { 0 } else { plan.tables };
        for index in 0..tables {
            let table = tables::table(plan, index, self.entropy);
            self.push("setup", table.definition, None, db);
            for row in table.rows {
                self.push("setup", row, None, db);
            }
        }
    }

    /// A statement of a class; empty if there is none now.
    fn statement(&mut self, class: &Class, db: &Session<'_, '_>) -> String {
        if class.effect == Effect::Transaction {
            return self.transaction(class.name, db.is_autocommit());
        }
        let at = self.entropy.below(class.texts.len() as u32) as usize;
        Statements::new(&self.names, &self.vocabulary, self.entropy, Validity::VALID).of_text(class.texts[at])
    }

    fn transaction(&mut self, class: &str, is_autocommit: bool) -> String {
        let choice = self.entropy.below(3);
        let open = self.savepoints;
        match (class, is_autocommit, choice) {
            ("transaction.savepoint", _, 0) => format!("SAVEPOINT s{}", open),
            ("transaction.savepoint", _, _) if open == 0 => format!("SAVEPOINT s{open}"),
            ("transaction.savepoint", _, 1) => format!("RELEASE s{}", open - 1),
            ("transaction.savepoint", ..) => format!("ROLLBACK TO s{}", self.entropy.below(open)),
            (_, true, _) => "BEGIN".to_owned(),
            (_, false, 0) => "ROLLBACK".to_owned(),
            (_, false, _) => "COMMIT".to_owned(),
        }
    }

    /// Adds a statement if it is worth comparing; false if not.
    fn try_out(
        &mut self,
        class: &'static str,
        effect: Effect,
        sql: String,
        db: &mut Session<'_, '_>,
    ) -> bool {
        // What json_each() numbers differs between versions, and would be in a table from then on.
        let is_kept_apart =
            |word: &str| effect != Effect::Query && ["json_each", "json_tree"].contains(&word);
        let is_avoided = |sql: &str| {
            tokenize(sql.as_bytes()).into_iter().any(|token| {
                let word = bare(&sql[token.range]).to_ascii_lowercase();
                is_avoided(&word) || is_kept_apart(&word)
            })
        };
        if sql.is_empty() || is_avoided(&sql) || db.refusal(sql.as_bytes()).is_some() {
            return false;
        }
        let was_open = !db.is_autocommit();
        let rows = db.rows(&sql);
        let is_kept = match &rows {
            Ok(rows) => rows.len() <= ROWS_MAX && (effect != Effect::Query || self.is_quick(&sql, db)),
            Err(NoAnswer::TooMuch) => false,
            // What it has changed before it failed stays (`OR FAIL`): it may not be left out then.
            Err(NoAnswer::Error(_)) => effect == Effect::Write || self.entropy.below(FAILING_ONE_IN) == 0,
        };
        if is_kept {
            self.note(class, sql, None, db);
        } else if was_open && db.is_autocommit() {
            // The transaction went with it.
            self.note("end", "ROLLBACK".to_owned(), None, db);
        }
        is_kept
    }

    /// Whether a query ends soon without optimizations, too.
    fn is_quick(&self, sql: &str, db: &mut Session<'_, '_>) -> bool {
        !matches!(db.rows_without(sql, OPTIMIZATIONS), Err(NoAnswer::TooMuch))
    }

    /// The query behind a statement that shows its effect.
    fn check_behind(&mut self, class: &Class, db: &mut Session<'_, '_>) {
        let written = self.steps.len() - 1;
        match class.effect {
            Effect::Write => {
                let target = tree::parse(self.steps[written].sql.as_bytes());
                if let Some(name) = target.as_ref().and_then(target_of) {
                    self.push("check.table", format!("SELECT * FROM {name}"), Some(written), db);
                }
            }
            Effect::Definition => {
                self.read_schema(db);
                let sql = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'";
                self.push("check.schema", sql.to_owned(), Some(written), db);
            }
            Effect::Transaction => self.read_schema(db),
            Effect::Query | Effect::Upkeep => {}
        }
    }

    /// Runs a statement and adds it, whatever becomes of it.
    fn push(&mut self, class: &'static str, sql: String, checks: Option<usize>, db: &mut Session<'_, '_>) {
        // Two engines fail alike.
        let _ = db.rows(&sql);
        self.note(class, sql, checks, db);
    }

    /// Adds a statement that has run.
    fn note(&mut self, class: &'static str, sql: String, checks: Option<usize>, db: &Session<'_, '_>) {
        self.coverage.add(class, &sql);
        self.savepoints = match sql.split(' ').next() {
            _ if db.is_autocommit() => 0,
            Some("SAVEPOINT") => self.savepoints + 1,
            Some("RELEASE") => self.savepoints.saturating_sub(1),
            // Savepoints behind the one that is rolled back to are gone.
            Some("ROLLBACK") => {
                sql.rsplit('s').next().and_then(|number| number.parse::<u32>().ok()).map_or(0, |at| at + 1)
            }
            _ => self.savepoints,
        };
        self.steps.push(Step { sql, class, checks });
    }

    /// Learns the names of the schema as it is now.
    fn read_schema(&mut self, db: &mut Session<'_, '_>) {
        let rows =
            db.rows("SELECT type, name, tbl_name, ifnull(sql, '') FROM main.sqlite_master ORDER BY rowid");
        let text = |value: Value| match value {
            Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            other => format!("{other:?}"),
        };
        let row = |row: Vec<Value>| Some(<[Value; 4]>::try_from(row).ok()?.map(text));
        self.schema = rows.unwrap_or_default().into_iter().filter_map(row).collect();
        self.names = Names::default();
        for [.., sql] in &self.schema {
            self.names.add(sql.as_bytes());
        }
    }
}

/// The table that a statement writes to.
fn target_of(tree: &Node) -> Option<String> {
    let name = tree.child(Kind::Target)?.as_text()?;
    Some(quoted(bare(name), '"'))
}

#[cfg(test)]
mod tests;
