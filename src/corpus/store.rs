//! A corpus database: `corpus/<target>.db`.
//!
//! ```sql
//! CREATE TABLE "case"(
//!   sha256 BLOB, target TEXT, kind TEXT, signature TEXT, source TEXT, body BLOB, PRIMARY KEY(sha256, target)
//! );
//! CREATE TABLE readme(text TEXT);
//! ```
//! `application_id` and `user_version` mark the format. A body is an encoded case. One case may be there for several
//! targets, which see different things in it; format 1 could keep it for one only. The tables are not STRICT, as
//! STYLE.md has it: a target that is built with an SQLite before 3.37 reads its seeds from here. The file is written whole, rows in the order of their keys, without times, so that the
//! same content gives the same bytes and `git diff` shows only what changed.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, params};

use super::{CorpusError, open_to_read, replace_file};
use crate::engine::sqlite;
use crate::testcase::{CaseId, TestCase};

/// `application_id` of a corpus database: `TDMc`.
pub const APPLICATION_ID: u32 = 0x5444_4d63;
/// `user_version` of the format.
pub const FORMAT_VERSION: u32 = 2;
const PAGE_BYTES: u32 = 1024;
const README: &str = "Cases of Tandem, a fuzzer for SQLite. Replay: cargo fuzzcheck run FILE. \
    Look at one: cargo fuzzcheck show ID. The body of a row is an encoded case; sha256 is that of the body.";

/// Why a case is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Written by hand, or made from what was.
    Seed,
    /// Found by fuzzing: it reaches code that no other case does.
    Interesting,
    /// Once showed a bug that is fixed.
    Regression,
    /// Shows a bug that is not fixed.
    Known,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Seed, Self::Interesting, Self::Regression, Self::Known];

    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Interesting => "interesting",
            Self::Regression => "regression",
            Self::Known => "known",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A case in a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The target that it is for.
    pub target: String,
    /// Why it is kept.
    pub kind: Kind,
    /// The finding that it shows or showed.
    pub signature: Option<String>,
    /// Where it came from, in words.
    pub source: String,
    /// The encoded case.
    pub body: Vec<u8>,
}

impl Entry {
    /// An entry of this case.
    pub fn new(target: &str, kind: Kind, source: &str, case: &TestCase) -> Self {
        Self {
            target: target.to_owned(),
            kind,
            signature: None,
            source: source.to_owned(),
            body: case.encode(),
        }
    }
}

/// The cases of a corpus database, by identity and target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corpus {
    entries: BTreeMap<(CaseId, String), Entry>,
}

impl Corpus {
    /// Adds a case. One that is there already stays as it is, unless the new one says more: a known or
    /// fixed bug outranks a seed or an interesting case. Returns whether anything changed.
    pub fn insert(&mut self, entry: Entry) -> bool {
        let key = (CaseId::of_encoded(&entry.body), entry.target.clone());
        let is_bug = matches!(entry.kind, Kind::Regression | Kind::Known);
        let is_better = self.entries.get(&key).is_none_or(|old| is_bug && old.kind < entry.kind);
        if is_better {
            self.entries.insert(key, entry);
        }
        is_better
    }

