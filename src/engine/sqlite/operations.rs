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
mod registering;
mod sessions;
mod shelf;

use std::ffi::CString;
use std::ops::Range;
use std::rc::Rc;

use rusqlite::ffi;
use shelf::Shelf;

use super::execution::{Execution, Held, query};
use super::executor::MAIN_PATH;
use super::ffi::Connection;
use super::ffi::held::{Backup, Blob, Session};
use crate::engine::{Code, Taint, Value};
use crate::testcase::{CONNECTIONS_MAX, FileName, MAIN_DB, Operation, Operations, STATEMENTS_MAX};

/// Performs the operations; each that takes a statement takes the next of `statements`. Afterwards only connection 0 is
/// left, open on the main database.
pub(super) fn run<'c>(
    operations: &Operations,
    statements: &mut dyn Iterator<Item = Range<usize>>,
    execution: &mut Execution<'c>,
) {
    let mut state = State::new(execution);
    for operation in operations.list() {
        if state.execution.is_used_up() {
            break;
        }
        state.perform(operation, statements);
    }
    state.end();
}

/// A connection of a case.
struct Slot<'c> {
    connection: Rc<Connection<'c>>,
    /// True if it is open on the main database for writing.
    is_home: bool,
}

/// The state between two operations.
struct State<'e, 'c> {
    execution: &'e mut Execution<'c>,
    // Fields that need a connection are declared before it, so they are dropped first.
    statements: [Option<Held<'c>>; STATEMENTS_MAX as usize],
    /// By destination.
    backups: [Option<Backup<'c>>; CONNECTIONS_MAX as usize],
    blobs: [Option<Blob<'c>>; CONNECTIONS_MAX as usize],
    sessions: [Option<Session<'c>>; CONNECTIONS_MAX as usize],
    connections: [Option<Slot<'c>>; CONNECTIONS_MAX as usize],
    shelf: Shelf,
}

impl<'e, 'c> State<'e, 'c> {
    fn new(execution: &'e mut Execution<'c>) -> Self {
        let connection = Rc::clone(execution.connection());
        let mut connections = [const { None }; CONNECTIONS_MAX as usize];
        connections[0] = Some(Slot { connection, is_home: true });
        Self {
            execution,
            statements: [const { None }; STATEMENTS_MAX as usize],
            backups: [const { None }; CONNECTIONS_MAX as usize],
            blobs: [const { None }; CONNECTIONS_MAX as usize],
            sessions: [const { None }; CONNECTIONS_MAX as usize],
            connections,
            shelf: Shelf::default(),
        }
    }

    fn perform(&mut self, operation: &Operation, statements: &mut dyn Iterator<Item = Range<usize>>) {
        if !operation.takes_statement() {
            self.execution.tell_observer(operation.to_string().as_bytes());
        }
        let next = operation.takes_statement().then(|| statements.next()).flatten();
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
            Operation::PowerCut => self.cut_power(),
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
        let Execution { executor, case, budget, .. } = *self.execution;
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
        self.execution.note_close(self.execution.executor.close(connection));
    }

    /// Drops all connections; nothing that closing them does reaches the disk.
    fn cut_power(&mut self) -> Option<()> {
        let connections = self.connections.iter().zip(&self.backups);
        let is_at_risk = |(slot, backup): (&Option<Slot<'c>>, &Option<Backup<'c>>)| {
            // The destination of a backup cannot be queried.
            let is_safe = |slot: &Slot<'c>| !slot.connection.may_be_writing() || has_journal_on_disk(slot);
            backup.is_some() || !slot.as_ref().is_none_or(is_safe)
        };
        if connections.into_iter().any(is_at_risk) {
            self.execution.watch().note(Taint::POWER_CUT);
        }
        let executor = self.execution.executor;
        let files: Vec<(Vec<u8>, Vec<u8>)> = {
            let machine = executor.vfs.machine();
            let named = machine.disk.named_files();
            named.into_iter().map(|(name, content)| (name.to_vec(), content.to_vec())).collect()
        };
        // Statements whose connection was given up may hold a transaction open, too.
        let mut left = self.statements.iter().flatten().map(|held| held.statement.connection());
        if left.any(|connection| connection.is_given_up() && connection.may_be_writing()) {
            self.execution.watch().note(Taint::POWER_CUT);
        }
        (0..self.connections.len()).for_each(|at| self.let_go(at));
        self.statements = [const { None }; STATEMENTS_MAX as usize];
        executor.vfs.machine().disk.replace_named(&files);
        self.shelf = Shelf::default();
        None
    }

    /// Drops everything except connection 0, which is then open on the main database.
    fn end(mut self) {
        (1..self.connections.len()).for_each(|at| self.let_go(at));
        self.statements = [const { None }; STATEMENTS_MAX as usize];
        (self.backups[0], self.blobs[0], self.sessions[0]) = (None, None, None);
        if self.connections[0].as_ref().is_some_and(|slot| !slot.is_home) {
            self.let_go(0);
        }
        let connection = self.get(0).ok_or(Code(ffi::SQLITE_CANTOPEN));
        self.execution.use_connection(connection);
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
