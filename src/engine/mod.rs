//! Running a case on an engine and writing down what happened.
//!
//! The engine is the SQLite that is linked into the process ([`sqlite`]); what it did with a case is an
//! [`Observation`], plain data from which the oracles judge. A second engine or version is a process of
//! its own: two copies of SQLite do not link into one.

mod code;
pub mod plant;
pub mod sqlite;
mod trace;

pub use crate::dbfile::record::Value;
pub use code::Code;
pub use trace::{FileDigest, Observation, StatementTrace, Taint, Trace};
