//! Performs a case's operations, in the order written, on several connections.
//!
//! An operation that cannot be performed does nothing, for example one on a statement that was never prepared. What SQLite
//! forbids is never attempted: the destination of a backup is used only after the backup, a statement is reset before
//! something is bound to it, a patchset is not inverted. Everything else is passed to SQLite, and its result is part of the
//! trace, including SQLITE_BUSY. So is what callbacks are told.
//!
//! Nothing waits for another connection: `sqlite3_unlock_notify` is not in the SQLite that is built here.

mod calls;
mod dispatch;
mod opening;
mod plan;
mod registering;
mod sessions;
mod shelf;
mod turns;

pub use turns::OnSwitch;

use std::cell::RefCell;
use std::ffi::CString;
use std::ops::Range;
use std::rc::Rc;

use self::plan::Step;
use self::shelf::Shelf;
use self::turns::Rota;
use super::execution::{Execution, Held, query};
use super::executor::{Executor, MAIN_PATH};
use super::ffi::Connection;
use super::ffi::held::{Backup, Blob, Session};
use crate::engine::{Code, Taint, Value};
use crate::schedules::{Replay, Scheduler};
use crate::testcase::{CONNECTIONS_MAX, FileName, MAIN_DB, Operation, Operations, STATEMENTS_MAX};
use rusqlite::ffi;

/// Performs the operations; each that takes a statement takes the next of `statements`. Afterwards only connection 0 is
/// left, open on the main database.
pub(super) fn run<'c>(
    operations: &Operations,
    statements: &mut dyn Iterator<Item = Range<usize>>,
    execution: &mut Execution<'c>,
) {
    let steps = plan::plan(operations.list(), statements);
    let mut crew = Crew::new(execution, &steps);
    let asked = crew.executor.scheduler.take();
    let is_asked = asked.is_some();
    let scheduler = asked.or_else(|| {
        let mut replay = Replay::new(execution.case.schedule.clone());
        (!execution.case.schedule.is_empty() && replay.begin()).then(|| Box::new(replay) as Box<_>)
    });
    match scheduler {
        Some(scheduler) => {
            let scheduler = crew.take_turns(&steps, scheduler, execution);
            crew.executor.scheduler.replace(is_asked.then_some(scheduler));
        }
        None => crew.in_order(&steps),
    }
    crew.end(execution);
}

/// Ticks and bytes that reading the schema may take.
const SCHEMA_TICKS: u64 = 500;
const SCHEMA_BYTES: u64 = 64 << 20;

/// All connections.
struct Crew<'c> {
    executor: &'c Executor,
    /// By actor.
    states: [Option<State<'c>>; CONNECTIONS_MAX as usize],
}

impl<'c> Crew<'c> {
    /// Those that do something, and connection 0, which is open already.
    fn new(execution: &mut Execution<'c>, steps: &[Step]) -> Self {
        let shared = Rc::default();
        let first = Rc::clone(execution.connection());
        execution.use_connection(Err(Code::OK));
        let mut states = [const { None }; CONNECTIONS_MAX as usize];
        for actor in steps.iter().map(|step| step.actor).chain([0]) {
            let state = &mut states[usize::from(actor)];
            if state.is_none() {
                let opened = (actor == 0).then(|| Rc::clone(&first));
                *state = Some(State::new(actor, execution.beside(opened), Rc::clone(&shared)));
            }
        }
        Self { executor: execution.executor, states }
    }

    fn in_order(&mut self, steps: &[Step]) {
        for step in steps {
            if self.perform(step) {
                break;
            }
        }
    }

    /// Performs one; true if nothing more will run.
    fn perform(&mut self, step: &Step) -> bool {
        let state = self.states[usize::from(step.actor)].as_mut().expect("there is one for each step");
        if state.execution.is_used_up() {
            return true;
        }
        if step.operation == Operation::PowerCut {
            state.execution.tell_observer(step.operation.to_string().as_bytes());
            self.cut_power();
        } else {
            state.perform(step);
        }
        false
    }

