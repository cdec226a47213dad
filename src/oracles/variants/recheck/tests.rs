//! The checks pass after a script with all kinds of tables, and each fails on a bug of its own.

use super::super::tests::judged;
use crate::engine::plant::{AnswerPlant, PlantedWhen, WrongAnswer};
use crate::oracles::{SkipReason, Verdict};

/// A temporary table tells the connection of the script from a new one.
const SCRIPT: &str =
    "PRAGMA foreign_keys=ON; CREATE TEMP TABLE own(a); CREATE TABLE p(id INTEGER PRIMARY KEY, x UNIQUE);
    CREATE TABLE c(y REFERENCES p ON DELETE CASCADE, z DEFAULT 5); CREATE INDEX cy ON c(y, z);
    CREATE VIEW v AS SELECT y, x FROM c JOIN p ON y = id;
    CREATE VIRTUAL TABLE f USING fts5(t); CREATE VIRTUAL TABLE r USING rtree(i, a, b);
    INSERT INTO p VALUES(1, 'a'), (2, 'b'); INSERT INTO c VALUES(1, 1), (2, 2);
    INSERT INTO f VALUES('some words'); INSERT INTO r VALUES(1, 0, 1); DELETE FROM p WHERE id = 2;
    SELECT x FROM v; SELECT count(*) FROM c WHERE y = 1";
const OWN: &str = "SELECT CAST(count(*) AS TEXT) FROM temp.sqlite_master";

#[test]
fn a_healthy_engine_passes_all_checks() {
    let (verdict, nontrivial) = judged("recheck", SCRIPT, None);
    assert_eq!(verdict, Verdict::Pass);
    // Two queries, two databases, foreign keys, two virtual tables, and three things on a new connection.
    assert_eq!(nontrivial, 10);
}

#[test]
fn each_check_fails_on_a_bug_of_its_own() {
    use PlantedWhen::{Always, Returns};
    use WrongAnswer::{Also, MissingRow, OtherValue};
    let plants = [
        ("quick_check", Always, OtherValue, "quick-check/disagrees"),
        ("quick_check", Returns(OWN, "0"), OtherValue, "reopened/quick-check"),
        ("integrity_check", Returns(OWN, "0"), OtherValue, "reopened/integrity"),
        ("INSERT INTO f VALUES", Always, Also("UPDATE f_content SET c0 = 'other'"), "full-text/damage"),
        ("rtreecheck", Always, OtherValue, "rtree/damage"),
        ("pragma_table_xinfo", Returns(OWN, "0"), MissingRow, "reopened/differs"),
        ("pragma_index_list", Returns(OWN, "0"), OtherValue, "reopened/differs"),
        ("SELECT * FROM main.\"c\"", Returns(OWN, "0"), MissingRow, "reopened/differs"),
        ("SELECT count(*)", Always, Also("ALTER TABLE c RENAME COLUMN z TO w"), ""),
        ("SELECT count(*)", Always, Also("ALTER TABLE c RENAME COLUMN y TO w"), "query/refused"),
    ];
    for (at, when, effect, signature) in plants {
        let plant = AnswerPlant { at, when, effect };
        match (judged("recheck", SCRIPT, Some(plant)).0, signature) {
            (Verdict::Pass, "") => {}
            (Verdict::Fail(finding), _) if !signature.is_empty() => {
                assert_eq!(finding.signature.as_str(), format!("recheck/{signature}"), "{finding}");
            }
            (other, _) => panic!("{plant:?}: {other:?}"),
        }
    }
}

#[test]
fn foreign_keys_may_be_violated_where_they_were_not_enforced() {
    let keys = "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(y REFERENCES p ON DELETE CASCADE);";
    let script =
        format!("PRAGMA foreign_keys=ON; {keys} INSERT INTO p VALUES(1),(2); INSERT INTO c VALUES(1);");
    for skipped in [
        format!("{script} PRAGMA foreign_keys=OFF; DELETE FROM p"),
        format!("{keys} INSERT INTO c VALUES(1)"),
        format!("{script} PRAGMA foreign_keys=OFF; DROP TABLE p"),
    ] {
        assert_eq!(judged("recheck", &skipped, None).0, Verdict::Pass, "{skipped}");
    }
}

#[test]
fn enforced_foreign_keys_that_are_violated_are_found() {
    let script =
        "PRAGMA foreign_keys=ON; CREATE TABLE p(id TEXT PRIMARY KEY); CREATE TABLE c(y TEXT REFERENCES p);
        INSERT INTO p VALUES('kept'); INSERT INTO c VALUES('kept'); SELECT 1";
    let losing = "UPDATE sqlite_dbpage SET data = CAST(replace(data, 'kept', 'lost') AS BLOB)
        WHERE pgno = (SELECT rootpage FROM sqlite_schema WHERE name = 'c')";
    for at in ["SELECT 1", "INSERT INTO c"] {
        let plant = AnswerPlant { at, when: PlantedWhen::Always, effect: WrongAnswer::Also(losing) };
        match judged("recheck", script, Some(plant)).0 {
            Verdict::Fail(finding) => assert_eq!(finding.signature.as_str(), "recheck/foreign-key/violated"),
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn nothing_is_said_after_what_makes_damage_possible() {
    let scripts = [
        "PRAGMA journal_mode=OFF; CREATE TABLE t(a)",
        "CREATE VIRTUAL TABLE f USING fts5(a); DELETE FROM f_data",
    ];
    for script in scripts {
        let verdict = judged("recheck", script, None).0;
        assert!(
            matches!(verdict, Verdict::Skip(SkipReason::Tainted(_) | SkipReason::Excused(_))),
            "{verdict:?}"
        );
    }
}
