//! Known bugs of SQLite that a run steers around.
//!
//! A bug that ends the process is met again and again once it is known, and everything behind it stays
//! unfuzzed. So what leads there is refused, as narrowly as it can be told, and counted. With
//! [`crate::engine::sqlite::Executor::meet_known_bugs`] nothing is refused; that is how the tests see that
//! each bug still fires. An entry whose bug is gone has to go, too.
//!
//! No link stands with an entry until the bug has been reported.

use std::collections::BTreeSet;

use rusqlite::ffi;

use crate::dbfile::{MAGIC, header, wal};
use crate::faults::rules::{Hit, Hits};
use crate::sql;
use crate::testcase::{FileName, FileSet};

/// A bug and how it is met.
#[derive(Debug)]
pub struct KnownBug {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// The version in which it was seen.
    pub seen_in: &'static str,
    /// How a finding of it begins, in the build that shows it.
    pub signature: &'static str,
    /// True if only AddressSanitizer shows it.
    pub needs_asan: bool,
    /// A script that meets it.
    pub script: &'static str,
    /// The files that it needs, most often none.
    pub files: fn() -> FileSet,
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
    files: FileSet::default,
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
    files: FileSet::default,
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
    files: FileSet::default,
};

/// A log that says that the database has as many pages as there are numbers.
pub const WAL_ALL_PAGES: KnownBug = KnownBug {
    name: "wal-all-pages",
    what: "sqlite3PcacheTruncate() keeps the pages up to a number by dropping those from that number plus one: \
           where a commit in the log says that the database has 4294967295 pages, the end of a transaction \
           that writes frees all pages, those in use included",
    seen_in: "3.54.1",
    signature: "crash/",
    needs_asan: false,
    script: "CREATE TABLE t(a);",
    files: empty_with_all_pages,
};

/// A full-text table that is forgotten in a transaction.
pub const FTS3_RESET: KnownBug = KnownBug {
    name: "fts3-reset",
    what: "`PRAGMA writable_schema=RESET` in a transaction drops the FTS3 or FTS4 table that holds terms back until \
           the commit: until then, another one that knows nothing of them answers, and checks the index",
    seen_in: "3.54.1",
    signature: "integrity/malformed-inverted-index/",
    needs_asan: false,
    script: "CREATE VIRTUAL TABLE f USING fts4(x, y); BEGIN; INSERT INTO f(x) VALUES('a');\
             UPDATE f SET y = 'b'; PRAGMA writable_schema=RESET;",
    files: FileSet::default,
};

/// An allocation or a read that fails in an INSERT into an FTS5 table, which then has a row too many in its `averages` record:
/// the statement fails and is undone, but the next transaction that writes to the table stores the number. Seen in 3.54.1,
/// with no more than this script and `malloc`, or a read of a VFS on top of that for Unix, failing once. Nothing can be
/// refused, so it is excused where something has failed.
pub(crate) const FTS5_FAILURE: &str = "known bug: rows of FTS5 after a failure";

/// Whether what failed may have led there.
pub(crate) fn has_failed(hits: &Hits) -> bool {
    hits.keys().any(|hit| matches!(hit, Hit::Allocation | Hit::Io(..)))
}

/// A script that meets it if one of its allocations or reads fails.
#[cfg(test)]
pub(crate) const FTS5_FAILURE_SCRIPT: &str = "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two three'),('two three');\
     BEGIN; UPDATE f SET x='four two' WHERE rowid=1; COMMIT;";

/// A changeset that is damaged, applied with `SQLITE_CHANGESETAPPLY_INVERT`: a value of it is never freed. Seen in 3.54.1, with
/// no more than `sqlite3changeset_apply_v2`.
pub(crate) const CHANGESET_LEAK: &str = "known bug: a value of a damaged changeset";

/// An allocation that fails while FTS5 computes `rank` for ORDER BY: the statement succeeds, with another number for a row.
/// Seen in 3.54.1, with no more than this query and `malloc` failing once.
pub(crate) const FTS5_RANK: &str = "known bug: rank of FTS5 after a failure";

/// Whether a statement may lead there.
pub(crate) fn may_rank(text: &[u8]) -> bool {
    says(text, b"rank") || says(text, b"bm25")
}

