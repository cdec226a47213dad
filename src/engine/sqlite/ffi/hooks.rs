//! Hooks of a connection.
//!
//! None of them changes anything through its connection, which SQLite forbids, but the WAL hook, which may checkpoint, as
//! SQLite's own does.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

use super::callbacks::{add_text, add_value, callbacks};
use super::connection::Connection;
use crate::engine::Code;
use crate::testcase::Hook;

impl Connection<'_> {
    /// Sets a hook, which replaces the previous one of its kind.
    pub fn set_hook(&self, hook: Hook) -> Code {
        let callbacks = self.callbacks();
        let (db, data) = (self.raw(), Rc::as_ptr(callbacks).cast_mut().cast::<c_void>());
        // SAFETY: the connection is open and keeps the callbacks.
        unsafe {
            match hook {
                Hook::None => return self.remove_hooks(),
                Hook::Commit { refused } => {
                    callbacks.refused_commits.set(refused);
                    ffi::sqlite3_commit_hook(db, Some(on_commit), data);
                }
                Hook::Rollback => drop(ffi::sqlite3_rollback_hook(db, Some(on_rollback), data)),
                Hook::Update => drop(ffi::sqlite3_update_hook(db, Some(on_update), data)),
                Hook::Preupdate => {
                    callbacks.has_preupdate_hook.set(true);
                    ffi::sqlite3_preupdate_hook(db, Some(on_preupdate), data);
                }
                Hook::Wal { checkpoints } => {
                    callbacks.wal_checkpoints.set(checkpoints);
                    ffi::sqlite3_wal_hook(db, Some(on_wal), data);
                }
                Hook::Trace { events } => {
                    let events = c_uint::from(events & 15);
                    return Code(ffi::sqlite3_trace_v2(db, events, Some(on_trace), data));
                }
                Hook::Profile => drop(ffi::sqlite3_profile(db, Some(on_profile), data)),
                Hook::AutovacuumPages { pages } => {
                    callbacks.vacuumed_pages.set(pages);
                    return Code(ffi::sqlite3_autovacuum_pages(db, Some(on_autovacuum), data, None));
                }
            }
        }
        Code::OK
    }

    fn remove_hooks(&self) -> Code {
        let (db, none) = (self.raw(), ptr::null_mut());
        self.remove_preupdate_hook();
        // SAFETY: the connection is open.
        unsafe {
            ffi::sqlite3_commit_hook(db, None, none);
            ffi::sqlite3_rollback_hook(db, None, none);
            ffi::sqlite3_update_hook(db, None, none);
            ffi::sqlite3_wal_hook(db, None, none);
            ffi::sqlite3_autovacuum_pages(db, None, none, None);
            Code(ffi::sqlite3_trace_v2(db, 0, None, none))
        }
    }

    /// A session needs this hook for itself.
    pub(super) fn remove_preupdate_hook(&self) {
        if self.callbacks().has_preupdate_hook.replace(false) {
            // SAFETY: the connection is open.
            unsafe { ffi::sqlite3_preupdate_hook(self.raw(), None, ptr::null_mut()) };
        }
    }

    /// Sets a busy handler that gives up after so many calls; 0 removes it.
    pub fn set_busy_handler(&self, calls: u8) -> Code {
        self.callbacks().busy_calls.set(calls);
        let handler: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int> =
            if calls == 0 { None } else { Some(on_busy) };
        let data = Rc::as_ptr(self.callbacks()).cast_mut().cast();
        let mut vfs: *mut ffi::sqlite3_vfs = std::ptr::null_mut();
        // SAFETY: as in `set_hook`; the argument of this operation points to a pointer.
        unsafe {
            let out = (&raw mut vfs).cast();
            ffi::sqlite3_file_control(self.raw(), c"main".as_ptr(), ffi::SQLITE_FCNTL_VFS_POINTER, out);
            self.callbacks().busy_vfs.set(vfs);
            Code(ffi::sqlite3_busy_handler(self.raw(), handler, data))
        }
    }

    /// Sets the busy timeout.
    pub fn set_busy_timeout(&self, milliseconds: c_int) -> Code {
        // SAFETY: the connection is open, here and below.
        Code(unsafe { ffi::sqlite3_busy_timeout(self.raw(), milliseconds) })
    }

    /// Interrupts all statements that are running.
    pub fn interrupt(&self) {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_interrupt(self.raw()) };
    }

    /// A hash of what callbacks were told since the last call; `None` if nothing was.
    pub fn take_told(&self) -> Option<u64> {
        self.callbacks().take_told()
    }
}

unsafe extern "C" fn on_commit(data: *mut c_void) -> c_int {
    // SAFETY: registered with the callbacks of the connection, here and below.
    let callbacks = unsafe { callbacks(data) };
    callbacks.tell(b"commit");
    let left = callbacks.refused_commits.get();
    let refuses = left > 0 && callbacks.is_of_case();
    if refuses {
        callbacks.refused_commits.set(left - 1);
        callbacks.watch.note_rollback();
    }
    c_int::from(refuses)
}

unsafe extern "C" fn on_rollback(data: *mut c_void) {
    // SAFETY: as above.
    unsafe { callbacks(data) }.tell(b"rollback");
}

