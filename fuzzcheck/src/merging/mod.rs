//! `fuzzcheck corpus merge`: adds to the corpus what fuzzing found, minus what adds no coverage.
//!
//! libFuzzer has two merges. `-merge=1` records for each case only the features that no case before it had: one case
//! more, or a crash in the middle, changes the choice. `-set_cover_merge=1` records all features of each case,
//! but then prefers cases with most, which are large and slow, and compares all with all. So we use its measuring
//! ([`measure`]: the [`control`] file of `-set_cover_merge=1`, and a process that is restarted after a case that
//! crashes it), but our own choice ([`choose`]): smallest first, and deterministic. A feature is an
//! edge with a bucket of how often it was taken.
//!
//! Measured features are saved ([`features`]) as long as the program is the same: after the next night only new cases
//! are run, and a second call runs nothing. Some features depend on what ran before in the process (a hash table that
//! has grown): in another order, one case in five of `sql` has a few others. Saved features are what makes a
//! second call change nothing.
//!
//! Only the corpus database is changed, atomically at the end, and `fuzz/merge/`, which may be deleted.

pub(crate) mod choose;
mod control;
pub(crate) mod features;
pub(crate) mod measure;
