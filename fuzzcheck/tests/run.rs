//! `fuzzcheck run` and `fuzzcheck doctor selftest`, as a person or a script calls them.

use std::path::Path;
use std::process::Command;

use crate::common;
use crate::common::{Ran, command, file, finish, folder, fuzzcheck, fuzzcheck_on, list, project};
use tandem::TestCase;
use tandem::engine::plant::PLANTS;
use tandem::known::{KNOWN, KnownBug};
use tandem::testcase::Script;

fn corpus() -> std::path::PathBuf {
    project().join("corpus")
}

fn cases_in_corpus() -> u64 {
    list(&[&corpus()]).len() as u64
}

/// A corpus of which each test runs a part: that all the cases of all of them are clean is seen by `corpus.rs`.
fn some() -> std::path::PathBuf {
    corpus().join("sql.db")
}

/// Of how many cases of it one is run.
const EVERY: u64 = 10;

/// Runs these cases.
fn run_some(words: &str) -> Ran {
    fuzzcheck_on(&format!("{words} --every {EVERY}"), &[&some()]).expect(0)
}

fn cases_in_some() -> u64 {
    (list(&[&some()]).len() as u64).div_ceil(EVERY)
}

#[test]
fn the_shipped_corpora_are_run_from_anywhere_unless_others_are_named() {
    let elsewhere = folder();
    for place in [project().as_path(), elsewhere.path()] {
        let ran = finish(command().args(["run", "--every", "100"]).current_dir(place)).expect(0);
        assert_eq!(ran.summary(), (0, cases_in_corpus().div_ceil(100)));
    }
}

/// A table as words, whatever its columns are wide.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_way_to_run_runs_every_case() {
    let cases = cases_in_some();
    for words in ["run --in-process", "run --oracles all", "run --jobs 1", "run --jobs 7"] {
        let ran = run_some(words);
        assert_eq!(ran.summary(), (0, cases), "{words}");
        let has_determinism = in_one_line(&ran.out).contains(&format!("determinism {cases} passed"));
        assert_eq!(has_determinism, words.contains("--oracles"), "{words}: {}", ran.out);
    }
}

#[test]
fn json_is_one_document_with_the_same_counts() {
    let document = run_some("run --json").json();
    assert_eq!(document["cases"], cases_in_some());
    assert_eq!(document["errors"], 0);
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(0));
}

/// What each oracle said of all cases, of which one ends its worker and one is empty.
#[test]
fn passed_failed_and_not_judged_add_up_to_all_cases() {
    let folder = folder();
    let saved = common::folder();
    file(folder.path(), "reads.sql", "SELECT 1");
    file(folder.path(), "ends.sql", "SELECT planted()");
    file(folder.path(), "empty.sql", ";");
    file(folder.path(), "writes.sql", "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t");
    let words = format!("run --oracles all --plant segfault --save-dir {}", saved.path().display());
    let ran = fuzzcheck_on(&format!("{words} --json"), &[folder.path()]).expect(1).json();
    let oracles = ran["oracles"].as_object().expect("by name");
    assert_eq!((&ran["cases"], oracles.len()), (&4.into(), tandem::oracles::ORACLES.len()));
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    for (name, said) in oracles {
        let reasons = said["not_judged"].as_object().expect("by reason");
        let judged = number(&said["passed"]) + number(&said["failed"]);
        let all = judged + reasons.values().map(number).sum::<u64>();
        assert_eq!((all, &said["cases"], &reasons["its worker ended"]), (4, &4.into(), &1.into()), "{name}");
        assert_eq!(said["judged_percent"], 25.0 * judged as f64, "{name}");
    }
    let said = &oracles["determinism"];
    assert_eq!((&said["checks"], &said["nontrivial"]), (&3.into(), &2.into()), "an empty script is trivial");
    let line = "determinism 3 passed, 0 failed, 75.0 % judged; 1 not judged (its worker ended: 1); \
                checks 3, not trivial 2";
    let out = in_one_line(&fuzzcheck_on(&words, &[folder.path()]).expect(1).out);
    assert!(out.contains(line), "{out}");
    let line = "format 1 passed, 0 failed, 25.0 % judged, 50.0 % where there was something to judge; 3 not judged (nothing written: 2, ";
    assert!(out.contains(line), "most frequent first: {out}");
}

