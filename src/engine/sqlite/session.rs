//! What an oracle asks SQLite while a script runs, in the state that the script has reached.

use rusqlite::ffi;

use super::execution::{Execution, row};
use super::executor::MAIN_PATH;
use super::ffi::{Connection, Uses, held};
use crate::engine::plant::{AnswerPlant, Plant, PlantedWhen, WrongAnswer};
use crate::engine::{Code, StatementTrace, Value};
use crate::testcase::{OnConflict, Setting};

/// A row of a result.
pub type Row = Vec<Value>;

/// Rows of one answer at most.
const ROWS_MAX: usize = 2_000;
/// Bytes that SQLite may allocate for one answer, in total.
const BYTES_MAX: u64 = 64 << 20;
/// Ticks (see [`super::ffi::Watch`]) for one answer.
const TICKS_MAX: u64 = 500;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It takes too long or is too long.
    TooMuch,
    /// SQLite's code.
    Error(Code),
}

/// What a statement uses and does, before it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names of the functions that it calls, in lower case, those in views and triggers, too.
    pub functions: Vec<String>,
    /// Schema and name of the tables and views that it reads.
    pub tables: Vec<(String, String)>,
    /// Views and triggers through which it reads.
    pub through: Vec<String>,
    /// Its program: each instruction with its first three operands.
    pub program: Vec<(String, [i64; 3])>,
}

impl Facts {
    /// True if the program has an instruction of this name.
    pub fn has_opcode(&self, name: &str) -> bool {
        self.program.iter().any(|(opcode, _)| opcode == name)
    }
}

/// What the session extension has recorded of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The changeset.
    pub changeset: Vec<u8>,
    /// Its inverse.
    pub inverse: Vec<u8>,
    /// The patchset.
    pub patchset: Vec<u8>,
}

/// A connection on which a script is running, between two of its statements. What is asked does not count for the
/// budget of the script, but for that of who asks.
pub struct Session<'s, 'c> {
    execution: &'s mut Execution<'c>,
    /// Ticks that may still be used.
    ticks_left: u64,
}

impl<'s, 'c> Session<'s, 'c> {
    /// For someone who may use so many ticks in total.
    pub(crate) fn new(execution: &'s mut Execution<'c>, ticks_left: u64) -> Self {
        Self { execution, ticks_left }
    }

    /// Ticks that are left.
    pub(crate) fn ticks_left(&self) -> u64 {
        self.ticks_left
    }

    /// Runs a statement of the script as any other, keeping its rows; `None` if the text held none, or several.
    pub(crate) fn run(&mut self, text: &[u8], at: std::ops::Range<usize>) -> Option<StatementTrace> {
        let before = self.execution.statement_count();
        self.execution.keep_values();
        self.execution.run(text, at);
        let ran = self.execution.statements_after(before);
        <[StatementTrace; 1]>::try_from(ran).ok().map(|[only]| only)
    }

    /// The optimizations that the case switches off.
    pub fn optimizations_off(&self) -> u32 {
        self.execution.case.config.get(Setting::OptimizationsOff)
    }

    /// True if no transaction is open that the script has begun.
    pub fn is_autocommit(&self) -> bool {
        self.execution.connection().is_autocommit()
    }

