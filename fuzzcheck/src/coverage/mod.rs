//! `fuzzcheck coverage`: what cases reach in SQLite, as llvm-cov counts it.
//!
//! A separate build of this program has an SQLite that counts branches and lines and nothing of
//! libFuzzer's. It is used for its workers alone: what this process does with SQLite, such as reading a corpus,
//! is not counted. [`tools`] checks what the build needs, [`build`] builds, replays and reads the counts.

pub(crate) mod build;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod html;
pub(crate) mod measure;
pub(crate) mod modules;
pub(crate) mod reached;
pub(crate) mod saved;
pub(crate) mod tools;
pub(crate) mod trend;
