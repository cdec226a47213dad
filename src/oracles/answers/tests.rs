//! Each check is silent on answers that are right, and red on wrong ones.

use super::*;
use crate::engine::plant::{AnswerPlant, Plant, PlantedWhen, WrongAnswer};
use crate::engine::sqlite::Executor;
use crate::oracles::{Finding, Group, NUMBERED, ORACLES, Signature, SkipReason};
use crate::targets::DB_SQL;
use crate::testcase::Setting;

/// What the oracle `name` says of a script.
fn verdict(name: &str, script: &str, plant: Option<AnswerPlant>) -> Verdict {
    let mut executor = Executor::shared();
    if let Some(plant) = plant {
        executor.plant(Plant::Answer(plant));
    }
    let judged = DB_SQL.judge_within(&mut executor, &TestCase::from_sql(script), &DB_SQL.budget, &[name]);
    let of_name = judged.judgements.into_iter().find(|said| said.oracle.name == name);
    of_name.expect("it was asked for").verdict
}

/// A table with indexes and a view, and queries with everything that the checks look at.
const SCRIPT: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b INT, c TEXT);
    INSERT INTO t VALUES(1,5,'x'),(2,NULL,'y'),(3,7,'z'),(4,5,'x'),(5,0,NULL);
    CREATE INDEX ib ON t(b); CREATE INDEX ic ON t(c, b); CREATE VIEW v AS SELECT a, b+1 AS d FROM t WHERE b > 0;
    CREATE TABLE u(b, e); INSERT INTO u SELECT b, c FROM t WHERE a < 4;
    SELECT a, b FROM t WHERE b = 5;
    SELECT t.a, u.e FROM t, u WHERE t.b = u.b AND t.a > 1 ORDER BY 1 DESC;
    SELECT count(*), sum(b) FROM t WHERE c IN ('x', 'z');
    SELECT d FROM v WHERE d > 5 ORDER BY d;
    SELECT b, count(*) FROM t GROUP BY b ORDER BY b;
    SELECT c FROM t WHERE EXISTS(SELECT 1 FROM u WHERE u.b = t.b);
    SELECT t.a, u.e FROM t RIGHT JOIN u ON t.b = u.b;
    SELECT count(*) FROM t LEFT JOIN u USING(b) WHERE a > 1;
    SELECT a, sum(b) OVER (ORDER BY a ROWS 1 PRECEDING) FROM t;
    SELECT group_concat(c) OVER () FROM t;
    SELECT a, (SELECT max(b) FROM u) FROM t WHERE EXISTS(SELECT 1 FROM u WHERE b > 6) AND abs((SELECT min(b) FROM u)) = b;
    SELECT json_extract(json_array(a, c), '$[1]'), json_array(a, c) FROM t;
    SELECT c -> '$' FROM t WHERE c IS NULL; SELECT value FROM json_each('[1, 2]');
    SELECT a FROM t WHERE b IN (SELECT b FROM u) AND c NOT IN (SELECT k FROM (SELECT 'q' AS k));
    UPDATE t SET c = 'w' WHERE b = 5 AND a > 1;
    DELETE FROM t WHERE c = 'w';
    CREATE TABLE w(k TEXT PRIMARY KEY, n REAL CHECK(n > 0)) WITHOUT ROWID;
    INSERT INTO w VALUES('p', 1), ('q', 2);
    UPDATE w SET n = n + 1 WHERE k = 'p' RETURNING k, n;
    BEGIN;
    INSERT INTO w VALUES('r', 3), ('s', -1);
    COMMIT;
    SELECT * FROM t ORDER BY c, a;
    SELECT e FROM u ORDER BY b DESC, e COLLATE NOCASE; SELECT b FROM t WHERE a BETWEEN 2 AND 4;
    SELECT a FROM t WHERE b NOT IN (0, 7);
    SELECT e FROM u UNION ALL SELECT k FROM w;
    SELECT a FROM t ORDER BY a DESC LIMIT 2;
    SELECT b FROM t LIMIT 1 OFFSET 1;
    CREATE VIEW x AS SELECT 1; DROP VIEW x;
    BEGIN; CREATE TEMP TABLE y AS SELECT * FROM t; SAVEPOINT Outer; INSERT INTO u SELECT a, c FROM t;
    SAVEPOINT inner; UPDATE y SET a = a + 1; PRAGMA user_version = 7; RELEASE [inner]; DROP TABLE w;
    ROLLBACK TO [OUTER]; INSERT INTO y VALUES(1, 2, 3); END;
    BEGIN; INSERT OR ROLLBACK INTO t(a) VALUES(9), (1);
    BEGIN; DELETE FROM u; SAVEPOINT s; UPDATE t SET b = 1; ROLLBACK;";

