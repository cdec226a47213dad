//! A connection to Turso and the statements that run on it.

use std::borrow::Cow;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem::engine::transcript::StatementRecord;
use tandem::engine::{Code, Value};
use tandem::sql;
use turso_core::{Connection, LimboError, Numeric, Statement};

use crate::plant::Plant;
use crate::pragmas::Pragmas;
use crate::refusal;

/// `SQLITE_ERROR`.
const ERROR: i32 = 1;
/// Turso is asked whether it is over its budget after so many VM steps.
const STEPS_PER_QUESTION: u64 = 100;

/// Called with the number and the text of a statement before it is prepared.
pub(crate) type StatementObserver = dyn Fn(u64, &[u8]);

/// VM steps that are left. Shared with a handler that Turso calls while it runs.
#[derive(Debug, Default)]
struct Budget(AtomicU64);

impl Budget {
    fn set(&self, steps: u64) {
        self.0.store(steps, Ordering::Relaxed);
    }

    fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes the steps since the last question; true if none is left.
    fn take(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(STEPS_PER_QUESTION);
        self.set(left);
        left == 0
    }
}

/// How the statements of a case run.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    /// VM steps of all of them together.
    pub vm_steps: u64,
    /// The run ends after so many rows; 0 is no end.
    pub rows_max: u32,
    /// Text comes back as UTF-16, as it does from SQLite then, and a piece of the script is one statement.
    pub is_utf16: bool,
    /// Told of each.
    pub observer: Option<&'a StatementObserver>,
    /// A bug that Turso does not have.
    pub plant: Option<Plant>,
    /// What is known of pragmas.
    pub pragmas: &'a Pragmas,
}

/// A session of one case.
pub(crate) struct Session<'a> {
    connection: Arc<Connection>,
    budget: Arc<Budget>,
    rows_left: u64,
    settings: Settings<'a>,
    records: Vec<StatementRecord>,
}

impl<'a> Session<'a> {
    /// On an open connection.
    pub(crate) fn new(connection: Arc<Connection>, settings: Settings<'a>) -> Self {
        let budget = Arc::new(Budget::default());
        budget.set(settings.vm_steps);
        let asked = Arc::clone(&budget);
        connection.set_progress_handler(STEPS_PER_QUESTION, Some(Box::new(move || asked.take())));
        let rows_left = if settings.rows_max == 0 { u64::MAX } else { u64::from(settings.rows_max) };
        Self { connection, budget, rows_left, settings, records: Vec::new() }
    }

    /// The connection.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// True when the steps or rows are used up: nothing more runs.
    pub(crate) fn is_over(&self) -> bool {
        self.rows_left == 0 || self.budget.is_spent()
    }

    /// Gives statements of our own something to spend.
    pub(crate) fn set_budget(&self, vm_steps: u64) {
        self.budget.set(vm_steps);
    }

    /// What was recorded.
    pub(crate) fn take_records(&mut self) -> Vec<StatementRecord> {
        std::mem::take(&mut self.records)
    }

    /// Runs a script. Statements are cut and counted as [`tandem::engine::sqlite::Execution::run`] does.
    pub(crate) fn run_script(&mut self, text: &[u8]) {
        for range in sql::statements(text) {
            if self.is_over() {
                break;
            }
            self.run(&text[range.clone()], range);
        }
    }

    fn run(&mut self, text: &[u8], at: Range<usize>) {
        let mut read = 0;
        while read < text.len() && !self.is_over() {
            let rest = &text[read..];
            if is_blank(rest) {
                break;
            }
            if let Some(observer) = self.settings.observer {
                observer(self.records.len() as u64 + 1, rest);
            }
            let start = at.start + read;
            let mut record = StatementRecord { verb: verb(rest).to_owned(), ..StatementRecord::default() };
            let prepared = self.prepare(rest);
            let whole = self.settings.is_utf16.then_some(rest.len());
            let length = prepared.as_ref().ok().map(|statement| whole.unwrap_or(statement.tail_offset()));
            record.sql = start..length.map_or(at.end, |length| start + length).min(at.end);
            match prepared {
                Ok(statement) => self.step_all(statement, rest, &mut record),
                Err(refusal) => refusal.note(&mut record),
            }
            self.records.push(record);
            match length {
                Some(length) if length > 0 => read += length,
                _ => break,
            }
        }
    }

    fn prepare(&self, text: &[u8]) -> Result<Statement, Refusal> {
        let text = String::from_utf8_lossy(text);
        if matches!(text, Cow::Owned(_)) && !self.settings.is_utf16 {
            return Err(Refusal::Ours("not UTF-8, which Turso asks for".to_owned()));
        }
        let text = text.as_ref();
        if let Some(name) = self.settings.pragmas.ignored(text) {
            return Err(Refusal::Ours(format!("Turso has no PRAGMA {name}, and says nothing of that")));
        }
        if let Some(word) = refusal::reaches_host(text) {
            return Err(Refusal::Ours(format!("not given to Turso: with `{word}` it may reach the host")));
        }
        self.connection.prepare(text).map_err(Refusal::Turso)
    }

