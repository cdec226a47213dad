//! Operations do what they say, several connections see of each other what they should, and nothing is left behind.

use std::collections::BTreeSet;

use super::*;
use crate::engine::plant::Plant;
use crate::engine::sqlite::{Budget, Execution, Executor, Program, ScriptProgram};
use crate::engine::{Observation, Value};
use crate::faults::machine::DiskPlant;
use crate::mutators::{Context, OperatorWeights, Weights, mutate};
use crate::sql::vocabulary::Vocabulary;
use crate::targets::{DB_SQL, Target};
use crate::testcase::{Bound, CheckpointMode, OnConflict, TestCase};
use Operation as O;

#[path = "operations_callbacks_tests.rs"]
mod callbacks;
#[path = "operations_calls_tests.rs"]
mod calls;
#[path = "operations_sessions_tests.rs"]
mod sessions;

const fn on(connection: u8) -> Operation {
    O::Run { connection }
}

fn case(sql: &str, operations: impl IntoIterator<Item = Operation>) -> TestCase {
    TestCase { operations: Operations::new(operations), ..TestCase::from_sql(sql) }
}

/// Keeps the rows.
struct Rows;

impl Program for Rows {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        execution.keep_values();
        ScriptProgram.run(case, execution);
    }
}

fn observe(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Observation {
    let case = case(sql, operations);
    let observation = Executor::shared().run(&case, &Rows, &Budget::UNLIMITED);
    assert_eq!((observation.close, observation.leaked, observation.open_files), (Some(Code::OK), (0, 0), 0));
    observation
}

/// What each traced operation or statement ended with, and the rows that came: `DONE`, `ROW 1`, `SQLITE_BUSY`.
fn told(observation: &Observation) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Text(text) | Value::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    let statement = |statement: &crate::engine::StatementTrace| {
        let code = statement.code().name().trim_start_matches("SQLITE_").to_owned();
        let rows = statement.values.iter().flatten().map(cell);
        std::iter::once(code).chain(rows).collect::<Vec<_>>().join(" ")
    };
    observation.trace.statements.iter().map(statement).collect()
}

fn run(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Vec<String> {
    told(&observe(sql, operations))
}

#[test]
fn statements_that_no_operation_takes_run_on_connection_0() {
    let sql = "CREATE TEMP TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t;";
    assert_eq!(run(sql, []), ["DONE", "DONE", "DONE 1"]);
    assert_eq!(run(sql, [on(0)]), ["DONE", "DONE", "DONE 1"]);
    assert_eq!(run(sql, [on(1)])[1], "ERROR", "a temporary table is that of its connection");
}

#[test]
fn a_writer_keeps_others_out_and_a_reader_keeps_its_snapshot() {
    let sql = "CREATE TABLE t(a); BEGIN IMMEDIATE; INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); SELECT count(*) FROM t;";
    let operations = [on(0), on(0), on(0), on(1), on(1)];
    assert_eq!(run(sql, operations), ["DONE", "DONE", "DONE", "BUSY", "DONE 0"]);
    let wal = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1); BEGIN; SELECT a FROM t; \
               INSERT INTO t VALUES(2); SELECT count(*) FROM t; INSERT INTO t VALUES(3); COMMIT; SELECT count(*) FROM t";
    let operations = [on(0), on(0), on(0), on(1), on(1), on(0), on(1), on(1), on(1)];
    let told = run(wal, operations);
    assert_eq!(told[4..], ["DONE 1", "DONE", "DONE 1", "BUSY_SNAPSHOT", "DONE", "DONE 2"]);
}

