//! Statements, and transactions out of them.

use super::super::form::{Form, Table, recognise};
use super::*;

#[test]
fn statements_are_recognised_in_any_spelling() {
    let (list, register) = (Object::List(1), Object::Register(-2));
    for (text, form) in [
        ("BEGIN", Form::Begin { is_immediate: false }),
        ("begin deferred transaction;", Form::Begin { is_immediate: false }),
        ("BEGIN\n-- now\nEXCLUSIVE", Form::Begin { is_immediate: true }),
        ("END TRANSACTION", Form::Commit),
        ("rollback", Form::Rollback),
        ("UPDATE tandem_list SET v = v || ',7' WHERE k = 1", Form::Write(list, 7)),
        ("update \"tandem_list\" set v=v||',-7'where k=1 ;", Form::Write(list, -7)),
        ("UPDATE tandem_register SET v = 7 WHERE k = -2", Form::Write(register, 7)),
        ("UPDATE tandem_register SET v=-7 WHERE k=-2", Form::Write(register, -7)),
        ("SELECT v FROM tandem_list WHERE k = 1", Form::Read(list)),
        ("SELECT [v] FROM Tandem_Register/**/WHERE k = -2", Form::Read(register)),
        ("SELECT k, v FROM tandem_list ORDER BY k", Form::ReadAll(Table::List)),
        ("SELECT k,v FROM tandem_register ORDER BY k", Form::ReadAll(Table::Register)),
        ("CREATE TABLE tandem_list(k INTEGER PRIMARY KEY, v TEXT)", Form::Setup(vec![])),
        ("INSERT INTO tandem_list VALUES (1, '')", Form::Setup(vec![list])),
        (
            "insert into tandem_register(k, v) values(3,NULL),(-2,null)",
            Form::Setup(vec![Object::Register(3), register]),
        ),
        ("", Form::Other),
        ("SELECT count(*) FROM tandem_list", Form::Other),
        ("PRAGMA wal_checkpoint", Form::Other),
        ("EXPLAIN DELETE FROM tandem_list", Form::Other),
        ("INSERT INTO other VALUES ('tandem')", Form::Other),
        ("UPDATE tandem_list SET v = v || ',07' WHERE k = 1", Form::Spoils),
        ("UPDATE tandem_list SET v = v || ',7' WHERE k = 1 OR k = 2", Form::Spoils),
        ("UPDATE tandem_list SET v = v || ',7'", Form::Spoils),
        ("UPDATE tandem_list SET v = 7 WHERE k = 1", Form::Spoils),
        ("UPDATE tandem_register SET v = v || ',7' WHERE k = 1", Form::Spoils),
        ("UPDATE tandem_register SET v = 1 + 1 WHERE k = 1", Form::Spoils),
        ("INSERT INTO tandem_list VALUES (1, ',3')", Form::Spoils),
        ("INSERT INTO tandem_list VALUES (1, '') RETURNING k", Form::Spoils),
        ("CREATE TEMP TABLE tandem_list(k INTEGER PRIMARY KEY, v TEXT)", Form::Spoils),
        ("DELETE FROM main.\"tandem_register\"", Form::Spoils),
        ("WITH t AS (SELECT 1) UPDATE tandem_list SET v = 1", Form::Spoils),
        ("SAVEPOINT s", Form::Spoils),
        ("ROLLBACK TO s", Form::Spoils),
        ("PRAGMA read_uncommitted = 1", Form::Spoils),
        ("PRAGMA journal_mode = OFF", Form::Spoils),
    ] {
        assert_eq!(recognise(text.as_bytes()), form, "{text}");
    }
}

