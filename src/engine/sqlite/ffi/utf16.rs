//! Functions of SQLite's interface that rusqlite's bindings leave out: those for UTF-16, and some older ones.

use std::ffi::{c_char, c_int, c_uint, c_void};

use rusqlite::ffi::{sqlite3, sqlite3_destructor_type, sqlite3_stmt};

/// The callback of [`sqlite3_collation_needed16`].
pub type CollationNeeded16 = unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_void);

unsafe extern "C" {
    pub fn sqlite3_prepare16_v3(
        db: *mut sqlite3,
        sql: *const c_void,
        bytes: c_int,
        flags: c_uint,
        statement: *mut *mut sqlite3_stmt,
        tail: *mut *const c_void,
    ) -> c_int;
    pub fn sqlite3_prepare16_v2(
        db: *mut sqlite3,
        sql: *const c_void,
        bytes: c_int,
        statement: *mut *mut sqlite3_stmt,
        tail: *mut *const c_void,
    ) -> c_int;
    pub fn sqlite3_prepare16(
        db: *mut sqlite3,
        sql: *const c_void,
        bytes: c_int,
        statement: *mut *mut sqlite3_stmt,
        tail: *mut *const c_void,
    ) -> c_int;
    pub fn sqlite3_prepare(
        db: *mut sqlite3,
        sql: *const c_char,
        bytes: c_int,
        statement: *mut *mut sqlite3_stmt,
        tail: *mut *const c_char,
    ) -> c_int;
    pub fn sqlite3_bind_text16(
        statement: *mut sqlite3_stmt,
        parameter: c_int,
        text: *const c_void,
        bytes: c_int,
        destructor: sqlite3_destructor_type,
    ) -> c_int;
    pub fn sqlite3_column_text16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_bytes16(statement: *mut sqlite3_stmt, column: c_int) -> c_int;
    pub fn sqlite3_column_name16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_decltype16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_database_name16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_table_name16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_column_origin_name16(statement: *mut sqlite3_stmt, column: c_int) -> *const c_void;
    pub fn sqlite3_open16(name: *const c_void, db: *mut *mut sqlite3) -> c_int;
    pub fn sqlite3_close_v2(db: *mut sqlite3) -> c_int;
    pub fn sqlite3_errmsg16(db: *mut sqlite3) -> *const c_void;
    pub fn sqlite3_complete16(sql: *const c_void) -> c_int;
    pub fn sqlite3_normalized_sql(statement: *mut sqlite3_stmt) -> *const c_char;
    pub fn sqlite3_collation_needed16(
        db: *mut sqlite3,
        data: *mut c_void,
        callback: Option<CollationNeeded16>,
    ) -> c_int;
}
