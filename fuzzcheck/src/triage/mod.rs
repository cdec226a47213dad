//! Sorts cases into bugs.
//!
//! Cases with the same signature show the same bug; the smallest of them is minimized. The results are
//! kept between runs ([`state`]), so that new bugs can be told from old ones.

pub(crate) mod known;
pub(crate) mod state;
