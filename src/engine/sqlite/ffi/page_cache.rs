//! SQLite's page cache, as simple as its interface allows (<https://sqlite.org/c3ref/pcache_methods2.html>).
//!
//! SQLite's own, `pcache1.c`, has a page, its header and what SQLite keeps of it in one allocation, takes the first 20
//! pages from one block, and gives a page it has no use for to the next number. So AddressSanitizer sees neither what
//! is read behind a page nor a page that is used after it was given back. Here a page is an allocation of exactly its
//! size, its header with SQLite's extra bytes at the end is another, and both are freed. Which pages are kept, and
//! when SQLite is told to write some first, is as there, so that cases spill as they do elsewhere.
//!
//! By design, SQLite reads past a page if a cell of a damaged file says so: up to 16 bytes in most places ("the btree
//! layer needs a small (16-byte) overrun area", `pcache1.c`), but a record whose first key is an integer up to 74 (as
//! `sqlite3VdbeFindCompare` says: the largest header that it lets through, and eight bytes). In its own cache it finds
//! addresses there. Here they are zero, for results that depend on no address, and part of the allocation. To write them is a bug that no sanitizer can see:
//! whether they are still zero is checked whenever a page is given back, and the oracle `memory` says if not. It is no
//! crash, because the process can go on: the bytes are used for nothing else.
//!
//! A new page is filled as all fresh memory is ([`fresh`]). Everything of a page comes from SQLite's allocator, so that heap limits, budgets
//! and the search for leaks count it, the same in all builds. What the cache itself needs is Rust's and small.
//!
//! # Invariants of the unsafe code
//! * A cache is used by one thread at a time: SQLite holds the mutex of its database.
//! * SQLite passes caches that `create` made and pages that `fetch` returned, and keeps to the rules of the interface.
//! * A page is in the table of its cache from `fetch` until it is freed, and in the list of pages that may be freed
//!   while it is not pinned.
#![expect(unsafe_op_in_unsafe_fn, reason = "almost every line follows a pointer, for the reasons above")]

use std::cell::RefCell;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::size_of;
use std::ptr;

use rusqlite::ffi;

use crate::faults::{alloc, fresh};
use crate::stack::{self, Stack};

/// Bytes past a page that SQLite may read, rounded up to what an allocator gives.
pub(super) const OVERRUN_BYTES: usize = 80;
/// Length of a new table; a power of two.
const SLOTS: usize = 256;

thread_local! {
    static OVERRUN: RefCell<Option<Stack>> = const { RefCell::new(None) };
}

/// Where this thread first noticed, since the last call, that something was written past a page.
pub fn take_overrun() -> Option<Stack> {
    OVERRUN.take()
}

/// The header of a page; SQLite's extra bytes follow.
#[repr(C)]
struct Page {
    /// What SQLite sees of it.
    shown: ffi::sqlite3_pcache_page,
    key: c_uint,
    is_pinned: bool,
    /// The next one in its slot of the table.
    next: *mut Page,
    /// Its neighbours among the pages that may be freed.
    newer: *mut Page,
    older: *mut Page,
}

/// The cache of a database file.
struct Cache {
    page_bytes: usize,
    extra_bytes: usize,
    /// Whether its pages are those of a file: otherwise, they are all that there is of a database.
    is_purgeable: bool,
    /// `PRAGMA cache_size`.
    pages_max: usize,
    pages: usize,
    unpinned: usize,
    /// No page has a larger number.
    key_max: c_uint,
    newest: *mut Page,
    oldest: *mut Page,
    /// Pages by their numbers, modulo its length.
    table: Vec<*mut Page>,
}

/// The methods, for `sqlite3_config(SQLITE_CONFIG_PCACHE2, …)`.
pub(super) fn methods() -> ffi::sqlite3_pcache_methods2 {
    ffi::sqlite3_pcache_methods2 {
        iVersion: 1,
        pArg: ptr::null_mut(),
        xInit: Some(init),
        xShutdown: Some(shutdown),
        xCreate: Some(create),
        xCachesize: Some(set_size),
        xPagecount: Some(count),
        xFetch: Some(fetch),
        xUnpin: Some(unpin),
        xRekey: Some(rekey),
        xTruncate: Some(truncate),
        xDestroy: Some(destroy),
        xShrink: Some(shrink),
    }
}

impl Cache {
    fn slot(&self, key: c_uint) -> usize {
        key as usize & (self.table.len() - 1)
    }

