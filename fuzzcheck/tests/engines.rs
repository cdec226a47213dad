//! `fuzzcheck compare engines`: every kind of difference is planted and found, and two equal builds have none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Ran, command, file, finish, folder, some_of_corpus};
use fuzzcheck::differential::{Build, Follower};
use fuzzcheck::replay::Options;
use fuzzcheck::{NamedCase, open};

const PLANTED: &str =
    "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); SELECT a AS planted FROM t; SELECT planted() FROM t;";

/// Compares two builds over a path, with `words` behind.
fn compare(a: &str, b: &str, path: &Path, words: &str) -> Ran {
    let saved = folder();
    let mut command = command();
    command.args(["compare", "engines", a, b]).arg(path).args(words.split_whitespace());
    finish(command.arg("--save-dir").arg(saved.path()))
}

fn bundled(path: &Path, words: &str) -> Ran {
    compare("bundled", "bundled", path, words)
}

fn script(folder: &Path, text: &str) -> PathBuf {
    file(folder, "case.sql", text)
}

#[test]
fn equal_builds_agree_on_a_shipped_corpus() {
    let folder = folder();
    let ran = bundled(&some_of_corpus(folder.path(), "sql"), "--json").expect(0);
    let document = ran.json();
    let number = |key: &str| document[key].as_u64().expect("a number");
    assert!(number("cases") > 50 && number("statements") > 5 * number("cases"), "{}", ran.out);
    assert!(number("compared_cases") * 2 > number("cases"), "{:?}", document["skipped"]);
    assert!(number("ends") * 3 > number("cases"), "{:?}", document["skipped"]);
    let names = document["engines"].as_array().expect("two").clone();
    assert!(names[0] == names[1] && names[0].as_str().is_some_and(|name| name.starts_with("SQLite 3.")));
}

#[test]
fn databases_alone_are_compared_by_the_statements_of_their_target() {
    let folder = folder();
    let ran = bundled(&some_of_corpus(folder.path(), "db_file"), "--json").expect(0);
    let document = ran.json();
    assert!(document["statements"].as_u64() > Some(100), "{}", ran.out);
}

#[test]
fn what_one_build_does_otherwise_is_found() {
    let folder = folder();
    let case = script(folder.path(), PLANTED);
    let trials = [
        ("--plant-b wrong-rows", "differential/rows/SELECT"),
        ("--plant-a wrong-rows", "differential/rows/SELECT"),
        ("--plant-b nondeterminism", "differential/error/SELECT-SQLITE_ERROR-success-such-function"),
        ("--plant-a internal-error", "differential/code/SELECT-SQLITE_INTERNAL-SQLITE_ERROR-error"),
        ("--plant-b abort", "differential/death/b-SIGABRT-sqlite3VdbeExec:Function"),
        ("--plant-a segfault", "differential/death/a-SIGSEGV-sqlite3VdbeExec:Function"),
        ("--plant-a abort --plant-b abort", "differential/death/both-SIGABRT-sqlite3VdbeExec:Function"),
        ("--plant-b hang --timeout-ms 300", "differential/death/b-timeout-sqlite3VdbeExec:Function"),
    ];
    for (words, signature) in trials {
        let found = bundled(&case, words).expect(1);
        assert_eq!(found.out.lines().next(), Some(signature), "{words}: {}", found.out);
        assert!(found.out.contains("\nfuzzcheck: 1 differences out of 1 cases in "), "{}", found.out);
        assert!(Path::new(found.after("saved:")).file_name().is_some());
        let both = found.out.lines().filter(|line| line.starts_with("A   ") || line.starts_with("B   "));
        assert!(
            both.clone().count() == 2 && both.clone().all(|line| line.contains("SQLite 3.")),
            "{}",
            found.out
        );
    }
    bundled(&case, "").expect(0);
}

/// A query that takes any row is doubtful where there are several; where there is one, the same difference is a finding.
#[test]
fn what_sql_leaves_open_is_decided_by_running_in_reverse() {
    let folder = folder();
    let query = "SELECT (SELECT a FROM t) AS planted FROM t;";
    let case = |rows: &str| {
        let text = format!("CREATE TABLE t(a); INSERT INTO t VALUES{rows}; {query}");
        bundled(&script(folder.path(), &text), "--plant-b wrong-rows --json")
    };
    let open = case("(1),(2)").expect(0).json();
    assert_eq!(open["warnings"].as_array().map(Vec::len), Some(1), "{open}");
    let real = case("(1)").expect(1).json();
    assert_eq!(real["warnings"].as_array().map(Vec::len), Some(0), "{real}");
}

