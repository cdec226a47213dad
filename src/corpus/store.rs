//! A corpus database: `corpus/<target>.db`.
//!
//! ```sql
//! CREATE TABLE "case"(
//!   sha256 BLOB, target TEXT, kind TEXT, signature TEXT, source TEXT, body BLOB, PRIMARY KEY(sha256, target)
//! );
//! CREATE TABLE readme(text TEXT);
//! CREATE TABLE finding(
//!   sha256 BLOB, target TEXT, name TEXT, link TEXT, versions TEXT, reason TEXT, build TEXT,
//!   PRIMARY KEY(sha256, target), UNIQUE(target, name)
//! );
//! ```
//! `application_id` and `user_version` mark the format. A body is an encoded case. One case may be there for several
//! targets, which see different things in it; format 1 could keep it for one only. `finding` has a row for each case of
//! which more is said than its signature ([`Details`]); format 2 had no such table, and in format 3 `build` was `lane`. It is a table of its own, and the
//! last one, so that what is said of a few cases moves none of the others in the file. The tables are not STRICT, as
//! STYLE.md has it: a target that is built with an SQLite before 3.37 reads its seeds from here. The file is written whole, rows in the order of their keys, without times, so that the
//! same content gives the same bytes and `git diff` shows only what changed.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, params};

use super::entry::{Details, Entry, Kind};
use super::{CorpusError, open_to_read, replace_file};
use crate::corpus::versions::VersionError;
use crate::engine::sqlite;
use crate::testcase::{CaseId, TestCase};

/// `application_id` of a corpus database: `TDMc`.
pub const APPLICATION_ID: u32 = 0x5444_4d63;
/// `user_version` of the format.
pub const FORMAT_VERSION: u32 = 4;
/// The first format with the table `finding`, in which `build` had another name.
const FORMAT_WITH_FINDINGS: u32 = 3;
/// The first format with the column `build`.
const FORMAT_WITH_BUILD: u32 = 4;
const PAGE_BYTES: u32 = 1024;
const README: &str = "Cases of Tandem, a fuzzer for SQLite. Replay: cargo fuzzcheck run FILE. \
    Look at one: cargo fuzzcheck show ID. The body of a row is an encoded case; sha256 is that of the body.";

/// The cases of a corpus database, by identity and target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corpus {
    entries: BTreeMap<(CaseId, String), Entry>,
}

impl Corpus {
    /// Adds a case. An existing entry stays as it is, unless the new one says more: a known or
    /// fixed bug outranks a seed or an interesting case. Returns whether anything changed.
    pub fn insert(&mut self, entry: Entry) -> bool {
        let key = (CaseId::of_encoded(&entry.body), entry.target.clone());
        let is_better = self.entries.get(&key).is_none_or(|old| entry.kind.is_bug() && old.kind < entry.kind);
        if is_better {
            self.entries.insert(key, entry);
        }
        is_better
    }

    /// Adds a case, or replaces its entry.
    pub fn put(&mut self, entry: Entry) {
        self.entries.insert((CaseId::of_encoded(&entry.body), entry.target.clone()), entry);
    }

    /// The entry of a case.
    pub fn get(&self, id: &CaseId, target: &str) -> Option<&Entry> {
        self.entries.get(&(*id, target.to_owned()))
    }

    /// The case of a target that has this name.
    pub fn by_name(&self, target: &str, name: &str) -> Option<(&CaseId, &Entry)> {
        let is_named = |entry: &Entry| entry.target == target && entry.details.name.as_deref() == Some(name);
        self.iter().find(|(_, entry)| is_named(entry))
    }

