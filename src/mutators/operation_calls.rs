//! Operations beyond statements, backups and blobs: what else SQLite's interface offers.

use super::operation_callbacks::{behaviour, call, collate, giving_up, hook, registered};
use super::operation_questions::{question, statement_question};
use super::operations::{bound, bytes, column, file, id, on_conflict, small};
use super::{Context, changesets, sql_statements, sql_templates};
use crate::sql;
use crate::testcase::{
    APPLY_FLAGS, CONNECTIONS_MAX, ChangesetAction, OpenMode, OpenOptions, Operation, Parameter, PrepareForm,
    STATEMENTS_MAX, SessionChange, Supplied, TestCase,
};

/// An operation that takes no statement.
pub(super) fn new(case: &TestCase, context: &mut Context<'_>) -> Operation {
    let connection = id(CONNECTIONS_MAX, context);
    match context.rng.u8(0..40) {
        0..4 => bind(context),
        4 => {
            let statement = id(STATEMENTS_MAX, context);
            Operation::AskStatement { statement, question: statement_question(context) }
        }
        5..8 => open_or_close(case, connection, context),
        8..11 => of_schema(case, connection, context),
        11..15 => session(case, connection, context),
        15..17 => Operation::ChangesetPut { content: changesets::new(&sql_templates::names(case), context) },
        17..23 => Operation::Changeset { connection, action: changeset_action(case, context) },
        23..28 => Operation::Hook { connection, hook: hook(context) },
        28..31 => giving_up(connection, context),
        31..35 => registered(case, connection, context),
        _ => Operation::Ask { connection, question: question(case, context) },
    }
}

/// Several operations, and perhaps a statement, that do something together.
pub(super) fn combine(case: &mut TestCase, context: &mut Context<'_>) {
    let connection = if context.chance(70) { 0 } else { id(CONNECTIONS_MAX, context) };
    let mut new: Vec<Operation> = match context.rng.u8(0..4) {
        0 => vec![
            Operation::SessionStart { connection },
            Operation::Run { connection },
            Operation::SessionTake { connection, is_patchset: context.chance(30) },
            Operation::Changeset { connection, action: changeset_action(case, context) },
        ],
        1 => vec![
            Operation::ChangesetPut { content: changesets::new(&sql_templates::names(case), context) },
            Operation::Changeset { connection, action: changeset_action(case, context) },
        ],
        2 => vec![Operation::Hook { connection, hook: hook(context) }, Operation::Run { connection }],
        _ => vec![registered(case, connection, context)],
    };
    // Most statements come first, so that there is something to work on; what runs afterwards needs one, too.
    let taken = case.operations.list().iter().filter(|operation| operation.takes_statement()).count();
    let left = sql::statements(case.sql.as_bytes()).count().saturating_sub(taken);
    let first = if left > 1 && context.chance(60) { context.rng.usize(1..left) } else { 0 };
    if left == first {
        new.retain(|operation| !operation.takes_statement());
    }
    new.splice(0..0, std::iter::repeat_n(Operation::Run { connection: 0 }, first));
    let uses = match new.get(first) {
        Some(Operation::CreateFunction { kind, .. }) => Some(call(kind.name(), case, context)),
        Some(Operation::CreateCollation { collation, .. }) => Some(collate(collation.name(), case, context)),
        _ => None,
    };
    // Statements that are not taken run in the end: what comes last is ready for them.
    case.operations.edit(|operations| operations.extend(new));
    if let Some(statement) = uses.filter(|statement| statement.len() <= context.room()) {
        let script = sql_statements::join([case.sql.as_bytes(), statement.as_bytes()]);
        sql_statements::store(case, script);
    }
}

pub(super) fn prepare_form(context: &mut Context<'_>) -> PrepareForm {
    PrepareForm::ALL[context.rng.usize(0..PrepareForm::ALL.len())]
}

