//! The faults that a case plans.
//!
//! If the executor cannot yet inject a kind of fault, a case that plans one is reported as skipped; it is never run as if
//! it had planned none.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::envelope::Reader;

/// Maximum number of faults in a plan.
pub const FAULTS_MAX: usize = 64;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl IoOperation {
    /// All of them.
    pub const ALL: [Self; 11] = [
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
    ];
}

/// What a file is for, as SQLite tells its VFS when it opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FileRole {
    Database,
    Journal,
    Wal,
    SharedMemory,
    SuperJournal,
    Temporary,
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

/// When power is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// At this operation on any file, counted from 1.
    Operation(u32),
    /// At this sync of any file, counted from 1.
    Sync(u32),
}

/// One planned fault. Ordinals start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The `nth` allocation fails.
    Allocation {
        /// Which allocation.
        nth: u32,
        /// How often.
        lasts: Lasts,
        /// When it is armed.
        phase: Phase,
    },
    /// The `nth` operation of this kind on a file of this role fails.
    Io {
        /// What fails.
        operation: IoOperation,
        /// On which files; `None` means any.
        role: Option<FileRole>,
        /// How it fails.
        error: IoError,
        /// Which of those operations.
        nth: u32,
        /// How often.
        lasts: Lasts,
        /// When it is armed.
        phase: Phase,
    },
    /// Power is lost.
    PowerLoss {
        /// At which operation.
        at: Moment,
        /// Seed for choosing which unsynced writes survive.
        seed: u64,
        /// log2 of the sector size in bytes; a sector is written whole or torn.
        sector_log2: u8,
        /// When it is armed.
        phase: Phase,
    },
}

impl Fault {
    /// A fault from a version 1 envelope: four numbers. The kinds of its I/O faults were never given a meaning; they are
    /// read as the operations in order.
    fn of_version_1(parts: [u64; 4]) -> Option<Self> {
        let [kind, a, b, c] = parts.map(|part| u32::try_from(part).unwrap_or(u32::MAX));
        let lasts = |times| match times {
            0 => Lasts::ForGood,
            1 => Lasts::Once,
            times => Lasts::Times(times),
        };
        let phase = Phase::Run;
        match kind {
            1 => Some(Self::Allocation { nth: a, lasts: lasts(b), phase }),
            2 => Some(Self::Io {
                operation: IoOperation::ALL[a as usize % IoOperation::ALL.len()],
                role: None,
                error: IoError::Failed,
                nth: b,
                lasts: lasts(c),
                phase,
            }),
            3 => Some(Self::PowerLoss {
                at: Moment::Sync(a),
                seed: b.into(),
                sector_log2: u8::try_from(c).unwrap_or(u8::MAX),
                phase,
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self {
            Self::Allocation { nth, lasts, phase } => {
                write!(f, "allocation {nth} fails{lasts}")?;
                phase
            }
            Self::Io { operation, role, error, nth, lasts, phase } => {
                let role = role.map_or("any file".to_owned(), |role| format!("{role:?}"));
                write!(f, "{operation:?} {nth} of {role} fails: {error:?}{lasts}")?;
                phase
            }
            Self::PowerLoss { at, seed, sector_log2, phase } => {
                write!(f, "power loss at {at:?}, sectors of 2^{sector_log2} bytes, seed {seed}")?;
                phase
            }
        };
        f.write_str(if *phase == Phase::Recovery { ", during recovery" } else { "" })
    }
}

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => Ok(()),
            Self::Times(times) => write!(f, ", {times} times"),
            Self::ForGood => f.write_str(", and all that follow"),
        }
    }
}

/// Faults in the order they were planned, at most `FAULTS_MAX`. With an empty plan there is no
/// fault layer in the path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan(Vec<Fault>);

impl FaultPlan {
    /// A plan of these faults; those beyond `FAULTS_MAX` are dropped.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self(faults.into_iter().take(FAULTS_MAX).collect())
    }

    /// The faults.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// True if no fault is planned.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for fault in &self.0 {
            super::envelope::write_item(fault, out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.items(FAULTS_MAX, "a planned fault").map(Self)
    }

    /// The plan of a version 1 envelope.
    pub(super) fn read_version_1(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut plan = Self::default();
        while !reader.is_empty() {
            let mut parts = [0; 4];
            for part in &mut parts {
                *part = reader.varint("a planned fault")?;
            }
            match Fault::of_version_1(parts) {
                Some(fault) if plan.0.len() < FAULTS_MAX => plan.0.push(fault),
                _ => reader.tolerate("unknown kind of fault, or too many faults")?,
            }
        }
        Ok(plan)
    }
}