    /// The rows that a statement returns.
    ///
    /// # Errors
    /// If it fails, takes too long, or returns too much.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Row>, NoAnswer> {
        let rows = self.rows_without(sql, self.optimizations_off());
        self.execution.connection().optimizations_off(self.optimizations_off());
        rows
    }

    /// The same with query optimizations switched off, one per bit (`SQLITE_TESTCTRL_OPTIMIZATIONS`).
    ///
    /// # Errors
    /// The same.
    pub fn rows_without(&mut self, sql: &str, optimizations: u32) -> Result<Vec<Row>, NoAnswer> {
        self.with_values(sql, optimizations, &[])
    }

    /// The same with parameters bound to these values, in order.
    ///
    /// # Errors
    /// The same.
    pub fn rows_bound(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, NoAnswer> {
        self.with_values(sql, self.optimizations_off(), values)
    }

    fn with_values(&mut self, sql: &str, off: u32, values: &[Value]) -> Result<Vec<Row>, NoAnswer> {
        let connection = std::rc::Rc::clone(self.execution.connection());
        connection.optimizations_off(off);
        let ticks = self.ticks_left.min(TICKS_MAX);
        let (rows, used) = connection.watch().apart(ticks, BYTES_MAX, || {
            connection.watch().phase.set(super::ffi::Phase::Own);
            let (code, statement, _) = connection.prepare(sql.as_bytes());
            let mut statement = statement.ok_or(NoAnswer::Error(code))?;
            statement.bind_named_values();
            statement.bind_values(values);
            let mut rows = Vec::new();
            loop {
                match statement.step() {
                    Code::ROW if rows.len() == ROWS_MAX => return Err(NoAnswer::TooMuch),
                    Code::ROW => rows.push(row(&statement)),
                    Code::DONE => return Ok(rows),
                    Code(ffi::SQLITE_INTERRUPT) => return Err(NoAnswer::TooMuch),
                    code => return Err(NoAnswer::Error(code)),
                }
            }
        });
        connection.optimizations_off(self.optimizations_off());
        // Preparing takes time as well.
        self.ticks_left = self.ticks_left.saturating_sub(used.max(1));
        let mut rows = rows?;
        self.execution.plant_answer(sql.as_bytes(), off, &mut rows);
        Ok(rows)
    }

    /// The script that is running.
    pub fn script(&self) -> &[u8] {
        self.execution.case.sql.as_bytes()
    }

    /// Runs a statement and returns what it changes in the main database, by the session extension.
    ///
    /// # Errors
    /// If the statement or the extension fails.
    pub fn recorded(&mut self, sql: &str) -> Result<Recorded, NoAnswer> {
        let mut recording = self.call(held::Session::start)?;
        self.rows(sql)?;
        self.call(|_| {
            let changeset = recording.take(false)?;
            let inverse = held::invert(&changeset)?;
            Ok(Recorded { inverse, patchset: recording.take(true)?, changeset })
        })
    }

    /// Applies a changeset or patchset to the main database.
    ///
    /// # Errors
    /// If that fails, also with the kind of the first conflict (`SQLITE_CHANGESET_…`), if there was one.
    pub fn apply(&mut self, changeset: &[u8]) -> Result<(), (NoAnswer, Option<i32>)> {
        let mut conflict = None;
        let applied = self.call(|connection| {
            let (code, first) = connection.apply(changeset, OnConflict::Abort);
            conflict = first;
            if code == Code::OK { Ok(()) } else { Err(code) }
        });
        applied.map_err(|none| (none, conflict))
    }

    /// The main database as `sqlite3_serialize()` returns it.
    ///
    /// # Errors
    /// If it returns nothing.
    pub fn serialized(&mut self) -> Result<Vec<u8>, NoAnswer> {
        self.call(|connection| connection.serialize().ok_or(Code(ffi::SQLITE_NOMEM)))
    }

    /// A backup of the main database into an empty one (<https://sqlite.org/backup.html>), `pages` at a time.
    ///
    /// # Errors
    /// If it fails.
    pub fn backed_up(&mut self, pages: i32) -> Result<Vec<u8>, NoAnswer> {
        let (executor, case, budget) = (self.execution.executor, self.execution.case, self.execution.budget);
        let watch = std::rc::Rc::clone(self.execution.watch());
        self.call(|from| {
            let to = executor.open_another(case, budget, c"tandem_backup.db", false, &watch)?;
            let to = std::rc::Rc::new(to);
            let mut backup = held::Backup::start(from, &to)?;
            while backup.step(pages).0 == Code::OK {}
            match backup.finish() {
                Code::OK => to.serialize().ok_or(Code(ffi::SQLITE_NOMEM)),
                code => Err(code),
            }
        })
    }

    /// A call of SQLite's interface, at the expense of who asks.
    fn call<T>(
        &mut self,
        action: impl FnOnce(&std::rc::Rc<Connection<'c>>) -> Result<T, Code>,
    ) -> Result<T, NoAnswer> {
        let connection = std::rc::Rc::clone(self.execution.connection());
        let (result, used) = connection.watch().apart(self.ticks_left.min(TICKS_MAX), BYTES_MAX, || {
            connection.watch().phase.set(super::ffi::Phase::Own);
            action(&connection)
        });
        self.ticks_left = self.ticks_left.saturating_sub(used.max(1));
        result.map_err(|code| match code {
            Code(ffi::SQLITE_INTERRUPT) => NoAnswer::TooMuch,
            code => NoAnswer::Error(code),
        })
    }

    /// The names of the columns that a statement returns.
    ///
    /// # Errors
    /// If it cannot be prepared.
    pub fn column_names(&self, sql: &str) -> Result<Vec<String>, NoAnswer> {
        let connection = self.execution.connection();
        let (names, _) = connection.watch().apart(TICKS_MAX, BYTES_MAX, || {
            connection.watch().phase.set(super::ffi::Phase::Own);
            let (code, statement, _) = connection.prepare(sql.as_bytes());
            statement.map(|statement| statement.column_names()).ok_or(NoAnswer::Error(code))
        });
        names
    }

    /// Why a statement cannot be prepared: SQLite's code and message; `None` if it can.
    pub fn refusal(&self, sql: &[u8]) -> Option<(Code, String)> {
        let connection = self.execution.connection();
        let (refusal, _) = connection.watch().apart(TICKS_MAX, BYTES_MAX, || {
            connection.watch().phase.set(super::ffi::Phase::Own);
            let (code, ..) = connection.prepare(sql);
            (code != Code::OK).then(|| (code, connection.error_message()))
        });
        refusal
    }

    /// Closes the connection and opens another one in its place, with the settings of the case; false if there is none
    /// then.
    pub fn reopen(&mut self) -> bool {
        self.execution.reopen()
    }

    /// What a statement uses, and its program without these optimizations.
    ///
    /// # Errors
    /// The same.
    pub fn facts(&mut self, sql: &str, optimizations: u32) -> Result<Facts, NoAnswer> {
        let watch = std::rc::Rc::clone(self.execution.watch());
        *watch.uses.borrow_mut() = Some(Uses::default());
        let rows = self.rows_without(&format!("EXPLAIN {sql}"), optimizations);
        let uses = watch.uses.take().unwrap_or_default();
        let program = rows?.into_iter().filter_map(|row| match &row[..] {
            [_, Value::Text(opcode), operands @ ..] => {
                let integer = |at: usize| match operands.get(at) {
                    Some(Value::Integer(n)) => *n,
                    _ => 0,
                };
                let opcode = String::from_utf8_lossy(opcode).into_owned();
                Some((opcode, [integer(0), integer(1), integer(2)]))
            }
            _ => None,
        });
        Ok(Facts {
            program: program.collect(),
            functions: uses.functions.into_iter().collect(),
            tables: uses.tables.into_iter().collect(),
            through: uses.through.into_iter().collect(),
        })
    }
}

impl Execution<'_> {
    /// See [`Session::reopen`].
    fn reopen(&mut self) -> bool {
        let (executor, case, budget) = (self.executor, self.case, self.budget);
        let before = std::rc::Rc::clone(self.connection());
        self.use_connection(Err(Code::OK));
        if before.may_be_writing() {
            self.watch().note_rollback();
        }
        let before = std::rc::Rc::into_inner(before).expect("only the run uses it");
        self.note_close(executor.close(before));
        let opened = executor.open_another(case, budget, MAIN_PATH, false, self.watch());
        let is_open = opened.is_ok();
        self.use_connection(opened.map(std::rc::Rc::new));
        is_open
    }

    /// What a planted bug makes of the answer to a statement, if it concerns it.
    pub(super) fn plant_answer(&mut self, text: &[u8], off: u32, rows: &mut Vec<Row>) {
        let Some(Plant::Answer(plant)) = self.executor.plant else {
            return;
        };
        if contains(text, plant.at.as_bytes()) && self.is_planted_now(&plant, off) {
            match plant.effect {
                WrongAnswer::MissingRow => drop(rows.pop()),
                WrongAnswer::RowTwice => rows.extend(rows.first().cloned()),
                WrongAnswer::Reversed => rows.reverse(),
                WrongAnswer::OtherValue => other_value(rows),
                WrongAnswer::Also(sql) => drop(self.query(sql)),
            }
        }
    }

    fn is_planted_now(&self, plant: &AnswerPlant, off: u32) -> bool {
        match plant.when {
            PlantedWhen::Always => true,
            PlantedWhen::Optimized(bits) => off & bits == 0,
            PlantedWhen::Returns(query, text) => {
                // What the plant asks is no part of what the statement uses.
                let uses = self.watch().uses.take();
                let rows = self.query(query).unwrap_or_default();
                *self.watch().uses.borrow_mut() = uses;
                rows.first().and_then(|row| row.first()) == Some(&Value::Text(text.as_bytes().to_vec()))
            }
        }
    }
}

fn other_value(rows: &mut [Row]) {
    let is_integer = |value: &&mut Value| matches!(value, Value::Integer(_));
    match rows.iter_mut().flatten().find(is_integer) {
        Some(value) => *value = Value::Text(b"planted".to_vec()),
        None => {
            if let Some(value) = rows.iter_mut().flatten().next_back() {
                *value = Value::Null;
            }
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
