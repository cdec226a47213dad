//! `fuzzcheck oss-fuzz`: what OSS-Fuzz builds and runs.

mod check;
mod dictionary;

use super::{Listed, verb};

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] = &[verb::<check::Args>("check"), verb::<dictionary::Args>("dictionary")];
