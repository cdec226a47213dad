//! Statements that make good histories.

use fastrand::Rng;

use super::{LIST_TABLE, REGISTER_TABLE};

/// How large a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Connections, from 0; at least one.
    pub processes: u8,
    /// Transactions of each.
    pub transactions: u16,
    /// Lists, with keys from 1.
    pub lists: u8,
    /// Registers, likewise. There must be a list or a register.
    pub registers: u8,
}

/// The statements that make the tables and the rows of a [`workload`], as [`super::Form::Setup`].
pub fn setup(shape: Shape) -> Vec<String> {
    let tables =
        [(LIST_TABLE, "TEXT", "''", shape.lists), (REGISTER_TABLE, "INTEGER", "NULL", shape.registers)];
    let mut statements = Vec::new();
    for (table, kind, nothing, keys) in tables.into_iter().filter(|(.., keys)| *keys > 0) {
        statements.push(format!("CREATE TABLE {table}(k INTEGER PRIMARY KEY, v {kind})"));
        let rows: Vec<String> = (1..=keys).map(|key| format!("({key}, {nothing})")).collect();
        statements.push(format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
    }
    statements
}

/// The statements of several connections, each with its connection, in the order in which they run.
///
/// No object gets a value twice. At the end each connection gives up what is still open, and connection 0 reads all.
pub fn workload(rng: &mut Rng, shape: Shape) -> Vec<(u8, String)> {
    let mut next_value = 1;
    let mut waiting: Vec<(u8, Vec<String>)> = (0..shape.processes)
        .map(|process| {
            let transactions = 0..shape.transactions;
            let mut statements: Vec<String> =
                transactions.flat_map(|_| transaction(rng, shape, &mut next_value)).collect();
            statements.reverse();
            (process, statements)
        })
        .collect();
    let mut statements = Vec::new();
    while !waiting.is_empty() {
        let at = rng.usize(..waiting.len());
        let (process, left) = &mut waiting[at];
        // Several at a time: if each waits for the others after every statement, few get anything done.
        for _ in 0..rng.usize(1..=3) {
            statements.extend(left.pop().map(|statement| (*process, statement)));
        }
        if left.is_empty() {
            waiting.remove(at);
        }
    }
    statements.extend((0..shape.processes).map(|process| (process, "ROLLBACK".to_owned())));
    let tables = [(LIST_TABLE, shape.lists), (REGISTER_TABLE, shape.registers)];
    let tables = tables.into_iter().filter(|(_, keys)| *keys > 0);
    statements.extend(tables.map(|(table, _)| (0, read_all(table))));
    statements
}

fn read_all(table: &str) -> String {
    format!("SELECT k, v FROM {table} ORDER BY k")
}

/// One transaction.
fn transaction(rng: &mut Rng, shape: Shape, next_value: &mut i64) -> Vec<String> {
    let only_reads = rng.u8(..3) == 0;
    if rng.u8(..4) == 0 {
        return vec![access(rng, shape, only_reads, next_value)];
    }
    let begin = if rng.u8(..3) == 0 && !only_reads { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut statements = vec![begin.to_owned()];
    statements.extend((0..rng.u8(1..=4)).map(|_| access(rng, shape, only_reads, next_value)));
    statements.push(if rng.u8(..8) == 0 { "ROLLBACK" } else { "COMMIT" }.to_owned());
    statements
}

fn access(rng: &mut Rng, shape: Shape, only_reads: bool, next_value: &mut i64) -> String {
    let object = rng.u16(..u16::from(shape.lists) + u16::from(shape.registers));
    let (table, key) = match object.checked_sub(shape.lists.into()) {
        None => (LIST_TABLE, object + 1),
        Some(register) => (REGISTER_TABLE, register + 1),
    };
    let kind = rng.u8(..if only_reads { 4 } else { 8 });
    match kind {
        0 => return read_all(table),
        1..4 => return format!("SELECT v FROM {table} WHERE k = {key}"),
        _ => {}
    }
    let value = *next_value;
    *next_value += 1;
    if table == LIST_TABLE {
        format!("UPDATE {table} SET v = v || ',{value}' WHERE k = {key}")
    } else {
        format!("UPDATE {table} SET v = {value} WHERE k = {key}")
    }
}