fn plant(at: &'static str, when: PlantedWhen, effect: WrongAnswer) -> AnswerPlant {
    AnswerPlant { at, when, effect }
}

#[test]
fn right_answers_pass_and_say_something() {
    for entry in ORACLES.iter().filter(|entry| entry.oracle.of_statements().is_some()) {
        assert_eq!(verdict(entry.name, SCRIPT, None), Verdict::Pass, "{}", entry.name);
    }
}

#[test]
fn what_a_rollback_or_limit_may_leave_otherwise_is_not_accused() {
    let scripts = [
        "BEGIN; CREATE TEMP TABLE y(x); ROLLBACK;",
        "BEGIN; ALTER TABLE t ADD x; INSERT OR ROLLBACK INTO t(a) VALUES(1);",
        "BEGIN; ATTACH ':memory:' AS o; CREATE TABLE o.y(x); PRAGMA o.user_version = 3; ROLLBACK;",
        "SAVEPOINT a; SAVEPOINT A; DELETE FROM t; RELEASE a; ROLLBACK TO a; INSERT INTO t(a) VALUES(6); RELEASE a; ROLLBACK;",
        "BEGIN; DELETE FROM t; ROLLBACK TRANSACTION; ROLLBACK; SAVEPOINT x; DELETE FROM t; ROLLBACK; SELECT * FROM t LIMIT 1;",
        "CREATE VIRTUAL TABLE f USING fts5(x); BEGIN; INSERT INTO f VALUES('a'); SAVEPOINT s; DELETE FROM f; DROP TABLE f; \
         ROLLBACK TO s; ROLLBACK;",
        "CREATE TEMP TABLE t(x); DROP TABLE t; DROP TABLE IF EXISTS nothing; CREATE TABLE IF NOT EXISTS t(x);",
        "SELECT b FROM t LIMIT 1, 2; SELECT b FROM t LIMIT -1 OFFSET 9; SELECT b FROM t LIMIT 0; SELECT b FROM t LIMIT 1+1;",
        "INSERT INTO t VALUES(7, 1, 'X '), (8, 1.0, 'X'); SELECT DISTINCT c COLLATE NOCASE FROM t ORDER BY 1 LIMIT 2;",
        "SELECT random() LIMIT 1; SELECT random() UNION ALL SELECT random(); SELECT max(b), c FROM t UNION ALL SELECT 1, 2;",
    ];
    for script in scripts {
        let script = format!("{} {script}", SCRIPT.lines().take(2).collect::<Vec<_>>().join(" "));
        assert_eq!(verdict("property", &script, None), Verdict::Pass, "{script}");
    }
}

#[test]
fn what_names_a_column_is_not_written_otherwise() {
    let sides = "(SELECT a, b > 0, c -> '$', b IN (SELECT b FROM t) FROM t)";
    let script = format!(
        "CREATE TABLE t(a, b, c); INSERT INTO t VALUES(1, 2, '[3]'), (2, NULL, '4');
         SELECT * FROM {sides} AS l NATURAL FULL JOIN {sides} AS r"
    );
    for name in ["bound", "constant", "eet", "json"] {
        let said = verdict(name, &script, None);
        assert!(!matches!(said, Verdict::Fail(_)), "{name}: {said:?}");
    }
}

