//! A simulated computer, as far as SQLite sees it.

use rusqlite::ffi;

use super::disk::{Disk, HandleId};
use super::order::{self, Order};
use super::rules::{Failing, Hit, Hits, Rules};
use crate::testcase::{FileRole, IoError, IoOperation};

/// The disk, and the properties that SQLite asks for.
#[derive(Debug)]
pub struct Machine {
    /// Files, locks, shared memory.
    pub disk: Disk,
    /// Sector size in bytes.
    pub sector_bytes: u32,
    /// `SQLITE_IOCAP_` flags.
    pub characteristics: u32,
    /// Milliseconds since the start of the case: what [`super::vfs::CLOCK_JULIAN_MS`] is behind.
    pub elapsed_ms: i64,
    /// Source of `xRandomness`.
    pub random: fastrand::Rng,
    /// A planted bug, so that a check can be seen to fail; set only in self-tests.
    pub plant: Option<DiskPlant>,
    /// Database pages read or written so far, for `plant`.
    pub(super) page_operations: u32,
    /// The operations on files that fail, while they are armed.
    faults: Option<Rules<Failing>>,
    are_armed: bool,
    /// What failed because a fault was planned, but for allocations.
    pub hits: Hits,
    /// Whether what must be durable is durable; `None` on a device that needs fewer syncs.
    order: Option<Order>,
    /// The order in which connections began to write and were done with it.
    pub writers: Writers,
    /// Whether a read returned what nobody wrote: a bit was flipped, or the read was short in the middle of a file.
    pub has_lied: bool,
}

/// Who could write, and when. Numbers count the changes of all locks for writing of main databases, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writers {
    /// Whose call it is: a number that [`super::vfs::Vfs`]'s users choose, less than 4.
    pub actor: u8,
    /// The last change.
    pub changes: u64,
    /// When each last got the lock; 0 for never.
    pub got: [u64; 4],
    /// When each last gave it up.
    pub released: [u64; 4],
    /// How often each got a lock for reading.
    pub reads: [u64; 4],
    /// The last change when it last did.
    pub read_at: [u64; 4],
}

impl Writers {
    /// Whether the actor could read and write before, and can now.
    fn note(&mut self, [could_read, could_write]: [bool; 2], [can_read, can_write]: [bool; 2]) {
        let actor = usize::from(self.actor % 4);
        if could_write != can_write {
            self.changes += 1;
            let list = if can_write { &mut self.got } else { &mut self.released };
            list[actor] = self.changes;
        }
        if can_read && !could_read {
            self.reads[actor] += 1;
            self.read_at[actor] = self.changes;
        }
    }
}

/// Bugs that a disk can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskPlant {
    /// Every third page written to a database is lost.
    LostWrites,
    /// The freelist is missing from the first page when that is written.
    LostFreelist,
    /// After three reads, a database page reads with its first byte changed.
    WrongReads,
    /// Closing a journal leaves its handle open.
    LeakedHandle,
    /// A sync does nothing.
    LyingSync,
    /// Half of what was written since the last sync becomes durable only with the next one.
    LateSync,
    /// What is written to a rollback journal does not arrive.
    DroppedJournal,
    /// With a journal, the first of all files is deleted.
    GreedyDelete,
    /// Everybody gets the lock of the writer of a WAL.
    FreeWriterLock,
    /// Everybody gets every lock on a database file.
    FreeFileLocks,
    /// Who gives up a lock on a database file keeps SHARED.
    KeptLocks,
}

impl Machine {
    /// A machine with an empty disk of `disk_bytes`.
    pub fn new(disk_bytes: usize) -> Self {
        Self {
            disk: Disk::new(disk_bytes),
            sector_bytes: 4096,
            characteristics: 0,
            elapsed_ms: 0,
            random: fastrand::Rng::with_seed(1),
            plant: None,
            page_operations: 0,
            faults: None,
            are_armed: false,
            hits: Hits::new(),
            writers: Writers::default(),
            has_lied: false,
            order: None,
        }
    }

    /// Checks from now on whether what must be durable is durable, unless the device needs fewer syncs.
    pub fn check_order(&mut self) {
        const NEEDS_FEWER: i32 = ffi::SQLITE_IOCAP_SEQUENTIAL
            | ffi::SQLITE_IOCAP_BATCH_ATOMIC
            | ffi::SQLITE_IOCAP_ATOMIC
            | ffi::SQLITE_IOCAP_ATOMIC512
            | ffi::SQLITE_IOCAP_ATOMIC1K
            | ffi::SQLITE_IOCAP_ATOMIC2K
            | ffi::SQLITE_IOCAP_ATOMIC4K
            | ffi::SQLITE_IOCAP_ATOMIC8K
            | ffi::SQLITE_IOCAP_ATOMIC16K
            | ffi::SQLITE_IOCAP_ATOMIC32K
            | ffi::SQLITE_IOCAP_ATOMIC64K;
        self.order = (self.characteristics & NEEDS_FEWER as u32 == 0).then(Order::default);
    }

