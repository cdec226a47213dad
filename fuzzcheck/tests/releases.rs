//! SQLites of one's own: one in a folder, and several among which is looked for those that show a bug.
//!
//! For real: the compiler and the linker are those of this machine. Two are compiled, not optimized, which takes some
//! seconds each; further releases are links to them.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::common::{Ran, command, file, finish, folder, read};
use serde_json::{Value, json};
use tempfile::TempDir;

const SIGNATURE: &str = "crash/SIGSEGV/lowerFunc";
const LOWER: &str = "static void lowerFunc(sqlite3_context *context, int argc, sqlite3_value **argv){";
/// Why the ends of [`Stage::releases`] are where they are.
const RANGE: &str = "since 1.10 (1.9 does not show it), until 1.11 (2.0 does not show it)";

/// A folder with SQLites; what was built of them goes when it is dropped.
struct Stage {
    folder: TempDir,
    case: PathBuf,
    built: RefCell<Vec<PathBuf>>,
}

impl Stage {
    /// Of the bundled SQLite, one is as it is; in the other `lower()` crashes, and it says that it was edited.
    fn new() -> Self {
        let folder = folder();
        let case = file(folder.path(), "case.sql", "SELECT lower('A'); CREATE TABLE t(a);");
        let record = Path::new(env!("CARGO_BIN_EXE_fuzzcheck")).with_extension("link").join("compile");
        let compiled_in = String::from_utf8(read(&record)).unwrap();
        let bundled = Path::new(compiled_in.lines().next().unwrap()).join("sqlite3");
        let code = String::from_utf8_lossy(&read(&bundled.join("sqlite3.c"))).into_owned();
        let id = tandem::engine::sqlite::source_id();
        assert!(code.contains(LOWER) && code.contains(&id));
        // Less is compiled.
        let code = format!("#pragma GCC optimize(\"O0\")\n{code}");
        let broken = code
            .replace(&id, &format!("{}alt2", &id[..id.len() - 4]))
            .replace(LOWER, &format!("{LOWER} if( argc==1 ) *(volatile int*)0 = 1;"));
        let stage = Self { folder, case, built: RefCell::default() };
        let refused = "#define SQLITE_SOURCE_ID \"2020 x\"\n#error it is no C\n".to_owned();
        for (name, code) in [("sound", code), ("broken", broken), ("refused", refused)] {
            fs::create_dir(stage.path(name)).unwrap();
            fs::copy(bundled.join("sqlite3.h"), stage.path(name).join("sqlite3.h")).unwrap();
            file(&stage.path(name), "sqlite3.c", code);
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder with these releases, each a link to one of the SQLites.
    fn releases(&self, name: &str, releases: &[(&str, &str)]) -> PathBuf {
        fs::create_dir(self.path(name)).unwrap();
        for (release, sqlite) in releases {
            symlink(self.path(sqlite), self.path(name).join(release)).unwrap();
        }
        self.path(name)
    }

    /// Runs the program on a case.
    fn on(&self, words: &str, case: &Path) -> Ran {
        let mut command = command();
        command.args(words.split_whitespace()).args(["--no-install", "--build=release"]);
        let ran = finish(command.arg(case));
        let places = ran.err.lines().filter(|line| line.contains("compiling SQLite "));
        let places = places.filter_map(|line| Some(line.rsplit_once(" in ")?.1.into()));
        self.built.borrow_mut().extend(places);
        ran
    }

    fn run(&self, words: &str) -> Ran {
        self.on(words, &self.case)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.built.borrow().iter().for_each(|place| _ = fs::remove_dir_all(place));
    }
}

#[test]
fn an_sqlite_of_ones_own_is_compiled_once_and_a_bug_is_found_among_several() {
    let stage = Stage::new();
    let folder = stage
        .releases("releases", &[("1.9", "sound"), ("1.10", "broken"), ("1.11", "broken"), ("2.0", "sound")]);
    let releases = format!("--releases {}", folder.display());
    bisected(&stage, &releases);
    differences(&stage, &folder);
    ends_that_cannot_be_tried(&stage);
    in_a_table(&stage, &releases);
    in_reports(&stage, &releases);
    in_one_folder(&stage);
    assert_eq!(stage.built.borrow().len(), 2 + 3, "two, and those that did not compile: {:?}", stage.built);
}

fn bisected(stage: &Stage, releases: &str) {
    let ran = stage.run(&format!("bisect {releases}")).expect(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    let [named, tried @ .., last] = &lines[..] else { panic!("{ran:?}") };
    assert_eq!((*named, *last), (SIGNATURE, format!("fuzzcheck: {RANGE}").as_str()));
    let tried: Vec<Vec<&str>> = tried.iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(tried, [["1.9", "nothing"], ["1.10", SIGNATURE], ["1.11", SIGNATURE], ["2.0", "nothing"]]);

    // One that shows it comes first where it is named.
    let ran = stage.run(&format!("bisect {releases} --sqlite-version 1.11 --json")).expect(0);
    assert!(ran.err.starts_with("fuzzcheck: SQLite 1.11: "), "{ran:?}");
    let found = ran.json();
    let ends = ["since", "until", "before", "after", "signature"].map(|name| &found[name]);
    assert_eq!(ends, ["1.10", "1.11", "1.9", "2.0", SIGNATURE]);
    assert_eq!(found["again_in"], json!([]));
    assert_eq!(found["releases"][1]["version"], "1.10");
    assert_eq!(found["releases"][1]["signatures"], json!([SIGNATURE]));
    let id = |at: usize| found["releases"][at]["source_id"].as_str().unwrap();
    assert!(id(2).ends_with("alt2") && id(3) == tandem::engine::sqlite::source_id(), "{found}");

    let sound = file(stage.folder.path(), "sound.sql", "SELECT upper('a');");
    let none = "none of the 4 releases shows";
    stage.on(&format!("bisect {releases}"), &sound).expect_error(&[none, "a finding in the release build"]);
    stage.run(&format!("bisect {releases} --signature a/b/c")).expect_error(&[none, "`a/b/c`"]);
    let with = |words: &str| stage.run(&format!("bisect {words}"));
    with(&format!("{releases} --sqlite-version 1.12")).expect_error(&["no 1.12 there", "1.9, 1.10, 1.11"]);
    with(&format!("{releases} --sqlite .")).expect_error(&["--sqlite .", "--releases"]);
    with("--releases /nowhere/x").expect_error(&["--releases /nowhere/x"]);
    let empty = stage.releases("empty", &[]);
    with(&format!("--releases {}", empty.display())).expect_error(&["empty: no releases"]);
    fs::create_dir(empty.join("3.1")).unwrap();
    with(&format!("--releases {}", empty.display())).expect_error(&["empty: 3.1 has no sqlite3.c"]);
}

/// Each release is compared with the bundled one.
fn differences(stage: &Stage, folder: &Path) {
    let signature = "differential/death/a-SIGSEGV-lowerFunc";
    let words = format!("bisect --differential bundled --releases {}", folder.display());
    let ran = stage.run(&words).expect(0);
    assert_eq!(ran.out.lines().next(), Some(signature));
    assert_eq!(ran.out.lines().last(), Some(format!("fuzzcheck: {RANGE}").as_str()));
    assert_eq!(stage.run(&format!("{words} --json")).expect(0).json()["differential"], "bundled");
    // The other way round each release differs from one that is broken, unless it is, too.
    let broken = folder.join("1.10");
    let words = format!("bisect --differential {} --releases", broken.display());
    let found = stage.run(&format!("{words} {} --json", folder.display())).expect(0).json();
    assert_eq!(
        (&found["signature"], &found["again_in"]),
        (&json!("differential/death/b-SIGSEGV-lowerFunc"), &json!(["1.9"]))
    );
    stage.run(&format!("{words} {} --signature differential/a/b", folder.display())).expect_error(&[
        "none of the 4 releases",
        "`differential/a/b`",
        "beside",
    ]);
    stage.run("bisect --differential none").expect_error(&["--differential", "`none` is no configuration"]);

    let profile = "setup = [\"SELECT lower('A')\"]\nstatements = 1\n";
    let profile = file(stage.folder.path(), "lower.toml", profile);
    let report = stage.path("report.md");
    let mut command = command();
    command.args(["simulate", "loop", "1"]).arg(&broken).args(["bundled", "--seed", "1", "--bisect"]);
    command.args(["--no-install", "--minimize-s", "10", "--profile"]).arg(profile);
    let ran = finish(command.arg("--releases").arg(folder).arg("--report").arg(&report)).expect(1);
    let text = String::from_utf8(read(&report)).unwrap();
    assert!(text.contains(&format!("## {signature}\n")), "{text}");
    assert!(text.contains(&format!("\nSQLite: {RANGE}.\n")), "{text}");
    assert_eq!(ran.after("SQLite:"), RANGE);
}

fn ends_that_cannot_be_tried(stage: &Stage) {
    let folder = stage.releases("ends", &[("1.0", "refused"), ("1.1", "broken"), ("1.2", "refused")]);
    let found = stage.run(&format!("bisect --json --releases {}", folder.display())).expect(0).json();
    let ends = ["since", "until", "before", "after"].map(|name| &found[name]);
    assert_eq!(ends, [&json!("1.1"), &json!("1.1"), &Value::Null, &Value::Null]);
    assert!(found["releases"][2]["error"].as_str().unwrap().contains("did not compile"), "{found}");

    // It was hidden for a while.
    let folder =
        stage.releases("again", &[("1", "broken"), ("2", "sound"), ("3", "broken"), ("4", "broken")]);
    let ran = stage.run(&format!("bisect --releases {}", folder.display())).expect(0);
    let range =
        "since 3 (2 does not show it), until 4 (the newest release that can be tried); and again in 1";
    assert_eq!(ran.out.lines().last(), Some(format!("fuzzcheck: {range}").as_str()));
}

fn in_a_table(stage: &Stage, releases: &str) {
    let save = stage.path("saved");
    let words = format!("run {releases} --save-dir {}", save.display());
    let ran = stage.run(&format!("{words} --sqlite-version 1.9,1.10")).expect(1);
    let rows: Vec<&str> = ran.out.lines().collect();
    let row = format!("| {} | - | {SIGNATURE} |", stage.case.display());
    assert_eq!(rows[..3], ["| case | 1.9 | 1.10 |", "|---|---|---|", &row]);
    assert!(rows[3].starts_with("fuzzcheck: 1.9 (") && rows[3].contains(": 0 errors out of 1 "), "{ran:?}");
    assert!(rows[4].starts_with("fuzzcheck: 1.10 (") && rows[4].contains(": 1 errors out of 1 "), "{ran:?}");
    // What no oracle judged is no pass, in any of them.
    stage.run(&format!("{words} --oracles window --sqlite-version 1.9,2.0")).expect_error(&[
        "no case was judged by window",
        "--sqlite-version 1.9",
        "--sqlite-version 2.0",
    ]);
    let table = stage.run(&format!("{words} --sqlite-version all --json")).expect(1).json();
    let shown = &table["cases"][stage.case.to_str().unwrap()];
    assert_eq!(shown, &json!([null, SIGNATURE, SIGNATURE, null]), "{table}");
    let versions = table["versions"].as_array().unwrap().iter();
    let errors: Vec<_> = versions.map(|it| (it["sqlite"].as_str().unwrap(), &it["errors"])).collect();
    assert_eq!(errors, [("1.9", &json!(0)), ("1.10", &json!(1)), ("1.11", &json!(1)), ("2.0", &json!(0))]);
}

fn in_reports(stage: &Stage, releases: &str) {
    let to = stage.path("handed");
    let words = format!("handover {releases} --sqlite-version 1.10 --bisect --json --to {}", to.display());
    assert_eq!(stage.run(&words).expect(0).json()["range"], RANGE);
    let report = String::from_utf8(read(&to.join("report.md"))).unwrap();
    assert!(report.contains(&format!("It shows {RANGE}.")), "{report}");
    assert!(report.contains("| 1.10 (this build) |") && !report.contains("Not tried"), "{report}");

    let words = format!("triage {releases} --sqlite-version 1.11 --bisect --no-minimize --state");
    let ran = stage.run(&format!("{words} {}", stage.path("state").display())).expect(1);
    assert_eq!(ran.after("SQLite:"), RANGE);
}

fn in_one_folder(stage: &Stage) {
    let words = format!("run --sqlite {} --save-dir", stage.path("broken").display());
    let words = format!("{words} {}", stage.path("saved").display());
    // It is there already.
    let ran = stage.run(&format!("{words} --json")).expect(1);
    assert!(!ran.err.contains("compiling"), "{ran:?}");
    let document = ran.json();
    assert_eq!(document["findings"][0]["bugs"][0]["signature"], SIGNATURE, "{document}");
    assert!(document["sqlite"].as_str().unwrap().ends_with("alt2"), "it was edited: {document}");
    let replay = document["findings"][0]["replay"].as_str().unwrap();
    assert!(replay.contains("--sqlite="), "{replay}");

    // What is not to be compiled leaves what was as it was.
    fs::copy(stage.path("refused").join("sqlite3.c"), stage.path("broken").join("sqlite3.c")).unwrap();
    stage.run(&words).expect_error(&["sqlite3.c did not compile"]);
    assert!(stage.built.borrow().iter().any(|place| place.join("fuzzcheck").exists()));
}
