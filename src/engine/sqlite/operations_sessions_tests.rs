//! Sessions and changesets, whole, streamed, and from bytes that the case brings.

use super::*;
use crate::testcase::{ChangesetAction, SessionChange};

const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'x'); ";

fn changeset(action: ChangesetAction) -> Operation {
    O::Changeset { connection: 0, action }
}

fn put(content: &[u8]) -> Operation {
    O::ChangesetPut { content: content.to_vec() }
}

fn apply(on_conflict: OnConflict, flags: u8, chunk: u16) -> Operation {
    changeset(ChangesetAction::Apply { on_conflict, filter: None, flags, chunk })
}

/// A changeset that inserts (2, 'y') into the table.
const INSERT: &[u8] = b"T\x02\x01\x00t\x00\x12\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x03\x01y";

/// A case on the table: its operations after the first two, and what it then holds.
fn on_table(operations: impl IntoIterator<Item = Operation>) -> Vec<String> {
    let sql = TABLE.to_owned() + "SELECT a, b FROM t;";
    run(&sql, [on(0), on(0)].into_iter().chain(operations))[2..].to_vec()
}

#[test]
fn a_changeset_that_the_case_brings_is_applied_whole_and_in_chunks() {
    for chunk in [0, 1, 3] {
        assert_eq!(on_table([put(INSERT), apply(OnConflict::Abort, 0, chunk)]), ["OK", "DONE 1 x 2 y"]);
        let inverted = [put(INSERT), apply(OnConflict::Abort, 0, chunk), apply(OnConflict::Abort, 2, chunk)];
        assert_eq!(on_table(inverted), ["OK", "OK", "DONE 1 x"], "the flag inverts it");
        let invert = changeset(ChangesetAction::Invert { chunk });
        let undone =
            [put(INSERT), apply(OnConflict::Abort, 0, chunk), invert, apply(OnConflict::Abort, 0, chunk)];
        assert_eq!(on_table(undone), ["OK", "OK", "OK", "DONE 1 x"]);
    }
    let filtered = changeset(ChangesetAction::Apply {
        on_conflict: OnConflict::Abort,
        filter: Some("other".to_owned()),
        flags: 0,
        chunk: 0,
    });
    assert_eq!(on_table([put(INSERT), filtered]), ["OK", "DONE 1 x"]);
}

#[test]
fn a_header_that_promises_more_columns_than_there_are_is_refused() {
    // Of seven columns only one is there, and no name: each call must stop at the end of the bytes.
    let cut = b"T\x07\x01";
    let read = |chunk| changeset(ChangesetAction::Iterate { is_inverse: false, chunk });
    let group =
        |is_one_by_one| changeset(ChangesetAction::Group { has_schema: false, is_one_by_one, chunk: 0 });
    let calls = [
        changeset(ChangesetAction::Invert { chunk: 0 }),
        changeset(ChangesetAction::Invert { chunk: 2 }),
        read(0),
        read(1),
        group(false),
        group(true),
        changeset(ChangesetAction::Keep),
        changeset(ChangesetAction::Concatenate { chunk: 0 }),
        apply(OnConflict::Omit, 0, 0),
        O::SessionInvert,
        O::SessionApply { connection: 0, on_conflict: OnConflict::Omit },
    ];
    let told = on_table([put(cut)].into_iter().chain(calls));
    assert_eq!(told[..10], ["CORRUPT"; 10]);
    assert_eq!(told[10], "DONE 1 x");
    // The database is sound, and nobody says otherwise.
    let case = case("CREATE TABLE t(a);", [on(0), put(cut), changeset(ChangesetAction::Invert { chunk: 0 })]);
    let judged = DB_SQL.judge(&mut Executor::shared(), &case);
    assert_eq!(judged.findings().count(), 0);
}

#[test]
fn changesets_are_joined_grouped_and_read() {
    let other = INSERT.iter().map(|&byte| if byte == 2 { 2 } else { byte }).collect::<Vec<_>>();
    let mut second = other;
    let at = second.len() - 4;
    second[at] = 5;
    let keep = [put(INSERT), changeset(ChangesetAction::Keep), put(&second)];
    let joined =
        |action| on_table(keep.iter().cloned().chain([changeset(action), apply(OnConflict::Abort, 0, 0)]));
    let expected = ["OK", "OK", "DONE 1 x 2 y 5 y"];
    for chunk in [0, 2] {
        assert_eq!(joined(ChangesetAction::Concatenate { chunk }), expected);
        for (has_schema, is_one_by_one) in [(false, false), (true, false), (false, true)] {
            assert_eq!(joined(ChangesetAction::Group { has_schema, is_one_by_one, chunk }), expected);
        }
    }
    assert_eq!(joined(ChangesetAction::Swap)[1], "DONE 1 x 2 y");
    // What is read is part of the trace.
    let digest = |content: &[u8]| {
        let read = changeset(ChangesetAction::Iterate { is_inverse: false, chunk: 0 });
        observe("SELECT 1", [put(content), read]).trace.statements[0].row_digest
    };
    assert_ne!(digest(INSERT), digest(&second));
}

