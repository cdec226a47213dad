//! What operations that register callbacks say: hooks, functions, collations.
//!
//! What a callback is told becomes part of the trace.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A hook of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "what the fields mean is said above them")]
pub enum Hook {
    /// None: all hooks of the connection are removed.
    None,
    /// `sqlite3_commit_hook`: refuses the next `refused` commits, which are then rolled back.
    Commit { refused: u8 },
    /// `sqlite3_rollback_hook`.
    Rollback,
    /// `sqlite3_update_hook`.
    Update,
    /// `sqlite3_preupdate_hook`: reads all values, before and after. Not on a connection with a session, which uses this
    /// hook itself.
    Preupdate,
    /// `sqlite3_wal_hook`: perhaps checkpoints the database that was written.
    Wal { checkpoints: bool },
    /// `sqlite3_trace_v2` with these of its events: 1 statement, 2 profile, 4 row, 8 close.
    Trace { events: u8 },
    /// `sqlite3_profile`, without the time.
    Profile,
    /// `sqlite3_autovacuum_pages`: that many pages are vacuumed at each commit.
    AutovacuumPages { pages: u8 },
}

/// What a function is, and so its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunctionKind {
    /// `tandem_f`, a scalar function: results in its first argument, or NULL without any.
    Scalar,
    /// `tandem_g`, an aggregate function: results in the sum of its first arguments as integers, which wraps.
    Aggregate,
    /// `tandem_w`, the same as a window function.
    Window,
}

impl FunctionKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Aggregate, Self::Window];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "tandem_f",
            Self::Aggregate => "tandem_g",
            Self::Window => "tandem_w",
        }
    }
}

/// How a function fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// With a message.
    Message,
    /// With SQLITE_NOMEM.
    NoMemory,
    /// With SQLITE_TOOBIG.
    TooBig,
    /// With SQLITE_ABORT.
    Abort,
    /// With SQLITE_INTERRUPT.
    Interrupt,
    /// With SQLITE_FULL.
    Full,
}

/// The statement that a function runs on its own connection, on some table. Those that change something do so only while no
/// other statement of the connection writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nested {
    /// Reads the table, through the function itself.
    Reads,
    /// Inserts a row of defaults.
    Inserts,
    /// Updates all rows.
    Updates,
    /// Deletes all rows.
    Deletes,
    /// Creates another table.
    Creates,
    /// Drops the table.
    Drops,
    /// Rolls back.
    RollsBack,
}

impl Nested {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Reads,
        Self::Inserts,
        Self::Updates,
        Self::Deletes,
        Self::Creates,
        Self::Drops,
        Self::RollsBack,
    ];
}

/// What a function does before it returns. What it returns does not depend on that, so that indexes and constraints that
/// use it stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "what the fields mean is said above them")]
pub enum Behaviour {
    /// There is no such function any more.
    Removed,
    /// Nothing.
    Plain,
    /// Fails. An aggregate fails at its first row, or only when its result is asked for.
    Fails { failure: Failure, is_late: bool },
    /// Runs a statement.
    Runs { statement: Nested, table: String },
    /// Remembers something for each of its arguments (`sqlite3_set_auxdata`).
    Auxdata,
    /// Gives its result a subtype.
    Subtype,
    /// Returns a copy (`sqlite3_value_dup`).
    Duplicate,
    /// Reads the pointer that it is given, and returns one, which is NULL for all others.
    Pointer,
}

/// A collation. The order that goes with a name never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Collation {
    /// `tandem_c`: by length, then by bytes of UTF-8.
    ByLength,
    /// `tandem_r`: reversed, by bytes of UTF-16.
    Reversed,
}

impl Collation {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ByLength, Self::Reversed];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByLength => "tandem_c",
            Self::Reversed => "tandem_r",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("remove all hooks"),
            Self::Commit { refused } => write!(f, "set a commit hook that refuses {refused}"),
            Self::Rollback => f.write_str("set a rollback hook"),
            Self::Update => f.write_str("set an update hook"),
            Self::Preupdate => f.write_str("set a preupdate hook"),
            Self::Wal { checkpoints: false } => f.write_str("set a WAL hook"),
            Self::Wal { checkpoints: true } => f.write_str("set a WAL hook that checkpoints"),
            Self::Trace { events } => write!(f, "trace events {events}"),
            Self::Profile => f.write_str("profile"),
            Self::AutovacuumPages { pages } => write!(f, "let autovacuum free {pages} pages"),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str("removed"),
            Self::Plain => f.write_str("plain"),
            Self::Fails { failure, is_late } => {
                write!(f, "fails{}: {failure:?}", if *is_late { " late" } else { "" })
            }
            Self::Runs { statement, table } => write!(f, "{statement:?}, table `{}`", table.escape_debug()),
            Self::Auxdata => f.write_str("uses auxdata"),
            Self::Subtype => f.write_str("sets a subtype"),
            Self::Duplicate => f.write_str("duplicates"),
            Self::Pointer => f.write_str("uses pointers"),
        }
    }
}
