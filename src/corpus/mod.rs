//! Corpus databases: our own, and those of SQLite's fuzzcheck.
//!
//! | module | what it does |
//! |---|---|
//! | [`store`] | `corpus/<target>.db`: one SQLite database per target |
//! | [`entry`] | a case in it, and what is said of its bug |
//! | [`versions`] | the versions of SQLite that have a bug |
//! | [`mod@lock`] | one writer at a time |
//! | [`fuzzdata`] | SQLite's `fuzzdataN.db` files, read and written |
//! | [`seeding`] | seeds for a fuzz target that starts with an empty folder |
//!
//! Everything here uses ordinary connections to files of the host. Load, close, then run: while a case
//! runs, none is open ([`crate::engine::sqlite::exclusive`]).

pub mod entry;
pub mod fuzzdata;
pub mod lock;
pub mod seeding;
pub mod store;
pub mod versions;

use std::path::{Path, PathBuf};

pub use entry::{Details, Entry, Kind};
pub use lock::lock;
pub use store::Corpus;
pub use versions::{Version, VersionRange};

/// What went wrong with a corpus, and with which file.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The file cannot be opened, read or written as a database.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file cannot be read, written or renamed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is a database, but no corpus.
    #[error("{}: {what}", path.display())]
    NotACorpus {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        what: String,
    },
    /// The file is a database, but not in order.
    #[error("{}: the database is malformed: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What `PRAGMA integrity_check` says.
        what: String,
    },
    /// A row does not hold what its key says.
    #[error("{}: the row {id} is damaged: {what}", path.display())]
    DamagedRow {
        /// The file.
        path: PathBuf,
        /// The key of the row.
        id: String,
        /// What is wrong with it.
        what: String,
    },
}

impl CorpusError {
    fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { path: path.to_owned(), source }
    }

    fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// The same error of another file.
    fn about(mut self, file: &Path) -> Self {
        match &mut self {
            Self::Sqlite { path, .. }
            | Self::Io { path, .. }
            | Self::NotACorpus { path, .. }
            | Self::Malformed { path, .. }
            | Self::DamagedRow { path, .. } => file.clone_into(path),
        }
        self
    }
}

/// Opens a database for reading; it is not created where it does not exist.
fn open_to_read(path: &Path) -> Result<rusqlite::Connection, CorpusError> {
    // SQLite's own message for a missing file does not say that it is missing.
    std::fs::metadata(path).map_err(CorpusError::io(path))?;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    rusqlite::Connection::open_with_flags(path, flags).map_err(CorpusError::sqlite(path))
}

/// Writes a file through a temporary one beside it, so that a full disk or an interruption leaves the
/// old file as it was. Errors name the file that was asked for.
fn replace_file(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), CorpusError>,
) -> Result<(), CorpusError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    // Created here and not by SQLite: the system's message says why it cannot be, SQLite's does not. And
    // what a killed process of the same id left behind is emptied.
    std::fs::File::create(&temporary).map_err(CorpusError::io(path))?;
    let done = write(&temporary).map_err(|error| error.about(path)).and_then(|()| {
        let sync = std::fs::File::open(&temporary).and_then(|file| file.sync_all());
        sync.and_then(|()| std::fs::rename(&temporary, path)).map_err(CorpusError::io(path))
    });
    if done.is_err() {
        // Nothing to tell where there is none to remove.
        std::fs::remove_file(&temporary).ok();
    }
    done
}

/// The application id of a database file, read from its header; `None` if it is no database.
pub fn application_id(path: &Path) -> Option<u32> {
    use std::io::Read;
    let mut start = [0; crate::dbfile::header::HEADER_BYTES];
    std::fs::File::open(path).ok()?.read_exact(&mut start).ok()?;
    let id = crate::dbfile::header::APPLICATION_ID.get(&start);
    crate::dbfile::header::has_magic(&start).then_some(id)
}
