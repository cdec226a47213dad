//! Tandem fuzzes SQLite: the database file and the SQL text of one case, together.
#![deny(missing_docs, unsafe_code)]

pub mod dbfile;
pub mod engine;
pub mod faults;
pub mod generators;
pub mod sql;
pub mod testcase;

pub use testcase::TestCase;
