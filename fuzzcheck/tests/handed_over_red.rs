//! A test that `handover` writes fails where the bug is there, and passes where it is not.
//!
//! One bug is SQLite's own and not fixed. The others were planted when their tests were written; here an SQL function of
//! the same name, in every connection, does what a bug does.

#[path = "handed_over/code.rs"]
mod code;
#[path = "handed_over/format.rs"]
mod format;
#[path = "handed_over/integrity.rs"]
mod integrity;
#[path = "handed_over/memory.rs"]
mod memory;

use std::any::Any;
use std::ffi::{c_char, c_int};
use std::{env, fs, panic, ptr};

use rusqlite::ffi::{self, sqlite3, sqlite3_context, sqlite3_value};

type Function = unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value);

unsafe extern "C" fn fail(context: *mut sqlite3_context, _: c_int, _: *mut *mut sqlite3_value) {
    // SAFETY: SQLite calls it with the context of this call.
    unsafe { ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERNAL) };
}

unsafe extern "C" fn leak(_: *mut sqlite3_context, _: c_int, _: *mut *mut sqlite3_value) {
    // SAFETY: SQLite is initialized while it runs a statement.
    let lost = unsafe { ffi::sqlite3_malloc(100) };
    assert!(!lost.is_null(), "there is memory");
}

/// Makes the file a page longer, which nothing uses (<https://sqlite.org/fileformat2.html#in_header_database_size>).
unsafe extern "C" fn damage(_: *mut sqlite3_context, _: c_int, _: *mut *mut sqlite3_value) {
    const SIZE: std::ops::Range<usize> = 28..32;
    let mut bytes = fs::read("main.db").expect("the test is in its folder");
    let pages = u32::from_be_bytes(bytes[SIZE].try_into().expect("four bytes"));
    bytes[SIZE].copy_from_slice(&(pages + 1).to_be_bytes());
    bytes.extend([0; 4096]);
    // In its place: SQLite has it open.
    fs::write("main.db", bytes).expect("it can be written");
}

/// Adds `planted()` to a connection.
unsafe extern "C" fn plant<const BUG: u8>(
    db: *mut sqlite3,
    _: *mut *mut c_char,
    _: *const ffi::sqlite3_api_routines,
) -> c_int {
    let function: Function = [fail, leak, damage][usize::from(BUG)];
    let (flags, none) = (ffi::SQLITE_UTF8, ptr::null_mut());
    // SAFETY: SQLite calls it with the connection that is being opened.
    unsafe {
        ffi::sqlite3_create_function_v2(
            db,
            c"planted".as_ptr(),
            0,
            flags,
            none,
            Some(function),
            None,
            None,
            None,
        )
    }
}

/// What a test that fails says.
fn failure(reproduce: fn()) -> String {
    let message = |panic: Box<dyn Any + Send>| panic.downcast_ref::<String>().cloned().unwrap_or_default();
    let said = panic::catch_unwind(reproduce).map_err(message).expect_err("the bug is there");
    // A test that fails leaves its files for whoever looks into it.
    let left = env::current_dir().expect("it is there");
    env::set_current_dir(env::temp_dir()).expect("it is there");
    fs::remove_dir_all(left).expect("it was the test's");
    said
}

/// The same with a planted bug in all connections.
fn failure_with<const BUG: u8>(reproduce: fn()) -> String {
    // SAFETY: the entry point is of the form that SQLite calls.
    assert_eq!(unsafe { ffi::sqlite3_auto_extension(Some(plant::<BUG>)) }, ffi::SQLITE_OK);
    let said = failure(reproduce);
    // SAFETY: no arguments.
    unsafe { ffi::sqlite3_reset_auto_extension() };
    said
}

fn main() {
    let said = failure(integrity::reproduce);
    assert!(said.contains("[\"ok\"]") && said.contains("invalid page number"), "{said}");
    let said = failure_with::<0>(code::reproduce);
    assert!(said.contains("statement 1 gives SQLITE_INTERNAL"), "{said}");
    let said = failure_with::<1>(memory::reproduce);
    assert!(said.contains("SQLite holds memory"), "{said}");
    let said = failure_with::<2>(format::reproduce);
    assert!(said.contains("[\"ok\"]") && said.contains("never used"), "{said}");
    // None of them was there before.
    [code::reproduce, memory::reproduce, format::reproduce].into_iter().for_each(|reproduce| reproduce());
}
