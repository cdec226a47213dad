//! Operations: which connection runs which statement, and what happens between statements.
//!
//! An operation that takes a statement is only added after all others, or put in place of another that takes one:
//! otherwise every statement after it would go to another connection.

use super::{Context, Mutator, Outcome, operation_calls, sql_templates};
use crate::sql;
use crate::testcase::{Bound, CheckpointMode, FileName, OnConflict, Operation, TestCase};
use crate::testcase::{CONNECTIONS_MAX, OPERATIONS_MAX, STATEMENTS_MAX};

/// Likely connections and statements: with more, they seldom interact.
const LIKELY_IDS: u8 = 2;

/// Adds an operation, or assigns statements that no operation took to several connections.
pub(super) struct Insert;

impl Mutator for Insert {
    fn can_mutate(&self, case: &TestCase) -> bool {
        case.operations.list().len() < OPERATIONS_MAX
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let before = case.operations.clone();
        match context.rng.u8(0..8) {
            0 | 1 => spread(case, context),
            2 | 3 => hold(case, context),
            4 => operation_calls::combine(case, context),
            _ => {
                let operation = new_operation(case, context);
                let at = context.rng.usize(0..=case.operations.list().len());
                case.operations.edit(|operations| operations.insert(at, operation));
            }
        }
        if case.operations == before { Outcome::Skipped } else { Outcome::Mutated }
    }
}

/// Assigns statements that no operation took to connections, in runs.
fn spread(case: &mut TestCase, context: &mut Context<'_>) {
    let taken = case.operations.list().iter().filter(|operation| operation.takes_statement()).count();
    let left = sql::statements(case.sql.as_bytes()).count().saturating_sub(taken);
    let count = if context.chance(50) { left } else { context.rng.usize(0..=left) };
    let mut connection = id(CONNECTIONS_MAX, context);
    let mut runs = Vec::new();
    for _ in 0..count.min(OPERATIONS_MAX) {
        if context.chance(40) {
            connection = id(CONNECTIONS_MAX, context);
        }
        runs.push(match context.rng.u8(0..20) {
            0 => Operation::Execute { connection, is_table: context.rng.bool() },
            1 => {
                let (statement, form) = (id(STATEMENTS_MAX, context), operation_calls::prepare_form(context));
                Operation::PrepareAs { connection, statement, form }
            }
            _ => Operation::Run { connection },
        });
    }
    case.operations.edit(|operations| operations.extend(runs));
}

/// Makes a statement that ran to its end stop after some rows while others run.
fn hold(case: &mut TestCase, context: &mut Context<'_>) {
    let runs: Vec<(usize, u8)> = case.operations.list().iter().enumerate().filter_map(is_run).collect();
    let Some(&(at, connection)) = context.pick(&runs) else {
        return;
    };
    let statement = id(STATEMENTS_MAX, context);
    let rows = context.rng.u32(1..4);
    let later = context.rng.usize(at + 1..=case.operations.list().len());
    let goes_on = if context.chance(70) {
        Operation::Step { statement, rows: context.rng.u32(0..4) }
    } else {
        Operation::Finalize { statement }
    };
    let prepare = if context.chance(60) {
        Operation::Prepare { connection, statement }
    } else {
        Operation::PrepareAs { connection, statement, form: operation_calls::prepare_form(context) }
    };
    case.operations.edit(|operations| {
        operations.insert(later, goes_on);
        let held = [prepare, Operation::Step { statement, rows }];
        operations.splice(at..=at, held);
    });
}

fn is_run((at, operation): (usize, &Operation)) -> Option<(usize, u8)> {
    match operation {
        Operation::Run { connection } => Some((at, *connection)),
        _ => None,
    }
}

/// An identifier, usually a low one.
pub(super) fn id(count: u8, context: &mut Context<'_>) -> u8 {
    let likely = if context.chance(90) { LIKELY_IDS } else { count };
    context.rng.u8(0..likely)
}

