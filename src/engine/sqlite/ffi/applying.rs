//! Applying changesets.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::{mem, ptr};

use rusqlite::ffi;

use super::callbacks::add_value;
use super::changesets::{Changes, Iterator, READ_MAX, add_change};
use super::connection::Connection;
use super::held::buffer;
use super::streams::{Block, read_chunk, with_chunks};
use crate::engine::Code;
use crate::testcase::OnConflict;

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

    /// Applies a changeset or patchset; also returns the kind of the first conflict (`SQLITE_CHANGESET_…`).
    pub fn apply(&self, changeset: &[u8], answer: OnConflict) -> (Code, Option<c_int>) {
        let block = Block::new(changeset);
        let (count, changes) = (block.length, block.raw());
        let mut applying = Applying { answer, start: Vec::new(), seen: Vec::new(), count: 0 };
        let context = ptr::from_mut(&mut applying).cast();
        // SAFETY: the connection is open; the bytes, which SQLite does not change, and the context live for the call.
        let code = unsafe {
            ffi::sqlite3changeset_apply(self.raw(), count, changes, None, Some(on_conflict), context)
        };
        (Code(code), applying.seen.first().map(|&kind| kind.into()))
    }
}
