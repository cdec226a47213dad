//! How SQLite reads and writes changesets: as a whole or in chunks.
//!
//! # Invariants
//! * What SQLite reads is in a block of exactly its size from the system's allocator ([`Block`]), so that AddressSanitizer
//!   notices when it reads past the end.
//! * Streams point to what lives for the call.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;

use rusqlite::ffi;

use super::fiber;

/// Bytes of a result, at most: with more, SQLite is told that there is no room.
const OUT_BYTES_MAX: usize = 1 << 20;
/// SQLite's own size of chunks.
const CHUNK_BYTES: c_int = 1024;

/// A copy of some bytes without anything behind it.
pub(super) struct Block {
    start: NonNull<c_void>,
    pub length: c_int,
}

impl Block {
    pub fn new(content: &[u8]) -> Self {
        // SAFETY: the block has room for the content.
        unsafe {
            let start = NonNull::new(libc::malloc(content.len())).unwrap_or_else(NonNull::dangling);
            start.cast::<u8>().copy_from_nonoverlapping(NonNull::from(content).cast(), content.len());
            Self { start, length: c_int::try_from(content.len()).unwrap_or(c_int::MAX) }
        }
    }

    pub fn raw(&self) -> *mut c_void {
        self.start.as_ptr()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.start != NonNull::dangling() {
            // SAFETY: freed once.
            unsafe { libc::free(self.start.as_ptr()) };
        }
    }
}

/// Bytes that SQLite reads bit by bit.
pub(super) struct Source<'a> {
    pub left: &'a [u8],
    pub chunk: usize,
}

impl Source<'_> {
    pub fn raw(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

pub(super) unsafe extern "C" fn read_chunk(
    source: *mut c_void,
    out: *mut c_void,
    length: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes on the source, and a place for as many bytes as it says.
    unsafe {
        let source = &mut *source.cast::<Source<'_>>();
        let count = usize::try_from(*length).unwrap_or(0).min(source.chunk).min(source.left.len());
        let (now, later) = source.left.split_at(count);
        out.cast::<u8>().copy_from_nonoverlapping(now.as_ptr(), count);
        (source.left, *length) = (later, count as c_int);
    }
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn write_chunk(out: *mut c_void, data: *const c_void, length: c_int) -> c_int {
    // SAFETY: SQLite passes on the vector, and so many bytes.
    unsafe {
        let out = &mut *out.cast::<Vec<u8>>();
        let count = usize::try_from(length).unwrap_or(0);
        if out.len() + count > OUT_BYTES_MAX {
            return ffi::SQLITE_FULL;
        }
        out.extend_from_slice(slice::from_raw_parts(data.cast(), count));
    }
    ffi::SQLITE_OK
}

/// How the name of a table begins.
pub(super) struct Start(pub Vec<u8>);

/// Answers whether the name of a table begins with the [`Start`] that `start` points to.
pub(super) unsafe extern "C" fn on_table(start: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: registered with such a pointer; the name is a C string.
    unsafe { c_int::from(CStr::from_ptr(table).to_bytes().starts_with(&(*start.cast::<Start>()).0)) }
}

/// Lets SQLite use chunks of this size during a call.
pub(super) fn with_chunks<T>(chunk: u16, call: impl FnOnce() -> T) -> T {
    let set = |bytes: c_int| {
        let mut bytes = bytes;
        // SAFETY: the option takes a pointer to an int.
        unsafe {
            ffi::sqlite3session_config(ffi::SQLITE_SESSION_CONFIG_STRMSIZE, ptr::from_mut(&mut bytes).cast())
        };
    };
    set(c_int::from(chunk.max(1)));
    // The size is that of the whole process.
    let result = fiber::without_stops(call);
    set(CHUNK_BYTES);
    result
}
