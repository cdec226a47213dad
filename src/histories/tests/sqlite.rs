//! Workloads on SQLite itself.

use std::fs;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode};

use super::super::form::recognise;
use super::*;
use crate::engine::sqlite;

/// Runs a statement to its end.
fn run(connection: &Connection, statement: &str) -> (Completion, Vec<Vec<Option<String>>>) {
    let rows = connection.prepare(statement).and_then(|mut prepared| {
        let columns = prepared.column_count();
        let value = |value: Value| match value {
            Value::Null => None,
            Value::Integer(value) => Some(value.to_string()),
            Value::Text(text) => Some(text),
            other => Some(format!("{other:?}")),
        };
        let rows = prepared.query_map([], |row| (0..columns).map(|at| Ok(value(row.get(at)?))).collect())?;
        rows.collect()
    });
    match rows {
        Ok(rows) => (Completion::Done, rows),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (Completion::Busy, Vec::new()),
            _ => (Completion::Failed, Vec::new()),
        },
    }
}

#[test]
fn what_sqlite_does_is_silent() {
    // It starts SQLite with the settings of this process, which it accepts only before its first use.
    let _shared = sqlite::shared();
    let folder = std::env::temp_dir().join(format!("tandem-histories-{}", std::process::id()));
    let (mut commits, mut waits) = (0, 0);
    for seed in 0..40 {
        fs::create_dir_all(&folder).unwrap();
        let shape = Shape { processes: 3, transactions: 15, lists: 2, registers: 2 };
        let connections: Vec<Connection> =
            (0..shape.processes).map(|_| Connection::open(folder.join("db")).unwrap()).collect();
        let mode = if seed % 2 == 0 { "wal" } else { "delete" };
        for connection in &connections {
            let sql = format!("PRAGMA journal_mode={mode}; PRAGMA synchronous=0; PRAGMA busy_timeout=0");
            connection.execute_batch(&sql).unwrap();
        }
        let mut builder = HistoryBuilder::new([]);
        let statements = setup(shape).into_iter().map(|statement| (0, statement));
        let statements = statements.chain(workload(&mut fastrand::Rng::with_seed(seed), shape));
        for (position, (process, statement)) in (0..).zip(statements) {
            let connection = &connections[usize::from(process)];
            let (completion, rows) = run(connection, &statement);
            commits += usize::from(statement == "COMMIT" && completion == Completion::Done);
            waits += usize::from(completion == Completion::Busy);
            builder.add(&Event {
                process,
                form: &recognise(statement.as_bytes()),
                started: position,
                finished: position,
                completion,
                rows: &rows,
                is_autocommit: connection.is_autocommit(),
            });
        }
        let history = builder.finish().expect("workloads are in the right form");
        assert_eq!(check(&history), [], "seed {seed}, {mode}: {history:#?}");
        drop(connections);
        fs::remove_dir_all(&folder).unwrap();
    }
    assert!(commits > 500 && waits > 300, "{commits} commits, {waits} waits");
}
