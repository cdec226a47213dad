//! `fuzzcheck coverage` and `fuzzcheck coverage gaps` with stand-ins for cargo, clang and llvm. `.ci/run` runs the real ones.

use std::fs;

use crate::common;
use crate::common::counting::{COV, Stage};
use crate::common::{Ran, file, finish, folder, fuzzcheck_on, project};

#[test]
fn coverage_counts_what_workers_reach() {
    let stage = Stage::new("");
    let seeds = project().join("corpus/sql.db");
    let coverage = |words: &str| finish(stage.command(&format!("coverage --no-install {words}")).arg(&seeds));
    let ran = coverage("--jobs 1").expect(0);
    assert!(ran.out.lines().any(|line| line == "branches       100 of    1000  10.00 %"), "{ran:?}");
    let module = "a.c                    100 of   990  10.10 %    100 of    990  10.10 %    1 of    1";
    assert!(ran.out.lines().any(|line| line == module), "{ran:?}");
    let summary = coverage("--jobs 1 --json").expect(0).json();
    assert_eq!((&summary["branches"]["covered"], &summary["lines"]["total"]), (&100.into(), &1000.into()));
    assert!(summary["cases"].as_u64().unwrap() > 60);

    fuzzcheck_on("coverage --target nope", &[]).expect_error(&["no target is named `nope`"]);
    let empty = folder();
    fuzzcheck_on("coverage", &[empty.path()]).expect_error(&["no cases there"]);

    // A build that counts nothing says so.
    stage.worker(":");
    coverage("--jobs 1").expect_error(&["counted nothing"]);
}

#[test]
fn what_is_missing_to_count_is_named() {
    let stage = Stage::new("");
    let seeds = project().join("corpus/sql.db");
    let coverage = || {
        let mut command = stage.command("coverage --no-install");
        finish(command.env("PATH", format!("{}:/usr/bin:/bin", stage.path("bin").display())).arg(&seeds))
    };
    stage.program("bin/apt-get", "exit 0");
    stage.program("bin/llvm-cov", "echo 'LLVM version 14.0.6'");
    coverage().expect_error(&["has version 14, clang 22", "libclang-rt-22-dev llvm-22"]);
    stage.program("bin/llvm-cov", COV);
    file(stage.folder.path(), "no-clang", "");
    coverage().expect_error(&["is missing", "apt-get update && apt-get install"]);
}

/// Runs `words` in a working copy of stand-ins.
fn on_stage(stage: &Stage, words: &str) -> Ran {
    finish(&mut stage.command(words))
}

#[test]
fn one_replay_gives_modules_gaps_pages_and_the_trend() {
    let stage = Stage::new("");
    let case = file(stage.folder.path(), "case.sql", "SELECT 1;");
    let at = |name: &str| stage.path(name).display().to_string();
    let words = format!(
        "coverage --no-install --jobs 1 --json --gaps --html {} --save {} --trend {} {}",
        at("html"),
        at("a.json"),
        at("trend.json"),
        case.display()
    );
    let summary = on_stage(&stage, &words).expect(0).json();
    let modules = summary["reached"]["modules"].as_array().unwrap();
    let names: Vec<_> = modules.iter().map(|module| module["name"].as_str().unwrap()).collect();
    assert_eq!((names, &summary["reached"]["cases"]), (vec!["a.c", "b.c"], &1.into()));
    let sum: u64 = modules.iter().map(|m| m["reached"]["branches"]["covered"].as_u64().unwrap()).sum();
    assert_eq!(Some(sum), summary["branches"]["covered"].as_u64());
    let gap = summary["gaps"].as_array().unwrap().iter().find(|gap| gap["name"] == "second").unwrap();
    assert_eq!((&gap["kind"], &gap["size"], &gap["module"]), (&"function".into(), &10.into(), &"b.c".into()));
    assert_eq!(gap["target"], "sql: refers to it: first, which is reached");
    assert!(fs::read_to_string(stage.path("html/index.html")).unwrap().contains("a.c.html"));
    on_stage(&stage, &words).expect(0);
    let trend: serde_json::Value =
        serde_json::from_slice(&fs::read(stage.path("trend.json")).unwrap()).unwrap();
    assert_eq!(trend["nights"].as_array().unwrap().len(), 1, "the same corpus and build once");
    // Cases of two targets, against those of one, measured and as they were saved.
    let both = stage.path("both");
    fs::create_dir(&both).unwrap();
    fs::copy(&case, both.join("case.sql")).unwrap();
    fs::copy(project().join("corpus/db_file.db"), both.join("few.db")).unwrap();
    let words = format!("coverage --no-install --compare {} {}", both.join("few.db").display(), at("a.json"));
    let ran = on_stage(&stage, &words).expect(0);
    assert!(ran.out.contains("0 branches and 0 functions only there"), "{ran:?}");
}

