//! What a case does beyond running its script on one connection.
//!
//! The SQL of a case is one text, its [`Script`], whichever connection runs it: mutators, the minimiser, traces and reports
//! all refer to statements by their position in it. Operations say which connection runs which statement:
//! [`Operation::Run`], [`Operation::Prepare`] and the like each take the *next* statement. Statements that no operation takes run
//! at the end, on connection 0. So a case without operations is still a script on one connection. When the script is
//! edited, [`Operations::follow`] keeps operations and statements together.
//!
//! No operation needs setting up: a connection is opened on the main database when it is first used, and an operation on a
//! statement, blob or backup that does not exist does nothing. Identifiers beyond the limits below wrap around. So no edit
//! can make a list of operations invalid.

mod callbacks;
mod connections;
mod display;
mod questions;
mod sessions;
mod statements;

use serde::{Deserialize, Serialize};

use super::envelope::Reader;
use super::{DecodeError, FileName, Script};
use crate::sql;

pub use callbacks::{Behaviour, Collation, Failure, FunctionKind, Hook, Nested};
pub use connections::{OpenMode, OpenOptions};
pub use questions::{Control, Question, StatementQuestion};
pub use sessions::{APPLY_FLAGS, APPLY_INVERT, ChangesetAction, SessionChange};
pub use statements::{Parameter, PrepareForm, Supplied};

/// Maximum number of operations in a case.
pub const OPERATIONS_MAX: usize = 256;
/// Maximum number of connections a case has open at once.
pub const CONNECTIONS_MAX: u8 = 4;
/// Maximum number of prepared statements a case holds at once.
pub const STATEMENTS_MAX: u8 = 8;

/// A value to bind to a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// The bits of a floating-point number.
    Real(u64),
    /// Text; not necessarily UTF-8.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
    /// A blob of this many zeros (`sqlite3_bind_zeroblob`).
    ZeroBlob(u32),
}

/// Modes of `sqlite3_wal_checkpoint_v2` (<https://sqlite.org/c3ref/wal_checkpoint_v2.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckpointMode {
    /// As much as possible without waiting.
    Passive,
    /// All frames.
    Full,
    /// All frames, and the next writer restarts the log.
    Restart,
    /// The same, and the log is truncated.
    Truncate,
}

/// What the conflict handler of `sqlite3changeset_apply` returns (<https://sqlite.org/session/c_changeset_abort.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnConflict {
    /// Skips the change.
    Omit,
    /// Makes the change anyway where that is allowed, otherwise skips it.
    Replace,
    /// Aborts.
    Abort,
}

