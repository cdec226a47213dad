//! What a run did, as plain data.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{BitOr, BitOrAssign, Range};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::transcript::{EndState, StatementRecord};
use super::{Code, Value};
use crate::dbfile::damage::Assessment;
use crate::faults::disk::log::Log;
use crate::faults::rules::Hits;
use crate::faults::vfs::Call;
use crate::testcase::Schedule;

/// What a run should report beyond what every run reports. What is not asked for costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The result of `integrity_check`, the files that are left, and our own check of them.
    pub has_files: bool,
    /// For each statement, what another engine must return as well: [`StatementTrace::record`].
    pub has_records: bool,
    /// The rows of each statement: [`StatementTrace::values`].
    pub has_values: bool,
    /// The schema and the tables that are left: [`Observation::end`].
    pub has_end: bool,
    /// What the connection sees before the first statement and after each: [`Observation::views`].
    pub has_views: bool,
    /// What is done to the disk: [`Observation::disk_log`].
    pub has_log: bool,
    /// What connections did in their turns: [`Turns::events`].
    pub has_turns: bool,
}

impl Asked {
    /// What the oracles need of every run.
    pub const VERDICTS: Self = Self { has_files: true, ..Self::NOTHING };
    /// What a comparison with another engine needs.
    pub const TRANSCRIPT: Self = Self { has_records: true, has_end: true, ..Self::NOTHING };
    /// What a run without faults shows of the states that one with them may leave.
    pub const VIEWS: Self = Self { has_views: true, ..Self::NOTHING };
    /// Nothing beyond what every run reports.
    pub const NOTHING: Self = Self {
        has_files: false,
        has_records: false,
        has_values: false,
        has_end: false,
        has_views: false,
        has_log: false,
        has_turns: false,
    };
}

/// What happened to one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementTrace {
    /// Its position in the script; an empty range for a statement that a target made itself.
    pub sql: Range<usize>,
    /// The keyword with which it begins, for signatures; `-` for any other word.
    pub verb: &'static str,
    /// Result of preparing it.
    pub prepare: Code,
    /// Result of the last step; [`Code::OK`] if there was none.
    pub step: Code,
    /// Rows returned.
    pub rows: u64,
    /// XXH3 of all values of all rows, with their types.
    pub row_digest: u64,
    /// Virtual-machine steps.
    pub vm_steps: u64,
    /// True if it can change no database.
    pub is_read_only: bool,
    /// Where it stands among those of other connections; `None` if no operation ran it.
    pub place: Option<Place>,
    /// Of a checkpoint through the interface: the frames in the log, and those of them that are in the database; -1 if there
    /// is no log.
    pub frames: Option<[i32; 2]>,
    /// See [`Asked::has_records`].
    pub record: Option<Box<StatementRecord>>,
    /// The rows, if they were asked for ([`Asked::has_values`]).
    pub values: Vec<Vec<Value>>,
}

/// Where a statement stands among those of all connections. Times count what happens between them: beginnings and ends of
/// operations, and changes of locks for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The operation, by its position in the list.
    pub operation: usize,
    /// The first of the connections that run one at a time with its own.
    pub connection: u8,
    /// When it began.
    pub began: Time,
    /// When it was done.
    pub done: Time,
    /// When its connection last got a lock with which it could write; 0 for never. Nobody else could write from there until
    /// it gave the lock up.
    pub got_lock: u64,
    /// When it last gave it up; 0 for never.
    pub released: u64,
    /// If it got a lock for reading meanwhile: the last change of a lock for writing when it last did.
    pub read_at: Option<u64>,
    /// True if no transaction was open afterwards that a statement had begun.
    pub is_autocommit: bool,
}

/// A time in a run with several connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Beginnings and ends of operations so far.
    pub event: u64,
    /// The last change of a lock for writing, which are counted from 1.
    pub lock: u64,
}

impl StatementTrace {
    /// The code with which it ended.
    pub fn code(&self) -> Code {
        if self.prepare == Code::OK { self.step } else { self.prepare }
    }
}

/// A file that the run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: usize,
    /// XXH3 of its content.
    pub digest: u64,
}

/// Everything that is the same whenever the same case runs on the same build.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// The statements in the order in which they ran.
    pub statements: Vec<StatementTrace>,
    /// How connections took turns; `None` if the operations ran in the order written.
    pub turns: Option<Turns>,
    /// The files after the connection was closed, sorted by name.
    pub files: Vec<FileDigest>,
    /// True if the run ended because its budget was used up.
    pub is_cut_short: bool,
    /// What failed because a fault was planned.
    pub hits: Hits,
}

