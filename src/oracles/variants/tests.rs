//! Each oracle is silent on a healthy engine, and red on wrong answers and wrong changes under one of its set-ups.

use super::*;
use crate::engine::plant::{AnswerPlant, Plant, PlantedWhen, WrongAnswer};
use crate::engine::sqlite::Executor;
use crate::targets::DB_SQL;

/// What the oracle `name` says of a script, and how often it compared something that could have differed.
pub(super) fn judged(name: &str, script: &str, plant: Option<AnswerPlant>) -> (Verdict, u32) {
    let mut executor = Executor::shared();
    if let Some(plant) = plant {
        executor.plant(Plant::Answer(plant));
    }
    let judged = DB_SQL.judge_within(&mut executor, &TestCase::from_sql(script), &DB_SQL.budget, &[name]);
    let said = judged.judgements.into_iter().find(|said| said.oracle.name == name).expect("it was asked for");
    (said.verdict, said.spent.nontrivial)
}

/// Savepoints and changes of more than a page, a trigger and a view.
const SCRIPT: &str = "CREATE TABLE t(a INT PRIMARY KEY, b TEXT); CREATE INDEX ib ON t(b); CREATE TABLE seen(c);
    CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT INTO seen VALUES(old.a); END;
    CREATE VIEW v AS SELECT a, b FROM t WHERE a > 3;
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n LIMIT 40)
      INSERT INTO t SELECT x, printf('%0100d', x) FROM n;
    BEGIN; SAVEPOINT s; UPDATE t SET b = b || 'x'; SAVEPOINT q; DELETE FROM t WHERE a < 20; RELEASE q; ROLLBACK TO s;
    UPDATE t SET b = 'y' WHERE a = 7; COMMIT;
    DELETE FROM t WHERE a BETWEEN 30 AND 33;
    SELECT count(*), sum(a) FROM v; SELECT c FROM seen ORDER BY c; SELECT b FROM t WHERE a = 7";

const NAMES: [&str; 5] = ["journal", "cache", "encoding", "script_plans", "copies"];

#[test]
fn a_healthy_engine_passes_and_something_was_compared() {
    for name in NAMES {
        let (verdict, nontrivial) = judged(name, SCRIPT, None);
        assert_eq!(verdict, Verdict::Pass, "{name}");
        assert!(nontrivial > 0, "{name}");
    }
}

/// A planted bug for each oracle, at least two: in an answer, and in what is stored.
fn plants() -> Vec<(&'static str, AnswerPlant, &'static str)> {
    use PlantedWhen::{Always, Optimized, Returns};
    use WrongAnswer::{Also, MissingRow, OtherValue};
    const SIZE: &str = "SELECT CAST(page_size AS TEXT) FROM pragma_page_size";
    const SPILL: &str = "SELECT CAST(cache_size AS TEXT) FROM pragma_cache_size";
    let plant = |at, when, effect| AnswerPlant { at, when, effect };
    vec![
        (
            "journal",
            plant("ROLLBACK TO", Returns("PRAGMA journal_mode", "memory"), Also("DELETE FROM t WHERE a = 9")),
            "/rows-SELECT",
        ),
        (
            "journal",
            plant("SELECT c FROM", Returns("PRAGMA journal_mode", "wal"), MissingRow),
            "/rows-SELECT",
        ),
        (
            "journal",
            plant("SELECT b FROM", Returns("PRAGMA journal_mode", "persist"), Also("UPDATE t SET b = 'z'")),
            "/table",
        ),
        ("cache", plant("SELECT c FROM", Returns(SPILL, "1"), OtherValue), "/rows-SELECT"),
        ("cache", plant("SELECT b FROM", Returns(SIZE, "512"), Also("DELETE FROM seen")), "/table"),
        (
            "encoding",
            plant("SELECT b FROM", Returns("PRAGMA encoding", "UTF-16le"), Also("DROP VIEW v")),
            "/schema",
        ),
        (
            "encoding",
            plant("SELECT c FROM", Returns("PRAGMA encoding", "UTF-16be"), MissingRow),
            "/rows-SELECT",
        ),
        ("copies", plant("REINDEX", Always, Also("DELETE FROM t WHERE a = 5")), "/table"),
        ("copies", plant("FROM tandem_copy.\"t\"", Always, MissingRow), "copies/vacuum-into/table"),
        (
            "copies",
            plant("/* serialize", Always, Also("DELETE FROM t WHERE a = 5")),
            "copies/serialize/table",
        ),
        ("copies", plant("/* backup", Always, Also("DROP INDEX ib")), "copies/backup/schema"),
        ("copies", plant("\"t\" VALUES(7", Always, Also("DELETE FROM t WHERE a = 5")), "copies/dump/table"),
        (
            "script_plans",
            plant(
                "DELETE FROM t WHERE a BETWEEN",
                Optimized(0x8_0000),
                Also("DELETE FROM seen WHERE c = 31"),
            ),
            "bloom-filter/rows-SELECT",
        ),
        (
            "script_plans",
            plant("SELECT b FROM", Optimized(0x4000), Also("DELETE FROM t WHERE a = 7")),
            "skip-scan/table",
        ),
    ]
}

#[test]
fn wrong_answers_and_changes_turn_the_oracles_red() {
    let plants = plants();
    for (name, plant, signature) in &plants {
        match judged(name, SCRIPT, Some(*plant)).0 {
            Verdict::Fail(finding) => {
                let is_expected = finding.signature.as_str().ends_with(signature);
                assert!(is_expected && finding.signature.as_str().starts_with(name), "{finding}");
            }
            other => panic!("{name}: {plant:?}: {other:?}"),
        }
    }
    for name in NAMES {
        assert!(plants.iter().filter(|(of, ..)| *of == name).count() >= 2, "{name}");
    }
}

#[test]
fn what_the_set_up_may_change_is_not_compared() {
    let scripts = [
        ("journal", "CREATE TABLE t AS SELECT random() AS a; SELECT a FROM t"),
        ("journal", "PRAGMA journal_mode=OFF; CREATE TABLE t(a)"),
        ("cache", "CREATE TABLE t AS SELECT page_size AS a FROM pragma_page_size; SELECT a FROM t"),
        ("encoding", "SELECT hex('a')"),
        ("encoding", "SELECT 'é' < 'z'"),
        ("script_plans", "CREATE TABLE t(a); CREATE TABLE u AS SELECT a FROM t LIMIT 1"),
        (
            "script_plans",
            "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); UPDATE t SET a = (SELECT max(a) FROM t) + 1",
        ),
    ];
    for (name, script) in scripts {
        let verdict = judged(name, script, None).0;
        assert!(matches!(verdict, Verdict::Skip(_)), "{name}: {script}: {verdict:?}");
    }
    // A query that shows the set-up does not keep the rest from being judged.
    let script = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT random(); SELECT * FROM pragma_page_size; PRAGMA cache_size; SELECT a FROM t";
    for name in ["journal", "cache", "encoding"] {
        assert_eq!(judged(name, script, None).0, Verdict::Pass, "{name}");
    }
}