#[test]
fn only_the_oracles_that_are_named_judge() {
    let folder = folder();
    let saved = common::folder();
    file(folder.path(), "leaks.sql", "SELECT planted()");
    let run = |oracles: &str| {
        let words =
            format!("run --plant leak --json --oracles {oracles} --save-dir {}", saved.path().display());
        fuzzcheck_on(&words, &[folder.path()])
    };
    let names = |ran: &Ran| ran.json()["oracles"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&run("code,determinism").expect(0)), ["code", "determinism"]);
    assert_eq!(names(&run("memory").expect(1)), ["memory"]);
    assert_eq!(names(&run("all").expect(1)).len(), tandem::oracles::ORACLES.len());
    run("code,magic").expect_error(&["`magic`", "close, memory, files", "determinism"]);
    // Whoever names one wants to hear what it says: nothing is no pass.
    run("integrity").expect_error(&["no case was judged by integrity"]);
    run("integrity,window").expect_error(&["no case was judged by integrity,window"]);
    run("integrity,code").expect(0);
}

/// Two documents are equal where all cases did the same, and say which did not.
#[test]
fn digests_tell_cases_that_did_something_else() {
    let folder = folder();
    file(folder.path(), "same.sql", "SELECT 1, 'a' UNION ALL SELECT 2, NULL");
    file(
        folder.path(),
        "other.sql",
        "CREATE TABLE t(a); INSERT INTO t VALUES(planted()); SELECT count(*) FROM t",
    );
    let digests = |words: &str| {
        let words = format!("run --json --digests --target sql {words}");
        fuzzcheck_on(&words, &[folder.path()]).expect(0).json()["digests"].as_object().unwrap().clone()
    };
    let (first, second) = (digests(""), digests("--jobs 1"));
    assert_eq!((first.len(), &first), (2, &second));
    let planted = digests("--plant nondeterminism");
    let changed: Vec<&String> = first.keys().filter(|name| first[*name] != planted[*name]).collect();
    assert!(changed.len() == 1 && changed[0].contains("other.sql"), "{first:?} {planted:?}");
}

