//! `fuzzcheck minimize`: what is left, that it is the same bug, and that nothing is lost.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common;
use crate::common::{file, finish, folder, fuzzcheck, kill_behind, with_valgrind};
use tandem::TestCase;
use tandem::engine::sqlite::{Executor, Moment};

/// A database with pages of rows, and a script around the call of the planted bug.
fn case(script: &str) -> Vec<u8> {
    let sql = "CREATE TABLE big(id INTEGER PRIMARY KEY, txt TEXT, n); CREATE INDEX bi ON big(txt);
        CREATE TABLE other(x, y); CREATE VIEW v AS SELECT x FROM other;
        INSERT INTO big WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<300)
            SELECT i, 'some text that fills pages ' || i, i * 7 FROM c; INSERT INTO other VALUES(1, 2), (3, 4);";
    let files = Executor::shared().files_after(&Default::default(), sql, Moment::Closed).unwrap();
    TestCase { files, ..TestCase::from_sql(script) }.encode()
}

const SCRIPT: &str =
    "SELECT count(*) FROM big WHERE txt LIKE 'some%'; INSERT INTO other SELECT id, n FROM big LIMIT 3;
    -- here it is
    SELECT x, y + 1, planted() FROM other LEFT JOIN big ON x = id WHERE y IS NOT NULL AND n BETWEEN 1 AND 9999
        GROUP BY x ORDER BY 1 DESC; DELETE FROM other WHERE x > 2; SELECT * FROM v;";

fn minimized(folder: &Path, words: &str, script: &str) -> (serde_json::Value, TestCase) {
    let path = file(folder, "case", case(script));
    let to = folder.join("smaller");
    let words: Vec<&str> = words.split_ascii_whitespace().collect();
    let ran = fuzzcheck(
        ["minimize", path.to_str().unwrap(), "--json", "--to", to.to_str().unwrap()].into_iter().chain(words),
    )
    .expect(0);
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let smaller = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    (summary, smaller)
}

/// A leak is cut down by `triage.rs`, a hang below.
#[test]
fn each_kind_of_bug_is_cut_down_to_a_statement() {
    let kinds = [
        ("segfault", "crash/SIGSEGV/sqlite3VdbeExec:Function", SCRIPT),
        ("internal-error", "code/SQLITE_INTERNAL/SELECT", "SELECT x, planted() FROM other; SELECT * FROM v;"),
    ];
    for (plant, signature, script) in kinds {
        let folder = folder();
        let (summary, smaller) = minimized(folder.path(), &format!("--plant {plant}"), script);
        assert_eq!(summary["signature"], signature);
        let text = String::from_utf8_lossy(smaller.sql.as_bytes()).into_owned();
        assert!(
            smaller.files.is_empty() && text.len() <= 20 && text.contains("planted()"),
            "{plant}: {text}"
        );
        assert_eq!((&summary["after"]["statements"], &summary["after"]["files"]), (&1.into(), &0.into()));
        assert!(summary["attempts"].as_u64().unwrap() > summary["accepted"].as_u64().unwrap());
        // What is printed to see it again shows it.
        let replay = summary["replay"].as_str().unwrap().strip_prefix("cargo fuzzcheck ").unwrap();
        let again = fuzzcheck(replay.split_ascii_whitespace()).expect(1);
        assert!(again.out.starts_with(signature), "{again:?}");
    }
}

#[test]
fn a_hang_is_cut_down_too() {
    let folder = folder();
    let script = "CREATE TABLE a(b); SELECT planted(), 2 FROM (SELECT 1); SELECT 3;";
    let words = "--plant hang --timeout-ms 150 --jobs 2";
    let path = file(folder.path(), "case.sql", script);
    let to = folder.path().join("smaller");
    let arguments = ["minimize", path.to_str().unwrap(), "--to", to.to_str().unwrap()];
    let ran = fuzzcheck(arguments.into_iter().chain(words.split(' '))).expect(0);
    assert!(ran.out.contains("hang/timeout/sqlite3VdbeExec:Function"), "{ran:?}");
    let smaller = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    assert!(smaller.sql.as_bytes().len() <= 20, "{ran:?}");
}

#[test]
fn one_of_two_bugs_does_not_become_the_other() {
    let script = "SELECT planted('leak'), 1; SELECT planted('internal-error'), 2;";
    let bugs = [
        ("memory/leak/sqlite3VdbeExec", "leak", "internal-error"),
        ("code/SQLITE_INTERNAL/SELECT", "internal-error", "leak"),
    ];
    for (signature, own, other) in bugs {
        let folder = folder();
        let words = format!("--plant by-name --signature {signature}");
        let (summary, smaller) = minimized(folder.path(), &words, script);
        assert_eq!(summary["signature"], signature);
        let text = String::from_utf8_lossy(smaller.sql.as_bytes()).into_owned();
        assert!(text.contains(own) && !text.contains(other), "{text}");
    }
}

