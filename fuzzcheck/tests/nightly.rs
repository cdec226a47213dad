//! `fuzzcheck nightly` with a stand-in for cargo, so that it is tested without clang and cargo-fuzz. `.ci/run` runs the
//! real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common;
use crate::common::stage::{MEASURES, Stage};
use crate::common::{Ran, finish, names_in, read, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use serde_json::Value;
use tandem::TestCase;
use tandem::corpus::{Corpus, Entry, Kind};

/// Finds a bug that workers show, too, and one that they do not, once for each time that `ran` is not there; then it
/// fuzzes.
const TWO_FINDINGS: &str = r##"
cd "$STAGE/project"
echo "$@" >>"$STAGE/arguments"
found() {
    mkdir -p fuzz/artifacts/sql
    printf "$2" >fuzz/artifacts/sql/$1
    printf 'panicked at src/oracles/mod.rs:1:2:\n%s: words of the target\n' "$3" >&2
    echo "artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/$1" >&2
    echo 'stat::number_of_executed_units: 11' >&2
    exit 1
}
if [ ! -e "$STAGE/ran" ]; then : >"$STAGE/ran"; found crash-01 'SELECT 1; SELECT planted(), 2' code/something/-; fi
if [ ! -e "$STAGE/ran2" ]; then : >"$STAGE/ran2"; found crash-02 'SELECT 5' memory/leak/old; fi
echo '#5 NEW   cov: 21 ft: 31 corp: 6/7b lim: 6 exec/s: 7 rss: 8Mb' >&2
printf 'SELECT f1f f2f;' >fuzz/corpus/sql/found
end
"##;

/// Ends the first session of a night: when the target has done its part, and not when a time is over. In another one it
/// waits for the end of that.
const END: &str = r##"
end() {
    trap 'exit 72' INT
    [ -e "$STAGE/ended" ] || { : >"$STAGE/ended"; kill -INT $PPID; }
    waits false
}
"##;

/// Fuzzes until it is told to end, a hundred executions at a time.
const ENDLESS: &str = r##"
cd "$STAGE/project"
trap 'echo stat::number_of_executed_units: $n >&2; exit 72' INT
echo $$ >"$STAGE/pid"; n=0
more() {
    n=$((n + 100)); echo "#$n NEW   cov: 21 ft: 31 corp: 6/7b lim: 6" >&2
    printf "SELECT $n;" >fuzz/corpus/sql/found-$n
    false
}
waits more
"##;

impl Stage {
    fn command(&self, words: &str) -> Command {
        let mut command = self.command_on_project("nightly --targets sql", words);
        for name in ["CARGO_TARGET_DIR", "FUZZ_SECONDS", "FUZZ_TIMEOUT_S", "FUZZ_LOG"] {
            command.env_remove(name);
        }
        command.env("FUZZ_JOBS", "1");
        command
    }

    fn nightly(&self, words: &str) -> Ran {
        finish(&mut self.command(words))
    }

    /// A night of two sessions: the target `end`s the first, the second does what comes after fuzzing.
    fn night(&self, words: &str, notify: &str) -> Ran {
        fs::remove_file(self.path("ended")).ok();
        let run_session = |time: &str| {
            finish(self.command(&format!("{words} --fuzz-time {time}")).args(["--notify-cmd", notify]))
        };
        run_session("30m").expect_error(&["interrupted"]);
        run_session("1s")
    }

    fn root(&self) -> PathBuf {
        self.project().join("fuzz/nightly")
    }
}

fn entry(kind: Kind, script: &str) -> Entry {
    Entry::new("sql", kind, "a test", &TestCase::from_sql(script))
}

/// A target that panics by itself has found nothing: the night has failed in this.
#[test]
fn a_panic_of_the_harness_is_no_bug_of_the_night() {
    let panics = TWO_FINDINGS
        .replace("src/oracles/mod.rs", "src/sql/token.rs")
        .replace("\\n%s: words", "\\nno %s: words");
    let stage = Stage::new(&format!("{END}{panics}"));
    stage.target(MEASURES);
    stage.add_to_corpus(vec![entry(Kind::Seed, "SELECT 7")]);
    let ran = stage.night("--budget 20m --without coverage", "true").expect(2);
    let record = record(&stage.root()).expect("it is written");
    assert_eq!(record["findings"], serde_json::json!([]), "{record:#}");
    let errors = &record["jobs"][0]["slices"][0]["harness_errors"];
    assert_eq!(errors.as_array().map(Vec::len), Some(2), "{record:#}");
    assert!(ran.out.contains("crash-01: the target failed, which is a bug in Tandem"), "{ran:?}");
    assert!(stage.project().join("fuzz/artifacts/sql/crash-01").exists());
}

/// The names of the campaigns.
fn campaigns(root: &Path) -> Vec<String> {
    let mut names = if root.exists() { names_in(root) } else { Vec::new() };
    names.retain(|name| root.join(name).join("campaign.json").exists());
    names
}

fn record(root: &Path) -> Option<Value> {
    let name = campaigns(root).pop()?;
    serde_json::from_slice(&read(&root.join(name).join("campaign.json"))).ok()
}

fn step<'a>(record: &'a Value, name: &str) -> &'a Value {
    let found = record["steps"].as_array().unwrap().iter().find(|step| step["name"] == name);
    found.unwrap_or_else(|| panic!("no step `{name}`: {:#}", record["steps"]))
}

