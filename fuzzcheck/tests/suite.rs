//! The tests that call the program, in one binary: so that what waits leaves the cores to others to the end.

mod common;

mod add;
mod arrows;
mod bad_input;
mod compare;
mod configurations;
mod coverage;
mod directed;
mod doctor;
mod engines;
mod explore;
mod faults;
mod fuzz;
mod handover;
mod inspect;
mod layout;
mod merge;
mod minimize;
mod nightly;
mod operations;
mod oss_fuzz;
mod presubmit;
mod releases;
mod report;
mod round_trip;
mod run;
mod signals;
mod simulate;
mod triage;
