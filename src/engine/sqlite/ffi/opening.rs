//! Opening a connection by a URI, in UTF-8 or UTF-16 (<https://sqlite.org/uri.html>).

use std::ffi::{CString, c_int};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rusqlite::ffi;

use super::connection::Connection;
use super::utf16;
use super::watch::Watch;
use crate::engine::Code;
use crate::faults::vfs::Vfs;
use crate::testcase::{FileName, OpenMode, OpenOptions};

impl<'v> Connection<'v> {
    /// Like [`Connection::open_sharing`], with these options.
    ///
    /// # Errors
    /// The same; SQLITE_CANTOPEN, too, if SQLite was built without URIs, which would then name files of the host.
    pub fn open_with(
        vfs: &'v Vfs,
        file: &FileName,
        options: OpenOptions,
        watch: Rc<Watch>,
    ) -> Result<Self, Code> {
        // SAFETY: the name of the option is a C string.
        if unsafe { ffi::sqlite3_compileoption_used(c"USE_URI".as_ptr()) } == 0 {
            return Err(Code(ffi::SQLITE_CANTOPEN));
        }
        let uri = uri(vfs, file, options);
        let mut db = ptr::null_mut();
        let code = if options.is_utf16 {
            let units: Vec<u16> = uri.encode_utf16().chain([0]).collect();
            // SAFETY: the text ends with a zero, and all pointers live for the call.
            unsafe { utf16::sqlite3_open16(units.as_ptr().cast(), &mut db) }
        } else {
            let uri = CString::new(uri).map_err(|_| Code(ffi::SQLITE_CANTOPEN))?;
            let flags = ffi::SQLITE_OPEN_READWRITE
                | ffi::SQLITE_OPEN_CREATE
                | ffi::SQLITE_OPEN_NOMUTEX
                | ffi::SQLITE_OPEN_URI;
            // SAFETY: as above.
            unsafe { ffi::sqlite3_open_v2(uri.as_ptr(), &mut db, flags, vfs.name().as_ptr()) }
        };
        let opened = NonNull::new(db).filter(|_| code == ffi::SQLITE_OK);
        let Some(opened) = opened else {
            // SAFETY: on failure SQLite may still give a handle to close; closing null is a no-op.
            unsafe { ffi::sqlite3_close(db) };
            return Err(Code(if code == ffi::SQLITE_OK { ffi::SQLITE_NOMEM } else { code }));
        };
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_extended_result_codes(opened.as_ptr(), c_int::from(true)) };
        let connection = Self::of(opened, watch)?;
        connection.callbacks().shares_cache.set(options.shares_cache == Some(true));
        Ok(connection)
    }

    /// True if it may share its cache with other connections.
    pub fn shares_cache(&self) -> bool {
        self.callbacks().shares_cache.get()
    }
}

fn uri(vfs: &Vfs, file: &FileName, options: OpenOptions) -> String {
    let mut uri = format!("file:{}?vfs={}", file.as_str(), vfs.name().to_string_lossy());
    uri += match options.mode {
        OpenMode::Unset => "",
        OpenMode::ReadOnly => "&mode=ro",
        OpenMode::ReadWrite => "&mode=rw",
        OpenMode::Create => "&mode=rwc",
        OpenMode::Memory => "&mode=memory",
    };
    uri += match options.shares_cache {
        None => "",
        Some(true) => "&cache=shared",
        Some(false) => "&cache=private",
    };
    if options.is_immutable {
        uri += "&immutable=1";
    }
    if options.has_no_locks {
        uri += "&nolock=1";
    }
    uri += match options.is_powersafe {
        None => "",
        Some(true) => "&psow=1",
        Some(false) => "&psow=0",
    };
    uri
}