#[test]
fn a_statement_is_stepped_left_open_bound_reset_and_finalized() {
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3); SELECT a FROM t WHERE a > ?1; DELETE FROM t WHERE a = 3;";
    let bind = |value| O::Bind { statement: 3, parameter: 1, value };
    let step = |rows| O::Step { statement: 3, rows };
    let operations = [
        on(0),
        on(0),
        O::Prepare { connection: 0, statement: 3 },
        bind(Bound::Integer(0)),
        step(1),
        on(0),
        step(0),
        O::Bind { statement: 3, parameter: 9, value: Bound::Null },
        step(1),
        bind(Bound::Real(1.5f64.to_bits())),
        step(0),
        O::Reset { statement: 3, clears_bindings: true },
        step(0),
        O::Finalize { statement: 3 },
        step(0),
        O::Step { statement: 4, rows: 1 },
    ];
    let expected =
        ["OK", "ROW 1", "DONE", "DONE 2", "RANGE", "ROW 1", "OK", "DONE 2", "DONE"].map(str::to_owned);
    assert_eq!(run(sql, operations)[2..], expected);
}

#[test]
fn a_connection_in_use_stays_open() {
    let sql = "CREATE TABLE t(a); SELECT a FROM t;";
    let hold = [on(1), O::Prepare { connection: 1, statement: 0 }, O::Close { connection: 1 }];
    assert_eq!(run(sql, hold.clone()), ["DONE", "BUSY"]);
    let freed = hold[..2].iter().cloned().chain([O::Finalize { statement: 0 }, hold[2].clone()]);
    assert_eq!(run(sql, freed), ["DONE"]);
    let reopened = [O::Close { connection: 0 }, on(0), O::Close { connection: 0 }];
    assert_eq!(
        run("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t", reopened),
        ["DONE", "DONE", "DONE 1"]
    );
}

#[test]
fn files_are_opened_by_name_and_perhaps_only_read() {
    let open = |name: &str, is_read_only| O::Open {
        connection: 1,
        file: FileName::new(name).unwrap(),
        is_read_only,
    };
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(5); SELECT a FROM t;";
    assert_eq!(run(sql, [on(0), open("main.db", true), on(1)])[1], "READONLY");
    let other = observe(sql, [on(0), open("other.db", false), on(1)]);
    assert_eq!(told(&other)[1], "ERROR", "no such table there");
    assert!(other.taint.contains(Taint::ATTACHED_FILE));
    assert!(other.trace.files.iter().any(|file| file.name == "other.db"));
    let log = observe("SELECT 1", [open("main.db-wal", false), on(1)]);
    assert_eq!(told(&log), ["AUTH", "DONE 1"], "the main database is opened instead");
    assert!(!log.taint.contains(Taint::ATTACHED_FILE));
}

#[test]
fn a_backup_copies_pages_while_its_source_is_in_use() {
    let other = O::Open { connection: 1, file: FileName::new("other.db").unwrap(), is_read_only: false };
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(5000)); INSERT INTO t VALUES(2); SELECT count(*) FROM t;";
    let step = |pages| O::BackupStep { to: 1, pages };
    let start = O::BackupStart { from: 0, to: 1 };
    let told = run(
        sql,
        [on(0), on(0), other, start.clone(), step(1), on(0), step(-1), O::BackupFinish { to: 1 }, on(1)],
    );
    assert_eq!(told[2..], ["OK", "OK", "DONE", "DONE", "OK", "DONE 2"]);
    let same = run("SELECT 1", [O::BackupStart { from: 0, to: 0 }]);
    assert_eq!(same[0], "ERROR");
    // Used for something else, the destination is none any more.
    let dropped = run("CREATE TABLE t(a); SELECT 1", [on(0), start, step(1), on(1), step(1)]);
    assert_eq!(dropped.len(), 4);
}

#[test]
fn a_blob_is_read_and_written_in_place() {
    let open = |row, is_writable| O::BlobOpen {
        connection: 0,
        table: "t".to_owned(),
        column: "a".to_owned(),
        row,
        is_writable,
    };
    let write = |offset, content: &[u8]| O::BlobWrite { connection: 0, offset, content: content.to_vec() };
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES('abcdef'); SELECT a FROM t;";
    let close = O::BlobClose { connection: 0 };
    let told = run(sql, [on(0), on(0), open(1, true), write(2, b"XY"), write(5, b"too far"), close.clone()]);
    assert_eq!(told[2..], ["OK", "OK", "ERROR", "OK", "DONE abXYef"]);
    let read = O::BlobRead { connection: 0, offset: 1, bytes: 3 };
    let told = run(sql, [on(0), on(0), open(7, false), read.clone(), open(1, false), read, write(0, b"n")]);
    assert_eq!(told[2..], ["ERROR", "OK", "OK", "READONLY", "DONE abcdef"]);
    let moved = [on(0), on(0), open(1, true), O::BlobReopen { connection: 0, row: 9 }, write(0, b"n"), close];
    assert_eq!(run(sql, moved)[3..5], ["ERROR", "ABORT"]);
}