fn finding<'a>(record: &'a Value, signature: &str) -> &'a Value {
    let found = record["findings"].as_array().unwrap().iter().find(|bug| bug["signature"] == signature);
    found.unwrap_or_else(|| panic!("no `{signature}`: {:#}", record["findings"]))
}

fn executions(record: &Value) -> u64 {
    let slices = record["jobs"].as_array().unwrap().iter().flat_map(|job| job["slices"].as_array().unwrap());
    slices.map(|slice| slice["executions"].as_u64().unwrap()).sum()
}

/// The documents that a command was told, from a file.
fn told(path: &Path) -> Vec<Value> {
    let text = String::from_utf8(read(path)).unwrap();
    serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().unwrap()
}

/// A night in which a bug is new and another known, and a second one that sees both again.
#[test]
fn a_new_bug_is_filed_and_told_once() {
    let stage = Stage::new(&format!("{END}{TWO_FINDINGS}"));
    stage.target(MEASURES);
    let mut known = entry(Kind::Known, "SELECT 8");
    known.signature = Some("memory/leak/old".to_owned());
    stage.add_to_corpus(vec![entry(Kind::Seed, "SELECT 7"), known]);
    let words = "--budget 20m --plant internal-error --without coverage --json";
    let notify = format!("cat >> '{}'", stage.path("told").display());
    let night = || stage.night(words, &notify);
    let first = night().expect(1).json();

    let new = finding(&first, "code/SQLITE_INTERNAL/SELECT");
    assert_eq!((&new["is_new"], &new["known_as"], &new["cases"]), (&true.into(), &Value::Null, &1.into()));
    // The target had another name for it.
    assert_eq!(first["jobs"][0]["slices"][0]["found"]["code/something/-"], 1);
    assert_eq!(first["findings"].as_array().unwrap().len(), 2, "{first:#}");
    // It was made smaller.
    assert_eq!(new["sql"].as_str().unwrap().trim(), "SELECT planted()", "{new:#}");
    let replay = new["replay"].as_str().unwrap();
    assert!(replay.starts_with("cargo fuzzcheck run --target sql fuzz/triage/"), "{replay}");
    let old = finding(&first, "memory/leak/old");
    assert!(old["known_as"].is_string() && old["file"].is_null(), "{old:#}");
    assert!(old["message"].as_str().unwrap().contains("words of the target"), "{old:#}");

    let campaign = stage.root().join(first["id"].as_str().unwrap());
    let file = campaign.join(new["file"].as_str().unwrap());
    let text = String::from_utf8(read(&file)).unwrap();
    assert!(
        text.contains("# SQLITE_INTERNAL at SELECT") && text.contains("Seen in 1 nights, 1 cases"),
        "{text}"
    );
    assert!(text.contains("SELECT planted()") && !text.contains("/tmp/"), "{text}");
    let events = told(&stage.path("told"));
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"new-finding".into(), &"end".into()));
    assert_eq!(events[1]["new"], serde_json::json!(["code/SQLITE_INTERNAL/SELECT"]));
    assert_eq!((events.len(), &events[1]["exit_code"]), (2, &1.into()));

    // What fuzzing found is merged into a copy, and the checks are counted over it.
    assert_eq!(step(&first, "merge sql")["end"], "done", "{first:#}");
    let copy = Corpus::load(&campaign.join("corpus/sql.db")).unwrap();
    let shipped = Corpus::load(&stage.project().join("corpus/sql.db")).unwrap();
    assert!(copy.len() > shipped.len() && shipped.len() == 2);
    let memory = first["checks"].as_array().unwrap().iter().find(|check| check["name"] == "memory").unwrap();
    assert_eq!(memory["passed"].as_u64().unwrap(), copy.len() as u64, "{memory}");
    assert_eq!(
        (&step(&first, "coverage")["end"], &first["trend"]),
        (&"skipped".into(), &serde_json::json!([]))
    );

    // The same bugs again.
    ["ran", "ran2"].iter().for_each(|name| fs::remove_file(stage.path(name)).unwrap());
    let second = night().expect(0).json();
    assert_ne!(second["id"], first["id"]);
    let again = finding(&second, "code/SQLITE_INTERNAL/SELECT");
    assert_eq!((&again["is_new"], &again["first_seen"]), (&false.into(), &new["first_seen"]));
    let text = String::from_utf8(read(&file)).unwrap();
    assert!(text.contains("Seen in 2 nights, 2 cases") && text.matches("## Case").count() == 1, "{text}");
    assert_eq!(told(&stage.path("told")).len(), 3);
    assert_eq!(names_in(&stage.root().join("findings")).len(), 2);
}

