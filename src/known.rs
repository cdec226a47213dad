//! Known bugs of SQLite that a run steers around.
//!
//! A bug that ends the process is met again and again once it is known, and everything behind it stays
//! unfuzzed. So what leads there is refused, as narrowly as it can be told, and counted. With
//! [`crate::engine::sqlite::Executor::meet_known_bugs`] nothing is refused; that is how the tests see that
//! each bug still fires. An entry whose bug is gone has to go, too.
//!
//! No link stands with an entry until the bug has been reported.

use rusqlite::ffi;

/// A bug and how it is met.
#[derive(Debug)]
pub struct KnownBug {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// The version in which it was seen.
    pub seen_in: &'static str,
    /// How a finding of it begins, in the lane that shows it.
    pub signature: &'static str,
    /// True if only AddressSanitizer shows it.
    pub needs_asan: bool,
    /// A script that meets it.
    pub script: &'static str,
}

/// `LIKE` on a trigram full-text table.
pub const FTS5_LIKE: KnownBug = KnownBug {
    name: "fts5-like",
    what: "sqlite3Fts5ExprPattern() reads one byte behind the end of a LIKE pattern: at its NUL, which is also \
           the third of the special characters, it looks for a `^` behind a `[`",
    seen_in: "3.54.1",
    signature: "crash/asan-heap-buffer-overflow/sqlite3Fts5ExprPattern",
    needs_asan: true,
    script: "CREATE VIRTUAL TABLE f USING fts5(x, tokenize=trigram); INSERT INTO f VALUES('abcab');\
             SELECT * FROM f WHERE x LIKE '%cab%';",
};

/// An index on a shadow table.
pub const FTS5_SHADOW_INDEX: KnownBug = KnownBug {
    name: "fts5-shadow-index",
    what: "with an index on an expression over its %_data table, FTS5 writes to that table in a statement \
           that opens a savepoint, at which FTS5 flushes by the same statement: recursion without end. A \
           commit flushes at a moment when no savepoint reaches FTS5, so the flush must come in a transaction",
    seen_in: "3.54.1",
    signature: "crash/stack-overflow/",
    needs_asan: false,
    script: "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a');\
             CREATE INDEX i ON f_data(block + 1, lower(block));\
             BEGIN; INSERT INTO f VALUES('b'); SAVEPOINT s;",
};

/// A key on a column of a Geopoly table.
pub const GEOPOLY_KEY: KnownBug = KnownBug {
    name: "geopoly-key",
    what: "a PRIMARY KEY or UNIQUE column of a Geopoly table gives the virtual table an automatic index, \
           whose root page is what was left over; integrity_check follows it and reports damage",
    seen_in: "3.54.1",
    signature: "integrity/",
    needs_asan: false,
    script: "CREATE TABLE t(a); CREATE VIRTUAL TABLE g USING geopoly(a PRIMARY KEY);",
};

/// All known bugs.
pub const KNOWN: [&KnownBug; 3] = [&FTS5_LIKE, &FTS5_SHADOW_INDEX, &GEOPOLY_KEY];

/// Ends of the names of tables in which FTS and R-Tree tables keep their data.
pub(crate) const SHADOW_SUFFIXES: [&str; 11] = [
    "_content",
    "_data",
    "_idx",
    "_docsize",
    "_config",
    "_node",
    "_parent",
    "_rowid",
    "_segments",
    "_segdir",
    "_stat",
];

/// True if `table` is named like one in which a virtual table keeps its data.
pub(crate) fn is_shadow_name(table: &[u8]) -> bool {
    let table = table.to_ascii_lowercase();
    SHADOW_SUFFIXES.iter().any(|suffix| table.ends_with(suffix.as_bytes()))
}

/// The bug to which a request to the authorizer leads: its action and the table that it names.
pub(crate) fn by_request(action: i32, table: &[u8]) -> Option<&'static KnownBug> {
    let creates = matches!(action, ffi::SQLITE_CREATE_INDEX | ffi::SQLITE_CREATE_TRIGGER);
    (creates && is_shadow_name(table)).then_some(&FTS5_SHADOW_INDEX)
}

/// The bug to which a statement leads. `mentions_trigrams` says whether the case does, up to here; it is
/// asked only of the statements for which that counts.
pub(crate) fn by_statement(
    text: &[u8],
    mentions_trigrams: impl FnOnce() -> bool,
) -> Option<&'static KnownBug> {
    if contains(text, b"like") && mentions_trigrams() {
        return Some(&FTS5_LIKE);
    }
    let has_key = || contains(text, b"primary") || contains(text, b"unique");
    (contains(text, b"geopoly") && has_key()).then_some(&GEOPOLY_KEY)
}

/// True if the text mentions the trigram tokenizer.
pub(crate) fn mentions_trigrams(text: &[u8]) -> bool {
    contains(text, b"trigram")
}

/// True if the ASCII letters of `word`, given in lower case, stand in `text` in any case.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window[0] | 0x20 == word[0] && window.eq_ignore_ascii_case(word))
}
