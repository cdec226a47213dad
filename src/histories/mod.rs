//! Histories: what transactions of several connections did and read, and whether any order of them explains it.
//!
//! No oracle knows what a `SELECT` should have returned while others write. But if every value is written only once,
//! what was read tells who wrote it, and so who must have come before whom; a cycle of that is a bug. The method is that of
//! Elle (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from Experimental Observations*, VLDB 2020), the
//! names are those of Adya (*Weak Consistency*, PhD thesis, MIT 1999).
//!
//! # What SQLite promises
//! One position in the history at which each transaction takes effect as a whole ([`Transaction::begin`]):
//! * Only one connection writes at a time, nobody sees what is not committed, and a transaction that read before others
//!   wrote cannot write any more (`SQLITE_BUSY_SNAPSHOT`): those that write are *strictly* serialisable, and take effect
//!   at their `COMMIT` (<https://sqlite.org/isolation.html>).
//! * One that only reads sees one snapshot to its end: in WAL mode, that of the last commit before its first read
//!   (<https://sqlite.org/wal.html#concurrency>); with a rollback journal, nobody can commit meanwhile. It may be older than
//!   its last read, but not than its first.
//! * So does one that is rolled back later, as far as it read what others wrote.
//!
//! It does not promise that to connections that share a cache and use `PRAGMA read_uncommitted`
//! (<https://sqlite.org/sharedcache.html>), and after power is lost it may have lost the last commits, too, unless
//! `PRAGMA synchronous` is high enough (<https://sqlite.org/pragma.html#pragma_synchronous>): histories end there.
//!
//! # Strategy
//! 1. What one read shows by itself ([`Kind::GarbageRead`] to [`Kind::G1b`]); values that are wrong are then left out.
//! 2. The order of versions. That of a list is in its longest read: all others must be a beginning of it. Of a register it
//!    is known that nothing is before NULL, that who reads and then writes comes directly after what it read, and what
//!    time tells.
//! 3. The edges that this gives, and cycles in them: first those of the fewest kinds of edges, so that each gets the name of
//!    the weakest promise that it breaks. Those that need time come last and are named `-realtime`.
//!
//! # What it does not see
//! A write that nobody could have read later says nothing: a history should end with a read of everything, as that of
//! [`workload`] does. Of transactions that hang together one cycle is reported, the shortest.
//!
//! # Invariants
//! * Pure and deterministic; near-linear in the values of a history, as long as few transactions overlap.
//! * Every step from an observation to an edge is implied by what is promised above: no history of a correct SQLite has
//!   an anomaly.

mod anomaly;
mod builder;
mod components;
mod cycles;
mod facts;
mod form;
mod graph;
mod order;
mod search;
mod workload;

use std::fmt;

pub use anomaly::{Anomaly, Kind};
pub use builder::{Completion, Event, HistoryBuilder, Unusable};
pub use form::{Form, LIST_TABLE, REGISTER_TABLE, Table, recognise};
pub use workload::{Shape, setup, workload};

/// What is written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A list with this key: a write appends. It is empty at first.
    List(i64),
    /// A register with this key: a write replaces the value. It is NULL at first.
    Register(i64),
}

impl Object {
    /// Its key.
    pub fn key(self) -> i64 {
        match self {
            Self::List(key) | Self::Register(key) => key,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(key) => write!(f, "list {key}"),
            Self::Register(key) => write!(f, "register {key}"),
        }
    }
}

/// What was done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This value was appended to a list or written to a register. No object gets a value twice in a history.
    Write(i64),
    /// All values of a list in their order; the only value of a register, none if it is NULL.
    Read(Vec<i64>),
    /// A read that returned what no list or register can be, in words.
    Garbled(String),
}

/// A step of a transaction that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What it was done to.
    pub object: Object,
    /// What was done.
    pub action: Action,
}

impl Access {
    /// What was written to where, if it is a write.
    fn written(&self) -> Option<(Object, i64)> {
        match self.action {
            Action::Write(value) => Some((self.object, value)),
            Action::Read(_) | Action::Garbled(_) => None,
        }
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `COMMIT` succeeded.
    Committed,
    /// It was rolled back, or never ended.
    Aborted,
    /// `COMMIT` failed in a way that leaves both possible, such as an I/O error. It counts as committed if somebody
    /// else read what it wrote, and may take effect at any time from its [`Transaction::begin`] on.
    Unknown,
}

/// What one transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The connection.
    pub process: u8,
    /// How it ended.
    pub outcome: Outcome,
    /// The first position in the order of all events at which it can have taken effect: where the `COMMIT` of one that
    /// writes began; where the first statement of one that only reads, or is rolled back, began.
    pub begin: u64,
    /// The last such position, from `begin` on: where that statement ended.
    pub end: u64,
    /// What it did, in its order.
    pub accesses: Vec<Access>,
}

/// The anomalies of a history, the most telling kind first; none if some order of its transactions explains it.
///
/// Transactions are named after their places in the history: T0, T1 and so on.
pub fn check(history: &[Transaction]) -> Vec<Anomaly> {
    let mut facts = facts::Facts::of(history);
    let edges = order::edges(&mut facts);
    let mut anomalies = facts.anomalies;
    let cycles = cycles::find(history, edges, &anomalies);
    anomalies.extend(cycles);
    anomalies.sort_by(|a, b| (a.kind, &a.transactions).cmp(&(b.kind, &b.transactions)));
    anomalies
}

#[cfg(test)]
mod tests;
