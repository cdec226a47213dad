//! Making a case smaller, in worker processes.
//!
//! [`tandem::minimize`] knows what can be done away with; here is who judges it: a [`Probe`] runs a candidate in a build, or
//! in two that are compared, and the [`judge`] has several of them. What was found so far is always on disk
//! ([`state`]), so that an interrupted run goes on where it was.

pub(crate) mod arguments;
pub(crate) mod judge;
pub(crate) mod optimizations;
pub(crate) mod probe;
pub(crate) mod state;
pub(crate) mod work;

pub(crate) use probe::{Probe, Probes};
