//! SQLite's memory allocator: the C library's, with every allocation counted.
//!
//! Installed once per process with `SQLITE_CONFIG_MALLOC`
//! (<https://sqlite.org/malloc.html#pluggable_low_level_memory_allocators>). Counters are per thread, so that tests
//! that run SQLite in parallel do not see each other's memory.
//!
//! # Why not SQLite's own
//! SQLite rounds every request up to 8 bytes and stores its size in front. Both hide small overruns from
//! AddressSanitizer; here a request reaches `malloc` unchanged. In builds without a sanitizer the size is stored in
//! front after all: `malloc_usable_size` of a plain C library depends on what was freed before, and so would the moment
//! when a heap limit is reached. `.cargo/rustc` sets `tandem_asan`.
//!
//! # Invariants of the unsafe code
//! * SQLite frees and resizes only what it allocated here, on any thread.
//! * No function here panics: sizes come as `c_int` and are not negative.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::fresh;
use super::rules::{Rules, Site};
use crate::stack::{self, Stack};

/// What this thread has allocated through SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Bytes in live allocations.
    pub live_bytes: i64,
    /// Live allocations.
    pub live: i64,
    /// Allocations and reallocations so far.
    pub calls: u64,
    /// Bytes asked for so far.
    pub bytes: u64,
    /// Requests that the C library could not satisfy.
    pub refused: u64,
    /// Requests that were refused because a fault was planned.
    pub failed: u64,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { live_bytes: 0, live: 0, calls: 0, bytes: 0, refused: 0, failed: 0 }) };
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
    static IS_RECORDING: Cell<bool> = const { Cell::new(false) };
    /// Whether `FAULTS` are armed: all that an allocation looks at if none are.
    static ARE_ARMED: Cell<bool> = const { Cell::new(false) };
    static FAULTS: RefCell<Option<Faults>> = const { RefCell::new(None) };
}

/// The allocations that fail.
struct Faults {
    rules: Rules<Site>,
    /// Call stacks in the order in which they first occurred, if a rule asks for them.
    sites: Option<HashMap<u64, u32>>,
}

/// Sets the allocations of this thread that fail while they are armed; none are until [`arm`].
pub(crate) fn set_faults(rules: Option<Rules<Site>>) {
    ARE_ARMED.set(false);
    FAULTS.set(rules.map(|rules| {
        let sites = rules.any(Option::is_some).then(HashMap::new);
        Faults { rules, sites }
    }));
}

/// Arms or disarms the faults; returns whether they were armed.
pub(crate) fn arm(is_armed: bool) -> bool {
    ARE_ARMED.replace(is_armed && FAULTS.with_borrow(Option::is_some))
}

/// Whether a fault is planned for this allocation.
fn fails() -> bool {
    ARE_ARMED.get() && fails_as_planned()
}

#[cold]
fn fails_as_planned() -> bool {
    // Taking a stack may allocate, but not through SQLite.
    let fails = FAULTS.with_borrow_mut(|faults| {
        let Some(Faults { rules, sites }) = faults else {
            return false;
        };
        let here = sites.as_mut().map(|sites| {
            let next = sites.len() as u32 + 1;
            *sites.entry(stack::innermost(SITE_FRAMES).digest()).or_insert(next)
        });
        let fails = rules.first(|site| site.is_none() || *site == here).is_some();
        if rules.are_spent() {
            ARE_ARMED.set(false);
            *faults = None;
        }
        fails
    });
    let counts = COUNTS.get();
    COUNTS.set(Counts { failed: counts.failed + u64::from(fails), ..counts });
    fails
}

/// Frames by which call sites are told apart, those of the allocator included.
const SITE_FRAMES: usize = 10;

/// Live allocations of a recording, by address: the number of each, and where it was made.
#[derive(Default)]
struct Record {
    count: u64,
    live: HashMap<usize, (u64, Stack)>,
}

/// Does `work` and returns where the oldest allocation that is still live was made; slow.
pub(crate) fn oldest_live_after(work: impl FnOnce()) -> Option<Stack> {
    RECORD.set(Some(Record::default()));
    IS_RECORDING.set(true);
    work();
    IS_RECORDING.set(false);
    let record = RECORD.take()?;
    record.live.into_values().min_by_key(|(number, _)| *number).map(|(_, stack)| stack)
}

/// Records that the block at `old` (0 for none) is now at `new` (0 for none).
fn note(old: usize, new: usize) {
    if !IS_RECORDING.get() {
        return;
    }
    RECORD.with_borrow_mut(|record| {
        let Some(record) = record else {
            return;
        };
        let site = record.live.remove(&old);
        if new != 0 {
            record.count += 1;
            let site = site.unwrap_or_else(|| (record.count, stack::here()));
            record.live.insert(new, site);
        }
    });
}

/// Whether this SQLite guards its allocations itself (SQLITE_MEMDEBUG): its checks of allocation types work only with
/// its own allocator, so ours is not installed, and allocated bytes are not counted; other budgets then end cases.
pub(crate) fn is_sqlites_own() -> bool {
    static IS_OWN: OnceLock<bool> = OnceLock::new();
    // SAFETY: a C string; may be called at any time.
    *IS_OWN.get_or_init(|| unsafe { ffi::sqlite3_compileoption_used(c"MEMDEBUG".as_ptr()) } != 0)
}

