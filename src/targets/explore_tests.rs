//! Schedules are explored, repeated and told apart.

use std::collections::BTreeSet;

use super::*;
use crate::engine::Code;
use crate::engine::plant::Plant;
use crate::faults::machine::DiskPlant;
use crate::oracles::Group;
use crate::targets::DB_SQL;
use crate::testcase::{Operation, Operations};

/// Statements of connections, after a set-up.
fn case(setup: &[&str], statements: &[(u8, &str)]) -> TestCase {
    let first = setup.iter().map(|sql| (0, *sql));
    let all: Vec<(u8, &str)> = first.chain(statements.iter().copied()).collect();
    let run = |&(connection, _): &(u8, &str)| Operation::Run { connection };
    let mut operations: Vec<Operation> = all.iter().map(run).collect();
    operations.insert(setup.len(), Operation::Meet);
    let sql: String = all.iter().map(|(_, sql)| format!("{sql};\n")).collect();
    TestCase { operations: Operations::new(operations), ..TestCase::from_sql(sql) }
}

/// The signatures that the first of so many schedules shows that shows any.
fn found(case: &TestCase, strategy: &str, runs: u64, plant: Option<DiskPlant>) -> Vec<String> {
    let mut executor = Executor::shared();
    plant.into_iter().for_each(|plant| executor.plant(Plant::Disk(plant)));
    let exploration = Exploration { strategy: strategy.parse().unwrap(), seed: 1, from: 0, runs, rest: None };
    let mut found = Vec::new();
    let judges = |entry: &Entry| entry.judges_usually(case);
    DB_SQL.explore(&mut executor, case, &DB_SQL.budget, &exploration, &judges, &mut |case, judged| {
        found = judged.findings().map(|(_, finding)| finding.signature.to_string()).collect();
        if let (Some((_, finding)), None) = (judged.findings().next(), plant) {
            panic!("{case:?}{finding}");
        }
        found.is_empty()
    });
    found
}

/// Connections that append to lists and read them.
fn appends(mode: &str) -> TestCase {
    let setup = [
        &*format!("PRAGMA journal_mode={mode}"),
        "CREATE TABLE tandem_list(k INTEGER PRIMARY KEY, v TEXT)",
        "INSERT INTO tandem_list VALUES(1, ''), (2, '')",
    ];
    let read = "SELECT k, v FROM tandem_list ORDER BY k";
    let statements = [
        (0, "UPDATE tandem_list SET v = v || ',1' WHERE k = 1"),
        (0, "BEGIN"),
        (0, read),
        (0, "UPDATE tandem_list SET v = v || ',2' WHERE k = 2"),
        (0, "COMMIT"),
        (1, "BEGIN"),
        (1, read),
        (1, "UPDATE tandem_list SET v = v || ',3' WHERE k = 1"),
        (1, "UPDATE tandem_list SET v = v || ',4' WHERE k = 2"),
        (1, "COMMIT"),
        (1, read),
    ];
    case(&setup, &statements)
}

#[test]
fn transactions_are_explained_by_an_order_and_leave_what_that_leaves() {
    for mode in ["WAL", "DELETE", "PERSIST"] {
        for strategy in ["pct:3", "random", "dfs:1"] {
            assert!(found(&appends(mode), strategy, 150, None).is_empty());
        }
    }
}

#[test]
fn locks_that_exclude_nobody_are_noticed() {
    let is_of = |found: &[String], oracles: &[&str]| {
        found.iter().any(|signature| oracles.iter().any(|oracle| signature.starts_with(oracle)))
    };
    let lost = found(&appends("WAL"), "pct:3", 300, Some(DiskPlant::FreeWriterLock));
    assert!(is_of(&lost, &["histories/", "serial/", "integrity/", "code/"]), "{lost:?}");
    let dirty = found(&appends("DELETE"), "pct:3", 300, Some(DiskPlant::FreeFileLocks));
    assert!(is_of(&dirty, &["histories/", "serial/", "integrity/", "code/"]), "{dirty:?}");
}

/// The signatures of the oracles of histories and of order alone, with a plant.
#[test]
fn what_is_lost_and_what_is_read_too_early_have_names() {
    let mut names = BTreeSet::new();
    for (mode, plant) in [("WAL", DiskPlant::FreeWriterLock), ("DELETE", DiskPlant::FreeFileLocks)] {
        let mut executor = Executor::shared();
        executor.plant(Plant::Disk(plant));
        let case = appends(mode);
        let exploration = Exploration { strategy: Strategy::Random, seed: 3, from: 0, runs: 200, rest: None };
        let judges = |entry: &Entry| entry.group == Group::Turns;
        DB_SQL.explore(&mut executor, &case, &DB_SQL.budget, &exploration, &judges, &mut |_, judged| {
            names.extend(judged.findings().map(|(entry, _)| entry.name));
            true
        });
    }
    assert_eq!(names, ["histories", "serial"].into());
}