/// A bug that cases of the corpora show is found by their replay.
#[test]
fn what_the_corpus_shows_is_found_and_checks_are_counted() {
    let stage = Stage::new(&format!("{END} echo '#5 DONE   cov: 2 ft: 3 corp: 6/7b' >&2; end"));
    stage.add_to_corpus(vec![entry(Kind::Interesting, "SELECT planted()"), entry(Kind::Seed, "SELECT 7")]);
    let words = "--budget 20m --without coverage,merge --json --max-memory-mib 1000 --timeout-s 7";
    let planted = format!("{words} --plant internal-error");
    let ran = stage.night(&planted, "true").expect(1).json();
    let bug = finding(&ran, "code/SQLITE_INTERNAL/SELECT");
    assert!(bug["is_new"] == true && bug["sql"] == "SELECT planted()", "{bug:#}");
    let code = ran["checks"].as_array().unwrap().iter().find(|check| check["name"] == "code").unwrap();
    assert_eq!((&code["failed"], &code["passed"]), (&1.into(), &1.into()));
    assert_eq!(ran["slowest"].as_array().unwrap().len(), 2);
    assert_eq!(step(&ran, "replay sql")["end"], "done");
    // Seen before, it does not wake anyone.
    stage.night(&planted, "true").expect(0);
    stage.night(words, "true").expect(0);
}

#[test]
fn limits_and_the_environment_reach_libfuzzer_and_flags_come_first() {
    // The last one of three ends the session.
    let stage = Stage::new(&format!(
        "{END} trap 'exit 72' INT; echo \"$@\" >>\"$STAGE/arguments\"; echo '#5 DONE cov: 2 ft: 3' >&2\n\
         [ $(wc -l <\"$STAGE/arguments\") = 3 ] && mkdir \"$STAGE/all\" && end; waits false"
    ));
    let words = "--fuzz-time 30m --without triage,merge,replay,coverage";
    let mut command = stage.command(&format!("{words} --max-memory-mib 3000 --jobs 3"));
    let environment =
        [("FUZZ_SECONDS", "777"), ("FUZZ_TIMEOUT_S", "9"), ("FUZZ_LOG", "stdout"), ("FUZZ_JOBS", "2")];
    let ran = finish(command.envs(environment)).expect_error(&["interrupted"]);
    assert!(
        ran.out.starts_with("fuzzcheck: starting campaign ") && ran.out.contains(", for 777 s"),
        "{ran:?}"
    );
    let arguments = String::from_utf8(read(&stage.path("arguments"))).unwrap();
    let is_run = |line: &str| line.contains("-rss_limit_mb=1000 -timeout=9");
    assert!(arguments.lines().count() == 3 && arguments.lines().all(is_run), "{arguments}");
    let mut command = stage.command(&format!("--budget 66s --fresh {words}"));
    let ran = finish(command.env("FUZZ_SECONDS", "777").env("BUILD", "101")).expect(2);
    assert!(ran.err.contains(", for 66 s"), "{ran:?}");
}

/// The budget is used up when it goes on.
#[test]
fn what_there_is_no_time_for_is_said() {
    let stage = Stage::new(ENDLESS);
    stage.add_to_corpus(vec![entry(Kind::Seed, "SELECT 7")]);
    interrupt(start(&stage, "--budget 20m", 1));
    let record = stage.nightly("--budget 1s --json").expect(0).json();
    let why = step(&record, "coverage")["why"].as_str().unwrap();
    assert!(why.contains("no time") && why.contains("the coverage build does not exist yet"), "{why}");
    assert_eq!(step(&record, "merge sql")["why"], "no time left");
    assert_eq!(record["sessions"][1]["end"], "finished");
}

