//! `explore`, and `compose` for cases of several connections.

use crate::common::{file, folder, fuzzcheck_on};
use tandem::TestCase;
use tandem::testcase::{Operation, Schedule};

const TURNS: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)\n\
    0: UPDATE t SET a = a + 1; SELECT a FROM t\n1: UPDATE t SET a = a + 10; PRAGMA wal_checkpoint\n";

fn composed(folder: &std::path::Path) -> std::path::PathBuf {
    let (turns, case) = (file(folder, "turns.txt", TURNS), folder.join("case"));
    fuzzcheck_on(&format!("compose --to {} --turns", case.display()), &[&turns]).expect(0);
    case
}

#[test]
fn schedules_are_explored_and_what_is_found_is_made_smaller_and_read() {
    let folder = folder();
    let case = composed(folder.path());
    let words = format!("explore --runs 60 --json --save-dir {}", folder.path().display());
    let clean = fuzzcheck_on(&words, &[&case]).expect(0).json();
    assert_eq!(
        (&clean["runs"], &clean["found"], &clean["strategy"]),
        (&60.into(), &serde_json::Value::Null, &"pct:3".into())
    );
    assert!(clean["busy"].as_u64() > Some(0) && clean["points"].as_u64() > Some(20), "{clean}");

    let found =
        fuzzcheck_on(&format!("{words} --plant free-writer-lock --seed 5 --schedule random"), &[&case])
            .expect(1)
            .json();
    let found = &found["found"];
    let saved = std::path::PathBuf::from(found["saved"].as_str().unwrap());
    let small = TestCase::decode_strict(&std::fs::read(&saved).unwrap()).unwrap();
    let schedule: Schedule = found["schedule"].as_str().unwrap().parse().unwrap();
    assert_eq!((small.schedule.clone(), small.schedule.is_empty()), (schedule, false));
    assert!(small.schedule.switches().len() <= 4, "{found}");
    // The case shows it to whoever runs it, and its schedule is printed as who did what.
    let again =
        fuzzcheck_on("run --plant free-writer-lock --oracles turns,serial,histories", &[&saved]).expect(1);
    assert!(again.out.starts_with(found["signature"].as_str().unwrap()), "{again:?}");
    let lines = found["interleaving"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["goes_on"] == true), "{found}");
    let read =
        fuzzcheck_on("explore --plant free-writer-lock --no-minimize --save-dir", &[folder.path(), &saved])
            .expect(1);
    assert!(read.out.contains("[stops before it "), "{read:?}");
}

#[test]
fn a_search_ends_and_one_schedule_is_followed() {
    let folder = folder();
    let turns = file(
        folder.path(),
        "turns.txt",
        "0: BEGIN; SAVEPOINT a; ROLLBACK\n1: BEGIN; SAVEPOINT a; ROLLBACK\n",
    );
    let case = folder.path().join("case");
    fuzzcheck_on(&format!("compose --to {} --turns", case.display()), &[&turns]).expect(0);
    let all = fuzzcheck_on("explore --schedule dfs", &[&case]).expect(0);
    assert!(all.out.contains("no bug in 20 schedules (dfs, all there are)"), "{all:?}");
    let one = fuzzcheck_on("explore --schedule 2.0:1", &[&case]).expect(0);
    let lines: Vec<&str> = one.out.lines().take(6).map(str::trim).collect();
    assert_eq!(
        lines,
        ["0: BEGIN;", "1: BEGIN;", "1: SAVEPOINT a;", "1: ROLLBACK;", "0: SAVEPOINT a;", "0: ROLLBACK;"]
    );
}

#[test]
fn bad_schedules_and_cases_of_one_connection_are_refused() {
    let folder = folder();
    let alone = file(folder.path(), "alone.sql", "SELECT 1; SELECT 2;");
    fuzzcheck_on("explore", &[&alone]).expect_error(&["alone.sql", "compose --turns"]);
    let case = composed(folder.path());
    fuzzcheck_on("explore --schedule often", &[&case]).expect_error(&["often", "pct:DEPTH"]);
    fuzzcheck_on("explore --schedule pct:0", &[&case]).expect_error(&["at least 1"]);
    fuzzcheck_on("explore", &[&folder.path().join("none")]).expect_error(&["none"]);
    let none = file(folder.path(), "none.txt", "SELECT 1");
    let to = folder.path().join("to");
    let compose = |option: &str, path: &std::path::Path| {
        fuzzcheck_on(&format!("compose --to {} {option}", to.display()), &[path])
    };
    compose("--turns", &none).expect_error(&["none.txt", "no line begins"]);
    compose("--operations", &none).expect_error(&["none.txt", "no list of operations"]);
    assert!(!to.exists());
    let list = file(folder.path(), "list.json", r#"[{"ChangesetPut": {"content": [84]}}, "SessionInvert"]"#);
    compose("--operations", &list).expect(0);
    let case = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    assert_eq!(
        case.operations.list(),
        [Operation::ChangesetPut { content: vec![84] }, Operation::SessionInvert]
    );
}