unsafe extern "C" fn on_update(
    data: *mut c_void,
    operation: c_int,
    schema: *const c_char,
    table: *const c_char,
    row: ffi::sqlite3_int64,
) {
    let mut told = vec![operation as u8];
    // SAFETY: as above; the names are C strings that outlive the call.
    unsafe {
        add_text(schema, &mut told);
        add_text(table, &mut told);
        told.extend_from_slice(&row.to_le_bytes());
        callbacks(data).tell(&told);
    }
}

unsafe extern "C" fn on_preupdate(
    data: *mut c_void,
    db: *mut ffi::sqlite3,
    operation: c_int,
    schema: *const c_char,
    table: *const c_char,
    // Where a table has no rowids these are undefined.
    _old_row: ffi::sqlite3_int64,
    _new_row: ffi::sqlite3_int64,
) {
    let mut told = vec![operation as u8];
    // SAFETY: as above; within the hook, values before and after may be read where the operation has them.
    unsafe {
        add_text(schema, &mut told);
        add_text(table, &mut told);
        let numbers = [
            ffi::sqlite3_preupdate_count(db),
            ffi::sqlite3_preupdate_depth(db),
            ffi::sqlite3_preupdate_blobwrite(db),
        ];
        numbers.iter().for_each(|number| told.extend_from_slice(&number.to_le_bytes()));
        for column in 0..numbers[0] {
            let mut value = ptr::null_mut();
            if operation != ffi::SQLITE_INSERT && ffi::sqlite3_preupdate_old(db, column, &mut value) == 0 {
                add_value(value, &mut told);
            }
            if operation != ffi::SQLITE_DELETE && ffi::sqlite3_preupdate_new(db, column, &mut value) == 0 {
                add_value(value, &mut told);
            }
        }
        callbacks(data).tell(&told);
    }
}

unsafe extern "C" fn on_wal(
    data: *mut c_void,
    db: *mut ffi::sqlite3,
    schema: *const c_char,
    frames: c_int,
) -> c_int {
    let mut told = frames.to_le_bytes().to_vec();
    // SAFETY: as above; a WAL hook may checkpoint, nobody needs the counts.
    unsafe {
        add_text(schema, &mut told);
        let callbacks = callbacks(data);
        callbacks.tell(&told);
        if !callbacks.wal_checkpoints.get() {
            return ffi::SQLITE_OK;
        }
        let mode = ffi::SQLITE_CHECKPOINT_PASSIVE;
        ffi::sqlite3_wal_checkpoint_v2(db, schema, mode, ptr::null_mut(), ptr::null_mut())
    }
}

unsafe extern "C" fn on_trace(
    event: c_uint,
    data: *mut c_void,
    object: *mut c_void,
    more: *mut c_void,
) -> c_int {
    let mut told = vec![event as u8];
    // SAFETY: as above; the object of all events but the last is a statement, and for this one `more` is its text.
    unsafe {
        if event == ffi::SQLITE_TRACE_STMT as c_uint {
            add_text(more.cast(), &mut told);
            let expanded = ffi::sqlite3_expanded_sql(object.cast());
            add_text(expanded, &mut told);
            ffi::sqlite3_free(expanded.cast());
        } else if event == ffi::SQLITE_TRACE_ROW as c_uint {
            told.extend_from_slice(&ffi::sqlite3_data_count(object.cast()).to_le_bytes());
        }
        callbacks(data).tell(&told);
    }
    0
}

unsafe extern "C" fn on_profile(data: *mut c_void, text: *const c_char, _nanoseconds: ffi::sqlite3_uint64) {
    let mut told = Vec::new();
    // SAFETY: as above; the text is a C string.
    unsafe {
        add_text(text, &mut told);
        callbacks(data).tell(&told);
    }
}

unsafe extern "C" fn on_autovacuum(
    data: *mut c_void,
    schema: *const c_char,
    pages: c_uint,
    free: c_uint,
    page_bytes: c_uint,
) -> c_uint {
    let mut told = [pages, free, page_bytes].map(c_uint::to_le_bytes).concat();
    // SAFETY: as above; the name is a C string.
    unsafe {
        add_text(schema, &mut told);
        let callbacks = callbacks(data);
        callbacks.tell(&told);
        callbacks.vacuumed_pages.get().into()
    }
}

/// How long a busy handler sleeps each time, in microseconds.
const BUSY_SLEEP_US: c_int = 1000;

unsafe extern "C" fn on_busy(data: *mut c_void, calls: c_int) -> c_int {
    // SAFETY: as above.
    let callbacks = unsafe { callbacks(data) };
    callbacks.tell(&calls.to_le_bytes());
    if calls >= callbacks.busy_calls.get().into() {
        return 0;
    }
    let vfs = callbacks.busy_vfs.get();
    // SAFETY: SQLite's pointer to the VFS of the connection, which outlives it.
    if let Some(sleep) = unsafe { vfs.as_ref() }.and_then(|vfs| vfs.xSleep) {
        // As SQLite's own handler does; others may go on meanwhile.
        // SAFETY: as above.
        unsafe { sleep(vfs, BUSY_SLEEP_US) };
    }
    1
}