/// The counters of this thread.
pub fn counts() -> Counts {
    if !is_sqlites_own() {
        return COUNTS.get();
    }
    let now = |what| {
        let (mut now, mut highest) = (0, 0);
        // SAFETY: both variables outlive the call.
        unsafe { ffi::sqlite3_status64(what, &mut now, &mut highest, 0) };
        now
    };
    let (live_bytes, live) = (now(ffi::SQLITE_STATUS_MEMORY_USED), now(ffi::SQLITE_STATUS_MALLOC_COUNT));
    Counts { live_bytes, live, ..Counts::default() }
}

fn count(live: i64, live_bytes: i64, asked: u64) {
    let mut counts = COUNTS.get();
    counts.live += live;
    counts.live_bytes += live_bytes;
    counts.calls += u64::from(asked > 0);
    counts.bytes += asked;
    COUNTS.set(counts);
}

fn count_refusal() {
    let counts = COUNTS.get();
    COUNTS.set(Counts { refused: counts.refused + 1, ..counts });
}

/// Keeps the C library from returning memory to the system and requesting it again in every case: the page faults take
/// longer than many a case.
pub(crate) fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets parameters of malloc, before other threads use SQLite.
    unsafe {
        const KEPT_BYTES: libc::c_int = 64 << 20;
        // The largest value that glibc accepts; a larger one is ignored, and the default of 128 KiB stays.
        const MAPPED_BYTES: libc::c_int = 32 << 20;
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        // Freeing a block of 64 KiB would merge all of the fast bins each time, which costs more than they save.
        libc::mallopt(libc::M_MXFAST, 0);
    }
}

/// The methods, for `sqlite3_config(SQLITE_CONFIG_MALLOC, …)`.
pub(crate) fn methods() -> ffi::sqlite3_mem_methods {
    ffi::sqlite3_mem_methods {
        xMalloc: Some(allocate),
        xFree: Some(free),
        xRealloc: Some(reallocate),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(init),
        xShutdown: Some(shutdown),
        pAppData: ptr::null_mut(),
    }
}

/// How the size of an allocation is stored.
#[cfg(tandem_asan)]
mod block {
    use std::ffi::c_void;

    pub(super) const HEADER_BYTES: usize = 0;

    pub(super) unsafe fn size(block: *mut c_void) -> usize {
        // SAFETY: the caller passes a live block from malloc. Under AddressSanitizer this is the size that was
        // requested.
        unsafe { libc::malloc_usable_size(block) }
    }

    pub(super) unsafe fn set_size(_block: *mut c_void, _bytes: usize) {}
}

#[cfg(not(tandem_asan))]
mod block {
    use std::ffi::c_void;

    /// Keeps the 8-byte alignment that SQLite requires.
    pub(super) const HEADER_BYTES: usize = 8;

    pub(super) unsafe fn size(block: *mut c_void) -> usize {
        // SAFETY: the caller passes a live block with a header, which malloc aligned.
        unsafe { *block.cast::<usize>() }
    }

    pub(super) unsafe fn set_size(block: *mut c_void, bytes: usize) {
        // SAFETY: as above, and nobody else uses the block.
        unsafe { *block.cast::<usize>() = bytes }
    }
}

unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    if fails() {
        return ptr::null_mut();
    }
    let bytes = bytes as usize;
    // SAFETY: malloc accepts any size; the header is written only if there is a block.
    unsafe {
        let block = libc::malloc(bytes + block::HEADER_BYTES);
        if block.is_null() {
            count_refusal();
            return block;
        }
        block::set_size(block, bytes);
        count(1, block::size(block) as i64, bytes as u64);
        note(0, block.addr());
        let pointer = block.byte_add(block::HEADER_BYTES);
        fresh::fill(pointer.cast(), bytes);
        pointer
    }
}

unsafe extern "C" fn free(pointer: *mut c_void) {
    if pointer.is_null() {
        return;
    }
    // SAFETY: SQLite passes a pointer from `allocate` or `reallocate`, once.
    unsafe {
        let block = pointer.byte_sub(block::HEADER_BYTES);
        count(-1, -(block::size(block) as i64), 0);
        note(block.addr(), 0);
        libc::free(block);
    }
}

unsafe extern "C" fn reallocate(pointer: *mut c_void, bytes: c_int) -> *mut c_void {
    if fails() {
        return ptr::null_mut();
    }
    let bytes = bytes as usize;
    // SAFETY: as in `free`; on failure the old block stays as it was.
    unsafe {
        let old = pointer.byte_sub(block::HEADER_BYTES);
        let old_bytes = block::size(old);
        let block = libc::realloc(old, bytes + block::HEADER_BYTES);
        if block.is_null() {
            count_refusal();
            return block;
        }
        block::set_size(block, bytes);
        count(0, block::size(block) as i64 - old_bytes as i64, bytes as u64);
        note(old.addr(), block.addr());
        let pointer = block.byte_add(block::HEADER_BYTES);
        if bytes > old_bytes {
            fresh::fill(pointer.byte_add(old_bytes).cast(), bytes - old_bytes);
        }
        pointer
    }
}

unsafe extern "C" fn size(pointer: *mut c_void) -> c_int {
    if pointer.is_null() {
        return 0;
    }
    // SAFETY: as in `free`.
    unsafe { block::size(pointer.byte_sub(block::HEADER_BYTES)) as c_int }
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes
}

unsafe extern "C" fn init(_data: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shutdown(_data: *mut c_void) {}
