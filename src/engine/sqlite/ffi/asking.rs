//! Inquiries: what a connection says of itself.
//!
//! An answer is bytes for the trace. What depends on the host or on the allocator is asked for and left out of it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use rusqlite::ffi;

use super::callbacks::{add_text, add_text16, c_name};
use super::connection::Connection;
use super::utf16;
use crate::engine::Code;
use crate::testcase::{Control, Question};

/// Counters of a connection, and whether they are the same on each host: the others count bytes of memory.
const COUNTERS: [(c_int, bool); 10] = [
    (ffi::SQLITE_DBSTATUS_CACHE_HIT, true),
    (ffi::SQLITE_DBSTATUS_CACHE_MISS, true),
    (ffi::SQLITE_DBSTATUS_CACHE_WRITE, true),
    (ffi::SQLITE_DBSTATUS_CACHE_SPILL, true),
    (ffi::SQLITE_DBSTATUS_DEFERRED_FKS, true),
    (ffi::SQLITE_DBSTATUS_CACHE_USED, false),
    (ffi::SQLITE_DBSTATUS_CACHE_USED_SHARED, false),
    (ffi::SQLITE_DBSTATUS_SCHEMA_USED, false),
    (ffi::SQLITE_DBSTATUS_STMT_USED, false),
    (ffi::SQLITE_DBSTATUS_LOOKASIDE_USED, false),
];
/// Number of limits that SQLite has (`SQLITE_LIMIT_…`).
const LIMITS: u8 = 12;

pub(super) fn pick<T: Copy>(from: &[T], index: u8) -> T {
    from[usize::from(index) % from.len()]
}

