//! Calls of the VFS that other connections can notice.

use std::fmt;

use crate::testcase::FileRole;

/// What a connection is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opens a file.
    Open(FileRole),
    /// Closes it, which gives up its locks.
    Close(FileRole),
    /// Deletes a file.
    Delete(FileRole),
    /// Asks whether a file is there.
    Access(FileRole),
    /// Reads so many bytes from a position.
    Read(FileRole, i64, i32),
    /// Writes so many bytes to a position.
    Write(FileRole, i64, i32),
    /// Sets the size of a file.
    Truncate(FileRole, i64),
    /// Makes a file durable.
    Sync(FileRole),
    /// Asks for the size of a file.
    FileSize(FileRole),
    /// Takes a lock on a database file, by its number in SQLite.
    Lock(i32),
    /// Lowers its lock to this one.
    Unlock(i32),
    /// Asks whether somebody is about to write.
    CheckReservedLock,
    /// Asks for a region of the shared memory.
    ShmMap(i32),
    /// Takes so many locks of the shared memory, from this one on.
    ShmLock {
        /// The first.
        first: i32,
        /// How many.
        count: i32,
        /// Whether nobody else may hold them.
        is_exclusive: bool,
    },
    /// Gives them up.
    ShmUnlock {
        /// The first.
        first: i32,
        /// How many.
        count: i32,
    },
    /// Orders its accesses to the shared memory.
    ShmBarrier,
    /// Leaves the shared memory.
    ShmUnmap,
    /// Asks for a part of a file in memory.
    Fetch(i64, i32),
    /// Gives such a part back.
    Unfetch(i64),
    /// Waits for others.
    Sleep,
}

impl Call {
    /// True if the caller waits for others to go on.
    pub fn waits(self) -> bool {
        self == Self::Sleep
    }

    /// True if others that wait may go on afterwards.
    pub fn releases(self) -> bool {
        matches!(self, Self::Unlock(_) | Self::ShmUnlock { .. } | Self::Close(_) | Self::ShmUnmap)
    }
}

/// The locks of the wal-index by their numbers (<https://sqlite.org/walformat.html#wal_locks>).
fn slots(f: &mut fmt::Formatter<'_>, first: i32, count: i32) -> fmt::Result {
    for slot in first..first + count {
        let comma = if slot == first { "" } else { ", " };
        match slot {
            0 => write!(f, "{comma}WRITE")?,
            1 => write!(f, "{comma}CKPT")?,
            2 => write!(f, "{comma}RECOVER")?,
            slot => write!(f, "{comma}READ({})", slot - 3)?,
        }
    }
    Ok(())
}

fn file(role: FileRole) -> &'static str {
    match role {
        FileRole::Database => "the database",
        FileRole::Journal => "the journal",
        FileRole::Wal => "the WAL",
        FileRole::SharedMemory => "the shared memory",
        FileRole::SuperJournal => "the super-journal",
        _ => "a temporary file",
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LEVELS: [&str; 5] = ["UNLOCKED", "SHARED", "RESERVED", "PENDING", "EXCLUSIVE"];
        let level = |lock: i32| usize::try_from(lock).ok().and_then(|at| LEVELS.get(at)).unwrap_or(&"?");
        match *self {
            Self::Open(role) => write!(f, "opens {}", file(role)),
            Self::Close(role) => write!(f, "closes {}", file(role)),
            Self::Delete(role) => write!(f, "deletes {}", file(role)),
            Self::Access(role) => write!(f, "asks for {}", file(role)),
            Self::Read(role, at, bytes) => write!(f, "reads {bytes} bytes at {at} of {}", file(role)),
            Self::Write(role, at, bytes) => write!(f, "writes {bytes} bytes at {at} of {}", file(role)),
            Self::Truncate(role, size) => write!(f, "truncates {} to {size} bytes", file(role)),
            Self::Sync(role) => write!(f, "syncs {}", file(role)),
            Self::FileSize(role) => write!(f, "asks for the size of {}", file(role)),
            Self::Lock(lock) => write!(f, "takes the lock {}", level(lock)),
            Self::Unlock(lock) => write!(f, "lowers its lock to {}", level(lock)),
            Self::CheckReservedLock => f.write_str("asks whether somebody holds RESERVED"),
            Self::ShmMap(region) => write!(f, "maps region {region} of the wal-index"),
            Self::ShmLock { first, count, is_exclusive } => {
                f.write_str(if is_exclusive { "locks " } else { "shares " })?;
                slots(f, first, count)
            }
            Self::ShmUnlock { first, count } => {
                f.write_str("releases ")?;
                slots(f, first, count)
            }
            Self::ShmBarrier => f.write_str("barrier"),
            Self::ShmUnmap => f.write_str("leaves the wal-index"),
            Self::Fetch(at, bytes) => write!(f, "maps {bytes} bytes at {at} of the database"),
            Self::Unfetch(at) => write!(f, "unmaps what is at {at} of the database"),
            Self::Sleep => f.write_str("waits"),
        }
    }
}
