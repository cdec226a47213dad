//! Builds of SQLite other than the one in this program: another `sqlite3.c`, other sanitizers, extra C.
//!
//! One SQLite links into a process, so each build is a program of its own: this one again, of which only the workers
//! are used, or a fuzz target. [`flavor`] says what is built and how, [`lane`] which sanitizers there are,
//! [`amalgamation`] what an SQLite is, [`published`] where those of old releases come from, and [`worker`] builds. The
//! compiler wrapper `.cargo/cc` does the rest; Cargo builds again when what a flavor is made of changes, each in a target directory of its own.

pub(crate) mod amalgamation;
pub(crate) mod flavor;
pub mod lane;
pub(crate) mod published;
pub(crate) mod worker;