#[test]
fn an_aggregate_of_what_is_around_a_subquery_makes_a_bare_column() {
    let script = "CREATE TABLE t(a, c); CREATE TABLE u(a, c); INSERT INTO t VALUES(1, 2);
        SELECT t.a, (SELECT max(u.c) FROM t WHERE a) FROM t JOIN u USING(a) WHERE u.c > 3";
    for name in ["norec", "tlp", "plans", "materialized"] {
        let said = verdict(name, script, None);
        assert_eq!(said, Verdict::Skip(SkipReason::Excused(Open::BareColumn.reason())), "{name}");
    }
}

#[test]
fn constraints_on_virtual_tables_are_judged_if_others_see_them_alike() {
    let begin = "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES(1, 1, 2), (2, 3.1, 4), (3, 5, 6);
        CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a b'), ('c');";
    let judged = [
        "SELECT id FROM r WHERE x0 > 3 AND x1 <= 5.5",
        "SELECT rt.x1 FROM r AS rt WHERE rt.id IN (2, 3)",
        "SELECT x FROM f WHERE x > 'b'",
    ];
    for script in judged {
        for name in ["norec", "materialized"] {
            assert_eq!(verdict(name, &format!("{begin} {script}"), None), Verdict::Pass, "{name}: {script}");
        }
    }
    assert_eq!(
        verdict("norec", "SELECT value FROM json_each('[1, 2]') WHERE value > 1", None),
        Verdict::Pass
    );
    let skipped = [
        "SELECT value FROM json_each WHERE json = '[1, 2]'",
        "SELECT x FROM f WHERE f MATCH 'c'",
        "SELECT x FROM f WHERE x MATCH 'c'",
        "SELECT x FROM f WHERE rank < 0",
    ];
    for script in skipped {
        let said = verdict("norec", &format!("{begin} {script}"), None);
        assert!(matches!(said, Verdict::Skip(_)), "{script}: {said:?}");
    }
}

