//! Scripts in which things fail, and databases that were left in the middle of something.
//!
//! Each journal mode comes with each level of `synchronous`, each class of page size, each kind of auto-vacuum, a cache that
//! spills and one that does not, and each of the bodies; not all of them at once, but any two.

use super::{Seed, images};
use crate::engine::sqlite::Moment;
use crate::testcase::{
    Chance, Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Moment as At, Phase, Setting,
};

/// Seeds of the target `faults`.
const COUNT: usize = 96;

const JOURNALS: [&str; 6] = ["DELETE", "TRUNCATE", "PERSIST", "WAL", "MEMORY", "OFF"];
const LEVELS: [&str; 4] = ["FULL", "NORMAL", "EXTRA", "OFF"];
const PAGE_BYTES: [u32; 4] = [512, 1024, 4096, 16384];
const AUTO_VACUUM: [&str; 3] = ["NONE", "FULL", "INCREMENTAL"];
const CACHES: [&str; 2] = ["-2000", "5"];

/// What is done, with what it shows.
const BODIES: [(&str, &str); 8] = [
    ("rows of a table with indexes, and a WAL that begins anew", "
        CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c); CREATE INDEX tc ON t(c, b);
        INSERT INTO t(b, c) VALUES('one', 1),('two', 2),('three', 3); UPDATE t SET c = c * 10, b = b || '!' WHERE a > 1;
        INSERT INTO t(b, c) SELECT b || c, hex(zeroblob(200)) FROM t; DELETE FROM t WHERE c = 20; PRAGMA wal_checkpoint;
        UPDATE t SET c = c + 1; UPDATE t SET b = b || c WHERE a > 1; SELECT count(*), min(b) FROM t;"),
    ("savepoints, released and rolled back", "
        CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1, zeroblob(900)),(2, 'x'),(3, 'y');
        BEGIN; UPDATE t SET b = 'first'; SAVEPOINT s; DELETE FROM t WHERE a = 2; SAVEPOINT r; INSERT INTO t VALUES(9, zeroblob(3000));
        ROLLBACK TO r; UPDATE t SET b = b || 'second'; RELEASE s; COMMIT; SAVEPOINT o; UPDATE t SET b = 1; ROLLBACK TO o; RELEASE o; SELECT * FROM t;"),
    ("a transaction that is larger than a small cache", "
        CREATE TABLE t(a INTEGER PRIMARY KEY, b); WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 24) INSERT INTO t SELECT i, zeroblob(400) FROM n;
        SAVEPOINT s; UPDATE t SET b = printf('%.300c', 'a'); UPDATE t SET b = printf('%.200c', 'b') WHERE a % 3 = 0; ROLLBACK TO s;
        UPDATE t SET b = printf('%.400c', 'c') WHERE a % 3 = 1; RELEASE s; SELECT count(*), max(b) > 'c' FROM t;"),
    ("changes of the schema", "
        CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'),(2, 'y'); CREATE INDEX i ON t(b); CREATE VIEW v AS SELECT a FROM t; ALTER TABLE t ADD COLUMN c DEFAULT 7;
        CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET c = c + 1 WHERE a < new.a; END; INSERT INTO t(a, b) VALUES(3, 'z'); ALTER TABLE t RENAME COLUMN b TO d;
        CREATE TABLE u AS SELECT d, c FROM t; DROP INDEX i; DROP TABLE u; SELECT * FROM v, t;"),
    ("pages that become free, and vacuum", "
        CREATE TABLE t(a INTEGER PRIMARY KEY, b); WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 8) INSERT INTO t SELECT i, zeroblob(700) FROM n;
        DELETE FROM t WHERE a % 2 = 0; PRAGMA incremental_vacuum(3); INSERT INTO t VALUES(50, zeroblob(1500)); DELETE FROM t WHERE a < 6; VACUUM; PRAGMA freelist_count; SELECT a FROM t;"),
    ("foreign keys, conflicts and triggers", "
        PRAGMA foreign_keys = ON; CREATE TABLE p(a INTEGER PRIMARY KEY, b UNIQUE); CREATE TABLE c(x REFERENCES p(a) ON DELETE CASCADE, y);
        INSERT INTO p VALUES(1, 'a'),(2, 'b'); INSERT INTO c VALUES(1, 10),(2, 20),(1, 30); INSERT OR REPLACE INTO p VALUES(3, 'a'); INSERT OR IGNORE INTO p VALUES(4, 'b');
        INSERT INTO p VALUES(2, 'z') ON CONFLICT(a) DO UPDATE SET b = 'up'; DELETE FROM p WHERE a = 2; SELECT count(*) FROM c;"),
    ("two databases in one transaction", "
        CREATE TABLE t(a, b); ATTACH 'other.db' AS o; CREATE TABLE o.u(a, b); BEGIN; INSERT INTO t VALUES(1, 'm'); INSERT INTO u VALUES(1, 'o'); COMMIT;
        BEGIN; UPDATE t SET b = 'n'; UPDATE u SET b = 'p'; DELETE FROM u WHERE a = 9; COMMIT; INSERT INTO u SELECT * FROM t; SELECT * FROM t, u; DETACH o;"),
    ("full-text search and an R-Tree", "
        CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two three'),('two three'); CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES(1, 0, 2),(2, 1, 5);
        BEGIN; UPDATE f SET x = 'four two' WHERE rowid = 1; DELETE FROM r WHERE id = 1; COMMIT; SELECT rowid FROM f WHERE f MATCH 'two'; SELECT id FROM r WHERE b > 1;"),
];

/// All seeds of the target `faults`.
pub(super) fn seeds() -> Vec<Seed> {
    (0..COUNT).map(seed).collect()
}

/// One of each list, such that any two lists meet in all ways: the factors were searched for, the test checks them.
fn choice(number: usize) -> [usize; 6] {
    let journal = number % JOURNALS.len();
    let body = number / JOURNALS.len() % BODIES.len();
    let half = 2 * number / COUNT;
    let level = 3 * journal + 3 * body + number / 8;
    let page = journal + 3 * body + 3 * half + number / 3;
    let vacuum = 2 * journal + 2 * body + number / 8;
    let cache = body + 3 * half + number / 6;
    [
        journal,
        body,
        level % LEVELS.len(),
        page % PAGE_BYTES.len(),
        vacuum % AUTO_VACUUM.len(),
        cache % CACHES.len(),
    ]
}

fn seed(number: usize) -> Seed {
    let [journal, body, level, page, vacuum, cache] = choice(number);
    let (about, body) = BODIES[body];
    let (journal, level, page) = (JOURNALS[journal], LEVELS[level], PAGE_BYTES[page]);
    let (vacuum, cache) = (AUTO_VACUUM[vacuum], CACHES[cache]);
    let script = format!(
        "PRAGMA page_size={page}; PRAGMA auto_vacuum={vacuum}; PRAGMA journal_mode={journal}; PRAGMA synchronous={level}; PRAGMA cache_size={cache};{body}"
    );
    let about = format!(
        "{about}, journal_mode={journal}, synchronous={level}, page_size={page}, auto_vacuum={vacuum}, cache_size={cache}, plan {number}"
    );
    let settings: &[(Setting, u32)] = match number % 3 {
        0 => &[(Setting::SectorLog2, 9)],
        1 => &[(Setting::DeviceCharacteristics, 0x1000)],
        _ => &[],
    };
    let faults = FaultPlan::new([fault(number)]);
    Seed { about: about.into(), script: script.into(), settings, faults, ..Seed::default() }
}

/// The fault of a seed: all kinds come.
fn fault(number: usize) -> Fault {
    let phase = Phase::Run;
    let nth = (number as u32 * 37) % 300 + 1;
    let lasts = [Lasts::Once, Lasts::ForGood, Lasts::Times(3)][number / 12 % 3];
    let (operation, role) = (IoOperation::Any, None);
    match number % 12 {
        0 => Fault::Allocation { nth, lasts, phase },
        1 => Fault::AllocationAt { site: nth / 4 + 1, nth: 1, lasts, phase },
        2 => Fault::Io { operation, role, error: IoError::Failed, nth: nth / 3 + 1, lasts, phase },
        3 => Fault::Io { operation, role, error: IoError::Full, nth: nth / 6 + 1, lasts, phase },
        4 => {
            let role = Some(FileRole::ALL[number / 12 % 6]);
            Fault::Io { operation, role, error: IoError::Failed, nth: nth / 20 + 1, lasts, phase }
        }
        5 => Fault::Random { what: Chance::Allocation, one_in: 200, seed: nth, phase },
        6 => {
            let what = Chance::Io { operation, role, error: IoError::Failed };
            Fault::Random { what, one_in: 50, seed: nth, phase }
        }
        7 => Fault::Interrupt { nth, lasts, phase },
        8 => Fault::Io { operation, role, error: IoError::Busy, nth: nth / 20 + 1, lasts, phase },
        9 => {
            let at = At::Each { from: nth / 4 + 1, count: 6, images: 3 };
            Fault::PowerLoss { at, seed: nth.into(), sector_log2: 9, phase }
        }
        10 => Fault::PowerLoss {
            at: At::Sync(nth / 60 + 1),
            seed: u64::MAX - u64::from(nth),
            sector_log2: 12,
            phase,
        },
        _ => Fault::PowerLoss {
            at: At::Operation(nth / 4 + 1),
            seed: (1 << 32) + u64::from(nth),
            sector_log2: 9,
            phase,
        },
    }
}

/// A transaction that has written to the database already, and to its journal: a journal that is hot.
const HOT: &str = "PRAGMA cache_size=2; BEGIN; CREATE TABLE hot(a, b); INSERT INTO hot WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 12) SELECT i, zeroblob(700) FROM n;";
/// Frames that are committed, and some that are not.
const COMMITTED_TO_LOG: &str = "PRAGMA journal_mode=WAL; CREATE TABLE logged(a, b UNIQUE); INSERT INTO logged VALUES(1, 'x'),(2, zeroblob(2000)); PRAGMA cache_size=2; BEGIN; UPDATE logged SET b = b || zeroblob(900);";

/// What is run on a database that must be recovered first.
const READING: [&str; 4] = [
    "SELECT count(*) FROM sqlite_schema; PRAGMA integrity_check;",
    "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS after_recovery(a); INSERT INTO after_recovery VALUES(1); COMMIT; PRAGMA quick_check;",
    "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE; SELECT name FROM sqlite_schema; VACUUM;",
    "PRAGMA locking_mode=EXCLUSIVE; SELECT sum(length(sql)) FROM sqlite_schema; PRAGMA user_version=3; PRAGMA page_count;",
];

/// All seeds of the target `recovery`.
pub(super) fn interrupted() -> Vec<Seed> {
    let images = images::ALL.iter().enumerate().filter(|(_, image)| image.settings.is_empty());
    images
        .map(|(number, image)| {
            let (in_flight, how) = match number % 2 {
                _ if image.moment == Moment::PowerCut => ("", "as it is"),
                0 => (HOT, "hot journal"),
                _ => (COMMITTED_TO_LOG, "WAL"),
            };
            let read_only = Fault::Io {
                operation: IoOperation::ShmMap,
                role: None,
                error: IoError::ReadOnly,
                nth: 1,
                lasts: Lasts::ForGood,
                phase: Phase::Run,
            };
            Seed {
                about: format!("{how}: {}", image.about).into(),
                image: Some(image),
                in_flight,
                script: READING[number / 2 % READING.len()].into(),
                faults: FaultPlan::new((number % 8 == 3).then_some(read_only)),
                ..Seed::default()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn any_two_settings_meet_in_all_ways() {
        let lengths =
            [JOURNALS.len(), BODIES.len(), LEVELS.len(), PAGE_BYTES.len(), AUTO_VACUUM.len(), CACHES.len()];
        for a in 0..lengths.len() {
            for b in 0..a {
                let met: BTreeSet<_> =
                    (0..COUNT).map(|number| (choice(number)[a], choice(number)[b])).collect();
                assert_eq!(met.len(), lengths[a] * lengths[b], "{a} with {b}");
            }
        }
    }
}
