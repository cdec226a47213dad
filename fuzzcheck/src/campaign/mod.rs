//! A campaign: what `fuzzcheck nightly` does in one night, and its reports.
//!
//! [`record`] is its only document. The runner rewrites it atomically all the time, so that a campaign that
//! was killed can resume from it; the report page, JUnit and JSON are made from it alone.
//!
//! | part | what it does |
//! |---|---|
//! | [`state`] | the folder of a campaign: creating, resuming, saving |
//! | [`schedule`] | which job gets the next slice, and which rests |
//! | [`fuzzer`] | a slice, with libFuzzer |
//! | [`runner`] | slices until the time is over, within the [`limits`] |
//! | [`steps`] | everything else, as child processes with a time limit |
//! | [`after`] | the steps after fuzzing |
//! | [`findings`] | sorts cases into bugs, known or new, each with a bug report |
//! | [`notify`] | notifications |
//! | [`place`] | the build and the machine |
//! | [`view`] | progress display |
//! | [`report`] | the page, JUnit and JSON |

pub(crate) mod after;
pub(crate) mod clock;
pub(crate) mod findings;
pub(crate) mod fuzzer;
pub(crate) mod limits;
pub(crate) mod notify;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod runner;
pub(crate) mod schedule;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod view;
