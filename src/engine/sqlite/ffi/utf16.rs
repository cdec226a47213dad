//! The UTF-16 functions of SQLite's interface, which rusqlite's bindings leave out.

use std::ffi::{c_int, c_uint, c_void};

use rusqlite::ffi::{sqlite3, sqlite3_stmt};

unsafe extern "C" {
    pub fn sqlite3_prepare16_v3(
        db: *mut sqlite3,
        sql: *const c_void,
        bytes: c_int,
        flags: c_uint,
        statement: *mut *mut sqlite3_stmt,
        tail: *mut *const c_void,
    ) -> c_int;
    pub fn sqlite3_column_text16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_bytes16(statement: *mut sqlite3_stmt, column: c_int) -> c_int;
}
