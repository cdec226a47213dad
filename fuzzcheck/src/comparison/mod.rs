//! `fuzzcheck compare mutators`: the same program, seeds and CPU time with other mutations.
//!
//! [`campaign`] is one process, restarted after each finding, until its CPU time is used up. [`folder`] keeps
//! what campaigns did, so that a comparison that is interrupted goes on where it was. [`table`] says what all of
//! it adds up to.

pub(crate) mod builds;
pub(crate) mod campaign;
pub(crate) mod folder;
pub(crate) mod table;