    /// Where connections meet, and before power is cut, everybody gets to the end of what comes before in the list.
    fn take_turns(
        &mut self,
        steps: &[Step],
        scheduler: Box<dyn Scheduler>,
        execution: &Execution<'c>,
    ) -> Box<dyn Scheduler> {
        let shares_cache = steps.iter().any(|step| step.operation.shares_cache());
        let on_switch = self.executor.on_switch.borrow().clone();
        let rota = Rota::new(scheduler, shares_cache, execution.asked.has_turns, on_switch);
        let parts = |step: &Step| matches!(step.operation, Operation::PowerCut | Operation::Meet);
        for steps in steps.split_inclusive(parts) {
            let (last, others) = steps.split_last().expect("no part is empty");
            let together = if parts(last) { others } else { steps };
            self.open(together);
            rota.run(self.executor, &mut self.states, together);
            if parts(last) && self.perform(last) {
                break;
            }
        }
        let (scheduler, turns) = rota.end();
        execution.note_turns(turns);
        scheduler
    }

    /// Opens the connections before they take turns, but those that an operation opens, and lets them read the schema: with
    /// that, most of what they do has no more to do with each other than what they do later.
    fn open(&mut self, steps: &[Step]) {
        let mut seen = [false; CONNECTIONS_MAX as usize];
        for step in steps {
            let Some(connection) = step.operation.clone().connection_mut().map(|id| *id) else {
                continue;
            };
            if !std::mem::replace(&mut seen[index(connection)], true)
                && !matches!(step.operation, Operation::Open { .. })
            {
                let state = self.states[usize::from(step.actor)].as_mut().expect("as in `perform`");
                if let Some(connection) = state.get(connection) {
                    connection.watch().apart(SCHEMA_TICKS, SCHEMA_BYTES, || {
                        query(&connection, "SELECT count(*) FROM sqlite_master")
                    });
                }
            }
        }
    }

    /// Drops all connections; nothing that closing them does reaches the disk.
    fn cut_power(&mut self) {
        let states = || self.states.iter().flatten();
        if states().any(State::is_at_risk)
            && let Some(state) = states().next()
        {
            state.execution.watch().note(Taint::POWER_CUT);
        }
        let files: Vec<(Vec<u8>, Vec<u8>)> = {
            let machine = self.executor.vfs.machine();
            let named = machine.disk.named_files();
            named.into_iter().map(|(name, content)| (name.to_vec(), content.to_vec())).collect()
        };
        for state in self.states.iter_mut().flatten() {
            (0..state.connections.len()).for_each(|at| state.let_go(at));
            state.statements = [const { None }; STATEMENTS_MAX as usize];
            state.shared.take();
        }
        self.executor.vfs.machine().disk.replace_named(&files);
    }

    /// Drops everything except connection 0, which is then open on the main database.
    fn end(self, execution: &mut Execution<'c>) {
        let mut connection = None;
        for (at, state) in self.states.into_iter().enumerate() {
            let Some(mut state) = state else {
                continue;
            };
            (1..state.connections.len()).for_each(|at| state.let_go(at));
            if at == 0 {
                connection = Some(state.home());
            }
            execution.absorb(state.into_execution());
        }
        execution.use_connection(connection.expect("connection 0 is always there"));
    }
}

/// A connection of a case.
struct Slot<'c> {
    connection: Rc<Connection<'c>>,
    /// True if it is open on the main database for writing.
    is_home: bool,
}