impl Connection<'_> {
    /// Asks something.
    pub fn ask(&self, question: &Question) -> (Code, Vec<u8>) {
        let db = self.raw();
        let mut out = Vec::new();
        // SAFETY: the connection is open; names are C strings that live for the call, and texts that SQLite returns are
        // copied at once.
        let code = unsafe {
            match question {
                Question::Status { counter, resets } => self.status(*counter, *resets, &mut out),
                Question::Limit { limit } => {
                    number(ffi::sqlite3_limit(db, (limit % LIMITS).into(), -1), &mut out)
                }
                Question::TransactionState { schema } => {
                    number(ffi::sqlite3_txn_state(db, c_name(schema).as_ptr()), &mut out)
                }
                Question::File { schema } => self.file(schema, &mut out),
                Question::FileControl { schema, control, value } => {
                    self.file_control(schema, *control, *value, &mut out)
                }
                Question::Column { schema, table, column } => {
                    self.column_metadata(schema.as_deref(), table, column.as_deref(), &mut out)
                }
                Question::FlushCache => ffi::sqlite3_db_cacheflush(db),
                Question::ReleaseMemory => ffi::sqlite3_db_release_memory(db),
                Question::Changes => self.changes(&mut out),
                Question::SetLastRow { row } => {
                    ffi::sqlite3_set_last_insert_rowid(db, *row);
                    ffi::SQLITE_OK
                }
                Question::Error => self.last_error(&mut out),
                Question::ErrorText { code } => {
                    add_text(ffi::sqlite3_errstr((*code).into()), &mut out);
                    ffi::SQLITE_OK
                }
                Question::Overload { name, arguments } => {
                    ffi::sqlite3_overload_function(db, c_name(name).as_ptr(), (arguments % 8).into())
                }
                Question::Autocheckpoint { frames } => ffi::sqlite3_wal_autocheckpoint(db, (*frames).into()),
                Question::ExtendedCodes => {
                    ffi::sqlite3_extended_result_codes(db, 0);
                    number(ffi::sqlite3_errcode(db), &mut out);
                    ffi::sqlite3_extended_result_codes(db, 1)
                }
                Question::NoExtensions => ffi::sqlite3_enable_load_extension(db, 0),
                Question::LockTimeout { milliseconds } => {
                    ffi::sqlite3_setlk_timeout(db, (*milliseconds).into(), 0)
                }
                Question::Complete { text } => {
                    let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
                    number(ffi::sqlite3_complete(c_name(text).as_ptr()), &mut out);
                    number(utf16::sqlite3_complete16(units.as_ptr().cast()), &mut out)
                }
                Question::ClientData { name, value } => self.client_data(name, *value, &mut out),
                Question::Statements => self.statements(&mut out),
                Question::SchemaName { index } => {
                    add_text(ffi::sqlite3_db_name(db, (*index).into()), &mut out);
                    ffi::SQLITE_OK
                }
                Question::IsInterrupted => number(ffi::sqlite3_is_interrupted(db), &mut out),
            }
        };
        (Code(code), out)
    }

    fn status(&self, counter: u8, resets: bool, out: &mut Vec<u8>) -> c_int {
        let (counter, is_same) = pick(&COUNTERS, counter);
        let (mut now, mut highest) = (0, 0);
        // SAFETY: the connection is open, here and below.
        let code = unsafe {
            ffi::sqlite3_db_status(self.raw(), counter, &mut now, &mut highest, c_int::from(resets))
        };
        if is_same {
            number(now, out);
        }
        code
    }

    fn changes(&self, out: &mut Vec<u8>) -> c_int {
        let db = self.raw();
        // SAFETY: as above.
        unsafe {
            let numbers = [
                ffi::sqlite3_changes64(db),
                ffi::sqlite3_total_changes64(db),
                ffi::sqlite3_last_insert_rowid(db),
            ];
            numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
            number(ffi::sqlite3_get_autocommit(db), out)
        }
    }

    /// The error number of the system is that of the host.
    fn last_error(&self, out: &mut Vec<u8>) -> c_int {
        let db = self.raw();
        // SAFETY: as above; the text is copied at once.
        unsafe {
            ffi::sqlite3_system_errno(db);
            add_text16(utf16::sqlite3_errmsg16(db), out);
            number(ffi::sqlite3_errcode(db), out);
            number(ffi::sqlite3_error_offset(db), out)
        }
    }

    /// Whether it can be written, its file, and the parameters of its URI. The name of the VFS differs between processes.
    fn file(&self, schema: &str, out: &mut Vec<u8>) -> c_int {
        let (db, schema) = (self.raw(), c_name(schema));
        // SAFETY: as above; the name is one that these functions take, and lives while the connection is open.
        unsafe {
            number(ffi::sqlite3_db_readonly(db, schema.as_ptr()), out);
            let name = ffi::sqlite3_db_filename(db, schema.as_ptr());
            add_text(name, out);
            if name.is_null() || *name == 0 {
                return ffi::SQLITE_OK;
            }
            add_text(ffi::sqlite3_uri_parameter(name, c"mode".as_ptr()), out);
            add_text(ffi::sqlite3_uri_key(name, 0), out);
            add_text(ffi::sqlite3_uri_key(name, 9), out);
            number(ffi::sqlite3_uri_boolean(name, c"immutable".as_ptr(), 0), out);
            out.extend_from_slice(&ffi::sqlite3_uri_int64(name, c"psow".as_ptr(), 7).to_le_bytes());
            add_text(ffi::sqlite3_filename_database(name), out);
            add_text(ffi::sqlite3_filename_journal(name), out);
            add_text(ffi::sqlite3_filename_wal(name), out);
        }
        ffi::SQLITE_OK
    }

    fn file_control(&self, schema: &str, control: Control, value: i32, out: &mut Vec<u8>) -> c_int {
        let schema = c_name(schema);
        let call = |operation: c_int, argument: *mut c_void| {
            // SAFETY: as above; the argument is of the type that the operation takes.
            unsafe { ffi::sqlite3_file_control(self.raw(), schema.as_ptr(), operation, argument) }
        };
        let (mut int, mut long, mut text) = (value, i64::from(value), ptr::null_mut::<c_char>());
        let argument: *mut c_void = ptr::from_mut(&mut int).cast();
        let code = match control {
            Control::DataVersion => call(ffi::SQLITE_FCNTL_DATA_VERSION, argument),
            Control::PersistWal => call(ffi::SQLITE_FCNTL_PERSIST_WAL, argument),
            Control::PowersafeOverwrite => call(ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE, argument),
            Control::ChunkSize => call(ffi::SQLITE_FCNTL_CHUNK_SIZE, argument),
            Control::ReserveBytes => call(ffi::SQLITE_FCNTL_RESERVE_BYTES, argument),
            Control::LockState => call(ffi::SQLITE_FCNTL_LOCKSTATE, argument),
            Control::HasMoved => call(ffi::SQLITE_FCNTL_HAS_MOVED, argument),
            Control::SizeHint => call(ffi::SQLITE_FCNTL_SIZE_HINT, ptr::from_mut(&mut long).cast()),
            Control::ResetCache => call(ffi::SQLITE_FCNTL_RESET_CACHE, ptr::null_mut()),
            Control::VfsName => {
                let code = call(ffi::SQLITE_FCNTL_VFSNAME, ptr::from_mut(&mut text).cast());
                // SAFETY: SQLite allocated the name, or there is none.
                unsafe { ffi::sqlite3_free(text.cast()) };
                code
            }
        };
        if code == ffi::SQLITE_OK {
            number(int, out);
        }
        code
    }

    fn column_metadata(
        &self,
        schema: Option<&str>,
        table: &str,
        column: Option<&str>,
        out: &mut Vec<u8>,
    ) -> c_int {
        let (schema, table, column) = (schema.map(c_name), c_name(table), column.map(c_name));
        let pointer =
            |name: &Option<std::ffi::CString>| name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let (mut kind, mut collation) = (ptr::null(), ptr::null());
        let (mut not_null, mut key, mut counts) = (0, 0, 0);
        // SAFETY: as above.
        unsafe {
            let code = ffi::sqlite3_table_column_metadata(
                self.raw(),
                pointer(&schema),
                table.as_ptr(),
                pointer(&column),
                &mut kind,
                &mut collation,
                &mut not_null,
                &mut key,
                &mut counts,
            );
            if code == ffi::SQLITE_OK {
                add_text(kind, out);
                add_text(collation, out);
                out.extend([not_null as u8, key as u8, counts as u8]);
            }
            code
        }
    }

    fn client_data(&self, name: &str, value: Option<u8>, out: &mut Vec<u8>) -> c_int {
        let (db, name) = (self.raw(), c_name(name));
        // SAFETY: as above; SQLite destroys the data once, even if it fails.
        unsafe {
            let before = ffi::sqlite3_get_clientdata(db, name.as_ptr()).cast::<u8>();
            out.push(if before.is_null() { 0 } else { *before });
            let data = value.map_or(ptr::null_mut(), |value| Box::into_raw(Box::new(value)).cast());
            ffi::sqlite3_set_clientdata(db, name.as_ptr(), data, Some(forget))
        }
    }

    fn statements(&self, out: &mut Vec<u8>) -> c_int {
        let (mut count, mut busy) = (0, 0);
        // SAFETY: as above; the statements of the list are those of the connection.
        unsafe {
            let mut statement = ffi::sqlite3_next_stmt(self.raw(), ptr::null_mut());
            while !statement.is_null() {
                count += 1;
                busy += ffi::sqlite3_stmt_busy(statement);
                statement = ffi::sqlite3_next_stmt(self.raw(), statement);
            }
        }
        number(count, out);
        number(busy, out)
    }

    /// Runs all statements of a text by `sqlite3_exec` or `sqlite3_get_table`; it ends at its first NUL. Returns the code and
    /// the rows.
    pub fn execute(&self, text: &[u8], is_table: bool) -> (Code, Vec<u8>) {
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = std::ffi::CString::new(text).unwrap_or_default();
        let mut out = Vec::new();
        let (mut message, mut table, mut rows, mut columns) = (ptr::null_mut(), ptr::null_mut(), 0, 0);
        // SAFETY: as above; the vector lives for the call, and what SQLite allocates is freed once.
        let code = unsafe {
            let (db, text) = (self.raw(), text.as_ptr());
            if is_table {
                let code =
                    ffi::sqlite3_get_table(db, text, &mut table, &mut rows, &mut columns, &mut message);
                if code == ffi::SQLITE_OK {
                    (0..(rows + 1) * columns).for_each(|at| add_cell(*table.offset(at as isize), &mut out));
                }
                ffi::sqlite3_free_table(table);
                code
            } else {
                let place = ptr::from_mut(&mut out).cast();
                ffi::sqlite3_exec(db, text, Some(on_row), place, &mut message)
            }
        };
        // SAFETY: as above.
        unsafe { ffi::sqlite3_free(message.cast()) };
        (Code(code), out)
    }
}

