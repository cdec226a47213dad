//! What can fail, on what, and how.

use serde::{Deserialize, Serialize};

/// How often a fault occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lasts {
    /// Once.
    Once,
    /// This many times in a row.
    Times(u32),
    /// Every time from then on.
    ForGood,
}

/// When a fault is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// While the case runs, until power is lost.
    Run,
    /// After the power loss: while SQLite recovers the database, and afterwards.
    Recovery,
}

/// A file operation that can fail, named after the methods of `sqlite3_io_methods` and `sqlite3_vfs`
/// (<https://sqlite.org/c3ref/io_methods.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of SQLite's methods")]
pub enum IoOperation {
    Read,
    Write,
    Sync,
    Truncate,
    FileSize,
    Lock,
    Open,
    Delete,
    Access,
    ShmMap,
    ShmLock,
    CheckReservedLock,
    /// Any of them.
    Any,
}

impl IoOperation {
    /// All of them, but for [`Self::Any`].
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Truncate,
        Self::FileSize,
        Self::Lock,
        Self::Open,
        Self::Delete,
        Self::Access,
        Self::ShmMap,
        Self::ShmLock,
        Self::CheckReservedLock,
    ];
}

/// What a file is for, as SQLite tells its VFS when it opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FileRole {
    Database,
    Journal,
    Wal,
    SharedMemory,
    SuperJournal,
    Temporary,
}

impl FileRole {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Database, Self::Journal, Self::Wal, Self::SharedMemory, Self::SuperJournal, Self::Temporary];

    /// What SQLite uses a file of this name for; a database unless the name says otherwise.
    pub fn of_name(name: &[u8]) -> Self {
        let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        if name.ends_with(b"-journal") {
            Self::Journal
        } else if name.ends_with(b"-wal") {
            Self::Wal
        } else if name.ends_with(b"-shm") {
            Self::SharedMemory
        } else if contains(b"-mj") {
            Self::SuperJournal
        } else {
            Self::Database
        }
    }
}

/// How a file operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IoError {
    /// With the operation's `SQLITE_IOERR_` code.
    Failed,
    /// Partially: fewer bytes than requested.
    Short,
    /// SQLITE_FULL.
    Full,
    /// SQLITE_CANTOPEN.
    CantOpen,
    /// SQLITE_BUSY.
    Busy,
    /// SQLITE_READONLY.
    ReadOnly,
}

impl IoError {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Failed, Self::Short, Self::Full, Self::CantOpen, Self::Busy, Self::ReadOnly];

    /// Whether an operation can fail like this. A fault counts only operations that can.
    pub fn fits(self, operation: IoOperation) -> bool {
        use IoOperation::{Lock, Open, Read, ShmLock, ShmMap, Truncate, Write};
        match self {
            Self::Failed => true,
            Self::Short => matches!(operation, Read | Write),
            Self::Full => matches!(operation, Write | Truncate),
            Self::CantOpen => operation == Open,
            Self::Busy => matches!(operation, Lock | ShmLock),
            Self::ReadOnly => matches!(operation, Open | ShmMap),
        }
    }
}

/// When power is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// Before this operation that changes the disk, counted from 1: a write, truncation, sync, creation or deletion. At the
    /// latest when the script has ended.
    Operation(u32),
    /// Before this sync of any file, counted from 1, or when the script has ended.
    Sync(u32),
    /// At each of so many operations in turn, from this one on.
    Each {
        /// The first, counted from 1.
        from: u32,
        /// How many.
        count: u32,
        /// Disks that the loss of power may leave, at most, that are tried per operation.
        images: u32,
    },
}

/// What fails at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chance {
    /// Allocations.
    Allocation,
    /// Operations of this kind on files of this role.
    Io {
        /// What fails.
        operation: IoOperation,
        /// On which files; `None` means any.
        role: Option<FileRole>,
        /// How it fails.
        error: IoError,
    },
}
