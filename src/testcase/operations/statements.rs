//! What operations on statements say: by which function one is prepared, and what is bound to a parameter.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Bound;

/// The function and the flags with which a statement is prepared (<https://sqlite.org/c3ref/prepare.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrepareForm {
    /// `sqlite3_prepare`, whose statements are not prepared anew when the schema changes.
    Legacy,
    /// `sqlite3_prepare16`, likewise.
    LegacyUtf16,
    /// `sqlite3_prepare_v2`.
    V2,
    /// `sqlite3_prepare16_v2`.
    V2Utf16,
    /// `sqlite3_prepare_v3` with `SQLITE_PREPARE_PERSISTENT`.
    Persistent,
    /// `sqlite3_prepare_v3` with `SQLITE_PREPARE_NO_VTAB`: a statement that uses a virtual table is refused.
    NoVirtualTables,
    /// `sqlite3_prepare16_v3` with `SQLITE_PREPARE_PERSISTENT`.
    PersistentUtf16,
}

impl PrepareForm {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Legacy,
        Self::LegacyUtf16,
        Self::V2,
        Self::V2Utf16,
        Self::Persistent,
        Self::NoVirtualTables,
        Self::PersistentUtf16,
    ];

    /// True if the text is passed as UTF-16.
    pub fn is_utf16(self) -> bool {
        matches!(self, Self::LegacyUtf16 | Self::V2Utf16 | Self::PersistentUtf16)
    }
}

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parameter {
    /// By number, counted from 1.
    Number(u16),
    /// By name, with its first character (`sqlite3_bind_parameter_index`).
    Name(String),
}

/// What is bound to a parameter beyond [`Bound`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Supplied {
    /// The same.
    Plain(Bound),
    /// Text as UTF-16: bytes in the byte order of the machine, not necessarily well-formed; an odd last one is left out.
    Text16(Vec<u8>),
    /// A pointer, which reads as NULL for all but the functions that know its type (`sqlite3_bind_pointer`).
    Pointer,
    /// A column of the current row of another statement of the same connection (`sqlite3_bind_value`).
    #[expect(missing_docs, reason = "the statement, and the column counted from 0")]
    Column { statement: u8, column: u8 },
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{}`", name.escape_debug()),
        }
    }
}

impl fmt::Display for Supplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bound) => bound.fmt(f),
            Self::Text16(text) => write!(f, "the UTF-16 text {}", super::display::Hex(text)),
            Self::Pointer => f.write_str("a pointer"),
            Self::Column { statement, column } => write!(f, "column {column} of statement {statement}"),
        }
    }
}