#[test]
fn names_that_are_not_utf_8_accuse_nobody() {
    let mut script = b"CREATE TABLE t(a, \"b\xff\"); INSERT INTO t VALUES(1, 2); SELECT * FROM t; BEGIN;
        CREATE VIRTUAL TABLE f USING fts4(\"x\xff\"); INSERT INTO f VALUES('a'); COMMIT;"
        .to_vec();
    script.extend(b"SELECT 1%1, 1%1, 1%1, 1%1, 1%1, 1%1, 1%1, 1%1");
    for name in ["row", "property"] {
        let case = TestCase { sql: crate::testcase::Script::new(script.clone()), ..TestCase::default() };
        let judged = DB_SQL.judge_within(&mut Executor::shared(), &case, &DB_SQL.budget, &[name]);
        let said =
            judged.judgements.into_iter().find(|said| said.oracle.name == name).expect("it was asked for");
        assert!(!matches!(said.verdict, Verdict::Fail(_)), "{name}: {:?}", said.verdict);
    }
}

/// A schema in which each of these is left open by the words of a query, but not by its rows.
#[test]
fn what_rows_decide_is_judged() {
    let begin = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); INSERT INTO t VALUES(1, 2, 'x');
        INSERT INTO t VALUES(2, 2, 'x'); INSERT INTO t VALUES(3, 5, 'y');";
    let decided = [
        "SELECT a, (SELECT u.c FROM t AS u WHERE u.a = t.b) FROM t WHERE b = 2",
        "SELECT a FROM t WHERE b = (SELECT max(u.b) FROM t AS u WHERE u.c = t.c) AND c > (SELECT u.a FROM t AS u WHERE u.a = t.a LIMIT 1)",
        "SELECT a FROM t WHERE b > 1 LIMIT 9",
        "SELECT a FROM (SELECT a, b FROM t LIMIT 3) WHERE b > 1",
        "SELECT b, c, count(*) FROM t WHERE a > 0 GROUP BY b",
        "SELECT a, count(*) FROM t WHERE a = 3",
        "SELECT a FROM t WHERE b > 1 LIMIT 1",
        "SELECT * FROM (SELECT b, row_number() OVER (PARTITION BY b ORDER BY a DESC) AS n FROM t) WHERE b > 1 AND n = 1",
        "SELECT b, sum(a) OVER w FROM t WHERE b > 1 WINDOW w AS (ORDER BY b, a ROWS 1 PRECEDING)",
        "CREATE VIEW v AS SELECT a FROM t WHERE b > 1",
        "CREATE TABLE n AS SELECT a FROM t WHERE b > 1",
        "UPDATE t SET c = u.c FROM t AS u WHERE u.a = t.b AND t.a > 1",
    ];
    let open = [
        "SELECT a, (SELECT u.c FROM t AS u WHERE u.b = t.b) FROM t WHERE b = 2",
        "SELECT a FROM (SELECT a, b FROM t LIMIT 2) WHERE b > 1",
        "SELECT a FROM (SELECT a, b FROM t LIMIT 3 OFFSET 1) WHERE b > 1",
        "SELECT b, a, count(*) FROM t WHERE a > 0 GROUP BY b",
        "SELECT a, row_number() OVER (ORDER BY b) FROM t WHERE b > 1",
        "SELECT a FROM t WHERE b > 1 ORDER BY row_number() OVER (ORDER BY b)",
        "SELECT group_concat(a), sum(a) OVER (ORDER BY a) FROM t WHERE b > 1 GROUP BY a",
        "SELECT b, t.*, count(*) FROM t WHERE a > 0 GROUP BY b",
    ];
    for script in decided {
        assert_eq!(verdict("plans", &format!("{begin} {script}"), None), Verdict::Pass, "{script}");
    }
    // Parts of a query, and the whole without its predicate, have other rows.
    for script in [decided[0], decided[4]] {
        let said = verdict("tlp", &format!("{begin} {script}"), None);
        assert!(matches!(said, Verdict::Skip(_)), "{script}: {said:?}");
    }
    assert_eq!(verdict("tlp", &format!("{begin} SELECT a FROM t WHERE b > 2 LIMIT 1"), None), Verdict::Pass);
    for script in open {
        let said = verdict("plans", &format!("{begin} {script}"), None);
        assert!(matches!(said, Verdict::Skip(_)), "{script}: {said:?}");
    }
}

const HAS_INDEX: &str = "SELECT '1' FROM sqlite_master WHERE name = 'tandem_index'";
const HAS_STATISTICS: &str = "SELECT '1' FROM sqlite_stat1";