/// What a connection sees of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseView {
    /// Its file.
    pub file: String,
    /// A number that stands for schema and content, or why they cannot be read.
    pub digest: Result<u64, Code>,
    /// `PRAGMA journal_mode`.
    pub journal: String,
    /// `PRAGMA synchronous`.
    pub synchronous: String,
}

/// What a connection sees of its databases between two statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// How many statements have run.
    pub statements: usize,
    /// Those that have a file.
    pub databases: Vec<DatabaseView>,
    /// True if no transaction is open that a statement has begun: this is what is committed.
    pub is_autocommit: bool,
}

impl Trace {
    /// Virtual-machine steps of all statements.
    pub fn vm_steps(&self) -> u64 {
        self.statements.iter().map(|statement| statement.vm_steps).sum()
    }

    /// The first difference to another trace, in words; `None` if they are equal.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let pairs = self.statements.iter().zip(&other.statements);
        for (i, (a, b)) in pairs.enumerate() {
            if a != b {
                return Some(format!("statement {i}: {a:?} versus {b:?}"));
            }
        }
        if self.hits != other.hits {
            return Some(format!("faults {:?} versus {:?}", self.hits, other.hits));
        }
        Some(format!(
            "{} versus {} statements, files {:?} versus {:?}",
            self.statements.len(),
            other.statements.len(),
            self.files,
            other.files
        ))
    }
}

/// Something that a connection did in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The operation of the case, by its position in the list.
    pub operation: usize,
    /// The last point before it.
    pub point: u32,
    /// Who did it: a connection, or the first of those that a backup joins.
    pub connection: u8,
    /// What it did.
    pub kind: TurnKind,
}

/// What a connection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnKind {
    /// It began the operation.
    Begins,
    /// It called the VFS.
    Call(Call),
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, point, connection, kind } = self;
        write!(f, "{}.{point}: connection {connection} ", operation + 1)?;
        match kind {
            TurnKind::Begins => f.write_str("begins"),
            TurnKind::Call(call) => call.fmt(f),
        }
    }
}

/// How connections took turns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turns {
    /// The schedule that repeats the run.
    pub schedule: Schedule,
    /// Number of points at which somebody was chosen.
    pub points: u32,
    /// Whether at some moment everybody waited for somebody else.
    pub is_stuck: bool,
    /// What they did, if that was asked for ([`Asked::has_turns`]).
    pub events: Vec<Turn>,
}

/// A limit on what one run may use: see [`crate::engine::sqlite::Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Virtual-machine steps.
    VmSteps,
    /// Bytes that SQLite allocates, in total.
    AllocBytes,
    /// Bytes that SQLite holds at any time.
    HeapBytes,
    /// Bytes on the disk.
    DiskBytes,
    /// Bytes of a string, blob or row.
    LengthBytes,
    /// Rows of all statements, in total.
    Rows,
    /// Memory of the process.
    Memory,
    /// A `sqlite3_limit()` other than the length of a value.
    Sqlite,
}

/// Why a database may be damaged afterwards without a bug in SQLite, as a set.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Taint(u32);

macro_rules! taints {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl Taint {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];
        }
    };
}

taints! {
    /// `PRAGMA writable_schema` or the toggle of that name. It damages nothing as long as nobody writes to the schema,
    /// but another engine may do other things with it.
    WRITABLE_SCHEMA = 0, "writable-schema";
    /// A write to `sqlite_dbpage`.
    DBPAGE = 1, "dbpage";
    /// `PRAGMA journal_mode=OFF`, which does no harm either until something has to be rolled back.
    JOURNAL_OFF = 2, "journal-off";
    /// The script wrote to a table in which a virtual table stores its data.
    SHADOW_TABLE = 3, "shadow-table";
    /// A file was attached, or opened as a database of its own.
    ATTACHED_FILE = 4, "attached-file";
    /// `PRAGMA ignore_check_constraints`: rows need not satisfy them.
    UNCHECKED_ROWS = 5, "unchecked-rows";
    /// `PRAGMA schema_version` was set.
    SCHEMA_VERSION = 6, "schema-version";
    /// A heap limit was set.
    HEAP_LIMIT = 7, "heap-limit";
    /// A `sqlite3_limit` was lowered below what the schema may need.
    LIMITS = 8, "limits";
    /// Power was cut while a transaction wrote whose journal was not on the disk.
    POWER_CUT = 9, "power-cut";
    /// The disk returned what nobody wrote: a bit flipped, or a read was short, because that was planned.
    LYING_DISK = 13, "lying-disk";
    /// A database file was opened without locks, or as one that never changes.
    UNLOCKED = 16, "unlocked";
    /// `PRAGMA journal_mode=MEMORY`: no journal is on the disk.
    MEMORY_JOURNAL = 14, "memory-journal";
    /// `PRAGMA synchronous=OFF`: nothing is ever synced.
    SYNC_OFF = 15, "synchronous-off";
    /// `PRAGMA case_sensitive_like`: the value of an expression with LIKE changed under the index that holds it.
    LIKE = 10, "like-changed";
    /// The schema was written to, not by a statement that defines something: the effect of `WRITABLE_SCHEMA`.
    SCHEMA_WRITTEN = 11, "schema-written";
    /// Something was rolled back without a journal: the effect of `JOURNAL_OFF`.
    ROLLED_BACK = 12, "rolled-back-without-journal";
}

