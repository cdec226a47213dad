//! From a pile of cases to a list of bugs.
//!
//! Cases with the same signature show the same bug; the smallest of them is made smaller still. What is learned is
//! kept between runs ([`state`]), so that a bug is told from one that was there before, and counted.

pub(crate) mod known;
pub(crate) mod state;
