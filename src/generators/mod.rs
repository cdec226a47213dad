//! Making cases from nothing: schemas and statements.

mod rich_schema;

pub use rich_schema::RICH_SCHEMA;