/// An operation that takes no statement.
fn new_operation(case: &TestCase, context: &mut Context<'_>) -> Operation {
    let (connection, statement) = (id(CONNECTIONS_MAX, context), id(STATEMENTS_MAX, context));
    let other = (connection + context.rng.u8(1..LIKELY_IDS + 1)) % CONNECTIONS_MAX;
    match context.rng.u8(0..66) {
        0..2 => Operation::Bind { statement, parameter: context.rng.u16(0..4), value: bound(context) },
        2..6 => Operation::Step { statement, rows: context.rng.u32(0..5) },
        6 => Operation::Reset { statement, clears_bindings: context.rng.bool() },
        7 => Operation::Finalize { statement },
        8 => Operation::Open { connection, file: file(case, context), is_read_only: context.chance(25) },
        9 => Operation::Close { connection },
        10 => Operation::BackupStart { from: connection, to: other },
        11 | 12 => Operation::BackupStep { to: connection, pages: context.rng.i32(-1..8) },
        13 => Operation::BackupFinish { to: connection },
        14 => blob_open(case, connection, context),
        15 => Operation::BlobRead { connection, offset: small(context), bytes: small(context) },
        16 => Operation::BlobWrite { connection, offset: small(context), content: bytes(context) },
        17 => Operation::BlobReopen { connection, row: i64::from(small(context)) },
        18 => Operation::BlobClose { connection },
        19 => Operation::Serialize { connection },
        20 => Operation::Deserialize { connection, is_read_only: context.chance(20) },
        21 | 22 => Operation::Checkpoint { connection, mode: checkpoint_mode(context) },
        23 => session(connection, context),
        24 => Operation::PowerCut,
        25 => Operation::PassTime { milliseconds: context.number(1, 4) as u32 },
        _ => operation_calls::new(case, context),
    }
}

fn session(connection: u8, context: &mut Context<'_>) -> Operation {
    match context.rng.u8(0..5) {
        0 => Operation::SessionStart { connection },
        1 => Operation::SessionTake { connection, is_patchset: context.chance(30) },
        2 => Operation::SessionInvert,
        3 => Operation::SessionApply { connection, on_conflict: on_conflict(context) },
        _ => Operation::SessionEnd { connection },
    }
}

fn checkpoint_mode(context: &mut Context<'_>) -> CheckpointMode {
    use CheckpointMode::{Full, Passive, Restart, Truncate};
    [Passive, Full, Restart, Truncate][context.rng.usize(0..4)]
}

pub(super) fn on_conflict(context: &mut Context<'_>) -> OnConflict {
    [OnConflict::Omit, OnConflict::Replace, OnConflict::Abort][context.rng.usize(0..3)]
}

/// A number within a value, or slightly outside it.
pub(super) fn small(context: &mut Context<'_>) -> i32 {
    if context.chance(90) { context.rng.i32(0..32) } else { context.number(0, 4) as i32 }
}

pub(super) fn bytes(context: &mut Context<'_>) -> Vec<u8> {
    let count = context.rng.usize(0..=context.room().min(24));
    (0..count).map(|_| context.rng.u8(..)).collect()
}

pub(super) fn bound(context: &mut Context<'_>) -> Bound {
    match context.rng.u8(0..6) {
        0 => Bound::Null,
        1 => Bound::Integer(context.number(1, 8) as i64),
        2 => Bound::Real(context.number(0x3ff0_0000_0000_0000, 8)),
        3 => Bound::Text(bytes(context).into_iter().map(|byte| b' ' + byte % 95).collect()),
        4 => Bound::Blob(bytes(context)),
        _ => Bound::ZeroBlob(context.rng.u32(0..4096)),
    }
}

pub(super) fn file(case: &TestCase, context: &mut Context<'_>) -> FileName {
    let names: Vec<&FileName> = case.files.iter().map(|(name, _)| name).collect();
    let other = || FileName::new("other.db").expect("such names are allowed");
    match context.rng.u8(0..4) {
        0 => other(),
        1 => context.pick(&names).map_or_else(other, |&name| name.clone()),
        _ => FileName::main(),
    }
}

/// A table of the case, and one of its columns.
pub(super) fn column(case: &TestCase, context: &mut Context<'_>) -> (String, String) {
    let names = sql_templates::names(case);
    let table = context.pick(&names.tables);
    let (table, columns) =
        table.map_or(("t", &[][..]), |table| (table.name.as_str(), table.columns.as_slice()));
    let column = context.pick(columns).map_or("a", String::as_str);
    (sql::bare(table).to_owned(), sql::bare(column).to_owned())
}

