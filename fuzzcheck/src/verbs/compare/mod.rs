//! `fuzzcheck compare`: whether two do the same, or which does more.

mod builds;
mod engines;
mod mutators;

use super::{Listed, verb};

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] =
    &[verb::<builds::Args>("builds"), verb::<engines::Args>("engines"), verb::<mutators::Args>("mutators")];
