//! Changesets: inverted, joined, rebased, read, applied; whole or in chunks.
//!
//! # Invariants
//! * What SQLite reads is in a block of exactly its size from the system's allocator ([`Block`]), so that AddressSanitizer
//!   notices when it reads past the end.
//! * Streams point to what lives for the call.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::{mem, slice};

use rusqlite::ffi;

use super::callbacks::{add_text, add_value};
use super::connection::Connection;
use super::held::buffer;
use crate::engine::Code;
use crate::testcase::OnConflict;

/// Bytes of a result, at most: with more, SQLite is told that there is no room.
const OUT_BYTES_MAX: usize = 1 << 20;
/// SQLite's own size of chunks.
const CHUNK_BYTES: c_int = 1024;
/// Conflicts and changes of which the values are read, at most.
const READ_MAX: usize = 1000;

type Iterator = *mut ffi::sqlite3_changeset_iter;

/// A copy of some bytes without anything behind it.
pub(super) struct Block {
    start: NonNull<c_void>,
    pub(super) length: c_int,
}

impl Block {
    pub(super) fn new(content: &[u8]) -> Self {
        // SAFETY: the block has room for the content.
        unsafe {
            let start = NonNull::new(libc::malloc(content.len())).unwrap_or_else(NonNull::dangling);
            start.cast::<u8>().copy_from_nonoverlapping(NonNull::from(content).cast(), content.len());
            Self { start, length: c_int::try_from(content.len()).unwrap_or(c_int::MAX) }
        }
    }

    pub(super) fn raw(&self) -> *mut c_void {
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
struct Source<'a> {
    left: &'a [u8],
    chunk: usize,
}

impl Source<'_> {
    fn raw(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

unsafe extern "C" fn read_chunk(source: *mut c_void, out: *mut c_void, length: *mut c_int) -> c_int {
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

/// Answers whether the name of a table begins with the text, a `Vec<u8>`, that `start` points to.
pub(super) unsafe extern "C" fn on_table(start: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: registered with such a pointer; the name is a C string.
    unsafe { c_int::from(CStr::from_ptr(table).to_bytes().starts_with(&*start.cast::<Vec<u8>>())) }
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
    let result = call();
    set(CHUNK_BYTES);
    result
}

/// Changesets as bytes, and whether they are passed in chunks: with 0 they are not.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// The changeset.
    pub content: &'a [u8],
    /// Bytes at a time.
    pub chunk: u16,
}

/// How a changeset is applied.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// The answer to all conflicts.
    pub on_conflict: OnConflict,
    /// How the names of the tables begin to which changes are applied.
    pub filter: Option<&'a str>,
    /// `SQLITE_CHANGESETAPPLY_…`.
    pub flags: u8,
}

impl<'a> Changes<'a> {
    fn source(&self) -> Source<'a> {
        Source { left: self.content, chunk: self.chunk.max(1).into() }
    }

    /// Makes a call that returns bytes, by whichever of the two functions is asked for.
    fn call(
        self,
        whole: impl FnOnce(&Block, *mut c_int, *mut *mut c_void) -> c_int,
        streamed: impl FnOnce(*mut c_void, *mut c_void) -> c_int,
    ) -> Result<Vec<u8>, Code> {
        if self.chunk == 0 {
            let block = Block::new(self.content);
            return buffer(|length, out| whole(&block, length, out));
        }
        with_chunks(self.chunk, || {
            let (mut source, mut out) = (self.source(), Vec::new());
            match streamed(source.raw(), ptr::from_mut(&mut out).cast()) {
                ffi::SQLITE_OK => Ok(out),
                code => Err(Code(code)),
            }
        })
    }

    /// The inverse.
    ///
    /// # Errors
    /// SQLite's code, here and below.
    pub fn invert(self) -> Result<Vec<u8>, Code> {
        // SAFETY: what is passed lives for the call, here and below.
        let whole = |block: &Block, length, out| unsafe {
            ffi::sqlite3changeset_invert(block.length, block.raw(), length, out)
        };
        // SAFETY: as above.
        self.call(whole, |from, to| unsafe {
            ffi::sqlite3changeset_invert_strm(Some(read_chunk), from, Some(write_chunk), to)
        })
    }

