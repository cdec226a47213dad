//! Silent if two runs agree or nothing can be said; red for each kind of difference.

use super::*;
use crate::engine::sqlite::{Budget, Executor};
use crate::engine::{Engine, Value};

fn transcript(script: &str) -> (TestCase, Transcript) {
    let case = TestCase::from_sql(script);
    let transcript = Executor::shared().transcript(&case, &Budget { vm_steps: 20_000, ..Budget::UNLIMITED });
    (case, transcript)
}

/// Compares a run with itself after `edit`, which stands for a second engine.
fn compared(script: &str, edit: impl FnOnce(&mut Transcript)) -> Comparison {
    let (case, a) = transcript(script);
    let mut b = a.clone();
    edit(&mut b);
    compare(&case, &a, &b, &Policy::VERSIONS)
}

fn signatures(comparison: &Comparison) -> Vec<String> {
    let findings = comparison.differences.iter().filter(|difference| difference.is_finding());
    findings.map(|difference| difference.signature().to_string()).collect()
}

fn other_rows(transcript: &mut Transcript, index: usize) {
    let record = &mut transcript.statements[index];
    record.rows = Default::default();
    record.add_row(&[Value::Integer(77)]);
    record.add_row(&[Value::Integer(78)]);
}

const SCRIPT: &str =
    "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); SELECT a FROM t; SELECT count(*) FROM t;";

#[test]
fn a_transcript_compares_equal_with_itself() {
    let same = compared(SCRIPT, |_| {});
    assert_eq!((same.statements, same.is_end_compared), (4, true));
    assert_eq!((same.differences, same.skipped), (vec![], BTreeMap::new()));
}

#[test]
fn each_kind_of_difference_is_found() {
    type Edit = fn(&mut Transcript);
    let edits: [(Edit, &str); 12] = [
        (|b| other_rows(b, 2), "differential/rows/SELECT"),
        (|b| b.statements[2].rows.multiset ^= 1, "differential/digits/SELECT"),
        (|b| b.statements[2].rows = Default::default(), "differential/rows-against-none/SELECT"),
        (|b| b.statements[1].code = 19, "differential/error/INSERT-success-SQLITE_CONSTRAINT-"),
        (|b| drop(b.statements.pop()), "differential/statements/SELECT"),
        (|b| end(b).schema[0][3].push(' '), "differential/schema/table-table"),
        (|b| end(b).schema.clear(), "differential/schema/table-none"),
        (|b| end(b).tables[0].rows.count += 1, "differential/content/rows"),
        (|b| end(b).tables[0].rows.multiset += 1, "differential/digits/content"),
        (|b| end(b).tables[0].rows = Default::default(), "differential/content/rows"),
        (|b| end(b).integrity = Some(vec!["row 1 missing".to_owned()]), "differential/integrity/only-b"),
        (|b| b.statements[3].code = 11, "differential/error/SELECT-success-SQLITE_CORRUPT-"),
    ];
    for (edit, signature) in edits {
        let comparison = compared(SCRIPT, edit);
        assert_eq!(signatures(&comparison), [signature], "{comparison:?}");
    }
    let failing = compared("SELECT * FROM missing;", |b| b.statements[0].code = 6);
    assert_eq!(signatures(&failing), ["differential/code/SELECT-SQLITE_ERROR-SQLITE_LOCKED-such-table"]);
}

fn end(transcript: &mut Transcript) -> &mut crate::engine::transcript::EndState {
    transcript.end.as_mut().expect("the script runs to its end")
}

