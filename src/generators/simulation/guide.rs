//! Makes the statements of a simulation while it has a connection to try them on.

use std::cell::RefCell;

use super::{Class, Coverage, Effect, Plan, Step, tables};
use crate::engine::sqlite::{Budget, Execution, Executor, NoAnswer, Program, Session};
use crate::engine::{OPTIMIZATIONS, Value};
use crate::generators::statements::{Entropy, Statements, Validity};
use crate::sql::tree::{self, Kind, Node};
use crate::sql::vocabulary::{CLOCK, RANDOM, TELLS_OF_BUILD, Vocabulary};
use crate::sql::{Names, bare, quoted, tokenize};
use crate::testcase::TestCase;

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

/// What was made.
pub(super) struct Made {
    pub(super) steps: Vec<Step>,
    pub(super) schema: Vec<[String; 4]>,
    pub(super) coverage: Coverage,
}

/// Makes the statements behind the beginning of a case.
pub(super) fn make(plan: &Plan, case: &TestCase, entropy: &mut dyn Entropy) -> Made {
    let mut executor = Executor::shared();
    let state = State {
        plan,
        entropy,
        vocabulary: comparable(executor.vocabulary()),
        names: Names::default(),
        savepoints: 0,
        steps: Vec::new(),
        coverage: Coverage::default(),
        schema: Vec::new(),
    };
    let guide = Guide(RefCell::new(state));
    executor.run(case, &guide, &Budget { has_small_limits: false, ..Budget::UNLIMITED });
    let State { steps, coverage, schema, .. } = guide.0.into_inner();
    Made { steps, schema, coverage }
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

/// The program that makes them.
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
