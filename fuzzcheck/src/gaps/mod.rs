//! Code that no case reaches, and the target that could.
//!
//! Strategy: functions and opcodes by their coverage. An SQL function or pragma is reached where its own code ran; where
//! several names share that code, where a statement with the name ran ([`crate::coverage::evidence`]). Result codes are those with which
//! statements ended. The target that could is the one that reaches what calls the code ([`graph`]), unless [`reasons`] say why
//! none can.

mod find;
pub(crate) mod graph;
mod labels;
mod names;
mod reasons;

pub(crate) use find::{Names, find, print};
