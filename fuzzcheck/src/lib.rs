//! `fuzzcheck`: the command-line program of Tandem.
//!
//! It replays, inspects, imports, exports and fuzzes cases. It is also a library, so that the
//! tests replay the shipped corpora with the same code.
//!
//! Exit codes: 0 clean, 1 findings, 2 usage or harness error. Data goes to standard output, progress to
//! standard error.
//!
//! # Map
//! Modules use only those above them; `tests/arrows.rs` reads this table.
//!
//! | Module | Holds |
//! |---|---|
//! | `base` | exit codes, default limits, the machine and the working copy, numbers as text |
//! | `files` | listing files, and writing them atomically |
//! | `ui` | standard output, and progress on standard error |
//! | `command_line` | command lines to print |
//! | `guard` | ends process groups with this program |
//! | `tools` | checks and installs what a build needs beside Rust |
//! | `build_kind` | ways to build SQLite |
//! | `source` | reads cases from paths |
//! | [`replay`] | runs cases in worker processes |
//! | `build` | builds of SQLite other than the one in this program |
//! | [`differential`] | runs cases in two configurations and compares |
//! | `fuzzing` | runs libFuzzer and collects its findings |
//! | `triage` | sorts findings into bugs, known or new |
//! | `minimizing` | minimizes a case with worker processes |
//! | `bisecting` | the releases in which a case shows its bug |
//! | `handover` | writes a case for someone without Tandem |
//! | `coverage` | what cases reach in sqlite3.c |
//! | `gaps` | what no case reaches |
//! | `directed` | fuzzing directed at functions |
//! | `merging` | which cases of a corpus add coverage |
//! | `comparison` | compares builds, and mutators |
//! | `campaign` | nightly campaigns: record and report |
//! | `faulting` | faults in turn |
//! | `exploring` | one case under many schedules |
//! | `simulating` | scripts from seeds on two engines |
//! | `doctor` | whether this machine can fuzz |
//! | `ossfuzz` | what OSS-Fuzz expects of a build |
//! | `verbs` | the command line, a file per verb |
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
mod exploring;
mod faulting;
mod files;
mod fuzzing;
mod gaps;
mod guard;
mod handover;
mod merging;
mod minimizing;
mod ossfuzz;
pub mod replay;
mod simulating;
mod source;
mod tools;
mod triage;
mod ui;
mod verbs;

pub use source::{Cases, NamedCase, Skipped, open};
pub use verbs::{command, main};
