//! Sessions in all their variants (<https://sqlite.org/session/intro.html>).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

use super::callbacks::c_name;
use super::connection::Connection;
use super::held::Session;
use super::streams::{with_chunks, write_chunk};
use crate::engine::Code;
use crate::testcase::SessionChange;

impl<'v> Session<'v> {
    /// A session on a database of this name that records nothing yet; see
    /// [`crate::testcase::Operation::SessionCreate`].
    ///
    /// # Errors
    /// SQLite's code.
    pub fn create(
        connection: &Rc<Connection<'v>>,
        schema: &str,
        counts_size: bool,
        has_rowids: bool,
    ) -> Result<Self, Code> {
        connection.remove_preupdate_hook();
        let (schema, mut session) = (c_name(schema), ptr::null_mut());
        // SAFETY: the connection is open, here and below; the name is a C string.
        let code = unsafe { ffi::sqlite3session_create(connection.raw(), schema.as_ptr(), &mut session) };
        let session = Self::of(session, code, connection)?;
        let options = [
            (ffi::SQLITE_SESSION_OBJCONFIG_SIZE, counts_size),
            (ffi::SQLITE_SESSION_OBJCONFIG_ROWID, has_rowids),
        ];
        for (option, _) in options.into_iter().filter(|(_, is_on)| *is_on) {
            let mut on: c_int = 1;
            // SAFETY: each takes a pointer to an int. One that an older SQLite does not know is refused, which does not
            // matter: no table is attached yet.
            unsafe {
                ffi::sqlite3session_object_config(session.raw(), option, ptr::from_mut(&mut on).cast())
            };
        }
        Ok(session)
    }

    /// Changes what is recorded. Also returns what SQLite says of that.
    pub fn change(&mut self, change: &SessionChange) -> (Code, Vec<u8>) {
        let session = self.raw();
        let named = |name: &str, call: &dyn Fn(*const c_char) -> c_int| {
            let name = c_name(name);
            (Code(call(name.as_ptr())), Vec::new())
        };
        // SAFETY: the session is not deleted, names are C strings, here and below; all tables are meant by null.
        unsafe {
            match change {
                SessionChange::Attach(None) => {
                    (Code(ffi::sqlite3session_attach(session, ptr::null())), Vec::new())
                }
                SessionChange::Attach(Some(table)) => {
                    named(table, &|table| ffi::sqlite3session_attach(session, table))
                }
                SessionChange::Filter(start) => {
                    self.set_filter(start.as_bytes());
                    (Code::OK, Vec::new())
                }
                SessionChange::Enable(is_on) => {
                    (Code::OK, vec![ffi::sqlite3session_enable(session, c_int::from(*is_on)) as u8])
                }
                SessionChange::Indirect(is_on) => {
                    (Code::OK, vec![ffi::sqlite3session_indirect(session, c_int::from(*is_on)) as u8])
                }
                SessionChange::Diff { from, table } => {
                    let (from, mut message) = (c_name(from), ptr::null_mut());
                    let table = c_name(table);
                    let code = ffi::sqlite3session_diff(session, from.as_ptr(), table.as_ptr(), &mut message);
                    let text = if message.is_null() { &[] } else { CStr::from_ptr(message).to_bytes() };
                    let told = text.to_vec();
                    ffi::sqlite3_free(message.cast());
                    (Code(code), told)
                }
            }
        }
    }

    /// Whether it is empty, and the largest size that its changeset may have. How much memory it holds depends on the
    /// allocator.
    pub fn facts(&self) -> Vec<u8> {
        // SAFETY: as above.
        unsafe {
            let is_empty = ffi::sqlite3session_isempty(self.raw());
            let size = ffi::sqlite3session_changeset_size(self.raw());
            let _bytes = ffi::sqlite3session_memory_used(self.raw());
            [is_empty.to_le_bytes().as_slice(), &size.to_le_bytes()].concat()
        }
    }

    /// The changes recorded so far, through a stream.
    ///
    /// # Errors
    /// SQLite's code.
    pub fn take_in_chunks(&mut self, is_patchset: bool, chunk: u16) -> Result<Vec<u8>, Code> {
        with_chunks(chunk, || {
            let mut out: Vec<u8> = Vec::new();
            let to: *mut c_void = ptr::from_mut(&mut out).cast();
            // SAFETY: as above; what is written goes to a vector that lives for the call.
            let code = unsafe {
                if is_patchset {
                    ffi::sqlite3session_patchset_strm(self.raw(), Some(write_chunk), to)
                } else {
                    ffi::sqlite3session_changeset_strm(self.raw(), Some(write_chunk), to)
                }
            };
            if code == ffi::SQLITE_OK { Ok(out) } else { Err(Code(code)) }
        })
    }
}