    fn step_all(&mut self, mut statement: Statement, text: &[u8], record: &mut StatementRecord) {
        record.is_read_only = statement.get_program().is_readonly();
        let done = bind_named_values(&mut statement).and_then(|()| self.step_rows(&mut statement, record));
        match done {
            Ok(()) => record.code = Code::DONE.0,
            Err(error) => {
                record.code = error.sqlite_result_code();
                record.set_message(&error.to_string());
                // What Turso finds out while it runs a statement is no less unknown to it.
                record.explain_fails = refusal::is_missing_feature(&error);
            }
        }
        if let Some(plant) = self.settings.plant {
            plant.alter(text, record);
        }
    }

    fn step_rows(
        &mut self,
        statement: &mut Statement,
        record: &mut StatementRecord,
    ) -> Result<(), LimboError> {
        let (rows_left, is_utf16) = (&mut self.rows_left, self.settings.is_utf16);
        let result = statement.run_with_row_callback(|row| {
            let mut values: Vec<Value> = row.get_values().map(value).collect();
            if is_utf16 {
                values.iter_mut().for_each(to_utf16);
            }
            record.add_row(&values);
            *rows_left -= 1;
            // Nothing after the last row that the case allows is asked for.
            if *rows_left == 0 { Err(LimboError::Interrupt) } else { Ok(()) }
        });
        if self.rows_left == 0 { Ok(()) } else { result }
    }

    /// Runs a statement of our own and returns its rows; `None` if it fails.
    pub(crate) fn query(&self, text: &str) -> Option<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        let mut statement = self.connection.prepare(text).ok()?;
        let run = statement.run_with_row_callback(|row| {
            rows.push(row.get_values().map(value).collect());
            Ok(())
        });
        run.ok().map(|()| rows)
    }
}

/// Why a statement was not prepared.
enum Refusal {
    /// We do not ask for it.
    Ours(String),
    /// Turso does not take it.
    Turso(LimboError),
}

impl Refusal {
    fn note(&self, record: &mut StatementRecord) {
        record.is_read_only = true;
        record.explain_fails = true;
        match self {
            Self::Ours(reason) => {
                record.code = ERROR;
                record.set_message(reason);
            }
            Self::Turso(error) => {
                record.code = error.sqlite_result_code();
                record.set_message(&error.to_string());
            }
        }
    }
}

/// True if there is nothing to run: blanks, comments and semicolons.
pub(crate) fn is_blank(text: &[u8]) -> bool {
    let is_empty = |token: &sql::Token| token.kind.is_blank() || &text[token.range.clone()] == b";";
    sql::tokenize(text).iter().all(is_empty)
}

/// The keyword with which a statement begins.
fn verb(text: &[u8]) -> &'static str {
    let first = sql::tokenize(text).into_iter().find(|token| !token.kind.is_blank());
    first.and_then(|token| sql::keyword(&text[token.range])).unwrap_or("-")
}

/// Binds the parameters that say their value in their name, `$int_123` and `$text_abc`, as the executor of SQLite
/// does. Others stay NULL.
fn bind_named_values(statement: &mut Statement) -> Result<(), LimboError> {
    let parameters = statement.parameters();
    let named = (1..=parameters.count())
        .filter_map(NonZero::new)
        .filter_map(|index| Some((index, parameters.name(index)?)))
        .collect::<Vec<_>>();
    for (index, name) in named {
        if let Some(digits) = name.strip_prefix("$int_") {
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let number = digits[..end].parse().unwrap_or(0);
            statement.bind_at(index, turso_core::Value::Numeric(Numeric::Integer(number)))?;
        } else if let Some(text) = name.strip_prefix("$text_") {
            statement.bind_at(index, turso_core::Value::build_text(text.to_owned()))?;
        }
    }
    Ok(())
}

/// A value of Turso as one of ours.
fn value(value: &turso_core::Value) -> Value {
    match value {
        turso_core::Value::Null => Value::Null,
        turso_core::Value::Numeric(Numeric::Integer(n)) => Value::Integer(*n),
        turso_core::Value::Numeric(Numeric::Float(x)) => Value::Real((*x).into()),
        turso_core::Value::Text(text) => Value::Text(text.as_str().as_bytes().to_vec()),
        turso_core::Value::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Text as `sqlite3_column_text16` gives it.
fn to_utf16(value: &mut Value) {
    if let Value::Text(bytes) = value {
        let text = String::from_utf8_lossy(bytes);
        *bytes = text.encode_utf16().flat_map(u16::to_ne_bytes).collect();
    }
}
