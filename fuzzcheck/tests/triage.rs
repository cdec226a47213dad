//! `fuzzcheck triage`: a pile of cases becomes a list of bugs.

use std::path::Path;

use crate::common::{Ran, file, folder, fuzzcheck_on};

const ENDLESS: &str = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) FROM r;";

fn triage(pile: &Path, folder: &Path, more: &str) -> Ran {
    let state = folder.join("state");
    let words = format!("triage --plant by-name --max-time-s 600 {more} --state");
    fuzzcheck_on(&words, &[&state, pile])
}

#[test]
fn a_pile_is_sorted_counted_and_made_smaller() {
    let folder = folder();
    let pile = folder.path().join("pile");
    std::fs::create_dir(&pile).unwrap();
    for i in 0..3 {
        let script =
            format!("CREATE TABLE t{i}(a, b); INSERT INTO t{i} VALUES({i}, planted('leak')); SELECT 1;");
        file(&pile, &format!("leak{i}.sql"), script);
    }
    file(&pile, "internal.sql", "SELECT 1; SELECT 2, planted('internal-error') FROM (SELECT 3);");
    file(&pile, "fine.sql", "SELECT 4;");
    file(&pile, "endless.sql", ENDLESS);
    let first = triage(&pile, folder.path(), "--json").expect(1).json();
    assert_eq!((&first["cases"], &first["cases_without_finding"]), (&6.into(), &2.into()));
    assert_eq!(
        (&first["cut_short"][0]["limit"], &first["cut_short"][0]["cases"]),
        (&"VM steps".into(), &1.into())
    );
    let bugs = first["bugs"].as_array().unwrap();
    let of = |signature: &str| bugs.iter().find(|bug| bug["signature"] == signature).unwrap();
    let leak = of("memory/leak/sqlite3VdbeExec");
    assert_eq!((bugs.len(), &leak["cases"], &leak["is_new"]), (2, &3.into(), &true.into()));
    assert_eq!(leak["statements"], 1);
    assert!(of("code/SQLITE_INTERNAL/SELECT")["statements"] == 1);
    // What is printed to see it again shows it.
    let replay = leak["replay"].as_str().unwrap().strip_prefix("cargo fuzzcheck ").unwrap();
    assert!(fuzzcheck_on(replay, &[]).expect(1).out.starts_with("memory/leak/sqlite3VdbeExec"));
    // The next day: a further case, and nothing counts twice.
    file(&pile, "leak3.sql", "SELECT planted('leak'), 'once more'");
    let second = triage(&pile, folder.path(), "--json").expect(1).json();
    let leak =
        second["bugs"].as_array().unwrap().iter().find(|bug| bug["signature"] == leak["signature"]).unwrap();
    assert_eq!((&leak["cases"], &leak["is_new"]), (&4.into(), &false.into()));
    assert!(leak["first_seen"].as_str() < leak["last_seen"].as_str());
}

/// A finding of an oracle that judges only if it is named needs no flag here: it is in the signature.
#[test]
fn a_finding_of_an_oracle_that_was_asked_for_is_found_again() {
    let folder = folder();
    let pile = folder.path().join("pile");
    std::fs::create_dir(&pile).unwrap();
    file(&pile, "differs.sql", "CREATE TABLE t(a); SELECT planted(), 1 FROM (SELECT 2);");
    let words = "triage --plant nondeterminism --json --state";
    let found = fuzzcheck_on(words, &[&folder.path().join("state"), &pile]).expect(1).json();
    let bug = &found["bugs"][0];
    assert_eq!((&bug["signature"], &bug["statements"]), (&"determinism/trace/second-run".into(), &1.into()));
    let replay = bug["replay"].as_str().unwrap().strip_prefix("cargo fuzzcheck ").unwrap();
    let again = fuzzcheck_on(replay, &[]).expect(1);
    assert!(again.out.starts_with("determinism/trace/second-run"), "{again:?}");
}

#[test]
fn known_bugs_are_told_from_new_ones() {
    let folder = folder();
    let pile = folder.path().join("pile");
    std::fs::create_dir(&pile).unwrap();
    let case = file(&pile, "leak.sql", "SELECT planted('leak');");
    let corpus = folder.path().join("known.db");
    let words = "corpus import --kind known --signature memory/leak/sqlite3VdbeExec --into";
    fuzzcheck_on(words, &[&corpus, &case]).expect(0);
    let corpus = format!("--no-minimize --corpus {}", corpus.display());
    file(&pile, "endless.sql", ENDLESS);
    let known = triage(&pile, folder.path(), &corpus).expect(0);
    assert!(
        known.out.contains("cut short, for `run` with another limit: 1 by VM steps (--limit-vm-steps)"),
        "{known:?}"
    );
    assert!(known.out.contains("known.db") && known.out.contains("0 new, 1 known"), "{known:?}");
    file(&pile, "internal.sql", "SELECT planted('internal-error');");
    let new = triage(&pile, folder.path(), &corpus).expect(1);
    assert!(new.out.contains("1 new, 1 known"), "{new:?}");
}

#[test]
fn nothing_and_damaged_state_are_errors() {
    let folder = folder();
    let pile = folder.path().join("pile");
    std::fs::create_dir(&pile).unwrap();
    triage(&pile, folder.path(), "").expect_error(&["pile", "no cases"]);
    file(&pile, "fine.sql", "SELECT 4;");
    let state = folder.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    file(&state, "triage.json", "{");
    triage(&pile, folder.path(), "").expect_error(&["triage.json", "--state"]);
    std::fs::remove_dir_all(&state).unwrap();
    triage(&pile, folder.path(), "").expect(0);
}
