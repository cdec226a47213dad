//! Changesets: inverted, joined, rebased, grouped, read.

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi;

use super::callbacks::{add_text, add_value};
use super::connection::Connection;
use super::held::buffer;
use super::streams::{Block, Source, read_chunk, with_chunks, write_chunk};
use crate::engine::Code;

/// Conflicts and changes of which the values are read, at most.
pub(super) const READ_MAX: usize = 1000;

pub(super) type Iterator = *mut ffi::sqlite3_changeset_iter;

/// Changesets as bytes, and whether they are passed in chunks: with 0 they are not.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// The changeset.
    pub content: &'a [u8],
    /// Bytes at a time.
    pub chunk: u16,
}

impl<'a> Changes<'a> {
    pub(super) fn source(&self) -> Source<'a> {
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
pub(super) unsafe fn add_change(iterator: Iterator, out: &mut Vec<u8>) {
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