/// A planted bug for each check, at least two.
fn plants() -> Vec<(&'static str, AnswerPlant, &'static str)> {
    use PlantedWhen::{Always, Optimized, Returns};
    use WrongAnswer::{Also, MissingRow, OtherValue, Reversed, RowTwice};
    vec![
        ("plans", plant("d FROM v", Optimized(0x8_0000), MissingRow), "plans/bloom-filter/SELECT"),
        ("plans", plant("a, b FROM t WHERE", Optimized(0x4000), OtherValue), "plans/skip-scan/SELECT"),
        ("norec", plant("WHERE b = 5", Always, MissingRow), "norec/rows/SELECT"),
        ("norec", plant("SELECT a, b FROM t WHERE", Always, RowTwice), "norec/rows/SELECT"),
        ("materialized", plant("LIMIT -1) SELECT a, b", Always, MissingRow), "materialized/rows/SELECT"),
        ("materialized", plant("LIMIT -1) SELECT c FROM", Always, OtherValue), "materialized/rows/SELECT"),
        ("order", plant("\n    SELECT b, count(*)", Always, Reversed), "order/keys/SELECT"),
        ("order", plant("\n    SELECT t.a, u.e", Always, Reversed), "order/keys/SELECT"),
        ("order", plant("e FROM u ORDER BY b", Always, Reversed), "order/rank/SELECT"),
        ("row", plant("SELECT count(*) FROM (", Always, OtherValue), "row/count/VALUES"),
        (
            "atomicity",
            plant("\n    INSERT INTO w VALUES('r'", Always, Also("INSERT INTO w VALUES('r', 3)")),
            "atomicity/rows-SQLITE_CONSTRAINT_CHECK/INSERT",
        ),
        (
            "atomicity",
            plant("\n    INSERT INTO w VALUES('r'", Always, Also("CREATE TABLE z(x)")),
            "atomicity/schema-SQLITE_CONSTRAINT_CHECK/INSERT",
        ),
        (
            "change",
            plant("\n    UPDATE t SET c", Always, Also("UPDATE t SET b = x'00' WHERE a = 3")),
            "change/rows/UPDATE",
        ),
        (
            "change",
            plant("\n    UPDATE t SET c", Always, Also("UPDATE t SET c = 'v' WHERE a = 4")),
            "change/values/UPDATE",
        ),
        (
            "change",
            plant("\n    INSERT INTO w VALUES('p'", Always, Also("DELETE FROM w WHERE k = 'q'")),
            "change/rows/INSERT",
        ),
        ("change", plant("\n    UPDATE w SET", Always, MissingRow), "change/returning/UPDATE"),
        ("property", plant("e FROM u UNION ALL", Always, MissingRow), "property/union-all/SELECT"),
        ("property", plant("'x'), (2, NULL", Always, OtherValue), "property/union-all/VALUES"),
        ("property", plant("LIMIT 2", Always, RowTwice), "property/limit-count/SELECT"),
        ("property", plant("LIMIT 2", Always, Reversed), "property/limit-keys/SELECT"),
        ("property", plant("LIMIT 1 OFFSET", Always, OtherValue), "property/limit-rows/SELECT"),
        (
            "property",
            plant("DELETE FROM u", Always, Also("INSERT INTO u VALUES(1, 2)")),
            "property/delete/DELETE",
        ),
        ("property", plant("DROP VIEW", Always, Also("CREATE VIEW x AS SELECT 2")), "property/drop/DROP"),
        ("property", plant("CREATE VIEW x", Always, Also("DROP VIEW x")), "property/create/CREATE"),
        (
            "property",
            plant("ROLLBACK TO", Always, Also("UPDATE y SET c = 'planted'")),
            "property/rollback-rows/ROLLBACK",
        ),
        ("property", plant("ROLLBACK TO", Always, Also("DROP TABLE y")), "property/rollback-schema/ROLLBACK"),
        (
            "property",
            plant("ROLLBACK TO", Always, Also("PRAGMA user_version=8")),
            "property/rollback-header/ROLLBACK",
        ),
        (
            "property",
            plant("INSERT OR ROLLBACK", Always, Also("DELETE FROM t WHERE a = 1")),
            "property/error-rows/INSERT",
        ),
        ("property", plant("RELEASE", Always, Also("DELETE FROM w")), "property/commit-rows/RELEASE"),
        ("property", plant(" END", Always, Also("DELETE FROM t")), "property/commit-rows/END"),
        ("row", plant(") WHERE `a` =", Always, MissingRow), "row/lost/SELECT"),
        ("join", plant("FROM u LEFT JOIN t ON", Always, MissingRow), "join/right/SELECT"),
        ("join", plant("FROM u CROSS JOIN t", Always, OtherValue), "join/order/SELECT"),
        ("join", plant("FULL JOIN u", Always, MissingRow), "join/contains/SELECT"),
        ("window", plant("SELECT sum(b) OVER", Always, OtherValue), "window/sum/SELECT"),
        ("window", plant("SELECT group_concat(c) OVER", Always, OtherValue), "window/group_concat/SELECT"),
        ("window", plant("SELECT a, sum(b) OVER", Always, MissingRow), "window/column/SELECT"),
        ("pivot", plant("WHERE t.\"", Always, MissingRow), "pivot/number/SELECT"),
        ("pivot", plant("WHERE u.\"", Always, MissingRow), "pivot/none/SELECT"),
        ("tlp", plant("a, b FROM t WHERE NOT (", Always, MissingRow), "tlp/rows/SELECT"),
        ("tlp", plant("sum(b) FROM t WHERE NOT", Always, MissingRow), "tlp/aggregates/SELECT"),
        ("tlp", plant("HAVING NOT (", Always, RowTwice), "tlp/groups/SELECT"),
        ("eet", plant("(b = 5)", Always, MissingRow), "eet/rows/SELECT"),
        ("eet", plant("(t.b = u.b AND t.a > 1)", Always, RowTwice), "eet/rows/SELECT"),
        ("eet", plant("= +('x')", Always, OtherValue), "eet/operators/SELECT"),
        ("eet", plant("(a) <= (4)", Always, MissingRow), "eet/operators/SELECT"),
        ("json", plant("THEN jsonb(", Always, MissingRow), "json/read/SELECT"),
        ("json", plant("json(jsonb_array(", Always, OtherValue), "json/form/SELECT"),
        ("json", plant("jsonb(c) ELSE c END -> '$'", Always, RowTwice), "json/read/SELECT"),
        ("json", plant("THEN jsonb('[1, 2]')", Always, MissingRow), "json/read/SELECT"),
        ("json", plant("json(jsonb(?1))", Always, OtherValue), "json/round-trip/SELECT"),
        ("constant", plant("WHERE 1 AND", Always, MissingRow), "constant/rows/SELECT"),
        ("constant", plant("FROM tandem_rows", Always, MissingRow), "constant/rows/SELECT"),
        ("constant", plant("SELECT a, 7", Always, OtherValue), "constant/rows/SELECT"),
        (
            "indexes",
            plant("a, b FROM t WHERE b", Returns(HAS_INDEX, "1"), MissingRow),
            "indexes/index-expression/SELECT",
        ),
        (
            "indexes",
            plant("a FROM t WHERE b NOT IN", Returns(HAS_STATISTICS, "1"), RowTwice),
            "indexes/statistics/SELECT",
        ),
        ("session", plant("/* undone", Always, MissingRow), "session/undone/INSERT"),
        ("session", plant("/* repeated", Always, OtherValue), "session/repeated/INSERT"),
        ("session", plant("/* patched", Always, RowTwice), "session/patched/INSERT"),
        ("session", plant("/* after", Always, Also("DELETE FROM t WHERE a = 1")), "session/conflict/INSERT"),
        ("eet", plant("NOT ((b) = +(", Always, MissingRow), "eet/operators/SELECT"),
        ("bound", plant("b = ?1", Always, MissingRow), "bound/rows/SELECT"),
        ("bound", plant("t.a > ?1", Always, OtherValue), "bound/rows/SELECT"),
    ]
}

