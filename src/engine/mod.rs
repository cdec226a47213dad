//! Runs a case on an engine and records what happened.
//!
//! The engine is the SQLite that is linked into the process ([`sqlite`]); a run of a case results in an
//! [`Observation`], plain data that the oracles judge. A second engine or version is a process of its own, since two
//! copies of SQLite cannot be linked into one. Its run results in a [`Transcript`], which [`crate::difference`]
//! compares.

mod code;
pub(crate) mod order_keys;
pub mod plant;
pub mod sqlite;
pub(crate) mod timing;
mod trace;
pub mod transcript;

use sqlite::Budget;

use crate::testcase::{FileSet, TestCase};

pub use crate::dbfile::record::Value;
pub use code::Code;
pub use trace::{
    Asked, DatabaseView, FileDigest, Limit, Observation, Place, Problem, StatementTrace, Taint, Time, Trace,
    Turn, TurnKind, Turns, View,
};
pub use transcript::Transcript;

/// All query optimizations (`SQLITE_TESTCTRL_OPTIMIZATIONS`) but the inverse of window functions (0x2), which changes the
/// digits of sums, and the reuse of registers (0x40_0000).
pub const OPTIMIZATIONS: u32 = !0x40_0002;

/// The verb of calls on changesets whose bytes the case brings.
pub const RAW_CHANGESET: &str = "RAW CHANGESET";

/// Called with the number and the text of a statement.
pub type StatementObserver = dyn Fn(u64, &[u8]);

/// Something that runs cases and can be compared with another engine.
pub trait Engine {
    /// Name, version and whatever else distinguishes this build.
    fn identity(&self) -> String;

    /// Runs the script of a case, statement by statement as split by [`crate::sql::statements`], and records what
    /// another engine must do as well.
    fn transcript(&mut self, case: &TestCase, budget: &Budget) -> Transcript;

    /// The files that a case leaves; `None` for an engine that keeps none.
    fn files_left(&mut self, _case: &TestCase, _budget: &Budget) -> Option<FileSet> {
        None
    }

    /// Calls `observer` with the number and the text of each statement before it runs, numbered from 1 for every case.
    /// With an engine that does not call it, the statement that ended the process stays unknown.
    fn on_statement(&mut self, _observer: Box<StatementObserver>) {}
}