/// A value of some table of the case.
fn blob_open(case: &TestCase, connection: u8, context: &mut Context<'_>) -> Operation {
    let (table, column) = column(case, context);
    Operation::BlobOpen {
        connection,
        table,
        column,
        row: i64::from(small(context)),
        is_writable: context.rng.bool(),
    }
}

/// Changes identifiers, numbers and values in one operation.
pub(super) struct Change;

impl Mutator for Change {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.operations.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let list = case.operations.list();
        let Some(at) = context.range(list.len(), 1).map(|range| range.start) else {
            return Outcome::Skipped;
        };
        let mut operation = list[at].clone();
        change(&mut operation, case, context);
        if operation == list[at] {
            return Outcome::Skipped;
        }
        case.operations.edit(|operations| operations[at] = operation);
        Outcome::Mutated
    }
}

fn change(operation: &mut Operation, case: &TestCase, context: &mut Context<'_>) {
    use Operation as O;
    match operation {
        O::Bind { value, .. } if context.chance(60) => *value = bound(context),
        O::Bind { parameter, .. } if context.chance(50) => *parameter = context.number(1, 1) as u16,
        O::Step { rows, .. } if context.chance(70) => *rows = context.number((*rows).into(), 1) as u32,
        O::Reset { clears_bindings, .. } if context.chance(50) => *clears_bindings ^= true,
        O::Open { file: name, .. } if context.chance(40) => *name = file(case, context),
        O::Open { is_read_only, .. } | O::Deserialize { is_read_only, .. } if context.chance(50) => {
            *is_read_only ^= true;
        }
        O::BackupStep { pages, .. } if context.chance(70) => *pages = small(context).saturating_sub(1),
        O::BlobOpen { row, .. } | O::BlobReopen { row, .. } if context.chance(60) => {
            *row = context.number(*row as u64, 8) as i64;
        }
        O::BlobOpen { is_writable, .. } if context.chance(50) => *is_writable ^= true,
        O::BlobRead { offset, bytes, .. } if context.chance(80) => {
            (*offset, *bytes) = (small(context), small(context));
        }
        O::BlobWrite { offset, .. } if context.chance(40) => *offset = small(context),
        O::BlobWrite { content, .. } if context.chance(60) => *content = bytes(context),
        O::Checkpoint { mode, .. } if context.chance(60) => *mode = checkpoint_mode(context),
        O::SessionTake { is_patchset, .. } if context.chance(50) => *is_patchset ^= true,
        O::SessionApply { on_conflict: answer, .. } if context.chance(50) => *answer = on_conflict(context),
        O::PassTime { milliseconds } => *milliseconds = context.number((*milliseconds).into(), 4) as u32,
        O::BackupStart { from, to } => (*from, *to) = (*to, *from),
        O::Prepare { statement, .. }
        | O::Bind { statement, .. }
        | O::Step { statement, .. }
        | O::Reset { statement, .. }
        | O::Finalize { statement } => *statement = id(STATEMENTS_MAX, context),
        other => {
            if !operation_calls::change(other, case, context)
                && let Some(connection) = other.connection_mut()
            {
                *connection = id(CONNECTIONS_MAX, context);
            }
        }
    }
}

/// Moves an operation earlier or later, or duplicates it.
pub(super) struct Move;

impl Mutator for Move {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.operations.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let list = case.operations.list();
        let (from, to) = (context.rng.usize(0..list.len()), context.rng.usize(0..list.len()));
        let moved = list[from].clone();
        let twice = !moved.takes_statement() && context.chance(30);
        if list.len() == OPERATIONS_MAX || !twice && list[to] == moved {
            return Outcome::Skipped;
        }
        case.operations.edit(|operations| {
            if !twice {
                operations.remove(from);
            }
            operations.insert(to, moved);
        });
        Outcome::Mutated
    }
}

/// Removes operations.
pub(super) struct Delete;

impl Mutator for Delete {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.operations.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let count = case.operations.list().len();
        let Some(out) = context.range(count, count.div_ceil(4)) else {
            return Outcome::Skipped;
        };
        case.operations.edit(|operations| drop(operations.drain(out)));
        Outcome::Mutated
    }
}