#[test]
fn what_loops_of_faults_reach_is_saved_and_compared() {
    let stage = Stage::new("");
    let case = file(stage.folder.path(), "case.sql", "CREATE TABLE t(a);");
    let saved = stage.path("with.json");
    let words = format!(
        "faults --no-install --jobs 1 --kind oom --once --sample 8 --coverage {} {}",
        saved.display(),
        case.display()
    );
    let ran = on_stage(&stage, &words).expect(0);
    assert!(ran.out.contains("sample") && ran.err.contains("for `coverage --compare`"), "{ran:?}");
    let words = format!("coverage --no-install --jobs 1 --compare {} {}", case.display(), saved.display());
    let ran = on_stage(&stage, &words).expect(0);
    assert!(ran.out.contains("with.json: ") && ran.out.contains(" cases, 100 of 1000 branches"), "{ran:?}");
    let mine = file(stage.folder.path(), "mine.txt", "SELECT 1;");
    let words = format!("faults --coverage {} {}", mine.display(), case.display());
    on_stage(&stage, &words).expect_error(&["mine.txt", "refusing to overwrite"]);
}

#[test]
fn a_case_closes_a_gap() {
    let stage = Stage::new("");
    let folder = stage.path("cases");
    fs::create_dir(&folder).unwrap();
    file(&folder, "first.sql", "SELECT abs(1);");
    let gaps = |words: &str| {
        let words = format!("coverage gaps --no-install --jobs 1 {words} {}", folder.display());
        on_stage(&stage, &words).expect(0)
    };
    let names = |ran: Ran| -> Vec<String> {
        let gaps = ran.json()["gaps"].as_array().unwrap().clone();
        gaps.iter().map(|gap| gap["name"].as_str().unwrap().to_owned()).collect()
    };
    let before = names(gaps("--json --kind pragma"));
    assert!(before.contains(&"page_count".to_owned()) && before.contains(&"user_version".to_owned()));
    file(&folder, "second.sql", "PRAGMA page_count;");
    let after = names(gaps("--json --kind pragma"));
    assert!(!after.contains(&"page_count".to_owned()) && after.contains(&"user_version".to_owned()));
    assert!(!names(gaps("--json --kind sql-function")).contains(&"abs".to_owned()));
    let few = gaps("--kind function,pragma --limit 2");
    assert!(few.out.contains("function        10  second"), "{few:?}");
    assert!(few.out.contains("fuzzcheck: 2 of "), "{few:?}");
    fuzzcheck_on("coverage gaps", &[common::folder().path()]).expect_error(&["no cases there"]);
    fuzzcheck_on("coverage gaps --kind nonsense", &[]).expect_error(&["nonsense"]);
}

#[test]
fn what_cannot_be_written_or_read_is_known_before_anything_runs() {
    let folder = folder();
    let mine = file(folder.path(), "mine.txt", "SELECT 1;");
    let at = mine.display();
    fuzzcheck_on(&format!("coverage --html {}", folder.path().display()), &[])
        .expect_error(&["contains something other"]);
    fuzzcheck_on(&format!("coverage --save {at}"), &[]).expect_error(&["mine.txt", "refusing to overwrite"]);
    fuzzcheck_on(&format!("coverage --trend {at}"), &[]).expect_error(&["mine.txt", "not a trend file"]);
    fuzzcheck_on(&format!("coverage --compare {at} /nonexistent"), &[]).expect_error(&["/nonexistent"]);
    fuzzcheck_on(&format!("coverage --compare {at}"), &[]).expect_error(&["--compare"]);
    let saved = |source: &str| {
        format!(
            r#"{{"format":"fuzzcheck coverage 1","sqlite":{{"source_id":"{source}","version":"3","compile_options":[]}},
            "cases":1,"total":{{"branches":{{"covered":1,"total":2}},"lines":{{"covered":1,"total":2}},
            "functions":{{"covered":1,"total":2}},"regions":{{"covered":1,"total":2}}}},
            "functions":[{{"name":"f","module":"a.c","line":1,"is_reached":true}}],"branches":{{"2":[0]}}}}"#
        )
    };
    let [a, b] = ["one", "two"].map(|id| file(folder.path(), &format!("{id}.json"), saved(id)));
    let words = |a: &std::path::Path, b: &std::path::Path| {
        format!("coverage --compare {} {}", a.display(), b.display())
    };
    fuzzcheck_on(&words(&a, &b), &[]).expect_error(&["two against one", "different builds"]);
    fuzzcheck_on(&words(&a, &a), &[]).expect(0);
    let cut = file(folder.path(), "cut.json", &saved("one")[..100]);
    fuzzcheck_on(&words(&a, &cut), &[]).expect_error(&["cut.json: damaged"]);
    assert_eq!(fs::read_to_string(mine).unwrap(), "SELECT 1;");
}