impl Taint {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// True if nothing is in the set.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True if all of `other` is in the set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if anything of `other` is in the set.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its members, one by one.
    pub fn members(self) -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.iter().copied().filter(move |(taint, _)| self.contains(*taint))
    }

    /// The names of all in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.members().map(|(_, name)| name)
    }
}

impl BitOr for Taint {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Taint {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// What `PRAGMA integrity_check` reports about one database of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the database in the connection: `main`, `temp`, or as it was attached.
    pub database: String,
    /// The name of its file; empty if it has none.
    pub file: String,
    /// SQLite's words.
    pub text: String,
    /// True if the check itself failed with this: the schemas of all databases are read for it, so any of them may be
    /// meant.
    pub is_refusal: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.database, self.text)
    }
}

/// What a run showed.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// What must be the same in every run.
    pub trace: Trace,
    /// The limits that ended the run, or made SQLite abandon a statement: nothing after that was observed.
    pub cut_short: BTreeSet<Limit>,
    /// Why damage would be no bug.
    pub taint: Taint,
    /// Statements that SQLite's parser rejected. For statistics only: it is derived from the text of messages.
    pub refused_by_parser: u64,
    /// Names of the known bugs that were avoided, one per refusal ([`crate::known`]).
    pub avoided: Vec<&'static str>,
    /// Why the database could not be opened at all, in which case nothing ran.
    pub open_failed: Option<Code>,
    /// What [`crate::dbfile::damage`] saw in the files of the case before the first statement.
    pub start: Option<Assessment>,
    /// Names of the files that were attached or opened beside the main database, as often as they were.
    pub attached: Vec<String>,
    /// Problems that `PRAGMA integrity_check` reported after the last statement, in all databases of the connection;
    /// `None` if it did not run, or not to its end.
    pub integrity: Option<Vec<Problem>>,
    /// What [`crate::dbfile::damage`] finds in each database file that is left and that was empty, absent or entirely
    /// sound at the start. Empty if nothing was written.
    pub left: Vec<(String, Assessment)>,
    /// What the connection saw after the last statement, if that was asked for ([`Asked::has_end`]), the run was not
    /// cut short, and it could be read.
    pub end: Option<EndState>,
    /// Result of closing the connection.
    pub close: Option<Code>,
    /// Bytes that SQLite still holds after everything was closed, and in how many allocations.
    pub leaked: (i64, i64),
    /// The function in which it was noticed that something was written past a page.
    pub page_overrun: Option<String>,
    /// VFS files that are still open.
    pub open_files: usize,
    /// The peak number of bytes that SQLite held, and the largest single request.
    pub heap_peak: (i64, i64),
    /// What SQLite wrote to its error log, oldest first, at most `LOG_LINES_MAX` lines.
    pub log: Vec<String>,
    /// What the connection saw before the first statement and after each, if that was asked for ([`Asked::has_views`]).
    pub views: Vec<View>,
    /// What it saw after the first statement that failed and met a planned fault. That look is part of every run with faults:
    /// it changes what comes later.
    pub after_fault: Option<View>,
    /// What SQLite changed in a database, or said that it had, before what had to be durable first was
    /// ([`crate::faults::order`]).
    pub order_violation: Option<String>,
    /// What was done to the disk, with a mark after each statement, if that was asked for ([`Asked::has_log`]).
    pub disk_log: Option<Rc<Log>>,
}

impl Observation {
    /// True if its budget or row limit ended the run: the last statement may be incomplete.
    pub fn ended_early(&self) -> bool {
        self.trace.is_cut_short || self.cut_short.contains(&Limit::Rows)
    }
}

/// Lines of the error log that an [`Observation`] keeps at most.
pub const LOG_LINES_MAX: usize = 16;