    /// Another changeset and this one as one.
    ///
    /// # Errors
    /// As above.
    pub fn after(self, first: &[u8]) -> Result<Vec<u8>, Code> {
        // SAFETY: as above.
        let whole = |block: &Block, length, out| unsafe {
            let first = Block::new(first);
            ffi::sqlite3changeset_concat(first.length, first.raw(), block.length, block.raw(), length, out)
        };
        self.call(whole, |from, to| {
            let mut first = Source { left: first, chunk: self.chunk.into() };
            let read: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int) -> c_int> =
                Some(read_chunk);
            // SAFETY: as above.
            unsafe { ffi::sqlite3changeset_concat_strm(read, first.raw(), read, from, Some(write_chunk), to) }
        })
    }

    /// This changeset as it must be after another one was applied that left `rebase`.
    ///
    /// # Errors
    /// As above.
    pub fn rebase(self, rebase: &[u8]) -> Result<Vec<u8>, Code> {
        let rebaser = Rebaser::new(rebase)?;
        // SAFETY: as above, and the rebaser is not deleted.
        let whole = |block: &Block, length, out| unsafe {
            ffi::sqlite3rebaser_rebase(rebaser.0, block.length, block.raw(), length, out)
        };
        // SAFETY: as above.
        self.call(whole, |from, to| unsafe {
            ffi::sqlite3rebaser_rebase_strm(rebaser.0, Some(read_chunk), from, Some(write_chunk), to)
        })
    }

    /// Another changeset and this one, as a changegroup combines them: perhaps with the schema of a connection, and change
    /// by change.
    ///
    /// # Errors
    /// As above.
    pub fn group(
        self,
        first: Option<&[u8]>,
        schema: Option<&Connection<'_>>,
        is_one_by_one: bool,
    ) -> Result<Vec<u8>, Code> {
        let group = Group::new(schema)?;
        for content in first.into_iter().chain([self.content]) {
            let code = group.add(Changes { content, chunk: self.chunk }, is_one_by_one);
            if code != ffi::SQLITE_OK {
                return Err(Code(code));
            }
        }
        // SAFETY: the group is not deleted.
        let whole = |_: &Block, length, out| unsafe { ffi::sqlite3changegroup_output(group.0, length, out) };
        // SAFETY: as above.
        self.call(whole, |_, to| unsafe {
            ffi::sqlite3changegroup_output_strm(group.0, Some(write_chunk), to)
        })
    }

    /// Calls something with an iterator over the changes; the result is that of the first failure.
    fn iterate(self, flags: c_int, with: &mut dyn FnMut(Iterator) -> c_int) -> c_int {
        let block = Block::new(self.content);
        let (mut source, mut iterator) = (self.source(), ptr::null_mut());
        // SAFETY: as above; the iterator is finalized once, before what it reads is gone.
        unsafe {
            let code = if self.chunk == 0 {
                ffi::sqlite3changeset_start_v2(&mut iterator, block.length, block.raw(), flags)
            } else {
                ffi::sqlite3changeset_start_v2_strm(&mut iterator, Some(read_chunk), source.raw(), flags)
            };
            if code != ffi::SQLITE_OK {
                return code;
            }
            let mut failure = ffi::SQLITE_OK;
            while failure == ffi::SQLITE_OK && ffi::sqlite3changeset_next(iterator) == ffi::SQLITE_ROW {
                failure = with(iterator);
            }
            let code = ffi::sqlite3changeset_finalize(iterator);
            if failure == ffi::SQLITE_OK { code } else { failure }
        }
    }

    /// Reads all changes, perhaps inverted. Returns the code and what was read.
    pub fn read(self, is_inverse: bool) -> (Code, Vec<u8>) {
        let flags = if is_inverse { ffi::SQLITE_CHANGESETSTART_INVERT } else { 0 };
        let (mut read, mut count) = (Vec::new(), 0);
        let code = self.iterate(flags, &mut |iterator| {
            count += 1;
            if count < READ_MAX {
                // SAFETY: the iterator is at a change.
                unsafe { add_change(iterator, &mut read) };
            }
            ffi::SQLITE_OK
        });
        (Code(code), read)
    }
}

