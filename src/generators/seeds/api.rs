//! Seeds of several connections, and of calls of SQLite's interface.

use fastrand::Rng;

use super::Seed;
use crate::histories::{Shape, setup, workload};
use crate::testcase::{
    Behaviour, Bound, ChangesetAction, CheckpointMode, FunctionKind, OnConflict, Operation, Operations,
    TestCase,
};

/// Scripts of several connections: see [`TestCase::from_turns`].
const TURNS: [(&str, &str); 20] = [
    (
        "a checkpoint while another connection restarts the log",
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1, zeroblob(9000))\n\
      0: UPDATE t SET b = zeroblob(9001); PRAGMA wal_checkpoint; UPDATE t SET b = 1; UPDATE t SET b = zeroblob(20000)\n1: PRAGMA wal_checkpoint",
    ),
    (
        "a reader keeps its snapshot while others write",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'one')\n\
      0: BEGIN; SELECT * FROM t; SELECT count(*) FROM t; COMMIT; SELECT * FROM t\n1: INSERT INTO t VALUES(2, 'two'); UPDATE t SET b = 'x'; PRAGMA wal_checkpoint(RESTART)",
    ),
    (
        "a snapshot that is too old to write",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: BEGIN; SELECT * FROM t; UPDATE t SET a = a + 1; COMMIT\n1: UPDATE t SET a = a + 10",
    ),
    (
        "two writers who wait for each other",
        "CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: PRAGMA busy_timeout=20; BEGIN; SELECT * FROM t; UPDATE t SET a = 2; COMMIT\n1: PRAGMA busy_timeout=20; BEGIN; SELECT * FROM t; UPDATE t SET a = 3; COMMIT",
    ),
    (
        "transactions that begin at once",
        "CREATE TABLE t(a)\n\
      0: BEGIN IMMEDIATE; INSERT INTO t VALUES(1); COMMIT\n1: PRAGMA busy_timeout=50; BEGIN EXCLUSIVE; INSERT INTO t VALUES(2); COMMIT\n2: SELECT count(*) FROM t; SELECT count(*) FROM t",
    ),
    (
        "a schema that changes under a reader",
        "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 2)\n\
      0: SELECT * FROM t; SELECT * FROM t; SELECT * FROM t\n1: ALTER TABLE t ADD COLUMN c DEFAULT 7; CREATE INDEX i ON t(b); DROP INDEX i",
    ),
    (
        "a table that is dropped while it is read",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO t VALUES(1), (2)\n\
      0: BEGIN; SELECT * FROM t; SELECT * FROM t; COMMIT; SELECT * FROM t\n1: DROP TABLE t; CREATE TABLE t(x, y); INSERT INTO t VALUES(5, 6)",
    ),
    (
        "a journal mode that changes between connections",
        "CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: PRAGMA journal_mode=WAL; INSERT INTO t VALUES(2); PRAGMA journal_mode=DELETE\n1: SELECT count(*) FROM t; INSERT INTO t VALUES(3); SELECT count(*) FROM t",
    ),
    (
        "a checkpoint of each mode with a reader",
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: BEGIN; SELECT * FROM t; SELECT * FROM t; COMMIT\n1: INSERT INTO t VALUES(2); PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_checkpoint(FULL); PRAGMA wal_checkpoint(RESTART); PRAGMA wal_checkpoint(TRUNCATE)",
    ),
    (
        "two checkpoints at once",
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000))\n\
      0: PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES(1)\n1: PRAGMA wal_checkpoint; INSERT INTO t VALUES(2)\n2: SELECT count(*) FROM t",
    ),
    (
        "savepoints of two connections",
        "CREATE TABLE t(a UNIQUE)\n\
      0: SAVEPOINT s; INSERT INTO t VALUES(1); ROLLBACK TO s; INSERT INTO t VALUES(2); RELEASE s\n1: PRAGMA busy_timeout=30; SAVEPOINT q; INSERT INTO t VALUES(2); RELEASE q; SELECT * FROM t",
    ),
    (
        "a temporary table beside a shared one",
        "CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: CREATE TEMP TABLE t(a); INSERT INTO temp.t VALUES(9); SELECT * FROM t; SELECT * FROM main.t\n1: UPDATE t SET a = 5; SELECT * FROM t",
    ),
    (
        "vacuum while others read",
        "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000)), (zeroblob(3000)); DELETE FROM t WHERE rowid = 1\n\
      0: VACUUM; SELECT count(*) FROM t\n1: SELECT length(a) FROM t; SELECT count(*) FROM t",
    ),
    (
        "a log that grows into a second region of its index",
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA page_size; CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300) INSERT INTO t SELECT zeroblob(900) FROM c; SELECT count(*) FROM t\n1: SELECT count(*) FROM t; SELECT count(*) FROM t",
    ),
    (
        "exclusive locking",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a)\n\
      0: PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t VALUES(1); PRAGMA locking_mode=NORMAL; SELECT * FROM t\n1: INSERT INTO t VALUES(2); SELECT * FROM t",
    ),
    (
        "an index that is built beside a writer",
        "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 1), (2, 1)\n\
      0: CREATE UNIQUE INDEX i ON t(a); REINDEX t; SELECT a FROM t ORDER BY a\n1: INSERT INTO t VALUES(3, 3); UPDATE t SET a = 1 WHERE b = 3",
    ),
    (
        "foreign keys and two writers",
        "CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES(1)\n\
      0: PRAGMA foreign_keys=ON; BEGIN; INSERT INTO c VALUES(1); COMMIT\n1: PRAGMA foreign_keys=ON; DELETE FROM p; SELECT * FROM c",
    ),
    (
        "pages that are mapped while the file shrinks",
        "PRAGMA auto_vacuum=FULL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(4000)), (zeroblob(4000)), (zeroblob(4000))\n\
      0: PRAGMA mmap_size=1000000; SELECT count(*) FROM t; SELECT length(a) FROM t\n1: DELETE FROM t WHERE rowid > 1; INSERT INTO t VALUES(1)",
    ),
    (
        "full-text search of two connections",
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES('one two')\n\
      0: INSERT INTO f VALUES('two three'); SELECT rowid FROM f('two')\n1: SELECT rowid FROM f('one'); UPDATE f SET a = 'three' WHERE rowid = 1",
    ),
    (
        "three readers and a writer",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
      0: UPDATE t SET a = 2; UPDATE t SET a = 3; UPDATE t SET a = 4\n1: BEGIN; SELECT a FROM t; SELECT a FROM t; COMMIT\n2: SELECT a FROM t; SELECT a FROM t\n3: SELECT a FROM t; PRAGMA wal_checkpoint; SELECT a FROM t",
    ),
];

