//! Tandem fuzzes SQLite: the database file and the SQL text of one case, together.
#![deny(missing_docs, unsafe_code)]

pub mod corpus;
pub mod dbfile;
pub mod engine;
pub mod faults;
pub mod generators;
pub mod known;
pub mod mutators;
pub mod oracles;
pub mod sql;
pub mod targets;
pub mod testcase;

pub use testcase::TestCase;