fn bind(context: &mut Context<'_>) -> Operation {
    let names = ["?1", ":a", "@b", "$c", "$int_1", "?9"];
    let parameter = if context.chance(70) {
        Parameter::Number(context.rng.u16(0..4))
    } else {
        Parameter::Name(names[context.rng.usize(0..names.len())].to_owned())
    };
    Operation::BindAs { statement: id(STATEMENTS_MAX, context), parameter, value: supplied(context) }
}

fn supplied(context: &mut Context<'_>) -> Supplied {
    match context.rng.u8(0..4) {
        0 => Supplied::Plain(bound(context)),
        1 => Supplied::Text16(bytes(context)),
        2 => Supplied::Pointer,
        _ => Supplied::Column { statement: id(STATEMENTS_MAX, context), column: context.rng.u8(0..3) },
    }
}

fn maybe(context: &mut Context<'_>) -> Option<bool> {
    context.chance(30).then(|| context.rng.bool())
}

fn open_or_close(case: &TestCase, connection: u8, context: &mut Context<'_>) -> Operation {
    use OpenMode::{Create, Memory, ReadOnly, ReadWrite, Unset};
    if context.chance(30) {
        return Operation::CloseLater { connection };
    }
    let options = OpenOptions {
        is_utf16: context.chance(25),
        mode: [Unset, Unset, Unset, ReadOnly, ReadWrite, Create, Memory][context.rng.usize(0..7)],
        shares_cache: if context.chance(50) { Some(true) } else { maybe(context) },
        // What follows from these is nobody's fault, and little else can be found then.
        is_immutable: context.chance(3),
        has_no_locks: context.chance(3),
        is_powersafe: maybe(context),
    };
    Operation::OpenAs { connection, file: file(case, context), options }
}

/// The name of a database of a connection.
pub(super) fn schema(case: &TestCase, context: &mut Context<'_>) -> String {
    let words: Vec<&[u8]> = sql::words(case.sql.as_bytes()).collect();
    let attached = words.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case(b"AS")).map(|pair| pair[1]);
    let attached: Vec<&[u8]> = if words.iter().any(|word| word.eq_ignore_ascii_case(b"ATTACH")) {
        attached.collect()
    } else {
        Vec::new()
    };
    match context.rng.u8(0..10) {
        0..5 => "main".to_owned(),
        5 | 6 => "temp".to_owned(),
        _ => context
            .pick(&attached)
            .map_or("aux".to_owned(), |name| String::from_utf8_lossy(name).into_owned()),
    }
}

fn of_schema(case: &TestCase, connection: u8, context: &mut Context<'_>) -> Operation {
    let schema_name = schema(case, context);
    match context.rng.u8(0..4) {
        0 => {
            let from = (connection + 1) % 2;
            Operation::BackupStartAs {
                from,
                from_schema: schema_name,
                to: connection,
                to_schema: schema(case, context),
            }
        }
        1 => {
            let (table, column) = column(case, context);
            let (row, is_writable) = (small(context).into(), context.rng.bool());
            Operation::BlobOpenAs { connection, schema: schema_name, table, column, row, is_writable }
        }
        2 => Operation::SerializeAs { connection, schema: schema_name },
        _ => Operation::DeserializeAs {
            connection,
            schema: schema_name,
            is_read_only: context.chance(20),
            is_resizable: context.rng.bool(),
            room: if context.rng.bool() { 0 } else { context.number(4096, 2) as u16 },
        },
    }
}

/// How many bytes are streamed at once.
fn chunk(context: &mut Context<'_>) -> u16 {
    if context.chance(60) { 0 } else { context.rng.u16(1..40) }
}

