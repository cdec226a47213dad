//! `fuzzcheck corpus add`: findings become named cases, and `corpus check` says what became of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common;
use crate::common::stage::Stage;
use crate::common::{
    Ran, command, corpus_copy, file, finish, folder, fuzzcheck, fuzzcheck_on, kill_behind, killed_at_kib,
    list, names_in, read,
};
use tandem::TestCase;
use tandem::corpus::{Corpus, Entry, Kind};

/// A call of `corpus add`, with a reason for the bug.
fn add_command(into: &Path, words: &str, case: &Path) -> Command {
    let mut command = command();
    command.args(["corpus", "add", "--into"]).arg(into).args(["--reason", "a test"]);
    command.args(words.split_whitespace()).arg(case);
    command
}

fn add(into: &Path, words: &str, case: &Path) -> Ran {
    finish(&mut add_command(into, words, case))
}

fn planted(folder: &Path) -> PathBuf {
    file(folder, "planted.sql", "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t;")
}

#[test]
fn a_finding_becomes_a_named_case_in_one_step() {
    let folder = folder();
    let (into, case) = (folder.path().join("added.db"), planted(folder.path()));
    let words = "--name abort-in-select --versions 3.1.0.. --link https://example.org/1 --plant abort";
    let added = add(&into, &format!("{words} --json"), &case).expect(0).json();
    assert_eq!(
        (&added["change"], &added["signature"]),
        (&"new".into(), &"crash/SIGABRT/sqlite3VdbeExec:Function".into())
    );
    let row = &list(&[&into])[0];
    let expected = [
        ("kind", "known"),
        ("name", "abort-in-select"),
        ("link", "https://example.org/1"),
        ("versions", "3.1.0.."),
        ("reason", "a test"),
        ("build", "release"),
        ("signature", "crash/SIGABRT/sqlite3VdbeExec:Function"),
    ];
    expected.iter().for_each(|(key, value)| assert_eq!(row[key], *value, "{row}"));

    // Once more is nothing.
    let before = read(&into);
    assert!(add(&into, words, &case).expect(0).out.contains("nothing to do"));
    assert!(read(&into) == before);
    // What is said of it may change, by file or by id.
    let by_id = Path::new(added["id"].as_str().expect("an id"));
    let moved = words.replace("/1", "/2");
    assert!(add(&into, &moved, by_id).expect(0).out.contains(": changed: abort-in-select"));
    assert_eq!((list(&[&into]).len(), &list(&[&into])[0]["link"]), (1, &"https://example.org/2".into()));

    // A run expects it, and says by its name that it is gone.
    let saved = folder.path().join("saved");
    fuzzcheck_on("run --plant abort --save-dir", &[&saved, &into]).expect(0);
    let silent = fuzzcheck_on("run", &[&into]).expect(0).out;
    assert!(silent.contains("(abort-in-select: https://example.org/2)"), "{silent}");
    let json = fuzzcheck_on("run --json", &[&into]).expect(0).json();
    assert_eq!((&json["silent"][0]["name"], &json["elsewhere"]), (&"abort-in-select".into(), &0.into()));

    // Fixed: the same case under the same name is a regression from then on.
    let fixed = "--name abort-in-select --kind regression";
    add(&into, &format!("{fixed} --plant abort"), &case).expect_error(&["still shows", "--kind known"]);
    add(&into, fixed, &case).expect(0);
    assert_eq!(list(&[&into])[0]["kind"], "regression");
    fuzzcheck_on("run --plant abort --save-dir", &[&saved, &into]).expect(1);
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_written() {
    let folder = folder();
    let (into, case) = (folder.path().join("added.db"), planted(folder.path()));
    let refused = |words: &str, says: &[&str]| {
        add(&into, words, &case).expect_error(says);
        assert!(!into.exists(), "{words}");
    };
    refused("--plant abort", &["--name"]);
    refused("--name A --plant abort", &["--name A", "lower-case"]);
    refused("--name a --plant nope", &["no planted bug"]);
    refused("--name a --versions 3.45 --plant abort", &["3.45", "not a range of versions"]);
    refused("--name a --versions 3.45.0..3.44.0 --plant abort", &["ends where it begins"]);
    refused("--name a --link sqlite.org --plant abort", &["--link sqlite.org", "URL"]);
    refused("--name a --target nope --plant abort", &["no target is named `nope`"]);
    refused("--name a", &["shows nothing in the release build", "--build"]);
    refused(
        "--name a --signature code/X/Y --plant abort",
        &["crash/SIGABRT/sqlite3VdbeExec:Function", "not code/X/Y"],
    );
    refused("--name a --kind regression", &["needs --signature"]);
    refused(
        "--name a --kind regression --signature crash/SIGABRT/sqlite3VdbeExec:Function --plant abort",
        &["still shows"],
    );
    let mut bare = command();
    bare.args(["corpus", "add", "--name", "a", "--plant", "abort", "--into"]).arg(&into).arg(&case);
    finish(&mut bare).expect_error(&["--link", "--reason"]);
    finish(bare.arg("--reason=")).expect_error(&["--reason is empty"]);
    let reason = ["corpus", "add", "--name", "a", "--reason", "r"];
    fuzzcheck(reason.iter().chain(&["/nonexistent"])).expect_error(&["`/nonexistent` is not a file"]);
    fuzzcheck(reason.iter().chain(&["x", "y"])).expect_error(&["unexpected argument 'y'"]);
    add(folder.path(), "--name a --plant abort", &case).expect_error(&["not a regular file"]);
    add(&folder.path().join("none/x.db"), "--name a --plant abort", &case).expect_error(&["none/x.db"]);
}

#[test]
fn a_name_is_that_of_one_case_and_a_case_has_one_name() {
    let folder = folder();
    let (into, case) = (folder.path().join("added.db"), planted(folder.path()));
    let other = file(folder.path(), "other.sql", "SELECT planted();");
    add(&into, "--name first --plant abort", &case).expect(0);
    let before = read(&into);
    let id = list(&[&into])[0]["id"].as_str().expect("an id").to_owned();
    add(&into, "--name first --plant abort", &other).expect_error(&["added.db", "`first`", &id]);
    add(&into, "--name second --plant abort", &case).expect_error(&["in the corpus already, as `first`"]);
    assert!(read(&into) == before);
    // For another target it is another case.
    add(&into, "--name first --target db_sql --plant abort", &other).expect(0);
    assert_eq!(list(&[&into]).len(), 2);
}

#[test]
fn a_case_that_shows_its_bug_now_and_then_is_not_kept() {
    let stage = Stage::new("");
    // Workers under this `valgrind` have a planted bug in every second start.
    stage.program(
        "valgrind",
        "while case \"$1\" in -*) true;; *) false;; esac; do shift; done; [ $# = 0 ] && exit 0\n\
         if [ -e \"$STAGE/odd\" ]; then rm \"$STAGE/odd\"; exec \"$@\"; fi\n\
         : >\"$STAGE/odd\"; exec \"$@\" --plant internal-error",
    );
    let case = file(&stage.path("bin"), "case.sql", "SELECT planted();");
    let into = stage.path("added.db");
    let path = format!("{}:{}", stage.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = add_command(&into, "--name a --build valgrind", &case);
    let ran = finish(command.env("PATH", path).env("STAGE", stage.path("")));
    ran.expect_error(&["two runs differ", "code/SQLITE_INTERNAL/SELECT, then nothing"]);
    assert!(!into.exists());
}

#[test]
fn several_at_once_lose_nothing() {
    let folder = folder();
    let (added, imported) = (folder.path().join("added.db"), folder.path().join("imported.db"));
    let mut children = Vec::new();
    for i in 0..8 {
        let case = file(folder.path(), &format!("{i}.sql"), format!("SELECT planted(), {i};"));
        let mut import = command();
        import.args(["corpus", "import", "--into"]).arg(&imported).arg(&case);
        let add = add_command(&added, &format!("--name case-{i} --plant abort"), &case);
        for mut command in [add, import] {
            let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
            children.push(command.spawn().expect("the program starts"));
        }
    }
    for child in children {
        Ran::from(child.wait_with_output().expect("it ends")).expect(0);
    }
    assert_eq!((list(&[&added]).len(), list(&[&imported]).len()), (8, 8));
    assert!(!names_in(folder.path()).iter().any(|name| name.starts_with('.')), "nothing is left behind");
}

#[test]
fn sigkill_loses_nothing() {
    let folder = folder();
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("it can be made");
    let corpus = corpus_copy(&place, "sql");
    let (before, cases) = (read(&corpus), list(&[&corpus]).len());
    let case = planted(folder.path());
    for kib in [16, 500] {
        killed_at_kib(kib, &add_command(&corpus, "--name killed --plant abort", &case));
        assert!(read(&corpus) == before, "{kib}");
    }
    // And at moments that nobody chose, behind the writing, too.
    for round in 0..6 {
        let mut command = add_command(&corpus, "--name killed --plant abort", &case);
        let child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        // As soon as something is written, and a little later each time.
        kill_behind(child, Duration::from_millis(round * 5), "it writes", || names_in(&place).len() >= 2);
        let now = list(&[&corpus]).len();
        assert!(now == cases + 1 || (now == cases && read(&corpus) == before), "{now} cases");
        fs::write(&corpus, &before).expect("it can be written");
        // What a killed one leaves behind goes with the next.
        fs::File::open(&place).expect("it is there").lock().expect("a killed process holds no lock");
    }
    add(&corpus, "--name killed --plant abort", &case).expect(0);
    assert_eq!((list(&[&corpus]).len(), names_in(&place)), (cases + 1, vec!["sql.db".to_owned()]));
}

/// Runs `corpus check`.
fn check(words: &str, paths: &[&Path]) -> Ran {
    fuzzcheck_on(&format!("corpus check {words}"), paths)
}

#[test]
fn the_shipped_known_bugs_are_in_order() {
    // The builds that others need are built by `.ci/run`.
    let checked = check("--build release --json", &[]).expect(0).json();
    let known =
        list(&[&common::project().join("corpus")]).iter().filter(|row| row["kind"] == "known").count();
    assert_eq!(checked["cases"], known);
    let number = |key: &str| checked[key].as_u64().expect("a number") as usize;
    assert_eq!(number("shown") + number("out_of_range") + number("other_builds"), known, "{checked}");
    let here = tandem::known::KNOWN.iter().filter(|bug| !bug.needs_asan).count();
    assert!(here > 0 && number("steered_around") == here, "{checked}");
}

#[test]
fn a_known_bug_that_is_gone_is_told() {
    let folder = folder();
    let (into, case) = (folder.path().join("added.db"), planted(folder.path()));
    add(&into, "--name gone-in-time --plant abort", &case).expect(0);
    check("--plant abort", &[&into]).expect(0);
    let gone = check("", &[&into]).expect(1);
    assert!(
        gone.out.starts_with("gone-in-time: it no longer shows crash/SIGABRT/sqlite3VdbeExec:Function "),
        "{gone:?}"
    );
    let other = check("--plant internal-error", &[&into]).expect(1);
    assert!(other.out.contains("it shows code/SQLITE_INTERNAL/SELECT, not crash/SIGABRT"), "{other:?}");
    // In a version that does not have the bug, nothing is expected, there and in a run.
    add(&into, "--name gone-in-time --versions ..3.20.0 --plant abort", &case).expect(0);
    assert_eq!(check("--json", &[&into]).expect(0).json()["out_of_range"], 1);
    let run = fuzzcheck_on("run", &[&into]).expect(0).out;
    assert!(!run.contains("silent") && run.contains("elsewhere    1 cases"), "{run}");
    let other_build = file(folder.path(), "build.sql", "SELECT 1;");
    add(&into, "--name of-asan --signature crash/asan-heap-overflow/f", &other_build).expect(0);
    assert_eq!(check("--build release --json", &[&into]).expect(0).json()["other_builds"], 1);
}

#[test]
fn a_known_bug_of_which_too_little_is_said_is_told() {
    let folder = folder();
    let (into, case) = (folder.path().join("added.db"), planted(folder.path()));
    fuzzcheck_on(
        "corpus import --kind known --signature crash/SIGABRT/sqlite3VdbeExec:Function --into",
        &[&into, &case],
    )
    .expect(0);
    let bare = check("--plant abort", &[&into]).expect(1);
    for what in ["it has no name", "no link to where it was reported, and no reason"] {
        assert!(bare.out.contains(what), "{what}: {bare:?}");
    }
    let mut corpus = Corpus::default();
    let mut entry = Entry::new("sql", Kind::Known, "a test", &TestCase::from_sql("SELECT 1"));
    entry.details.name = Some("No Name".to_owned());
    entry.details.link = Some("somewhere".to_owned());
    entry.details.build = Some("fast".to_owned());
    corpus.put(entry);
    corpus.save(&into).expect("it can be written");
    let wrong = check("", &[&into]).expect(1);
    for what in ["no signature", "`No Name`", "not a URL: somewhere", "no build is named `fast`"] {
        assert!(wrong.out.contains(what), "{what}: {wrong:?}");
    }
    let none = folder.path().join("none.db");
    fuzzcheck_on("corpus import --into", &[&none, &case]).expect(0);
    check("", &[&none]).expect_error(&["none.db", "nothing to check"]);
    check("--name x", &[&into]).expect_error(&["--name"]);
    check("", &[&folder.path().join("missing.db")]).expect_error(&["missing.db"]);
}
