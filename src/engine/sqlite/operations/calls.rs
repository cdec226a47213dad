//! Operations that are calls of SQLite's interface: backup, blob, checkpoint, serialize, session.

use std::rc::Rc;

use super::shelf::Changeset;
use super::{State, index, is};
use crate::engine::Code;
use crate::engine::sqlite::ffi::held::{self, Backup, Blob, Session};
use crate::testcase::{CheckpointMode, Operation};

/// Maximum number of bytes read from a blob at once.
const BLOB_READ_BYTES_MAX: usize = 1 << 16;
/// Pages, or as many bytes as in that many pages, copied at the cost of a hundred VM steps.
const PAGES_PER_TICK: u64 = 16;
const PAGE_BYTES: u64 = 1024;

impl State<'_> {
    pub(super) fn backup_operation(&mut self, operation: &Operation) -> Option<()> {
        match operation {
            Operation::BackupStart { from, to } => {
                let (source, destination) = (self.get(*from)?, self.get(*to)?);
                // Using the destination for anything else would be misuse.
                self.backups[index(*from)] = None;
                self.blobs[index(*to)] = None;
                self.execution.use_connection(Ok(Rc::clone(&destination)));
                let slot = &mut self.backups[index(*to)];
                self.execution.call("BACKUP", false, |_| match Backup::start(&source, &destination) {
                    Ok(backup) => {
                        *slot = Some(backup);
                        (Code::OK, Vec::new())
                    }
                    Err(code) => (code, Vec::new()),
                });
            }
            Operation::BackupStep { to, pages } => {
                let slot = &mut self.backups[index(*to)];
                let backup = slot.as_mut()?;
                let connection = Rc::clone(&self.connections[index(*to)].as_ref()?.connection);
                let watch = Rc::clone(self.execution.watch());
                self.execution.use_connection(Ok(connection));
                self.execution.call("BACKUP", false, |_| {
                    let (code, count) = backup.step(*pages);
                    let copied = u64::try_from(*pages).map_or(count, |pages| pages.min(count));
                    watch.charge_ticks(1 + copied / PAGES_PER_TICK);
                    (code, count.to_le_bytes().to_vec())
                });
            }
            Operation::BackupFinish { to } => {
                let backup = self.backups[index(*to)].take()?;
                self.on(*to)?;
                self.execution.call("BACKUP", false, |_| (backup.finish(), Vec::new()));
            }
            _ => {}
        }
        Some(())
    }

    pub(super) fn blob_operation(&mut self, operation: &Operation) -> Option<()> {
        let (Operation::BlobOpen { connection, .. }
        | Operation::BlobRead { connection, .. }
        | Operation::BlobWrite { connection, .. }
        | Operation::BlobReopen { connection, .. }
        | Operation::BlobClose { connection }) = operation
        else {
            return None;
        };
        self.on(*connection)?;
        let connection = Rc::clone(self.execution.connection());
        let slot =
            &mut self.blobs[self.connections.iter().position(|slot| is(slot.as_ref(), &connection))?];
        let none = Vec::new();
        match operation {
            Operation::BlobOpen { table, column, row, is_writable, .. } => {
                *slot = None;
                self.execution.call("BLOB", true, |_| {
                    match Blob::open(&connection, "main", table, column, *row, *is_writable) {
                        Ok(blob) => {
                            *slot = Some(blob);
                            (Code::OK, none)
                        }
                        Err(code) => (code, none),
                    }
                });
            }
            Operation::BlobRead { offset, bytes, .. } => {
                let blob = slot.as_mut()?;
                let mut out = vec![0; usize::try_from(*bytes).unwrap_or(0).min(BLOB_READ_BYTES_MAX)];
                let watch = Rc::clone(self.execution.watch());
                self.execution.call("BLOB", true, |_| {
                    watch.charge_ticks(out.len() as u64 / PAGE_BYTES / PAGES_PER_TICK);
                    (blob.read(*offset, &mut out), out)
                });
            }
            Operation::BlobWrite { offset, content, .. } => {
                let blob = slot.as_mut()?;
                self.execution.call("BLOB", false, |_| (blob.write(*offset, content), none));
            }
            Operation::BlobReopen { row, .. } => {
                let blob = slot.as_mut()?;
                self.execution.call("BLOB", true, |_| (blob.reopen(*row), none));
            }
            _ => {
                let blob = slot.take()?;
                self.execution.call("BLOB", true, |_| (blob.close(), none));
            }
        }
        Some(())
    }

    pub(super) fn checkpoint(&mut self, connection: u8, mode: CheckpointMode) -> Option<()> {
        self.on(connection)?;
        let watch = Rc::clone(self.execution.watch());
        let mut told = [0; 2];
        self.execution.call("CHECKPOINT", false, |connection| {
            let (code, frames) = connection.checkpoint(mode);
            told = frames;
            let done = u64::try_from(frames[1]).unwrap_or(0);
            watch.charge_ticks(done / PAGES_PER_TICK);
            (code, done.to_le_bytes().to_vec())
        });
        self.execution.note_frames(told);
        Some(())
    }

    pub(super) fn serialize(&mut self, connection: u8) -> Option<()> {
        self.on(connection)?;
        let watch = Rc::clone(self.execution.watch());
        let image = &mut self.shelf.image;
        self.execution.call("SERIALIZE", true, |connection| {
            *image = connection.serialize();
            let bytes = image.clone().unwrap_or_default();
            watch.charge_ticks(bytes.len() as u64 / PAGE_BYTES / PAGES_PER_TICK);
            (Code::OK, bytes)
        });
        Some(())
    }

    pub(super) fn deserialize(&mut self, connection: u8, is_read_only: bool) -> Option<()> {
        let image = self.shelf.image.take()?;
        let at = index(connection);
        self.on(connection)?;
        self.blobs[at] = None;
        self.sessions[at] = None;
        self.connections[at].as_mut()?.is_home = false;
        let watch = Rc::clone(self.execution.watch());
        self.execution.call("DESERIALIZE", true, |connection| {
            watch.charge_ticks(image.len() as u64 / PAGE_BYTES / PAGES_PER_TICK);
            (connection.deserialize(&image, is_read_only), Vec::new())
        });
        self.shelf.image = Some(image);
        Some(())
    }

    pub(super) fn session_operation(&mut self, operation: &Operation) -> Option<()> {
        match operation {
            Operation::SessionStart { connection } => {
                self.on(*connection)?;
                let connection = Rc::clone(self.execution.connection());
                let at = self.connections.iter().position(|slot| is(slot.as_ref(), &connection))?;
                self.sessions[at] = None;
                let slot = &mut self.sessions[at];
                self.execution.call("SESSION", true, |_| match Session::start(&connection) {
                    Ok(session) => {
                        *slot = Some(session);
                        (Code::OK, Vec::new())
                    }
                    Err(code) => (code, Vec::new()),
                });
            }
            Operation::SessionTake { connection, is_patchset } => {
                let at = index(*connection);
                self.sessions[at].as_ref()?;
                self.on(*connection)?;
                let session = self.sessions[at].as_mut()?;
                let (changes, is_patchset) = (&mut self.shelf.changes, *is_patchset);
                self.execution.call("SESSION", true, |_| match session.take(is_patchset) {
                    Ok(bytes) => {
                        *changes = Some(Changeset { content: bytes.clone(), is_patchset, is_raw: false });
                        (Code::OK, bytes)
                    }
                    Err(code) => (code, Vec::new()),
                });
            }
            Operation::SessionInvert => {
                self.shelf.changes.as_ref().filter(|changes| !changes.is_patchset)?;
                self.on(self.actor)?;
                let changes = self.shelf.changes.as_mut()?;
                self.execution.call(changes.verb(), true, |_| match held::invert(&changes.content) {
                    Ok(inverse) => {
                        changes.content.clone_from(&inverse);
                        (Code::OK, inverse)
                    }
                    Err(code) => (code, Vec::new()),
                });
            }
            Operation::SessionApply { connection, on_conflict } => {
                self.shelf.changes.as_ref()?;
                self.on(*connection)?;
                let changes = self.shelf.changes.as_ref()?;
                self.execution.call(changes.verb(), false, |connection| {
                    (connection.apply(&changes.content, *on_conflict).0, Vec::new())
                });
            }
            Operation::SessionEnd { connection } => self.sessions[index(*connection)] = None,
            _ => {}
        }
        Some(())
    }
}
