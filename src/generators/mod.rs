//! Making cases from nothing.

mod rich_schema;
pub mod seeds;
pub mod statements;

pub use rich_schema::RICH_SCHEMA;