/// A script that meets it if one of its allocations fails.
#[cfg(test)]
pub(crate) const FTS5_RANK_SCRIPT: &str = "CREATE VIRTUAL TABLE f USING fts5(a, b, prefix=2);\
     INSERT INTO f VALUES('one two three', 'four'), ('two hello', 'seven'), ('three three', 'two');\
     SELECT rowid, rank FROM f WHERE f MATCH 'th*' ORDER BY rank;";

/// `sqlite3_table_column_metadata` for a column of a virtual table that this connection has not used yet:
/// `sqlite3ColumnIndex()` takes for granted that a table has a column, and reads from address 0. Seen in 3.54.1. No script
/// leads there but through an operation that asks, which asks for the table alone.
pub(crate) const VIRTUAL_COLUMN: &str = "metadata of a virtual column";

/// All known bugs.
pub const KNOWN: [&KnownBug; 5] = [&FTS3_RESET, &FTS5_LIKE, &FTS5_SHADOW_INDEX, &GEOPOLY_KEY, &WAL_ALL_PAGES];

/// Ends of the names of tables in which FTS and R-Tree tables keep their data.
const SHADOW_SUFFIXES: [&str; 11] = [
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

/// True if one of these virtual tables, whose names are in lower case, keeps its data in `table`. Before 3.37 SQLite
/// does not say so itself.
pub(crate) fn is_shadow_table(table: &[u8], virtual_tables: &BTreeSet<Vec<u8>>) -> bool {
    // It is asked of each word of each statement.
    if virtual_tables.is_empty() {
        return false;
    }
    let table = table.to_ascii_lowercase();
    let mut owners = SHADOW_SUFFIXES.iter().filter_map(|suffix| table.strip_suffix(suffix.as_bytes()));
    owners.any(|owner| virtual_tables.contains(owner))
}

/// The bug to which a request to the authorizer leads, by its action and what that names
/// (<https://sqlite.org/c3ref/c_alter_table.html>): for an index or a trigger the second is its table, for a pragma its
/// value.
pub(crate) fn by_request(
    action: i32,
    first: &[u8],
    second: &[u8],
    virtual_tables: &BTreeSet<Vec<u8>>,
) -> Option<&'static KnownBug> {
    if action == ffi::SQLITE_PRAGMA {
        let resets = first.eq_ignore_ascii_case(b"writable_schema") && second.eq_ignore_ascii_case(b"reset");
        return (resets && !virtual_tables.is_empty()).then_some(&FTS3_RESET);
    }
    let table = second;
    let creates = matches!(action, ffi::SQLITE_CREATE_INDEX | ffi::SQLITE_CREATE_TRIGGER);
    (creates && is_shadow_table(table, virtual_tables)).then_some(&FTS5_SHADOW_INDEX)
}

/// The bug to which a statement leads. `mentions_trigrams` says whether the case does, up to here; it is
/// asked only of the statements for which that counts.
pub(crate) fn by_statement(
    text: &[u8],
    mentions_trigrams: impl FnOnce() -> bool,
) -> Option<&'static KnownBug> {
    if says(text, b"like") && mentions_trigrams() {
        return Some(&FTS5_LIKE);
    }
    let has_key = || says(text, b"primary") || says(text, b"unique");
    (says(text, b"geopoly") && has_key()).then_some(&GEOPOLY_KEY)
}

/// True if `word`, given in lower case, is a word or a quoted name of `text`. Its tokens are looked at only where they
/// may hold it, because this is asked of every statement.
fn says(text: &[u8], word: &[u8]) -> bool {
    contains(text, word) && sql::words(text).any(|other| other.eq_ignore_ascii_case(word))
}

/// Verbs of statements that end no transaction that writes.
const READING: [&str; 3] = ["SELECT", "EXPLAIN", "VALUES"];

/// The bug to which a statement that begins with `verb` leads because of what the files hold, which is asked
/// only where it counts.
pub(crate) fn by_files(verb: &str, has_all_pages: impl FnOnce() -> bool) -> Option<&'static KnownBug> {
    (!READING.contains(&verb) && has_all_pages()).then_some(&WAL_ALL_PAGES)
}

