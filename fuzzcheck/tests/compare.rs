//! `fuzzcheck compare mutators` with stand-ins for cargo, clang, llvm and the target, so
//! that they are tested without any of them. `.ci/run` runs the real ones.

use std::fs;
use std::process::Stdio;

use crate::common::counting::Stage;
use crate::common::{Ran, file, fuzzcheck_on, names_in, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// The target: plants statistics, then works until it is told to end.
const TARGET: &str = r##"
cp "$STAGE/stats.json" "$TANDEM_STATS"
echo "$TANDEM_MUTATORS $*" >>"$STAGE/arguments"
trap 'echo stat::number_of_executed_units: 1200 >&2; exit 0' INT
: >"$STAGE/ready"
while here; do :; done
"##;

const STATS: &str = r#"{
    "target": "sql", "group": "x", "edges": 500, "features": 900, "cpu_ns": 2000, "mutation_ns": 100,
    "all": {"runs": 1100, "statements": 2000, "prepared": 1000, "parser": 400, "resolver": 600, "refused": 0,
            "vm": 100, "ran": 900, "cut": 0, "databases": 10, "opened": 5},
    "mutated": {"runs": 1000, "statements": 1000, "prepared": 620, "parser": 110, "resolver": 220, "refused": 50,
                "vm": 70, "ran": 540, "cut": 10, "databases": 8, "opened": 6},
    "operators": {"sql_token_copy": {"uses": 40, "features": 20, "edges": 3},
                  "crossover": {"uses": 10, "features": 20, "edges": 1}}
}"#;

fn with_stats(target: &str) -> Stage {
    let stage = Stage::new(target);
    file(stage.folder.path(), "stats.json", STATS);
    stage
}

#[test]
fn a_comparison_prints_what_targets_and_llvm_say() {
    let stage = with_stats(TARGET);
    let ran = stage.compare("--repeats 2 --group libfuzzer --group all --group all").expect(0);
    let rows: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("| all ")).collect();
    // Seeds reach 100 branches, seeds and corpus 110.
    let row = "| all | 1200 | 500 | 900 | 110 | 10 | 1.00 | 62.0 | 11.0 | 22.0 | 5.0 | 7.0 | 54.0 | 75.0 | 5.0 | 0 |";
    assert_eq!(rows, [row], "{ran:?}");
    assert!(ran.out.contains("which reach 100 of 1000 branches"), "{ran:?}");
    assert!(ran.out.contains("| sql_token_copy | 80 | 40 | 6 | 500 |"), "{ran:?}");
    let first_operator = ran.out.lines().skip_while(|line| !line.starts_with("| operator")).nth(2);
    assert_eq!(first_operator, Some("| crossover | 20 | 40 | 2 | 2000 |"));

    let arguments = stage.arguments();
    let lines: Vec<&str> = arguments.lines().collect();
    assert_eq!(lines.len(), 4, "{arguments}");
    assert!(lines[0].starts_with("libfuzzer ") && lines[0].contains(" -seed=1 "), "{arguments}");
    assert!(lines[3].starts_with("all ") && lines[3].contains(" -seed=2 "), "{arguments}");
    let corpus = stage.kept().join("all-2/corpus");
    assert!(lines[3].contains(&format!("{} ", corpus.display())), "{arguments}");
    assert!(names_in(&corpus).len() >= 59);

    // What has been run is not run again, whatever is added to it.
    let more = stage.compare("--repeats 2 --group all --group without:token --json").expect(0).json();
    assert_eq!(stage.arguments().lines().count(), 6, "{}", stage.arguments());
    assert_eq!(more["groups"][0]["campaigns"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&more["groups"][1]["group"], &more["groups"][1]["ratio"]),
        (&"without:token".into(), &().into())
    );
    assert_eq!(more["groups"][1]["figures"]["new_branches"]["median"], 10.0);
    assert_eq!(more["seeds"]["branches"], 100);
}