#[test]
fn the_replay_command_finds_it_again() {
    let folder = folder();
    let case = script(folder.path(), PLANTED);
    let saved = folder.path().join("it's saved");
    let mut command = command();
    command.args(["compare", "engines", "bundled", "bundled", "--plant-b", "wrong-rows"]).arg(&case);
    let found = finish(command.arg("--save-dir").arg(&saved)).expect(1);
    let rest = found.after("replay:").strip_prefix("cargo fuzzcheck ").expect("a call of the program");
    let script = format!("exec \"$0\" {rest} --save-dir \"$1\"");
    let mut again = Command::new("sh");
    again.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_fuzzcheck")).arg(folder.path().join("again"));
    assert_eq!(finish(&mut again).expect(1).out.lines().next(), Some("differential/rows/SELECT"));
}

#[test]
fn a_death_does_not_end_the_run() {
    let folder = folder();
    script(folder.path(), PLANTED);
    file(folder.path(), "after.sql", "SELECT 1;");
    file(folder.path(), "before.sql", "SELECT 1;");
    let ran = bundled(folder.path(), "--plant-b abort --json").expect(1);
    let document = ran.json();
    assert_eq!((document["cases"].as_u64(), document["compared_cases"].as_u64()), (Some(3), Some(2)));
}

/// A build of this program that says it is another version, as a script.
fn disguised(folder: &Path, version: &str) -> PathBuf {
    let own = env!("CARGO_BIN_EXE_fuzzcheck");
    let real = tandem::engine::sqlite::version();
    let text = format!("#!/bin/sh\n'{own}' \"$@\" | sed -u 's/SQLite {real},/SQLite {version},/'\n");
    let path = file(folder, "disguised", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .expect("it can be made executable");
    path
}

#[test]
fn known_differences_that_do_not_show_are_named() {
    let folder = folder();
    let case = script(folder.path(), "SELECT 1;");
    let old = disguised(folder.path(), "3.30.1");
    let ran = compare(old.to_str().expect("UTF-8"), "bundled", &case, "").expect(0);
    let silent = ran.out.lines().filter(|line| line.starts_with("known ") && line.contains("did not show"));
    assert_eq!(silent.count(), tandem::difference::known::KNOWN_DIFFERENCES.len(), "{}", ran.out);
    assert!(ran.out.contains("A            SQLite 3.30.1, 20"), "{}", ran.out);
    // Between equal versions none applies.
    assert!(!bundled(&case, "").expect(0).out.contains("known "));
}

#[test]
fn nothing_to_compare_is_an_error() {
    let folder = folder();
    bundled(folder.path(), "").expect_error(&["no case was run"]);
    let case = script(folder.path(), "PRAGMA writable_schema=1; SELECT 1;");
    bundled(&case, "").expect_error(&["no statement of 1 cases was compared", "tainted: writable-schema: 1"]);
}

#[test]
fn a_wrong_name_is_an_error() {
    let folder = folder();
    let case = script(folder.path(), "SELECT 1;");
    compare("bundled", "nonsense", &case, "").expect_error(&["`nonsense` is no configuration", "bundled"]);
    compare("/bin/true", "bundled", &case, "").expect_error(&["/bin/true", "ends before its first case"]);
    bundled(&case, "--plant-a nonsense").expect_error(&["no planted bug is named `nonsense`"]);
    bundled(&case, "--target nonsense").expect_error(&["no target is named `nonsense`"]);
    bundled(&folder.path().join("nowhere"), "").expect_error(&["nowhere"]);
    finish(command().args(["compare", "engines", "bundled"])).expect_error(&["<B>"]);
}

#[test]
fn a_session_can_follow_with_single_cases() {
    let folder = folder();
    let build = |plant: Option<&str>| Build {
        is_unoptimized: false,
        program: env!("CARGO_BIN_EXE_fuzzcheck").into(),
        options: Options { plant: plant.map(str::to_owned), timeout_ms: 60_000, ..Options::default() },
    };
    let mut follower = Follower::new(&[build(None), build(Some("wrong-rows"))]).expect("both can be started");
    let mut check = |text: &str| {
        let cases = open(&[script(folder.path(), text)], None).expect("a case");
        let named: Vec<NamedCase> = cases.cases.collect();
        let found = named.into_iter().map(|named| follower.check(named).expect("both run"));
        found.flatten().map(|found| found.signature).collect::<Vec<_>>()
    };
    assert!(check("SELECT 1;").is_empty());
    assert_eq!(check(PLANTED), ["differential/rows/SELECT"]);
    // What is known already is counted, and not said again.
    assert!(check("SELECT 1 AS planted;").is_empty());
    assert_eq!(
        (follower.report().cases, follower.report().findings["differential/rows/SELECT"].cases),
        (3, 2)
    );
}