#[test]
fn a_database_is_copied_through_memory() {
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(7); SELECT a FROM t; INSERT INTO t VALUES(8); SELECT count(*) FROM t;";
    let copy =
        |is_read_only| [O::Serialize { connection: 0 }, O::Deserialize { connection: 1, is_read_only }];
    let operations = [on(0), on(0)].into_iter().chain(copy(false)).chain([on(1), on(1)]);
    assert_eq!(run(sql, operations)[2..], ["OK", "OK", "DONE 7", "DONE", "DONE 1"], "the file has one row");
    let operations = [on(0), on(0)].into_iter().chain(copy(true)).chain([on(1), on(1)]);
    assert_eq!(run(sql, operations)[5], "READONLY");
    // What is checked at the end is the file again.
    let own = observe(
        sql,
        [on(0), on(0), copy(false)[0].clone(), O::Deserialize { connection: 0, is_read_only: false }],
    );
    assert_eq!(told(&own)[4..], ["DONE 7", "DONE", "DONE 2"]);
    assert_eq!(own.integrity, Some(Vec::new()));
}

#[test]
fn checkpoints_say_how_far_they_came() {
    let sql = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); BEGIN; SELECT * FROM t; INSERT INTO t VALUES(1);";
    let checkpoint = |mode| O::Checkpoint { connection: 0, mode };
    let told = run(
        sql,
        [
            on(0),
            on(0),
            on(1),
            on(1),
            on(0),
            checkpoint(CheckpointMode::Passive),
            checkpoint(CheckpointMode::Truncate),
        ],
    );
    assert_eq!(told[5..], ["OK", "BUSY"], "a reader is in the way of the second");
}

#[test]
fn changes_are_recorded_inverted_and_applied() {
    let sql = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'x'); INSERT INTO t VALUES(2,'y'); SELECT group_concat(b) FROM t;";
    let session = |rest: &[Operation]| {
        let start = [on(0), on(0), O::SessionStart { connection: 0 }, on(0)];
        run(sql, start.into_iter().chain(rest.iter().cloned()))[4..].to_vec()
    };
    let take = |is_patchset| O::SessionTake { connection: 0, is_patchset };
    let apply = |on_conflict| O::SessionApply { connection: 0, on_conflict };
    assert_eq!(
        session(&[take(false), O::SessionInvert, apply(OnConflict::Abort)]),
        ["OK", "OK", "OK", "DONE x"]
    );
    assert_eq!(session(&[take(false), apply(OnConflict::Abort)]), ["OK", "ABORT", "DONE x,y"]);
    assert_eq!(
        session(&[take(true), O::SessionInvert, apply(OnConflict::Replace)]),
        ["OK", "OK", "DONE x,y"]
    );
    assert_eq!(session(&[O::SessionEnd { connection: 0 }, take(false)]), ["DONE x,y"]);
}

#[test]
fn power_is_cut_with_everything_open() {
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000)); PRAGMA cache_size=1; BEGIN; \
               UPDATE t SET a=randomblob(20000); SELECT length(a) FROM t; SELECT sum(length(a)) FROM t;";
    let setup = [
        on(0),
        on(0),
        on(0),
        on(0),
        on(0),
        O::Prepare { connection: 0, statement: 0 },
        O::Step { statement: 0, rows: 1 },
    ];
    let cut = observe(sql, setup.iter().cloned().chain([O::PowerCut]));
    assert_eq!(
        told(&cut)[5..],
        ["ROW 20000", "DONE 3000"],
        "the transaction is rolled back from the journal"
    );
    assert_eq!(cut.integrity, Some(Vec::new()));
    assert!(cut.taint.is_none());
    let plain = observe(sql, setup.iter().cloned());
    assert_eq!(told(&plain)[6], "DONE 20000");
    // Without a journal on the disk nothing can be rolled back, and nobody is to blame.
    let in_memory = "PRAGMA journal_mode=MEMORY;".to_owned() + sql;
    let cut = observe(&in_memory, [on(0)].into_iter().chain(setup).chain([O::PowerCut]));
    assert!(cut.taint.contains(Taint::POWER_CUT));
}

