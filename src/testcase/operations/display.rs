//! The human-readable form of operations.

use std::fmt;

use super::{Bound, Operation};

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Operation as O;
        let all = |count: i64, what: &str| {
            if count > 0 { format!("{count} {what}") } else { format!("all {what}") }
        };
        match self {
            O::Run { connection } => write!(f, "connection {connection} runs"),
            O::Prepare { connection, statement } => {
                write!(f, "connection {connection} prepares statement {statement}")
            }
            O::Bind { statement, parameter, value } => {
                write!(f, "statement {statement}: bind {value} to parameter {parameter}")
            }
            O::Step { statement, rows } => {
                write!(f, "statement {statement}: step {}", all((*rows).into(), "rows"))
            }
            O::Reset { statement, clears_bindings } => {
                let bindings = if *clears_bindings { " and clear its bindings" } else { "" };
                write!(f, "statement {statement}: reset{bindings}")
            }
            O::Finalize { statement } => write!(f, "statement {statement}: finalize"),
            O::Open { connection, file, is_read_only } => {
                let mode = if *is_read_only { " read-only" } else { "" };
                write!(f, "connection {connection}: open {file}{mode}")
            }
            O::Close { connection } => write!(f, "connection {connection}: close"),
            O::BackupStart { from, to } => {
                write!(f, "connection {from}: start a backup into connection {to}")
            }
            O::BackupStep { to, pages } => {
                write!(f, "backup into connection {to}: copy {}", all((*pages).into(), "pages"))
            }
            O::BackupFinish { to } => write!(f, "backup into connection {to}: finish"),
            O::BlobOpen { connection, table, column, row, is_writable } => {
                let mode = if *is_writable { "write" } else { "read" };
                let place = format!("{table}.{column} of row {row}");
                write!(f, "connection {connection}: open {} to {mode}", place.escape_debug())
            }
            O::BlobRead { connection, offset, bytes } => {
                write!(f, "blob of connection {connection}: read {bytes} bytes at {offset}")
            }
            O::BlobWrite { connection, offset, content } => {
                write!(f, "blob of connection {connection}: write {} at {offset}", Hex(content))
            }
            O::BlobReopen { connection, row } => {
                write!(f, "blob of connection {connection}: go to row {row}")
            }
            O::BlobClose { connection } => write!(f, "blob of connection {connection}: close"),
            O::Serialize { connection } => write!(f, "connection {connection}: serialize"),
            O::Deserialize { connection, is_read_only } => {
                let mode = if *is_read_only { " read-only" } else { "" };
                write!(f, "connection {connection}: deserialize{mode}")
            }
            O::Checkpoint { connection, mode } => write!(f, "connection {connection}: checkpoint, {mode:?}"),
            O::SessionStart { connection } => write!(f, "connection {connection}: start a session"),
            O::SessionTake { connection, is_patchset } => {
                let what = if *is_patchset { "patchset" } else { "changeset" };
                write!(f, "session of connection {connection}: take the {what}")
            }
            O::SessionInvert => f.write_str("invert the changeset"),
            O::SessionApply { connection, on_conflict } => {
                write!(f, "connection {connection}: apply the changeset; on conflict: {on_conflict:?}")
            }
            O::SessionEnd { connection } => write!(f, "session of connection {connection}: end"),
            O::PowerCut => f.write_str("power is cut"),
            O::Meet => f.write_str("all connections meet"),
            O::PassTime { milliseconds } => write!(f, "{milliseconds} ms pass"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Real(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Self::Text(text) => write!(f, "'{}'", text.escape_ascii()),
            Self::Blob(blob) => Hex(blob).fmt(f),
            Self::ZeroBlob(bytes) => write!(f, "zeroblob({bytes})"),
        }
    }
}

/// A blob literal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x'")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("'")
    }
}
