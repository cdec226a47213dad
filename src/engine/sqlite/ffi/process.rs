//! SQLite's per-process state: its initialisation and its global settings.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::page_cache;
use crate::engine::Code;
use crate::engine::trace::LOG_LINES_MAX;
use crate::faults::alloc;
use crate::stack;

/// The first release with `SQLITE_TESTCTRL_PRNG_SEED`, as a version number of SQLite's.
const FIRST_WITH_PRNG_SEED: c_int = 3_029_000;
/// Longest line of the error log that is kept, in bytes.
const LOG_LINE_BYTES_MAX: usize = 300;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Initialises SQLite with our allocator, page cache and error log. Everything that opens a connection calls this
/// first; SQLite accepts these settings only before its first use.
pub fn initialize() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        #[cfg(test)]
        page_cache::tests::remember_sqlites();
        let (methods, pages) = (alloc::methods(), page_cache::methods());
        // SAFETY: nothing uses SQLite yet; it copies the methods, which are functions of this program.
        let code = unsafe {
            let code = match alloc::is_sqlites_own() {
                true => ffi::SQLITE_OK,
                false => ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &methods),
            };
            let logger: unsafe extern "C" fn(*mut c_void, c_int, *const c_char) = log_line;
            code | ffi::sqlite3_config(ffi::SQLITE_CONFIG_LOG, logger, ptr::null_mut::<c_void>())
                | ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 1 as c_int)
                | ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw const pages)
                | ffi::sqlite3_initialize()
        };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite was used before tandem initialised it");
    });
}

/// Dedicates the process to cases: SQLite without mutexes, and without any VFS that reaches the host. From here on the
/// process must use SQLite from one thread only, and cannot open files with it.
pub fn isolate() {
    if cfg!(test) {
        panic!("tests share their process: use Executor::shared() instead");
    }
    initialize();
    alloc::keep_memory();
    // SAFETY: no connection is open: workers and fuzz targets call this before their first case.
    unsafe {
        ffi::sqlite3_shutdown();
        let code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_SINGLETHREAD) | ffi::sqlite3_initialize();
        assert_eq!(code, ffi::SQLITE_OK, "SQLite starts again without mutexes");
        for name in [c"unix", c"unix-none", c"unix-dotfile", c"unix-excl", c"win32", c"win32-longpath"] {
            ffi::sqlite3_vfs_unregister(ffi::sqlite3_vfs_find(name.as_ptr()));
        }
    }
}

unsafe extern "C" fn log_line(_data: *mut c_void, code: c_int, message: *const c_char) {
    // Notices ("automatic index on …") say nothing about a failure.
    if matches!(Code(code).primary(), ffi::SQLITE_NOTICE | ffi::SQLITE_WARNING) {
        return;
    }
    LOG.with_borrow_mut(|log| {
        if log.len() < LOG_LINES_MAX {
            // SAFETY: SQLite passes a C string that outlives this call.
            let message = unsafe { CStr::from_ptr(message) }.to_bytes();
            let message = &message[..message.len().min(LOG_LINE_BYTES_MAX)];
            log.push(format!("{}: {}", Code(code).name(), String::from_utf8_lossy(message)));
        }
    });
}

/// The error log of this thread since the last call.
pub fn take_log() -> Vec<String> {
    LOG.take()
}

/// Removes the heap limits that the case or its script set.
pub fn reset_heap_limit() {
    // SAFETY: global switches of SQLite's.
    unsafe {
        ffi::sqlite3_soft_heap_limit64(0);
        ffi::sqlite3_hard_heap_limit64(0);
    }
}

/// The function in which something was first noticed to be written past a page since the last call, if there was
/// something; `-` if it has no name.
pub fn take_page_overrun() -> Option<String> {
    let functions = page_cache::take_overrun()?.functions();
    Some(stack::blame_allocation(functions.iter().map(String::as_str)).unwrap_or_else(|| "-".to_owned()))
}

