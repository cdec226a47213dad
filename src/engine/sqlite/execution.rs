//! The statements of one run.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::ffi;
use twox_hash::XxHash3_64;

use super::executor::{Budget, Executor};
use super::ffi::{Connection, Phase, Statement};
use super::limits;
use crate::engine::plant::Plant;
use crate::engine::{Asked, Code, Limit, Observation, StatementObserver, StatementTrace, Trace, Value};
use crate::faults::alloc;
use crate::known;
use crate::sql;
use crate::testcase::{Setting, TestCase};

/// What a statement says that [`Plant::WrongRows`] changes.
const MARK: &[u8] = b"planted";

/// Rows are hashed when so many bytes of them are waiting.
const HASH_BLOCK_BYTES: usize = 1 << 16;

/// After so many refusals in a row no statement is tried that needs the schema: SQLite would read all of
/// it again, only to find the same damage.
const SCHEMA_REFUSALS_MAX: u32 = 2;
/// Statements that work without a schema.
const NEEDS_NO_SCHEMA: [&str; 9] =
    ["PRAGMA", "ATTACH", "DETACH", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];

/// Runs statements on the open connection of a case and writes down what they did.
pub struct Execution<'c> {
    connection: &'c Connection<'c>,
    trace: Trace,
    is_utf16: bool,
    /// Rows that may still come.
    rows_left: u64,
    observer: Option<&'c StatementObserver>,
    case: &'c TestCase,
    budget: &'c Budget,
    asked: Asked,
    /// True if statements that say so return a row more ([`Plant::WrongRows`]).
    is_wrong: bool,
    /// See [`Observation::cut_short`].
    cut_short: BTreeSet<Limit>,
    /// True once a statement mentioned the trigram tokenizer.
    script_mentions_trigrams: bool,
    /// Whether a file of the case does; found out when it counts.
    files_mention_trigrams: OnceCell<bool>,
    /// See [`known::has_all_pages`]; found out when it counts.
    files_have_all_pages: OnceCell<bool>,
    /// Statements in a row that could not be prepared because the schema is damaged.
    schema_refusals: u32,
    /// See [`crate::engine::Observation::refused_by_parser`].
    refused_by_parser: u64,
    /// Rows not yet hashed; kept between statements for its memory.
    row_bytes: Vec<u8>,
}

impl<'c> Execution<'c> {
    pub(super) fn new(
        connection: &'c Connection<'c>,
        case: &'c TestCase,
        budget: &'c Budget,
        executor: &'c Executor,
        asked: Asked,
    ) -> Self {
        let rows_left = match budget.rows.unwrap_or(case.config.get(Setting::RowsMax).into()) {
            0 => u64::MAX,
            rows => rows,
        };
        Self {
            connection,
            trace: Trace::default(),
            is_utf16: case.config.is_on(Setting::Utf16),
            rows_left,
            observer: executor.on_statement.as_deref(),
            case,
            budget,
            asked,
            is_wrong: executor.plant == Some(Plant::WrongRows),
            cut_short: BTreeSet::new(),
            script_mentions_trigrams: false,
            files_mention_trigrams: OnceCell::new(),
            files_have_all_pages: OnceCell::new(),
            schema_refusals: 0,
            refused_by_parser: 0,
            row_bytes: Vec::new(),
        }
    }

    /// Keeps the rows of the statements from here on: [`Asked::has_values`].
    pub fn keep_values(&mut self) {
        self.asked.has_values = true;
    }

    /// True when the budget or the number of rows is used up: nothing more runs.
    pub fn is_over(&self) -> bool {
        self.rows_left == 0 || self.connection.watch().exhausted.get().is_some()
    }

