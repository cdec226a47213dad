//! Cases with operations, all the way through the program: run, show, minimize, compare, and what a form leaves out.

use crate::common::{file, folder, fuzzcheck_on};
use tandem::TestCase;
use tandem::testcase::{Operation, Operations};

/// A bug that shows only where the second connection steps a statement that it holds: the call comes from a temporary view
/// that connection 0 does not have.
fn case() -> TestCase {
    let run = |connection| Operation::Run { connection };
    TestCase {
        operations: Operations::new([
            run(0),
            run(1),
            Operation::PassTime { milliseconds: 70 },
            Operation::Prepare { connection: 1, statement: 2 },
            run(0),
            Operation::Step { statement: 2, rows: 3 },
            run(0),
        ]),
        ..TestCase::from_sql(
            "CREATE TABLE t(a); CREATE TEMP VIEW v AS SELECT planted(); SELECT * FROM v; INSERT INTO t VALUES(1); SELECT a FROM t",
        )
    }
}

#[test]
fn a_bug_that_needs_two_connections_is_found_shown_and_cut_down() {
    let folder = folder();
    let path = file(folder.path(), "case", case().encode());
    let found = fuzzcheck_on("run --plant internal-error", &[&path]).expect(1);
    assert!(found.out.starts_with("code/SQLITE_INTERNAL/SELECT"), "{found:?}");
    // On one connection, too, the script shows it: a judge that kept only the signature would drop the operations.
    let shown = fuzzcheck_on("show", &[&path]).expect(0);
    assert!(shown.out.contains("-- operation 6: statement 2: step 3 rows\n"), "{shown:?}");
    let to = folder.path().join("smaller");
    let words = "minimize --plant internal-error --minimize operations --json --to";
    let summary = fuzzcheck_on(words, &[&to, &path]).expect(0).json();
    assert_eq!((&summary["before"]["operations"], &summary["after"]["operations"]), (&7.into(), &0.into()));
    let smaller = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    assert!(smaller.sql == case().sql);
    let lossy = fuzzcheck_on("show --dbsqlfuzz", &[&path]).expect(0);
    assert!(lossy.err.contains("operations and their schedule were left out"), "{lossy:?}");
}

#[test]
fn operations_that_count_stay() {
    let folder = folder();
    // Only with the view on another connection than the table of the same name does the call come about.
    let script = "CREATE TEMP TABLE v(a); CREATE VIEW v AS SELECT planted(); SELECT * FROM v; SELECT 7";
    let run = |connection| Operation::Run { connection };
    let case = TestCase {
        operations: Operations::new([run(0), run(1), Operation::PassTime { milliseconds: 5 }, run(1)]),
        ..TestCase::from_sql(script)
    };
    let path = file(folder.path(), "case", case.encode());
    let to = folder.path().join("smaller");
    let words = "minimize --plant internal-error --minimize operations --to";
    fuzzcheck_on(words, &[&to, &path]).expect(0);
    let smaller = TestCase::decode_strict(&std::fs::read(&to).unwrap()).unwrap();
    assert_eq!(smaller.operations.list(), [run(0), run(0), run(1)]);
}
