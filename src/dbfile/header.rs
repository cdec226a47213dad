//! The database header, the first 100 bytes (<https://sqlite.org/fileformat2.html#the_database_header>).

use std::ops::Range;

use super::{MAGIC, read_be, write_be};

/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 100;

/// A number in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in the format's documentation.
    pub name: &'static str,
    /// Offset in bytes.
    pub at: usize,
    /// Width in bytes.
    pub width: usize,
}

const fn field(name: &'static str, at: usize, width: usize) -> Field {
    Field { name, at, width }
}

/// Page size in bytes; 1 stands for 65536.
pub const PAGE_SIZE: Field = field("page size", 16, 2);
/// 1 for a rollback journal, 2 for WAL.
pub const WRITE_VERSION: Field = field("write version", 18, 1);
/// As [`WRITE_VERSION`].
pub const READ_VERSION: Field = field("read version", 19, 1);
/// Unused bytes at the end of each page.
pub const RESERVED: Field = field("reserved bytes per page", 20, 1);
/// The fractions of a page that payloads may take; always 64, 32 and 32.
pub const PAYLOAD_FRACTIONS: [Field; 3] = [
    field("maximum embedded payload fraction", 21, 1),
    field("minimum embedded payload fraction", 22, 1),
    field("leaf payload fraction", 23, 1),
];
/// Changes with every transaction.
pub const CHANGE_COUNTER: Field = field("change counter", 24, 4);
/// Size of the database in pages; counts only if [`VERSION_VALID_FOR`] equals [`CHANGE_COUNTER`].
pub const PAGE_COUNT: Field = field("page count", 28, 4);
/// First trunk page of the freelist.
pub const FREELIST_TRUNK: Field = field("first freelist trunk", 32, 4);
/// Number of free pages.
pub const FREELIST_COUNT: Field = field("freelist pages", 36, 4);
/// Changes with the schema.
pub const SCHEMA_COOKIE: Field = field("schema cookie", 40, 4);
/// 1 to 4.
pub const SCHEMA_FORMAT: Field = field("schema format", 44, 4);
/// Suggested page cache size.
pub const CACHE_SIZE: Field = field("default cache size", 48, 4);
/// Largest root page, nonzero if there is a pointer map.
pub const LARGEST_ROOT: Field = field("largest root page", 52, 4);
/// 1 UTF-8, 2 UTF-16le, 3 UTF-16be.
pub const ENCODING: Field = field("text encoding", 56, 4);
/// `PRAGMA user_version`.
pub const USER_VERSION: Field = field("user version", 60, 4);
/// Nonzero for incremental vacuum.
pub const INCREMENTAL_VACUUM: Field = field("incremental vacuum", 64, 4);
/// `PRAGMA application_id`.
pub const APPLICATION_ID: Field = field("application id", 68, 4);
/// The change counter for which [`PAGE_COUNT`] is valid.
pub const VERSION_VALID_FOR: Field = field("version valid for", 92, 4);
/// The version of SQLite that wrote the file.
pub const SQLITE_VERSION: Field = field("SQLite version", 96, 4);

/// Bytes reserved for expansion, all 0.
pub const EXPANSION: Range<usize> = 72..92;

/// All fields by offset, with the three payload fractions.
pub const FIELDS: [Field; 21] = [
    PAGE_SIZE,
    WRITE_VERSION,
    READ_VERSION,
    RESERVED,
    PAYLOAD_FRACTIONS[0],
    PAYLOAD_FRACTIONS[1],
    PAYLOAD_FRACTIONS[2],
    CHANGE_COUNTER,
    PAGE_COUNT,
    FREELIST_TRUNK,
    FREELIST_COUNT,
    SCHEMA_COOKIE,
    SCHEMA_FORMAT,
    CACHE_SIZE,
    LARGEST_ROOT,
    ENCODING,
    USER_VERSION,
    INCREMENTAL_VACUUM,
    APPLICATION_ID,
    VERSION_VALID_FOR,
    SQLITE_VERSION,
];

impl Field {
    /// The value in `image`; bytes past its end count as zero.
    pub fn get(self, image: &[u8]) -> u32 {
        read_be(image, self.at, self.width) as u32
    }

    /// Stores the low bytes of `value`.
    pub fn set(self, image: &mut [u8], value: u32) {
        write_be(image, self.at, self.width, u64::from(value));
    }
}

/// The page size in bytes from the header, if it is valid.
pub fn page_size(image: &[u8]) -> Option<usize> {
    let bytes = match PAGE_SIZE.get(image) {
        1 => 65536,
        n => n as usize,
    };
    (image.len() >= HEADER_BYTES && (512..=65536).contains(&bytes) && bytes.is_power_of_two())
        .then_some(bytes)
}

/// True if `image` begins with the magic text.
pub fn has_magic(image: &[u8]) -> bool {
    image.starts_with(MAGIC)
}

/// True if the header asks for WAL mode.
pub fn is_wal(image: &[u8]) -> bool {
    WRITE_VERSION.get(image) == 2 && READ_VERSION.get(image) == 2
}