unsafe extern "C" fn forget(data: *mut c_void) {
    if !data.is_null() {
        // SAFETY: it is from `client_data`, and used no more.
        drop(unsafe { Box::from_raw(data.cast::<u8>()) });
    }
}

unsafe extern "C" fn on_row(
    out: *mut c_void,
    count: c_int,
    values: *mut *mut c_char,
    _names: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes on the vector, and `count` texts.
    unsafe {
        let out = &mut *out.cast::<Vec<u8>>();
        // With `PRAGMA empty_result_callbacks` there may be no row.
        let count = if values.is_null() { 0 } else { count };
        (0..count).for_each(|at| add_cell(*values.offset(at as isize), out));
        out.push(b'\n');
    }
    0
}

/// Appends a value as text, without the address that `EXPLAIN` shows of a virtual table.
///
/// # Safety
/// The text is null or a C string.
unsafe fn add_cell(text: *const c_char, out: &mut Vec<u8>) {
    // SAFETY: given.
    let shows_address = !text.is_null() && unsafe { CStr::from_ptr(text) }.to_bytes().starts_with(b"vtab:");
    out.push(u8::from(text.is_null()));
    // SAFETY: given.
    unsafe { add_text(if shows_address { c"vtab:".as_ptr() } else { text }, out) };
}

pub(super) fn number(number: c_int, out: &mut Vec<u8>) -> c_int {
    out.extend_from_slice(&number.to_le_bytes());
    ffi::SQLITE_OK
}
