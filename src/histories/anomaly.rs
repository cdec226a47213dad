//! The kinds of anomalies and their names.

use std::fmt;

/// The kind of an anomaly; the order is that of reports.
///
/// A cycle is of edges from one transaction to one that must come after it: `ww` wrote over its version, `wr` read its
/// version, `rw` wrote over the version that it read. Kinds whose name ends in `Realtime` need, in addition, that
/// a transaction that ended before another began comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Somebody read a value that nobody wrote, or what no value can be.
    GarbageRead,
    /// A list has a value twice.
    Duplicate,
    /// A transaction did not read what it itself had written or read before.
    Internal,
    /// Somebody read what a transaction wrote that was rolled back.
    G1a,
    /// Somebody read what a transaction had written before its last write to the same object.
    G1b,
    /// Two transactions read the same version of an object, and both wrote to it.
    LostUpdate,
    /// A committed append is in no read of its list, although there are later ones.
    LostWrite,
    /// Of two reads of a list neither is the beginning of the other.
    IncompatibleOrder,
    /// A cycle of `ww`: dirty write.
    G0,
    /// A cycle of `ww` and `wr`: circular information flow.
    G1c,
    /// A cycle with one `rw`: read skew.
    GSingle,
    /// A cycle with more than one `rw`: write skew.
    G2,
    /// [`Kind::G0`] by time: writes in the wrong order.
    G0Realtime,
    /// [`Kind::G1c`] by time: somebody read what was written only later.
    G1cRealtime,
    /// [`Kind::GSingle`] by time: somebody read what was out of date.
    GSingleRealtime,
    /// [`Kind::G2`] by time.
    G2Realtime,
}

impl Kind {
    /// Its name in signatures: lower case, with hyphens. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::GarbageRead => "garbage-read",
            Self::Duplicate => "duplicate",
            Self::Internal => "internal",
            Self::G1a => "g1a",
            Self::G1b => "g1b",
            Self::LostUpdate => "lost-update",
            Self::LostWrite => "lost-write",
            Self::IncompatibleOrder => "incompatible-order",
            Self::G0 => "g0",
            Self::G1c => "g1c",
            Self::GSingle => "g-single",
            Self::G2 => "g2",
            Self::G0Realtime => "g0-realtime",
            Self::G1cRealtime => "g1c-realtime",
            Self::GSingleRealtime => "g-single-realtime",
            Self::G2Realtime => "g2-realtime",
        }
    }
}

/// Something in a history that no order of its transactions explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Its kind.
    pub kind: Kind,
    /// Places of the transactions that take part, in the order of the cycle if it is one.
    pub transactions: Vec<usize>,
    /// What was seen, and why it cannot be.
    pub explanation: String,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.explanation)
    }
}