/// A table with a few rows, for what follows.
const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); INSERT INTO t VALUES(1, 'one', x'00ff'), (2, 'two', zeroblob(40)), (3, NULL, 3.5);";

/// The seeds.
pub(super) fn seeds() -> Vec<Seed> {
    let turns = TURNS.iter().map(|(about, text)| of_turns(about, text));
    turns.chain(histories()).chain(calls()).collect()
}

fn of_turns(about: &str, text: &str) -> Seed {
    let case = TestCase::from_turns(text).expect("the seeds are right");
    let script = String::from_utf8(case.sql.as_bytes().to_vec()).expect("SQL in UTF-8");
    Seed {
        about: about.to_owned().into(),
        script: script.into(),
        operations: case.operations,
        ..Seed::default()
    }
}

/// Histories of lists and registers, in three modes of journaling.
fn histories() -> impl Iterator<Item = Seed> {
    let modes = ["WAL", "DELETE", "PERSIST"];
    modes.into_iter().flat_map(|mode| {
        (0..8_u64).map(move |seed| {
            let shape = Shape {
                processes: 2 + (seed % 2) as u8,
                transactions: 2 + (seed % 3) as u16,
                lists: 1 + (seed % 2) as u8,
                registers: (seed % 3) as u8,
            };
            let mut text = format!("PRAGMA journal_mode={mode}; {}\n", setup(shape).join("; "));
            for (connection, statement) in workload(&mut Rng::with_seed(seed), shape) {
                text += &format!("{connection}: {statement}\n");
            }
            of_turns(&format!("history {seed} of lists and registers, journal_mode={mode}"), &text)
        })
    })
}

