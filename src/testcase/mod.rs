//! The test case: everything that one run of SQLite depends on, as plain data.
//!
//! A [`TestCase`] holds *artefacts* (files, SQL text, settings, planned faults), never a generator's
//! entropy, so a case keeps its meaning when generators and mutators change.
//!
//! # Forms
//! | form | recognised by | reader | writer |
//! |---|---|---|---|
//! | envelope | [`envelope::MAGIC`] | [`envelope`] | [`TestCase::encode`] |
//! | dbsqlfuzz text | a leading `\n--\n`, or `53514c69` as the first eight hex digits | [`dbsqlfuzz`] | [`dbsqlfuzz::write`] |
//! | raw database file | `SQLite format 3\0` | [`TestCase::from_database`] | the file itself |
//! | SQL text | anything else | [`TestCase::from_sql`] | the text itself |
//!
//! [`TestCase::decode`] is total: any bytes are a case, because libFuzzer, other engines and users'
//! seed folders can supply anything. [`TestCase::decode_strict`] is for files named by a person:
//! there a damaged envelope is an error; nothing is guessed.
//!
//! # Invariants
//! * `decode(encode(x)) == x`.
//! * The identity of a case is the SHA-256 of its encoding ([`TestCase::id`]).

mod config;
pub mod dbsqlfuzz;
mod debug;
mod definitions;
pub mod envelope;
mod faults;
mod files;
mod id;
mod operations;
pub(crate) mod ossfuzz;
mod rich_schema;
mod schedule;
mod script;
mod sparse;
mod turns;

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};

pub use config::{OpenConfig, SETTINGS, Setting, SettingSpec, TOGGLE_NAMES};
pub use debug::{Readable, escape};
pub use faults::{Chance, Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Moment, Phase};
pub use files::{FILE_BYTES_MAX, FileName, FileSet, JOURNAL, MAIN_DB, WAL};
pub use id::CaseId;
pub use operations::{APPLY_FLAGS, APPLY_INVERT, ChangesetAction, SessionChange};
pub use operations::{Behaviour, Collation, Failure, FunctionKind, Hook, Nested};
pub use operations::{Bound, CheckpointMode, OnConflict, Operation, Operations};
pub use operations::{CONNECTIONS_MAX, OPERATIONS_MAX, STATEMENTS_MAX};
pub use operations::{
    Control, OpenMode, OpenOptions, Parameter, PrepareForm, Question, StatementQuestion, Supplied,
};
pub use rich_schema::RICH_SCHEMA;
pub use schedule::{SWITCHES_MAX, Schedule, Switch};
pub use script::Script;
pub use sparse::nonzero_runs;

/// Longest input that the strict decoder accepts, in bytes; larger files are rejected by name instead
/// of being read into memory.
pub const CASE_BYTES_MAX: usize = 32 << 20;

/// One case: the files that exist before SQLite opens, the SQL to run, how connections are opened, which connection runs
/// what, and the faults injected along the way.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TestCase {
    /// Database, `-wal`, `-journal` and other files.
    pub files: FileSet,
    /// The SQL script, as bytes.
    pub sql: Script,
    /// How connections are opened.
    pub config: OpenConfig,
    /// What to do beyond running the script on one connection.
    pub operations: Operations,
    /// Where connections take turns; if empty, the operations run in the order written.
    pub schedule: Schedule,
    /// Faults to inject; empty for an undisturbed run.
    pub faults: FaultPlan,
}

