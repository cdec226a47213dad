//! `fuzzcheck corpus merge` with a stand-in for the fuzz target that measures as libFuzzer does. `.ci/run` runs a real
//! one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common;
use crate::common::stage::{MEASURES, Stage};
use crate::common::{Ran, file, finish, kill_behind, killed_at_kib, list, names_in, read, wait_until};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tandem::TestCase;
use tandem::corpus::{Corpus, Entry, Kind};

fn stage() -> Stage {
    let stage = Stage::new("");
    stage.target(MEASURES);
    for folder in [&stage.project().join("corpus"), &found(&stage)] {
        fs::create_dir_all(folder).unwrap();
    }
    stage
}

/// libFuzzer's corpus.
fn found(stage: &Stage) -> PathBuf {
    stage.project().join("fuzz/corpus/sql")
}

fn database(stage: &Stage) -> PathBuf {
    stage.project().join("corpus/sql.db")
}

fn command(stage: &Stage, words: &str) -> Command {
    let mut command = stage.command_on_project("corpus merge sql", words);
    command.env_remove("CARGO_TARGET_DIR");
    command
}

fn merge(stage: &Stage, words: &str) -> Ran {
    finish(&mut command(stage, words))
}

#[test]
fn a_panic_of_the_harness_is_an_error_and_its_case_is_kept() {
    let stage = stage();
    some(&stage);
    let asan = "==1==ERROR: AddressSanitizer: heap-use-after-free on 0x6";
    stage.target(&MEASURES.replace(asan, "panicked at /x/src/sql/token.rs:7:9:"));
    file(&found(&stage), "bad", script(&[48], "CRASH"));
    let ran = merge(&stage, "--json").expect(2);
    assert!(
        ran.err.contains("which is a bug in Tandem") && ran.err.contains("panicked at token.rs:7"),
        "{ran:?}"
    );
    let done = told(ran);
    assert_eq!(
        (done["crashed"].as_array().map(Vec::len), done["harness_errors"].as_array().map(Vec::len)),
        (Some(0), Some(1))
    );
    assert_eq!(names_in(&stage.project().join("fuzz/artifacts/sql")).len(), 1);
}

/// What is told of the target.
#[track_caller]
fn told(ran: Ran) -> serde_json::Value {
    ran.json()["targets"][0].clone()
}

/// A script with these features.
fn script(features: &[u32], about: &str) -> String {
    let words: String = features.iter().map(|feature| format!("f{feature}f ")).collect();
    format!("SELECT '{words}{about}';")
}

fn entry(kind: Kind, script: &str) -> Entry {
    Entry::new("sql", kind, "a test", &TestCase::from_sql(script))
}

fn save(stage: &Stage, entries: Vec<Entry>) {
    let mut corpus = Corpus::default();
    entries.into_iter().for_each(|entry| corpus.put(entry));
    corpus.save(&database(stage)).unwrap();
}

/// What of a corpus database is there, by kind and script.
fn scripts(path: &Path) -> Vec<(Kind, String)> {
    let corpus = Corpus::load(path).unwrap();
    let script = |entry: &Entry| TestCase::decode(&entry.body).sql.as_bytes().to_vec();
    let text = |entry: &Entry| String::from_utf8(script(entry)).unwrap();
    let mut all: Vec<_> = corpus.iter().map(|(_, entry)| (entry.kind, text(entry))).collect();
    all.sort();
    all
}

/// A seed, a regression and a known bug, none of which adds anything, and two cases that fuzzing found.
fn some(stage: &Stage) {
    let mut known = entry(Kind::Known, &script(&[8], "CRASH"));
    known.signature = Some("crash/asan-heap-use-after-free/planted".to_owned());
    save(
        stage,
        vec![
            entry(Kind::Seed, &script(&[8, 9], "seed")),
            entry(Kind::Regression, &script(&[8], "regression")),
            known,
            entry(Kind::Interesting, &script(&[8, 16, 24], "large, and one smaller will do the same")),
            entry(Kind::Interesting, &script(&[32], "stays")),
        ],
    );
    file(&found(stage), "a", script(&[16, 24], "small"));
    file(&found(stage), "b", script(&[9, 16], "nothing new in it"));
    file(&found(stage), "c", script(&[33, 900], "new"));
    // Encoded, as libFuzzer has what our mutators made.
    file(&found(stage), "d", TestCase::from_sql(script(&[16, 24], "small")).encode());
}

