//! SQLite's page cache, with deterministic bytes after a page and in a new page.
//!
//! By design, SQLite reads up to 16 bytes past a page if a cell of a damaged file says so ("the btree layer needs a
//! small (16-byte) overrun area", `pcache1.c`). What it finds there is the header of the page, which begins with two
//! addresses: whether a damaged file is recognised as such then depends on the position of the heap. Also, a page that
//! is taken from the freelist is not cleared, so whatever malloc left there goes to the file. Both gave the same case
//! two different results.
//!
//! So every page is allocated with 16 extra bytes, which are zero, and a new page is zero, too.
//!
//! SQLite's cache would allocate the first 20 pages of a file as one block, which, like lookaside, hides the use of a
//! freed page from AddressSanitizer. That block is switched off in fuzzing and replay alike, so that both find the same
//! and reach a heap limit at the same time.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

/// Bytes past a page that SQLite may read.
const OVERRUN_BYTES: usize = 16;

static DEFAULT: OnceLock<Methods> = OnceLock::new();

/// SQLite's own page cache.
struct Methods(ffi::sqlite3_pcache_methods2);

// SAFETY: functions and a null pointer; SQLite calls them from any thread.
unsafe impl Send for Methods {}
// SAFETY: as above.
unsafe impl Sync for Methods {}

/// Installs this page cache in front of SQLite's, which is not initialised yet. If SQLite checks its own assertions,
/// its cache accepts no odd page sizes: then only the block is switched off.
pub(super) fn install() -> c_int {
    // SAFETY: nothing uses SQLite yet; it copies the methods, which are functions of this program.
    unsafe {
        let no_block = ptr::null_mut::<c_void>();
        let mut code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_PAGECACHE, no_block, 0 as c_int, 0 as c_int);
        if ffi::sqlite3_compileoption_used(c"DEBUG".as_ptr()) != 0 {
            return code;
        }
        let mut methods: ffi::sqlite3_pcache_methods2 = std::mem::zeroed();
        code |= ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut methods);
        DEFAULT.get_or_init(|| Methods(methods));
        methods.xCreate = Some(create);
        methods.xFetch = Some(fetch);
        code | ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw const methods)
    }
}

unsafe extern "C" fn create(
    page_bytes: c_int,
    extra: c_int,
    is_purgeable: c_int,
) -> *mut ffi::sqlite3_pcache {
    let Some(create) = DEFAULT.get().and_then(|methods| methods.0.xCreate) else {
        return ptr::null_mut();
    };
    // SAFETY: the arguments are SQLite's, and a cache does not care what a page is.
    unsafe { create(page_bytes + OVERRUN_BYTES as c_int, extra, is_purgeable) }
}

unsafe extern "C" fn fetch(
    cache: *mut ffi::sqlite3_pcache,
    key: c_uint,
    may_create: c_int,
) -> *mut ffi::sqlite3_pcache_page {
    let Some(fetch) = DEFAULT.get().and_then(|methods| methods.0.xFetch) else {
        return ptr::null_mut();
    };
    // SAFETY: the arguments are SQLite's. Its cache puts the header of a page, to which `page` points, right after the
    // page; if not (the distance is not a page size), nothing is cleared. The first pointer of the extra bytes is null
    // only in a page that is new to its number, which is how SQLite recognises one.
    unsafe {
        let page = fetch(cache, key, may_create);
        if !page.is_null() && (*page).pExtra.cast::<*mut c_void>().read().is_null() {
            let bytes = (page as usize).wrapping_sub((*page).pBuf as usize);
            let page_bytes = bytes.wrapping_sub(OVERRUN_BYTES);
            if page_bytes.is_power_of_two() && (512..=65536).contains(&page_bytes) {
                ptr::write_bytes((*page).pBuf.cast::<u8>(), 0, bytes);
            }
        }
        page
    }
}
