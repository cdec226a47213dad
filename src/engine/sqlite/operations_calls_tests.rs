//! Statements prepared and bound in other ways, hooks, functions, connections and inquiries.

use super::*;
use crate::testcase::{
    Behaviour, Collation, Control, Failure, FunctionKind, Hook, Nested, OpenMode, OpenOptions, Parameter,
    PrepareForm, Question, StatementQuestion, Supplied,
};

const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'x'),(2,'y'); ";

fn hook(hook: Hook) -> Operation {
    O::Hook { connection: 0, hook }
}

fn function(kind: FunctionKind, behaviour: Behaviour) -> Operation {
    O::CreateFunction { connection: 0, kind, arguments: 3, flags: 0, behaviour }
}

fn step(statement: u8, rows: u32) -> Operation {
    O::Step { statement, rows }
}

/// What the table holds after its statements, these operations, and `sql`.
fn with_table(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Vec<String> {
    let sql = format!("{TABLE}{sql}");
    run(&sql, [on(0), on(0)].into_iter().chain(operations))[2..].to_vec()
}

/// A hash of all that was told beside rows, of the statements of a case.
fn digests(sql: &str, operations: impl IntoIterator<Item = Operation>) -> Vec<u64> {
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

#[test]
fn hooks_are_told_of_what_happens() {
    let hooks = [
        Hook::Commit { refused: 0 },
        Hook::Update,
        Hook::Preupdate,
        Hook::Trace { events: 15 },
        Hook::Profile,
    ];
    let update = "UPDATE t SET b='w' WHERE a=2;";
    let plain = *digests(update, [on(0)]).last().unwrap();
    for set in hooks {
        let told = *digests(update, [hook(set), on(0)]).last().unwrap();
        assert_ne!(told, plain, "{set:?}");
        let removed = *digests(update, [hook(set), hook(Hook::None), on(0)]).last().unwrap();
        assert_eq!(removed, plain, "{set:?}");
    }
    let value = |value: &str| {
        *digests(&format!("UPDATE t SET b={value};"), [hook(Hook::Preupdate), on(0)]).last().unwrap()
    };
    assert_ne!(value("1"), value("2"), "values are read");
    let rollback = |hooks: &[Operation]| *digests("BEGIN; ROLLBACK;", hooks.iter().cloned()).last().unwrap();
    assert_ne!(rollback(&[hook(Hook::Rollback)]), rollback(&[]));
    let wal = |set| {
        let sql = "PRAGMA journal_mode=WAL; INSERT INTO t VALUES(9,9);";
        *digests(sql, [on(0), hook(set), on(0)]).last().unwrap()
    };
    assert_ne!(wal(Hook::Wal { checkpoints: true }), wal(Hook::None));
}

#[test]
fn a_commit_hook_refuses_so_many_commits() {
    let sql = "INSERT INTO t VALUES(3,'z'); INSERT INTO t VALUES(4,'z'); SELECT count(*) FROM t;";
    assert_eq!(
        with_table(sql, [hook(Hook::Commit { refused: 1 })]),
        ["OK", "CONSTRAINT_COMMITHOOK", "DONE", "DONE 3"]
    );
}

#[test]
fn whoever_waits_gives_up() {
    let sql = "BEGIN IMMEDIATE; INSERT INTO t VALUES(3,'z'); COMMIT;";
    let busy = |operation| {
        let told = with_table(sql, [on(0), operation, on(1), on(0)]);
        assert_eq!(told, ["DONE", "OK", "BUSY", "DONE"]);
    };
    busy(O::BusyHandler { connection: 1, calls: 3 });
    busy(O::BusyHandler { connection: 1, calls: 0 });
    busy(O::BusyTimeout { connection: 1, milliseconds: 50 });
    let calls = |calls| {
        let handler = O::BusyHandler { connection: 1, calls };
        digests(sql, [on(0), handler, on(1)])[4]
    };
    assert_ne!(calls(1), calls(2), "it is called as often");
}

#[test]
fn what_runs_is_interrupted() {
    let prepare = O::Prepare { connection: 0, statement: 0 };
    let interrupt = O::Interrupt { connection: 0 };
    let told = with_table("SELECT a FROM t;", [prepare.clone(), step(0, 1), interrupt.clone(), step(0, 1)]);
    assert_eq!(told, ["ROW 1", "INTERRUPT"]);
    assert_eq!(with_table("SELECT a FROM t;", [interrupt, on(0)]), ["DONE 1 2"], "nothing was running");
    let long =
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 900) SELECT count(*) FROM c;";
    let after = |calls| O::InterruptAfter { connection: 0, calls };
    assert_eq!(with_table(&long.repeat(2), [after(3), on(0), on(0)]), ["INTERRUPT", "DONE 900"]);
    assert_eq!(with_table(long, [after(3), after(0), on(0)]), ["DONE 900"]);
}

#[test]
fn requests_are_denied_and_ignored() {
    let authorize = |request, ignores| O::Authorize { connection: 0, request, ignores };
    let sql = "SELECT b FROM t; SELECT b FROM t;";
    assert_eq!(with_table(sql, [authorize(1, false)]), ["AUTH", "DONE x y"]);
    assert_eq!(with_table(sql, [authorize(1, true)]), ["DONE Null Null", "DONE x y"]);
    assert_eq!(with_table(sql, [authorize(0, false)]), ["DONE x y", "DONE x y"]);
    let update = "UPDATE t SET b=b||'!'; SELECT b FROM t;";
    assert_eq!(with_table(update, [authorize(1, true)]), ["DONE", "DONE Null Null"], "only of a SELECT");
}

#[test]
fn functions_return_something_or_fail() {
    use FunctionKind::{Aggregate, Scalar, Window};
    let sql = "SELECT tandem_f(b) FROM t; SELECT tandem_g(a) FROM t; SELECT tandem_w(a) OVER (ORDER BY a) FROM t; \
               SELECT tandem_w(a) OVER (ORDER BY a ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM t;";
    assert_eq!(with_table(sql, []), ["ERROR"; 4], "no such function");
    let all =
        |behaviour: &Behaviour| [Scalar, Aggregate, Window].map(|kind| function(kind, behaviour.clone()));
    let same = [Behaviour::Plain, Behaviour::Auxdata, Behaviour::Subtype, Behaviour::Duplicate];
    for behaviour in same {
        let told = with_table(sql, all(&behaviour));
        assert_eq!(told[3..], ["DONE x y", "DONE 3", "DONE 1 3", "DONE 3 2"], "{behaviour:?}");
    }
    assert_eq!(with_table(sql, all(&Behaviour::Pointer))[3], "DONE Null Null");
    let failures = [
        (Failure::Message, "ERROR"),
        (Failure::NoMemory, "NOMEM"),
        (Failure::TooBig, "TOOBIG"),
        (Failure::Abort, "ABORT"),
        (Failure::Interrupt, "INTERRUPT"),
        (Failure::Full, "FULL"),
    ];
    for (failure, code) in failures {
        for is_late in [false, true] {
            let told = with_table(sql, all(&Behaviour::Fails { failure, is_late }));
            assert!(told[3..].iter().all(|told| told.starts_with(code)), "{failure:?}: {told:?}");
        }
    }
    let removed = all(&Behaviour::Plain).into_iter().chain(all(&Behaviour::Removed));
    assert_eq!(with_table(sql, removed)[6..], ["ERROR"; 4]);
}

#[test]
fn functions_run_statements_of_their_own() {
    let runs =
        |statement| function(FunctionKind::Scalar, Behaviour::Runs { statement, table: "t".to_owned() });
    let sql = "SELECT tandem_f(7); SELECT count(*), max(a) FROM t;";
    let told = |statement| with_table(sql, [runs(statement)])[1..].to_vec();
    assert_eq!(told(Nested::Reads), ["DONE 7", "DONE 2 2"]);
    assert_eq!(told(Nested::Inserts), ["DONE 7", "DONE 3 3"]);
    assert_eq!(told(Nested::Updates), ["DONE 7", "DONE 2 -1"]);
    assert_eq!(told(Nested::Deletes), ["DONE 7", "DONE 0 Null"]);
    assert_eq!(told(Nested::Creates), ["DONE 7", "DONE 2 2"]);
    assert_eq!(told(Nested::Drops), ["DONE 7", "ERROR"]);
    let reads = "SELECT tandem_f(a) FROM t; SELECT count(*) FROM t;";
    assert_eq!(with_table(reads, [runs(Nested::Drops)])[1..], ["DONE 1 2", "DONE 2"], "it is being read");
    let writes = "UPDATE t SET b=tandem_f('q'); SELECT count(*) FROM t;";
    assert_eq!(
        with_table(writes, [runs(Nested::Deletes)]),
        ["OK", "DONE", "DONE 2"],
        "not while another writes"
    );
    let rolled_back = "BEGIN; DELETE FROM t; SELECT tandem_f(1); SELECT count(*) FROM t;";
    assert_eq!(with_table(rolled_back, [runs(Nested::RollsBack)]).last().unwrap(), "DONE 2");
}

#[test]
fn functions_are_not_replaced_while_a_statement_runs() {
    let hold = [O::Prepare { connection: 0, statement: 0 }, step(0, 1)];
    let plain = function(FunctionKind::Scalar, Behaviour::Plain);
    let removed = function(FunctionKind::Scalar, Behaviour::Removed);
    let operations = [plain.clone()].into_iter().chain(hold).chain([plain, removed, step(0, 0)]);
    assert_eq!(
        with_table("SELECT tandem_f(b) FROM t;", operations),
        ["OK", "ROW x", "BUSY", "BUSY", "DONE y"]
    );
}

#[test]
fn collations_order_as_their_names_say() {
    let create = |collation, is_removed| O::CreateCollation { connection: 0, collation, is_removed };
    let sql = "INSERT INTO t VALUES(3,'aa'); SELECT b FROM t ORDER BY b COLLATE tandem_c; \
               SELECT b FROM t ORDER BY b COLLATE tandem_r;";
    let both = [create(Collation::ByLength, false), create(Collation::Reversed, false)];
    assert_eq!(with_table(sql, both)[3..], ["DONE x y aa", "DONE y x aa"]);
    let missing = ["ERROR_MISSING_COLLSEQ"; 2];
    assert_eq!(with_table(sql, [])[1..], missing);
    for is_utf16 in [false, true] {
        let needed = |answers| O::CollationNeeded { connection: 0, is_utf16, answers };
        assert_eq!(with_table(sql, [needed(true)])[2..], ["DONE x y aa", "DONE y x aa"]);
        assert_eq!(with_table(sql, [needed(false)])[2..], missing);
    }
    let removed = [create(Collation::ByLength, false), create(Collation::ByLength, true)];
    assert_eq!(with_table(sql, removed)[3], missing[0]);
}

#[test]
fn what_is_checked_in_the_end_knows_functions_and_collations() {
    let sql = "CREATE TABLE u(a, b AS (tandem_f(a)), CHECK(tandem_f(a) > 0)); CREATE INDEX i ON u(tandem_f(a)); \
               CREATE INDEX j ON u(a COLLATE tandem_c); CREATE INDEX k ON u(a COLLATE tandem_r); \
               INSERT INTO u VALUES(5),('abc'),('abd'),('b');";
    let register = [
        function(FunctionKind::Scalar, Behaviour::Plain),
        O::CreateCollation { connection: 0, collation: Collation::ByLength, is_removed: false },
        O::CreateCollation { connection: 0, collation: Collation::Reversed, is_removed: false },
    ];
    let observation = observe(sql, register);
    assert_eq!(told(&observation)[3..], ["DONE"; 5]);
    assert_eq!(observation.integrity, Some(Vec::new()));
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