/// Calls of SQLite's interface.
fn calls() -> Vec<Seed> {
    let run = |connection| Operation::Run { connection };
    let begun = || vec![run(0), run(0)];
    let of = |about: &'static str, script: &str, operations: Vec<Operation>| Seed {
        about: about.into(),
        script: format!("{TABLE} {script}").into(),
        operations: Operations::new(begun().into_iter().chain(operations)),
        ..Seed::default()
    };
    let mut seeds = Vec::new();
    for mode in
        [CheckpointMode::Passive, CheckpointMode::Full, CheckpointMode::Restart, CheckpointMode::Truncate]
    {
        seeds.push(of(
            match mode {
                CheckpointMode::Passive => "a passive checkpoint beside a statement that is not done",
                CheckpointMode::Full => "a full checkpoint beside a statement that is not done",
                CheckpointMode::Restart => "a restart beside a statement that is not done",
                CheckpointMode::Truncate => "a truncation beside a statement that is not done",
            },
            "PRAGMA journal_mode=WAL; INSERT INTO t(b) VALUES('three'); SELECT * FROM t; UPDATE t SET b = 4;",
            vec![
                run(0),
                run(0),
                Operation::Prepare { connection: 1, statement: 0 },
                Operation::Step { statement: 0, rows: 1 },
                run(0),
                Operation::Checkpoint { connection: 0, mode },
                Operation::Step { statement: 0, rows: 0 },
                Operation::Checkpoint { connection: 0, mode },
            ],
        ));
    }
    for on_conflict in [OnConflict::Omit, OnConflict::Replace, OnConflict::Abort] {
        seeds.push(of(
            match on_conflict {
                OnConflict::Omit => "changes that are undone, conflicts left out",
                OnConflict::Replace => "changes that are undone, conflicts replaced",
                OnConflict::Abort => "changes that are undone, or not at all",
            },
            "UPDATE t SET b = 'x' WHERE a < 3; INSERT INTO t VALUES(7, 7, 7); DELETE FROM t WHERE a = 3; UPDATE t SET b = 'y' WHERE a = 1;",
            vec![
                Operation::SessionStart { connection: 0 },
                run(0),
                run(0),
                run(0),
                Operation::SessionTake { connection: 0, is_patchset: false },
                run(0),
                Operation::SessionInvert,
                Operation::SessionApply { connection: 0, on_conflict },
            ],
        ));
    }
    for pages in [1, 2, -1] {
        seeds.push(of(
            match pages {
                1 => "a backup, page by page, while its source is written",
                2 => "a backup of two pages at a time",
                _ => "a backup in one go",
            },
            "INSERT INTO t VALUES(9, zeroblob(9000), 1); SELECT count(*) FROM t;",
            vec![
                Operation::Open { connection: 1, file: other(), is_read_only: false },
                Operation::BackupStart { from: 0, to: 1 },
                Operation::BackupStep { to: 1, pages },
                run(0),
                Operation::BackupStep { to: 1, pages },
                Operation::BackupStep { to: 1, pages: -1 },
                Operation::BackupFinish { to: 1 },
                run(1),
            ],
        ));
    }
    let blob = |row, is_writable| Operation::BlobOpen {
        connection: 0,
        table: "t".to_owned(),
        column: "c".to_owned(),
        row,
        is_writable,
    };
    seeds.push(of(
        "a value that is read and written in place while its row changes",
        "UPDATE t SET c = zeroblob(20) WHERE a = 1; DELETE FROM t WHERE a = 2;",
        vec![
            blob(2, true),
            Operation::BlobWrite { connection: 0, offset: 3, content: b"abc".to_vec() },
            Operation::BlobRead { connection: 0, offset: 0, bytes: 40 },
            Operation::BlobReopen { connection: 0, row: 1 },
            run(1),
            Operation::BlobRead { connection: 0, offset: 0, bytes: 2 },
            run(0),
            Operation::BlobClose { connection: 0 },
        ],
    ));
    seeds.push(of(
        "a database that is copied through memory",
        "INSERT INTO t VALUES(5, 5, 5); SELECT count(*) FROM t; UPDATE t SET b = 1; SELECT sum(b) FROM t;",
        vec![
            run(0),
            Operation::Serialize { connection: 0 },
            Operation::Deserialize { connection: 1, is_read_only: false },
            run(1),
            run(1),
            run(0),
        ],
    ));
    seeds.push(of(
        "two statements of one connection side by side",
        "SELECT a, b FROM t; INSERT INTO t(b) VALUES(?1); SELECT count(*) FROM t;",
        vec![
            Operation::Prepare { connection: 0, statement: 0 },
            Operation::Prepare { connection: 0, statement: 1 },
            Operation::Step { statement: 0, rows: 1 },
            Operation::Bind { statement: 1, parameter: 1, value: Bound::Text(b"bound".to_vec()) },
            Operation::Step { statement: 1, rows: 0 },
            Operation::Step { statement: 0, rows: 1 },
            Operation::Reset { statement: 1, clears_bindings: true },
            Operation::Step { statement: 1, rows: 0 },
            Operation::Step { statement: 0, rows: 0 },
            Operation::Close { connection: 0 },
            Operation::Finalize { statement: 0 },
            run(0),
        ],
    ));
    for (about, behaviour) in behaviours() {
        seeds.push(of(
            about,
            "SELECT tandem_f(a) FROM t; UPDATE t SET b = tandem_f(b); SELECT * FROM t ORDER BY b;",
            vec![
                Operation::CreateFunction {
                    connection: 0,
                    kind: FunctionKind::Scalar,
                    arguments: 1,
                    flags: 0,
                    behaviour,
                },
                run(0),
                run(0),
                run(0),
            ],
        ));
    }
    seeds.push(of(
        "changes that the case brings",
        "SELECT * FROM t;",
        vec![
            // An insertion into t of the integers 8, 8, 8.
            Operation::ChangesetPut {
                content: b"T\x03\x01\0\0t\0\x12\0\x01\0\0\0\0\0\0\0\x08\x01\0\0\0\0\0\0\0\x08\x01\0\0\0\0\0\0\0\x08".to_vec(),
            },
            Operation::Changeset { connection: 0, action: ChangesetAction::Keep },
            Operation::SessionInvert,
            Operation::SessionApply { connection: 0, on_conflict: OnConflict::Omit },
            run(0),
        ],
    ));
    seeds.push(of(
        "who waits and who gives up",
        "BEGIN IMMEDIATE; UPDATE t SET b = 1; UPDATE t SET b = 2; COMMIT;",
        vec![
            Operation::BusyHandler { connection: 1, calls: 200 },
            Operation::BusyHandler { connection: 0, calls: 200 },
            run(0),
            run(0),
            run(1),
            run(0),
        ],
    ));
    seeds
}

fn behaviours() -> Vec<(&'static str, Behaviour)> {
    use crate::testcase::{Failure, Nested};
    vec![
        ("a function that returns its argument", Behaviour::Plain),
        ("a function that fails", Behaviour::Fails { failure: Failure::Message, is_late: false }),
        ("a function without memory", Behaviour::Fails { failure: Failure::NoMemory, is_late: false }),
        ("a function that reads", Behaviour::Runs { statement: Nested::Reads, table: "t".to_owned() }),
        ("a function that writes", Behaviour::Runs { statement: Nested::Inserts, table: "t".to_owned() }),
    ]
}

fn other() -> crate::testcase::FileName {
    crate::testcase::FileName::new("other.db").expect("such names are allowed")
}
