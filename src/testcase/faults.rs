//! The faults that a case asks for.
//!
//! The plan is part of the format from its first version on, so that no case has to be rewritten
//! when the layers that inject faults arrive. Until an executor injects a kind of fault, a case that
//! asks for it is reported as skipped, never run as if it had asked for nothing.

use super::DecodeError;
use super::envelope::Reader;
use super::sparse::write_varint;

/// Most faults in a plan.
pub const FAULTS_MAX: usize = 64;

/// One planned fault. Counts start at 1; a fault with `times` 0 stays for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The `nth` allocation fails, and the following ones until `times` have.
    Allocation {
        /// Which allocation, from 1.
        nth: u32,
        /// How many fail in a row; 0 is all that follow.
        times: u32,
    },
    /// The `nth` file operation of `kind` fails.
    Io {
        /// Kind of operation (read, write, sync, ...), numbered by the fault layer.
        kind: u32,
        /// Which operation of the kind, from 1.
        nth: u32,
        /// How many fail in a row; 0 is all that follow.
        times: u32,
    },
    /// Power is lost at the `nth` sync.
    PowerLoss {
        /// Which sync, from 1.
        nth: u32,
        /// Seed of the choice which unsynced sectors survive.
        seed: u32,
        /// log2 of the size in bytes of a sector that is written whole or torn.
        sector_log2: u32,
    },
}

impl Fault {
    fn parts(self) -> [u64; 4] {
        let parts = match self {
            Self::Allocation { nth, times } => [1, nth, times, 0],
            Self::Io { kind, nth, times } => [2, kind, nth, times],
            Self::PowerLoss { nth, seed, sector_log2 } => [3, nth, seed, sector_log2],
        };
        parts.map(u64::from)
    }

    fn from_parts(parts: [u64; 4]) -> Option<Self> {
        let [kind, a, b, c] = parts.map(|part| u32::try_from(part).unwrap_or(u32::MAX));
        match kind {
            1 => Some(Self::Allocation { nth: a, times: b }),
            2 => Some(Self::Io { kind: a, nth: b, times: c }),
            3 => Some(Self::PowerLoss { nth: a, seed: b, sector_log2: c }),
            _ => None,
        }
    }
}

/// Faults in the order in which they were planned, at most `FAULTS_MAX`. The empty plan leaves no
/// fault layer in the path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan(Vec<Fault>);

impl FaultPlan {
    /// The plan of these faults; those beyond `FAULTS_MAX` are left out.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self(faults.into_iter().take(FAULTS_MAX).collect())
    }

    /// The faults.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// True for an undisturbed run.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for part in self.0.iter().flat_map(|fault| fault.parts()) {
            write_varint(part, out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut plan = Self::default();
        while !reader.is_empty() {
            let mut parts = [0; 4];
            for part in &mut parts {
                *part = reader.varint("a planned fault")?;
            }
            match Fault::from_parts(parts) {
                Some(fault) if plan.0.len() < FAULTS_MAX => plan.0.push(fault),
                _ => reader.tolerate("unknown kind of fault, or too many faults")?,
            }
        }
        Ok(plan)
    }
}