#[test]
fn behind_a_query_it_goes_on_and_behind_a_write_it_ends() {
    let said = |comparison: &Comparison| -> Vec<Said> {
        comparison.marks.iter().map(|mark| mark.said.clone()).collect()
    };
    let both = compared(SCRIPT, |b| {
        other_rows(b, 2);
        b.statements[3].rows = Default::default();
    });
    assert_eq!(said(&both), [Said::Same, Said::Same, Said::Differs(0), Said::Differs(1)]);
    assert_eq!(both.at_the_end().count(), 0);
    assert_eq!(signatures(&both), ["differential/rows/SELECT", "differential/rows-against-none/SELECT"]);
    assert!(both.is_end_compared);
    // If one side cannot prepare a query, it does not run the rest of that piece.
    let apart = compared(SCRIPT, |b| {
        (b.statements[2].code, b.statements[2].explain_fails) = (1, true);
        b.statements.pop();
    });
    assert_eq!(signatures(&apart), ["differential/error/SELECT-success-SQLITE_ERROR-"]);
    let write = compared(SCRIPT, |b| {
        b.statements[1].code = 19;
        other_rows(b, 2);
    });
    assert_eq!(signatures(&write).len(), 1);
    assert_eq!(said(&write), [Said::Same, Said::Differs(0), Said::Behind, Said::Behind]);
    assert!(!write.is_end_compared && write.skipped["after a difference"] == 1);
}

#[test]
fn nothing_is_said_where_the_result_is_not_sqls() {
    let excused = [
        "SELECT sqlite_version();",
        "SELECT random();",
        "CREATE VIEW v AS SELECT hex(randomblob(3)) AS x; CREATE VIEW w AS SELECT x FROM v; SELECT * FROM w;",
        "CREATE TABLE t(a DEFAULT (random())); INSERT INTO t DEFAULT VALUES; SELECT a FROM t;",
        "PRAGMA compile_options;",
        "EXPLAIN SELECT 1;",
        "EXPLAIN QUERY PLAN SELECT 1;",
        "SELECT * FROM pragma_function_list;",
        "SELECT name FROM dbstat;",
    ];
    for script in excused {
        let last = transcript(script).1.statements.len() - 1;
        let comparison = compared(script, |b| other_rows(b, last));
        assert!(comparison.differences.is_empty(), "{script}: {comparison:?}");
        assert_eq!(comparison.skipped.values().sum::<u64>(), 1, "{script}: {comparison:?}");
    }
    // What a virtual table keeps its data in is such a table, and a name alone is no reason.
    for script in [
        "CREATE VIRTUAL TABLE f USING fts5(x); SELECT count(*) FROM f_data;",
        "CREATE VIRTUAL TABLE f USING fts4(x); ALTER TABLE f RENAME TO g; SELECT count(*) FROM g_segdir;",
    ] {
        let last = transcript(script).1.statements.len() - 1;
        let comparison = compared(script, |b| other_rows(b, last));
        assert!(comparison.differences.is_empty(), "{script}: {comparison:?}");
        assert_eq!(comparison.skipped["the format of shadow tables"], 1, "{script}: {comparison:?}");
    }
    let named = "CREATE TABLE my_data(x); INSERT INTO my_data VALUES(1); SELECT x FROM my_data;";
    assert_eq!(signatures(&compared(named, |b| other_rows(b, 2))), ["differential/rows/SELECT"]);
    let damaged = compared(SCRIPT, |b| b.is_healthy_at_start = false);
    assert_eq!((damaged.statements, damaged.skipped["damaged at start"]), (0, 1));
    let tainted = compared(&format!("PRAGMA writable_schema=1; {SCRIPT}"), |b| other_rows(b, 3));
    assert_eq!((tainted.statements, tainted.skipped["tainted: writable-schema"]), (0, 1));
    let limit = compared(SCRIPT, |b| b.statements[1].code = 7);
    assert_eq!((limit.differences, limit.skipped["a limit was reached"]), (vec![], 1));
}

