//! What SQL leaves open stays a warning; the same difference elsewhere becomes a finding.

use super::*;
use crate::difference::{Policy, compare};
use crate::engine::Engine;
use crate::engine::sqlite::{Budget, Executor};

const TABLE: &str = "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,7),(2,7),(3,9);";

/// The findings and warnings of an engine that differs from SQLite by `edit`, in reverse as well. It is told how many
/// statements come before the script.
fn judged(script: &str, edit: impl Fn(&mut Transcript, usize)) -> (Vec<String>, Vec<String>) {
    let case = TestCase::from_sql(script);
    let run = |case: &TestCase| Executor::shared().transcript(case, &Budget::UNLIMITED);
    let (a, reversed_a) = (run(&case), run(&reversed(&case).expect("it has no operations")));
    let (mut b, mut reversed_b) = (a.clone(), reversed_a.clone());
    edit(&mut b, 0);
    edit(&mut reversed_b, 1);
    let mut comparison = compare(&case, &a, &b, &Policy::VERSIONS);
    if comparison.is_open() {
        comparison.settle([&a, &b], [&reversed_a, &reversed_b]);
    }
    let (findings, warnings): (Vec<_>, Vec<_>) =
        comparison.differences.into_iter().partition(|difference| difference.is_finding());
    let names = |some: Vec<super::super::Difference>| {
        some.iter().map(|difference| difference.signature().to_string()).collect()
    };
    (names(findings), names(warnings))
}

/// Changes the rows of the last statement.
fn other_rows(transcript: &mut Transcript, _: usize) {
    let last = transcript.statements.last_mut().expect("it runs");
    last.rows.multiset ^= 1;
    last.rows.coarse ^= 1;
}

#[test]
fn what_a_reversed_scan_does_not_change_is_no_matter_of_order() {
    const TRIGGER: &str =
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT a FROM t LIMIT 1; END; INSERT INTO t VALUES(4,7);";
    let real = [
        // The statement has a reason to doubt it, but its result does not depend on any order.
        format!("{TRIGGER} SELECT count(*) FROM t"),
        "SELECT (SELECT a FROM t WHERE a=2), b FROM t".to_owned(),
        "SELECT * FROM (SELECT a FROM t LIMIT 5)".to_owned(),
        "SELECT a FROM t LIMIT 3".to_owned(),
    ];
    for script in real {
        let said = judged(&format!("{TABLE} {script}"), other_rows);
        assert_eq!(said, (vec!["differential/rows/SELECT".to_owned()], vec![]), "{script}");
    }
    let open = [
        "SELECT a FROM t LIMIT 2",
        "SELECT (SELECT a FROM t), b FROM t",
        "SELECT group_concat(a) FROM t",
        "CREATE VIEW v AS SELECT a FROM t LIMIT 2; SELECT sum(a) FROM v",
        "CREATE TABLE u AS SELECT a FROM t LIMIT 1; SELECT a FROM u",
        // Reversing does not reach these.
        "SELECT group_concat(a) FROM t GROUP BY b",
        "SELECT a, max(b) FROM t",
        "SELECT * FROM (SELECT a FROM t ORDER BY b LIMIT 1)",
    ];
    for script in open {
        let said = judged(&format!("{TABLE} {script}"), other_rows);
        assert_eq!(said, (vec![], vec!["differential/rows/SELECT".to_owned()]), "{script}");
    }
}

