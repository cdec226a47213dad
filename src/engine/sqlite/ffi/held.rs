//! A connection's objects that outlive the call that creates them: each keeps its connections open.
//!
//! # Invariants
//! * An object is declared before the connections that it keeps open, and so dropped before them.
//! * A connection is closed only by its sole holder ([`Connection::close`] takes it by value), or when a prepared
//!   statement makes SQLite refuse ([`HeldStatement::close_connection`]).

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::slice;

use rusqlite::ffi;

use super::callbacks::c_name;
use super::changesets::Changes;
use super::connection::Connection;
use super::statement::Statement;
use super::streams::{Start, on_table};
use crate::engine::Code;
use crate::testcase::{Bound, CheckpointMode};

const MAIN: &CStr = c"main";

/// A prepared statement.
pub struct HeldStatement<'v> {
    statement: Statement<'v>,
    connection: Rc<Connection<'v>>,
}

impl<'v> HeldStatement<'v> {
    /// Like [`Connection::prepare`] or [`Connection::prepare_utf16`].
    pub fn prepare(connection: &Rc<Connection<'v>>, sql: &[u8], is_utf16: bool) -> (Code, Option<Self>) {
        let (code, statement) = if is_utf16 {
            connection.prepare_utf16(sql)
        } else {
            let (code, statement, _) = connection.prepare(sql);
            (code, statement)
        };
        (code, statement.map(|statement| Self::of(statement, connection)))
    }

    /// The statement.
    pub fn statement(&mut self) -> &mut Statement<'v> {
        &mut self.statement
    }

    /// Keeps a statement of this connection.
    pub(super) fn of(statement: Statement<'_>, connection: &Rc<Connection<'v>>) -> Self {
        Self { statement: statement.detached(), connection: Rc::clone(connection) }
    }

    /// The statement, to look at.
    pub fn peek(&self) -> &Statement<'v> {
        &self.statement
    }

    /// Its connection.
    pub fn connection(&self) -> &Rc<Connection<'v>> {
        &self.connection
    }

    /// Asks SQLite to close the connection, which it refuses.
    pub fn close_connection(&self) -> Code {
        // SAFETY: the connection has a statement that is not finalized, so it stays open.
        Code(unsafe { ffi::sqlite3_close(self.connection.raw()) })
    }
}

impl Statement<'_> {
    /// The same statement, whoever keeps its connection open.
    fn detached<'v>(self) -> Statement<'v> {
        let (statement, is_utf16) = (self.raw(), self.is_utf16());
        self.forget();
        Statement::new(statement, is_utf16).expect("it is one")
    }

    /// Resets it, and sets all parameters to NULL if requested. The result repeats that of the last step.
    pub fn reset(&mut self, clears_bindings: bool) -> Code {
        // SAFETY: as above.
        unsafe {
            let code = Code(ffi::sqlite3_reset(self.raw()));
            if clears_bindings {
                ffi::sqlite3_clear_bindings(self.raw());
            }
            code
        }
    }

    /// Binds a value to the parameter of this number.
    pub fn bind(&mut self, parameter: u16, value: &Bound) -> Code {
        let (raw, at) = (self.raw(), c_int::from(parameter));
        let length = |bytes: &[u8]| c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        let copy = ffi::SQLITE_TRANSIENT();
        // SAFETY: as above; SQLite copies the bytes during the call.
        Code(unsafe {
            match value {
                Bound::Null => ffi::sqlite3_bind_null(raw, at),
                Bound::Integer(integer) => ffi::sqlite3_bind_int64(raw, at, *integer),
                Bound::Real(bits) => ffi::sqlite3_bind_double(raw, at, f64::from_bits(*bits)),
                Bound::Text(text) => {
                    ffi::sqlite3_bind_text(raw, at, text.as_ptr().cast(), length(text), copy)
                }
                Bound::Blob(blob) => {
                    ffi::sqlite3_bind_blob(raw, at, blob.as_ptr().cast(), length(blob), copy)
                }
                Bound::ZeroBlob(bytes) => {
                    ffi::sqlite3_bind_zeroblob(raw, at, c_int::try_from(*bytes).unwrap_or(c_int::MAX))
                }
            }
        })
    }
}

/// A value that is open for incremental I/O (<https://sqlite.org/c3ref/blob.html>).
pub struct Blob<'v> {
    blob: NonNull<ffi::sqlite3_blob>,
    _connection: Rc<Connection<'v>>,
}

