//! Builds of SQLite other than the one in this program: another `sqlite3.c`, other sanitizers, extra C.
//!
//! Only one SQLite fits into a process, so each build is a separate program: this one again, of which only the workers
//! are used, or a fuzz target. [`configuration`] says what is built and how, [`arguments`] how it is asked for, [`crate::build_kind`] which sanitizers there are,
//! [`amalgamation`] what an SQLite is, and [`published`] where those of old releases come from. Cargo builds a harness
//! with AddressSanitizer and one without ([`worker`], [`crate::fuzzing::plan`]); for all else sqlite3.c alone is compiled
//! and one of the two is linked again ([`relink`]).

pub(crate) mod amalgamation;
pub mod arguments;
pub(crate) mod configuration;
pub(crate) mod published;
pub(crate) mod releases;
pub(crate) mod relink;
pub(crate) mod worker;