#[test]
fn the_content_of_a_table_is_judged_in_reverse_as_well() {
    let other_content = |transcript: &mut Transcript, _: usize| {
        let tables = &mut transcript.end.as_mut().expect("it runs to its end").tables;
        tables.iter_mut().find(|table| table.name == "u").expect("it is made").rows.count += 1;
    };
    let made = |query: &str| format!("{TABLE} CREATE TABLE u(x); INSERT INTO u {query};");
    let content = vec!["differential/content/rows".to_owned()];
    assert_eq!(judged(&made("SELECT a FROM t LIMIT 1"), other_content), (vec![], content.clone()));
    assert_eq!(judged(&made("SELECT a FROM t LIMIT 9"), other_content), (content, vec![]));
    // Which row gets which rowid depends on the order of the scan, unless the script says which.
    let other_rowids = |transcript: &mut Transcript, _: usize| {
        let tables = &mut transcript.end.as_mut().expect("it runs to its end").tables;
        let table = tables.iter_mut().find(|table| table.name == "u").expect("it is made");
        table.with_rowid.as_mut().expect("it has rowids").multiset += 1;
    };
    let content = vec!["differential/content/values".to_owned()];
    assert_eq!(judged(&made("SELECT a FROM t"), other_rowids), (vec![], content.clone()));
    assert_eq!(judged(&made("VALUES(1),(2)"), other_rowids), (content, vec![]));
}

#[test]
fn rows_that_tie_may_come_in_any_order_and_their_keys_may_not() {
    let ordered = |transcript: &mut Transcript, _: usize| {
        transcript.statements.last_mut().expect("it runs").rows.ordered ^= 1;
    };
    let keys = |transcript: &mut Transcript| {
        let keys = &mut transcript.statements.last_mut().expect("it runs").keys;
        *keys = keys.map(|keys| keys ^ 1);
    };
    let with_keys = |edit: fn(&mut Transcript, usize)| {
        move |transcript: &mut Transcript, behind: usize| {
            edit(transcript, behind);
            keys(transcript);
        }
    };
    for (query, name) in [("ORDER BY b", "order"), ("ORDER BY b LIMIT 1", "rows")] {
        let script = format!("{TABLE} SELECT a, b FROM t {query}");
        let edit = if name == "order" { ordered } else { other_rows };
        let signature = vec![format!("differential/{name}/SELECT")];
        assert_eq!(judged(&script, edit), (vec![], signature.clone()), "the keys agree: {query}");
        assert_eq!(judged(&script, with_keys(edit)), (signature, vec![]), "they do not: {query}");
    }
    // Where the keys are not among the columns, nothing is known of them.
    let hidden = judged(&format!("{TABLE} SELECT a FROM t ORDER BY -b"), with_keys(ordered));
    assert_eq!(hidden, (vec![], vec!["differential/order/SELECT".to_owned()]));
}

#[test]
fn operations_cannot_be_run_in_reverse() {
    use crate::testcase::{Operation, Operations};
    let mut case = TestCase::from_sql("SELECT 1;");
    case.operations = Operations::new([Operation::Run { connection: 0 }]);
    assert!(reversed(&case).is_none());
}

#[test]
fn which_constraint_fails_first_is_left_open_and_that_one_fails_is_not() {
    let script = format!("{TABLE} CREATE UNIQUE INDEX i ON t(a); INSERT INTO t VALUES(1, 7)");
    let fails_with = |code: i32| {
        judged(&script, move |transcript, _| {
            transcript.statements.last_mut().expect("it runs").code = code;
        })
    };
    // SQLITE_CONSTRAINT_CHECK, SQLITE_MISMATCH, SQLITE_ERROR.
    for code in [275, 20, 1] {
        let (findings, warnings) = fails_with(code);
        assert_eq!((findings.len(), warnings.len()), (0, 1), "{code}");
    }
    // SQLITE_CORRUPT, and success.
    for code in [11, 101] {
        let (findings, warnings) = fails_with(code);
        assert_eq!((findings.len(), warnings.len()), (1, 0), "{code}");
    }
}

/// A table that a statement fills is doubtful whatever the statement does on a conflict.
#[test]
fn what_is_doubtful_stays_so_in_the_table() {
    for conflict in ["IGNORE", "REPLACE", "ABORT", "FAIL", "ROLLBACK"] {
        let script =
            format!("{TABLE} UPDATE OR {conflict} t SET b=(SELECT a FROM t UNION SELECT 5); SELECT b FROM t");
        let (findings, warnings) = judged(&script, other_rows);
        assert_eq!((findings.len(), warnings.len()), (0, 1), "{conflict}");
    }
}