/// One step of a case; see the module documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields say what they are: identifiers, and arguments of SQLite's functions"
)]
pub enum Operation {
    /// Runs the next statement of the script to its end.
    Run { connection: u8 },
    /// Prepares the next statement of the script and keeps it as `statement`, replacing the previous one.
    Prepare { connection: u8, statement: u8 },
    /// Resets a statement and binds a value to the parameter of this number, counted from 1.
    Bind { statement: u8, parameter: u16, value: Bound },
    /// Steps a statement for this many rows, 0 for all, and leaves it there.
    Step { statement: u8, rows: u32 },
    /// Resets a statement; its bindings stay unless they are cleared.
    Reset { statement: u8, clears_bindings: bool },
    /// Finalizes a statement.
    Finalize { statement: u8 },
    /// Opens a connection to a file; one that is open is closed first.
    Open { connection: u8, file: FileName, is_read_only: bool },
    /// Closes a connection. SQLite refuses with SQLITE_BUSY while a statement, blob or backup of it is in use.
    Close { connection: u8 },
    /// Begins a backup of the main database of one connection into that of another.
    BackupStart { from: u8, to: u8 },
    /// Copies this many pages; a negative number copies all.
    BackupStep { to: u8, pages: i32 },
    /// Ends the backup into `to`.
    BackupFinish { to: u8 },
    /// Opens a value for incremental I/O; each connection has at most one open.
    BlobOpen { connection: u8, table: String, column: String, row: i64, is_writable: bool },
    /// Reads this many bytes from it.
    BlobRead { connection: u8, offset: i32, bytes: i32 },
    /// Writes into it.
    BlobWrite { connection: u8, offset: i32, content: Vec<u8> },
    /// Moves to another row.
    BlobReopen { connection: u8, row: i64 },
    /// Closes it.
    BlobClose { connection: u8 },
    /// Takes a copy of the main database (`sqlite3_serialize`). A case holds only one such copy at a time.
    Serialize { connection: u8 },
    /// Replaces a connection's main database with the copy (`sqlite3_deserialize`).
    Deserialize { connection: u8, is_read_only: bool },
    /// Checkpoints the write-ahead logs of all databases of a connection.
    Checkpoint { connection: u8, mode: CheckpointMode },
    /// Records the changes of all tables of the main database; each connection has at most one such session.
    SessionStart { connection: u8 },
    /// Takes what a connection's session recorded, as a changeset or a patchset. A case holds only one at a time.
    SessionTake { connection: u8, is_patchset: bool },
    /// Inverts the changeset.
    SessionInvert,
    /// Applies the changeset.
    SessionApply { connection: u8, on_conflict: OnConflict },
    /// Ends a connection's session.
    SessionEnd { connection: u8 },
    /// The machine loses power: all connections are gone; the files stay as they are, including every write made so far.
    PowerCut,
    /// The clock advances.
    PassTime { milliseconds: u32 },
    /// As `Prepare`, by this function.
    PrepareAs { connection: u8, statement: u8, form: PrepareForm },
    /// As `Run`, by `sqlite3_exec` or `sqlite3_get_table`.
    Execute { connection: u8, is_table: bool },
    /// Resets a statement and binds something to a parameter.
    BindAs { statement: u8, parameter: Parameter, value: Supplied },
    /// As `Open`, with these options.
    OpenAs { connection: u8, file: FileName, options: OpenOptions },
    /// Closes a connection (`sqlite3_close_v2`) whose statements may outlive it: they can then only be reset and finalized.
    CloseLater { connection: u8 },
    /// As `BackupStart`, between databases of these names.
    BackupStartAs { from: u8, from_schema: String, to: u8, to_schema: String },
    /// As `BlobOpen`, in a database of this name.
    BlobOpenAs { connection: u8, schema: String, table: String, column: String, row: i64, is_writable: bool },
    /// As `Serialize`, of a database of this name.
    SerializeAs { connection: u8, schema: String },
    /// As `Deserialize`, in place of a database of this name; with so many bytes of room to grow.
    DeserializeAs { connection: u8, schema: String, is_read_only: bool, is_resizable: bool, room: u16 },
    /// Begins a session on a database of this name that records nothing yet, perhaps with `SQLITE_SESSION_OBJCONFIG_SIZE`
    /// and `SQLITE_SESSION_OBJCONFIG_ROWID`.
    SessionCreate { connection: u8, schema: String, counts_size: bool, has_rowids: bool },
    /// Changes a session.
    SessionChange { connection: u8, change: SessionChange },
    /// Asks a session whether it is empty, and how much it holds.
    SessionAsk { connection: u8 },
    /// As `SessionTake`, through a stream of chunks of so many bytes.
    SessionStream { connection: u8, is_patchset: bool, chunk: u16 },
    /// These bytes are the current changeset.
    ChangesetPut { content: Vec<u8> },
    /// Does something with the current changeset.
    Changeset { connection: u8, action: ChangesetAction },
    /// Sets a hook.
    Hook { connection: u8, hook: Hook },
    /// Sets a busy handler that gives up after so many calls; 0 removes it.
    BusyHandler { connection: u8, calls: u8 },
    /// Sets the busy timeout, which replaces the busy handler.
    BusyTimeout { connection: u8, milliseconds: i8 },
    /// Interrupts what is running (`sqlite3_interrupt`).
    Interrupt { connection: u8 },
    /// Interrupts what is running when the progress handler is called for this time, counted from 1; 0 for never.
    InterruptAfter { connection: u8, calls: u16 },
    /// Denies the authorizer's request of this number, counted from 1 and from here on, or ignores it; 0 for none. Only what a
    /// SELECT reads is ever ignored.
    Authorize { connection: u8, request: u16, ignores: bool },
    /// Registers a function, with this number of arguments (from 3 on any) and these flags: 1 `SQLITE_DIRECTONLY`,
    /// 2 `SQLITE_INNOCUOUS`, 4 `SQLITE_SUBTYPE`, 8 UTF-16.
    CreateFunction { connection: u8, kind: FunctionKind, arguments: u8, flags: u8, behaviour: Behaviour },
    /// Registers a collation, or removes it.
    CreateCollation { connection: u8, collation: Collation, is_removed: bool },
    /// Sets a callback that registers the collations that are needed, if it `answers`.
    CollationNeeded { connection: u8, is_utf16: bool, answers: bool },
    /// Asks a connection something.
    Ask { connection: u8, question: Question },
    /// Asks a statement something.
    AskStatement { statement: u8, question: StatementQuestion },
    /// Connections that take turns wait here for each other.
    Meet,
}

