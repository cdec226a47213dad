//! A connection.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_uint};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rusqlite::ffi;

use super::callbacks::Callbacks;
use super::plants;
use super::statement::Statement;
use super::utf16;
use super::watch::{Watch, on_authorize, on_progress};
use crate::engine::Code;
use crate::engine::plant::FunctionPlant;
use crate::faults::vfs::Vfs;

/// An open connection to a database on the disk of a [`Vfs`].
pub struct Connection<'v> {
    db: NonNull<ffi::sqlite3>,
    watch: Rc<Watch>,
    callbacks: Rc<Callbacks>,
    /// True once SQLite may free it by itself: [`Connection::close_later`].
    is_given_up: Cell<bool>,
    vfs: PhantomData<&'v Vfs>,
}

impl<'v> Connection<'v> {
    /// Opens the database `name`, creating it if there is none, with extended result codes.
    ///
    /// # Errors
    /// SQLite's code; a file that is not a database is noticed later.
    pub fn open(vfs: &'v Vfs, name: &CStr) -> Result<Self, Code> {
        Self::open_sharing(vfs, name, false, Rc::new(Watch::new()))
    }

    /// The same with state that other connections share; perhaps only to read a database that is there.
    ///
    /// # Errors
    /// The same.
    pub fn open_sharing(
        vfs: &'v Vfs,
        name: &CStr,
        is_read_only: bool,
        watch: Rc<Watch>,
    ) -> Result<Self, Code> {
        let mut db = ptr::null_mut();
        let flags = if is_read_only {
            ffi::SQLITE_OPEN_READONLY
        } else {
            ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE
        };
        let flags = flags | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_URI | ffi::SQLITE_OPEN_EXRESCODE;
        // SAFETY: all pointers live for the call. On failure SQLite may still give a handle to close.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &mut db, flags, vfs.name().as_ptr()) };
        if code != ffi::SQLITE_OK {
            // SAFETY: closing null is a no-op.
            unsafe { ffi::sqlite3_close(db) };
            return Err(Code(code));
        }
        Self::of(NonNull::new(db).ok_or(Code(ffi::SQLITE_NOMEM))?, watch)
    }

    /// A connection that was just opened.
    pub(super) fn of(db: NonNull<ffi::sqlite3>, watch: Rc<Watch>) -> Result<Self, Code> {
        let data = ptr::from_ref(&*watch).cast_mut().cast();
        // SAFETY: the watch is let go after the connection is closed.
        unsafe {
            let steps = watch.steps_per_call() as c_int;
            ffi::sqlite3_progress_handler(db.as_ptr(), steps, Some(on_progress), data);
            ffi::sqlite3_set_authorizer(db.as_ptr(), Some(on_authorize), data);
        }
        let callbacks = Rc::new(Callbacks::new(Rc::clone(&watch)));
        Ok(Self { db, watch, callbacks, is_given_up: Cell::new(false), vfs: PhantomData })
    }

    pub(super) fn callbacks(&self) -> &Rc<Callbacks> {
        &self.callbacks
    }

    /// Closes the connection as soon as its last statement is finalized. Until then nothing else can be done with it.
    pub fn close_later(&self) -> Code {
        self.is_given_up.set(true);
        // SAFETY: who holds a statement holds the connection, and only ends the statement.
        Code(unsafe { utf16::sqlite3_close_v2(self.raw()) })
    }

    /// True after [`Connection::close_later`].
    pub fn is_given_up(&self) -> bool {
        self.is_given_up.get()
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        self.db.as_ptr()
    }

    /// State of the callbacks.
    pub fn watch(&self) -> &Rc<Watch> {
        &self.watch
    }

    /// Sets a limit (`SQLITE_LIMIT_…`); returns the previous one.
    pub fn limit(&self, limit: c_int, value: c_int) -> c_int {
        // SAFETY: the connection is open, here and below.
        unsafe { ffi::sqlite3_limit(self.db.as_ptr(), limit, value) }
    }