#[test]
fn what_adds_coverage_is_left_with_all_that_is_kept_for_a_reason() {
    let stage = stage();
    some(&stage);
    let before = (names_in(&found(&stage)), read(&database(&stage)));
    let dry = told(merge(&stage, "--dry-run --json").expect(0));
    assert!(read(&database(&stage)) == before.1);
    let done = told(merge(&stage, "--json").expect(0));
    assert_eq!((&dry["changed"], &dry["kinds"]), (&true.into(), &done["kinds"]));
    let expected = [
        (Kind::Seed, script(&[8, 9], "seed")),
        (Kind::Interesting, script(&[16, 24], "small")),
        (Kind::Interesting, script(&[32], "stays")),
        (Kind::Interesting, script(&[33, 900], "new")),
        (Kind::Regression, script(&[8], "regression")),
        (Kind::Known, script(&[8], "CRASH")),
    ];
    assert_eq!(scripts(&database(&stage)), expected);
    assert_eq!(names_in(&found(&stage)), before.0);
    assert_eq!((&dry["measured"], &done["measured"]), (&7.into(), &0.into()), "measured once");
    assert_eq!((&done["features"]["before"], &done["features"]["after"]), (&5.into(), &7.into()));
    // 900 is behind the counters: it is no edge. 8 and 9 are one, and so are 32 and 33.
    assert_eq!((&done["edges"]["before"], &done["edges"]["after"]), (&4.into(), &4.into()));
    assert_eq!(done["kinds"]["interesting"]["after"]["cases"], 3);

    let first = read(&database(&stage));
    assert!(merge(&stage, "").expect(0).out.contains("nothing to change"));
    assert!(read(&database(&stage)) == first, "a second time changes nothing");
    fs::remove_dir_all(stage.project().join("fuzz/merge")).unwrap();
    assert_eq!(told(merge(&stage, "--json").expect(0))["measured"], 6);
    assert!(read(&database(&stage)) == first, "nor does measuring all again");
    // Another program has other features.
    stage.target(&format!("{MEASURES}# another\n"));
    assert_eq!(told(merge(&stage, "--json").expect(0))["measured"], 6);
}

#[test]
fn cases_that_end_the_target_are_saved_and_told() {
    let stage = stage();
    some(&stage);
    let kept = entry(Kind::Interesting, &script(&[40], "CRASH too"));
    let mut corpus = Corpus::load(&database(&stage)).unwrap();
    corpus.put(kept.clone());
    corpus.save(&database(&stage)).unwrap();
    let bad = script(&[48], "CRASH");
    file(&found(&stage), "bad", &bad);
    let done = told(merge(&stage, "--json").expect(1));
    let crashed = done["crashed"].as_array().unwrap();
    assert_eq!(crashed.len(), 2, "{done}");
    for case in crashed {
        assert_eq!(case["signature"], "crash/asan-heap-use-after-free/planted");
        assert!(stage.project().join(case["saved"].as_str().unwrap()).is_file());
    }
    let saved = stage.project().join("fuzz/artifacts/sql");
    let bodies: Vec<Vec<u8>> = names_in(&saved).iter().map(|name| read(&saved.join(name))).collect();
    assert!(bodies.contains(&TestCase::from_sql(bad.as_str()).encode()) && bodies.contains(&kept.body));
    let logs = stage.project().join("fuzz/logs/sql");
    assert_eq!(names_in(&logs).len(), 2);
    // What was measured counts; what was not, is not known to add nothing.
    let after = scripts(&database(&stage));
    assert!(after.contains(&(Kind::Interesting, script(&[33, 900], "new"))), "{after:?}");
    assert!(
        after.contains(&(Kind::Interesting, script(&[40], "CRASH too")))
            && !after.iter().any(|(_, text)| *text == bad)
    );
    let before = read(&database(&stage));
    let again = merge(&stage, "").expect(1);
    assert!(again.out.contains("release/sql fuzz/artifacts/sql/crash-"), "{again:?}");
    assert!(read(&database(&stage)) == before);
}

