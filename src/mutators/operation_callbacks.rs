//! Operations that register callbacks, and statements that call them.

use super::Context;
use super::operations::column;
use crate::sql;
use crate::testcase::{Behaviour, Collation, Failure, FunctionKind, Hook, Nested, Operation, TestCase};

/// A statement that calls a function.
pub(super) fn call(function: &str, case: &TestCase, context: &mut Context<'_>) -> String {
    let (table, column) = column(case, context);
    let (table, column) = (sql::quoted(&table, '"'), sql::quoted(&column, '"'));
    if function == FunctionKind::Window.name() {
        return format!(
            "SELECT {function}({column}) OVER (ORDER BY {column} ROWS 1 PRECEDING) FROM {table};"
        );
    }
    match context.rng.u8(0..7) {
        0 => format!("UPDATE {table} SET {column}={function}({column});"),
        1 => format!("CREATE INDEX tandem_i ON {table}({function}({column}));"),
        2 => format!("SELECT {function}({column}) FROM {table} ORDER BY 1;"),
        3 => format!("SELECT {function}({column}), {function}('a') FROM {table} GROUP BY {column};"),
        4 => format!("INSERT INTO {table}({column}) SELECT {function}({column}) FROM {table};"),
        5 => format!("CREATE TABLE tandem_u(a, b AS ({function}(a)), CHECK({function}(a) OR 1));"),
        _ => format!("SELECT * FROM {table} WHERE {function}({column}) = {column};"),
    }
}

/// A statement that compares by a collation.
pub(super) fn collate(collation: &str, case: &TestCase, context: &mut Context<'_>) -> String {
    let (table, column) = column(case, context);
    let (table, column) = (sql::quoted(&table, '"'), sql::quoted(&column, '"'));
    match context.rng.u8(0..4) {
        0 => format!("SELECT * FROM {table} ORDER BY {column} COLLATE {collation};"),
        1 => format!("CREATE INDEX tandem_j ON {table}({column} COLLATE {collation});"),
        2 => format!("SELECT DISTINCT {column} COLLATE {collation} FROM {table};"),
        _ => format!(
            "CREATE TABLE tandem_v(a COLLATE {collation} UNIQUE); INSERT INTO tandem_v SELECT {column} FROM {table};"
        ),
    }
}

pub(super) fn hook(context: &mut Context<'_>) -> Hook {
    match context.rng.u8(0..12) {
        0 => Hook::None,
        1 | 2 => Hook::Commit { refused: context.rng.u8(0..3) },
        3 => Hook::Rollback,
        4 => Hook::Update,
        5..8 => Hook::Preupdate,
        8 => Hook::Wal { checkpoints: context.rng.bool() },
        9 => Hook::Trace { events: context.rng.u8(0..16) },
        10 => Hook::Profile,
        _ => Hook::AutovacuumPages { pages: context.rng.u8(0..8) },
    }
}

pub(super) fn giving_up(connection: u8, context: &mut Context<'_>) -> Operation {
    match context.rng.u8(0..5) {
        0 => Operation::BusyHandler { connection, calls: context.rng.u8(0..4) },
        1 => Operation::BusyTimeout { connection, milliseconds: context.rng.i8(-1..20) },
        2 => Operation::Interrupt { connection },
        3 => Operation::InterruptAfter { connection, calls: context.rng.u16(0..9) },
        _ => {
            Operation::Authorize { connection, request: context.rng.u16(0..12), ignores: context.chance(40) }
        }
    }
}

pub(super) fn registered(case: &TestCase, connection: u8, context: &mut Context<'_>) -> Operation {
    match context.rng.u8(0..10) {
        0 | 1 => {
            let collation = Collation::ALL[context.rng.usize(0..2)];
            Operation::CreateCollation { connection, collation, is_removed: context.chance(10) }
        }
        2 => Operation::CollationNeeded {
            connection,
            is_utf16: context.rng.bool(),
            answers: context.chance(80),
        },
        _ => Operation::CreateFunction {
            connection,
            kind: FunctionKind::ALL[context.rng.usize(0..3)],
            arguments: if context.chance(60) { 1 } else { context.rng.u8(0..4) },
            flags: if context.chance(60) { 0 } else { context.rng.u8(0..16) },
            behaviour: behaviour(case, context),
        },
    }
}

pub(super) fn behaviour(case: &TestCase, context: &mut Context<'_>) -> Behaviour {
    use Failure::{Abort, Full, Interrupt, Message, NoMemory, TooBig};
    let failures = [Message, NoMemory, TooBig, Abort, Interrupt, Full];
    match context.rng.u8(0..16) {
        0 => Behaviour::Removed,
        1..4 => Behaviour::Plain,
        4..6 => Behaviour::Fails { failure: failures[context.rng.usize(0..6)], is_late: context.rng.bool() },
        6..12 => Behaviour::Runs {
            statement: Nested::ALL[context.rng.usize(0..Nested::ALL.len())],
            table: column(case, context).0,
        },
        12 => Behaviour::Auxdata,
        13 => Behaviour::Subtype,
        14 => Behaviour::Duplicate,
        _ => Behaviour::Pointer,
    }
}