#[test]
fn what_depends_on_an_order_that_sql_leaves_open_is_a_warning() {
    let doubtful = [
        "SELECT a FROM t LIMIT 2;",
        "DELETE FROM t RETURNING (SELECT count(*) FROM t);",
        "SELECT * FROM (SELECT a FROM t LIMIT 2);",
        "SELECT group_concat(a) FROM t;",
        "SELECT a, max(b) FROM t;",
        "SELECT b FROM t GROUP BY a;",
        "SELECT (SELECT b FROM t), a FROM t;",
        "CREATE VIEW v AS SELECT a FROM t LIMIT 2; SELECT count(*), v.a FROM v, t;",
        "CREATE TABLE u AS SELECT a FROM t LIMIT 2; SELECT a FROM u;",
    ];
    let definite = [
        "SELECT a FROM t;",
        "SELECT max(b) FROM t;",
        "SELECT a, count(*) FROM t GROUP BY a;",
        "SELECT (SELECT max(b) FROM t), a FROM t;",
        "SELECT a IN (SELECT b FROM t) FROM t;",
        "SELECT EXISTS(SELECT b FROM t) FROM t;",
        "SELECT * FROM t AS x, (SELECT b FROM t) AS y;",
    ];
    let with = |script: &str| {
        let script = format!("CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(2,3); {script}");
        let last = transcript(&script).1.statements.len() - 1;
        compared(&script, |b| {
            let count = b.statements[last].rows.count;
            b.statements[last].rows.multiset ^= 1;
            b.statements[last].rows.coarse ^= 1;
            assert!(count > 0, "{script} has rows");
        })
    };
    for script in doubtful {
        let comparison = with(script);
        assert_eq!(signatures(&comparison), [""; 0], "{script}");
        assert_eq!(comparison.differences.len(), 1, "{script}: {comparison:?}");
    }
    for script in definite {
        assert_eq!(signatures(&with(script)), ["differential/rows/SELECT"], "{script}");
    }
    // But LIMIT determines how many.
    let fewer = compared("SELECT a FROM (VALUES(1),(2),(3)) AS t(a) LIMIT 2;", |_| {});
    assert!(fewer.differences.is_empty());
    let script = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3); SELECT a FROM t LIMIT 2;";
    let fewer = compared(script, |b| b.statements[2].rows.count = 1);
    assert_eq!(signatures(&fewer), ["differential/rows/SELECT"]);
    let script = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3); SELECT a FROM t ORDER BY a;";
    let order = compared(script, |b| b.statements[2].rows.ordered ^= 1);
    assert_eq!(order.differences[0].signature().as_str(), "differential/order/SELECT");
    assert!(!order.differences[0].is_finding());
}

/// Behind the largest rowid, the next is chosen at random: what is read of that table then cannot be compared.
#[test]
fn what_follows_the_largest_rowid_is_random() {
    let largest =
        "CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(0x7fffffffffffffff, 1); SELECT a FROM t;";
    let full = format!("{largest} INSERT INTO t VALUES(2); SELECT rowid FROM t;");
    let random = compared(&full, |b| other_rows(b, 4));
    assert_eq!((random.statements, signatures(&random)), (4, vec![]));
    assert_eq!(random.skipped["a rowid behind the largest is random"], 1, "{random:?}");
    assert_eq!(signatures(&compared(&full, |b| other_rows(b, 2))), ["differential/rows/SELECT"]);
    let others = [
        "CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(9223372036854775806, 1); INSERT INTO t VALUES(2); SELECT a FROM t;",
        "CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO t(rowid) VALUES(9223372036854775807); INSERT INTO u VALUES(1); SELECT a FROM u;",
    ];
    for script in others {
        let last = transcript(script).1.statements.len() - 1;
        assert_eq!(
            signatures(&compared(script, |b| other_rows(b, last))),
            ["differential/rows/SELECT"],
            "{script}"
        );
    }
    let one = "CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(9223372036854775807, 1), (NULL, 2); SELECT a FROM t;";
    assert_eq!(compared(one, |b| other_rows(b, 2)).statements, 2);
}

#[test]
fn a_run_that_was_cut_short_is_compared_up_to_there() {
    let endless = "SELECT 1; SELECT 2; WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT count(*) FROM r; SELECT 3;";
    let cut = compared(endless, |b| other_rows(b, 2));
    assert_eq!((cut.statements, cut.skipped["cut short"]), (2, 1));
    assert!(cut.differences.is_empty() && !cut.is_end_compared);
    assert_eq!(signatures(&compared(endless, |b| other_rows(b, 1))), ["differential/rows/SELECT"]);
}