    /// Switches a `SQLITE_DBCONFIG_…` that takes an int on or off.
    pub fn db_config(&self, switch: c_int, on: bool) {
        let unused = ptr::null_mut::<c_int>();
        // SAFETY: the switches of `settings` take an int and a pointer that may be null.
        unsafe { ffi::sqlite3_db_config(self.db.as_ptr(), switch, c_int::from(on), unused) };
    }

    /// Switches query optimizations off, one per bit.
    pub fn optimizations_off(&self, mask: u32) {
        let control = ffi::SQLITE_TESTCTRL_OPTIMIZATIONS;
        // SAFETY: the arguments are those of this control.
        unsafe { ffi::sqlite3_test_control(control, self.db.as_ptr(), mask) };
    }

    /// Registers the SQL function `planted()`.
    pub fn plant(&self, plant: FunctionPlant) {
        plants::register(self.db, plant);
    }

    /// Prepares the first statement of `sql`.
    ///
    /// Returns the result, the statement if there is one (none for whitespace and comments), and how many bytes of
    /// `sql` were read.
    pub fn prepare<'c>(&'c self, sql: &[u8]) -> (Code, Option<Statement<'c>>, usize) {
        let mut statement = ptr::null_mut();
        let mut tail = ptr::null();
        let start = sql.as_ptr().cast();
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        // SAFETY: `sql` outlives the call, and SQLite reads at most `length` bytes of it. It leaves the tail pointing
        // into it.
        let (code, read) = unsafe {
            let code = ffi::sqlite3_prepare_v3(
                self.db.as_ptr(),
                start,
                length,
                0 as c_uint,
                &mut statement,
                &mut tail,
            );
            let read = if tail.is_null() { sql.len() } else { tail.offset_from(start) as usize };
            (code, read)
        };
        (Code(code), Statement::new(statement, false), read)
    }

    /// As [`Connection::prepare`], through the UTF-16 interface. All of `sql` is read.
    pub fn prepare_utf16<'c>(&'c self, sql: &[u8]) -> (Code, Option<Statement<'c>>) {
        let units: Vec<u16> = String::from_utf8_lossy(sql).encode_utf16().collect();
        let length = c_int::try_from(2 * units.len()).unwrap_or(c_int::MAX);
        let mut statement = ptr::null_mut();
        // SAFETY: as in `prepare`; the length counts bytes.
        let code = unsafe {
            let start = units.as_ptr().cast();
            utf16::sqlite3_prepare16_v3(self.db.as_ptr(), start, length, 0, &mut statement, ptr::null_mut())
        };
        (Code(code), Statement::new(statement, true))
    }

    /// True if no transaction is open that a statement has begun.
    pub fn is_autocommit(&self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_get_autocommit(self.db.as_ptr()) != 0 }
    }

    /// The extended code of the last error.
    pub fn error_code(&self) -> Code {
        // SAFETY: as above.
        Code(unsafe { ffi::sqlite3_extended_errcode(self.db.as_ptr()) })
    }

    /// The text of the last error.
    pub fn error_message(&self) -> String {
        // SAFETY: SQLite returns a C string that is valid until the next call.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.db.as_ptr())) };
        text.to_string_lossy().into_owned()
    }

    /// Closes the connection; if SQLite says that it is busy, it stays open and is abandoned, which is a leak and
    /// counts as one.
    pub fn close(self) -> Code {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: statements borrow the connection, so none is in use.
        let code = Code(unsafe { ffi::sqlite3_close(this.db.as_ptr()) });
        if code == Code::OK {
            // SAFETY: `this` is not used again, and SQLite calls nothing of a closed connection.
            drop(unsafe { (ptr::read(&this.watch), ptr::read(&this.callbacks)) });
        }
        code
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if !self.is_given_up.get() {
            // SAFETY: as in `close`; nobody needs the result.
            unsafe { ffi::sqlite3_close(self.db.as_ptr()) };
        }
    }
}
