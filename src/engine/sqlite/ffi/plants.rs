//! The SQL function `planted()`, which has a bug; see [`crate::engine::plant`].

use std::ffi::{CStr, c_int, c_void};
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::ffi;

use super::page_cache::{self, OVERRUN_BYTES};
use crate::engine::plant::{FunctionPlant, Plant};

type Function = unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

pub(super) fn register(db: NonNull<ffi::sqlite3>, plant: FunctionPlant) {
    let arguments = c_int::from(plant == FunctionPlant::ByName);
    // SAFETY: the connection is open; the function is of the type that SQLite calls.
    unsafe {
        ffi::sqlite3_create_function_v2(
            db.as_ptr(),
            c"planted".as_ptr(),
            arguments,
            ffi::SQLITE_UTF8,
            ptr::null_mut::<c_void>(),
            Some(function(plant)),
            None,
            None,
            None,
        );
    }
}

fn function(plant: FunctionPlant) -> Function {
    match plant {
        FunctionPlant::Leak => leak,
        FunctionPlant::LeakOnError => leak_on_error,
        FunctionPlant::IgnoredFailure => ignored_failure,
        FunctionPlant::Abort => abort,
        FunctionPlant::Segfault => segfault,
        FunctionPlant::Hang => hang,
        FunctionPlant::OutOfMemory => out_of_memory,
        FunctionPlant::Recursion => recursion,
        FunctionPlant::Nondeterminism => nondeterminism,
        FunctionPlant::InternalError => internal_error,
        FunctionPlant::HeapOverread => heap_overread,
        FunctionPlant::PageOverwrite => page_overwrite,
        FunctionPlant::PageOverread => page_overread,
        FunctionPlant::FreedPage => freed_page,
        FunctionPlant::FreshPage => fresh_page,
        FunctionPlant::FreshMemory => fresh_memory,
        FunctionPlant::ByName => by_name,
    }
}

type Context = *mut ffi::sqlite3_context;
type Values = *mut *mut ffi::sqlite3_value;

unsafe extern "C" fn leak(_: Context, _: c_int, _: Values) {
    // SAFETY: SQLite's allocator returns memory or null, and neither is used.
    black_box(unsafe { ffi::sqlite3_malloc(100) });
}

unsafe extern "C" fn leak_on_error(context: Context, _: c_int, _: Values) {
    // SAFETY: as above; SQLite calls the function with its context.
    unsafe {
        let first = ffi::sqlite3_malloc(100);
        let second = ffi::sqlite3_malloc(100);
        if first.is_null() || second.is_null() {
            ffi::sqlite3_result_error_nomem(context);
            return;
        }
        ffi::sqlite3_free(first);
        ffi::sqlite3_free(second);
    }
}

unsafe extern "C" fn ignored_failure(context: Context, _: c_int, _: Values) {
    // SAFETY: as above.
    unsafe {
        let block = ffi::sqlite3_malloc(100);
        ffi::sqlite3_result_int(context, if block.is_null() { 0 } else { 100 });
        ffi::sqlite3_free(block);
    }
}

unsafe extern "C" fn abort(_: Context, _: c_int, _: Values) {
    std::process::abort();
}

unsafe extern "C" fn segfault(_: Context, _: c_int, _: Values) {
    // SAFETY: none; that is the bug.
    black_box(unsafe { ptr::read_volatile(black_box(ptr::null::<u8>().wrapping_add(8))) });
}

unsafe extern "C" fn hang(_: Context, _: c_int, _: Values) {
    loop {
        std::hint::spin_loop();
    }
}

unsafe extern "C" fn out_of_memory(_: Context, _: c_int, _: Values) {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; 16 << 20]));
    }
}

unsafe extern "C" fn recursion(context: Context, _: c_int, _: Values) {
    // Even a stack without a limit ends before the steps of a case do.
    let room = [0_u8; 512 << 10];
    black_box(&room);
    // SAFETY: SQLite calls the function with its context; the text is a C string.
    unsafe {
        let db = ffi::sqlite3_context_db_handle(context);
        ffi::sqlite3_exec(db, c"SELECT planted()".as_ptr(), None, ptr::null_mut(), ptr::null_mut());
    }
    black_box(&room);
}

