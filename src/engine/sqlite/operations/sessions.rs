//! Sessions and changesets, in all their variants.

use std::rc::Rc;

use super::shelf::{Changeset, verb};
use super::{State, index};
use crate::engine::Code;
use crate::engine::sqlite::ffi::held::Session;
use crate::engine::sqlite::ffi::{Applied, Changes};
use crate::testcase::{APPLY_FLAGS, APPLY_INVERT, ChangesetAction, OnConflict, Operation};

/// Bytes of a changeset, at most: a concatenation has those of both.
const CHANGES_BYTES_MAX: usize = 1 << 18;
/// Bytes that are read at the cost of a hundred VM steps.
const BYTES_PER_TICK: u64 = 4096;

impl State<'_> {
    pub(super) fn session_detail(&mut self, operation: &Operation) -> Option<()> {
        let (Operation::SessionCreate { connection, .. }
        | Operation::SessionChange { connection, .. }
        | Operation::SessionAsk { connection }
        | Operation::SessionStream { connection, .. }) = operation
        else {
            return None;
        };
        let at = index(*connection);
        if !matches!(operation, Operation::SessionCreate { .. }) {
            self.sessions[at].as_ref()?;
        }
        self.on(*connection)?;
        let session = &mut self.sessions[at];
        match operation {
            Operation::SessionCreate { schema, counts_size, has_rowids, .. } => {
                *session = None;
                let connection = Rc::clone(self.execution.connection());
                self.execution.call("SESSION", true, |_| {
                    match Session::create(&connection, schema, *counts_size, *has_rowids) {
                        Ok(created) => {
                            *session = Some(created);
                            (Code::OK, Vec::new())
                        }
                        Err(code) => (code, Vec::new()),
                    }
                });
            }
            Operation::SessionChange { change, .. } => {
                let session = session.as_mut()?;
                self.execution.call("SESSION", true, |_| session.change(change));
            }
            Operation::SessionStream { is_patchset, chunk, .. } => {
                let session = session.as_mut()?;
                let mut taken = None;
                self.execution.call("SESSION", true, |_| {
                    match session.take_in_chunks(*is_patchset, *chunk) {
                        Ok(content) => {
                            taken = Some(content.clone());
                            (Code::OK, content)
                        }
                        Err(code) => (code, Vec::new()),
                    }
                });
                let changeset = |content| Changeset { content, is_patchset: *is_patchset, is_raw: false };
                self.shelf.changes = taken.map(changeset).or(self.shelf.changes.take());
            }
            _ => {
                let session = session.as_mut()?;
                self.execution.call("SESSION", true, |_| (Code::OK, session.facts()));
            }
        }
        Some(())
    }

    pub(super) fn put_changeset(&mut self, content: &[u8]) -> Option<()> {
        let content = content.to_vec();
        self.shelf.changes = Some(Changeset { content, is_patchset: false, is_raw: true });
        None
    }

    pub(super) fn changeset_operation(&mut self, connection: u8, action: &ChangesetAction) -> Option<()> {
        match action {
            ChangesetAction::Keep => self.shelf.kept.clone_from(&self.shelf.changes),
            ChangesetAction::Swap => std::mem::swap(&mut self.shelf.kept, &mut self.shelf.changes),
            ChangesetAction::Apply { on_conflict, filter, flags, chunk } => {
                self.apply(connection, *on_conflict, filter.as_deref(), *flags & APPLY_FLAGS, *chunk)?;
            }
            ChangesetAction::Iterate { is_inverse, chunk } => {
                self.shelf.changes.as_ref()?;
                self.on(connection)?;
                let watch = Rc::clone(self.execution.watch());
                let changes = self.shelf.changes.as_ref()?;
                // SQLite documents that as an error.
                let is_inverse = *is_inverse && !changes.is_patchset;
                self.execution.call(changes.verb(), true, |_| {
                    watch.charge_ticks(changes.content.len() as u64 / BYTES_PER_TICK);
                    Changes { content: &changes.content, chunk: *chunk }.read(is_inverse)
                });
            }
            _ => self.make_changeset(connection, action)?,
        }
        Some(())
    }

    /// Replaces the current changeset by what SQLite makes of it.
    fn make_changeset(&mut self, connection: u8, action: &ChangesetAction) -> Option<()> {
        let shelf = &self.shelf;
        let (changes, kept, rebase) = (shelf.changes.clone()?, shelf.kept.clone(), shelf.rebase.clone());
        let kept_is_raw = kept.as_ref().is_some_and(|kept| kept.is_raw);
        let rebase_is_raw = rebase.as_ref().is_some_and(|(_, is_raw)| *is_raw);
        let is_raw = changes.is_raw
            || match action {
                ChangesetAction::Concatenate { .. } | ChangesetAction::Group { .. } => kept_is_raw,
                ChangesetAction::Rebase { .. } => rebase_is_raw,
                _ => false,
            };
        match action {
            // SQLite documents that as an error.
            ChangesetAction::Invert { .. } if changes.is_patchset => return None,
            ChangesetAction::Concatenate { .. } => drop(kept.as_ref()?),
            ChangesetAction::Rebase { .. } => drop(rebase.as_ref()?),
            _ => {}
        }
        self.on(connection)?;
        let watch = Rc::clone(self.execution.watch());
        let mut made = None;
        self.execution.call(verb(is_raw), true, |connection| {
            let with = |chunk: u16| Changes { content: &changes.content, chunk };
            let kept = kept.as_ref().map(|kept| kept.content.as_slice());
            let rebase = rebase.as_ref().map_or(&[][..], |(rebase, _)| rebase);
            let bytes = changes.content.len() + kept.map_or(0, <[u8]>::len);
            watch.charge_ticks(bytes as u64 / BYTES_PER_TICK);
            let result = match action {
                ChangesetAction::Invert { chunk } => with(*chunk).invert(),
                ChangesetAction::Concatenate { chunk } => with(*chunk).after(kept.unwrap_or_default()),
                ChangesetAction::Rebase { chunk } => with(*chunk).rebase(rebase),
                ChangesetAction::Group { has_schema, is_one_by_one, chunk } => {
                    with(*chunk).group(kept, has_schema.then_some(connection), *is_one_by_one)
                }
                _ => return (Code::OK, Vec::new()),
            };
            match result {
                Ok(content) => {
                    made = Some(content.clone());
                    (Code::OK, content)
                }
                Err(code) => (code, Vec::new()),
            }
        });
        if let Some(content) = made.filter(|content| content.len() <= CHANGES_BYTES_MAX) {
            self.shelf.changes = Some(Changeset { content, is_patchset: changes.is_patchset, is_raw });
        }
        Some(())
    }

    fn apply(
        &mut self,
        connection: u8,
        on_conflict: OnConflict,
        filter: Option<&str>,
        flags: u8,
        chunk: u16,
    ) -> Option<()> {
        self.shelf.changes.as_ref()?;
        self.on(connection)?;
        let watch = Rc::clone(self.execution.watch());
        let changes = self.shelf.changes.as_ref()?;
        // SQLite documents that as an error.
        let flags = if changes.is_patchset { flags & !APPLY_INVERT } else { flags };
        let mut left = Vec::new();
        self.execution.call(changes.verb(), false, |connection| {
            watch.charge_ticks(changes.content.len() as u64 / BYTES_PER_TICK);
            let whole = Changes { content: &changes.content, chunk };
            let (code, seen, rebase) = connection.apply_as(whole, Applied { on_conflict, filter, flags });
            left = rebase;
            (code, seen)
        });
        self.shelf.rebase = Some((left, changes.is_raw));
        Some(())
    }
}