impl Operation {
    /// True if it takes a statement of the script.
    pub fn takes_statement(&self) -> bool {
        self.runs_on().is_some()
    }

    /// Whether it opens a connection that may share its cache with others.
    pub fn shares_cache(&self) -> bool {
        matches!(self, Self::OpenAs { options, .. } if options.shares_cache == Some(true))
    }

    /// Whether it takes or leaves what belongs to no connection: the serialized database, changesets.
    pub fn uses_shelf(&self) -> bool {
        matches!(
            self,
            Self::Serialize { .. }
                | Self::Deserialize { .. }
                | Self::SerializeAs { .. }
                | Self::DeserializeAs { .. }
                | Self::SessionTake { .. }
                | Self::SessionStream { .. }
                | Self::SessionInvert
                | Self::SessionApply { .. }
                | Self::ChangesetPut { .. }
                | Self::Changeset { .. }
        )
    }

    /// The connection that it names, for a backup its destination; `None` for an operation that names none or a statement.
    pub fn connection_mut(&mut self) -> Option<&mut u8> {
        match self {
            Self::Run { connection }
            | Self::Prepare { connection, .. }
            | Self::Open { connection, .. }
            | Self::Close { connection }
            | Self::BackupStart { to: connection, .. }
            | Self::BackupStep { to: connection, .. }
            | Self::BackupFinish { to: connection }
            | Self::BlobOpen { connection, .. }
            | Self::BlobRead { connection, .. }
            | Self::BlobWrite { connection, .. }
            | Self::BlobReopen { connection, .. }
            | Self::BlobClose { connection }
            | Self::Serialize { connection }
            | Self::Deserialize { connection, .. }
            | Self::Checkpoint { connection, .. }
            | Self::SessionStart { connection }
            | Self::SessionTake { connection, .. }
            | Self::SessionApply { connection, .. }
            | Self::SessionEnd { connection }
            | Self::PrepareAs { connection, .. }
            | Self::Execute { connection, .. }
            | Self::OpenAs { connection, .. }
            | Self::CloseLater { connection }
            | Self::BackupStartAs { to: connection, .. }
            | Self::BlobOpenAs { connection, .. }
            | Self::SerializeAs { connection, .. }
            | Self::DeserializeAs { connection, .. }
            | Self::SessionCreate { connection, .. }
            | Self::SessionChange { connection, .. }
            | Self::SessionAsk { connection }
            | Self::SessionStream { connection, .. }
            | Self::Changeset { connection, .. }
            | Self::Hook { connection, .. }
            | Self::BusyHandler { connection, .. }
            | Self::BusyTimeout { connection, .. }
            | Self::Interrupt { connection }
            | Self::InterruptAfter { connection, .. }
            | Self::Authorize { connection, .. }
            | Self::CreateFunction { connection, .. }
            | Self::CreateCollation { connection, .. }
            | Self::CollationNeeded { connection, .. }
            | Self::Ask { connection, .. } => Some(connection),
            Self::Bind { .. } | Self::Step { .. } | Self::Reset { .. } | Self::Finalize { .. } => None,
            Self::BindAs { .. } | Self::AskStatement { .. } | Self::ChangesetPut { .. } => None,
            Self::SessionInvert | Self::PowerCut | Self::PassTime { .. } | Self::Meet => None,
        }
    }

    /// The connection on which it takes a statement.
    fn runs_on(&self) -> Option<u8> {
        match self {
            Self::Run { connection }
            | Self::Prepare { connection, .. }
            | Self::PrepareAs { connection, .. }
            | Self::Execute { connection, .. } => Some(*connection),
            _ => None,
        }
    }
}