unsafe extern "C" fn nondeterminism(context: Context, _: c_int, _: Values) {
    static CALLS: AtomicI64 = AtomicI64::new(0);
    // SAFETY: SQLite calls the function with its context.
    unsafe { ffi::sqlite3_result_int64(context, CALLS.fetch_add(1, Ordering::Relaxed)) };
}

unsafe extern "C" fn internal_error(context: Context, _: c_int, _: Values) {
    // SAFETY: as above.
    unsafe { ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERNAL) };
}

unsafe extern "C" fn by_name(context: Context, count: c_int, values: Values) {
    // SAFETY: SQLite calls the function with one value, whose text outlives the call.
    let name = unsafe {
        let text = ffi::sqlite3_value_text(*values);
        if text.is_null() {
            return;
        }
        CStr::from_ptr(text.cast())
    };
    if name == c"panic" {
        panic!("planted");
    }
    match name.to_str().ok().and_then(Plant::by_name) {
        Some(Plant::Function(plant)) if plant != FunctionPlant::ByName => {
            // SAFETY: as it was called.
            unsafe { function(plant)(context, count, values) };
        }
        _ => {}
    }
}

unsafe extern "C" fn heap_overread(_: Context, _: c_int, _: Values) {
    // SAFETY: none; that is the bug. The byte after the block still belongs to the process.
    unsafe {
        let block = black_box(ffi::sqlite3_malloc(100)).cast::<u8>();
        if !block.is_null() {
            black_box(ptr::read_volatile(block.wrapping_add(100)));
        }
        ffi::sqlite3_free(block.cast());
    }
}

const PAGE_BYTES: usize = 512;

/// Calls `with` with a new page of a cache of its own, which is then given back, and `after` with where it was.
fn on_a_page(with: impl FnOnce(*mut u8), after: impl FnOnce(*mut u8)) {
    // SAFETY: this uses the cache as SQLite does.
    unsafe {
        let cache = page_cache::create(PAGE_BYTES as c_int, 8, 1);
        let page = page_cache::fetch(cache, 1, 2);
        if !page.is_null() {
            let buffer = black_box((*page).pBuf).cast::<u8>();
            with(buffer);
            page_cache::unpin(cache, page, 1);
            after(buffer);
        }
        page_cache::destroy(cache);
    }
}

unsafe extern "C" fn page_overwrite(_: Context, _: c_int, _: Values) {
    // SAFETY: the allocation is longer than the page; to write there is the bug nevertheless.
    on_a_page(|page| unsafe { page.add(PAGE_BYTES).write_volatile(1) }, |_| {});
}

unsafe extern "C" fn page_overread(_: Context, _: c_int, _: Values) {
    // SAFETY: none; that is the bug. The byte still belongs to the process.
    on_a_page(|page| _ = black_box(unsafe { page.add(PAGE_BYTES + OVERRUN_BYTES).read_volatile() }), |_| {});
}

unsafe extern "C" fn freed_page(_: Context, _: c_int, _: Values) {
    // SAFETY: none; that is the bug. As above.
    on_a_page(|_| {}, |page| _ = black_box(unsafe { page.add(7).read_volatile() }));
}

unsafe extern "C" fn fresh_page(context: Context, _: c_int, _: Values) {
    // SAFETY: the byte is there; to use it is the bug.
    on_a_page(|page| unsafe { return_byte(context, page.add(7)) }, |_| {});
}

unsafe extern "C" fn fresh_memory(context: Context, _: c_int, _: Values) {
    // SAFETY: as above.
    unsafe {
        let block = black_box(ffi::sqlite3_malloc(100)).cast::<u8>();
        if !block.is_null() {
            return_byte(context, block.add(7));
        }
        ffi::sqlite3_free(block.cast());
    }
}

unsafe fn return_byte(context: Context, byte: *mut u8) {
    // SAFETY: the callers pass the context of the call and a byte that can be read.
    unsafe {
        let byte = byte.read_volatile();
        // Valgrind complains of a decision, not of a result.
        black_box(if byte == 3 { 4 } else { 5 });
        ffi::sqlite3_result_int(context, byte.into());
    }
}