fn session(case: &TestCase, connection: u8, context: &mut Context<'_>) -> Operation {
    match context.rng.u8(0..8) {
        0 | 1 => {
            let (counts_size, has_rowids) = (context.rng.bool(), context.rng.bool());
            Operation::SessionCreate { connection, schema: schema(case, context), counts_size, has_rowids }
        }
        2..6 => Operation::SessionChange { connection, change: session_change(case, context) },
        6 => Operation::SessionAsk { connection },
        _ => Operation::SessionStream {
            connection,
            is_patchset: context.chance(30),
            chunk: context.rng.u16(1..40),
        },
    }
}

fn session_change(case: &TestCase, context: &mut Context<'_>) -> SessionChange {
    let (table, _) = column(case, context);
    match context.rng.u8(0..7) {
        0 | 1 => SessionChange::Attach(context.chance(40).then_some(table)),
        2 => SessionChange::Filter(table.chars().take(context.rng.usize(0..3)).collect()),
        3 => SessionChange::Enable(context.chance(60)),
        4 => SessionChange::Indirect(context.rng.bool()),
        _ => SessionChange::Diff { from: schema(case, context), table },
    }
}

fn changeset_action(case: &TestCase, context: &mut Context<'_>) -> ChangesetAction {
    let chunk = chunk(context);
    match context.rng.u8(0..14) {
        0 | 1 => ChangesetAction::Keep,
        2 => ChangesetAction::Swap,
        3 | 4 => ChangesetAction::Invert { chunk },
        5 => ChangesetAction::Concatenate { chunk },
        6 => ChangesetAction::Rebase { chunk },
        7 | 8 => ChangesetAction::Group {
            has_schema: context.chance(30),
            is_one_by_one: context.chance(30),
            chunk,
        },
        9 | 10 => ChangesetAction::Iterate { is_inverse: context.chance(30), chunk },
        _ => ChangesetAction::Apply {
            on_conflict: on_conflict(context),
            filter: context.chance(20).then(|| column(case, context).0.chars().take(1).collect()),
            flags: if context.rng.bool() { 0 } else { context.rng.u8(0..=APPLY_FLAGS) },
            chunk,
        },
    }
}

/// Changes what an operation of this module says, other than its connection; false if that is left alone.
pub(super) fn change(operation: &mut Operation, case: &TestCase, context: &mut Context<'_>) -> bool {
    use Operation as O;
    if context.chance(25) {
        return false;
    }
    match operation {
        O::PrepareAs { form, .. } => *form = prepare_form(context),
        O::Execute { is_table, .. } => *is_table ^= true,
        O::BindAs { statement, .. } | O::AskStatement { statement, .. } if context.chance(30) => {
            *statement = id(STATEMENTS_MAX, context);
        }
        O::BindAs { value, .. } => *value = supplied(context),
        O::BlobOpenAs { schema: name, .. }
        | O::SerializeAs { schema: name, .. }
        | O::DeserializeAs { schema: name, .. }
        | O::SessionCreate { schema: name, .. }
        | O::BackupStartAs { from_schema: name, .. } => *name = schema(case, context),
        O::SessionChange { change, .. } => *change = session_change(case, context),
        O::ChangesetPut { content } => changesets::damage(content, context),
        O::Changeset { action, .. } => match action.chunk_mut() {
            Some(size) if context.chance(40) => *size = chunk(context),
            _ => *action = changeset_action(case, context),
        },
        O::Hook { hook: new, .. } => *new = hook(context),
        O::CreateFunction { behaviour: new, .. } => *new = behaviour(case, context),
        O::Ask { question: new, .. } => *new = question(case, context),
        O::AskStatement { question, .. } => *question = statement_question(context),
        O::OpenAs { connection, .. } => *operation = open_or_close(case, *connection, context),
        O::BusyHandler { connection, .. }
        | O::BusyTimeout { connection, .. }
        | O::Authorize { connection, .. }
        | O::InterruptAfter { connection, .. } => *operation = giving_up(*connection, context),
        O::CreateCollation { connection, .. } | O::CollationNeeded { connection, .. } => {
            *operation = registered(case, *connection, context);
        }
        _ => return false,
    }
    true
}
