//! Makes cases from scratch.

mod fragments;
pub mod seeds;
pub mod statements;

pub use fragments::Fragments;
