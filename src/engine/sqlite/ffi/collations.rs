//! Collations that a case registers.

use std::cmp::Ordering;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;

use rusqlite::ffi;

use super::callbacks::{Callbacks, bytes, callbacks, let_go};
use super::connection::Connection;
use super::utf16;
use crate::engine::Code;
use crate::testcase::Collation;

impl Connection<'_> {
    /// Registers a collation, or removes it.
    pub fn create_collation(&self, collation: Collation, is_removed: bool) -> Code {
        // SAFETY: the connection is open.
        unsafe { create(self.raw(), collation, (!is_removed).then(|| Rc::clone(self.callbacks()))) }
    }

    /// Sets a callback that registers collations when they are needed, or does not.
    pub fn answer_collations(&self, is_utf16: bool, answers: bool) -> Code {
        self.callbacks().answers_collations.set(answers);
        let data = Rc::as_ptr(self.callbacks()).cast_mut().cast();
        // SAFETY: the connection is open and keeps the callbacks.
        Code(unsafe {
            if is_utf16 {
                utf16::sqlite3_collation_needed16(self.raw(), data, Some(on_needed16))
            } else {
                ffi::sqlite3_collation_needed(self.raw(), data, Some(on_needed))
            }
        })
    }
}

/// Registers a collation with a share of the callbacks; without, removes it.
///
/// # Safety
/// The connection is open.
unsafe fn create(db: *mut ffi::sqlite3, collation: Collation, callbacks: Option<Rc<Callbacks>>) -> Code {
    type Compare = unsafe extern "C" fn(*mut c_void, c_int, *const c_void, c_int, *const c_void) -> c_int;
    let (name, encoding, compare): (&CStr, c_int, Compare) = match collation {
        Collation::ByLength => (c"tandem_c", ffi::SQLITE_UTF8, by_length),
        Collation::Reversed => (c"tandem_r", ffi::SQLITE_UTF16, reversed),
    };
    let (compare, destroy): (Option<Compare>, Option<unsafe extern "C" fn(*mut c_void)>) =
        if callbacks.is_some() { (Some(compare), Some(let_go)) } else { (None, None) };
    let data = callbacks.map_or(std::ptr::null(), Rc::into_raw);
    // SAFETY: given. Unlike for functions, SQLite does not destroy the data if it fails.
    unsafe {
        let shared = data.cast_mut().cast();
        let code = ffi::sqlite3_create_collation_v2(db, name.as_ptr(), encoding, shared, compare, destroy);
        if code != ffi::SQLITE_OK && !data.is_null() {
            let_go(shared);
        }
        Code(code)
    }
}

unsafe extern "C" fn on_needed(data: *mut c_void, db: *mut ffi::sqlite3, _: c_int, name: *const c_char) {
    // SAFETY: registered with the callbacks of the connection, which keeps them; the name is a C string.
    unsafe { needed(data, db, &CStr::from_ptr(name).to_string_lossy()) };
}

unsafe extern "C" fn on_needed16(data: *mut c_void, db: *mut ffi::sqlite3, _: c_int, name: *const c_void) {
    let mut text = Vec::new();
    // SAFETY: as above, in UTF-16.
    unsafe {
        super::callbacks::add_text16(name, &mut text);
        let units: Vec<u16> =
            text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        needed(data, db, String::from_utf16_lossy(&units).trim_end_matches('\0'));
    }
}

/// # Safety
/// As for [`on_needed`].
unsafe fn needed(data: *mut c_void, db: *mut ffi::sqlite3, name: &str) {
    // SAFETY: given; while SQLite calls, the connection has a share of the callbacks, of which this takes another.
    unsafe {
        let callbacks = callbacks(data);
        callbacks.tell(name.as_bytes());
        let known = Collation::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.name()));
        if let Some(collation) = known.filter(|_| callbacks.answers_collations.get()) {
            Rc::increment_strong_count(std::ptr::from_ref(callbacks));
            create(db, collation, Some(Rc::from_raw(std::ptr::from_ref(callbacks))));
        }
    }
}

fn sign(ordering: Ordering) -> c_int {
    ordering as c_int
}

unsafe extern "C" fn by_length(
    _: *mut c_void,
    a_length: c_int,
    a: *const c_void,
    b_length: c_int,
    b: *const c_void,
) -> c_int {
    // SAFETY: SQLite passes texts of these lengths.
    let (a, b) = unsafe { (bytes(a.cast(), a_length), bytes(b.cast(), b_length)) };
    sign((a.len(), a).cmp(&(b.len(), b)))
}

unsafe extern "C" fn reversed(
    _: *mut c_void,
    a_length: c_int,
    a: *const c_void,
    b_length: c_int,
    b: *const c_void,
) -> c_int {
    // SAFETY: as above.
    let (a, b) = unsafe { (bytes(a.cast(), a_length), bytes(b.cast(), b_length)) };
    sign(b.cmp(a))
}