    unsafe fn find(&self, key: c_uint) -> *mut Page {
        let mut page = self.table[self.slot(key)];
        while !page.is_null() && (*page).key != key {
            page = (*page).next;
        }
        page
    }

    unsafe fn put(&mut self, page: *mut Page) {
        if self.pages == self.table.len() {
            self.grow();
        }
        let slot = self.slot((*page).key);
        (*page).next = self.table[slot];
        self.table[slot] = page;
        self.pages += 1;
        self.key_max = self.key_max.max((*page).key);
    }

    unsafe fn grow(&mut self) {
        let length = 2 * self.table.len();
        for mut page in std::mem::replace(&mut self.table, vec![ptr::null_mut(); length]) {
            while !page.is_null() {
                let (slot, next) = (self.slot((*page).key), (*page).next);
                (*page).next = self.table[slot];
                (self.table[slot], page) = (page, next);
            }
        }
    }

    unsafe fn take(&mut self, page: *mut Page) {
        let slot = self.slot((*page).key);
        let mut link: *mut *mut Page = &raw mut self.table[slot];
        while *link != page {
            link = &raw mut (**link).next;
        }
        *link = (*page).next;
        self.pages -= 1;
    }

    unsafe fn pin(&mut self, page: *mut Page) {
        if (*page).is_pinned {
            return;
        }
        let (newer, older) = ((*page).newer, (*page).older);
        *(if newer.is_null() { &raw mut self.newest } else { &raw mut (*newer).older }) = older;
        *(if older.is_null() { &raw mut self.oldest } else { &raw mut (*older).newer }) = newer;
        (*page).is_pinned = true;
        self.unpinned -= 1;
    }

    unsafe fn unpin(&mut self, page: *mut Page) {
        let before = self.newest;
        ((*page).newer, (*page).older, (*page).is_pinned) = (ptr::null_mut(), before, false);
        *(if before.is_null() { &raw mut self.oldest } else { &raw mut (*before).newer }) = page;
        self.newest = page;
        self.unpinned += 1;
    }

    /// A new page, or null.
    unsafe fn allocate(&self, key: c_uint) -> *mut Page {
        let header = ffi::sqlite3_malloc64((size_of::<Page>() + self.extra_bytes) as u64).cast::<Page>();
        let buffer = ffi::sqlite3_malloc64((self.page_bytes + OVERRUN_BYTES) as u64).cast::<u8>();
        if header.is_null() || buffer.is_null() {
            ffi::sqlite3_free(header.cast());
            ffi::sqlite3_free(buffer.cast());
            return ptr::null_mut();
        }
        // Ours has filled it already.
        if alloc::is_sqlites_own() {
            fresh::fill(buffer, self.page_bytes);
        }
        ptr::write_bytes(buffer.add(self.page_bytes), 0, OVERRUN_BYTES);
        let extra = header.add(1).cast::<c_void>();
        // By this SQLite recognises a page that is new to its number.
        extra.cast::<*mut c_void>().write_unaligned(ptr::null_mut());
        let (next, newer, older) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let shown = ffi::sqlite3_pcache_page { pBuf: buffer.cast(), pExtra: extra };
        header.write(Page { shown, key, is_pinned: true, next, newer, older });
        header
    }

    unsafe fn free(&mut self, page: *mut Page) {
        self.check(page);
        self.pin(page);
        self.take(page);
        ffi::sqlite3_free((*page).shown.pBuf);
        ffi::sqlite3_free(page.cast());
    }

    /// Notes if something was written past the page.
    unsafe fn check(&self, page: *mut Page) {
        let overrun = (*page).shown.pBuf.byte_add(self.page_bytes).cast::<[u8; OVERRUN_BYTES]>();
        if *overrun != [0; OVERRUN_BYTES] {
            *overrun = [0; OVERRUN_BYTES];
            OVERRUN.with_borrow_mut(|noticed| _ = noticed.get_or_insert_with(stack::here));
        }
    }

    unsafe fn free_down_to(&mut self, pages: usize) {
        while self.is_purgeable && self.pages > pages && !self.oldest.is_null() {
            self.free(self.oldest);
        }
    }

    /// Whether another page would come near the heap limit. SQLite's cache goes by its last allocation, to which only
    /// SQLite has access.
    fn is_under_pressure(&self) -> bool {
        let bytes = self.page_bytes + OVERRUN_BYTES + size_of::<Page>() + self.extra_bytes;
        // SAFETY: a negative limit only asks for the current one.
        let (limit, used) = unsafe { (ffi::sqlite3_soft_heap_limit64(-1), ffi::sqlite3_memory_used()) };
        limit > 0 && used >= limit - bytes as i64
    }
}

