//! How an operation opens a connection.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `mode` of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OpenMode {
    /// None is given: reads and writes, and creates the file.
    #[default]
    Unset,
    /// `ro`.
    ReadOnly,
    /// `rw`: does not create the file.
    ReadWrite,
    /// `rwc`.
    Create,
    /// `memory`: the file is not used.
    Memory,
}

/// How a connection is opened, beyond the file (<https://sqlite.org/uri.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OpenOptions {
    /// Through `sqlite3_open16`.
    pub is_utf16: bool,
    /// Its mode.
    pub mode: OpenMode,
    /// Whether it shares its cache with others of the same file; `None` leaves that to SQLite.
    pub shares_cache: Option<bool>,
    /// Whether the file is said never to change.
    pub is_immutable: bool,
    /// Whether the file is not locked.
    pub has_no_locks: bool,
    /// Whether a write is said to leave the bytes beside it as they are; `None` leaves that to the disk.
    pub is_powersafe: Option<bool>,
}

impl fmt::Display for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_utf16 {
            f.write_str(" by UTF-16")?;
        }
        if self.mode != OpenMode::Unset {
            write!(f, " mode {:?}", self.mode)?;
        }
        for (option, name) in
            [(self.shares_cache, "shared cache"), (self.is_powersafe, "powersafe overwrite")]
        {
            if let Some(is_on) = option {
                write!(f, " {name} {}", if is_on { "on" } else { "off" })?;
            }
        }
        if self.is_immutable {
            f.write_str(" immutable")?;
        }
        if self.has_no_locks {
            f.write_str(" without locks")?;
        }
        Ok(())
    }
}
