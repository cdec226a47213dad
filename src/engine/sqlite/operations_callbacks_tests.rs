//! Hooks, functions and collations, and what makes SQLite give up.

use super::calls::{digests, step, with_table};
use super::*;
use crate::testcase::{Behaviour, Collation, Failure, FunctionKind, Hook, Nested};

fn hook(hook: Hook) -> Operation {
    O::Hook { connection: 0, hook }
}

fn function(kind: FunctionKind, behaviour: Behaviour) -> Operation {
    O::CreateFunction { connection: 0, kind, arguments: 3, flags: 0, behaviour }
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
