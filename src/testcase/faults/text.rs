//! Faults as text.

use std::fmt;

use super::{Chance, Fault, FileRole, IoOperation, Lasts, Moment, Phase};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocation { nth: 0, lasts, .. } => write!(f, "each allocation in turn fails{lasts}")?,
            Self::Allocation { nth, lasts, .. } => write!(f, "allocation {nth} fails{lasts}")?,
            Self::AllocationAt { site, nth, lasts, .. } => {
                write!(f, "allocation {nth} of call site {site} fails{lasts}")?;
            }
            Self::Io { operation, role, error, nth, lasts, .. } => {
                match nth {
                    0 => write!(f, "each {}, in turn,", operations(*operation, *role, ""))?,
                    nth => f.write_str(&operations(*operation, *role, &format!(" {nth}")))?,
                }
                write!(f, " fails: {error:?}{lasts}")?;
            }
            Self::PowerLoss { at, seed, sector_log2, .. } => {
                let at = match at {
                    Moment::Each { from, count, images } => {
                        format!("each of {count} operations from {from} on, {images} disks each")
                    }
                    at => format!("{at:?}"),
                };
                write!(f, "power loss at {at}, sectors of 2^{sector_log2} bytes, seed {seed}")?;
            }
            Self::Random { what, one_in, seed, .. } => match what {
                Chance::Allocation => write!(f, "one in {one_in} allocations fails, seed {seed}")?,
                Chance::Io { operation, role, error } => {
                    let what = operations(*operation, *role, "");
                    write!(f, "one in {one_in} of {what} fails: {error:?}, seed {seed}")?;
                }
            },
            Self::Interrupt { nth, lasts, .. } => write!(f, "interrupted at step {nth}{lasts}")?,
            Self::BitFlip { statement, role, bit } => {
                write!(f, "bit {bit} of {role:?} flips before statement {statement}")?;
            }
        }
        f.write_str(if self.phase() == Phase::Recovery { ", during recovery" } else { "" })
    }
}

fn operations(operation: IoOperation, role: Option<FileRole>, number: &str) -> String {
    let role = role.map_or("any file".to_owned(), |role| format!("{role:?}"));
    match operation {
        IoOperation::Any => format!("operation{number} on {role}"),
        operation => format!("{operation:?}{number} of {role}"),
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