/// True if the last commit of a log says that the database has all pages.
pub(crate) fn has_all_pages(files: &FileSet) -> bool {
    files.iter().filter(|(name, _)| name.as_str().ends_with("-wal")).any(|(_, log)| {
        let frames = wal::frames(log);
        // Sums are computed only where it may be.
        frames.iter().any(|frame| frame.commit_pages == u32::MAX) && {
            let valid = &frames[..wal::valid_frames(log)];
            let last = valid.iter().rev().find(|frame| frame.commit_pages != 0);
            last.is_some_and(|last| last.commit_pages == u32::MAX)
        }
    })
}

/// A database without tables, with such a log.
fn empty_with_all_pages() -> FileSet {
    let mut page = vec![0; 512];
    page[..MAGIC.len()].copy_from_slice(MAGIC);
    page[21..24].copy_from_slice(&[64, 32, 32]);
    let fields = [
        (header::PAGE_SIZE, 512),
        (header::WRITE_VERSION, 2),
        (header::READ_VERSION, 2),
        (header::CHANGE_COUNTER, 1),
        (header::PAGE_COUNT, 1),
        (header::SCHEMA_FORMAT, 4),
        (header::ENCODING, 1),
        (header::VERSION_VALID_FOR, 1),
    ];
    for (field, value) in fields {
        field.set(&mut page, value);
    }
    // An empty leaf of a table, whose content begins at the end of the page.
    page[header::HEADER_BYTES] = 0x0d;
    page[header::HEADER_BYTES + 5] = 2;
    let mut files = FileSet::default();
    files.insert(FileName::wal(), wal::build(512, [1, 2], &[(1, &page, u32::MAX)]));
    files.insert(FileName::main(), page);
    files
}

/// True if the text mentions the trigram tokenizer.
pub(crate) fn mentions_trigrams(text: &[u8]) -> bool {
    contains(text, b"trigram")
}

/// True if the ASCII letters of `word`, given in lower case, stand in `text` in any case.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window[0] | 0x20 == word[0] && window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_counts_and_only_the_table_of_a_virtual_table() {
        let meets = |text: &str| by_statement(text.as_bytes(), || true).map(|bug| bug.name);
        assert_eq!(meets("SELECT * FROM f WHERE x LiKe 'a'"), Some("fts5-like"));
        assert_eq!(meets("SELECT \"like\"('a', x) FROM f"), Some("fts5-like"));
        assert_eq!(meets("SELECT likely(1), unlikely(2), 'is like this' -- like"), None);
        assert_eq!(meets("CREATE VIRTUAL TABLE g USING geopoly(a UNIQUE)"), Some("geopoly-key"));
        assert_eq!(meets("SELECT geopoly_area(a) FROM t -- primary"), None);
        let virtual_tables = BTreeSet::from([b"f".to_vec()]);
        let creates = |table: &str| {
            by_request(ffi::SQLITE_CREATE_INDEX, b"i", table.as_bytes(), &virtual_tables).map(|bug| bug.name)
        };
        let resets = |value: &[u8], tables| {
            by_request(ffi::SQLITE_PRAGMA, b"Writable_Schema", value, tables).map(|bug| bug.name)
        };
        assert_eq!(resets(b"Reset", &virtual_tables), Some("fts3-reset"));
        assert_eq!((resets(b"1", &virtual_tables), resets(b"RESET", &BTreeSet::new())), (None, None));
        assert_eq!(creates("F_Data"), Some("fts5-shadow-index"));
        assert_eq!(creates("my_data"), None);
    }

    #[test]
    fn only_the_last_valid_commit_counts_and_reading_goes_on() {
        let page = [0; 512];
        let with = |commits: &[u32]| {
            let frames: Vec<(u32, &[u8], u32)> = commits.iter().map(|&pages| (1, &page[..], pages)).collect();
            let mut files = FileSet::default();
            files.insert(FileName::wal(), wal::build(512, [1, 2], &frames));
            files
        };
        assert!(has_all_pages(&empty_with_all_pages()));
        assert!(has_all_pages(&with(&[1, u32::MAX, 0])));
        assert!(!has_all_pages(&with(&[1, u32::MAX, 0, 2])));
        assert!(!has_all_pages(&with(&[1, u32::MAX - 1])));
        let mut cut = with(&[u32::MAX]);
        cut.edit(&FileName::wal(), |log| log[40] ^= 1);
        assert!(!has_all_pages(&cut));
        assert!(by_files("SELECT", || true).is_none() && by_files("INSERT", || true).is_some());
        assert!(by_files("INSERT", || false).is_none());
    }
}
