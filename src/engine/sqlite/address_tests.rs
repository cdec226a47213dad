//! Nothing that a case shows depends on where its memory lies.

use super::*;
use crate::dbfile::Geometry;
use crate::engine::{Code, Trace};
use crate::testcase::{FileName, OpenConfig, Script, Setting, TestCase};

/// A case with a table `t` of three rows on page 2 and an FTS5 table `f`.
fn with_tables(sql: &str) -> TestCase {
    let setup = "PRAGMA page_size=512; CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'), (2, 'y'), (3, 'z');\
                 CREATE VIRTUAL TABLE f USING fts5(x)";
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::Closed).unwrap();
    TestCase { files, sql: Script::new(sql), ..TestCase::default() }
}

/// The trace of the case, which has to be the same with the heap elsewhere.
fn steady_trace(case: &TestCase) -> Trace {
    let mut executor = Executor::shared();
    let mut run = |shift: usize| {
        let _moves_the_heap: Vec<Vec<u8>> = (1..=shift).map(|i| vec![i as u8; 100 * i]).collect();
        executor.run(case, &ScriptProgram, &Budget::UNLIMITED).trace
    };
    let first = run(0);
    for shift in 1..60 {
        assert_eq!(first.difference(&run(shift)), None, "with shift {shift}");
    }
    first
}

#[test]
fn what_lies_behind_a_page_is_the_same() {
    let mut case = with_tables("SELECT * FROM t; DROP TABLE f; CREATE TABLE u(x);");
    case.files.edit(&FileName::main(), |image| {
        let geometry = Geometry::of(image);
        let page = geometry.page_mut(image, 2);
        // The last cell begins with the last byte of the page, which claims the longest varint.
        let last = page.len() - 1;
        page[12..14].copy_from_slice(&(last as u16).to_be_bytes());
        page[last] = 0xff;
    });
    assert!(steady_trace(&case).statements[0].rows >= 2);
}

#[test]
fn explain_shows_no_address_of_a_virtual_table() {
    let mut case = with_tables(
        "CREATE TRIGGER r AFTER UPDATE ON t BEGIN DELETE FROM f WHERE rowid = old.a; END;\
         EXPLAIN SELECT * FROM f; EXPLAIN UPDATE t SET a = 9; EXPLAIN INSERT INTO f SELECT b FROM t",
    );
    for utf16 in [0, 1] {
        case.config.set(Setting::Utf16, utf16);
        let trace = steady_trace(&case);
        assert!(trace.statements[1..].iter().all(|statement| statement.rows > 4), "{trace:?}");
    }
}

#[test]
fn what_only_looks_like_an_address_is_kept() {
    let digests = |sql: &str| {
        let mut case = TestCase::from_sql(sql);
        [0, 1].map(|utf16| {
            case.config.set(Setting::Utf16, utf16);
            Executor::shared().run(&case, &ScriptProgram, &Budget::UNLIMITED).trace.statements[0].row_digest
        })
    };
    let (one, other) = (digests("SELECT 'vtab:5570BF821D68'"), digests("SELECT 'vtab:5570BF7F6958'"));
    assert!(one[0] != other[0] && one[1] != other[1], "{one:?} {other:?}");
}

#[test]
fn no_statement_can_read_an_address() {
    let trace = steady_trace(&with_tables(
        "CREATE TABLE u AS SELECT * FROM bytecode('SELECT * FROM f');\
         SELECT hex(p4) FROM bytecode('SELECT * FROM f'); SELECT count(p2) FROM u;",
    ));
    assert!(trace.statements.iter().all(|statement| statement.code() == Code::DONE), "{trace:?}");
    let tokenizer = steady_trace(&with_tables("SELECT fts3_tokenizer($text_simple)"));
    assert_eq!(tokenizer.statements[0].prepare, Code(1), "denied");
}

/// The bound text would become the address of the tokenizer that the table calls.
#[test]
fn no_statement_can_give_sqlite_an_address() {
    let sql = "SELECT fts3_tokenizer('simple', $text_abcdefgh); CREATE VIRTUAL TABLE g USING fts3(x)";
    let trace = steady_trace(&with_tables(sql));
    let codes: Vec<Code> = trace.statements.iter().map(|statement| statement.code()).collect();
    assert_eq!(codes, [Code(1), Code::DONE]);
}
