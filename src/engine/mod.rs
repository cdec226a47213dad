//! Running a case on an engine and writing down what happened.
//!
//! The engine is the SQLite that is linked into the process ([`sqlite`]); what it did with a case is an
//! [`Observation`], plain data from which the oracles judge. A second engine or version is a process of
//! its own: two copies of SQLite do not link into one. What such a one did is a [`Transcript`], which is compared
//! by [`crate::difference`].

mod code;
pub mod plant;
pub mod sqlite;
mod trace;
pub mod transcript;

use sqlite::Budget;

use crate::testcase::TestCase;

pub use crate::dbfile::record::Value;
pub use code::Code;
pub use trace::{Asked, FileDigest, Limit, Observation, StatementTrace, Taint, Trace};
pub use transcript::Transcript;

/// Called with the number and the text of a statement.
pub type StatementObserver = dyn Fn(u64, &[u8]);

/// Something that runs cases and can be compared with another that does.
pub trait Engine {
    /// Name, version and what else tells this build from others.
    fn identity(&self) -> String;

    /// Runs the script of a case, statement by statement as [`crate::sql::statements`] cuts it, and writes down
    /// what another engine must do as well.
    fn transcript(&mut self, case: &TestCase, budget: &Budget) -> Transcript;

    /// Calls `observer` with the number and the text of each statement, numbered from 1 for every case, before it
    /// runs. An engine that does not call it leaves unsaid which statement ended its process.
    fn on_statement(&mut self, _observer: Box<StatementObserver>) {}
}