#[test]
fn a_campaign_goes_on_after_a_finding_and_counts_it() {
    let finding = r##"
cp "$STAGE/stats.json" "$TANDEM_STATS"
if [ ! -e "$STAGE/ran" ]; then
    : >"$STAGE/ran"
    artifacts=${4#-artifact_prefix=}
    cp "$1/a" "${artifacts}crash-01"
    echo "artifact_prefix='x'; Test unit written to ${artifacts}crash-01" >&2
    echo 'stat::number_of_executed_units: 34' >&2
    exit 1
fi
trap 'echo stat::number_of_executed_units: 1200 >&2; exit 0' INT
while here; do :; done
"##;
    let stage = with_stats(finding);
    fs::create_dir(stage.path("seeds")).unwrap();
    file(&stage.path("seeds"), "one", "SELECT 1;");
    file(&stage.path("seeds"), "two", [0xff, 0, 1]);
    // The seeds are numbered; the target takes one by name.
    stage.program("sql", &finding.replace("$1/a", "$1/000001"));
    let words = format!("--group fixed --json --seeds {}", stage.path("seeds").display());
    let ran = stage.compare(&words).expect(0);
    let comparison = ran.json();
    let campaign = &comparison["groups"][0]["campaigns"][0];
    assert_eq!((&campaign["crashes"], &campaign["processes"]), (&1.into(), &2.into()));
    assert_eq!((&campaign["executions"], &comparison["seeds"]["cases"]), (&1234.into(), &2.into()));
    assert_eq!(campaign["stats"]["operators"]["crossover"]["uses"], 20);
    let folder = stage.kept().join("fixed-1");
    assert_eq!(names_in(&folder.join("artifacts")), ["crash-01"]);
    assert_eq!(names_in(&folder.join("corpus")), ["000000"], "the finding would end every further process");
    assert!(ran.err.contains("1 cases crashed a target; they are in "), "{ran:?}");

    // A panic of the target itself is nothing that a mutation has found.
    let panics = finding
        .replace("$1/a", "$1/000001")
        .replace("    exit 1", "    echo 'panicked at /x/src/sql/token.rs:7:9:' >&2\n    exit 1");
    let stage = with_stats(&panics);
    fs::create_dir(stage.path("seeds")).unwrap();
    file(&stage.path("seeds"), "one", "SELECT 1;");
    file(&stage.path("seeds"), "two", [0xff, 0, 1]);
    let words = format!("--group fixed --json --seeds {}", stage.path("seeds").display());
    let ran = stage.compare(&words).expect(2);
    assert!(ran.err.contains("crash-01: the target failed, which is a bug in Tandem"), "{ran:?}");
}

#[test]
fn what_proves_nothing_is_an_error() {
    let stage = with_stats("cp \"$STAGE/stats.json\" \"$TANDEM_STATS\"; echo 'tandem: blind' >&2; exit 2");
    stage.compare("--group all").expect_error(&["group all ended with", "blind"]);
    let idle = with_stats(&TARGET.replace("1200", "0"));
    idle.compare("--group all").expect_error(&["executed nothing"]);
    let stage = with_stats(TARGET);
    fs::create_dir(stage.path("empty")).unwrap();
    stage.compare(&format!("--seeds {}", stage.path("empty").display())).expect_error(&["no seeds"]);

    let words = |words: &str| fuzzcheck_on(words, &[]);
    words("compare mutators --target nope --seconds 1").expect_error(&["no target is named `nope`"]);
    words("compare mutators --target sql --seconds 0").expect_error(&["--seconds"]);
    words("compare mutators --target sql --seconds 1 --repeats 0").expect_error(&["--repeats"]);
    words("compare mutators --target sql --seconds 1 --group x").expect_error(&["`x`", "without:token"]);
    words("compare mutators --target sql --seconds 1 --group without:page")
        .expect_error(&["without:page makes no difference for the target sql", "without:token"]);
    words("compare mutators --target sql --seconds 1 --project /nonexistent")
        .expect_error(&["not a working copy"]);
}

#[test]
fn ctrl_c_ends_with_what_is_there_and_the_next_run_goes_on() {
    // The second group uses no time, and so does not end by itself.
    let works = "while here; do [ \"$TANDEM_MUTATORS\" = all ] && waits false; done";
    let stage = with_stats(&TARGET.replace("while here; do :; done", works));
    stage.compare("--group libfuzzer").expect(0);
    fs::remove_file(stage.path("ready")).unwrap();
    let mut command =
        stage.command("compare mutators --target sql --seconds 1000 --no-install --group libfuzzer --json");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let child = wait_until(child, "the target begins", || stage.path("ready").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect_error(&["interrupted before a campaign was over"]);

    // With one campaign done before, that one is shown.
    fs::remove_file(stage.path("ready")).unwrap();
    let mut command = stage.command(
        "compare mutators --target sql --seconds 0.1 --no-install --group libfuzzer --group all --json",
    );
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let child = wait_until(child, "the target begins", || stage.path("ready").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(2);
    let groups = ran.json()["groups"].as_array().unwrap().len();
    assert_eq!(groups, 1, "{ran:?}");
    assert!(ran.err.contains("the same command resumes"), "{ran:?}");
}