    /// Keeps the cases of which `wanted` says so.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Entry) -> bool) {
        self.entries.retain(|_, entry| wanted(entry));
    }

    /// All cases, in the order of identity and target.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&CaseId, &Entry)> {
        self.entries.iter().map(|((id, _), entry)| (id, entry))
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without cases.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads a corpus database whole and closes it.
    ///
    /// # Errors
    /// [`CorpusError`], naming the file, where it is missing, no corpus, or damaged: also where a body
    /// does not have the SHA-256 that is its key.
    pub fn load(path: &Path) -> Result<Self, CorpusError> {
        let _shared = sqlite::shared();
        let connection = open_to_read(path)?;
        check_format(&connection, path)?;
        check_integrity(&connection, path)?;
        let mut statement = connection
            .prepare("SELECT sha256, target, kind, signature, source, body FROM \"case\"")
            .map_err(CorpusError::sqlite(path))?;
        let rows = statement
            .query_map((), |row| {
                let entry = (
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get::<_, Vec<u8>>(5)?,
                );
                Ok((row.get::<_, Vec<u8>>(0)?, entry))
            })
            .map_err(CorpusError::sqlite(path))?;
        let mut corpus = Self::default();
        for row in rows {
            let (key, (target, kind, signature, source, body)) = row.map_err(CorpusError::sqlite(path))?;
            let id = CaseId::of_encoded(&body);
            let damaged = |what: &str| CorpusError::DamagedRow {
                path: path.to_owned(),
                id: key.iter().map(|byte| format!("{byte:02x}")).collect(),
                what: what.to_owned(),
            };
            if key != id.as_bytes() {
                return Err(damaged("its body has another SHA-256"));
            }
            let kind = Kind::from_name(&kind).ok_or_else(|| damaged(&format!("unknown kind `{kind}`")))?;
            TestCase::decode_strict(&body).map_err(|error| damaged(&error.to_string()))?;
            corpus.entries.insert((id, target.clone()), Entry { target, kind, signature, source, body });
        }
        Ok(corpus)
    }

    /// Reads the corpus at `path`, or begins an empty one where there is no file.
    ///
    /// # Errors
    /// As [`Corpus::load`].
    pub fn load_or_new(path: &Path) -> Result<Self, CorpusError> {
        if path.exists() { Self::load(path) } else { Ok(Self::default()) }
    }

    /// Writes the corpus database anew, through a temporary file beside it.
    ///
    /// # Errors
    /// [`CorpusError`], naming the file; the old one is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), CorpusError> {
        let _shared = sqlite::shared();
        replace_file(path, |temporary| self.write(temporary))
    }

    fn write(&self, path: &Path) -> Result<(), CorpusError> {
        let error = CorpusError::sqlite(path);
        let mut connection = Connection::open(path).map_err(&error)?;
        connection
            .execute_batch(&format!(
                "PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;
                 PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT_VERSION};"
            ))
            .map_err(&error)?;
        let transaction = connection.transaction().map_err(&error)?;
        transaction
            .execute_batch(
                "CREATE TABLE readme(text TEXT);
                 CREATE TABLE \"case\"(
                    sha256 BLOB NOT NULL CHECK(length(sha256)=32),
                    target TEXT NOT NULL,
                    kind TEXT NOT NULL CHECK(kind IN ('seed','interesting','regression','known')),
                    signature TEXT,
                    source TEXT NOT NULL,
                    body BLOB NOT NULL,
                    PRIMARY KEY(sha256, target)
                 );",
            )
            .map_err(&error)?;
        transaction.execute("INSERT INTO readme VALUES(?)", [README]).map_err(&error)?;
        for (id, entry) in self.iter() {
            let row = params![
                id.as_bytes(),
                entry.target,
                entry.kind.as_str(),
                entry.signature,
                entry.source,
                entry.body
            ];
            transaction.execute("INSERT INTO \"case\" VALUES(?,?,?,?,?,?)", row).map_err(&error)?;
        }
        transaction.commit().map_err(&error)?;
        connection.close().map_err(|(_, source)| error(source))
    }
}

fn check_format(connection: &Connection, path: &Path) -> Result<(), CorpusError> {
    let number = |pragma: &str| {
        let query = connection.query_row(&format!("PRAGMA {pragma}"), (), |row| row.get::<_, u32>(0));
        query.map_err(CorpusError::sqlite(path))
    };
    let not_a_corpus = |what| Err(CorpusError::NotACorpus { path: path.to_owned(), what });
    if number("application_id")? != APPLICATION_ID {
        return not_a_corpus("this database is no corpus of Tandem (its application_id says so)".to_owned());
    }
    let version = number("user_version")?;
    if version > FORMAT_VERSION {
        return not_a_corpus(format!("format {version} is newer than this build reads ({FORMAT_VERSION})"));
    }
    Ok(())
}

/// Some damage makes rows vanish without an error, and the next save would lose them for good.
fn check_integrity(connection: &Connection, path: &Path) -> Result<(), CorpusError> {
    let query = connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get::<_, String>(0));
    match query.map_err(CorpusError::sqlite(path))?.as_str() {
        "ok" => Ok(()),
        complaint => {
            Err(CorpusError::Malformed { path: path.to_owned(), what: complaint.replace('\n', " ") })
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
