//! The files that exist when SQLite opens.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of the main database.
pub const MAIN_DB: &str = "main.db";
/// Name of [`MAIN_DB`]'s write-ahead log.
pub const WAL: &str = "main.db-wal";
/// Name of [`MAIN_DB`]'s rollback journal.
pub const JOURNAL: &str = "main.db-journal";

/// Maximum size of a file in bytes, the same as dbsqlfuzz's: 10,000,000. A longer file is truncated.
pub const FILE_BYTES_MAX: usize = 10_000_000;
/// Maximum total size of a case's files: 32 MiB.
pub const FILES_BYTES_MAX: usize = 32 << 20;
/// Maximum number of files in a case.
pub const FILES_MAX: usize = 16;
/// Maximum length of a file name in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 64;

/// The name of a file on the simulated disk: 1 to 64 of `A-Z a-z 0-9 _ . -`. Such a name needs no
/// quoting in a path or a URI, and cannot express a host path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl TryFrom<String> for FileName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name).ok_or("a file name is 1 to 64 of A-Z a-z 0-9 _ . -")
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl FileName {
    /// The name, if it is valid.
    pub fn new(name: &str) -> Option<Self> {
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        (!name.is_empty() && name.len() <= FILE_NAME_BYTES_MAX && name.bytes().all(valid))
            .then(|| Self(name.to_owned()))
    }

    /// [`MAIN_DB`].
    pub fn main() -> Self {
        Self(MAIN_DB.to_owned())
    }

    /// [`WAL`].
    pub fn wal() -> Self {
        Self(WAL.to_owned())
    }

    /// [`JOURNAL`].
    pub fn journal() -> Self {
        Self(JOURNAL.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Files by name: at most `FILES_MAX`, each at most [`FILE_BYTES_MAX`] bytes, together at
/// most `FILES_BYTES_MAX`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FileSet(BTreeMap<FileName, Vec<u8>>);

impl FileSet {
    /// Adds or replaces a file. Returns `false` if something was lost to the limits: content
    /// beyond them is truncated, and a new name beyond `FILES_MAX` files is rejected.
    pub fn insert(&mut self, name: FileName, mut content: Vec<u8>) -> bool {
        if self.0.len() >= FILES_MAX && !self.0.contains_key(&name) {
            return false;
        }
        let before = content.len();
        let others = self.total_bytes() - self.0.get(&name).map_or(0, Vec::len);
        content.truncate(FILE_BYTES_MAX.min(FILES_BYTES_MAX - others));
        let whole = content.len() == before;
        self.0.insert(name, content);
        whole
    }

    /// Removes a file and returns its content.
    pub fn remove(&mut self, name: &FileName) -> Option<Vec<u8>> {
        self.0.remove(name)
    }

    /// The content of the file `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(&FileName::new(name)?).map(Vec::as_slice)
    }

    /// The main database, if there is one.
    pub fn main(&self) -> Option<&[u8]> {
        self.get(MAIN_DB)
    }

    /// The files of the database `name`: itself, its write-ahead log and its rollback journal.
    pub fn database(&self, name: &str) -> [Option<&[u8]>; 3] {
        ["", "-wal", "-journal"].map(|suffix| self.get(&format!("{name}{suffix}")))
    }

    /// The names of the files that may be databases: those that belong to another one have a hyphen.
    pub fn databases(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(FileName::as_str).filter(|name| !name.contains('-'))
    }

    /// Replaces the content of `name` with the result of `edit`. A missing file stays missing.
    pub fn edit(&mut self, name: &FileName, edit: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut content) = self.0.remove(name) {
            edit(&mut content);
            self.insert(name.clone(), content);
        }
    }

    /// All files, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&FileName, &[u8])> {
        self.0.iter().map(|(name, content)| (name, content.as_slice()))
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Total size of all files in bytes.
    pub fn total_bytes(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