#[test]
fn wrong_answers_turn_the_checks_red() {
    let plants = plants();
    let mut wrong = Vec::new();
    for (name, plant, signature) in &plants {
        match verdict(name, SCRIPT, Some(*plant)) {
            Verdict::Fail(finding) if finding.signature.as_str() == *signature => {}
            other => wrong.push(format!("{name}: {plant:?}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for entry in ORACLES.iter().filter(|entry| entry.oracle.of_statements().is_some()) {
        let count = plants.iter().filter(|(name, ..)| *name == entry.name).count();
        assert!(count >= 2, "{count} planted bugs for `{}`", entry.name);
    }
}

#[test]
fn a_case_can_name_each_oracle_of_answers_and_is_judged_by_it() {
    let of_answers = ORACLES.iter().filter(|entry| entry.group == Group::Answers).map(|entry| entry.name);
    let (mut names, mut numbered) = (of_answers.collect::<Vec<_>>(), NUMBERED.to_vec());
    names.sort_unstable();
    numbered.sort_unstable();
    assert_eq!(names, numbered);
    let mut case = TestCase::from_sql(SCRIPT);
    case.config.set(Setting::Oracle, 2);
    let judged = DB_SQL.judge(&mut Executor::shared(), &case).judgements;
    let norec = judged.iter().find(|said| said.oracle.name == "norec").expect("the case names it");
    assert_eq!(norec.verdict, Verdict::Pass);
    assert!(judged.iter().all(|said| said.oracle.is_usual() || said.oracle.name == "norec"));
}

#[test]
fn a_case_of_which_only_a_part_was_looked_at_is_not_judged() {
    let whole = Ledger { checks: 3, ..Ledger::default() };
    assert_eq!(whole.verdict(), Verdict::Pass);
    let part = Ledger { not_judged: Some(SkipReason::NotReproduced), ..whole };
    assert_eq!(part.verdict(), Verdict::Skip(SkipReason::NotReproduced));
    let finding = Finding { signature: Signature::new("norec", "rows", "-"), message: String::new() };
    let found = Ledger { finding: Some(finding.clone()), ..part };
    assert_eq!(found.verdict(), Verdict::Fail(finding));
}

#[test]
fn what_excuses_wrong_answers_excuses_only_those_after_it() {
    let begin = "CREATE TABLE t(a, b); CREATE INDEX ib ON t(b); INSERT INTO t VALUES(1, 5), (2, 6);";
    let query = "SELECT a, b FROM t WHERE b = 5;";
    let writes = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql;";
    let shadow =
        "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a'); UPDATE f_data SET block = block;";
    let bug = Some(plant("WHERE b = 5", PlantedWhen::Always, WrongAnswer::MissingRow));
    let said = |script: String| verdict("norec", &script, bug);
    assert!(matches!(said(format!("{begin} {query} {writes}")), Verdict::Fail(_)));
    assert_eq!(
        said(format!("{begin} {writes} {query}")),
        Verdict::Skip(SkipReason::Tainted("schema-written"))
    );
    // Nothing is known of an answer before it that was right, nor of what is behind it.
    assert_eq!(
        verdict("norec", &format!("{begin} {query} {writes}"), None),
        Verdict::Skip(SkipReason::Tainted("schema-written"))
    );
    // What is read from other tables than the virtual one has nothing to do with the tables that it writes to.
    assert!(matches!(said(format!("{begin} {shadow} {query}")), Verdict::Fail(_)));
    let of_virtual = format!("{begin} {shadow} SELECT x FROM f WHERE x > 'A';");
    let excused = SkipReason::Excused("after what excuses wrong answers");
    assert_eq!(verdict("norec", &of_virtual, None), Verdict::Skip(excused));
    let change = verdict("change", &format!("{begin} {shadow} UPDATE t SET a = 1;"), None);
    assert_eq!(change, Verdict::Skip(SkipReason::Tainted("shadow-table")));
}

#[test]
fn what_only_a_test_can_switch_and_the_sign_of_zero_accuse_nobody() {
    let script =
        "PRAGMA reverse_unordered_selects = 1; CREATE TABLE w(a, b); INSERT INTO w VALUES(0, 0), (1, '');
        SELECT a, rank() OVER (ORDER BY b) FROM w;";
    assert_eq!(verdict("row", script, None), Verdict::Pass);
    let bound = verdict("bound", "SELECT geopoly_regular(-0.0, 0, 1, 100);", None);
    assert_eq!(bound, Verdict::Skip(SkipReason::Excused("a zero that may be negative")));
}