#[test]
fn differences_between_builds_and_between_runs_are_cut_down() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let program = format!("#!/bin/sh\nexec {} \"$@\" --plant wrong-rows\n", env!("CARGO_BIN_EXE_fuzzcheck"));
    let other = file(folder.path(), "other", program);
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    let trials = [
        (format!("--differential {}", other.display()), "5 AS \"planted()\"", "differential/rows/SELECT"),
        ("--plant nondeterminism".to_owned(), "planted()", "determinism/trace/second-run"),
    ];
    for (words, column, signature) in trials {
        let script = format!(
            "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2); SELECT a, {column} FROM t WHERE a > 1 ORDER BY a; SELECT 7;"
        );
        let folder = common::folder();
        let (summary, smaller) = minimized(folder.path(), &words, &script);
        assert_eq!((&summary["signature"], &summary["after"]["statements"]), (&signature.into(), &1.into()));
        assert!(smaller.sql.as_bytes().len() < 25, "{summary}");
        let replay = summary["replay"].as_str().unwrap().strip_prefix("cargo fuzzcheck ").unwrap();
        let again = fuzzcheck(replay.split_ascii_whitespace()).expect(1);
        assert!(again.out.starts_with(signature), "{again:?}");
    }
}

/// It shows in every second process: candidates run several times, in new ones.
#[test]
fn a_bug_that_comes_and_goes_is_kept_all_the_same() {
    let folder = folder();
    let script = "CREATE TABLE t(a); SELECT planted(), 2 FROM (SELECT 1); SELECT 1;";
    let case = file(folder.path(), "case.sql", script);
    let to = folder.path().join("smaller");
    let every_second = "mkdir \"$STAGE/odd\" 2>/dev/null && exec \"$@\"\n\
        rmdir \"$STAGE/odd\"; exec \"$@\" --plant internal-error";
    let mut command = with_valgrind(folder.path(), every_second);
    command.args(["minimize", "--build=valgrind", "--jobs=1", "--json", "--to"]).arg(&to).arg(&case);
    let summary = finish(&mut command).expect(0).json();
    assert_eq!(summary["signature"], "code/SQLITE_INTERNAL/SELECT");
    let hits = summary["runs_that_showed_it"].as_u64().unwrap();
    let text = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    let text = String::from_utf8_lossy(text.sql.as_bytes()).into_owned();
    assert!(text.contains("planted") && text.len() < 20, "{hits} of {}: {text}", summary["runs"]);
    assert!((1..5).contains(&hits), "{summary}");
}

#[test]
fn only_what_is_asked_for_is_made_smaller() {
    let folder = folder();
    let (_, smaller) = minimized(folder.path(), "--plant segfault --minimize sql", SCRIPT);
    let whole = TestCase::decode(&case(SCRIPT));
    assert!(smaller.files == whole.files && smaller.sql.as_bytes().len() < 20);
    let folder = common::folder();
    let (_, smaller) = minimized(folder.path(), "--plant segfault --minimize db,settings", SCRIPT);
    assert!(smaller.sql.as_bytes().ends_with(SCRIPT.as_bytes()));
}

#[test]
fn killed_at_any_moment_it_goes_on_and_loses_nothing() {
    let folder = folder();
    let path = file(folder.path(), "case", case(SCRIPT));
    let to = folder.path().join("smaller");
    let arguments = [
        "minimize",
        path.to_str().unwrap(),
        "--to",
        to.to_str().unwrap(),
        "--plant",
        "segfault",
        "--jobs",
        "1",
    ];
    let mut smallest = usize::MAX;
    for round in 0..5 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fuzzcheck"));
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Until there is a best case, and then some.
        kill_behind(child, Duration::from_millis(20 * round), "there is a best case", || to.exists());
        let best = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
        let bytes = best.encode().len();
        assert!(bytes <= smallest, "it begins where it was");
        smallest = bytes;
    }
    let ran = fuzzcheck(arguments.into_iter().chain(["--json"])).expect(0);
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(summary["after"]["files"], 0);
    // Nothing is left to do.
    let ran = fuzzcheck(arguments.into_iter().chain(["--json"])).expect(0);
    let again: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(again["after"], summary["after"]);
    assert!(again["attempts"].as_u64().unwrap() <= 1 && again["attempts_before"].as_u64().unwrap() > 10);
}

#[test]
fn attempts_are_bounded() {
    let folder = folder();
    let (summary, _) = minimized(folder.path(), "--plant segfault --max-attempts 3 --jobs 1", SCRIPT);
    assert_eq!(summary["attempts"], 3);
    let (summary, smaller) = minimized(folder.path(), "--plant segfault --jobs 1", SCRIPT);
    assert!(summary["attempts_before"] == 3 && smaller.files.is_empty(), "{summary}");
}

#[test]
fn what_shows_no_bug_or_another_is_refused() {
    let folder = folder();
    let path = file(folder.path(), "fine.sql", "SELECT 1;");
    let ran = fuzzcheck(["minimize", path.to_str().unwrap()]).expect(2);
    assert!(ran.err.contains("fine.sql") && ran.err.contains("shows no bug"), "{ran:?}");
    let bad = file(folder.path(), "bad.sql", "SELECT planted();");
    let words = ["--plant", "internal-error", "--signature", "a/b/c"];
    let ran = fuzzcheck(["minimize", bad.to_str().unwrap()].into_iter().chain(words)).expect(2);
    assert!(ran.err.contains("does not show a/b/c") && ran.err.contains("code/SQLITE_INTERNAL"), "{ran:?}");
    let ran = fuzzcheck(["minimize", "/nowhere/case"]).expect(2);
    assert!(ran.err.contains("/nowhere/case"), "{ran:?}");
    // Somebody else's file is not overwritten.
    let to = file(folder.path(), "precious", "mine");
    let words = ["--plant", "internal-error", "--to", to.to_str().unwrap()];
    fuzzcheck(["minimize", bad.to_str().unwrap()].into_iter().chain(words)).expect(2);
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
}