/// A process, a statement, how it ended (`d`, `b`, `f`) and the connection's mode (`a`utocommit, `o`pen), what it read.
type Step = (u8, &'static str, &'static str, &'static str);

fn built(steps: &[Step]) -> Result<Vec<String>, Unusable> {
    let mut builder = HistoryBuilder::new([Object::List(1), Object::Register(1)]);
    for (position, (process, statement, ended, read)) in (1..).zip(steps) {
        let completion = match &ended[..1] {
            "d" => Completion::Done,
            "b" => Completion::Busy,
            _ => Completion::Failed,
        };
        builder.add(&Event {
            process: *process,
            form: &recognise(statement.as_bytes()),
            started: 10 * position,
            finished: 10 * position + 5,
            completion,
            rows: &[vec![Some((*read).to_owned())]],
            is_autocommit: ended.ends_with('a'),
        });
    }
    let in_words = |one: &Transaction| {
        let accesses = one.accesses.iter().map(|access| format!(" {:?} {}", access.action, access.object));
        let accesses: String = accesses.collect();
        format!("{} {:?} {}-{}{accesses}", one.process, one.outcome, one.begin, one.end)
    };
    Ok(builder.finish()?.iter().map(in_words).collect())
}

const WRITE: &str = "UPDATE tandem_list SET v = v || ',7' WHERE k = 1";
const WRITE_8: &str = "UPDATE tandem_register SET v = 8 WHERE k = 1";
const READ: &str = "SELECT v FROM tandem_list WHERE k = 1";

#[test]
fn transactions_are_made_of_statements() {
    let last = u64::MAX;
    let histories: Vec<(&[Step], Vec<String>)> = vec![
        (&[(0, WRITE, "da", "")], vec!["0 Committed 10-15 Write(7) list 1".into()]),
        (&[(0, WRITE, "ba", "")], vec![]),
        (&[(0, WRITE, "fa", "")], vec![format!("0 Unknown 10-{last} Write(7) list 1")]),
        (&[(3, READ, "da", ",3,-4")], vec!["3 Committed 10-15 Read([3, -4]) list 1".into()]),
        (&[(3, READ, "da", "")], vec!["3 Committed 10-15 Read([]) list 1".into()]),
        (&[(3, READ, "da", "3")], vec!["3 Committed 10-15 Garbled(\"got Some(\\\"3\\\")\") list 1".into()]),
        // One that only reads takes effect when it begins to; a statement that waited in vain may have begun to.
        (
            &[(0, "BEGIN", "do", ""), (0, READ, "do", ""), (0, READ, "do", ""), (0, "COMMIT", "da", "")],
            vec!["0 Committed 20-25 Read([]) list 1 Read([]) list 1".into()],
        ),
        (
            &[(0, "BEGIN", "do", ""), (0, "ANALYZE", "bo", ""), (0, READ, "do", ""), (0, "END", "da", "")],
            vec!["0 Committed 20-35 Read([]) list 1".into()],
        ),
        (
            &[(0, "BEGIN IMMEDIATE", "do", ""), (0, READ, "do", ""), (0, "END", "da", "")],
            vec!["0 Committed 10-15 Read([]) list 1".into()],
        ),
        // One that writes does so at its COMMIT, even if that has to wait.
        (
            &[(0, "BEGIN", "do", ""), (0, WRITE, "do", ""), (0, "COMMIT", "bo", ""), (0, "COMMIT", "da", "")],
            vec!["0 Committed 30-45 Write(7) list 1".into()],
        ),
        (
            &[(0, "BEGIN", "do", ""), (0, WRITE, "do", ""), (0, "COMMIT", "fa", "")],
            vec![format!("0 Unknown 30-{last} Write(7) list 1")],
        ),
        (
            &[
                (0, "BEGIN", "do", ""),
                (0, WRITE, "bo", ""),
                (0, WRITE_8, "do", ""),
                (0, "ROLLBACK", "da", ""),
            ],
            vec!["0 Aborted 20-35 Write(8) register 1".into()],
        ),
        // An error may end it; so does the end.
        (
            &[(0, "BEGIN", "do", ""), (0, WRITE, "do", ""), (0, WRITE_8, "fa", ""), (0, READ, "da", "")],
            vec!["0 Aborted 20-25 Write(7) list 1".into(), "0 Committed 40-45 Read([]) list 1".into()],
        ),
        (
            &[(1, "BEGIN", "do", ""), (1, WRITE, "do", ""), (0, READ, "da", "")],
            vec!["0 Committed 30-35 Read([]) list 1".into(), "1 Aborted 20-25 Write(7) list 1".into()],
        ),
        (&[(0, "COMMIT", "fa", ""), (0, "ROLLBACK", "fa", ""), (0, "BEGIN", "ba", "")], vec![]),
    ];
    for (steps, expected) in histories {
        assert_eq!(built(steps).unwrap(), expected, "{steps:?}");
    }
}

#[test]
fn a_history_that_says_nothing_says_why() {
    let deleting = "DELETE FROM tandem_list";
    let elsewhere = "SELECT v FROM tandem_list WHERE k = 2";
    let setup = "INSERT INTO tandem_list VALUES (2, '')";
    assert_eq!(built(&[(0, deleting, "ba", "")]), Ok(vec![]));
    assert_eq!(built(&[(2, deleting, "da", "")]), Err(Unusable::Spoilt(2)));
    assert_eq!(
        built(&[(0, WRITE, "fa", ""), (1, WRITE, "da", "")]),
        Err(Unusable::Repeated(Object::List(1), 7))
    );
    assert_eq!(built(&[(0, elsewhere, "da", "")]), Err(Unusable::NotSetUp(Object::List(2))));
    assert_eq!(built(&[(0, setup, "da", ""), (0, elsewhere, "da", "")]).map(|history| history.len()), Ok(1));
    let mut builder = HistoryBuilder::new([]);
    builder.spoil(3);
    builder.spoil(4);
    assert_eq!(builder.finish(), Err(Unusable::Spoilt(3)));
    assert_eq!(built(&[(0, READ, "da", ""), (0, setup, "da", "")]), Err(Unusable::LateSetup(0)));
    assert_eq!(built(&[(0, "ANALYZE", "do", "")]), Err(Unusable::Untracked(0)));
    assert_eq!(built(&[(0, "BEGIN", "do", ""), (0, "ANALYZE", "da", "")]), Err(Unusable::Untracked(0)));
}

#[test]
fn reads_of_a_table_are_reads_of_its_objects() {
    let form = Form::ReadAll(Table::Register);
    let objects = [Object::Register(1), Object::Register(2), Object::Register(3), Object::List(1)];
    let mut builder = HistoryBuilder::new(objects);
    let row = |key: &str, value: Option<&str>| vec![Some(key.to_owned()), value.map(str::to_owned)];
    let rows = [row("1", Some("5")), row("2", None), row("4", None)];
    let (process, completion, is_autocommit) = (0, Completion::Done, true);
    builder.add(&Event {
        process,
        form: &form,
        started: 1,
        finished: 1,
        completion,
        rows: &rows,
        is_autocommit,
    });
    let [one] = &builder.finish().unwrap()[..] else { panic!("one transaction") };
    let actions: Vec<String> =
        one.accesses.iter().map(|access| format!("{}: {:?}", access.object, access.action)).collect();
    assert_eq!(
        actions,
        [
            "register 1: Read([5])",
            "register 2: Read([])",
            "register 3: Garbled(\"got 0 rows of one value each instead of one\")",
            "register 4: Garbled(\"there is no such row\")",
        ]
    );
}
