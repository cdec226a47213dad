//! What operations on sessions and changesets say (<https://sqlite.org/sessionintro.html>).
//!
//! A case holds the *current* changeset, and one more that was *kept*. Bytes that the case brings itself may be anything:
//! SQLite must refuse what is no changeset.
//!
//! A number of bytes called `chunk` chooses between two functions: with 0 the bytes are passed as a whole, otherwise through
//! the streaming variant, at most so many at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::OnConflict;

/// What is changed about a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionChange {
    /// Records the changes of this table, or of all.
    Attach(Option<String>),
    /// Records, of the tables that are attached later, only those whose names begin so.
    Filter(String),
    /// Starts or stops recording.
    Enable(bool),
    /// Whether changes from now on count as indirect.
    Indirect(bool),
    /// Records the difference between a table of another database and the table of the same name.
    #[expect(missing_docs, reason = "the name of the other database, and that of the table")]
    Diff { from: String, table: String },
}

/// What is done with the current changeset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see the module documentation")]
pub enum ChangesetAction {
    /// Keeps a copy of it.
    Keep,
    /// Exchanges it for the one that was kept.
    Swap,
    /// Inverts it.
    Invert { chunk: u16 },
    /// Puts the one that was kept before it.
    Concatenate { chunk: u16 },
    /// Rebases it by what the last apply left for that.
    Rebase { chunk: u16 },
    /// Merges the one that was kept and it by a changegroup: perhaps after telling it the schema of the connection, and
    /// change by change instead of as a whole.
    Group { has_schema: bool, is_one_by_one: bool, chunk: u16 },
    /// Reads all of it, perhaps as its inverse.
    Iterate { is_inverse: bool, chunk: u16 },
    /// Applies it (`sqlite3changeset_apply_v2`), perhaps only to tables whose names begin with `filter`. `flags` are a
    /// combination of [`APPLY_FLAGS`].
    Apply { on_conflict: OnConflict, filter: Option<String>, flags: u8, chunk: u16 },
}

/// The flags `SQLITE_CHANGESETAPPLY_…` that an operation may use: NOSAVEPOINT, INVERT, IGNORENOOP and FKNOACTION.
pub const APPLY_FLAGS: u8 = 0xf;
/// The flag INVERT among them.
pub const APPLY_INVERT: u8 = 2;

impl ChangesetAction {
    /// The bytes passed at a time.
    pub fn chunk_mut(&mut self) -> Option<&mut u16> {
        match self {
            Self::Keep | Self::Swap => None,
            Self::Invert { chunk }
            | Self::Concatenate { chunk }
            | Self::Rebase { chunk }
            | Self::Group { chunk, .. }
            | Self::Iterate { chunk, .. }
            | Self::Apply { chunk, .. } => Some(chunk),
        }
    }
}

impl fmt::Display for SessionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(None) => f.write_str("attach all tables"),
            Self::Attach(Some(table)) => write!(f, "attach `{}`", table.escape_debug()),
            Self::Filter(start) => write!(f, "only tables `{}…`", start.escape_debug()),
            Self::Enable(is_on) => f.write_str(if *is_on { "enable" } else { "disable" }),
            Self::Indirect(is_on) => {
                write!(f, "changes are {} from here on", if *is_on { "indirect" } else { "direct" })
            }
            Self::Diff { from, table } => {
                write!(
                    f,
                    "record how `{}` differs from that of `{}`",
                    table.escape_debug(),
                    from.escape_debug()
                )
            }
        }
    }
}

impl fmt::Display for ChangesetAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep a copy of the changeset"),
            Self::Swap => f.write_str("exchange the changeset for the one kept"),
            Self::Invert { chunk } => write!(f, "invert the changeset{}", Chunk(*chunk)),
            Self::Concatenate { chunk } => {
                write!(f, "concatenate the changeset kept and the current one{}", Chunk(*chunk))
            }
            Self::Rebase { chunk } => write!(f, "rebase the changeset{}", Chunk(*chunk)),
            Self::Group { has_schema, is_one_by_one, chunk } => {
                let schema = if *has_schema { " with the schema" } else { "" };
                let each = if *is_one_by_one { ", change by change" } else { "" };
                write!(f, "group the changeset kept and the current one{schema}{each}{}", Chunk(*chunk))
            }
            Self::Iterate { is_inverse, chunk } => {
                let what = if *is_inverse { "inverse of the changeset" } else { "changeset" };
                write!(f, "read the {what}{}", Chunk(*chunk))
            }
            Self::Apply { on_conflict, filter, flags, chunk } => {
                write!(f, "apply the changeset; on conflict: {on_conflict:?}; flags {flags}")?;
                if let Some(start) = filter {
                    write!(f, "; only tables `{}…`", start.escape_debug())?;
                }
                Chunk(*chunk).fmt(f)
            }
        }
    }
}

/// How many bytes are passed at a time.
pub(super) struct Chunk(pub u16);

impl fmt::Display for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ", {} bytes at a time", self.0) }
    }
}