/// Operations in the order they run, at most [`OPERATIONS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operations(Vec<Operation>);

impl Operations {
    /// These operations; those beyond [`OPERATIONS_MAX`] are dropped.
    pub fn new(operations: impl IntoIterator<Item = Operation>) -> Self {
        Self(operations.into_iter().take(OPERATIONS_MAX).collect())
    }

    /// The operations.
    pub fn list(&self) -> &[Operation] {
        &self.0
    }

    /// True if the case is just a script on one connection.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes the operations with `edit`.
    pub fn edit(&mut self, edit: impl FnOnce(&mut Vec<Operation>)) {
        edit(&mut self.0);
        self.0.truncate(OPERATIONS_MAX);
    }

    /// Keeps operations and statements together when the script `before` becomes `after`: an operation whose statement
    /// is gone is removed, and a new statement runs on the same connection as the one before it.
    pub fn follow(&mut self, before: &Script, after: &Script) {
        if self.is_empty() || before == after {
            return;
        }
        let texts = |script: &'_ Script| -> Vec<Vec<u8>> {
            let text = script.as_bytes();
            sql::statements(text).map(|range| text[range].trim_ascii().to_vec()).collect()
        };
        let (old, new) = (texts(before), texts(after));
        let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - same_start;
        let same_end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        let (gone, come) = (old.len() - same_start - same_end, new.len() - same_start - same_end);
        let edited = gone.min(come);
        let places: Vec<usize> = (0..self.0.len()).filter(|&place| self.0[place].takes_statement()).collect();
        let first = same_start + edited;
        if gone > come {
            let out = places.get(first..(same_start + gone).min(places.len())).unwrap_or_default();
            for &place in out.iter().rev() {
                self.0.remove(place);
            }
        } else if let Some(&place) = places.get(first).filter(|_| first < old.len()) {
            let connection = self.0[..place].iter().rev().find_map(Operation::runs_on).unwrap_or(0);
            let run = std::iter::repeat_n(Operation::Run { connection }, come - gone);
            self.edit(|operations| drop(operations.splice(place..place, run)));
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for operation in &self.0 {
            super::envelope::write_item(operation, out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.items(OPERATIONS_MAX, "an operation").map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(connections: &[u8]) -> Operations {
        Operations::new(connections.iter().map(|&connection| Operation::Run { connection }))
    }

    fn after(connections: &[u8], before: &str, after: &str) -> Vec<u8> {
        let mut operations = runs(connections);
        operations.follow(&Script::new(before), &Script::new(after));
        operations.list().iter().filter_map(Operation::runs_on).collect()
    }

    #[test]
    fn operations_stay_with_their_statements() {
        let three = "SELECT 1; SELECT 2; SELECT 3;";
        assert_eq!(after(&[0, 1, 2], three, three), [0, 1, 2]);
        assert_eq!(after(&[0, 1, 2], three, "SELECT 1; SELECT 3;"), [0, 2], "one is gone");
        assert_eq!(after(&[0, 1, 2], three, "SELECT 1; SELECT 9; SELECT 3;"), [0, 1, 2], "edited");
        assert_eq!(
            after(&[0, 1, 2], three, "SELECT 1; SELECT 2; SELECT 8; SELECT 3;"),
            [0, 1, 1, 2],
            "a new one"
        );
        assert_eq!(after(&[3, 1, 2], three, "SELECT 8; SELECT 1; SELECT 2; SELECT 3;"), [0, 3, 1, 2]);
        assert_eq!(after(&[0, 1], three, "SELECT 1; SELECT 2;"), [0, 1], "the one that no operation took");
        assert_eq!(after(&[0, 1, 2], three, ""), [0; 0]);
        assert_eq!(after(&[1], "", "SELECT 1; SELECT 2"), [1], "nothing was taken before");
    }

    #[test]
    fn there_are_never_too_many() {
        assert_eq!(runs(&[1; OPERATIONS_MAX + 1]).list().len(), OPERATIONS_MAX);
        let mut many = runs(&[1; OPERATIONS_MAX]);
        let script = "SELECT 1;".repeat(OPERATIONS_MAX);
        many.follow(&Script::new(script.clone()), &Script::new("SELECT 2;".repeat(9) + &script));
        assert_eq!(many.list().len(), OPERATIONS_MAX);
    }
}