impl<'v> Blob<'v> {
    /// Opens one; names end at their first NUL.
    ///
    /// # Errors
    /// SQLite's code.
    pub fn open(
        connection: &Rc<Connection<'v>>,
        schema: &str,
        table: &str,
        column: &str,
        row: i64,
        is_writable: bool,
    ) -> Result<Self, Code> {
        let (schema, table, column) = (c_name(schema), c_name(table), c_name(column));
        let flags = c_int::from(is_writable);
        let mut blob = ptr::null_mut();
        // SAFETY: the connection is open and all pointers live for the call, here and below.
        let code = unsafe {
            let (db, schema) = (connection.raw(), schema.as_ptr());
            ffi::sqlite3_blob_open(db, schema, table.as_ptr(), column.as_ptr(), row, flags, &mut blob)
        };
        let blob = NonNull::new(blob).filter(|_| code == ffi::SQLITE_OK).ok_or(Code(code))?;
        Ok(Self { blob, _connection: Rc::clone(connection) })
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> i32 {
        // SAFETY: the blob is not closed.
        unsafe { ffi::sqlite3_blob_bytes(self.blob.as_ptr()) }
    }

    /// Reads into `out`.
    pub fn read(&mut self, offset: i32, out: &mut [u8]) -> Code {
        let length = c_int::try_from(out.len()).unwrap_or(c_int::MAX);
        // SAFETY: as above.
        Code(unsafe { ffi::sqlite3_blob_read(self.blob.as_ptr(), out.as_mut_ptr().cast(), length, offset) })
    }

    /// Writes `content`.
    pub fn write(&mut self, offset: i32, content: &[u8]) -> Code {
        let length = c_int::try_from(content.len()).unwrap_or(c_int::MAX);
        // SAFETY: as above.
        Code(unsafe { ffi::sqlite3_blob_write(self.blob.as_ptr(), content.as_ptr().cast(), length, offset) })
    }

    /// Moves to another row.
    pub fn reopen(&mut self, row: i64) -> Code {
        // SAFETY: as above.
        Code(unsafe { ffi::sqlite3_blob_reopen(self.blob.as_ptr(), row) })
    }

    /// Closes it; the result is that of the transaction this ends.
    pub fn close(self) -> Code {
        let blob = self.blob.as_ptr();
        let mut this = std::mem::ManuallyDrop::new(self);
        // SAFETY: closed once, and the connection released once, afterwards.
        unsafe {
            let code = Code(ffi::sqlite3_blob_close(blob));
            ptr::drop_in_place(&mut this._connection);
            code
        }
    }
}

impl Drop for Blob<'_> {
    fn drop(&mut self) {
        // SAFETY: closed once.
        unsafe { ffi::sqlite3_blob_close(self.blob.as_ptr()) };
    }
}

/// A backup (<https://sqlite.org/c3ref/backup_finish.html>). Until it is finished, its destination may not be used.
pub struct Backup<'v> {
    backup: NonNull<ffi::sqlite3_backup>,
    from: Rc<Connection<'v>>,
    _to: Rc<Connection<'v>>,
}

impl<'v> Backup<'v> {
    /// A backup of one connection's main database into another's.
    ///
    /// # Errors
    /// SQLite's code, which it leaves in the destination.
    pub fn start(from: &Rc<Connection<'v>>, to: &Rc<Connection<'v>>) -> Result<Self, Code> {
        Self::start_between((from, "main"), (to, "main"))
    }

    /// The same between databases of these names.
    ///
    /// # Errors
    /// The same; SQLITE_ERROR, too, if the destination shares its cache: SQLite forbids that anyone uses that meanwhile.
    pub fn start_between(
        (from, from_schema): (&Rc<Connection<'v>>, &str),
        (to, to_schema): (&Rc<Connection<'v>>, &str),
    ) -> Result<Self, Code> {
        if to.shares_cache() {
            return Err(Code(ffi::SQLITE_ERROR));
        }
        let (from_name, to_name) = (c_name(from_schema), c_name(to_schema));
        // SAFETY: both connections are open, here and below.
        let backup =
            unsafe { ffi::sqlite3_backup_init(to.raw(), to_name.as_ptr(), from.raw(), from_name.as_ptr()) };
        let backup = NonNull::new(backup).ok_or_else(|| to.error_code())?;
        Ok(Self { backup, from: Rc::clone(from), _to: Rc::clone(to) })
    }

    /// The connection it copies from.
    pub fn from(&self) -> &Rc<Connection<'v>> {
        &self.from
    }

    /// Copies this many pages, all if negative. Returns the code and the number of pages in the source.
    pub fn step(&mut self, pages: i32) -> (Code, u64) {
        // SAFETY: as above.
        unsafe {
            let code = ffi::sqlite3_backup_step(self.backup.as_ptr(), pages);
            ffi::sqlite3_backup_remaining(self.backup.as_ptr());
            let count = ffi::sqlite3_backup_pagecount(self.backup.as_ptr());
            (Code(code), u64::try_from(count).unwrap_or(0))
        }
    }

    /// Ends it; the result is the first error from a step.
    pub fn finish(self) -> Code {
        let mut this = std::mem::ManuallyDrop::new(self);
        // SAFETY: finished once, and the connections released once, afterwards.
        unsafe {
            let code = Code(ffi::sqlite3_backup_finish(this.backup.as_ptr()));
            ptr::drop_in_place(&mut this.from);
            ptr::drop_in_place(&mut this._to);
            code
        }
    }
}

impl Drop for Backup<'_> {
    fn drop(&mut self) {
        // SAFETY: finished once.
        unsafe { ffi::sqlite3_backup_finish(self.backup.as_ptr()) };
    }
}

