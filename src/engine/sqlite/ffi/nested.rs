//! Statements that a function runs on the connection that calls it.
//!
//! SQLite forbids a function only to close the connection and to end the statement that calls it
//! (<https://sqlite.org/c3ref/create_function.html>). To write what another statement is writing at the same time is left
//! out, all the same: what that results in, nobody promises.

use std::ffi::c_int;
use std::ptr;

use rusqlite::ffi;

use super::functions::Function;
use super::watch::Phase;
use crate::testcase::Nested;

/// Statements of functions that run one within the other, at most.
const DEPTH_MAX: u8 = 2;
/// Rows that such a statement returns, at most.
const ROWS_MAX: usize = 64;

/// Runs a statement, and notes what it returns.
///
/// # Safety
/// `db` is the connection that calls the function.
pub(super) unsafe fn run(function: &Function, db: *mut ffi::sqlite3, statement: Nested, table: &str) {
    let (callbacks, left) = (&function.callbacks, function.runs_left.get());
    let depth = callbacks.depth.get();
    if !callbacks.is_of_case() || left == 0 || depth >= DEPTH_MAX {
        return;
    }
    // SAFETY: given.
    if !matches!(statement, Nested::Reads | Nested::Creates) && unsafe { is_writing(db) } {
        return;
    }
    function.runs_left.set(left - 1);
    let (verb, sql) = text(statement, table, function.kind.name());
    let watch = &callbacks.watch;
    let before = (watch.phase.get(), watch.verb.replace(verb));
    callbacks.depth.set(depth + 1);
    watch.phase.set(Phase::Prepare);
    if statement == Nested::RollsBack {
        watch.note_rollback();
    }
    let mut prepared = ptr::null_mut();
    // SAFETY: given; the text outlives the call, and the statement is finalized once.
    let (code, rows) = unsafe {
        let (start, length) = (sql.as_ptr().cast(), c_int::try_from(sql.len()).unwrap_or(c_int::MAX));
        let mut code = ffi::sqlite3_prepare_v2(db, start, length, &mut prepared, ptr::null_mut());
        let mut rows = 0;
        if code == ffi::SQLITE_OK {
            watch.phase.set(Phase::Step);
            code = ffi::SQLITE_ROW;
            while code == ffi::SQLITE_ROW && rows < ROWS_MAX {
                code = ffi::sqlite3_step(prepared);
                rows += 1;
            }
        }
        ffi::sqlite3_finalize(prepared);
        (code, rows)
    };
    callbacks.depth.set(depth);
    watch.phase.set(before.0);
    watch.verb.set(before.1);
    if code != ffi::SQLITE_DONE && code != ffi::SQLITE_ROW {
        watch.note_rollback();
    }
    callbacks.tell(&[code.to_le_bytes(), (rows as u32).to_le_bytes()].concat());
}

/// Whether a statement of the connection is running that writes.
///
/// # Safety
/// The connection is open.
unsafe fn is_writing(db: *mut ffi::sqlite3) -> bool {
    // SAFETY: given; the statements of the list are those of the connection.
    unsafe {
        let mut statement = ffi::sqlite3_next_stmt(db, ptr::null_mut());
        while !statement.is_null() {
            if ffi::sqlite3_stmt_busy(statement) != 0 && ffi::sqlite3_stmt_readonly(statement) == 0 {
                return true;
            }
            statement = ffi::sqlite3_next_stmt(db, statement);
        }
    }
    false
}

fn text(statement: Nested, table: &str, function: &str) -> (&'static str, String) {
    let table = format!("\"{}\"", table.replace('"', "\"\"").replace('\0', ""));
    match statement {
        Nested::Reads => ("SELECT", format!("SELECT {function}(1), * FROM {table} LIMIT 3")),
        Nested::Inserts => ("INSERT", format!("INSERT INTO {table} DEFAULT VALUES")),
        Nested::Updates => ("UPDATE", format!("UPDATE {table} SET rowid=-rowid")),
        Nested::Deletes => ("DELETE", format!("DELETE FROM {table}")),
        Nested::Creates => ("CREATE", "CREATE TABLE IF NOT EXISTS tandem_t(a)".to_owned()),
        Nested::Drops => ("DROP", format!("DROP TABLE {table}")),
        Nested::RollsBack => ("ROLLBACK", "ROLLBACK".to_owned()),
    }
}
