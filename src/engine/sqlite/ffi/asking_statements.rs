//! Inquiries: what a statement says of itself.

use std::ffi::{c_char, c_int, c_void};

use rusqlite::ffi;

use super::asking::{number, pick};
use super::callbacks::{add_text, add_text16, bytes};
use super::statement::Statement;
use super::utf16;
use crate::engine::Code;
use crate::testcase::StatementQuestion;

/// Counters of a statement, and whether they are the same on each host.
const STATEMENT_COUNTERS: [(c_int, bool); 9] = [
    (ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP, true),
    (ffi::SQLITE_STMTSTATUS_SORT, true),
    (ffi::SQLITE_STMTSTATUS_AUTOINDEX, true),
    (ffi::SQLITE_STMTSTATUS_VM_STEP, true),
    (ffi::SQLITE_STMTSTATUS_REPREPARE, true),
    (ffi::SQLITE_STMTSTATUS_RUN, true),
    (ffi::SQLITE_STMTSTATUS_FILTER_HIT, true),
    (ffi::SQLITE_STMTSTATUS_FILTER_MISS, true),
    (ffi::SQLITE_STMTSTATUS_MEMUSED, false),
];
type Name = unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> *const c_char;
type Name16 = unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> *const c_void;

impl Statement<'_> {
    /// Asks something.
    pub fn ask(&mut self, question: &StatementQuestion) -> (Code, Vec<u8>) {
        let raw = self.raw();
        let mut out = Vec::new();
        // SAFETY: the statement is not finalized, here and below; texts are copied at once.
        let code = unsafe {
            match question {
                StatementQuestion::Status { counter, resets } => {
                    let (counter, is_same) = pick(&STATEMENT_COUNTERS, *counter);
                    let value = ffi::sqlite3_stmt_status(raw, counter, c_int::from(*resets));
                    if is_same { number(value, &mut out) } else { ffi::SQLITE_OK }
                }
                StatementQuestion::Text => {
                    add_text(ffi::sqlite3_sql(raw), &mut out);
                    let expanded = ffi::sqlite3_expanded_sql(raw);
                    add_text(expanded, &mut out);
                    ffi::sqlite3_free(expanded.cast());
                    add_text(utf16::sqlite3_normalized_sql(raw), &mut out);
                    ffi::SQLITE_OK
                }
                StatementQuestion::Flags => {
                    number(ffi::sqlite3_stmt_readonly(raw), &mut out);
                    number(ffi::sqlite3_stmt_isexplain(raw), &mut out);
                    number(ffi::sqlite3_stmt_busy(raw), &mut out)
                }
                StatementQuestion::Explain { mode } => {
                    let code = ffi::sqlite3_stmt_explain(raw, (mode % 3).into());
                    self.note_explain();
                    code
                }
                StatementQuestion::Columns => self.column_origins(&mut out),
                StatementQuestion::Row => self.conversions(&mut out),
                StatementQuestion::Parameters => {
                    out = self.parameter_names();
                    ffi::SQLITE_OK
                }
            }
        };
        (Code(code), out)
    }

    fn column_origins(&self, out: &mut Vec<u8>) -> c_int {
        let names: [Name; 5] = [
            ffi::sqlite3_column_name,
            ffi::sqlite3_column_decltype,
            ffi::sqlite3_column_database_name,
            ffi::sqlite3_column_table_name,
            ffi::sqlite3_column_origin_name,
        ];
        let names16: [Name16; 5] = [
            utf16::sqlite3_column_name16,
            utf16::sqlite3_column_decltype16,
            utf16::sqlite3_column_database_name16,
            utf16::sqlite3_column_table_name16,
            utf16::sqlite3_column_origin_name16,
        ];
        // SAFETY: as above.
        unsafe {
            for column in 0..ffi::sqlite3_column_count(self.raw()) {
                names.iter().for_each(|name| add_text(name(self.raw(), column), out));
                names16.iter().for_each(|name| add_text16(name(self.raw(), column), out));
            }
        }
        ffi::SQLITE_OK
    }

    /// The values of the row as each type. Which type a value has after that is undefined.
    fn conversions(&self, out: &mut Vec<u8>) -> c_int {
        let raw = self.raw();
        // A row of EXPLAIN may show an address.
        let columns = if self.shows_program() { 0 } else { self.columns() };
        for column in 0..columns as c_int {
            // SAFETY: as above; bytes are counted after each conversion.
            unsafe {
                number(ffi::sqlite3_column_type(raw, column), out);
                number(ffi::sqlite3_column_int(raw, column), out);
                out.extend_from_slice(&ffi::sqlite3_column_double(raw, column).to_bits().to_le_bytes());
                let text = ffi::sqlite3_column_text(raw, column);
                out.extend_from_slice(bytes(text, ffi::sqlite3_column_bytes(raw, column)));
                let text = utf16::sqlite3_column_text16(raw, column);
                out.extend_from_slice(bytes(text.cast(), utf16::sqlite3_column_bytes16(raw, column)));
                let blob = ffi::sqlite3_column_blob(raw, column);
                out.extend_from_slice(bytes(blob.cast(), ffi::sqlite3_column_bytes(raw, column)));
            }
        }
        ffi::SQLITE_OK
    }
}
