//! SQL text without an engine: tokens, statements, syntax trees, names.
//!
//! Works on bytes: a script is not necessarily UTF-8, and SQLite's tokenizer does not require it. Nothing here fails;
//! even text that no SQLite accepts has tokens and statements.

mod keywords;
mod names;
pub mod split;
pub mod token;
pub mod tree;
mod virtual_table;
pub mod vocabulary;

pub use keywords::{KEYWORDS, keyword};
pub use names::{IndexName, Names, TableName, bare, quoted, readable, same_name};
pub use split::statements;
pub use token::{Token, TokenKind, tokenize, words};
pub use virtual_table::VirtualTable;
