//! Making cases from nothing.

mod fragments;
mod rich_schema;
pub mod seeds;
pub mod statements;

pub use fragments::Fragments;
pub use rich_schema::RICH_SCHEMA;
