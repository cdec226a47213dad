//! Tandem fuzzes SQLite: the database file and the SQL text of one case, together. How to use it is in the [`guide`].
//!
//! # How a case is run
//! ```text
//! bytes ── testcase: decode ──> TestCase ── mutators ──> TestCase ── testcase: encode ──> bytes
//!                                  │
//!            targets: which program runs on it, and how much it may use
//!                                  │
//!            engine: a fresh connection on faults::{disk, vfs, alloc} ──> Observation
//!                                  │
//!            oracles: one Verdict each ──> Finding with a Signature
//! ```
//! In a fuzz target libFuzzer brings the bytes and a finding becomes a panic; in `fuzzcheck` they come from
//! a corpus database and a finding becomes a line of a report. Everything between is the same code.
//!
//! # Map
//! A module uses only those above it in this table; `fuzzcheck/tests/arrows.rs` checks that. (Tests may use any.)
//!
//! | Module | Holds |
//! |---|---|
//! | [`stack`] | call stacks, and the function that is blamed for one |
//! | [`sql`] | tokens, statements, syntax trees, names and words of SQL text. Pure |
//! | [`dbfile`] | the file format: header, pages, cells, records, rows, blobs, WAL, journal, damage. Pure |
//! | [`testcase`] | [`TestCase`] and its encodings: envelope, dbsqlfuzz text, raw database, SQL. Pure |
//! | [`histories`] | observed transactions, and whether some order of them explains what they read. Pure |
//! | [`schedules`] | strategies that choose which connection goes on. Pure |
//! | [`faults`] | the simulated disk and shared memory, the VFS over them, the counting allocator, and how all of it fails |
//! | [`known`] | known bugs of SQLite that a run avoids |
//! | [`engine`] | runs a case on SQLite within a budget; what it did is an [`engine::Observation`] |
//! | [`generators`] | seeds of our own, the rich schema, statements from a grammar |
//! | [`mutators`] | mutations of SQL, files, settings and of two of them at once; crossover, shrinking |
//! | [`oracles`] | what is checked on every case |
//! | [`difference`] | whether two engines did the same: comparison of transcripts, known differences |
//! | [`corpus`] | corpus databases, SQLite's fuzzdata databases, seeds for a new folder |
//! | [`targets`] | the fuzz targets, and what libFuzzer needs of them |
//! | [`registry`] | targets and oracles of other crates |
//! | [`guide`] | how to use all of it |
//! | [`cuts`] | the strategy of all that is made smaller: which parts of a list are tried. Pure |
//! | [`minimize`] | cases made smaller, whoever judges them |
//! | `interfaces` | two implementations of a trait, run with the same random operations: what `#[tandem::interface]` expands to |
//!
//! [`difference`], [`cuts`], [`minimize`], [`dbfile::inspect`] and [`dbfile::diff`] are the feature `tools`, on by default and
//! off in the fuzz targets, which use none of it and build faster without. `interfaces`, with its macro, is the feature
//! `interface` (which needs [`cuts`], too), off by default: `cargo doc --features interface` has its pages.
//!
//! `unsafe` is in `faults::{vfs, alloc}`, `stack`, `engine::sqlite::{ffi, instrumentation}` and
//! `targets::{arena, driver}` (the allocator of a target, and libFuzzer's `main`); that of `registry` is in the macro
//! that expands in `fuzz/`.
//!
//! # Words
//! * **case**: everything that one run starts from; **script**: its SQL text.
//! * **operation**: a step of a case beyond running its script on one connection, such as opening another.
//! * **image**: the bytes of a database file.
//! * **budget**: what a run may use, in VM steps and bytes, never in time.
//! * **trace**: what a run did: result codes, rows, digests of the files that are left.
//! * **binding**: giving the names of a statement a meaning in the schema that it runs on.
//! * **repair**: making a database open again, leaving all other damage as it is.
//! * **taint**: something the script did that may damage the database by design (`PRAGMA writable_schema`).
//! * **finding**: a complaint of an oracle; **signature**: its name, without the particulars of the case.
//! * **plant**: a bug that is planted on purpose, to see that it is found.
#![deny(missing_docs, unsafe_code)]

pub mod corpus;
#[cfg(any(feature = "tools", feature = "interface"))]
pub mod cuts;
pub mod dbfile;
#[cfg(feature = "tools")]
pub mod difference;
pub mod engine;
pub mod faults;
pub mod generators;
pub mod guide;
pub mod histories;
#[cfg(feature = "interface")]
pub mod interfaces;
pub mod known;
#[cfg(feature = "tools")]
pub mod minimize;
pub mod mutators;
pub mod oracles;
pub mod registry;
pub mod schedules;
pub mod sql;
pub mod stack;
pub mod targets;
pub mod testcase;

pub use registry::Registry;
#[cfg(feature = "interface")]
pub use tandem_interface::interface;
pub use testcase::TestCase;