/// Starts a merge that stands still in one of its cases.
fn standing(stage: &Stage) -> Child {
    some(stage);
    file(&found(stage), "waits", script(&[56], &format!("WAIT{}", " ".repeat(500))));
    file(&found(stage), "last", script(&[64], &" ".repeat(900)));
    let mut command = command(stage, "");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(child, "the target comes to its case", || stage.path("waits").exists())
}

/// The cases that the target has begun.
fn ran(stage: &Stage) -> usize {
    String::from_utf8(read(&stage.path("ran"))).unwrap().lines().count()
}

/// Goes on after an interruption; nothing is run twice but the case that was running.
#[track_caller]
fn go_on(stage: &Stage) {
    let begun = ran(stage);
    assert_eq!(begun, 8, "all but the last");
    file(&stage.path(""), "go", "");
    assert_eq!(told(merge(stage, "--json").expect(0))["measured"], 2);
    assert_eq!(ran(stage), begun + 2);
    all_are_there(stage);
}

#[track_caller]
fn all_are_there(stage: &Stage) {
    let after = scripts(&database(stage));
    let texts: Vec<&str> = after.iter().map(|(_, text)| text.as_str()).collect();
    for part in ["f16f f24f small", "f33f f900f new", "f56f WAIT", "f64f ", "regression"] {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:?}");
    }
}

#[test]
fn after_sigkill_it_goes_on_where_it_was() {
    let stage = stage();
    let mut child = standing(&stage);
    let before = read(&database(&stage));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(read(&database(&stage)) == before);
    let pid: i32 = String::from_utf8(read(&stage.path("pid"))).unwrap().trim().parse().unwrap();
    kill_process_group(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    go_on(&stage);
}

#[test]
fn a_target_that_outlives_it_is_in_nobodys_way() {
    let stage = stage();
    let mut child = standing(&stage);
    child.kill().unwrap();
    child.wait().unwrap();
    file(&stage.path(""), "go", "");
    // What it writes meanwhile may count or not.
    assert!(told(merge(&stage, "--json").expect(0))["measured"].as_u64().unwrap() <= 2);
    all_are_there(&stage);
    assert!(merge(&stage, "").expect(0).out.contains("nothing to change"));
}

#[test]
fn ctrl_c_ends_it_and_its_target() {
    let stage = stage();
    let child = standing(&stage);
    let before = read(&database(&stage));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = Ran::from(child.wait_with_output().unwrap());
    ended.expect_error(&["interrupted", "the corpus is unchanged"]);
    assert!(read(&database(&stage)) == before);
    let pid = String::from_utf8(read(&stage.path("pid"))).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "the target still runs");
    go_on(&stage);
}

#[test]
fn two_at_once_are_one_too_many() {
    let stage = stage();
    let mut child = standing(&stage);
    merge(&stage, "").expect_error(&["fuzz/merge/sql", "another `fuzzcheck corpus merge`"]);
    file(&stage.path(""), "go", "");
    assert!(child.wait().unwrap().success());
}

/// What another process keeps while it measures is still there afterwards.
#[test]
fn what_is_added_meanwhile_stays() {
    let stage = stage();
    let mut child = standing(&stage);
    let case = file(&stage.path(""), "late.sql", script(&[8], "late"));
    let into = database(&stage);
    common::fuzzcheck_on("corpus import --into", &[&into, &case]).expect(0);
    file(&stage.path(""), "go", "");
    assert!(child.wait().unwrap().success());
    let after = scripts(&into);
    assert!(after.contains(&(Kind::Interesting, script(&[8], "late"))), "{after:?}");
    assert!(after.contains(&(Kind::Interesting, script(&[33, 900], "new"))), "{after:?}");
}

