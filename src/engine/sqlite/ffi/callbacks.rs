//! What the callbacks of a connection share: hooks, functions, collations.
//!
//! # Invariants
//! * Hooks get a pointer to the [`Callbacks`] that their connection keeps, and lets go after it is closed; functions and
//!   collations own a share of them, which SQLite gives back through a destructor.
//! * They use shared references and cells only.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::rc::Rc;
use std::slice;

use rusqlite::ffi;
use twox_hash::XxHash3_64;

use super::watch::{Phase, Watch};

/// State of a connection's callbacks beside the [`Watch`].
pub(super) struct Callbacks {
    pub watch: Rc<Watch>,
    /// A hash of what they were told since someone asked.
    told: Cell<Option<u64>>,
    /// Commits that the commit hook still refuses.
    pub refused_commits: Cell<u8>,
    /// Calls after which the busy handler gives up.
    pub busy_calls: Cell<u8>,
    /// The VFS of the connection, through which the busy handler sleeps.
    pub busy_vfs: Cell<*mut ffi::sqlite3_vfs>,
    /// Pages that autovacuum may free.
    pub vacuumed_pages: Cell<u8>,
    /// Whether the WAL hook checkpoints.
    pub wal_checkpoints: Cell<bool>,
    /// Whether collations are registered that are needed.
    pub answers_collations: Cell<bool>,
    /// Whether there is a preupdate hook.
    pub has_preupdate_hook: Cell<bool>,
    /// Whether the connection may share its cache with others.
    pub shares_cache: Cell<bool>,
    /// How many statements of functions are running, one within the other.
    pub depth: Cell<u8>,
}

impl Callbacks {
    pub fn new(watch: Rc<Watch>) -> Self {
        Self {
            watch,
            told: Cell::new(None),
            refused_commits: Cell::new(0),
            busy_calls: Cell::new(0),
            busy_vfs: Cell::new(std::ptr::null_mut()),
            vacuumed_pages: Cell::new(0),
            wal_checkpoints: Cell::new(false),
            answers_collations: Cell::new(false),
            has_preupdate_hook: Cell::new(false),
            shares_cache: Cell::new(false),
            depth: Cell::new(0),
        }
    }

    /// False while the executor's own statements run, of which callbacks take no notice.
    pub fn is_of_case(&self) -> bool {
        self.watch.phase.get() != Phase::Own
    }

    /// Notes what a callback was told.
    pub fn tell(&self, what: &[u8]) {
        if self.is_of_case() {
            let before = self.told.get().unwrap_or_default();
            self.told.set(Some(XxHash3_64::oneshot_with_seed(before, what)));
        }
    }

    /// A hash of what was told since the last call; `None` if nothing was.
    pub fn take_told(&self) -> Option<u64> {
        self.told.take()
    }
}

/// The callbacks that a pointer refers to.
///
/// # Safety
/// `data` points to callbacks that live for this call.
pub(super) unsafe fn callbacks<'a>(data: *mut c_void) -> &'a Callbacks {
    // SAFETY: given.
    unsafe { &*data.cast::<Callbacks>() }
}

/// Drops a share of the callbacks.
///
/// # Safety
/// `data` is from [`Rc::into_raw`], and used no more.
pub(super) unsafe extern "C" fn let_go(data: *mut c_void) {
    // SAFETY: given.
    drop(unsafe { Rc::from_raw(data.cast::<Callbacks>()) });
}

/// A name for SQLite; it ends at its first NUL.
pub(super) fn c_name(name: &str) -> CString {
    CString::new(name.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

/// Appends a text and its end; nothing but the end if there is none.
///
/// # Safety
/// `text` is null or a C string.
pub(super) unsafe fn add_text(text: *const c_char, out: &mut Vec<u8>) {
    if !text.is_null() {
        // SAFETY: given.
        out.extend_from_slice(unsafe { CStr::from_ptr(text) }.to_bytes());
    }
    out.push(0);
}

/// Appends a text in UTF-16 and its end; nothing but the end if there is none.
///
/// # Safety
/// `text` is null or ends with a unit that is zero.
pub(super) unsafe fn add_text16(text: *const c_void, out: &mut Vec<u8>) {
    let mut unit = text.cast::<u16>();
    while !text.is_null() {
        // SAFETY: given; nothing behind the end is read.
        let value = unsafe { unit.read_unaligned() };
        if value == 0 {
            break;
        }
        out.extend_from_slice(&value.to_le_bytes());
        // SAFETY: as above.
        unit = unsafe { unit.add(1) };
    }
    out.extend_from_slice(&[0, 0]);
}

/// Appends the type and the bytes of a value; one that is undefined has a type of its own.
///
/// # Safety
/// `value` is null or a protected value.
pub(super) unsafe fn add_value(value: *mut ffi::sqlite3_value, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(9);
        return;
    }
    // SAFETY: given; bytes are read after the conversion, and copied here.
    unsafe {
        let kind = ffi::sqlite3_value_type(value);
        out.push(kind as u8);
        match kind {
            ffi::SQLITE_INTEGER => out.extend_from_slice(&ffi::sqlite3_value_int64(value).to_le_bytes()),
            ffi::SQLITE_FLOAT => {
                out.extend_from_slice(&ffi::sqlite3_value_double(value).to_bits().to_le_bytes());
            }
            ffi::SQLITE_TEXT | ffi::SQLITE_BLOB => {
                let start = if kind == ffi::SQLITE_TEXT {
                    ffi::sqlite3_value_text(value)
                } else {
                    ffi::sqlite3_value_blob(value).cast()
                };
                let length = ffi::sqlite3_value_bytes(value);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(bytes(start, length));
            }
            _ => {}
        }
    }
}

/// # Safety
/// `start` is null or has `count` bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(start: *const u8, count: c_int) -> &'a [u8] {
    match usize::try_from(count) {
        // SAFETY: given.
        Ok(count) if !start.is_null() => unsafe { slice::from_raw_parts(start, count) },
        _ => &[],
    }
}