/// Appends a change.
///
/// # Safety
/// The iterator is at one, or was passed to a conflict handler for one.
unsafe fn add_change(iterator: Iterator, out: &mut Vec<u8>) {
    let (mut table, mut columns, mut operation, mut is_indirect) = (ptr::null(), 0, 0, 0);
    let (mut keys, mut key_columns) = (ptr::null_mut(), 0);
    // SAFETY: given; only values that the operation has are asked for.
    unsafe {
        if ffi::sqlite3changeset_op(iterator, &mut table, &mut columns, &mut operation, &mut is_indirect) != 0
        {
            return;
        }
        add_text(table, out);
        out.extend([columns as u8, operation as u8, is_indirect as u8]);
        if ffi::sqlite3changeset_pk(iterator, &mut keys, &mut key_columns) == ffi::SQLITE_OK {
            out.extend_from_slice(super::callbacks::bytes(keys, key_columns));
        }
        for column in 0..columns {
            let mut value = ptr::null_mut();
            if operation != ffi::SQLITE_INSERT && ffi::sqlite3changeset_old(iterator, column, &mut value) == 0
            {
                add_value(value, out);
            }
            if operation != ffi::SQLITE_DELETE && ffi::sqlite3changeset_new(iterator, column, &mut value) == 0
            {
                add_value(value, out);
            }
        }
    }
}

/// A rebaser; deleted when dropped.
struct Rebaser(*mut ffi::sqlite3_rebaser);

impl Rebaser {
    fn new(rebase: &[u8]) -> Result<Self, Code> {
        let (block, mut rebaser) = (Block::new(rebase), ptr::null_mut());
        // SAFETY: what is passed lives for the call; SQLite copies it.
        let (rebaser, code) = unsafe {
            let code = ffi::sqlite3rebaser_create(&mut rebaser);
            let rebaser = Self(rebaser);
            match code {
                ffi::SQLITE_OK => {
                    let code = ffi::sqlite3rebaser_configure(rebaser.0, block.length, block.raw());
                    (rebaser, code)
                }
                code => (rebaser, code),
            }
        };
        if code == ffi::SQLITE_OK { Ok(rebaser) } else { Err(Code(code)) }
    }
}

impl Drop for Rebaser {
    fn drop(&mut self) {
        // SAFETY: deleted once; null is allowed.
        unsafe { ffi::sqlite3rebaser_delete(self.0) };
    }
}

/// A changegroup; deleted when dropped, before the connection is closed of which it knows the schema.
struct Group(*mut ffi::sqlite3_changegroup);

impl Group {
    fn new(schema: Option<&Connection<'_>>) -> Result<Self, Code> {
        let mut group = ptr::null_mut();
        // SAFETY: the connection is open.
        let (group, code) = unsafe {
            let code = ffi::sqlite3changegroup_new(&mut group);
            let group = Self(group);
            match schema {
                Some(connection) if code == ffi::SQLITE_OK => {
                    let code = ffi::sqlite3changegroup_schema(group.0, connection.raw(), c"main".as_ptr());
                    (group, code)
                }
                _ => (group, code),
            }
        };
        if code == ffi::SQLITE_OK { Ok(group) } else { Err(Code(code)) }
    }

