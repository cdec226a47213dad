//! A campaign: what `fuzzcheck nightly` does in one night, and what it leaves to be read.
//!
//! [`record`] is the one document of it. The runner writes it as it goes on, whole and by renaming, so that a campaign that
//! was killed goes on from it; the report page, JUnit and JSON are made of it and of nothing else.

pub(crate) mod record;
pub(crate) mod report;
#[expect(dead_code, reason = "the runner that shows it is written at the same time")]
pub(crate) mod view;
