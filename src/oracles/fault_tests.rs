//! Faults of every kind in turn, on scripts that SQLite must survive, and planted bugs that show.

use super::*;
use crate::engine::plant::{FunctionPlant, Plant};
use crate::faults::machine::DiskPlant;
use crate::known;
use crate::targets::DB_SQL;
use crate::testcase::{
    Chance, Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Moment, Phase, Setting, TestCase,
};

const SCRIPT: &str = "
    CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE);
    INSERT INTO t(b) VALUES ('one'), ('two'), ('three');
    BEGIN;
    UPDATE t SET b = b || b;
    SAVEPOINT s;
    DELETE FROM t WHERE a = 2;
    ROLLBACK TO s;
    INSERT INTO t(b) VALUES ('four');
    COMMIT;
    SELECT count(*), group_concat(b) FROM t;
    DROP TABLE t;
    VACUUM;";

fn with(script: &str, journal: &str, settings: &str) -> TestCase {
    let mut case =
        TestCase::from_sql(format!("PRAGMA journal_mode={journal}; {settings}; {script}").as_str());
    case.config.set(Setting::SectorLog2, 9);
    case
}

fn planned(case: &TestCase, fault: Fault) -> TestCase {
    TestCase { faults: FaultPlan::new([fault]), ..case.clone() }
}

fn findings(executor: &mut Executor, case: &TestCase) -> (Vec<String>, Observation, Vec<Judgement>) {
    let judged = DB_SQL.judge_by(executor, case, &Budget::UNLIMITED, &|entry| entry.judges_usually(case));
    let found = judged.findings().map(|(_, finding)| finding.to_string()).collect();
    (found, judged.observation, judged.judgements)
}

/// The faults that are met in turn, until the case ends without: how many, and what was found.
fn in_turn(executor: &mut Executor, case: &TestCase, fault: impl Fn(u32) -> Fault) -> (u32, Vec<String>) {
    let mut all = Vec::new();
    for nth in 1.. {
        let (found, observation, _) = findings(executor, &planned(case, fault(nth)));
        all.extend(found.into_iter().map(|finding| format!("{}: {finding}", fault(nth))));
        if observation.trace.hits.is_empty() {
            return (nth - 1, all);
        }
    }
    unreachable!()
}

fn io(error: IoError, nth: u32, lasts: Lasts) -> Fault {
    Fault::Io { operation: IoOperation::Any, role: None, error, nth, lasts, phase: Phase::Run }
}

fn allocation(nth: u32) -> Fault {
    Fault::Allocation { nth, lasts: Lasts::Once, phase: Phase::Run }
}

fn power_loss(images: u32) -> Fault {
    let at = Moment::Each { from: 1, count: u32::MAX, images };
    Fault::PowerLoss { at, seed: 1, sector_log2: 9, phase: Phase::Run }
}

const FULL: &str = "PRAGMA synchronous=FULL";

#[test]
fn whatever_fails_leaves_all_or_nothing() {
    let mut executor = Executor::shared();
    for journal in ["delete", "wal", "persist", "memory"] {
        let case = with(SCRIPT, journal, FULL);
        let (count, found) = in_turn(&mut executor, &case, allocation);
        assert_eq!(found, Vec::<String>::new(), "{journal}");
        assert!(count > 500, "{journal}: {count} allocations");
        let interrupt = |nth| Fault::Interrupt { nth, lasts: Lasts::Once, phase: Phase::Run };
        let (count, found) = in_turn(&mut executor, &case, interrupt);
        assert_eq!(found, Vec::<String>::new(), "{journal}");
        assert!(count > 200, "{journal}: {count} interrupts");
        for error in IoError::ALL {
            for lasts in [Lasts::Once, Lasts::ForGood] {
                let (count, found) = in_turn(&mut executor, &case, |nth| io(error, nth, lasts));
                assert_eq!(found, Vec::<String>::new(), "{journal} {error:?} {lasts:?}");
                let has_none = journal == "memory" && matches!(error, IoError::CantOpen | IoError::ReadOnly);
                assert!(has_none || count > 0, "{journal} {error:?} {lasts:?}");
            }
        }
    }
}

#[test]
fn a_power_loss_leaves_whole_transactions() {
    let mut executor = Executor::shared();
    for journal in ["delete", "truncate", "persist", "wal"] {
        for synchronous in ["NORMAL", "FULL", "EXTRA"] {
            let case = with(SCRIPT, journal, &format!("PRAGMA synchronous={synchronous}"));
            let (found, _, judgements) = findings(&mut executor, &planned(&case, power_loss(24)));
            assert_eq!(found, Vec::<String>::new(), "{journal} {synchronous}");
            let spent =
                judgements.iter().find(|judgement| judgement.oracle.name == "power_loss").unwrap().spent;
            assert!(spent.nontrivial > 50, "{journal} {synchronous}: {spent:?}");
        }
    }
}