/// Starts a session that does not end by itself, and waits until the record says something.
fn start_until(stage: &Stage, words: &str, is_done: impl Fn(&Value) -> bool) -> Child {
    let mut command = stage.command(&format!("{words} --fuzz-time 30m"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(child, "it is written down", || record(&stage.root()).is_some_and(|record| is_done(&record)))
}

/// Waits until something was executed in a session.
fn start(stage: &Stage, words: &str, session: usize) -> Child {
    let before = record(&stage.root()).filter(|_| session > 1).map_or(0, |record| executions(&record));
    start_until(stage, words, |record| {
        record["sessions"].as_array().unwrap().len() == session && executions(record) > before
    })
}

/// Ends a session as a service manager does.
fn interrupt(child: Child) -> Ran {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect_error(&["interrupted", "cargo fuzzcheck nightly"])
}

#[test]
fn killed_twice_it_goes_on_loses_nothing_and_leaves_no_process() {
    let stage = Stage::new(ENDLESS);
    stage.add_to_corpus(vec![entry(Kind::Seed, "SELECT 7")]);
    let words = "--budget 50m --without coverage,merge";
    let mut before = 0;
    for kills in 1..=2 {
        let mut child = start(&stage, words, kills);
        let target = String::from_utf8(read(&stage.path("pid"))).unwrap().trim().parse().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let record = record(&stage.root()).unwrap();
        assert_eq!(record["sessions"].as_array().unwrap().len(), kills);
        let done = executions(&record);
        assert!(done > before, "{record:#}");
        before = done;
        // The target goes with its parent.
        let group = Pid::from_raw(target).unwrap();
        wait_for("the target ends", || test_kill_process_group(group).is_err());
    }
    let cases = names_in(&stage.project().join("fuzz/corpus/sql"));
    let ran = interrupt(start(&stage, words, 3));
    assert!(
        ran.err.contains("resuming campaign ") && ran.err.contains(&format!("{before} executions")),
        "{ran:?}"
    );
    let record = stage.nightly(&format!("{words} --fuzz-time 1s --json")).expect(0).json();
    let ends: Vec<&Value> =
        record["sessions"].as_array().unwrap().iter().map(|session| &session["end"]).collect();
    assert_eq!(ends, ["killed", "killed", "interrupted", "finished"]);
    assert!(executions(&record) > before, "{record:#}");
    let seconds: f64 = record["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["seconds"].as_f64().unwrap())
        .sum();
    assert!((record["used_s"].as_f64().unwrap() - seconds).abs() < 0.01, "{record:#}");
    let left = names_in(&stage.project().join("fuzz/corpus/sql"));
    assert!(cases.iter().all(|name| left.contains(name)));
    assert_eq!(campaigns(&stage.root()).len(), 1);
    // The next one is another.
    finish(stage.command(words).env("BUILD", "101")).expect(2);
    assert_eq!(campaigns(&stage.root()).len(), 2);
}

#[test]
fn interrupted_it_says_how_to_go_on_and_two_do_not_run_at_once() {
    let stage = Stage::new(ENDLESS);
    let words = "--budget 50m --without coverage,merge,replay";
    let child = start(&stage, &format!("{words} --fresh"), 1);
    stage
        .nightly(words)
        .expect_error(&["another `fuzzcheck nightly` is running there", &child.id().to_string()]);
    let ran = interrupt(child);
    assert!(!ran.err.contains("--fresh"), "{ran:?}");
    let before = record(&stage.root()).unwrap();
    assert_eq!((&before["sessions"][0]["end"], &before["ended"]), (&"interrupted".into(), &Value::Null));
    // Something else is not mixed with it.
    stage.nightly(&format!("{words} --builds release")).expect_error(&[
        "unfinished",
        "--fresh",
        "--builds asan",
    ]);
    let ran = stage.nightly(&format!("{words} --fuzz-time 1s --json")).expect(0);
    assert_eq!(ran.json()["id"], before["id"]);
    assert!(executions(&ran.json()) >= executions(&before));
}

#[test]
fn what_cannot_be_built_or_does_not_fuzz_is_an_error_that_is_told() {
    let stage = Stage::new("echo 'tandem: it would be fuzzed blind' >&2; exit 2");
    let notify = format!("cat > '{}'", stage.path("told").display());
    let words = "--budget 20m --without coverage,merge,replay --json";
    let has_failed = |record: &Value| record["jobs"][0]["failures"] != serde_json::json!([]);
    interrupt(start_until(&stage, words, has_failed));
    let words = &format!("{words} --fuzz-time 1s");
    let blind = finish(stage.command(words).args(["--notify-cmd", &notify])).expect(2).json();
    assert!(blind["jobs"][0]["failures"][0].as_str().unwrap().contains("fuzzed blind"), "{blind:#}");
    let end = &told(&stage.path("told"))[0];
    assert!(
        end["exit_code"] == 2 && end["failures"][0].as_str().unwrap().contains("executed nothing"),
        "{end}"
    );

    let broken = finish(stage.command(words).env("BUILD", "101").args(["--notify-cmd", "exit 9"])).expect(2);
    assert!(broken.err.contains("warning: --notify-cmd `exit 9`"), "{broken:?}");
    let record = broken.json();
    assert_eq!(
        (&step(&record, "build")["end"], &step(&record, "fuzz")["end"]),
        (&"failed".into(), &"skipped".into())
    );
    assert!(record["ended"].is_string());
}

/// Every process finds something as soon as it starts: it is let rest.
#[test]
fn what_crashes_at_once_is_let_rest() {
    let stage = Stage::new(
        "cd \"$STAGE/project\"; mkdir -p fuzz/artifacts/sql; n=$(ls fuzz/artifacts/sql | wc -l)\n\
         grep -q 'as soon as it starts' fuzz/nightly/2*/campaign.json && waits false\n\
         printf \"SELECT $n\" >fuzz/artifacts/sql/crash-$n; echo '#1 NEW cov: 2 ft: 3' >&2\n\
         printf 'panicked at src/oracles/mod.rs:1:2:\\nmemory/leak/x: y\\n' >&2\n\
         echo \"artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/crash-$n\" >&2; exit 1",
    );
    let words = "--budget 50m --without coverage,merge,replay,triage";
    interrupt(start_until(&stage, words, |record| record["jobs"][0]["failures"] != serde_json::json!([])));
    let record = stage.nightly(&format!("{words} --fuzz-time 1s --json")).expect(1).json();
    let failures = record["jobs"][0]["failures"].as_array().unwrap();
    assert!(
        failures.len() == 1 && failures[0].as_str().unwrap().contains("as soon as it starts"),
        "{failures:?}"
    );
    let cases = names_in(&stage.project().join("fuzz/artifacts/sql")).len();
    // How soon it is seen that it was the 20th in a row is not told in advance.
    assert!(cases >= 20, "{cases}");
    assert_eq!(finding(&record, "memory/leak/x")["cases"], cases);
    assert_eq!(record["jobs"][0]["slices"][0]["found"]["memory/leak/x"], cases);
}

#[test]
fn wrong_words_are_named() {
    let stage = Stage::new("");
    let wrong = [
        ("--budget 0", &["--budget", "400 days"][..]),
        ("--budget soon", &["--budget", "20m"]),
        ("--weights sql", &["TARGET=N"]),
        ("--weights nothing=1", &["--weights"]),
        ("--max-disk-gib 0", &["--max-disk-gib", "above 0"]),
        ("--builds coverage", &["coverage build cannot be fuzzed"]),
        ("--rerun coverage", &["not judged", "coverage"]),
        ("--build release", &["--builds"]),
        ("--json --log stdout", &["--json", "--log stdout"]),
        ("--update-corpus --merge-into x", &["--merge-into"]),
        ("--plant nothing", &["no planted bug is named `nothing`"]),
    ];
    for (words, said) in wrong {
        stage.nightly(words).expect_error(said);
    }
    let mut command = stage.command_on_project("nightly --targets nothing", "");
    finish(&mut command).expect_error(&["no target is named `nothing`", "db_sql"]);
    let file = common::file(&stage.project(), "file", "");
    finish(stage.command("--folder").arg(&file)).expect_error(&[&file.display().to_string()]);
    assert!(!stage.root().exists());
}

/// The build that follows runs what is new, in later slices, too, and after a kill: the first session knows what was there.
#[test]
fn what_is_new_is_run_again_over_kills() {
    let stage = Stage::new(ENDLESS);
    stage.add_to_corpus(vec![entry(Kind::Seed, "SELECT 7")]);
    let words = "--budget 50m --rerun release --without coverage,merge,replay,triage";
    let mut child = start(&stage, words, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = names_in(&stage.project().join("fuzz/corpus/sql")).len() as u64;
    let has_run_all = |record: &Value| {
        let slices = record["jobs"][0]["slices"].as_array().unwrap().iter();
        slices.map(|slice| slice["rerun_cases"].as_u64().unwrap()).sum::<u64>() >= before
    };
    interrupt(start_until(&stage, words, has_run_all));
    assert_eq!(record(&stage.root()).unwrap()["jobs"][0]["rerun"], serde_json::json!(["release"]));
}
