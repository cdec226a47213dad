//! `fuzzcheck`: the command-line program of Tandem.
//!
//! It replays, inspects, imports, exports and fuzzes cases. A library beside its program so that the
//! tests replay the shipped corpora with the same code.
//!
//! Exit codes: 0 clean, 1 findings, 2 usage or harness error. Data goes to standard output, progress to
//! standard error.
//!
//! # Map
//! What stands further down uses what stands above it, never the other way; `tests/arrows.rs` reads this table.
//!
//! | Module | Holds |
//! |---|---|
//! | `base` | exit codes, limits by default, the machine and the working copy, figures in words |
//! | `files` | files that are listed, and written so that nothing is lost |
//! | `ui` | standard output, and progress on standard error |
//! | `command_line` | command lines that are printed for a person, or another program, to run |
//! | `guard` | process groups that end with this program |
//! | `tools` | what a build needs beside Rust, tried and installed |
//! | `build_kind` | ways to build SQLite that see different bugs |
//! | `source` | from paths to cases |
//! | [`replay`] | cases that run in worker processes |
//! | `build` | builds of SQLite other than the one in this program |
//! | [`differential`] | cases that run in two builds, compared |
//! | `fuzzing` | libFuzzer kept going, and what it finds |
//! | `triage` | which bugs there are, known or new |
//! | `minimizing` | a case made smaller by worker processes |
//! | `bisecting` | since which release a case shows its bug |
//! | `handover` | a case for someone without Tandem |
//! | `coverage` | what cases reach of sqlite3.c |
//! | `gaps` | what none does |
//! | `directed` | fuzzing directed at functions |
//! | `merging` | which cases of a corpus add coverage |
//! | `comparison` | builds that are compared, and mutations |
//! | `campaign` | a night, its record and its report |
//! | `doctor` | whether this machine can fuzz |
//! | `ossfuzz` | what OSS-Fuzz expects of a build |
//! | `verbs` | the command line: a file for each verb |
#![forbid(unsafe_code)]

mod base;
mod bisecting;
mod build;
mod build_kind;
mod campaign;
mod command_line;
mod comparison;
mod coverage;
pub mod differential;
mod directed;
mod doctor;
mod files;
mod fuzzing;
mod gaps;
mod guard;
mod handover;
mod merging;
mod minimizing;
mod ossfuzz;
pub mod replay;
mod source;
mod tools;
mod triage;
mod ui;
mod verbs;

pub use source::{Cases, NamedCase, Skipped, open};
pub use verbs::{command, main};
