//! Minimizes a case in worker processes.
//!
//! [`tandem::minimize`] proposes candidates, and this module judges them: a [`Probe`] runs a candidate in one configuration, or
//! in two that are compared, and the [`judge`] has several of them. The best case so far is always on disk
//! ([`state`]), so that an interrupted run can resume.

pub(crate) mod arguments;
pub(crate) mod judge;
pub(crate) mod optimizations;
pub(crate) mod probe;
pub(crate) mod state;
pub(crate) mod work;

pub(crate) use probe::{Probe, Probes};