    /// Runs the statements of `text`, which is normally one: text that is cut into statements by
    /// [`sql::statements`] may still hold more than one where the cut rests on a word that is no
    /// keyword there. What follows a statement that cannot be prepared is not run.
    /// `at` is where the text stands in the script.
    pub fn run(&mut self, text: &[u8], at: Range<usize>) {
        let mut read = 0;
        while read < text.len() && !self.is_over() {
            let verb = verb(&text[read..]);
            if self.schema_refusals >= SCHEMA_REFUSALS_MAX && !NEEDS_NO_SCHEMA.contains(&verb) {
                break;
            }
            if self.avoids_known_bug(&text[read..], verb) {
                break;
            }
            if let Some(observer) = self.observer {
                observer(self.trace.statements.len() as u64 + 1, &text[read..]);
            }
            self.connection.watch().phase.set(Phase::Prepare);
            let (code, statement, length) = if self.is_utf16 {
                let (code, statement) = self.connection.prepare_utf16(&text[read..]);
                (code, statement, text.len() - read)
            } else {
                self.connection.prepare(&text[read..])
            };
            let is_whole = at.is_empty() || code != Code::OK;
            let end = if is_whole { at.end } else { at.start + read + length };
            let range = (at.start + read).min(end)..end;
            if code != Code::OK || statement.is_some() {
                self.note_schema_refusal(code, verb);
                self.refused_by_parser += u64::from(is_parser_error(self.connection, code));
                self.step_all(code, statement, range, verb);
                if self.is_wrong && text[read..].windows(MARK.len()).any(|window| window == MARK) {
                    self.add_wrong_row();
                }
            }
            if code != Code::OK || length == 0 {
                break;
            }
            read += length;
        }
        self.connection.watch().phase.set(Phase::Own);
    }

    /// Runs a statement of the executor's own, unbudgeted and untraced, and returns its rows; `None`
    /// where it fails.
    pub fn query(&self, text: &str) -> Option<Vec<Vec<Value>>> {
        query(self.connection, text)
    }

    /// True if the statement leads to a known bug, which is then noted.
    fn avoids_known_bug(&mut self, text: &[u8], verb: &str) -> bool {
        let watch = self.connection.watch();
        self.script_mentions_trigrams |= known::mentions_trigrams(text);
        let mentions_trigrams = || {
            // The schema is text in the pages of the files.
            let in_files = || self.case.files.iter().any(|(_, content)| known::mentions_trigrams(content));
            self.script_mentions_trigrams || *self.files_mention_trigrams.get_or_init(in_files)
        };
        let has_all_pages =
            || *self.files_have_all_pages.get_or_init(|| known::has_all_pages(&self.case.files));
        let bug = known::by_statement(text, mentions_trigrams)
            .or_else(|| known::by_files(verb, has_all_pages))
            .filter(|_| watch.avoids_known_bugs.get());
        watch.avoided.borrow_mut().extend(bug.map(|bug| bug.name));
        bug.is_some()
    }

    fn note_schema_refusal(&mut self, prepare: Code, verb: &str) {
        if matches!(prepare.0, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) {
            self.schema_refusals += 1;
        } else if prepare != Code::OK || !NEEDS_NO_SCHEMA.contains(&verb) || verb == "PRAGMA" {
            // Something else got through, or what keeps SQLite from the schema may have changed.
            self.schema_refusals = 0;
        }
    }

    fn step_all(
        &mut self,
        prepare: Code,
        statement: Option<Statement<'_>>,
        sql: Range<usize>,
        verb: &'static str,
    ) {
        let mut trace = StatementTrace {
            sql,
            verb,
            prepare,
            step: Code::OK,
            rows: 0,
            row_digest: 0,
            vm_steps: 0,
            is_read_only: true,
            record: self.asked.has_records.then(Box::default),
            values: Vec::new(),
        };
        let refused_before = alloc::counts().refused;
        if let Some(mut statement) = statement {
            trace.is_read_only = statement.is_read_only();
            statement.bind_named_values();
            self.connection.watch().phase.set(Phase::Step);
            self.step_rows(&mut statement, &mut trace);
            trace.vm_steps = statement.vm_steps();
        }
        self.cut_short.extend(limits::met(self.connection, self.case, self.budget, &trace, refused_before));
        self.finish_record(&mut trace);
        self.trace.statements.push(trace);
    }