#[test]
fn conflicts_are_answered_and_leave_what_a_rebase_needs() {
    let own = "INSERT INTO t VALUES(2,'mine');";
    let sql = TABLE.to_owned() + own + "SELECT a, b FROM t;";
    let with = |rest: &[Operation]| {
        let start = [on(0), on(0), on(0), put(INSERT)];
        run(&sql, start.into_iter().chain(rest.iter().cloned()))[3..].to_vec()
    };
    assert_eq!(with(&[apply(OnConflict::Abort, 0, 0)]), ["ABORT", "DONE 1 x 2 mine"]);
    assert_eq!(with(&[apply(OnConflict::Omit, 0, 0)]), ["OK", "DONE 1 x 2 mine"]);
    assert_eq!(with(&[apply(OnConflict::Replace, 0, 0)]), ["OK", "DONE 1 x 2 y"]);
    let rebase = |chunk| changeset(ChangesetAction::Rebase { chunk });
    assert_eq!(with(&[rebase(0)]), ["DONE 1 x 2 mine"], "nothing was applied");
    let rebased = with(&[apply(OnConflict::Replace, 0, 0), rebase(0), rebase(3)]);
    assert_eq!(rebased[..3], ["OK"; 3]);
}

#[test]
fn a_session_records_what_it_is_told_to() {
    let sql = TABLE.to_owned() + "INSERT INTO t VALUES(7,'z'); SELECT a FROM t;";
    let create =
        O::SessionCreate { connection: 0, schema: "main".to_owned(), counts_size: true, has_rowids: true };
    let change = |change| O::SessionChange { connection: 0, change };
    let take = O::SessionStream { connection: 0, is_patchset: false, chunk: 4 };
    let taken = |changes: Vec<SessionChange>| {
        let start = [on(0), on(0), create.clone()].into_iter();
        let rest = changes.into_iter().map(change).chain([on(0), take.clone(), O::SessionInvert]);
        let undo = O::SessionApply { connection: 0, on_conflict: OnConflict::Abort };
        run(&sql, start.chain(rest).chain([undo])).pop().unwrap()
    };
    let all = SessionChange::Attach(None);
    assert_eq!(taken(vec![all.clone()]), "DONE 1");
    assert_eq!(taken(Vec::new()), "DONE 1 7", "nothing was attached");
    assert_eq!(taken(vec![SessionChange::Attach(Some("t".to_owned()))]), "DONE 1");
    assert_eq!(taken(vec![SessionChange::Filter("u".to_owned()), all.clone()]), "DONE 1 7");
    assert_eq!(taken(vec![all, SessionChange::Enable(false)]), "DONE 1 7");
    let refused =
        run(&sql, [on(0), on(0), create.clone(), change(SessionChange::Attach(Some("u".to_owned())))]);
    assert_eq!(refused[2..4], ["OK", "OK"], "a table that is not there may come later");
    let asked = |operations: &[Operation]| {
        let start = [on(0), on(0), create.clone(), change(SessionChange::Attach(None))];
        let ask = O::SessionAsk { connection: 0 };
        let all = start.into_iter().chain(operations.iter().cloned()).chain([ask]);
        let observation = observe(&sql, all);
        observation.trace.statements[4 + operations.len()].row_digest
    };
    assert_ne!(asked(&[]), asked(&[on(0)]), "it is not empty any more");
}

#[test]
fn tables_of_two_databases_are_compared() {
    let sql = "ATTACH 'other.db' AS aux; CREATE TABLE aux.t(a INTEGER PRIMARY KEY, b); INSERT INTO aux.t VALUES(4,'w'); \
               CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(4,'v'),(5,'q'); SELECT a, b FROM t;";
    let create =
        O::SessionCreate { connection: 0, schema: "main".to_owned(), counts_size: false, has_rowids: false };
    let diff = SessionChange::Diff { from: "aux".to_owned(), table: "t".to_owned() };
    let steps = [create, O::SessionChange { connection: 0, change: diff }];
    let rest = [
        O::SessionTake { connection: 0, is_patchset: false },
        O::SessionInvert,
        O::SessionApply { connection: 0, on_conflict: OnConflict::Abort },
    ];
    let told = run(sql, std::iter::repeat_n(on(0), 5).chain(steps).chain(rest));
    assert_eq!(told[5..], ["OK", "OK", "OK", "OK", "OK", "DONE 4 w"], "the inverse makes it the same");
}

#[test]
fn a_session_and_a_preupdate_hook_do_not_meet() {
    let sql = TABLE.to_owned() + "INSERT INTO t VALUES(7,'z'); SELECT a FROM t;";
    let hook = O::Hook { connection: 0, hook: crate::testcase::Hook::Preupdate };
    let told = run(&sql, [on(0), on(0), O::SessionStart { connection: 0 }, hook.clone(), on(0)]);
    assert_eq!(told.len(), 5, "the hook is not set: {told:?}");
    let take = O::SessionTake { connection: 0, is_patchset: false };
    let told =
        run(&sql, [on(0), on(0), hook, O::SessionStart { connection: 0 }, on(0), take, O::SessionInvert]);
    assert_eq!(told[2..], ["OK", "OK", "DONE", "OK", "OK", "DONE 1 7"]);
}
