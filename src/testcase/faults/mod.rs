//! The faults that a case plans.
//!
//! What they mean when the case runs is said in [`crate::faults`]; this is plain data.

mod kinds;
mod text;
mod turns;

use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::envelope::Reader;

pub use kinds::{Chance, FileRole, IoError, IoOperation, Lasts, Moment, Phase};

/// Maximum number of faults in a plan.
pub const FAULTS_MAX: usize = 64;

/// One planned fault. Ordinals start at 1; 0 is each in turn: what meets it is repeated until it does not, which is the
/// recovery, or the whole case; while fuzzing, where that takes too long, it is the first.
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
        /// Which unsynced writes survive, and how: see [`crate::faults::crash::Damage`].
        seed: u64,
        /// log2 of the sector size in bytes, at most that of the device: a write that is interrupted is torn between
        /// sectors.
        sector_log2: u8,
        /// When it is armed.
        phase: Phase,
    },
    /// The `nth` allocation of a call site fails.
    AllocationAt {
        /// The call site: the call stacks of allocations are numbered from 1, in the order in which they first occur.
        site: u32,
        /// Which allocation.
        nth: u32,
        /// How often.
        lasts: Lasts,
        /// When it is armed.
        phase: Phase,
    },
    /// Some fail, at random.
    Random {
        /// What fails.
        what: Chance,
        /// The rate: one in so many; 0 is none.
        one_in: u32,
        /// The seed of the choices.
        seed: u32,
        /// When it is armed.
        phase: Phase,
    },
    /// The statement that runs is interrupted (`sqlite3_interrupt`), at the `nth` time that SQLite's virtual machine looks
    /// for that.
    Interrupt {
        /// Which time.
        nth: u32,
        /// How often.
        lasts: Lasts,
        /// When it is armed.
        phase: Phase,
    },
    /// A bit flips on the disk between two statements.
    BitFlip {
        /// The statement of the script before which it does, counted from 1.
        statement: u32,
        /// In the file of the main database that has this role; nothing happens without one.
        role: FileRole,
        /// Which bit, modulo the size of the file.
        bit: u64,
    },
}

/// How many operations version 1 of the envelope knew: the first ones.
const OPERATIONS_OF_VERSION_1: usize = 11;

impl Fault {
    /// When it is armed.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Allocation { phase, .. }
            | Self::AllocationAt { phase, .. }
            | Self::Io { phase, .. }
            | Self::PowerLoss { phase, .. }
            | Self::Random { phase, .. }
            | Self::Interrupt { phase, .. } => *phase,
            Self::BitFlip { .. } => Phase::Run,
        }
    }

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
                operation: IoOperation::ALL[a as usize % OPERATIONS_OF_VERSION_1],
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

    /// Those that are armed in a phase.
    pub fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(move |fault| fault.phase() == phase)
    }

    /// Whether power is lost while the case runs.
    pub fn loses_power(&self) -> bool {
        self.in_phase(Phase::Run).any(|fault| matches!(fault, Fault::PowerLoss { .. }))
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
