//! Making cases from nothing.

mod fragments;
pub mod seeds;
pub mod statements;

pub use fragments::Fragments;
