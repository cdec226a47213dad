//! Statements prepared and bound in other ways, connections and inquiries.

use super::*;
use crate::testcase::{
    Control, OpenMode, OpenOptions, Parameter, PrepareForm, Question, StatementQuestion, Supplied,
};

const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'x'),(2,'y'); ";

pub(super) fn step(statement: u8, rows: u32) -> Operation {
    O::Step { statement, rows }
}

/// What the table holds after its statements, these operations, and `sql`.
pub(super) fn with_table(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Vec<String> {
    let sql = format!("{TABLE}{sql}");
    run(&sql, [on(0), on(0)].into_iter().chain(operations))[2..].to_vec()
}

/// A hash of all that was told beside rows, of the statements of a case.
pub(super) fn digests(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Vec<u64> {
    let sql = format!("{TABLE}{sql}");
    let observation = observe(&sql, [on(0), on(0)].into_iter().chain(operations));
    observation.trace.statements.iter().map(|statement| statement.row_digest).collect()
}

#[test]
fn statements_are_prepared_by_each_function_and_bound_to_each_type() {
    for form in PrepareForm::ALL {
        let prepare = O::PrepareAs { connection: 0, statement: 0, form };
        let bind = |value| O::BindAs { statement: 0, parameter: Parameter::Name(":n".to_owned()), value };
        let text = "yé".encode_utf16().flat_map(u16::to_ne_bytes).collect();
        let told = with_table(
            "SELECT b, :n FROM t;",
            [prepare, bind(Supplied::Text16(text)), step(0, 1), bind(Supplied::Pointer), step(0, 0)],
        );
        assert_eq!(told[0], "OK", "{form:?}");
        assert!(told[1].starts_with("ROW"), "{told:?}");
        assert_eq!(told[2], "OK");
        assert!(told[3].starts_with("DONE") && told[3].ends_with("Null"), "{told:?}");
    }
    let none = O::BindAs {
        statement: 0,
        parameter: Parameter::Name(":x".to_owned()),
        value: Supplied::Plain(Bound::Integer(1)),
    };
    let told = with_table("SELECT :n;", [O::Prepare { connection: 0, statement: 0 }, none]);
    assert_eq!(told[0], "RANGE");
    let no_vtab = O::PrepareAs { connection: 0, statement: 0, form: PrepareForm::NoVirtualTables };
    assert_eq!(with_table("SELECT * FROM pragma_table_info('t');", [no_vtab])[0], "ERROR");
}

#[test]
fn a_column_of_one_statement_is_bound_in_another() {
    let prepare = |statement| O::Prepare { connection: 0, statement };
    let bind = |column| O::BindAs {
        statement: 1,
        parameter: Parameter::Number(1),
        value: Supplied::Column { statement: 0, column },
    };
    let told = with_table(
        "SELECT a, b FROM t; SELECT ?1 || '!';",
        [prepare(0), step(0, 1), prepare(1), bind(1), step(1, 0)],
    );
    assert_eq!(told, ["ROW 1 x", "OK", "DONE x!"]);
}

#[test]
fn statements_run_through_exec_and_get_table() {
    for is_table in [false, true] {
        let execute = O::Execute { connection: 0, is_table };
        let told = with_table(
            "DELETE FROM t WHERE a=1; SELECT * FROM nothing; SELECT a FROM t;",
            [execute.clone(), execute],
        );
        assert_eq!(told, ["OK", "ERROR", "DONE 2"]);
        let of = |sql: &str| digests(sql, [O::Execute { connection: 0, is_table }])[2];
        assert_ne!(of("SELECT a FROM t;"), of("SELECT b FROM t;"), "rows are part of the trace");
    }
}

fn open(options: OpenOptions) -> Operation {
    O::OpenAs { connection: 1, file: FileName::main(), options }
}

#[test]
fn connections_are_opened_with_options() {
    let sql = "SELECT count(*) FROM t; INSERT INTO t VALUES(7,7);";
    let told = |options| with_table(sql, [open(options), on(1), on(1)]);
    let plain = OpenOptions::default();
    assert_eq!(told(plain), ["DONE 2", "DONE"]);
    assert_eq!(told(OpenOptions { is_utf16: true, is_powersafe: Some(false), ..plain }), ["DONE 2", "DONE"]);
    assert_eq!(told(OpenOptions { mode: OpenMode::ReadOnly, ..plain }), ["DONE 2", "READONLY"]);
    assert_eq!(told(OpenOptions { mode: OpenMode::ReadWrite, ..plain }), ["DONE 2", "DONE"]);
    assert_eq!(told(OpenOptions { mode: OpenMode::Memory, ..plain })[0], "ERROR", "no such table there");
    assert_eq!(told(OpenOptions { is_immutable: true, ..plain }), ["DONE 2", "READONLY"]);
    let unlocked = open(OpenOptions { has_no_locks: true, ..plain });
    assert!(observe("SELECT 1", [unlocked]).taint.contains(Taint::UNLOCKED));
}

#[test]
fn a_cache_is_shared() {
    let shared = |connection| O::OpenAs {
        connection,
        file: FileName::main(),
        options: OpenOptions { shares_cache: Some(true), ..OpenOptions::default() },
    };
    let sql = "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1); SELECT * FROM t; PRAGMA read_uncommitted=1; SELECT * FROM t; \
               COMMIT; SELECT * FROM t;";
    let told = run(sql, [shared(0), shared(1), on(0), on(0), on(0), on(1), on(1), on(1), on(0), on(1)]);
    assert_eq!(told[3..], ["LOCKED_SHAREDCACHE", "DONE", "DONE 1", "DONE", "DONE 1"]);
    // A backup into it could not be kept from the others.
    let told = run("SELECT 1", [shared(1), O::BackupStart { from: 0, to: 1 }]);
    assert_eq!(told[0], "ERROR");
}

#[test]
fn a_connection_is_closed_once_its_statements_are() {
    let sql = "SELECT a FROM t; INSERT INTO t VALUES(9,9); SELECT count(*) FROM t;";
    let hold = [O::Prepare { connection: 1, statement: 0 }, step(0, 1), O::CloseLater { connection: 1 }];
    let told = with_table(sql, hold.iter().cloned().chain([step(0, 1), on(0)]));
    assert_eq!(told, ["ROW 1", "BUSY", "DONE 2"], "its lock is held, and it cannot be stepped");
    let told = with_table(sql, hold.into_iter().chain([O::Finalize { statement: 0 }, on(0)]));
    assert_eq!(told, ["ROW 1", "DONE", "DONE 3"]);
    assert_eq!(with_table(sql, [O::CloseLater { connection: 0 }]), ["DONE 1 2", "DONE", "DONE 3"]);
}

#[test]
fn databases_other_than_the_main_one_are_copied_and_read() {
    let sql =
        "ATTACH 'other.db' AS aux; CREATE TABLE aux.u(v); INSERT INTO aux.u VALUES('abc'); SELECT v FROM u;";
    let blob = O::BlobOpenAs {
        connection: 0,
        schema: "aux".to_owned(),
        table: "u".to_owned(),
        column: "v".to_owned(),
        row: 1,
        is_writable: false,
    };
    let backup = |to_schema: &str| O::BackupStartAs {
        from: 0,
        from_schema: "aux".to_owned(),
        to: 1,
        to_schema: to_schema.to_owned(),
    };
    let three = [on(0), on(0), on(0)];
    let copy = [backup("main"), O::BackupStep { to: 1, pages: -1 }, O::BackupFinish { to: 1 }];
    let told = with_table(sql, three.iter().cloned().chain([blob]).chain(copy).chain([on(1)]));
    assert_eq!(told[3..], ["OK", "OK", "DONE", "OK", "DONE abc"]);
    assert_eq!(with_table(sql, three.iter().cloned().chain([backup("none")]))[3], "ERROR");
    let image = [
        O::SerializeAs { connection: 0, schema: "aux".to_owned() },
        O::DeserializeAs {
            connection: 1,
            schema: "main".to_owned(),
            is_read_only: false,
            is_resizable: false,
            room: 100,
        },
    ];
    assert_eq!(with_table(sql, three.into_iter().chain(image).chain([on(1)]))[3..], ["OK", "OK", "DONE abc"]);
}

#[test]
fn every_question_is_answered() {
    let name = |text: &str| text.to_owned();
    let control = |control| Question::FileControl { schema: name("main"), control, value: -1 };
    let column =
        |column: Option<&str>| Question::Column { schema: None, table: name("t"), column: column.map(name) };
    let answered = [
        Question::Limit { limit: 3 },
        Question::TransactionState { schema: name("main") },
        Question::File { schema: name("main") },
        column(Some("a")),
        column(None),
        Question::FlushCache,
        Question::ReleaseMemory,
        Question::Changes,
        Question::SetLastRow { row: 5 },
        Question::Error,
        Question::ErrorText { code: 11 },
        Question::Overload { name: name("tandem_o"), arguments: 1 },
        Question::Autocheckpoint { frames: 2 },
        Question::ExtendedCodes,
        Question::NoExtensions,
        Question::LockTimeout { milliseconds: 1 },
        Question::Complete { text: name("SELECT 1;") },
        Question::ClientData { name: name("n"), value: Some(3) },
        Question::ClientData { name: name("n"), value: None },
        Question::Statements,
        Question::SchemaName { index: 0 },
        Question::IsInterrupted,
        control(Control::DataVersion),
        control(Control::ReserveBytes),
        control(Control::LockState),
    ];
    let ask = |question: Question| O::Ask { connection: 0, question };
    let count = answered.len();
    let told = with_table("", answered.map(ask));
    assert_eq!(told, vec!["OK"; count]);
    for counter in 0..10 {
        assert_eq!(with_table("", [ask(Question::Status { counter, resets: true })]), ["OK"]);
    }
    for which in Control::ALL {
        assert!(["OK", "NOTFOUND"].contains(&with_table("", [ask(control(which))])[0].as_str()), "{which:?}");
    }
    assert_eq!(
        with_table("", [ask(Question::Column { schema: None, table: name("no"), column: None })]),
        ["ERROR"]
    );
    assert_eq!(with_table("", [ask(Question::LockTimeout { milliseconds: -2 })]), ["RANGE"]);
    let last = |row| digests("", [ask(Question::SetLastRow { row }), ask(Question::Changes)])[3];
    assert_ne!(last(1), last(2), "answers are part of the trace");
}

/// SQLite 3.54.1 reads from address 0 there; see [`crate::known`].
#[test]
fn a_column_of_a_virtual_table_that_nobody_has_used_is_not_asked_for() {
    let sql = "CREATE VIRTUAL TABLE r USING rtree(i, a, b);";
    let column = Question::Column { schema: None, table: "R".to_owned(), column: Some("a".to_owned()) };
    let observation = observe(sql, [on(0), O::Ask { connection: 1, question: column }]);
    assert_eq!(told(&observation), ["DONE", "OK"]);
    assert_eq!(observation.avoided, [crate::known::VIRTUAL_COLUMN]);
}

#[test]
fn statements_answer_questions() {
    let ask = |question| O::AskStatement { statement: 0, question };
    let prepare = [O::Prepare { connection: 0, statement: 0 }, step(0, 1)];
    let questions = [
        StatementQuestion::Text,
        StatementQuestion::Flags,
        StatementQuestion::Columns,
        StatementQuestion::Row,
        StatementQuestion::Parameters,
        StatementQuestion::Status { counter: 3, resets: true },
        StatementQuestion::Explain { mode: 1 },
    ];
    let told = with_table("SELECT a, b, :n FROM t;", prepare.iter().cloned().chain(questions.map(ask)));
    assert_eq!(
        told[1..],
        ["OK", "OK", "OK", "OK", "OK", "OK", "BUSY"],
        "it cannot be explained while it runs"
    );
    let row = |sql: &str| digests(sql, prepare.iter().cloned().chain([ask(StatementQuestion::Row)])).pop();
    assert_ne!(row("SELECT a FROM t;"), row("SELECT b FROM t;"));
    // An explained statement of a virtual table shows no address.
    let explained =
        [O::Prepare { connection: 0, statement: 0 }, ask(StatementQuestion::Explain { mode: 1 }), step(0, 0)];
    let of = || digests("SELECT * FROM pragma_table_info('t');", explained.iter().cloned()).pop();
    assert_eq!(of(), of());
}