#[test]
fn a_plan_has_the_same_trace_twice() {
    let mut executor = Executor::shared();
    let random = |what, one_in| Fault::Random { what, one_in, seed: 4, phase: Phase::Run };
    let (operation, role, error) = (IoOperation::Any, None, IoError::Failed);
    let plan = [
        random(Chance::Allocation, 300),
        random(Chance::Io { operation, role, error }, 30),
        Fault::AllocationAt { site: 7, nth: 2, lasts: Lasts::Once, phase: Phase::Run },
        Fault::BitFlip { statement: 5, role: FileRole::Database, bit: 12_345 },
    ];
    let case = TestCase { faults: FaultPlan::new(plan), ..with(SCRIPT, "delete", FULL) };
    let (_, first, _) = findings(&mut executor, &case);
    assert!(first.trace.hits.len() > 2, "{:?}", first.trace.hits);
    let (_, second, _) = findings(&mut executor, &case);
    assert_eq!(first.trace.difference(&second.trace), None);
    let (found, ..) = findings(&mut executor, &TestCase { faults: FaultPlan::default(), ..case });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn call_sites_are_fewer_than_allocations_and_each_is_met() {
    let mut executor = Executor::shared();
    let case = with("CREATE TABLE t(a); INSERT INTO t VALUES(1);", "delete", FULL);
    let (allocations, _) = in_turn(&mut executor, &case, allocation);
    let at_site = |site| Fault::AllocationAt { site, nth: 1, lasts: Lasts::Once, phase: Phase::Run };
    let (sites, found) = in_turn(&mut executor, &case, at_site);
    assert_eq!(found, Vec::<String>::new());
    assert!(sites > 10 && sites < allocations, "{sites} of {allocations}");
}

/// The oracles that fail on a case with a bug planted.
fn red(plant: Plant, case: &TestCase) -> Vec<&'static str> {
    let mut executor = Executor::shared();
    executor.plant(plant);
    let (_, _, judgements) = findings(&mut executor, case);
    let red = judgements.iter().filter(|judgement| matches!(judgement.verdict, Verdict::Fail(_)));
    red.map(|judgement| judgement.oracle.name).collect()
}

/// The same for each fault in turn.
fn red_in_turn(plant: Plant, case: &TestCase, fault: impl Fn(u32) -> Fault) -> Vec<&'static str> {
    (1..3000)
        .map(|nth| red(plant, &planned(case, fault(nth))))
        .find(|red| !red.is_empty())
        .unwrap_or_default()
}

#[test]
fn disks_and_settings_that_promise_nothing_are_red() {
    for journal in ["delete", "wal"] {
        let case = planned(&with(SCRIPT, journal, FULL), power_loss(24));
        for plant in [DiskPlant::LyingSync, DiskPlant::LateSync] {
            assert!(red(Plant::Disk(plant), &case).contains(&"power_loss"), "{plant:?} with {journal}");
        }
        let off = planned(&with(SCRIPT, journal, "PRAGMA synchronous=OFF"), power_loss(24));
        assert!(red(Plant::TrustedSettings, &off).contains(&"power_loss"), "{journal}");
    }
    let delete = with(SCRIPT, "delete", FULL);
    let dropped = Plant::Disk(DiskPlant::DroppedJournal);
    assert!(red(dropped, &planned(&delete, power_loss(24))).contains(&"power_loss"));
    assert!(red(dropped, &delete).contains(&"write_ahead"));
    let off = with(SCRIPT, "off", FULL);
    let failing = |nth| io(IoError::Failed, nth, Lasts::Once);
    assert!(red_in_turn(Plant::TrustedSettings, &off, failing).contains(&"fault"));
}

#[test]
fn syncs_that_are_missing_are_red_without_a_power_loss() {
    for journal in ["delete", "wal"] {
        let checkpoint = format!("{SCRIPT} CREATE TABLE u(a); PRAGMA wal_checkpoint;");
        let case = with(&checkpoint, journal, FULL);
        assert_eq!(red(Plant::Disk(DiskPlant::LyingSync), &case), ["write_ahead"], "{journal}");
        let off = with(&checkpoint, journal, "PRAGMA synchronous=OFF");
        assert_eq!(red(Plant::TrustedSettings, &off), ["write_ahead"], "{journal}");
    }
}

#[test]
fn functions_that_forget_a_failure_are_red() {
    let case = with("CREATE TABLE t(a); INSERT INTO t SELECT planted(); SELECT * FROM t;", "delete", FULL);
    let leaky = Plant::Function(FunctionPlant::LeakOnError);
    assert_eq!(red_in_turn(leaky, &case, allocation), ["memory"]);
    let careless = Plant::Function(FunctionPlant::IgnoredFailure);
    assert_eq!(red_in_turn(careless, &case, allocation), ["fault"]);
}