#[test]
fn sigkill_while_it_writes_loses_nothing() {
    let stage = stage();
    let large = |i: u32| entry(Kind::Seed, &script(&[i], &format!("{i}").repeat(300_000)));
    save(&stage, (1..8).map(large).collect());
    file(&found(&stage), "new", script(&[80], "new"));
    merge(&stage, "--dry-run").expect(0);
    let (before, corpus) = (read(&database(&stage)), stage.project().join("corpus"));
    for kib in [16, 500, 2000] {
        killed_at_kib(kib, &command(&stage, ""));
        assert!(read(&database(&stage)) == before, "{kib}");
    }
    // And at moments that nobody chose, behind the writing, too.
    for round in 0..6 {
        let mut command = command(&stage, "");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        kill_behind(child, Duration::from_millis(round * 6), "it writes", || names_in(&corpus).len() >= 2);
        let now = list(&[&database(&stage)]).len();
        assert!(now == 8 || (now == 7 && read(&database(&stage)) == before), "{now} cases");
        fs::write(database(&stage), &before).unwrap();
        // The next one sees its own temporary file.
        for name in names_in(&corpus).iter().filter(|name| *name != "sql.db") {
            fs::remove_file(corpus.join(name)).unwrap();
        }
    }
    merge(&stage, "").expect(0);
    assert_eq!((list(&[&database(&stage)]).len(), names_in(&corpus)), (8, vec!["sql.db".to_owned()]));
}

#[test]
fn further_cases_come_from_folders_and_corpora_and_the_number_can_be_limited() {
    let stage = stage();
    some(&stage);
    let night = stage.path("night");
    fs::create_dir(&night).unwrap();
    file(&night, "x", script(&[100, 101, 102, 103], "of a night"));
    // What a session left behind that was killed.
    let part = stage.project().join("fuzz/runs/sql-0");
    fs::create_dir_all(&part).unwrap();
    file(&part, "y", script(&[110], "of a part"));
    let other = stage.path("other.db");
    let mut corpus = Corpus::default();
    let mut regression = entry(Kind::Regression, &script(&[8], "of another corpus"));
    regression.signature = Some("code/X/Y".to_owned());
    regression.details.name = Some("its-name".to_owned());
    corpus.put(regression.clone());
    let elsewhere =
        Entry { target: "db_sql".to_owned(), ..entry(Kind::Interesting, &script(&[120], "not of sql")) };
    corpus.put(elsewhere);
    corpus.save(&other).unwrap();
    let from = format!("--from {} --from {}", night.display(), other.display());
    let limited = told(merge(&stage, &format!("{from} --max-cases 1 --dry-run --json")).expect(0));
    assert_eq!(limited["kinds"]["interesting"]["after"]["cases"], 1);
    assert_eq!(limited["features"]["after"], 2 + 4, "the one that adds most, and the seed");
    merge(&stage, &from).expect(0);
    let after = Corpus::load(&database(&stage)).unwrap();
    assert_eq!(after.by_name("sql", "its-name").map(|(_, entry)| entry), Some(&regression));
    let texts: Vec<String> = scripts(&database(&stage)).into_iter().map(|(_, text)| text).collect();
    for part in ["of a night", "of a part"] {
        assert!(texts.iter().any(|text| text.contains(part)), "{texts:?}");
    }
    assert!(!texts.iter().any(|text| text.contains("not of sql")) && part.join("y").exists());
}

#[test]
fn what_cannot_be_merged_is_said() {
    let empty = stage();
    merge(&empty, "").expect_error(&["there are no cases of sql", "--from"]);
    merge(&empty, "--from /nonexistent").expect_error(&["/nonexistent"]);
    merge(&empty, "--build valgrind").expect_error(&["--build valgrind is not possible here"]);
    finish(&mut empty.command_on_project("corpus merge", "")).expect_error(&["<TARGET>"]);
    finish(&mut empty.command_on_project("corpus merge nope", ""))
        .expect_error(&["no target is named `nope`"]);
    file(&found(&empty), "a", script(&[8], "CRASH"));
    merge(&empty, "").expect_error(&["all 1 cases crash the target"]);
    assert_eq!(names_in(&empty.project().join("fuzz/artifacts/sql")).len(), 1);
    assert!(!database(&empty).exists());

    let blind = stage();
    some(&blind);
    let before = read(&database(&blind));
    file(&blind.path(""), "blind", "");
    merge(&blind, "").expect_error(&["in no case", "fuzzed blind"]);
    file(&blind.project().join("corpus"), "sql.db", &before[..before.len() / 2]);
    merge(&blind, "").expect_error(&["sql.db", "malformed"]);
    assert!(read(&database(&blind)) == before[..before.len() / 2]);
    fs::remove_file(blind.project().join("target/x86_64-unknown-linux-gnu/release/sql")).unwrap();
    blind.program("cargo", "exit 0");
    fs::write(database(&blind), &before).unwrap();
    merge(&blind, "").expect_error(&["Cargo built no"]);
}