#[test]
fn the_slowest_are_listed() {
    let ran = run_some("run --slowest 3");
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("slow: ")).count(), 3, "{}", ran.out);
    let document = run_some("run --slowest 3 --json").json();
    assert_eq!(document["slowest"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_limit_of_steps_limits_the_steps() {
    let steps = |words: &str| -> u64 {
        let document = run_some(words).json();
        let slowest = document["slowest"].as_array().expect("asked for").clone();
        slowest.iter().map(|slow| slow["vm_steps"].as_u64().expect("a number")).sum()
    };
    let (limited, free) =
        (steps("run --json --slowest 100 --limit-vm-steps 1"), steps("run --json --slowest 100"));
    assert!(limited * 4 < free, "{limited} steps with the limit, {free} without");
}

/// A script whose crash comes after this many rows.
fn late_crash(folder: &Path, rows: u32) -> std::path::PathBuf {
    let loop_of = format!("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT {rows})");
    file(folder, "late.sql", format!("SELECT count(*) FROM ({loop_of} SELECT x FROM r); SELECT planted();"))
}

#[test]
fn what_a_limit_cuts_short_has_not_passed() {
    let folder = folder();
    let case = late_crash(folder.path(), 20_000);
    let run = |words: &str| {
        let mut command = command();
        command.args("run --target sql --plant segfault".split(' ')).args(words.split_terminator(' '));
        finish(command.arg(&case).arg("--save-dir").arg(folder.path()))
    };
    let cut = run("").expect(0);
    let line = cut.out.lines().find(|line| line.starts_with("cut short ")).expect("it is said");
    assert!(line.contains(" 1 cases") && line.contains("1 by VM steps (--limit-vm-steps)"), "{line}");
    assert!(cut.out.contains(&format!("\n             {}\n", case.display())), "{}", cut.out);
    let document = run("--json").expect(0).json();
    let counted = serde_json::json!({ "limit": "VM steps", "lifted_by": "--limit-vm-steps", "cases": 1 });
    assert_eq!(document["cut_short"], serde_json::json!([counted]));
    assert_eq!(document["cut_short_cases"], serde_json::json!([case]));

    let whole = run("--limit-vm-steps 9000000").expect(1);
    assert!(whole.out.starts_with("crash/SIGSEGV/") && !whole.out.contains("cut short"), "{}", whole.out);
}

#[test]
fn each_limit_is_lifted_by_its_option() {
    let folder = folder();
    const MANY_ROWS: &str =
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 400) SELECT x FROM r";
    const LONG: &str = "--limit-length-bytes=1000000000 --limit-alloc-bytes=9000000000";
    let large = "SELECT length(hex(zeroblob(20000000)))";
    let columns = vec!["abs(random())".repeat(15).replace(")a", ")+a"); 1900].join(",");
    let long_program = format!("SELECT {columns} WHERE 0");
    let (unlimited, little, much) = (
        format!("{LONG} --limit-heap-bytes=0"),
        format!("{LONG} --limit-heap-bytes=0 --worker-memory-mib=300"),
        format!("{LONG} --limit-heap-bytes=0 --worker-memory-mib=2000"),
    );
    let trials = [
        ("rows", "--limit-rows=3", "--limit-rows=0", MANY_ROWS),
        ("VM steps", "--limit-vm-steps=900", "--limit-vm-steps=90000", MANY_ROWS),
        ("allocated bytes", "--limit-alloc-bytes=90", "--limit-alloc-bytes=90000000", MANY_ROWS),
        ("disk bytes", "--limit-disk-bytes=9000", "--limit-disk-bytes=90000", "CREATE TABLE t(a, b)"),
        ("bytes of a value", "", &unlimited, large),
        ("heap bytes", LONG, &unlimited, large),
        ("sqlite3_limit()", "", "--sqlite-limits", &format!("SELECT 'x' LIKE '{}'", "%x".repeat(99))),
        ("sqlite3_limit()", "", "--sqlite-limits", &format!("SELECT 1{}", "+1".repeat(600))),
        ("sqlite3_limit()", "", "--sqlite-limits", &long_program),
        // SQLite gets none, or the harness for what SQLite gives it.
        ("memory of the worker", &little, &much, "SELECT zeroblob(250000000)"),
        ("memory of the worker", &little, &much, "SELECT zeroblob(120000000)"),
    ];
    for (limit, limited, lifted, sql) in trials {
        let case = file(folder.path(), "limited.sql", format!("{sql}; SELECT 1"));
        let cut_short = |words: &str| {
            let document =
                fuzzcheck_on(&format!("run --json --target sql {words}"), &[&case]).expect(0).json();
            document["cut_short"].to_string()
        };
        let (with, without) = (cut_short(limited.trim()), cut_short(lifted));
        assert!(with.contains(&format!("\"{limit}\"")) && without == "[]", "{limit}: {with}, {without}");
    }
}

#[test]
fn some_cases_can_be_chosen() {
    let all = list(&[&some()]);
    let id = all[7]["id"].as_str().expect("an id");
    for part in [id.to_owned(), id[..20].to_owned(), id[..20].to_uppercase()] {
        assert_eq!(
            fuzzcheck_on(&format!("run --case {part}"), &[&some()]).expect(0).summary(),
            (0, 1),
            "{part}"
        );
    }
    let skip = (all.len() - 2).to_string();
    assert_eq!(fuzzcheck_on(&format!("run --skip {skip}"), &[&some()]).expect(0).summary(), (0, 2));
}

#[test]
fn a_requested_failure_is_reported_as_a_finding() {
    let folder = folder();
    let case = file(folder.path(), "one.sql", "SELECT 1;");
    let saved = folder.path().join("saved");
    let mut command = command();
    command.env("TEST_FAILURE", "5").arg("run").arg(&case).arg("--save-dir").arg(&saved);
    let ran = finish(&mut command).expect(1);
    assert_eq!(ran.summary(), (1, 1));
    assert_eq!(ran.after("case:"), "TEST_FAILURE");
    assert!(Path::new(ran.after("saved:")).starts_with(&saved));
    assert!(ran.out.starts_with("test/failure/requested\n"), "{}", ran.out);
    let document = finish(command.arg("--json")).expect(1).json();
    assert_eq!((&document["errors"], &document["cases"]), (&1.into(), &1.into()));
    assert_eq!(document["findings"][0]["case"], "TEST_FAILURE");
}

/// Runs the command that a finding prints, with this build in the place of `cargo fuzzcheck`, and asserts
/// that it finds the same.
#[track_caller]
fn replay(found: &Ran) -> Ran {
    let line = found.after("replay:");
    let rest = line.strip_prefix("cargo fuzzcheck ").expect("a call of the program");
    let save = folder();
    let script = format!("exec \"$0\" {rest} --save-dir \"$1\"");
    let program = env!("CARGO_BIN_EXE_fuzzcheck");
    let again = finish(Command::new("sh").arg("-c").arg(script).arg(program).arg(save.path())).expect(1);
    assert_eq!(again.out.lines().next(), found.out.lines().next(), "{line}");
    again
}

#[test]
fn the_replay_command_of_a_finding_finds_it_again() {
    // A name that a shell takes apart unless it is quoted.
    let folder = folder();
    let odd = folder.path().join("it's a $HOME");
    let trials = [
        ("--plant abort", "crash/SIGABRT/sqlite3VdbeExec:Function"),
        ("--plant segfault --limit-vm-steps 900", "crash/SIGSEGV/sqlite3VdbeExec:Function"),
        ("--plant nondeterminism --oracles determinism", "determinism/trace/second-run"),
        ("--plant hang --timeout-ms 300", "hang/timeout/sqlite3VdbeExec:Function"),
        ("--plant out-of-memory --worker-memory-mib 300", "crash/out-of-memory/sqlite3VdbeExec:Function"),
    ];
    let case = file(folder.path(), "planted.sql", "SELECT 1; SELECT planted();");
    for (words, signature) in trials {
        let mut command = command();
        command.arg("run").args(words.split(' ')).arg(&case).arg("--save-dir").arg(&odd);
        let found = finish(&mut command).expect(1);
        assert_eq!(found.summary(), (1, 1));
        assert_eq!(found.out.lines().next(), Some(signature), "{}", found.out);
        assert_eq!(found.after("case:"), case.to_str().expect("UTF-8"));
        let saved = Path::new(found.after("saved:"));
        assert!(saved.starts_with(&odd) && saved.is_file(), "{}", saved.display());
        replay(&found);
    }
}

/// Whichever limit the stack meets first: that of its size, or that of the memory of the worker.
#[test]
fn an_endless_recursion_has_one_name_under_all_limits() {
    let folder = folder();
    let case = file(folder.path(), "planted.sql", "SELECT planted();");
    let signature = |stack_kib: &str, words: &str| {
        let script = format!(
            "ulimit -s {stack_kib}; exec \"$0\" run --plant recursion {words} --save-dir \"$1\" \"$2\""
        );
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_fuzzcheck")).arg(folder.path()).arg(&case);
        finish(&mut command).expect(1).out.lines().next().expect("a signature").to_owned()
    };
    let usual = signature("8192", "");
    assert!(usual.starts_with("crash/stack-overflow/sqlite3"), "{usual}");
    for (stack_kib, words) in [
        ("8192", "--worker-memory-mib 0"),
        ("8192", "--limit-heap-bytes 0 --limit-vm-steps 9000000"),
        ("4096", ""),
        ("65536", ""),
        // The memory of the worker ends before its stack does.
        ("1000000", "--worker-memory-mib 300"),
        ("unlimited", "--worker-memory-mib 200"),
    ] {
        assert_eq!(signature(stack_kib, words), usual, "{stack_kib} KiB of stack, {words}");
    }
}

#[test]
fn a_panic_of_the_harness_is_no_finding() {
    let folder = folder();
    let case = file(folder.path(), "panic.sql", "SELECT planted('panic');");
    let ran = fuzzcheck_on("run --plant by-name", &[&case]).expect(2);
    assert_eq!(ran.summary(), (0, 1));
    assert!(ran.err.contains("panic.sql: a worker failed, which is a bug in Tandem"), "{ran:?}");
}

#[test]
fn selftest_catches_every_plant() {
    let ran = fuzzcheck(["doctor", "selftest"]).expect(0);
    for (name, _) in PLANTS {
        // Without AddressSanitizer an overread goes unseen; `.ci/run` plants it in the fuzz targets.
        let is_unseen = ["heap-overread", "page-overread", "freed-page"].contains(&name);
        let word = if is_unseen { "unseen" } else { "caught" };
        assert!(ran.out.contains(&format!("{word} {name}: ")), "{name}: {}", ran.out);
    }
}

/// Two databases, two scripts and one case in dbsqlfuzz form, as SQLite's `fuzzdataN.db` holds them.
fn fuzzdata(folder: &Path, heap_bytes: u64) -> std::path::PathBuf {
    let one = common::blob(&common::image("CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'), (2, 'y');"));
    let two = common::blob(&common::image("CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES(9);"));
    let own = common::case_with_image("CREATE TABLE u(c); INSERT INTO u VALUES(7);", "SELECT c FROM u;");
    let own = common::blob(&tandem::testcase::dbsqlfuzz::write(&own).text);
    let tables = format!(
        "CREATE TABLE db(dbid INTEGER PRIMARY KEY, dbcontent BLOB);
         CREATE TABLE xsql(sqlid INTEGER PRIMARY KEY, sqltext TEXT);
         CREATE TABLE readme(msg TEXT); CREATE TABLE config(name TEXT, value INTEGER);
         INSERT INTO readme VALUES('Made by a test of Tandem');
         INSERT INTO config VALUES('limit-mem', {heap_bytes});
         INSERT INTO db VALUES(3, {one}), (5, {two});
         INSERT INTO xsql VALUES(1, 'SELECT count(*), sum(a) FROM t;'),
           (2, 'DELETE FROM t WHERE a>1; SELECT a FROM t; SELECT planted();'), (8, CAST({own} AS TEXT));"
    );
    file(folder, "fuzzdata.db", common::image(&tables))
}

#[test]
fn a_fuzzdata_database_runs_every_script_on_every_database() {
    let folder = folder();
    let data = fuzzdata(folder.path(), 40_000_000);
    assert_eq!(fuzzcheck_on("run", &[&data]).expect(0).summary(), (0, 5));
    // As one file of a folder, too.
    assert_eq!(fuzzcheck_on("run", &[folder.path()]).expect(0).summary(), (0, 5));
    assert_eq!(fuzzcheck_on("run --case dbid=5", &[&data]).expect(0).summary(), (0, 2));
    let name = |row: &serde_json::Value| {
        let source = row["source"].as_str().expect("a name");
        source.rsplit_once(':').expect("file and row").1.to_owned()
    };
    for path in [data.as_path(), folder.path()] {
        let mut names: Vec<String> = list(&[path]).iter().map(name).collect();
        names.sort();
        let expected = ["sqlid=1,dbid=3", "sqlid=1,dbid=5", "sqlid=2,dbid=3", "sqlid=2,dbid=5", "sqlid=8"];
        assert_eq!(names, expected);
    }

    // The limit that the file brings along stands in the command that runs a case of it again.
    let save = folder.path().join("saved");
    let found = fuzzcheck_on("run --plant internal-error --case sqlid=2,dbid=5 --save-dir", &[&save, &data]);
    let found = found.expect(1);
    assert!(found.after("replay:").contains("--limit-heap-bytes=40000000"), "{}", found.out);
    replay(&found);
}

/// What `run` says of the script of a known bug.
fn known(bug: &KnownBug, words: &str) -> Ran {
    let folder = folder();
    let case = TestCase { files: (bug.files)(), sql: Script::new(bug.script), ..TestCase::default() };
    let case = file(folder.path(), "known", case.encode());
    fuzzcheck_on(&format!("run --json {words} --save-dir"), &[&folder.path().join("saved"), &case])
}

#[test]
fn known_bugs_are_avoided_and_counted() {
    for bug in KNOWN {
        let ran = known(bug, "").expect(0);
        let count = ran.json()["avoided_statements"][bug.name].as_u64();
        assert!(count.is_some_and(|count| count > 0), "{}: {}", bug.name, ran.out);
    }
    let folder = folder();
    let case = file(folder.path(), "known.sql", KNOWN[0].script);
    let text = fuzzcheck_on("run", &[&case]).expect(0).out;
    assert!(text.contains(&format!("the known bug {}", KNOWN[0].name)), "{text}");
}

/// Where this fails because a bug is gone, its entry in `src/known.rs` has to go, too.
#[test]
fn known_bugs_still_fire() {
    for bug in KNOWN {
        let ran = known(bug, "--meet-known-bugs");
        let document = ran.json();
        assert!(document["avoided_statements"][bug.name].is_null(), "{}: {}", bug.name, ran.out);
        if bug.needs_asan {
            // One byte behind the end of an allocation: an ordinary build reads it and sees nothing. That
            // it fires is seen where SQLite is built with AddressSanitizer.
            ran.expect(0);
            continue;
        }
        let bugs = document["findings"][0]["bugs"].as_array().cloned().unwrap_or_default();
        let signature = |bug: &serde_json::Value| bug["signature"].as_str().unwrap_or_default().to_owned();
        let fires = bugs.iter().any(|found| signature(found).starts_with(bug.signature));
        assert!(fires, "{}: {}", bug.name, ran.out);
        ran.expect(1);
    }
}

#[test]
fn a_case_of_a_known_bug_may_show_it_and_nothing_else() {
    let folder = folder();
    let script =
        file(folder.path(), "a.sql", "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t;");
    let corpus = folder.path().join("known.db");
    let import = |words: &str| {
        let mut command = command();
        command.args(["corpus", "import", "--into"]).arg(&corpus).args(words.split(' ')).arg(&script);
        finish(&mut command)
    };
    import("--kind known").expect_error(&["--kind known needs --signature"]);
    import("--kind known --signature crash/SIGABRT/sqlite3VdbeExec:Function").expect(0);
    let saved = folder.path().join("saved");
    let run = |plant: &str| {
        let mut command = command();
        finish(command.arg("run").arg(&corpus).args(plant.split_whitespace()).arg("--save-dir").arg(&saved))
    };
    let shown = run("--plant abort").expect(0);
    assert_eq!(shown.summary(), (0, 1));
    assert!(shown.out.contains("shows its known bug"), "{shown:?}");
    let silent = run("").expect(0);
    assert!(silent.out.contains("does not show its known bug"), "{silent:?}");
    let other = run("--plant segfault").expect(1);
    assert!(other.out.starts_with("crash/SIGSEGV/sqlite3VdbeExec:Function"), "{other:?}");
}
