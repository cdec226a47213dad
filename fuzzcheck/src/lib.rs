//! `fuzzcheck`: the command-line program of Tandem.
//!
//! It replays, inspects, imports, exports and fuzzes cases. A library beside its program so that the
//! tests replay the shipped corpora with the same code.
//!
//! Exit codes: 0 clean, 1 findings, 2 usage or harness error. Data goes to standard output, progress to
//! standard error.
#![forbid(unsafe_code)]

mod base;
mod bisecting;
mod build;
mod campaign;
mod command_line;
mod comparison;
mod coverage;
mod distilling;
mod doctor;
mod files;
mod focus;
mod fuzzing;
mod gaps;
mod guard;
mod handover;
mod lane;
mod minimizing;
mod ossfuzz;
pub mod pairing;
pub mod replay;
mod source;
mod tools;
mod triage;
mod ui;
mod verbs;

pub use source::{Cases, NamedCase, Skipped, open};
pub use verbs::{command, main};