#[test]
fn another_engine_may_know_less_and_has_its_own_codes() {
    let (case, a) = transcript("CREATE TABLE t(a); SELECT * FROM missing; SELECT 1;");
    let mut b = a.clone();
    b.statements[1].code = 21;
    b.statements[2].code = 1;
    b.statements[2].explain_fails = true;
    let comparison = compare(&case, &a, &b, &Policy::ENGINES);
    assert!(comparison.differences.is_empty(), "{comparison:?}");
    assert_eq!(comparison.skipped["unknown to one of the engines"], 1);
    let said: Vec<Said> = comparison.marks.iter().map(|mark| mark.said.clone()).collect();
    let skipped = ["refused by both", UNKNOWN].map(|reason| Said::Skipped(reason.to_owned()));
    assert_eq!(said, [&[Said::Same], &skipped[..]].concat());
    assert_eq!(signatures(&compare(&case, &a, &b, &Policy::VERSIONS)).len(), 2);
    // One that only the other can prepare may have had an effect before it failed.
    let (case, a) =
        transcript("CREATE TABLE t(a UNIQUE); INSERT OR ROLLBACK INTO t VALUES(1),(1); SELECT a FROM t;");
    let mut old = a.clone();
    old.statements[1].explain_fails = true;
    other_rows(&mut old, 2);
    let parted = compare(&case, &a, &old, &Policy::ENGINES);
    assert_eq!((signatures(&parted), parted.skipped[UNKNOWN]), (vec![], 1), "{parted:?}");
    let (case, a) = transcript("CREATE TABLE t(a); SELECT 1;");
    let mut b = a.clone();
    end(&mut b).schema[0][3] = "CREATE TABLE t (a)".to_owned();
    assert!(compare(&case, &a, &b, &Policy::ENGINES).differences.is_empty());
    let (case, a) = transcript("SELECT datetime('now');");
    let mut b = a.clone();
    other_rows(&mut b, 0);
    assert!(compare(&case, &a, &b, &Policy::ENGINES).differences.is_empty());
    assert_eq!(signatures(&compare(&case, &a, &b, &Policy::VERSIONS)), ["differential/rows/SELECT"]);
}

#[test]
fn tables_that_an_engine_keeps_for_itself_are_no_content() {
    let script =
        "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a'); CREATE TABLE t(a); ANALYZE;";
    for (name, is_compared) in [("f", true), ("f_data", false), ("sqlite_stat1", false), ("t", true)] {
        let comparison = compared(script, |b| {
            let table = end(b).tables.iter_mut().find(|table| table.name == name).expect(name);
            table.rows.multiset ^= 1;
        });
        assert_eq!(signatures(&comparison).len(), usize::from(is_compared), "{name}: {comparison:?}");
    }
}

#[test]
fn another_engine_has_schema_text_and_journals_of_its_own() {
    let script = "CREATE TABLE t(a); PRAGMA journal_mode=wal; SELECT sql FROM sqlite_schema; SELECT 1;";
    let (case, a) = transcript(script);
    let mut b = a.clone();
    (1..4).for_each(|index| other_rows(&mut b, index));
    let comparison = compare(&case, &a, &b, &Policy::ENGINES);
    // Neither ends the comparison.
    assert_eq!(signatures(&comparison), ["differential/rows/SELECT"], "{comparison:?}");
    assert_eq!((comparison.skipped["a pragma"], comparison.skipped["the text of the schema"]), (1, 1));
    let versions = compare(&case, &a, &b, &Policy::VERSIONS);
    assert_eq!(signatures(&versions), ["differential/rows/PRAGMA", "differential/rows/SELECT"]);
}

#[test]
fn operations_are_compared_between_builds_of_sqlite() {
    use crate::testcase::{Operation, Operations};
    let mut case = TestCase::from_sql("CREATE TABLE t(a); SELECT 1; SELECT 2;");
    case.operations = Operations::new([1, 0, 1].map(|connection| Operation::Run { connection }));
    let a = Executor::shared().transcript(&case, &Budget::UNLIMITED);
    let mut b = a.clone();
    other_rows(&mut b, 2);
    assert_eq!(signatures(&compare(&case, &a, &b, &Policy::VERSIONS)).len(), 1);
    let engines = compare(&case, &a, &b, &Policy::ENGINES);
    assert_eq!((engines.statements, engines.skipped["operations, which only SQLite does"]), (0, 1));
    case.schedule = "3.1:1".parse().unwrap();
    let scheduled = compare(&case, &a, &b, &Policy::VERSIONS);
    assert_eq!((scheduled.statements, scheduled.skipped["a schedule"]), (0, 1));
}
