//! Who performs the operations beyond statements, backups, blobs and plain sessions.

use std::ops::Range;

use super::{State, index};
use crate::testcase::Operation;

impl State<'_> {
    /// Performs one of them, which takes the statement `next` if it takes any.
    pub(super) fn perform_call(&mut self, operation: &Operation, next: Option<Range<usize>>) -> Option<()> {
        match operation {
            Operation::PrepareAs { connection, statement, form } => {
                next.and_then(|at| self.prepare_as(*connection, *statement, *form, at))
            }
            Operation::Execute { connection, is_table } => {
                next.and_then(|at| self.execute(*connection, *is_table, at))
            }
            Operation::BindAs { .. } | Operation::AskStatement { .. } => self.statement_detail(operation),
            Operation::OpenAs { connection, file, options } => self.open_as(*connection, file, *options),
            Operation::CloseLater { connection } => self.close_later(index(*connection)),
            Operation::BackupStartAs { .. }
            | Operation::BlobOpenAs { .. }
            | Operation::SerializeAs { .. }
            | Operation::DeserializeAs { .. } => self.schema_operation(operation),
            Operation::SessionCreate { .. }
            | Operation::SessionChange { .. }
            | Operation::SessionAsk { .. }
            | Operation::SessionStream { .. } => self.session_detail(operation),
            Operation::ChangesetPut { content } => self.put_changeset(content),
            Operation::Changeset { connection, action } => self.changeset_operation(*connection, action),
            Operation::Hook { connection, hook } => self.set_hook(*connection, *hook),
            Operation::BusyHandler { .. }
            | Operation::BusyTimeout { .. }
            | Operation::Interrupt { .. }
            | Operation::InterruptAfter { .. }
            | Operation::Authorize { .. } => self.giving_up(operation),
            Operation::CreateFunction { .. }
            | Operation::CreateCollation { .. }
            | Operation::CollationNeeded { .. } => self.register(operation),
            Operation::Ask { connection, question } => self.ask(*connection, question),
            _ => None,
        }
    }
}