#[test]
fn nobody_waits_for_who_waits_for_them() {
    let mut case =
        case(&["CREATE TABLE t(a)"], &[(0, "INSERT INTO t VALUES(1)"), (1, "INSERT INTO t VALUES(2)")]);
    let patient = |connection| Operation::BusyHandler { connection, calls: u8::MAX };
    case.operations.edit(|operations| drop(operations.splice(2..2, [patient(0), patient(1)])));
    assert!(found(&case, "pct:3", 100, None).is_empty());
    let stuck = found(&case, "pct:3", 20, Some(DiskPlant::KeptLocks));
    assert_eq!(stuck.first().map(String::as_str), Some("turns/deadlock/-"), "{stuck:?}");
}

/// The codes and rows of each run, by its schedule.
fn explore(case: &TestCase, strategy: &str, runs: u64) -> (Explored, Vec<(TestCase, Judged)>) {
    let (mut executor, mut all) = (Executor::shared(), Vec::new());
    let exploration = Exploration { strategy: strategy.parse().unwrap(), seed: 1, from: 0, runs, rest: None };
    let judges = |entry: &Entry| entry.is_usual();
    let explored =
        DB_SQL.explore(&mut executor, case, &DB_SQL.budget, &exploration, &judges, &mut |case, judged| {
            assert!(judged.findings().next().is_none(), "{case:?}: {judged:?}");
            all.push((case.clone(), judged.clone()));
            true
        });
    (explored, all)
}

#[test]
fn two_connections_of_three_steps_have_twenty_interleavings() {
    let steps = [
        (0, "SELECT 1"),
        (0, "SELECT 2"),
        (0, "SELECT 3"),
        (1, "SELECT 4"),
        (1, "SELECT 5"),
        (1, "SELECT 6"),
    ];
    let (explored, all) = explore(&case(&[], &steps), "dfs", 1000);
    assert_eq!((explored.runs, explored.is_exhausted, explored.points), (20, true, 6));
    let order = |judged: &Judged| -> Vec<usize> {
        judged.observation.trace.statements.iter().map(|statement| statement.sql.start).collect()
    };
    let orders: BTreeSet<Vec<usize>> = all.iter().map(|(_, judged)| order(judged)).collect();
    assert_eq!(orders.len(), 20);
}

const WAL: [&str; 3] = [
    "PRAGMA journal_mode=WAL",
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b)",
    "INSERT INTO t VALUES(1, 'one'), (2, 'two')",
];

#[test]
fn connections_interleave_within_statements_and_each_run_repeats() {
    let statements = [
        (0, "BEGIN"),
        (0, "SELECT count(*) FROM t"),
        (0, "INSERT INTO t(b) VALUES('three')"),
        (0, "COMMIT"),
        (1, "UPDATE t SET b = b || 'x' WHERE a = 1"),
        (1, "PRAGMA wal_checkpoint(TRUNCATE)"),
        (1, "SELECT group_concat(b) FROM t"),
    ];
    for setup in [&WAL[..], &WAL[1..]] {
        for strategy in ["random", "pct:3", "round-robin", "dfs:1"] {
            let (explored, all) = explore(&case(setup, &statements), strategy, 60);
            assert!(explored.points > 60, "{explored:?}");
            let mut told = BTreeSet::new();
            for (case, judged) in &all {
                let mut executor = Executor::shared();
                let again = DB_SQL.judge_by(&mut executor, case, &DB_SQL.budget, &|entry| entry.is_usual());
                let (first, second) = (&judged.observation.trace, &again.observation.trace);
                // What has no switches runs in the order written, without points.
                if !case.schedule.is_empty() {
                    assert_eq!(first.difference(second), None, "{strategy}: {case:?}");
                }
                told.insert(
                    first.statements.iter().map(|one| (one.code().0, one.row_digest)).collect::<Vec<_>>(),
                );
            }
            assert!(told.len() > 1 || strategy == "round-robin", "{strategy}: all runs did the same");
        }
    }
}

#[test]
fn who_is_kept_out_tries_again_while_others_go_on() {
    let setup = ["CREATE TABLE t(a)"];
    let patient = "PRAGMA busy_timeout=100";
    let statements = [
        (0, patient),
        (0, "BEGIN IMMEDIATE"),
        (0, "INSERT INTO t VALUES(1)"),
        (0, "COMMIT"),
        (1, patient),
        (1, "BEGIN IMMEDIATE"),
        (1, "INSERT INTO t VALUES(2)"),
        (1, "COMMIT"),
    ];
    let codes = |statements: &[(u8, &str)]| -> BTreeSet<Code> {
        let (_, all) = explore(&case(&setup, statements), "pct:2", 200);
        let statements = all.iter().flat_map(|(_, judged)| &judged.observation.trace.statements);
        statements.map(|statement| statement.code()).collect()
    };
    assert_eq!(codes(&statements), [Code::DONE].into());
    let impatient: Vec<(u8, &str)> = statements.iter().copied().filter(|(_, sql)| *sql != patient).collect();
    assert!(codes(&impatient).iter().any(|code| code.primary() == 5), "somebody is kept out");
}
