//! Connections and statements, opened, closed and used in other ways.

use std::ops::Range;
use std::rc::Rc;

use rusqlite::ffi;

use super::{Slot, State, index, is};
use crate::engine::sqlite::ffi::held::{Backup, Blob};
use crate::engine::{Code, Taint};
use crate::testcase::{
    FileName, MAIN_DB, OpenMode, OpenOptions, Operation, PrepareForm, STATEMENTS_MAX, Supplied,
};

/// Bytes that are copied at the cost of a hundred VM steps.
const BYTES_PER_TICK: u64 = 1 << 14;

impl State<'_> {
    pub(super) fn open_as(&mut self, id: u8, file: &FileName, options: OpenOptions) -> Option<()> {
        let at = index(id);
        self.let_go(at);
        // As in `open`.
        let result = if file.as_str().contains('-') {
            Err(Code(ffi::SQLITE_AUTH))
        } else {
            let (executor, case, budget) =
                (self.execution.executor, self.execution.case, self.execution.budget);
            self.execution.exposed(|| executor.open_with(case, budget, file, options, self.execution.watch()))
        };
        let connection = self.noted(result)?;
        let is_in_memory = options.mode == OpenMode::Memory;
        let is_main = file.as_str() == MAIN_DB;
        if !is_main && !is_in_memory {
            connection.watch().note_file(file.as_str());
        }
        // Whoever says that a file does not change, or does not lock it, is to blame for what comes of that.
        if (options.is_immutable || options.has_no_locks) && !is_in_memory {
            connection.watch().note(Taint::UNLOCKED);
        }
        let is_plain = OpenOptions { is_utf16: false, is_powersafe: None, ..options };
        let is_home = is_main && is_plain == OpenOptions { mode: is_plain.mode, ..OpenOptions::default() };
        let is_home = is_home && !matches!(options.mode, OpenMode::ReadOnly | OpenMode::Memory);
        self.connections[at] = Some(Slot { connection: Rc::new(connection), is_home });
        Some(())
    }

    /// Gives the connection up; statements that are held keep it open.
    pub(super) fn close_later(&mut self, at: usize) -> Option<()> {
        let connection = Rc::clone(&self.connections[at].as_ref()?.connection);
        for backup in &mut self.backups {
            backup.take_if(|backup| Rc::ptr_eq(backup.from(), &connection));
        }
        (self.backups[at], self.sessions[at]) = (None, None);
        // A blob may be closed after its connection, as statements are finalized.
        let blob = self.blobs[at].take();
        self.connections[at] = None;
        if connection.may_be_writing() {
            self.execution.watch().note_rollback();
        }
        self.execution.use_connection(Err(Code::OK));
        let code = connection.close_later();
        drop(blob);
        self.execution.note_close(code);
        Some(())
    }

    pub(super) fn prepare_as(
        &mut self,
        connection: u8,
        statement: u8,
        form: PrepareForm,
        at: Range<usize>,
    ) -> Option<()> {
        self.on(connection)?;
        let text = self.execution.case.sql.as_bytes();
        let held = self.execution.prepare_held_as(&text[at.clone()], at, form);
        self.statements[usize::from(statement % STATEMENTS_MAX)] = held;
        Some(())
    }

    /// Operations on a statement beyond [`State::statement_operation`].
    pub(super) fn statement_detail(&mut self, operation: &Operation) -> Option<()> {
        let (Operation::BindAs { statement, .. } | Operation::AskStatement { statement, .. }) = operation
        else {
            return None;
        };
        let at = usize::from(statement % STATEMENTS_MAX);
        // It leaves its place, so that another one can be looked at meanwhile.
        let mut held = self.statements[at].take()?;
        let connection = Rc::clone(held.statement.connection());
        let place = self.connections.iter().position(|slot| is(slot.as_ref(), &connection));
        if let Some(place) = place {
            self.backups[place] = None;
            self.execution.use_connection(Ok(connection));
            match operation {
                Operation::BindAs { parameter, value, .. } => {
                    let source = match value {
                        Supplied::Column { statement, .. } => {
                            self.statements[usize::from(statement % STATEMENTS_MAX)].as_ref()
                        }
                        _ => None,
                    };
                    let source = source.map(|source| &source.statement);
                    held.statement.statement().reset(false);
                    let mut bound = None;
                    self.execution.call("BIND", true, |_| {
                        bound = held.statement.bind_as(parameter, value, source);
                        (bound.unwrap_or(Code::OK), Vec::new())
                    });
                }
                Operation::AskStatement { question, .. } => {
                    let statement = held.statement.statement();
                    self.execution.call("ASK", true, |_| statement.ask(question));
                }
                _ => {}
            }
        }
        self.statements[at] = Some(held);
        Some(())
    }

    /// Operations on a database of a connection other than the main one.
    pub(super) fn schema_operation(&mut self, operation: &Operation) -> Option<()> {
        match operation {
            Operation::BackupStartAs { from, from_schema, to, to_schema } => {
                self.start_backup((*from, from_schema), (*to, to_schema))?;
            }
            Operation::BlobOpenAs { connection, schema, table, column, row, is_writable } => {
                self.on(*connection)?;
                let connection = Rc::clone(self.execution.connection());
                let at = self.connections.iter().position(|slot| is(slot.as_ref(), &connection))?;
                self.blobs[at] = None;
                let slot = &mut self.blobs[at];
                self.execution.call("BLOB", true, |_| {
                    match Blob::open(&connection, schema, table, column, *row, *is_writable) {
                        Ok(blob) => {
                            let bytes = blob.bytes();
                            *slot = Some(blob);
                            (Code::OK, bytes.to_le_bytes().to_vec())
                        }
                        Err(code) => (code, Vec::new()),
                    }
                });
            }
            Operation::SerializeAs { connection, schema } => {
                self.on(*connection)?;
                let watch = Rc::clone(self.execution.watch());
                let image = &mut self.shelf.image;
                self.execution.call("SERIALIZE", true, |connection| {
                    *image = connection.serialize_schema(schema);
                    let bytes = image.clone().unwrap_or_default();
                    watch.charge_ticks(bytes.len() as u64 / BYTES_PER_TICK);
                    (Code::OK, bytes)
                });
            }
            Operation::DeserializeAs { connection, schema, is_read_only, is_resizable, room } => {
                self.shelf.image.as_ref()?;
                let at = index(*connection);
                self.on(*connection)?;
                (self.blobs[at], self.sessions[at]) = (None, None);
                let is_main = schema.eq_ignore_ascii_case("main");
                self.connections[at].as_mut()?.is_home &= !is_main;
                let watch = Rc::clone(self.execution.watch());
                let image = self.shelf.image.as_ref()?;
                self.execution.call("DESERIALIZE", true, |connection| {
                    watch.charge_ticks(image.len() as u64 / BYTES_PER_TICK);
                    let code =
                        connection.deserialize_schema(image, schema, *is_read_only, *is_resizable, *room);
                    (code, Vec::new())
                });
            }
            _ => {}
        }
        Some(())
    }

    fn start_backup(&mut self, (from, from_schema): (u8, &str), (to, to_schema): (u8, &str)) -> Option<()> {
        let (source, destination) = (self.get(from)?, self.get(to)?);
        // As in `backup_operation`.
        self.backups[index(from)] = None;
        self.blobs[index(to)] = None;
        self.execution.use_connection(Ok(Rc::clone(&destination)));
        let slot = &mut self.backups[index(to)];
        self.execution.call("BACKUP", false, |_| {
            match Backup::start_between((&source, from_schema), (&destination, to_schema)) {
                Ok(backup) => {
                    *slot = Some(backup);
                    (Code::OK, Vec::new())
                }
                Err(code) => (code, Vec::new()),
            }
        });
        Some(())
    }
}
