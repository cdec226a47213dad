//! The statements of one run.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use rusqlite::ffi;
use twox_hash::XxHash3_64;

use super::executor::{Budget, Executor};
use super::ffi::held::HeldStatement;
use super::ffi::{Connection, Phase, Statement, Watch};
use super::{limits, policy};
use crate::engine::plant::Plant;
use crate::engine::{
    Asked, Code, Limit, Observation, Place, StatementTrace, Taint, Time, Trace, Turns, Value, View,
    order_keys,
};
use crate::faults::alloc;
use crate::faults::rules::Hits;
use crate::known;
use crate::sql;
use crate::testcase::{PrepareForm, Setting, TestCase};

/// Marks the statements that [`Plant::WrongRows`] and [`Plant::WrongCode`] change.
const MARK: &[u8] = b"planted";

/// Rows are hashed once this many bytes of them are waiting.
const HASH_BLOCK_BYTES: usize = 1 << 16;

/// After this many refusals in a row, statements that need the schema are skipped: SQLite would read the whole
/// schema again, only to find the same damage.
const SCHEMA_REFUSALS_MAX: u32 = 2;
/// Statements that work without a schema.
const NEEDS_NO_SCHEMA: [&str; 9] =
    ["PRAGMA", "ATTACH", "DETACH", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];

/// Runs statements on a case's open connection and records what they did.
pub struct Execution<'c> {
    /// The connection on which statements run, or SQLite's code if it could not be opened.
    pub(super) connection: Result<Rc<Connection<'c>>, Code>,
    watch: Rc<Watch>,
    /// The code with which closing a connection failed.
    close: Code,
    /// What ran, on whichever connection.
    trace: Rc<RefCell<Trace>>,
    is_utf16: bool,
    /// Number of rows still allowed, to all connections together.
    rows_left: Rc<Cell<u64>>,
    pub(super) executor: &'c Executor,
    pub(super) case: &'c TestCase,
    pub(super) budget: &'c Budget,
    pub(super) asked: Asked,
    /// Whether the case plans any.
    pub(super) has_faults: bool,
    /// [`alloc::Counts::failed`] before the first statement.
    pub(super) failed_before: u64,
    /// The last statement before which bits were flipped.
    pub(super) flipped: u32,
    /// See [`Observation::views`].
    pub(super) views: Vec<View>,
    /// See [`Observation::after_fault`].
    pub(super) after_fault: Option<View>,
    /// See [`Observation::cut_short`].
    cut_short: BTreeSet<Limit>,
    /// Whether a file of the case mentions it; computed when needed.
    files_mention_trigrams: OnceCell<bool>,
    /// See [`known::has_all_pages`]; computed when needed.
    files_have_all_pages: OnceCell<bool>,
    /// Number of consecutive statements that could not be prepared because the schema is damaged.
    schema_refusals: u32,
    /// See [`crate::engine::Observation::refused_by_parser`].
    refused_by_parser: u64,
    /// The operation that is running, with its connection and when it began.
    begun: Option<(usize, u8, Time)>,
    /// How often its connection had got a lock for reading before.
    reads_begun: u64,
    /// Beginnings and ends of operations so far.
    events: Rc<Cell<u64>>,
    /// Rows not yet hashed; kept between statements to reuse its memory.
    row_bytes: Vec<u8>,
}