/// The state between two operations, of connections that run one at a time.
struct State<'c> {
    /// The first of the connections.
    actor: u8,
    execution: Execution<'c>,
    // Fields that need a connection are declared before it, so they are dropped first.
    statements: [Option<Held<'c>>; STATEMENTS_MAX as usize],
    /// By destination.
    backups: [Option<Backup<'c>>; CONNECTIONS_MAX as usize],
    blobs: [Option<Blob<'c>>; CONNECTIONS_MAX as usize],
    sessions: [Option<Session<'c>>; CONNECTIONS_MAX as usize],
    connections: [Option<Slot<'c>>; CONNECTIONS_MAX as usize],
    shelf: Shelf,
    /// What all connections find when an operation begins, and leave when it is done.
    shared: Rc<RefCell<Shelf>>,
}

impl<'c> State<'c> {
    fn new(actor: u8, execution: Execution<'c>, shared: Rc<RefCell<Shelf>>) -> Self {
        let mut connections = [const { None }; CONNECTIONS_MAX as usize];
        if let Ok(connection) = &execution.connection {
            connections[0] = Some(Slot { connection: Rc::clone(connection), is_home: true });
        }
        Self {
            actor,
            execution,
            statements: [const { None }; STATEMENTS_MAX as usize],
            backups: [const { None }; CONNECTIONS_MAX as usize],
            blobs: [const { None }; CONNECTIONS_MAX as usize],
            sessions: [const { None }; CONNECTIONS_MAX as usize],
            connections,
            shelf: Shelf::default(),
            shared,
        }
    }

    fn perform(&mut self, step: &Step) {
        let is_on_shelf = step.operation.uses_shelf();
        if is_on_shelf {
            self.shelf = self.shared.borrow().clone();
        }
        self.perform_one(step);
        if is_on_shelf {
            self.shared.replace(std::mem::take(&mut self.shelf));
        }
    }

    fn perform_one(&mut self, step: &Step) {
        let operation = &step.operation;
        self.execution.executor.vfs.machine().writers.actor = self.actor;
        self.execution.begin(step.number, self.actor);
        if !operation.takes_statement() {
            self.execution.tell_observer(operation.to_string().as_bytes());
        }
        let next = step.statement.clone();
        // `None` means that the operation's object does not exist: there is nothing to do.
        let _: Option<()> = match operation {
            Operation::Run { connection } => next.and_then(|at| self.run_statement(*connection, at)),
            Operation::Prepare { connection, statement } => {
                next.and_then(|at| self.prepare(*connection, *statement, at))
            }
            Operation::Bind { .. }
            | Operation::Step { .. }
            | Operation::Reset { .. }
            | Operation::Finalize { .. } => self.statement_operation(operation),
            Operation::Open { connection, file, is_read_only } => self.open(*connection, file, *is_read_only),
            Operation::Close { connection } => self.close(index(*connection)),
            Operation::BackupStart { .. } | Operation::BackupStep { .. } | Operation::BackupFinish { .. } => {
                self.backup_operation(operation)
            }
            Operation::BlobOpen { .. }
            | Operation::BlobRead { .. }
            | Operation::BlobWrite { .. }
            | Operation::BlobReopen { .. }
            | Operation::BlobClose { .. } => self.blob_operation(operation),
            Operation::Serialize { connection } => self.serialize(*connection),
            Operation::Deserialize { connection, is_read_only } => {
                self.deserialize(*connection, *is_read_only)
            }
            Operation::Checkpoint { connection, mode } => self.checkpoint(*connection, *mode),
            Operation::SessionStart { .. }
            | Operation::SessionTake { .. }
            | Operation::SessionInvert
            | Operation::SessionApply { .. }
            | Operation::SessionEnd { .. } => self.session_operation(operation),
            // That is the matter of the whole crew.
            Operation::PowerCut | Operation::Meet => None,
            Operation::PassTime { milliseconds } => {
                self.execution.executor.vfs.machine().elapsed_ms += i64::from(*milliseconds);
                None
            }
            other => self.perform_call(other, next),
        };
    }

    /// The connection, opened if necessary; if it is the destination of a backup, that backup is ended.
    fn get(&mut self, id: u8) -> Option<Rc<Connection<'c>>> {
        let at = index(id);
        self.backups[at] = None;
        if self.connections[at].is_none() {
            let opened = self.open_file(MAIN_DB, false);
            let connection = self.noted(opened)?;
            self.connections[at] = Some(Slot { connection: Rc::new(connection), is_home: true });
        }
        self.connections[at].as_ref().map(|slot| Rc::clone(&slot.connection))
    }

    /// Makes whatever comes next run on this connection.
    fn on(&mut self, id: u8) -> Option<()> {
        let connection = self.get(id)?;
        self.execution.use_connection(Ok(connection));
        Some(())
    }

    fn open_file(&self, name: &str, is_read_only: bool) -> Result<Connection<'c>, Code> {
        let Execution { executor, case, budget, .. } = self.execution;
        let path = CString::new(name).expect("no file name has a NUL");
        let path = if name == MAIN_DB { MAIN_PATH } else { &path };
        self.execution
            .exposed(|| executor.open_another(case, budget, path, is_read_only, self.execution.watch()))
    }

    fn run_statement(&mut self, connection: u8, at: Range<usize>) -> Option<()> {
        self.on(connection)?;
        let text = self.execution.case.sql.as_bytes();
        self.execution.run(&text[at.clone()], at);
        Some(())
    }

    fn prepare(&mut self, connection: u8, statement: u8, at: Range<usize>) -> Option<()> {
        self.on(connection)?;
        let text = self.execution.case.sql.as_bytes();
        let held = self.execution.prepare_held(&text[at.clone()], at);
        self.statements[usize::from(statement % STATEMENTS_MAX)] = held;
        Some(())
    }

    fn statement_operation(&mut self, operation: &Operation) -> Option<()> {
        let (Operation::Bind { statement, .. }
        | Operation::Step { statement, .. }
        | Operation::Reset { statement, .. }
        | Operation::Finalize { statement }) = operation
        else {
            return None;
        };
        let slot = &mut self.statements[usize::from(statement % STATEMENTS_MAX)];
        let held = slot.as_mut()?;
        let connection = Rc::clone(held.statement.connection());
        if connection.is_given_up() {
            match operation {
                Operation::Reset { clears_bindings, .. } => {
                    _ = held.statement.statement().reset(*clears_bindings)
                }
                Operation::Finalize { .. } => *slot = None,
                _ => {}
            }
            return Some(());
        }
        let destination = self.connections.iter().position(|slot| is(slot.as_ref(), &connection));
        self.backups[destination?] = None;
        self.execution.use_connection(Ok(connection));
        match operation {
            Operation::Bind { parameter, value, .. } => {
                let statement = held.statement.statement();
                statement.reset(false);
                self.execution.call("BIND", true, |_| (statement.bind(*parameter, value), Vec::new()));
            }
            Operation::Step { rows, .. } => {
                let rows = if *rows == 0 { u64::MAX } else { u64::from(*rows) };
                self.execution.step_held(held, rows);
            }
            Operation::Reset { clears_bindings, .. } => {
                _ = held.statement.statement().reset(*clears_bindings)
            }
            _ => *slot = None,
        }
        Some(())
    }

    fn open(&mut self, id: u8, file: &FileName, is_read_only: bool) -> Option<()> {
        let at = index(id);
        self.let_go(at);
        // As with ATTACH: a file that belongs to another database is not a database itself.
        let result = if file.as_str().contains('-') {
            Err(Code(ffi::SQLITE_AUTH))
        } else {
            self.open_file(file.as_str(), is_read_only)
        };
        let connection = self.noted(result)?;
        let is_main = file.as_str() == MAIN_DB;
        if !is_main {
            connection.watch().note_file(file.as_str());
        }
        let is_home = is_main && !is_read_only;
        self.connections[at] = Some(Slot { connection: Rc::new(connection), is_home });
        Some(())
    }

    /// The connection; that it could not be opened becomes part of the trace.
    fn noted(&mut self, opened: Result<Connection<'c>, Code>) -> Option<Connection<'c>> {
        opened.map_err(|code| self.execution.note_open(code)).ok()
    }

    fn close(&mut self, at: usize) -> Option<()> {
        let connection = Rc::clone(&self.connections[at].as_ref()?.connection);
        self.backups[at] = None;
        let user =
            self.statements.iter().flatten().find(|held| is_same(held.statement.connection(), &connection));
        if let Some(user) = user {
            let code = user.statement.close_connection();
            self.execution.use_connection(Ok(connection));
            self.execution.call("CLOSE", true, |_| (code, Vec::new()));
            return Some(());
        }
        drop(connection);
        self.let_go(at);
        Some(())
    }

    /// Closes a connection and everything it has open.
    fn let_go(&mut self, at: usize) {
        let Some(slot) = &self.connections[at] else {
            return;
        };
        let connection = Rc::clone(&slot.connection);
        for held in &mut self.statements {
            held.take_if(|held| is_same(held.statement.connection(), &connection));
        }
        for backup in &mut self.backups {
            backup.take_if(|backup| is_same(backup.from(), &connection));
        }
        (self.backups[at], self.blobs[at], self.sessions[at]) = (None, None, None);
        self.connections[at] = None;
        // There is no current connection until an operation names one.
        self.execution.use_connection(Err(Code::OK));
        if connection.may_be_writing() {
            self.execution.watch().note_rollback();
        }
        let connection = Rc::into_inner(connection).expect("nothing else uses it");
        let code = self.execution.exposed(|| self.execution.executor.close(connection));
        self.execution.note_close(code);
    }

    /// Whether cutting power may damage a database.
    fn is_at_risk(&self) -> bool {
        // Statements whose connection was given up may hold a transaction open, too.
        let mut left = self.statements.iter().flatten().map(|held| held.statement.connection());
        if left.any(|connection| connection.is_given_up() && connection.may_be_writing()) {
            return true;
        }
        let mut connections = self.connections.iter().zip(&self.backups);
        connections.any(|(slot, backup)| {
            // The destination of a backup cannot be queried.
            let is_safe = |slot: &Slot<'c>| !slot.connection.may_be_writing() || has_journal_on_disk(slot);
            backup.is_some() || !slot.as_ref().is_none_or(is_safe)
        })
    }

    /// Connection 0 alone, open on the main database.
    fn home(&mut self) -> Result<Rc<Connection<'c>>, Code> {
        self.statements = [const { None }; STATEMENTS_MAX as usize];
        (self.backups[0], self.blobs[0], self.sessions[0]) = (None, None, None);
        if self.connections[0].as_ref().is_some_and(|slot| !slot.is_home) {
            self.let_go(0);
        }
        self.get(0).ok_or(Code(ffi::SQLITE_CANTOPEN))
    }

    /// What is left once the connections are let go.
    fn into_execution(self) -> Execution<'c> {
        self.execution
    }
}

/// Whether a transaction's journal is on the disk when power is lost.
fn has_journal_on_disk(slot: &Slot<'_>) -> bool {
    let rows = query(&slot.connection, "PRAGMA main.journal_mode").unwrap_or_default();
    let modes: [&[u8]; 4] = [b"delete", b"truncate", b"persist", b"wal"];
    matches!(rows.iter().flatten().next(), Some(Value::Text(mode)) if modes.contains(&mode.as_slice()))
}

fn index(connection: u8) -> usize {
    usize::from(connection % CONNECTIONS_MAX)
}

fn is_same<'c>(a: &Rc<Connection<'c>>, b: &Rc<Connection<'c>>) -> bool {
    Rc::ptr_eq(a, b)
}

fn is<'c>(slot: Option<&Slot<'c>>, connection: &Rc<Connection<'c>>) -> bool {
    slot.is_some_and(|slot| is_same(&slot.connection, connection))
}

#[cfg(test)]
#[path = "operations_tests.rs"]
mod tests;
