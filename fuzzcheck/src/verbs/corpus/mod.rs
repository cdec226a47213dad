//! `fuzzcheck corpus`: corpus databases.

pub(crate) mod add;
mod check;
mod export;
mod import;
mod list;
mod merge;
mod seed;

use super::{Listed, verb};

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] = &[
    verb::<list::Args>("list"),
    verb::<import::Args>("import"),
    verb::<export::Args>("export"),
    verb::<merge::Args>("merge"),
    verb::<add::Args>("add"),
    verb::<check::Args>("check"),
    verb::<seed::Args>("seed"),
];