/// A session, which records a connection's changes (<https://sqlite.org/sessionintro.html>).
pub struct Session<'v> {
    session: NonNull<ffi::sqlite3_session>,
    _connection: Rc<Connection<'v>>,
    /// What the session's filter points to.
    filter: Option<Box<Start>>,
}

impl<'v> Session<'v> {
    /// Records the changes to all tables of the main database.
    ///
    /// # Errors
    /// SQLite's code.
    pub fn start(connection: &Rc<Connection<'v>>) -> Result<Self, Code> {
        let session = Self::create(connection, "main", false, false)?;
        // SAFETY: the session is not deleted; a null name means all tables.
        match Code(unsafe { ffi::sqlite3session_attach(session.session.as_ptr(), ptr::null()) }) {
            Code::OK => Ok(session),
            code => Err(code),
        }
    }

    /// A session that SQLite has created with this result.
    pub(super) fn of(
        session: *mut ffi::sqlite3_session,
        code: c_int,
        connection: &Rc<Connection<'v>>,
    ) -> Result<Self, Code> {
        let session = NonNull::new(session).filter(|_| code == ffi::SQLITE_OK).ok_or(Code(code))?;
        Ok(Self { session, _connection: Rc::clone(connection), filter: None })
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3_session {
        self.session.as_ptr()
    }

    /// Records, of the tables that are attached later, only those whose names begin so.
    pub(super) fn set_filter(&mut self, start: &[u8]) {
        let start = Box::new(Start(start.to_vec()));
        let place = ptr::from_ref(&*start).cast_mut().cast();
        // SAFETY: the session is not deleted; the previous start is let go when the session has the new one.
        unsafe { ffi::sqlite3session_table_filter(self.raw(), Some(on_table), place) };
        self.filter = Some(start);
    }

    /// The changes recorded so far.
    ///
    /// # Errors
    /// SQLite's code.
    pub fn take(&mut self, is_patchset: bool) -> Result<Vec<u8>, Code> {
        let session = self.session.as_ptr();
        buffer(|length, out| {
            // SAFETY: as above; SQLite allocates what it returns.
            unsafe {
                if is_patchset {
                    ffi::sqlite3session_patchset(session, length, out)
                } else {
                    ffi::sqlite3session_changeset(session, length, out)
                }
            }
        })
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: deleted once, before its connection is closed.
        unsafe { ffi::sqlite3session_delete(self.session.as_ptr()) };
    }
}

/// The inverse of a changeset; a patchset has none.
///
/// # Errors
/// SQLite's code.
pub fn invert(changeset: &[u8]) -> Result<Vec<u8>, Code> {
    Changes { content: changeset, chunk: 0 }.invert()
}

/// The result of a function of the session extension, in memory that the caller must free.
pub(super) fn buffer(call: impl FnOnce(*mut c_int, *mut *mut c_void) -> c_int) -> Result<Vec<u8>, Code> {
    let (mut length, mut out) = (0, ptr::null_mut());
    let code = call(&mut length, &mut out);
    // SAFETY: SQLite allocated `length` bytes at `out`, or nothing.
    unsafe {
        let bytes = if out.is_null() || length <= 0 {
            Vec::new()
        } else {
            slice::from_raw_parts(out.cast::<u8>(), length as usize).to_vec()
        };
        ffi::sqlite3_free(out);
        if code == ffi::SQLITE_OK { Ok(bytes) } else { Err(Code(code)) }
    }
}

impl Connection<'_> {
    /// Checkpoints all databases. Returns the code, and the frames in the log of the main database with how many of them are
    /// now in the database; -1 without a log.
    pub fn checkpoint(&self, mode: CheckpointMode) -> (Code, [i32; 2]) {
        let mode = match mode {
            CheckpointMode::Passive => ffi::SQLITE_CHECKPOINT_PASSIVE,
            CheckpointMode::Full => ffi::SQLITE_CHECKPOINT_FULL,
            CheckpointMode::Restart => ffi::SQLITE_CHECKPOINT_RESTART,
            CheckpointMode::Truncate => ffi::SQLITE_CHECKPOINT_TRUNCATE,
        };
        let (mut log, mut done) = (-1, -1);
        // SAFETY: the connection is open, here and below.
        let code =
            unsafe { ffi::sqlite3_wal_checkpoint_v2(self.raw(), ptr::null(), mode, &mut log, &mut done) };
        (Code(code), [log, done])
    }

    /// True if the main database may be in a transaction that writes.
    pub fn may_be_writing(&self) -> bool {
        // SAFETY: as above. Before SQLite 3.34 this cannot be known.
        let state = unsafe { ffi::sqlite3_txn_state(self.raw(), MAIN.as_ptr()) };
        !matches!(state, ffi::SQLITE_TXN_NONE | ffi::SQLITE_TXN_READ)
    }
}