/// Sets what a case could have changed for the whole process, or asks for: heap limits off or as given (0 is none), the
/// seed of SQLite's random numbers, and the position of the lock byte.
pub fn reset(hard_heap_limit: i64, random_seed: u32, pending_byte: u32) {
    reset_heap_limit();
    // SAFETY: no connection is open, so the lock byte may move.
    unsafe {
        ffi::sqlite3_hard_heap_limit64(hard_heap_limit);
        let no_schema = ptr::null_mut::<ffi::sqlite3>();
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, random_seed as c_int, no_schema);
        if ffi::sqlite3_libversion_number() < FIRST_WITH_PRNG_SEED {
            // For the next random number SQLite asks the default VFS for a seed, which is ours and uses the case's.
            ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_RESET);
        }
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PENDING_BYTE, pending_byte);
    }
}

/// Gives `localtime` a fixed time zone, an hour ahead of UTC, so that no result depends on the host's.
pub fn fix_local_time() {
    type LocalTime = unsafe extern "C" fn(*const c_void, *mut c_void) -> c_int;
    let function: LocalTime = local_time;
    let control = ffi::SQLITE_TESTCTRL_LOCALTIME_FAULT;
    // Before 3.36 there is no such function: any number but 0 then means that local time is unavailable.
    // SAFETY: a global switch of SQLite's; 2 says that a function follows.
    unsafe { ffi::sqlite3_test_control(control, 2 as c_int, function) };
}

unsafe extern "C" fn local_time(seconds: *const c_void, out: *mut c_void) -> c_int {
    // SAFETY: SQLite passes a time_t and a pointer to a struct tm.
    unsafe {
        let shifted = (*seconds.cast::<libc::time_t>()).saturating_add(3600);
        c_int::from(libc::gmtime_r(&shifted, out.cast()).is_null())
    }
}

/// The peak number of bytes held, and the largest request, since the last call.
pub fn take_heap_peak() -> (i64, i64) {
    heap_peak(true)
}

fn heap_peak(is_last: bool) -> (i64, i64) {
    let peak = |what| {
        let (mut now, mut highest) = (0, 0);
        // SAFETY: both variables outlive the call.
        unsafe { ffi::sqlite3_status64(what, &mut now, &mut highest, is_last.into()) };
        highest
    };
    (peak(ffi::SQLITE_STATUS_MEMORY_USED), peak(ffi::SQLITE_STATUS_MALLOC_SIZE))
}

/// Whether this hard heap limit made SQLite refuse memory since the last [`take_heap_peak`], as far as can be told: it
/// is still in force, and the largest request did not fit on top of the peak.
pub fn has_met_heap_limit(limit: i64) -> bool {
    // SAFETY: a negative limit only asks for the current one.
    let in_force = unsafe { ffi::sqlite3_hard_heap_limit64(-1) };
    let (held, request) = heap_peak(false);
    limit > 0 && in_force == limit && held + request >= limit
}

/// True if `sql` ends in a complete statement.
pub fn is_complete(sql: &CStr) -> bool {
    initialize();
    // SAFETY: a C string.
    unsafe { ffi::sqlite3_complete(sql.as_ptr()) == 1 }
}

/// The keywords of the build, upper case.
pub fn keywords() -> Vec<String> {
    // SAFETY: SQLite returns a pointer into a table of its own, with its length.
    unsafe {
        (0..ffi::sqlite3_keyword_count())
            .map(|i| {
                let (mut text, mut length) = (ptr::null(), 0);
                ffi::sqlite3_keyword_name(i, &mut text, &mut length);
                let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length as usize);
                String::from_utf8_lossy(bytes).into_owned()
            })
            .collect()
    }
}

fn text(text: *const c_char) -> String {
    // SAFETY: the callers pass static C strings of SQLite's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// `sqlite3_libversion()`, such as `3.54.1`.
pub fn version() -> String {
    // SAFETY: no arguments.
    text(unsafe { ffi::sqlite3_libversion() })
}

/// `sqlite3_sourceid()`.
pub fn source_id() -> String {
    // SAFETY: no arguments.
    text(unsafe { ffi::sqlite3_sourceid() })
}

/// The options of the build, without `SQLITE_`.
pub fn compile_options() -> Vec<String> {
    // SAFETY: any index is allowed; a null pointer marks the end.
    let option = |i| unsafe { ffi::sqlite3_compileoption_get(i) };
    (0..).map(option).take_while(|option| !option.is_null()).map(text).collect()
}