#[test]
fn power_may_be_lost_again_and_other_things_fail_during_recovery() {
    let mut executor = Executor::shared();
    let again = Fault::PowerLoss {
        at: Moment::Each { from: 1, count: u32::MAX, images: 3 },
        seed: 1,
        sector_log2: 9,
        phase: Phase::Recovery,
    };
    let (lasts, phase) = (Lasts::Once, Phase::Recovery);
    let (operation, role, error) = (IoOperation::Any, None, IoError::Failed);
    let during = [
        again,
        Fault::Allocation { nth: 0, lasts, phase },
        Fault::Io { nth: 0, operation, role, error, lasts, phase },
    ];
    for journal in ["delete", "wal"] {
        let case = with("CREATE TABLE t(a); INSERT INTO t VALUES(1); UPDATE t SET a = 2;", journal, FULL);
        for fault in during {
            let mut count = |plan: &[Fault]| {
                let case = TestCase { faults: FaultPlan::new(plan.iter().copied()), ..case.clone() };
                let (found, _, judgements) = findings(&mut executor, &case);
                assert_eq!(found, Vec::<String>::new(), "{journal}: {fault}");
                judgements
                    .iter()
                    .find(|judgement| judgement.oracle.name == "power_loss")
                    .unwrap()
                    .spent
                    .checks
            };
            let (without, with) = (count(&[power_loss(3)]), count(&[power_loss(3), fault]));
            assert!(with > 3 * without, "{journal}: {fault}: {with} disks, {without} without");
        }
    }
}

#[test]
fn the_known_bugs_of_full_text_search_still_fire() {
    let mut executor = Executor::shared();
    let rank = TestCase::from_sql(known::FTS5_RANK_SCRIPT);
    let case = TestCase::from_sql(known::FTS5_FAILURE_SCRIPT);
    let read = |nth| io(IoError::Failed, nth, Lasts::Once);
    for meets_known_bugs in [false, true] {
        if meets_known_bugs {
            executor.meet_known_bugs();
        }
        let found = [
            (in_turn(&mut executor, &case, allocation).1, "malformed inverted index for FTS5"),
            (in_turn(&mut executor, &case, read).1, "malformed inverted index for FTS5"),
            (in_turn(&mut executor, &rank, allocation).1, "fault/other-rows/allocation-SELECT"),
        ];
        for (found, what) in found {
            assert_eq!(!found.is_empty(), meets_known_bugs, "{what}: if it is gone, remove it from `known`");
            assert!(!meets_known_bugs || found.iter().any(|finding| finding.contains(what)), "{found:?}");
        }
    }
}

#[test]
fn what_sqlite_may_do_after_a_failure_is_no_finding() {
    let mut executor = Executor::shared();
    let scripts = [
        // The sync of a journal that was truncated fails, and with it the truncation of the database.
        "PRAGMA page_size=512; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=EXTRA;
         CREATE TABLE t(a INTEGER PRIMARY KEY, b);
         WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 8) INSERT INTO t SELECT i, zeroblob(400) FROM n;
         DELETE FROM t WHERE a % 2 = 0; INSERT INTO t VALUES(50, zeroblob(900)); DELETE FROM t WHERE a < 6;",
        // Nothing binds two files together.
        "PRAGMA journal_mode=MEMORY; CREATE TABLE t(a); ATTACH 'other.db' AS o; CREATE TABLE o.u(a); BEGIN; INSERT INTO t VALUES(1);
         INSERT INTO u VALUES(1); COMMIT; BEGIN; UPDATE t SET a = 2; UPDATE u SET a = 2; COMMIT;",
        "PRAGMA synchronous=OFF; CREATE TABLE t(a); ATTACH 'other.db' AS o; CREATE TABLE o.u(a); BEGIN; INSERT INTO t VALUES(1);
         INSERT INTO u VALUES(1); COMMIT;",
        // A checkpoint says that it was locked out.
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA wal_checkpoint; SELECT a FROM t;",
        // A full-text index that checks itself, and has lost count.
        "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two three'), ('two three'); BEGIN;
         UPDATE f SET x = 'four two' WHERE rowid = 1; COMMIT; INSERT INTO f(f) VALUES('integrity-check');",
        // A statement that fails in any case rolls back more if it meets a fault.
        "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1); SAVEPOINT s; INSERT INTO t SELECT 2 UNION ALL SELECT 1; BEGIN; COMMIT;",
        // A plan without statistics.
        "ATTACH 'other.db' AS o; CREATE TABLE o.t(a, b, c); CREATE INDEX o.i ON t(a); CREATE INDEX o.j ON t(b);
         WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO t SELECT 1, 40 - i, i FROM n;
         ANALYZE o; DETACH o; ATTACH 'other.db' AS o; SELECT c FROM o.t WHERE a = 1 AND b > 35;",
        // Virtual tables hold pages while a commit fails.
        "PRAGMA page_size=512; PRAGMA cache_size=5; CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two three'), ('two');
         CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES(1, 0, 2), (2, 1, 5);
         BEGIN; UPDATE f SET x = 'four two' WHERE rowid = 1; DELETE FROM r WHERE id = 1; COMMIT;",
    ];
    for script in scripts {
        let case = TestCase::from_sql(script);
        for (error, lasts) in
            [(IoError::Failed, Lasts::Once), (IoError::Failed, Lasts::ForGood), (IoError::Busy, Lasts::Once)]
        {
            let (count, found) = in_turn(&mut executor, &case, |nth| io(error, nth, lasts));
            assert_eq!((count > 0, found), (true, Vec::new()), "{script}");
        }
    }
}
