//! A campaign: what `fuzzcheck nightly` does in one night, and what it leaves to be read.
//!
//! [`record`] is the one document of it. The runner writes it as it goes on, whole and by renaming, so that a campaign that
//! was killed goes on from it; the report page, JUnit and JSON are made of it and of nothing else.
//!
//! | part | what it does |
//! |---|---|
//! | [`state`] | the folder of a campaign: begun, taken up again, saved |
//! | [`schedule`] | whose slice it is, and who rests |
//! | [`fuzzer`] | a slice, by libFuzzer |
//! | [`runner`] | slices until the time is over, within the [`limits`] |
//! | [`steps`] | everything else, as child processes that are cut off when their time is over |
//! | [`after`] | which steps there are after fuzzing |
//! | [`findings`] | cases to bugs, known or new, each with a file to be filed |
//! | [`notify`] | who is told |
//! | [`place`] | what it runs with, and where |
//! | [`view`] | what is shown while it runs |
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
