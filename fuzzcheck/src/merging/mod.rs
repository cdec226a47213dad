//! `fuzzcheck corpus merge`: what fuzzing found, less what adds nothing to the coverage, becomes the corpus.
//!
//! libFuzzer has two merges. `-merge=1` notes of each case only the features that none had before it ran: one case
//! more, or a crash in the middle, and the choice is another. `-set_cover_merge=1` notes all features of each case,
//! but then prefers those with most, which are large and slow, and compares all with all. So its measuring is used
//! here ([`measure`]: the [`control`] file of `-set_cover_merge=1`, a process that is started again behind a case that
//! ends it), and the choice is our own ([`choose`]): smallest first, the same for the same measures. A feature is an
//! edge with a bucket of how often it was taken.
//!
//! What was measured is kept ([`features`]) as long as the program is the same: after the next night only what is new
//! is run, and a second call runs nothing. Some features depend on what ran before in the process (a hash table that
//! has grown): measured in another order, one case in five of `sql` has a few others. Kept measures are what makes a
//! second call change nothing.
//!
//! Only the corpus database is changed, atomically at the end, and `fuzz/merge/`, which may be deleted.

pub(crate) mod choose;
mod control;
pub(crate) mod features;
pub(crate) mod measure;