    fn add(&self, changes: Changes<'_>, is_one_by_one: bool) -> c_int {
        if is_one_by_one {
            // SAFETY: the group is not deleted, and the iterator is at a change.
            return changes
                .iterate(0, &mut |iterator| unsafe { ffi::sqlite3changegroup_add_change(self.0, iterator) });
        }
        // SAFETY: the group is not deleted, and what is passed lives for the call.
        unsafe {
            if changes.chunk == 0 {
                let block = Block::new(changes.content);
                ffi::sqlite3changegroup_add(self.0, block.length, block.raw())
            } else {
                let mut source = changes.source();
                ffi::sqlite3changegroup_add_strm(self.0, Some(read_chunk), source.raw())
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: deleted once; null is allowed.
        unsafe { ffi::sqlite3changegroup_delete(self.0) };
    }
}

/// What the callbacks of an apply need: both get the same pointer.
struct Applying {
    answer: OnConflict,
    start: Vec<u8>,
    seen: Vec<u8>,
    count: usize,
}

unsafe extern "C" fn on_applied_table(applying: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: registered with what lives for the call of apply; the name is a C string.
    unsafe {
        let applying = &*applying.cast::<Applying>();
        c_int::from(CStr::from_ptr(table).to_bytes().starts_with(&applying.start))
    }
}

unsafe extern "C" fn on_conflict(applying: *mut c_void, kind: c_int, iterator: Iterator) -> c_int {
    // SAFETY: as above. Only for these kinds there is a row that conflicts, and for the last there is no change.
    let applying = unsafe { &mut *applying.cast::<Applying>() };
    let has_row = matches!(kind, ffi::SQLITE_CHANGESET_DATA | ffi::SQLITE_CHANGESET_CONFLICT);
    applying.count += 1;
    applying.seen.push(kind as u8);
    if applying.count < READ_MAX {
        // SAFETY: as above.
        unsafe { add_conflict(iterator, kind, has_row, &mut applying.seen) };
    }
    match applying.answer {
        OnConflict::Abort => ffi::SQLITE_CHANGESET_ABORT,
        OnConflict::Replace if has_row => ffi::SQLITE_CHANGESET_REPLACE,
        OnConflict::Replace | OnConflict::Omit => ffi::SQLITE_CHANGESET_OMIT,
    }
}

/// Appends what is known of a conflict.
///
/// # Safety
/// The iterator was passed to a conflict handler with this kind.
unsafe fn add_conflict(iterator: Iterator, kind: c_int, has_row: bool, out: &mut Vec<u8>) {
    // SAFETY: given.
    unsafe {
        if kind == ffi::SQLITE_CHANGESET_FOREIGN_KEY {
            let mut count = 0;
            ffi::sqlite3changeset_fk_conflicts(iterator, &mut count);
            out.extend_from_slice(&count.to_le_bytes());
            return;
        }
        add_change(iterator, out);
        let (mut table, mut columns, mut operation, mut is_indirect) = (ptr::null(), 0, 0, 0);
        ffi::sqlite3changeset_op(iterator, &mut table, &mut columns, &mut operation, &mut is_indirect);
        for column in 0..if has_row { columns } else { 0 } {
            let mut value = ptr::null_mut();
            if ffi::sqlite3changeset_conflict(iterator, column, &mut value) == ffi::SQLITE_OK {
                add_value(value, out);
            }
        }
    }
}

impl Connection<'_> {
    /// Applies changes. Returns the code, what the conflict handler saw, and what a rebaser needs.
    pub fn apply_as(&self, changes: Changes<'_>, how: Applied<'_>) -> (Code, Vec<u8>, Vec<u8>) {
        let mut applying = Applying {
            answer: how.on_conflict,
            start: how.filter.unwrap_or_default().as_bytes().to_vec(),
            seen: Vec::new(),
            count: 0,
        };
        type Filter = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;
        let filter = how.filter.map(|_| on_applied_table as Filter);
        let (db, flags) = (self.raw(), c_int::from(how.flags));
        let context = ptr::from_mut(&mut applying).cast();
        let mut code = ffi::SQLITE_OK;
        let rebase = buffer(|length, out| {
            // SAFETY: the connection is open, and what is passed lives for the call.
            code = unsafe {
                if changes.chunk == 0 {
                    let block = Block::new(changes.content);
                    let (count, start) = (block.length, block.raw());
                    ffi::sqlite3changeset_apply_v2(
                        db,
                        count,
                        start,
                        filter,
                        Some(on_conflict),
                        context,
                        out,
                        length,
                        flags,
                    )
                } else {
                    let mut source = changes.source();
                    let read = Some(read_chunk as unsafe extern "C" fn(_, _, _) -> _);
                    with_chunks(changes.chunk, || {
                        ffi::sqlite3changeset_apply_v2_strm(
                            db,
                            read,
                            source.raw(),
                            filter,
                            Some(on_conflict),
                            context,
                            out,
                            length,
                            flags,
                        )
                    })
                }
            };
            code
        });
        (Code(code), mem::take(&mut applying.seen), rebase.unwrap_or_default())
    }
}