impl<'c> Execution<'c> {
    pub(super) fn new(
        connection: Rc<Connection<'c>>,
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
            watch: Rc::clone(connection.watch()),
            connection: Ok(connection),
            close: Code::OK,
            trace: Rc::default(),
            is_utf16: case.config.is_on(Setting::Utf16),
            rows_left: Rc::new(Cell::new(rows_left)),
            executor,
            case,
            budget,
            asked,
            has_faults: !case.faults.is_empty(),
            failed_before: alloc::counts().failed,
            flipped: 0,
            views: Vec::new(),
            after_fault: None,
            cut_short: BTreeSet::new(),
            files_mention_trigrams: OnceCell::new(),
            files_have_all_pages: OnceCell::new(),
            schema_refusals: 0,
            refused_by_parser: 0,
            begun: None,
            reads_begun: 0,
            events: Rc::default(),
            row_bytes: Vec::new(),
        }
    }

    /// Keeps the rows of all further statements: [`Asked::has_values`].
    pub fn keep_values(&mut self) {
        self.asked.has_values = true;
    }

    /// The execution of connections that take turns with those of this one: what they do becomes part of the same trace.
    /// The connection that is open already comes with the watch of this execution.
    pub(super) fn beside(&self, opened: Option<Rc<Connection<'c>>>) -> Self {
        Self {
            watch: opened
                .as_ref()
                .map_or_else(|| Rc::new(self.watch.beside()), |connection| Rc::clone(connection.watch())),
            connection: opened.ok_or(Code::OK),
            close: Code::OK,
            trace: Rc::clone(&self.trace),
            rows_left: Rc::clone(&self.rows_left),
            events: Rc::clone(&self.events),
            views: Vec::new(),
            after_fault: None,
            cut_short: BTreeSet::new(),
            files_mention_trigrams: OnceCell::new(),
            files_have_all_pages: OnceCell::new(),
            schema_refusals: 0,
            refused_by_parser: 0,
            row_bytes: Vec::new(),
            ..*self
        }
    }

    /// Adds what another execution, whose connections are closed, has noted.
    pub(super) fn absorb(&mut self, other: Self) {
        self.note_close(other.close);
        self.cut_short.extend(other.cut_short);
        self.refused_by_parser += other.refused_by_parser;
        self.views.extend(other.views);
        self.after_fault = self.after_fault.take().or(other.after_fault);
    }

    /// An operation of a connection begins.
    pub(super) fn begin(&mut self, operation: usize, connection: u8) {
        self.begun = Some((operation, connection, self.now()));
        self.reads_begun = self.executor.vfs.machine().writers.reads[usize::from(connection)];
    }

    /// What comes now has a time of its own.
    fn now(&self) -> Time {
        self.events.set(self.events.get() + 1);
        Time { event: self.events.get(), lock: self.executor.vfs.machine().writers.changes }
    }

    /// Notes where a statement that is done stands.
    fn finish_place(&self, place: &mut Place) {
        place.done = self.now();
        let (writers, at) = (self.executor.vfs.machine().writers, usize::from(place.connection));
        (place.got_lock, place.released) = (writers.got[at], writers.released[at]);
        place.read_at = (writers.reads[at] > self.reads_begun).then_some(writers.read_at[at]);
        place.is_autocommit = self.connection.as_ref().is_ok_and(|connection| connection.is_autocommit());
    }

    /// Notes how connections took turns.
    pub(super) fn note_turns(&self, turns: Turns) {
        self.trace.borrow_mut().turns = Some(turns);
    }

    /// How many statements ran.
    pub(super) fn statement_count(&self) -> usize {
        self.trace.borrow().statements.len()
    }

    /// The statements that ran after so many.
    pub(super) fn statements_after(&self, count: usize) -> Vec<StatementTrace> {
        self.trace.borrow().statements[count..].to_vec()
    }

    /// True if nothing more will run: the budget or the row limit is used up, or there is no connection.
    pub fn is_over(&self) -> bool {
        self.connection.is_err() || self.is_used_up()
    }

    /// True if the budget or the row limit is used up.
    pub(super) fn is_used_up(&self) -> bool {
        self.rows_left.get() == 0 || self.watch.exhausted.get().is_some()
    }

    /// Notes SQLite's code for closing a connection before the end.
    pub(super) fn note_close(&mut self, code: Code) {
        if code != Code::OK {
            self.close = code;
        }
    }

    /// Runs the statements of `text`, normally just one: a piece cut out by [`sql::statements`]
    /// can still hold several if the cut relied on a word that is not a
    /// keyword there. Nothing after a statement that cannot be prepared is run.
    /// `at` is the position of the text in the script.
    pub fn run(&mut self, text: &[u8], at: Range<usize>) {
        self.flip_bits();
        let mut read = 0;
        while read < text.len() && !self.is_over() {
            let verb = verb(&text[read..]);
            if !self.may_prepare(&text[read..], verb) {
                break;
            }
            let connection = Rc::clone(self.connection());
            let hits_before = self.hit_count();
            let (code, statement, length) = self.exposed(|| {
                if self.is_utf16 {
                    let (code, statement) = connection.prepare_utf16(&text[read..]);
                    (code, statement, text.len() - read)
                } else {
                    connection.prepare(&text[read..])
                }
            });
            let is_whole = at.is_empty() || code != Code::OK;
            let end = if is_whole { at.end } else { at.start + read + length };
            let range = (at.start + read).min(end)..end;
            if code != Code::OK || statement.is_some() {
                self.note_prepared(code, verb);
                self.step_all(code, statement, range, verb, hits_before);
                self.note_view();
                self.plant_in_last(&text[read..]);
                self.plant_where_marked(&text[read..]);
            }
            if code != Code::OK || length == 0 {
                break;
            }
            read += length;
        }
        self.watch.phase.set(Phase::Own);
    }

    /// Prepares the first statement of `text` and returns it; `None` if there is none or it triggers a known bug.
    pub(super) fn prepare_held(&mut self, text: &[u8], at: Range<usize>) -> Option<Held<'c>> {
        let verb = verb(text);
        if !self.may_prepare(text, verb) {
            return None;
        }
        let hits_before = self.hit_count();
        let (prepare, held) = self.exposed(|| HeldStatement::prepare(self.connection(), text, self.is_utf16));
        self.hold(prepare, held, at, verb, hits_before)
    }

    /// Keeps a statement that was prepared with this result; what failed becomes part of the trace.
    fn hold(
        &mut self,
        prepare: Code,
        held: Option<HeldStatement<'c>>,
        at: Range<usize>,
        verb: &'static str,
        hits_before: u64,
    ) -> Option<Held<'c>> {
        self.watch.phase.set(Phase::Own);
        if prepare == Code::OK && held.is_none() {
            return None;
        }
        self.note_prepared(prepare, verb);
        if held.is_none() {
            self.step_all(prepare, None, at, verb, hits_before);
            return None;
        }
        let mut held = held?;
        held.statement().bind_named_values();
        Some(Held { statement: held, verb, sql: at })
    }

    /// As [`Execution::prepare_held`], by this function.
    pub(super) fn prepare_held_as(
        &mut self,
        text: &[u8],
        at: Range<usize>,
        form: PrepareForm,
    ) -> Option<Held<'c>> {
        let verb = verb(text);
        if !self.may_prepare(text, verb) {
            return None;
        }
        let hits_before = self.hit_count();
        let (prepare, held) = self.exposed(|| HeldStatement::prepare_as(self.connection(), text, form));
        self.hold(prepare, held, at, verb, hits_before)
    }

    /// Runs `text` by another function of SQLite's interface, which returns its code and what it is told of rows. The record
    /// of the case does not have these.
    pub(super) fn run_by(
        &mut self,
        text: &[u8],
        at: Range<usize>,
        by: impl FnOnce(&Connection<'c>, &[u8]) -> (Code, Vec<u8>),
    ) {
        let verb = verb(text);
        if !self.may_prepare(text, verb) {
            return;
        }
        let before = self.before(self.hit_count());
        let mut trace = self.new_trace(Code::OK, at, verb);
        trace.is_read_only = false;
        (trace.step, self.row_bytes) = self.exposed(|| by(self.connection(), text));
        self.watch.phase.set(Phase::Own);
        if !self.row_bytes.is_empty() {
            self.hash_rows(&mut trace);
        }
        self.note_prepared(trace.step, verb);
        self.end_statement(trace, before);
        self.note_view();
    }

    /// Steps a statement for this many rows.
    pub(super) fn step_held(&mut self, held: &mut Held<'c>, rows: u64) {
        self.use_connection(Ok(Rc::clone(held.statement.connection())));
        let statement = held.statement.statement();
        let (steps_before, before) = (statement.vm_steps(), self.before(self.hit_count()));
        let mut trace = self.new_trace(Code::OK, held.sql.clone(), held.verb);
        trace.is_read_only = statement.is_read_only();
        self.watch.phase.set(Phase::Step);
        self.step_rows(statement, &mut trace, rows);
        trace.vm_steps = statement.vm_steps().saturating_sub(steps_before);
        self.end_statement(trace, before);
        self.watch.phase.set(Phase::Own);
    }

    /// Calls a function of SQLite's interface on the connection and records the result: its code, and bytes that
    /// represent the rest. `verb` represents the call in signatures.
    pub(super) fn call(
        &mut self,
        verb: &'static str,
        is_read_only: bool,
        call: impl FnOnce(&Connection<'c>) -> (Code, Vec<u8>),
    ) {
        let before = self.before(self.hit_count());
        let mut trace = self.new_trace(Code::OK, 0..0, verb);
        trace.is_read_only = is_read_only;
        self.watch.verb.set(verb);
        // Statements that SQLite prepares for the call are judged as if they were in the script.
        self.watch.phase.set(Phase::Prepare);
        (trace.step, self.row_bytes) = self.exposed(|| call(self.connection()));
        self.watch.phase.set(Phase::Own);
        if !self.row_bytes.is_empty() {
            self.hash_rows(&mut trace);
        }
        self.end_statement(trace, before);
    }

    /// Notes what the last statement, which is a checkpoint, has said of the log.
    pub(super) fn note_frames(&self, frames: [i32; 2]) {
        if let Some(last) = self.trace.borrow_mut().statements.last_mut() {
            last.frames = Some(frames);
        }
    }

    /// Writes down that a connection could not be opened.
    pub(super) fn note_open(&mut self, code: Code) {
        let mut trace = self.new_trace(code, 0..0, "OPEN");
        self.finish_record(&mut trace);
        self.push(trace);
    }

    fn push(&self, trace: StatementTrace) {
        self.trace.borrow_mut().statements.push(trace);
    }

    /// Uses this connection from now on; without one, the run is over.
    pub(super) fn use_connection(&mut self, connection: Result<Rc<Connection<'c>>, Code>) {
        let is_same = matches!((&self.connection, &connection), (Ok(old), Ok(new)) if Rc::ptr_eq(old, new));
        if !is_same {
            // Another connection may see another schema.
            self.schema_refusals = 0;
            self.connection = connection;
        }
    }

    /// What has been done so far that may excuse what is found.
    pub(crate) fn taint(&self) -> Taint {
        self.watch.taint.get()
    }

    /// What all connections of the run share.
    pub(super) fn watch(&self) -> &Rc<Watch> {
        &self.watch
    }

    /// The connection on which statements run. Must not be called once the run is over.
    pub(super) fn connection(&self) -> &Rc<Connection<'c>> {
        self.connection.as_ref().expect("a run without a connection is over")
    }

    /// Whether to prepare a statement at all. If so, the connection is ready for it.
    fn may_prepare(&mut self, text: &[u8], verb: &'static str) -> bool {
        let is_hopeless = self.schema_refusals >= SCHEMA_REFUSALS_MAX && !NEEDS_NO_SCHEMA.contains(&verb);
        if is_hopeless || self.avoids_known_bug(text, verb) {
            return false;
        }
        self.tell_observer(text);
        self.note_effects(text, verb);
        self.watch.phase.set(Phase::Prepare);
        true
    }

    /// Notes what the statement may do of which the authorizer will not hear.
    fn note_effects(&self, text: &[u8], verb: &'static str) {
        self.watch.verb.set(verb);
        let taint = self.watch.taint.get();
        if taint.contains(Taint::WRITABLE_SCHEMA) && policy::bends_schema(text, verb) {
            self.watch.note(Taint::SCHEMA_WRITTEN);
        }
        if verb == "ROLLBACK" {
            self.watch.note_rollback();
        }
        // Whether it is a virtual table that gets a new name is not known, and does no harm.
        if verb == "ALTER" && !self.watch.virtual_tables.borrow().is_empty() {
            let names = sql::words(text).map(<[u8]>::to_ascii_lowercase).last();
            self.watch.virtual_tables.borrow_mut().extend(names);
        }
    }

    /// Tells the observer what comes next.
    pub(super) fn tell_observer(&self, text: &[u8]) {
        if let Some(observer) = &self.executor.on_statement {
            observer(self.statement_count() as u64 + 1, text);
        }
    }

    fn note_prepared(&mut self, code: Code, verb: &str) {
        self.note_schema_refusal(code, verb);
        self.refused_by_parser += u64::from(is_parser_error(self.connection(), code));
    }

    /// Runs one of the executor's own statements, unbudgeted and untraced, and returns its rows; `None`
    /// if it fails.
    pub fn query(&self, text: &str) -> Option<Vec<Vec<Value>>> {
        query(self.connection.as_ref().ok()?, text)
    }

    /// True if the statement triggers a known bug, which is then noted.
    fn avoids_known_bug(&mut self, text: &[u8], verb: &str) -> bool {
        let watch = Rc::clone(&self.watch);
        let mentions = watch.mentions_trigrams.get() || known::mentions_trigrams(text);
        watch.mentions_trigrams.set(mentions);
        let mentions_trigrams = || {
            // The schema is text in the pages of the files.
            let in_files = || self.case.files.iter().any(|(_, content)| known::mentions_trigrams(content));
            mentions || *self.files_mention_trigrams.get_or_init(in_files)
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
            // Something else got through, or whatever keeps SQLite from reading the schema may have changed.
            self.schema_refusals = 0;
        }
    }

    fn step_all(
        &mut self,
        prepare: Code,
        statement: Option<Statement<'_>>,
        sql: Range<usize>,
        verb: &'static str,
        hits_before: u64,
    ) {
        let mut trace = self.new_trace(prepare, sql, verb);
        let before = self.before(hits_before);
        if let Some(mut statement) = statement {
            trace.is_read_only = statement.is_read_only();
            statement.bind_named_values();
            self.watch.phase.set(Phase::Step);
            self.step_rows(&mut statement, &mut trace, u64::MAX);
            trace.vm_steps = statement.vm_steps();
        }
        self.end_statement(trace, before);
    }

    fn before(&self, hits: u64) -> Before {
        Before { refused: alloc::counts().refused, hits }
    }

    fn new_trace(&self, prepare: Code, sql: Range<usize>, verb: &'static str) -> StatementTrace {
        StatementTrace {
            sql,
            verb,
            prepare,
            step: Code::OK,
            rows: 0,
            row_digest: 0,
            vm_steps: 0,
            is_read_only: true,
            place: self.begun.map(|(operation, connection, began)| Place {
                operation,
                connection,
                began,
                done: began,
                got_lock: 0,
                released: 0,
                read_at: None,
                is_autocommit: true,
            }),
            frames: None,
            record: self.asked.has_records.then(Box::default),
            values: Vec::new(),
        }
    }

    fn end_statement(&mut self, mut trace: StatementTrace, before: Before) {
        let has_failed = self.hit_count() > before.hits;
        if !has_failed {
            let limit = limits::met(self.connection(), self.case, self.budget, &trace, before.refused);
            self.cut_short.extend(limit);
        }
        if let Some(told) = self.connection().take_told() {
            trace.row_digest = XxHash3_64::oneshot_with_seed(trace.row_digest, &told.to_le_bytes());
        }
        // A statement that fails undoes what it wrote, and some failures of a query undo the whole transaction.
        if !trace.step.is_success() {
            self.watch.note_rollback();
        }
        self.finish_record(&mut trace);
        if let Some(place) = &mut trace.place {
            self.finish_place(place);
        }
        let is_failure = !trace.code().is_success();
        self.push(trace);
        if is_failure {
            self.note_failure(before.hits);
        }
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
        // EXPLAIN prepares the statement, and anything that SQLite prepares can be explained.
        record.explain_fails = trace.prepare != Code::OK;
        record.taints = self.watch.taint.get().names().map(str::to_owned).collect();
        if !code.is_success() {
            let connection = self.connection.as_ref();
            record.set_message(
                &connection.map_or_else(Code::to_string, |connection| connection.error_message()),
            );
        }
    }

    fn step_rows(&mut self, statement: &mut Statement<'_>, trace: &mut StatementTrace, rows_max: u64) {
        if let Some(record) = &mut trace.record {
            let text = self.case.sql.as_bytes().get(trace.sql.clone()).unwrap_or_default();
            record.key_columns = order_keys::key_columns(text, &statement.column_names());
        }
        while trace.rows < rows_max {
            trace.step = self.exposed(|| statement.step());
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
            self.rows_left.set(self.rows_left.get() - 1);
            if self.rows_left.get() == 0 {
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

    /// What [`Plant::Answer`] makes of the statement that has just run.
    fn plant_in_last(&mut self, text: &[u8]) {
        if matches!(self.executor.plant, Some(Plant::Answer(_)))
            && let Some(mut trace) = self.pop()
        {
            self.plant_answer(text, self.case.config.get(Setting::OptimizationsOff), &mut trace.values);
            self.push(trace);
        }
    }

    /// The extra row of [`Plant::WrongRows`], and the failure of [`Plant::WrongCode`].
    fn plant_where_marked(&mut self, text: &[u8]) {
        let plant = self.executor.plant;
        if !matches!(plant, Some(Plant::WrongRows | Plant::WrongCode))
            || !text.windows(MARK.len()).any(|window| window == MARK)
        {
            return;
        }
        if let Some(mut trace) = self.pop() {
            if plant == Some(Plant::WrongRows) {
                trace.rows += 1;
                self.keep_row(vec![Value::Text(MARK.to_vec())], &mut trace);
            } else {
                trace.step = Code(ffi::SQLITE_CORRUPT);
                trace.record.iter_mut().for_each(|record| record.code = ffi::SQLITE_CORRUPT);
            }
            self.push(trace);
        }
    }

    fn pop(&self) -> Option<StatementTrace> {
        self.trace.borrow_mut().statements.pop()
    }

    fn hash_rows(&mut self, trace: &mut StatementTrace) {
        trace.row_digest = XxHash3_64::oneshot_with_seed(trace.row_digest, &self.row_bytes);
        self.row_bytes.clear();
    }

    /// Ends the run; returns the connection that is left, if any.
    ///
    /// # Errors
    /// SQLite's code, if the connection could not be opened.
    pub(super) fn finish(mut self, observation: &mut Observation) -> Result<Connection<'c>, Code> {
        let mut trace = self.trace.take();
        trace.hits = if self.has_faults { self.hits() } else { Hits::new() };
        let exhausted = self.watch.exhausted.get();
        trace.is_cut_short = exhausted.is_some();
        self.cut_short.extend(exhausted);
        self.cut_short.extend((self.rows_left.get() == 0).then_some(Limit::Rows));
        observation.cut_short = self.cut_short;
        (observation.views, observation.after_fault) = (self.views, self.after_fault);
        observation.trace = trace;
        observation.refused_by_parser = self.refused_by_parser;
        observation.close = Some(self.close);
        observation.taint = self.watch.taint.get();
        observation.attached = self.watch.attached.take();
        observation.avoided = self.watch.avoided.take();
        self.connection.map(|connection| Rc::into_inner(connection).expect("the run has let go of all else"))
    }
}

/// What had happened before a statement.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// [`alloc::Counts::refused`].
    refused: u64,
    /// [`Execution::hit_count`].
    hits: u64,
}

/// A prepared statement that is kept.
pub(super) struct Held<'c> {
    pub statement: HeldStatement<'c>,
    verb: &'static str,
    /// Its position in the script.
    sql: Range<usize>,
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

/// Whether the tokenizer or the grammar rejected the statement that just failed with `code`. Later errors,
/// such as a missing table, have the same result code: only the message tells them apart. For statistics,
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
