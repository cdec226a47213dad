//! Planted bugs, which prove that the comparison finds each class of difference.

use tandem::engine::Value;
use tandem::engine::transcript::{EndState, StatementRecord};

/// What a statement says that a plant spoils.
const MARK: &[u8] = b"planted";
/// `SQLITE_IOERR`, which no statement has on a disk in memory.
const IO_ERROR: i32 = 10;

/// A bug that Turso does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// One row too many in a result.
    ExtraRow,
    /// No rows of a result.
    NoRows,
    /// A statement fails.
    Error,
    /// Turso panics.
    Panic,
    /// A table loses its rows.
    LostTable,
    /// The schema has an object more.
    Schema,
    /// The database is damaged.
    Integrity,
}

impl Plant {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 7] = [
        ("turso-extra-row", Self::ExtraRow),
        ("turso-no-rows", Self::NoRows),
        ("turso-error", Self::Error),
        ("turso-panic", Self::Panic),
        ("turso-lost-table", Self::LostTable),
        ("turso-schema", Self::Schema),
        ("turso-integrity", Self::Integrity),
    ];

    /// The plant of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant)
    }

    /// Spoils the record of a statement that asks for it.
    pub(crate) fn alter(self, text: &[u8], record: &mut StatementRecord) {
        if !text.windows(MARK.len()).any(|window| window == MARK) {
            return;
        }
        match self {
            Self::ExtraRow => record.add_row(&[Value::Text(MARK.to_vec())]),
            Self::NoRows => (record.rows, record.sample) = Default::default(),
            Self::Error => {
                record.code = IO_ERROR;
                record.set_message("a planted error");
            }
            Self::Panic => panic!("a planted panic"),
            Self::LostTable | Self::Schema | Self::Integrity => {}
        }
    }

    /// Spoils what is left.
    pub(crate) fn alter_end(self, end: &mut EndState) {
        match self {
            Self::LostTable => {
                if let Some(table) = end.tables.first_mut() {
                    (table.rows, table.with_rowid) = Default::default();
                }
            }
            Self::Schema => end.schema.push(["table", "planted", "planted", ""].map(str::to_owned)),
            Self::Integrity => end.integrity = Some(vec!["a planted problem".to_owned()]),
            Self::ExtraRow | Self::NoRows | Self::Error | Self::Panic => {}
        }
    }
}
