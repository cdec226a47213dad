//! Makes cases from scratch.

mod fragments;
pub mod seeds;
#[cfg(feature = "tools")]
pub mod simulation;
pub mod statements;

pub use fragments::Fragments;