    /// Removes the cases that are not `wanted`.
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
        let version = check_format(&connection, path)?;
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
        let mut details = match version {
            FORMAT_WITH_FINDINGS.. => load_details(&connection, path, version)?,
            _ => BTreeMap::new(),
        };
        let mut corpus = Self::default();
        for row in rows {
            let (key, (target, kind, signature, source, body)) = row.map_err(CorpusError::sqlite(path))?;
            let id = CaseId::of_encoded(&body);
            let damaged = |what: &str| damaged_row(path, &key, what);
            if key != id.as_bytes() {
                return Err(damaged("its body has another SHA-256"));
            }
            let kind = Kind::from_name(&kind).ok_or_else(|| damaged(&format!("unknown kind `{kind}`")))?;
            TestCase::decode_strict(&body).map_err(|error| damaged(&error.to_string()))?;
            let details = details.remove(&(key, target.clone())).unwrap_or_default();
            corpus
                .entries
                .insert((id, target.clone()), Entry { target, kind, signature, source, body, details });
        }
        match details.pop_first() {
            None => Ok(corpus),
            Some(((key, _), _)) => Err(damaged_row(path, &key, "a finding without its case")),
        }
    }

    /// Reads the corpus at `path`, or returns an empty one if there is no file.
    ///
    /// # Errors
    /// As [`Corpus::load`].
    pub fn load_or_new(path: &Path) -> Result<Self, CorpusError> {
        if path.exists() { Self::load(path) } else { Ok(Self::default()) }
    }

    /// Writes the corpus database anew, through a temporary file beside it.
    ///
    /// # Errors
    /// [`CorpusError`], naming the file; the old one is then unchanged.
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
        write_details(&transaction, self).map_err(&error)?;
        transaction.commit().map_err(&error)?;
        connection.close().map_err(|(_, source)| error(source))
    }
}

fn damaged_row(path: &Path, key: &[u8], what: &str) -> CorpusError {
    let id = key.iter().map(|byte| format!("{byte:02x}")).collect();
    CorpusError::DamagedRow { path: path.to_owned(), id, what: what.to_owned() }
}

/// Details of cases, by the bytes of their identity and their target.
fn load_details(
    connection: &Connection,
    path: &Path,
    format: u32,
) -> Result<BTreeMap<(Vec<u8>, String), Details>, CorpusError> {
    let error = CorpusError::sqlite(path);
    let build = if format < FORMAT_WITH_BUILD { "lane" } else { "build" };
    let query = format!("SELECT sha256, target, name, link, versions, reason, {build} FROM finding");
    let mut statement = connection.prepare(&query).map_err(&error)?;
    let rows = statement.query_map((), |row| {
        let key = (row.get::<_, Vec<u8>>(0)?, row.get(1)?);
        let (name, link, reason, build) = (row.get(2)?, row.get(3)?, row.get(5)?, row.get(6)?);
        Ok((key, Details { name, link, versions: None, reason, build }, row.get::<_, Option<String>>(4)?))
    });
    let mut all = BTreeMap::new();
    for row in rows.map_err(&error)? {
        let (key, mut details, versions) = row.map_err(&error)?;
        let range = versions.map(|text| text.parse()).transpose();
        details.versions = range.map_err(|why: VersionError| damaged_row(path, &key.0, &why.to_string()))?;
        all.insert(key, details);
    }
    Ok(all)
}

fn write_details(connection: &Connection, corpus: &Corpus) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE finding(
            sha256 BLOB NOT NULL CHECK(length(sha256)=32),
            target TEXT NOT NULL,
            name TEXT, link TEXT, versions TEXT, reason TEXT, build TEXT,
            PRIMARY KEY(sha256, target), UNIQUE(target, name)
         );",
    )?;
    for (id, entry) in corpus.iter().filter(|(_, entry)| !entry.details.is_empty()) {
        let Details { name, link, versions, reason, build } = &entry.details;
        let versions = versions.map(|range| range.to_string());
        let row = params![id.as_bytes(), entry.target, name, link, versions, reason, build];
        connection.execute("INSERT INTO finding VALUES(?,?,?,?,?,?,?)", row)?;
    }
    Ok(())
}

/// The format of a corpus that this build can read.
fn check_format(connection: &Connection, path: &Path) -> Result<u32, CorpusError> {
    let number = |pragma: &str| {
        let query = connection.query_row(&format!("PRAGMA {pragma}"), (), |row| row.get::<_, u32>(0));
        query.map_err(CorpusError::sqlite(path))
    };
    let not_a_corpus = |what| Err(CorpusError::NotACorpus { path: path.to_owned(), what });
    if number("application_id")? != APPLICATION_ID {
        return not_a_corpus(
            "this database is not a corpus of Tandem, according to its application_id".to_owned(),
        );
    }
    let version = number("user_version")?;
    if version > FORMAT_VERSION {
        return not_a_corpus(format!("format {version} is newer than this build reads ({FORMAT_VERSION})"));
    }
    Ok(version)
}

/// Some damage makes rows disappear without an error, and the next save would lose them for good.
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