#[test]
fn time_passes_where_the_case_says_so() {
    let sql = "SELECT strftime('%s'); SELECT strftime('%s');";
    let told = run(sql, [on(0), O::PassTime { milliseconds: 90_000 }]);
    assert_eq!(told, ["DONE 1000000000", "DONE 1000000090"]);
}

#[test]
fn one_budget_is_for_all_connections() {
    let count =
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 900) SELECT count(*) FROM c;";
    let case = case(&count.repeat(9), (0..9).map(|i| on(i % 3)));
    let budget = Budget { vm_steps: 20_000, ..Budget::UNLIMITED };
    let observation = Executor::shared().run(&case, &ScriptProgram, &budget);
    assert!(observation.trace.is_cut_short && observation.trace.statements.len() < 9);
}

#[test]
fn a_connection_that_cannot_be_closed_or_opened_is_told() {
    let close = case("SELECT 1; SELECT 2", [on(1), O::Close { connection: 1 }]);
    let mut planted = Executor::shared();
    planted.plant(Plant::UnfinishedStatement);
    let observation = planted.run(&close, &ScriptProgram, &Budget::UNLIMITED);
    assert_eq!(observation.close.map(Code::name), Some("SQLITE_BUSY"));
    let refused = run("SELECT 1", [O::Open { connection: 1, file: FileName::wal(), is_read_only: false }]);
    assert_eq!(refused, ["AUTH", "DONE 1"]);
    let missing = FileName::new("missing.db").unwrap();
    let refused = run("SELECT 1", [O::Open { connection: 1, file: missing, is_read_only: true }]);
    assert_eq!(refused, ["CANTOPEN", "DONE 1"]);
    // A case that leaves no memory is no reason to find that its connections cannot be closed.
    let starved = observe("PRAGMA hard_heap_limit=1; SELECT 1", [on(0), O::Close { connection: 0 }, on(0)]);
    assert!(told(&starved).contains(&"NOMEM".to_owned()), "{:?}", told(&starved));
}

fn weights() -> Weights {
    Weights { sql: 30, operations: 60, config: 10, ..Weights::NONE }
}

/// Cases from which the others are made.
fn beginnings() -> Vec<TestCase> {
    let seeds = [
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'x'),(2,'y'); SELECT * FROM t; UPDATE t SET b=b||'z'; \
         DELETE FROM t WHERE a=1; SELECT count(*) FROM t;",
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a, b UNIQUE); INSERT INTO t VALUES(1,zeroblob(4000)); BEGIN; \
         INSERT INTO t VALUES(2,randomblob(3000)); SELECT a FROM t; COMMIT; PRAGMA wal_checkpoint; VACUUM;",
        "PRAGMA auto_vacuum=2; CREATE TABLE t(a); BEGIN; SAVEPOINT s; INSERT INTO t VALUES(randomblob(9000)); ROLLBACK TO s; \
         INSERT INTO t SELECT a FROM t; COMMIT; PRAGMA incremental_vacuum; CREATE VIRTUAL TABLE f USING fts5(x); \
         INSERT INTO f VALUES('one two'); SELECT x FROM f WHERE f MATCH 'two';",
        "PRAGMA foreign_keys=1; CREATE TABLE p(a INTEGER PRIMARY KEY, b COLLATE NOCASE UNIQUE); CREATE TABLE c(x PRIMARY KEY, y REFERENCES p \
         DEFERRABLE INITIALLY DEFERRED) WITHOUT ROWID; INSERT INTO p VALUES(1,'A'),(2,'B'); INSERT INTO c VALUES('k',1); \
         CREATE TRIGGER tr AFTER UPDATE ON p BEGIN UPDATE c SET y=new.a; END; UPDATE p SET b=b||'!'; DELETE FROM p WHERE a=2; SELECT * FROM c;",
        "ATTACH 'other.db' AS aux; CREATE TABLE aux.t(a INTEGER PRIMARY KEY, b); CREATE TABLE t(a INTEGER PRIMARY KEY, b); \
         INSERT INTO t VALUES(1,'x'); INSERT INTO aux.t VALUES(1,'y'),(3,'z'); CREATE VIRTUAL TABLE r USING rtree(i,a,b); \
         INSERT INTO r VALUES(1,2,3); SELECT * FROM r; SELECT ?1, :a, t.* FROM t; CREATE TEMP TABLE t2(a); INSERT INTO t2 VALUES(1);",
    ];
    seeds.iter().map(|sql| TestCase::from_sql(*sql)).collect()
}

