//! The SQL script of a case.

/// SQL text as bytes: not necessarily UTF-8, never with a NUL byte (SQLite's interfaces stop there,
/// so bytes after a NUL could not matter).
#[derive(Clone, PartialEq, Eq, Default, Hash)]
pub struct Script(Vec<u8>);

impl Script {
    /// The script up to its first NUL byte.
    pub fn new(sql: impl Into<Vec<u8>>) -> Self {
        let mut bytes = sql.into();
        if let Some(end) = bytes.iter().position(|&b| b == 0) {
            bytes.truncate(end);
        }
        Self(bytes)
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
