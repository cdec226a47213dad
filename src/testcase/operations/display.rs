//! The human-readable form of operations.

use std::fmt;

use super::sessions::Chunk;
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
            other => fmt_on_connection(other, f),
        }
    }
}

/// An operation beyond those above. Most name a connection.
fn fmt_on_connection(operation: &Operation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Operation as O;
    if let Some(connection) = operation.clone().connection_mut() {
        write!(f, "connection {connection}: ")?;
    }
    match operation {
        O::BindAs { statement, parameter, value } => {
            write!(f, "statement {statement}: bind {value} to parameter {parameter}")
        }
        O::AskStatement { statement, question } => write!(f, "statement {statement}: ask {question}"),
        O::ChangesetPut { content } => write!(f, "the changeset is {}", Hex(content)),
        O::PrepareAs { statement, form, .. } => write!(f, "prepare statement {statement}, {form:?}"),
        O::Execute { is_table, .. } => f.write_str(if *is_table { "get a table" } else { "execute" }),
        O::OpenAs { file, options, .. } => write!(f, "open {file}{options}"),
        O::CloseLater { .. } => f.write_str("close once it is unused"),
        O::BackupStartAs { from, from_schema, to_schema, .. } => {
            let (from_schema, to_schema) = (from_schema.escape_debug(), to_schema.escape_debug());
            write!(f, "start a backup of `{from_schema}` of connection {from} into `{to_schema}`")
        }
        O::BlobOpenAs { schema, table, column, row, is_writable, .. } => {
            let mode = if *is_writable { "write" } else { "read" };
            let place = format!("{schema}.{table}.{column} of row {row}");
            write!(f, "open {} to {mode}", place.escape_debug())
        }
        O::SerializeAs { schema, .. } => write!(f, "serialize `{}`", schema.escape_debug()),
        O::DeserializeAs { schema, is_read_only, is_resizable, room, .. } => {
            let mode = if *is_read_only { " read-only" } else { "" };
            let size = if *is_resizable { ", resizable" } else { "" };
            write!(f, "deserialize `{}`{mode}{size}, {room} bytes of room", schema.escape_debug())
        }
        O::SessionCreate { schema, counts_size, has_rowids, .. } => {
            let size = if *counts_size { ", with its size" } else { "" };
            let rowids = if *has_rowids { ", with rowids" } else { "" };
            write!(f, "create a session of `{}`{size}{rowids}", schema.escape_debug())
        }
        O::SessionChange { change, .. } => write!(f, "session: {change}"),
        O::SessionAsk { .. } => f.write_str("session: ask"),
        O::SessionStream { is_patchset, chunk, .. } => {
            let what = if *is_patchset { "patchset" } else { "changeset" };
            write!(f, "session: take the {what}{}", Chunk(*chunk))
        }
        O::Changeset { action, .. } => write!(f, "{action}"),
        O::Hook { hook, .. } => write!(f, "{hook}"),
        O::BusyHandler { calls, .. } => write!(f, "give up after {calls} calls when busy"),
        O::BusyTimeout { milliseconds, .. } => write!(f, "wait {milliseconds} ms when busy"),
        O::Interrupt { .. } => f.write_str("interrupt"),
        O::InterruptAfter { calls, .. } => write!(f, "interrupt at call {calls} of the progress handler"),
        O::Authorize { request, ignores, .. } => {
            write!(f, "{} request {request}", if *ignores { "ignore" } else { "deny" })
        }
        O::CreateFunction { kind, arguments, flags, behaviour, .. } => {
            write!(f, "function {} of {arguments} arguments, flags {flags}: {behaviour}", kind.name())
        }
        O::CreateCollation { collation, is_removed, .. } => {
            write!(f, "{} collation {}", if *is_removed { "remove" } else { "register" }, collation.name())
        }
        O::CollationNeeded { is_utf16, answers, .. } => {
            let form = if *is_utf16 { " by UTF-16" } else { "" };
            write!(f, "{} collations when needed{form}", if *answers { "register" } else { "deny" })
        }
        O::Ask { question, .. } => write!(f, "ask {question}"),
        other => write!(f, "{other:?}"),
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
pub(super) struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x'")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("'")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Behaviour, ChangesetAction, FunctionKind, Nested, Parameter, Supplied};
    use super::*;

    #[test]
    fn operations_are_readable() {
        let print = |operation: Operation| operation.to_string();
        let value = Supplied::Column { statement: 1, column: 2 };
        let bind = Operation::BindAs { statement: 0, parameter: Parameter::Name(":a".to_owned()), value };
        assert_eq!(print(bind), "statement 0: bind column 2 of statement 1 to parameter `:a`");
        let put = Operation::ChangesetPut { content: b"T\x01".to_vec() };
        assert_eq!(print(put), "the changeset is x'5401'");
        let action = ChangesetAction::Invert { chunk: 3 };
        let invert = Operation::Changeset { connection: 1, action };
        assert_eq!(print(invert), "connection 1: invert the changeset, 3 bytes at a time");
        let behaviour = Behaviour::Runs { statement: Nested::Deletes, table: "t".to_owned() };
        let (kind, arguments, flags) = (FunctionKind::Scalar, 1, 0);
        let create = Operation::CreateFunction { connection: 0, kind, arguments, flags, behaviour };
        assert_eq!(
            print(create),
            "connection 0: function tandem_f of 1 arguments, flags 0: Deletes, table `t`"
        );
    }
}