/// Runs random lists of operations on healthy databases; returns the signatures of what the oracles find.
fn soak(executor: &mut Executor, runs: u64) -> BTreeSet<String> {
    let vocabulary = Vocabulary::new(Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let target = Target { weights: weights(), ..DB_SQL.clone() };
    let weights = OperatorWeights::new(&target.weights, |_| false);
    let mut cases = beginnings();
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut traced, mut kinds, mut found) = (0, BTreeSet::new(), BTreeSet::new());
    for seed in 0..runs {
        let at = rng.usize(0..cases.len());
        let mut bytes = |_: &mut [u8], size: usize, _: usize| size;
        let mut context = Context::new(seed, &vocabulary, &mut bytes, 100, 4000);
        let mut case = cases[at].clone();
        for _ in 0..rng.u8(1..6) {
            mutate(&mut case, &weights, &mut context);
        }
        assert_eq!(TestCase::decode_strict(&case.encode()), Ok(case.clone()));
        let judged = target.judge(executor, &case);
        found.extend(judged.findings().map(|(_, finding)| format!("{}\n{case:?}", finding.signature)));
        // What a planted bug leaves behind, the next run meets.
        if executor.plant.is_none() {
            let again = executor.run(&case, target.program, &target.budget);
            assert_eq!(again.trace.difference(&judged.observation.trace), None, "{case:?}");
        }
        traced += judged.observation.trace.statements.len();
        let list = case.operations.list();
        kinds.extend(list.iter().map(std::mem::discriminant).map(|kind| format!("{kind:?}")));
        if list.len() < 60 && rng.bool() {
            cases.push(case);
        }
    }
    assert!(traced > 3 * usize::try_from(runs).unwrap(), "{traced}");
    let all = if runs < 1000 { 45 } else { 52 };
    assert!(kinds.len() >= all, "nearly all kinds were met, or all: {kinds:?}");
    found
}

/// The same twice, nothing is left behind, and no oracle has anything to complain of. `TANDEM_SOAK=N` runs N of them.
#[test]
fn random_operations_are_harmless() {
    let runs = std::env::var("TANDEM_SOAK").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3000);
    assert_eq!(soak(&mut Executor::shared(), runs), BTreeSet::new());
}

#[test]
fn random_operations_find_planted_bugs() {
    // Connections that cannot be closed would use up the memory of the tests beside this one: they have a test above.
    let bugs: [(Plant, &[&str]); 2] = [
        (Plant::Disk(DiskPlant::LostWrites), &["code/", "integrity/", "format/"]),
        (Plant::Disk(DiskPlant::LeakedHandle), &["files/"]),
    ];
    for (plant, oracles) in bugs {
        let mut executor = Executor::shared();
        executor.plant(plant);
        let found = soak(&mut executor, 600);
        let is_found = |oracle: &&str| found.iter().any(|signature| signature.starts_with(*oracle));
        assert!(oracles.iter().any(is_found), "{plant:?}: {} findings", found.len());
    }
}