    /// What was written before what had to be durable first was.
    pub fn order_violation(&self) -> Option<&str> {
        self.order.as_ref()?.violation.as_deref()
    }

    /// Something is about to be written.
    pub(super) fn before_write(&mut self, handle: HandleId, role: FileRole, offset: u64, bytes: &[u8]) {
        let Self { disk, order: Some(order), .. } = self else {
            return;
        };
        let Some(name) = disk.name(handle) else {
            return;
        };
        let name = order::database_of(name, role);
        let content = |suffix: &[u8]| disk.content(&[name, suffix].concat());
        let files = || order::Files {
            database: disk.content(name).unwrap_or_default(),
            journal: content(b"-journal"),
            log: content(b"-wal"),
        };
        match role {
            FileRole::Database => order.page(name, offset, bytes, &files()),
            FileRole::Journal if offset == 0 => order.journal(name, offset, bytes, &files()),
            FileRole::Wal => order.log(name, offset, content(b"-wal").unwrap_or_default()),
            _ => {}
        }
    }

    /// Does something to the locks of a handle, and notes what it can do afterwards.
    pub(super) fn with_locks<T>(&mut self, handle: HandleId, action: impl FnOnce(&mut Disk) -> T) -> T {
        let could = self.disk.access(handle);
        let result = action(&mut self.disk);
        let can = self.disk.access(handle);
        self.writers.note(could, can);
        result
    }

    /// A file was synced.
    pub(super) fn after_sync(&mut self, handle: HandleId, role: FileRole) {
        let Self { disk, order: Some(order), .. } = self else {
            return;
        };
        let Some(name) = disk.name(handle) else {
            return;
        };
        let content = disk.content(name).unwrap_or_default();
        match role {
            FileRole::Journal => order.journal_synced(order::database_of(name, role), content),
            FileRole::Wal => order.log_synced(order::database_of(name, role), content),
            _ => {}
        }
    }

    /// A file loses all or some of its content: it is deleted or truncated.
    pub(super) fn before_loss(&mut self, name: &[u8], role: FileRole) {
        if let Some(order) = &mut self.order {
            match role {
                FileRole::Journal => order.journal_gone(order::database_of(name, role)),
                FileRole::Wal => order.log_gone(order::database_of(name, role)),
                _ => {}
            }
        }
    }

    /// The wal-index, while nobody holds the lock of the writer, says that so many frames of so many are in the database.
    pub(super) fn frames(&mut self, backfilled: u32, frames: u32) {
        if let Some(order) = &mut self.order {
            order.frames(backfilled, frames);
        }
    }

    /// Whether [`Machine::check_order`] was called.
    pub(super) fn checks_order(&self) -> bool {
        self.order.is_some()
    }

    /// Sets the operations that fail while they are armed; none are until [`Machine::arm`].
    pub(crate) fn set_faults(&mut self, faults: Option<Rules<Failing>>) {
        (self.faults, self.are_armed) = (faults, false);
    }

    /// Arms or disarms the faults.
    pub(crate) fn arm(&mut self, is_armed: bool) {
        self.are_armed = is_armed && self.faults.is_some();
    }

    /// Whether faults are armed.
    pub(super) fn is_armed(&self) -> bool {
        self.are_armed
    }

    /// Whether a fault is planned for an operation, and which.
    pub(super) fn fails(&mut self, operation: IoOperation, role: FileRole) -> Option<IoError> {
        if !self.are_armed {
            return None;
        }
        let failing = self.faults.as_mut()?.first(|failing| failing.is_about(operation, role))?;
        let error = failing.error;
        self.has_lied |= operation == IoOperation::Read && error == IoError::Short;
        *self.hits.entry(Hit::Io(operation, role)).or_default() += 1;
        Some(error)
    }

    /// Flips a bit of a file, counted modulo its size; nothing if there is none, or it is empty.
    pub(crate) fn flip_bit(&mut self, name: &[u8], bit: u64) {
        if self.disk.flip_bit(name, bit) {
            self.has_lied = true;
            *self.hits.entry(Hit::BitFlip).or_default() += 1;
        }
    }
}