    fn finish_record(&self, trace: &mut StatementTrace) {
        let code = trace.code();
        let Some(record) = &mut trace.record else {
            return;
        };
        record.sql = trace.sql.clone();
        record.verb = trace.verb.to_owned();
        record.code = code.0;
        record.is_read_only = trace.is_read_only;
        // EXPLAIN prepares the statement, and what SQLite prepares it explains.
        record.explain_fails = trace.prepare != Code::OK;
        record.taints = self.connection.watch().taint.get().names().map(str::to_owned).collect();
        if !code.is_success() {
            record.set_message(&self.connection.error_message());
        }
    }

    fn step_rows(&mut self, statement: &mut Statement<'_>, trace: &mut StatementTrace) {
        loop {
            trace.step = statement.step();
            if trace.step != Code::ROW {
                break;
            }
            trace.rows += 1;
            for column in 0..statement.columns() {
                statement.column(column).write(&mut self.row_bytes);
            }
            self.row_bytes.push(b'\n');
            if trace.record.is_some() || self.asked.has_values {
                self.keep_row(row(statement), trace);
            }
            if self.row_bytes.len() >= HASH_BLOCK_BYTES {
                self.hash_rows(trace);
            }
            self.rows_left -= 1;
            if self.rows_left == 0 {
                break;
            }
        }
        if !self.row_bytes.is_empty() {
            self.hash_rows(trace);
        }
    }

    fn keep_row(&self, row: Vec<Value>, trace: &mut StatementTrace) {
        if let Some(record) = &mut trace.record {
            record.add_row(&row);
        }
        if self.asked.has_values {
            trace.values.push(row);
        }
    }

    /// The row of [`Plant::WrongRows`].
    fn add_wrong_row(&mut self) {
        if let Some(mut trace) = self.trace.statements.pop() {
            trace.rows += 1;
            self.keep_row(vec![Value::Text(MARK.to_vec())], &mut trace);
            self.trace.statements.push(trace);
        }
    }

    fn hash_rows(&mut self, trace: &mut StatementTrace) {
        trace.row_digest = XxHash3_64::oneshot_with_seed(trace.row_digest, &self.row_bytes);
        self.row_bytes.clear();
    }

    pub(super) fn finish(mut self, observation: &mut Observation) {
        let exhausted = self.connection.watch().exhausted.get();
        self.trace.is_cut_short = exhausted.is_some();
        self.cut_short.extend(exhausted);
        self.cut_short.extend((self.rows_left == 0).then_some(Limit::Rows));
        observation.cut_short = self.cut_short;
        observation.trace = self.trace;
        observation.refused_by_parser = self.refused_by_parser;
    }
}

/// The current row as values.
pub(super) fn row(statement: &Statement<'_>) -> Vec<Value> {
    (0..statement.columns()).map(|i| statement.column(i).to_value()).collect()
}

/// See [`Execution::query`].
pub(super) fn query(
    connection: &Connection<'_>,
    text: &(impl AsRef<[u8]> + ?Sized),
) -> Option<Vec<Vec<Value>>> {
    connection.watch().phase.set(Phase::Own);
    let (_, statement, _) = connection.prepare(text.as_ref());
    let mut statement = statement?;
    let mut rows = Vec::new();
    loop {
        match statement.step() {
            Code::ROW => rows.push(row(&statement)),
            Code::DONE => return Some(rows),
            _ => return None,
        }
    }
}

/// Whether the statement that was just refused with `code` did not get past tokenizer and grammar. What comes
/// after them, such as a table that does not exist, has the same result code: the message tells. For statistics,
/// never for a verdict.
fn is_parser_error(connection: &Connection<'_>, code: Code) -> bool {
    if code != Code(ffi::SQLITE_ERROR) {
        return false;
    }
    let message = connection.error_message();
    message.starts_with("near \"") && message.ends_with(": syntax error")
        || message.starts_with("unrecognized token: ")
        || ["incomplete input", "parser stack overflow", "Recursion limit"].contains(&message.as_str())
}

/// The keyword with which a statement begins.
fn verb(text: &[u8]) -> &'static str {
    let mut rest = text;
    while let Some((kind, length)) = sql::token::first(rest) {
        if !kind.is_blank() {
            return sql::keyword(&rest[..length]).unwrap_or("-");
        }
        rest = &rest[length..];
    }
    "-"
}
