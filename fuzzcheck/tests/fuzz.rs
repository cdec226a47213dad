//! `fuzzcheck fuzz` with a stand-in for cargo, so that it is tested without clang. `.ci/run`
//! runs the real ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::stage::Stage;
use crate::common::{RUSTC, Ran, command, finish, folder, names_in, project, read, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tandem::TestCase;
use tandem::corpus::{Entry, Kind};

/// Ends the session as Ctrl-C does: when it has done what is looked at, and not when a time is over.
const END: &str = "end() { trap 'exit 72' INT; kill -INT $PPID; waits false; }\n";

impl Stage {
    /// The target does what `script` says, which may `end` the session.
    fn ending(script: &str) -> Self {
        Self::new(&format!("{END}{script}"))
    }

    /// `fuzzcheck fuzz sql`, which ends by itself at last.
    fn fuzzing(&self, words: &str) -> Command {
        self.command_on_project("fuzz sql --max-total-time-s 600", words)
    }

    fn fuzz(&self, words: &str) -> Ran {
        finish(&mut self.fuzzing(words))
    }

    fn corpus(&self) -> PathBuf {
        self.project().join("fuzz/corpus/sql")
    }
}

/// The first run ends with a finding, whose case is one of the corpus; the second one finds nothing.
const ONE_FINDING: &str = r##"
cd "$STAGE/project"
if [ ! -e "$STAGE/ran" ]; then
    : >"$STAGE/ran"
    mkdir -p fuzz/artifacts/sql
    set -- fuzz/corpus/sql/*
    cp "$1" fuzz/artifacts/sql/crash-01
    echo '#7 NEW    cov: 20 ft: 30 corp: 4/5b lim: 6 exec/s: 7 rss: 8Mb' >&2
    printf 'panicked at src/oracles/mod.rs:1:2:\nmemory/leak/openDatabase: 3 bytes\n' >&2
    echo "artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/crash-01" >&2
    echo 'stat::number_of_executed_units: 11' >&2
    exit 1
fi
echo '#5 DONE   cov: 21 ft: 31 corp: 6/7b lim: 6 exec/s: 7 rss: 8Mb' >&2
end
"##;

#[test]
fn a_finding_is_reported_and_the_session_goes_on() {
    let stage = Stage::ending(ONE_FINDING);
    let ran = stage.fuzz("--json").expect(1);
    let summary = ran.json();
    let finding = &summary["findings"][0];
    assert_eq!(finding["signature"], "memory/leak/openDatabase");
    assert_eq!(finding["cases"], serde_json::json!(["fuzz/artifacts/sql/crash-01"]));
    assert_eq!(summary["executions"], 11 + 5, "{summary}");
    assert_eq!((&summary["edges"], &summary["corpus_cases"]), (&21.into(), &6.into()));

    // A case that is a finding would end every further run.
    let case = read(&stage.project().join("fuzz/artifacts/sql/crash-01"));
    let corpus = names_in(&stage.corpus());
    assert!(corpus.len() >= 59 && corpus.iter().all(|name| read(&stage.corpus().join(name)) != case));
    let log = read(&stage.project().join("fuzz/logs/sql/crash-01.txt"));
    assert!(String::from_utf8_lossy(&log).contains("3 bytes"));
}

/// Each of the first three runs ends with a finding of one signature. The next one is told so and meets it twice more.
const ONE_BUG: &str = r##"
cd "$STAGE/project"
mkdir -p fuzz/artifacts/sql
for i in 1 2 3; do
    if [ ! -e "$STAGE/ran-$i" ]; then
        : >"$STAGE/ran-$i"
        [ -z "$TANDEM_MET" ] || exit 70
        echo "SELECT $i;" >fuzz/artifacts/sql/crash-0$i
        printf 'panicked at src/oracles/mod.rs:1:2:\nmemory/leak/openDatabase: 3 bytes\n' >&2
        echo "artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/crash-0$i" >&2
        exit 1
    fi
done
[ "$TANDEM_MET" = memory/leak/openDatabase ] || exit 71
printf 'tandem: met again: memory/leak/openDatabase\ntandem: met again: memory/leak/openDatabase\n' >&2
echo '#5 DONE   cov: 21 ft: 31 corp: 6/7b lim: 6 exec/s: 7 rss: 8Mb' >&2
end
"##;

#[test]
fn what_has_been_met_often_enough_ends_no_run_and_is_counted() {
    let summary = Stage::ending(ONE_BUG).fuzz("--json").expect(1).json();
    let finding = &summary["findings"][0];
    assert_eq!((finding["cases"].as_array().unwrap().len(), &finding["met_again"]), (3, &2.into()));
    let ran = Stage::ending(ONE_BUG).fuzz("").expect(1);
    assert!(ran.out.contains("  cases:  3, and met 2 times more\n"), "{ran:?}");
}

#[test]
fn the_summary_says_how_to_replay_read_and_add() {
    let stage = Stage::ending(ONE_FINDING);
    let ran = stage.fuzz("").expect(1);
    assert_eq!(
        ran.after("replay:"),
        "target/x86_64-unknown-linux-gnu/release/sql fuzz/artifacts/sql/crash-01"
    );
    assert_eq!(ran.after("or:"), "cargo fuzzcheck run --target sql fuzz/artifacts/sql/crash-01");
    assert_eq!(ran.after("read:"), "cargo fuzzcheck show fuzz/artifacts/sql/crash-01");
    let add = "--target sql --name memory-leak-opendatabase --signature memory/leak/openDatabase";
    assert!(ran.after("add:").contains(add), "{ran:?}");
    assert_eq!(ran.out.lines().last(), Some("fuzzcheck: 1 findings"));
}

/// Fuzzing finds a known bug of a corpus again: that is reported, and the session is clean.
#[test]
fn a_known_finding_is_told_and_does_not_count() {
    let fuzzed = |found: &str, words: &str| {
        let stage = Stage::ending(&ONE_FINDING.replace("openDatabase", found));
        let mut known = Entry::new("sql", Kind::Known, "a test", &TestCase::from_sql("SELECT 8"));
        known.signature = Some("memory/leak/openDatabase".to_owned());
        stage.add_to_corpus(vec![known]);
        stage.fuzz(words)
    };
    let ran = fuzzed("openDatabase", "").expect(0);
    assert!(ran.after("known:").contains("/corpus/sql.db:"), "{ran:?}");
    assert_eq!(ran.out.lines().last(), Some("fuzzcheck: 0 findings, 1 known ones seen again"));
    let other = fuzzed("other", "--json").expect(1).json();
    assert_eq!(other["findings"][0]["known_as"], serde_json::Value::Null);
}

#[test]
fn a_clean_session_exits_with_0_and_jobs_share_the_corpus() {
    // The last one of them ends the session.
    let stage = Stage::ending(
        "trap 'exit 72' INT; echo '#5 DONE   cov: 2 ft: 3 corp: 6/7b exec/s: 7 rss: 8Mb' >&2\n\
         echo >>\"$STAGE/begun\"; [ $(wc -l <\"$STAGE/begun\") = 3 ] && mkdir \"$STAGE/all\" && end\n\
         waits false",
    );
    let ran = stage.fuzz("--jobs 3 --json").expect(0);
    assert_eq!(ran.json()["findings"], serde_json::json!([]));
    assert_eq!(ran.json()["executions"], 15, "{ran:?}");
}

#[test]
fn arguments_reach_libfuzzer() {
    let stage = Stage::ending(
        "echo \"$@\" ${TANDEM_BUILD-none} >\"$STAGE/arguments\"; echo '#5 DONE cov: 2 ft: 3' >&2; end",
    );
    stage.program("rustc", RUSTC);
    let cargo = read(&stage.path("bin/cargo"));
    let cargo = String::from_utf8(cargo).unwrap();
    stage.program("cargo", &format!("echo \"$@\" \"$RUSTFLAGS\" >\"$STAGE/cargo\"\n{cargo}"));
    let mut fuzzing = stage.fuzzing("--toolchain nightly -- -dict=x");
    finish(fuzzing.env("RUSTFLAGS", "-Cown")).expect(0);
    let built = String::from_utf8(read(&stage.path("cargo"))).unwrap();
    for words in ["+nightly build --manifest-path ", " --bin sql ", "-Zsanitizer=address", " -Cown"] {
        assert!(built.contains(words), "{built}");
    }
    let arguments = String::from_utf8(read(&stage.path("arguments"))).unwrap();
    // What is left of the time when it begins.
    let fuzz = stage.project().join("fuzz").display().to_string();
    let begin = format!(
        "{fuzz}/corpus/sql -print_final_stats=1 -artifact_prefix={fuzz}/artifacts/sql/ -max_total_time="
    );
    let rest = arguments.trim().strip_prefix(&begin);
    let (seconds, rest) = rest.and_then(|rest| rest.split_once(' ')).unwrap_or_else(|| panic!("{arguments}"));
    assert!((1..=600).contains(&seconds.parse().unwrap_or(0)) && rest == "-dict=x none", "{arguments}");
}

#[test]
fn what_ends_a_target_without_a_finding_is_an_error() {
    let blind = Stage::new("echo 'tandem: it would be fuzzed blind' >&2; exit 2");
    blind.fuzz("").expect_error(&["the target sql ended", "fuzzed blind"]);
    let idle = Stage::new("turns=0; idle() { turns=$((turns + 1)); [ $turns = 20 ]; }; waits idle");
    let mut command = idle.command_on_project("fuzz sql --max-total-time-s 1", "");
    finish(&mut command).expect_error(&["executed nothing"]);
    let broken = Stage::new("");
    finish(broken.fuzzing("").env("BUILD", "101")).expect_error(&["the target sql did not build"]);
}

#[test]
fn ctrl_c_ends_the_session_with_its_summary() {
    let stage = Stage::new(
        "trap 'echo stat::number_of_executed_units: 9 >&2; exit 72' INT\n\
         echo '#5 NEW cov: 2 ft: 3 corp: 1/1b' >&2; : >\"$STAGE/ready\"\n\
         waits false",
    );
    let mut command = stage.fuzzing("");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let child = wait_until(child, "the target begins", || stage.path("ready").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(0);
    assert!(ran.out.starts_with("sql: 9 executions in "), "{ran:?}");
}

/// Begins a stand-in for valgrind: leaves the program that it is to run with its arguments.
const WITHOUT_FLAGS: &str =
    "while case \"$1\" in -*) true;; *) false;; esac; do shift; done; [ $# = 0 ] && exit\n";
/// Ends the session when a check has kept a case that it found something in.
const END_WHEN_FOUND: &str =
    "kept() { set -- fuzz/artifacts/sql/fuzzcheck-*; [ -e \"$1\" ]; }; waits kept; end";

#[test]
fn what_there_is_no_time_to_run_again_is_counted() {
    // It comes when the time is over, and the first batch of the build waits for it.
    let stage = Stage::new(
        "late() { i=0; while [ $i -lt 200 ]; do printf 'SELECT 1;' >new-$i; i=$((i+1)); done\n\
         : >\"$STAGE/late\"; exit 72; }\n\
         trap late INT; cd \"$STAGE/project/fuzz/corpus/sql\"; echo '#5 NEW cov: 2 ft: 3 corp: 1/1b' >&2\n\
         while here; do :; done",
    );
    let waits = "waits [ -e \"$STAGE/late\" ]; exec \"$@\"";
    stage.program("valgrind", &format!("{WITHOUT_FLAGS}{waits}"));
    let summary = stage.fuzz("--max-cpu-s 1 --rerun valgrind --json").expect(0).json();
    assert!(summary["not_run_again"].as_u64().unwrap() >= 200, "{summary}");
    assert!(summary["cpu_seconds"].as_f64().unwrap() >= 1.0, "{summary}");
}

/// Neither where the target panics nor where a worker does that runs a new case again.
#[test]
fn what_the_harness_does_wrong_is_no_finding() {
    let stage = Stage::ending(&format!(
        "cd \"$STAGE/project\"; [ -e \"$STAGE/ran\" ] && {{ {END_WHEN_FOUND}; }}; : >\"$STAGE/ran\"\n\
         printf \"SELECT planted('panic');\" >fuzz/corpus/sql/new\n\
         mkdir -p fuzz/artifacts/sql; echo 'SELECT 1;' >fuzz/artifacts/sql/crash-01\n\
         printf 'thread <unnamed> panicked at /x/src/sql/token.rs:7:9:\\nno\\n==1== ERROR: libFuzzer: deadly signal\\n' >&2\n\
         echo \"artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/crash-01\" >&2\n\
         echo 'stat::number_of_executed_units: 11' >&2; exit 77",
    ));
    stage.program("valgrind", &sees_more().replace("internal-error", "by-name"));
    let ran = stage.fuzz("--json --rerun valgrind").expect(2);
    let summary = ran.json();
    assert_eq!(summary["findings"], serde_json::json!([]), "{summary}");
    assert_eq!(summary["rerun"]["valgrind build"]["findings"], 0, "{summary}");
    let mut errors: Vec<&str> = summary["harness_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["case"].as_str().unwrap())
        .collect();
    errors.sort_unstable();
    assert!(errors.len() == 2 && errors[0] == "fuzz/artifacts/sql/crash-01", "{summary}");
    assert!(errors.iter().all(|case| stage.project().join(case).exists()), "{summary}");
    for words in [
        "crash-01: the target failed, which is a bug in Tandem",
        "panicked at token.rs:7",
        "valgrind build: ",
    ] {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
}

/// A folder with nothing but `cargo`, `rustc` and compilers.
fn bare(stage: &Stage) -> Command {
    for name in ["chmod", "grep"] {
        let found = finish(Command::new("sh").args(["-c", &format!("command -v {name}")])).expect(0);
        std::os::unix::fs::symlink(found.out.trim(), stage.path("bin").join(name)).ok();
    }
    let mut command = stage.fuzzing("--no-install");
    command.env("PATH", stage.path("bin"));
    command
}

#[test]
fn what_is_missing_is_named_with_the_command_that_installs_it() {
    let stage = Stage::new("");
    let clang = project().join(".cargo/cc");
    let by_hand = finish(bare(&stage).env("CC", &clang));
    by_hand.expect_error(&["clang is missing", "install clang manually"]);
    stage.program("apt-get", "exit 0");
    let by_apt = finish(bare(&stage).env("CC", &clang));
    by_apt.expect_error(&["clang is missing", "apt-get update && apt-get install", "clang"]);
    // What compiles and cannot link the sanitizer is no clang to build with: the program does not run.
    stage.program("compiles", "exit 0");
    stage.program(
        "rustc",
        &format!("case \"$*\" in *-Zsanitizer*) echo 'no runtime' >&2; exit 1;; esac\n{RUSTC}"),
    );
    let unlinked = finish(bare(&stage).env("CC", "compiles"));
    unlinked.expect_error(&["clang is missing", "no runtime"]);
    stage.program("rustc", RUSTC);
    // The newest of which apt has the runtimes, too.
    stage.program(
        "apt-cache",
        "case \"$*\" in *libclang*) echo 'libclang-rt-19-dev - x'; echo 'libclang-rt-9-dev - x';;\n\
         *) echo 'clang-22 - x'; echo 'clang-19 - x';; esac",
    );
    let by_apt = finish(bare(&stage).env("CC", &clang));
    by_apt.expect_error(&["--no-install-recommends clang-19 libclang-rt-19-dev"]);
    let cxx = finish(bare(&stage).env("CXX", "/nonexistent/c++"));
    cxx.expect_error(&["a C++ compiler is missing", "g++"]);

    stage.program("rustc", "echo 'release: 1.80.0'; echo 'host: x86_64-unknown-linux-gnu'");
    finish(stage.fuzzing("").env("PATH", stage.path("bin")))
        .expect_error(&["Rust 1.80.0 is too old", "1.91"]);
    stage.program("rustc", "echo 'release: 1.95.0'; echo 'host: riscv64gc-unknown-linux-musl'");
    finish(stage.fuzzing("").env("PATH", stage.path("bin"))).expect_error(&["no AddressSanitizer"]);
}

#[test]
fn a_folder_that_is_no_working_copy_is_refused() {
    let empty = folder();
    let mut command = command();
    command.args(["fuzz", "sql", "--project"]).arg(Path::new(empty.path()));
    finish(&mut command).expect_error(&["is not a working copy of Tandem"]);
}

/// A case that is new to the corpus is run in the builds that follow, and compared with the other build, which here
/// answers wrong. A sample is asked for.
#[test]
fn what_is_new_is_run_again_and_compared() {
    // A batch that has the case has the sample, too.
    let stage = Stage::ending(&format!(
        "cd \"$STAGE/project\"; printf 'SELECT 2;' >\"${{TANDEM_SAMPLE%:*}}/1-1\"\n\
         printf 'SELECT 1 AS \"planted()\";' >\"$STAGE/new\"; mv \"$STAGE/new\" fuzz/corpus/sql/new\n\
         echo \"$TANDEM_SAMPLE\" >\"$STAGE/sample\"\n\
         echo '#5 DONE   cov: 2 ft: 3 corp: 6/7b exec/s: 7 rss: 8Mb' >&2; {END_WHEN_FOUND}"
    ));
    stage.program("other", "exec \"$FUZZCHECK\" \"$@\" --plant wrong-rows");
    let other = stage.path("bin/other");
    let words = format!("--json --rerun release --sample-every 7 --differential {}", other.display());
    let mut command = stage.fuzzing(&words);
    let ran = finish(command.env("FUZZCHECK", env!("CARGO_BIN_EXE_fuzzcheck"))).expect(1);
    let summary = ran.json();
    let finding = &summary["findings"][0];
    assert_eq!(finding["signature"], "differential/rows/SELECT", "{summary}");
    let case = stage.project().join(finding["cases"][0].as_str().unwrap());
    assert!(case.exists(), "{summary}");
    let build = &summary["rerun"]["release build"];
    assert_eq!((&build["sampled"], &build["findings"]), (&1.into(), &0.into()), "{summary}");
    // The seeds are new, too, the first time.
    assert!(build["new"].as_u64().unwrap() > 50, "{summary}");
    let again = finish(stage.fuzzing(&words).env("FUZZCHECK", env!("CARGO_BIN_EXE_fuzzcheck"))).json();
    assert_eq!(again["rerun"]["release build"]["new"], 0, "{again}");
    assert_eq!(summary["rerun"].as_object().unwrap().len(), 2);
    let sample = String::from_utf8(read(&stage.path("sample"))).unwrap();
    assert!(sample.trim().ends_with("fuzz/sample/sql:7"), "{sample}");

    assert!(
        finding["replay"].as_str().unwrap().starts_with("cargo fuzzcheck compare engines bundled /"),
        "{summary}"
    );

    let stage = Stage::new("");
    stage.fuzz("--build valgrind").expect_error(&["--build valgrind is not possible here"]);
    stage.fuzz("--rerun coverage").expect_error(&["not judged", "coverage"]);
    stage.fuzz("--differential nothing").expect_error(&["`nothing` is no configuration"]);
}

/// A build that sees more than others: what it is given runs with a planted bug.
fn sees_more() -> String {
    format!("{WITHOUT_FLAGS}exec \"$@\" --plant internal-error")
}

#[test]
fn a_build_that_follows_finds_what_the_target_does_not() {
    let stage = Stage::ending(&format!(
        "cd \"$STAGE/project\"; printf 'SELECT planted();' >\"$STAGE/new\"; mv \"$STAGE/new\" fuzz/corpus/sql/new\n\
         echo '#5 DONE   cov: 2 ft: 3 corp: 6/7b exec/s: 7 rss: 8Mb' >&2; {END_WHEN_FOUND}"
    ));
    stage.program("valgrind", &sees_more());
    let ran = stage.fuzz("--json --rerun valgrind").expect(1).json();
    let finding = &ran["findings"][0];
    assert_eq!(finding["signature"], "code/SQLITE_INTERNAL/SELECT", "{ran}");
    assert!(finding["replay"].as_str().unwrap().contains("run --build=valgrind --target sql"), "{ran}");
    assert_eq!(ran["rerun"]["valgrind build"]["findings"], 1);
}

/// Without a sanitizer a crash has no name: the build that follows gives it one.
#[test]
fn a_crash_without_a_sanitizer_gets_its_signature_from_a_build() {
    let stage = Stage::ending(
        "cd \"$STAGE/project\"; [ -e \"$STAGE/ran\" ] && end; : >\"$STAGE/ran\"\n\
         mkdir -p fuzz/artifacts/sql; printf 'SELECT planted();' >fuzz/artifacts/sql/crash-01\n\
         echo '==1== ERROR: libFuzzer: deadly signal' >&2\n\
         echo \"artifact_prefix='x'; Test unit written to fuzz/artifacts/sql/crash-01\" >&2\n\
         echo 'stat::number_of_executed_units: 11' >&2; exit 1",
    );
    stage.program("valgrind", &sees_more());
    let ran = stage.fuzz("--json --build release --rerun valgrind").expect(1).json();
    assert_eq!(ran["findings"][0]["signature"], "code/SQLITE_INTERNAL/SELECT", "{ran}");
    let bare = Stage::new("echo '==1== ERROR: libFuzzer: deadly signal' >&2; exit 1");
    bare.fuzz("--build release").expect_error(&["deadly signal"]);
}
