//! What an operation may ask a connection or one of its statements.
//!
//! An answer is part of the trace unless it depends on the host: sizes of memory, addresses, names of files of the host.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is asked about a connection. Some of it also sets something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the arguments of the functions named above them")]
pub enum Question {
    /// `sqlite3_db_status`.
    Status { counter: u8, resets: bool },
    /// `sqlite3_limit`, which is left as it is.
    Limit { limit: u8 },
    /// `sqlite3_txn_state`.
    TransactionState { schema: String },
    /// `sqlite3_db_readonly`, `sqlite3_db_filename`, and what its name tells (`sqlite3_uri_parameter` …).
    File { schema: String },
    /// `sqlite3_file_control`.
    FileControl { schema: String, control: Control, value: i32 },
    /// `sqlite3_table_column_metadata`; without a column whether there is such a table.
    Column { schema: Option<String>, table: String, column: Option<String> },
    /// `sqlite3_db_cacheflush`.
    FlushCache,
    /// `sqlite3_db_release_memory`.
    ReleaseMemory,
    /// `sqlite3_changes`, `sqlite3_total_changes`, `sqlite3_last_insert_rowid`, `sqlite3_get_autocommit`.
    Changes,
    /// `sqlite3_set_last_insert_rowid`.
    SetLastRow { row: i64 },
    /// `sqlite3_errcode`, `sqlite3_errmsg16`, `sqlite3_error_offset`, `sqlite3_system_errno`.
    Error,
    /// `sqlite3_errstr`.
    ErrorText { code: u16 },
    /// `sqlite3_overload_function`.
    Overload { name: String, arguments: u8 },
    /// `sqlite3_wal_autocheckpoint`, which replaces the WAL hook.
    Autocheckpoint { frames: u8 },
    /// `sqlite3_extended_result_codes`, switched off and on again.
    ExtendedCodes,
    /// `sqlite3_enable_load_extension`, switched off.
    NoExtensions,
    /// `sqlite3_setlk_timeout`.
    LockTimeout { milliseconds: i16 },
    /// `sqlite3_complete` and `sqlite3_complete16`.
    Complete { text: String },
    /// `sqlite3_set_clientdata` and `sqlite3_get_clientdata`; without a value the data are dropped.
    ClientData { name: String, value: Option<u8> },
    /// `sqlite3_next_stmt`: how many statements there are, and how many of them are at a row.
    Statements,
    /// `sqlite3_db_name`.
    SchemaName { index: u8 },
    /// `sqlite3_is_interrupted`.
    IsInterrupted,
}

/// What is asked about a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as above")]
pub enum StatementQuestion {
    /// `sqlite3_stmt_status`.
    Status { counter: u8, resets: bool },
    /// `sqlite3_expanded_sql`, `sqlite3_normalized_sql`, `sqlite3_sql`.
    Text,
    /// `sqlite3_stmt_readonly`, `sqlite3_stmt_isexplain`, `sqlite3_stmt_busy`.
    Flags,
    /// `sqlite3_stmt_explain`.
    Explain { mode: u8 },
    /// The names of its columns, and where they come from, in UTF-8 and UTF-16.
    Columns,
    /// The values of its row, converted to the other types.
    Row,
    /// The number of parameters and their names.
    Parameters,
}

/// Operations of `sqlite3_file_control` without effect on the host (<https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// `SQLITE_FCNTL_DATA_VERSION`.
    DataVersion,
    /// `SQLITE_FCNTL_PERSIST_WAL`.
    PersistWal,
    /// `SQLITE_FCNTL_POWERSAFE_OVERWRITE`.
    PowersafeOverwrite,
    /// `SQLITE_FCNTL_CHUNK_SIZE`.
    ChunkSize,
    /// `SQLITE_FCNTL_SIZE_HINT`.
    SizeHint,
    /// `SQLITE_FCNTL_RESERVE_BYTES`.
    ReserveBytes,
    /// `SQLITE_FCNTL_LOCKSTATE`.
    LockState,
    /// `SQLITE_FCNTL_VFSNAME`.
    VfsName,
    /// `SQLITE_FCNTL_HAS_MOVED`.
    HasMoved,
    /// `SQLITE_FCNTL_RESET_CACHE`.
    ResetCache,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DataVersion,
        Self::PersistWal,
        Self::PowersafeOverwrite,
        Self::ChunkSize,
        Self::SizeHint,
        Self::ReserveBytes,
        Self::LockState,
        Self::VfsName,
        Self::HasMoved,
        Self::ResetCache,
    ];
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names say what is asked.
        write!(f, "{self:?}")
    }
}

impl fmt::Display for StatementQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