unsafe fn cache<'a>(cache: *mut ffi::sqlite3_pcache) -> &'a mut Cache {
    &mut *cache.cast::<Cache>()
}

unsafe extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shutdown(_: *mut c_void) {}

pub(super) unsafe extern "C" fn create(
    page_bytes: c_int,
    extra_bytes: c_int,
    is_purgeable: c_int,
) -> *mut ffi::sqlite3_pcache {
    let cache = Cache {
        page_bytes: page_bytes as usize,
        extra_bytes: extra_bytes as usize,
        is_purgeable: is_purgeable != 0,
        pages_max: 0,
        pages: 0,
        unpinned: 0,
        key_max: 0,
        newest: ptr::null_mut(),
        oldest: ptr::null_mut(),
        table: vec![ptr::null_mut(); SLOTS],
    };
    Box::into_raw(Box::new(cache)).cast()
}

unsafe extern "C" fn set_size(this: *mut ffi::sqlite3_pcache, pages: c_int) {
    let cache = cache(this);
    cache.pages_max = pages as usize;
    cache.free_down_to(cache.pages_max);
}

unsafe extern "C" fn count(this: *mut ffi::sqlite3_pcache) -> c_int {
    cache(this).pages as c_int
}

pub(super) unsafe extern "C" fn fetch(
    this: *mut ffi::sqlite3_pcache,
    key: c_uint,
    may_create: c_int,
) -> *mut ffi::sqlite3_pcache_page {
    let cache = cache(this);
    let mut page = cache.find(key);
    if !page.is_null() {
        cache.pin(page);
        return page.cast();
    }
    let (pinned, is_easy) = (cache.pages - cache.unpinned, may_create == 1);
    // With 1, SQLite would rather write a page of its own choice and ask again.
    if may_create == 0 || is_easy && pinned >= cache.pages_max * 9 / 10 {
        return ptr::null_mut();
    }
    let is_tight = cache.is_under_pressure();
    if is_easy && is_tight && cache.unpinned < pinned {
        return ptr::null_mut();
    }
    if cache.is_purgeable && !cache.oldest.is_null() && (cache.pages + 1 >= cache.pages_max || is_tight) {
        cache.free(cache.oldest);
    }
    page = cache.allocate(key);
    if !page.is_null() {
        cache.put(page);
    }
    page.cast()
}

pub(super) unsafe extern "C" fn unpin(
    this: *mut ffi::sqlite3_pcache,
    page: *mut ffi::sqlite3_pcache_page,
    is_unwanted: c_int,
) {
    let (cache, page) = (cache(this), page.cast::<Page>());
    if is_unwanted != 0 || cache.is_purgeable && cache.pages > cache.pages_max {
        cache.free(page);
    } else {
        cache.check(page);
        cache.unpin(page);
    }
}

unsafe extern "C" fn rekey(
    this: *mut ffi::sqlite3_pcache,
    page: *mut ffi::sqlite3_pcache_page,
    _old: c_uint,
    new: c_uint,
) {
    let (cache, page) = (cache(this), page.cast::<Page>());
    cache.take(page);
    (*page).key = new;
    cache.put(page);
}

unsafe extern "C" fn truncate(this: *mut ffi::sqlite3_pcache, limit: c_uint) {
    let cache = cache(this);
    // SQLite asks for it after every transaction.
    if limit > cache.key_max {
        return;
    }
    // Often just the last few pages go.
    let slots = cache.table.len().min((cache.key_max - limit) as usize + 1);
    cache.key_max = limit.saturating_sub(1);
    for slot in 0..slots {
        let mut page = cache.table[cache.slot(limit.wrapping_add(slot as c_uint))];
        while !page.is_null() {
            let next = (*page).next;
            if (*page).key >= limit {
                cache.free(page);
            }
            page = next;
        }
    }
}

pub(super) unsafe extern "C" fn destroy(this: *mut ffi::sqlite3_pcache) {
    truncate(this, 0);
    drop(Box::from_raw(this.cast::<Cache>()));
}

unsafe extern "C" fn shrink(this: *mut ffi::sqlite3_pcache) {
    cache(this).free_down_to(0)
}

#[cfg(test)]
#[path = "page_cache_tests.rs"]
pub(super) mod tests;