/// Why bytes are not a valid case for [`TestCase::decode_strict`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the input is empty: a case needs at least one byte")]
    Empty,
    /// More than [`CASE_BYTES_MAX`] bytes.
    #[error("the input has {bytes} bytes; a case has at most {CASE_BYTES_MAX}")]
    TooLarge {
        /// Size of the input in bytes.
        bytes: u64,
    },
    /// An envelope in a later version of the format.
    #[error("the envelope has version {found}; this build reads versions up to {}", envelope::VERSION)]
    UnsupportedVersion {
        /// The version byte found.
        found: u8,
    },
    /// An envelope that ends early.
    #[error("the envelope is truncated at byte {offset}: {what}")]
    Truncated {
        /// Offset in bytes where data was missing.
        offset: usize,
        /// What was being read.
        what: &'static str,
    },
    /// An envelope with a part that no writer produces.
    #[error("the envelope is malformed at byte {offset}: {what}")]
    Malformed {
        /// Offset in bytes of the part.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// dbsqlfuzz text whose image would exceed [`FILE_BYTES_MAX`].
    #[error("the dbsqlfuzz text writes beyond byte {FILE_BYTES_MAX} of the database")]
    DatabaseTooLarge,
}

/// The form of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own binary envelope.
    Envelope,
    /// dbsqlfuzz text: hexadecimal database, separator, SQL.
    Dbsqlfuzz,
    /// A SQLite database file.
    Database,
    /// SQL text.
    Sql,
}

impl Form {
    /// The form in which `bytes` are read.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&envelope::MAGIC) {
            Self::Envelope
        } else if bytes.starts_with(crate::dbfile::MAGIC) {
            Self::Database
        } else if dbsqlfuzz::looks_like(bytes) {
            Self::Dbsqlfuzz
        } else {
            Self::Sql
        }
    }
}

impl TestCase {
    /// A case that runs `sql` on an empty database.
    pub fn from_sql(sql: impl Into<Vec<u8>>) -> Self {
        Self { sql: Script::new(sql), ..Self::default() }
    }

    /// A case whose main database is `image` (cut to [`FILE_BYTES_MAX`]), without SQL.
    pub fn from_database(image: impl Into<Vec<u8>>) -> Self {
        let mut case = Self::default();
        case.files.insert(FileName::main(), image.into());
        case
    }

    /// Decodes any bytes. From a damaged envelope, it takes what can be read. Time and memory are
    /// linear in the input plus the files that it describes, which [`FileSet`] bounds.
    pub fn decode(bytes: &[u8]) -> Self {
        match Form::of(bytes) {
            Form::Envelope => envelope::read_lenient(bytes),
            Form::Database => Self::from_database(bytes),
            Form::Dbsqlfuzz => dbsqlfuzz::read(bytes).unwrap_or_else(|_| Self::from_sql(bytes)),
            Form::Sql => Self::from_sql(bytes),
        }
    }

    /// Decodes a file named by a person.
    ///
    /// # Errors
    /// [`DecodeError`] if the input is empty, too large, or a damaged envelope.
    pub fn decode_strict(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        if bytes.len() > CASE_BYTES_MAX {
            return Err(DecodeError::TooLarge { bytes: bytes.len() as u64 });
        }
        match Form::of(bytes) {
            Form::Envelope => envelope::read_strict(bytes),
            Form::Dbsqlfuzz => dbsqlfuzz::read(bytes),
            Form::Database | Form::Sql => Ok(Self::decode(bytes)),
        }
    }

    /// Replaces the script; operations stay with their statements, and switches with their operations.
    pub fn set_sql(&mut self, sql: Script) {
        let before = std::mem::replace(&mut self.sql, sql);
        let operations = self.operations.clone();
        self.operations.follow(&before, &self.sql);
        self.schedule.follow(operations.list(), self.operations.list());
    }

    /// Encodes the case as an envelope. Equal cases give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        envelope::write(self)
    }

    /// The SHA-256 of [`TestCase::encode`].
    pub fn id(&self) -> CaseId {
        CaseId::of_encoded(&self.encode())
    }
}

impl fmt::Debug for TestCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Readable(self), f)
    }
}

/// Decoding *is* the `Arbitrary` implementation, so that `cargo fuzz fmt` and libFuzzer's crash
/// output print the case instead of its bytes.
impl<'a> Arbitrary<'a> for TestCase {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let n = u.len();
        Ok(Self::decode(u.bytes(n)?))
    }

    fn arbitrary_take_rest(u: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::decode(u.take_rest()))
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (0, None)
    }
}

#[cfg(test)]
mod tests;
