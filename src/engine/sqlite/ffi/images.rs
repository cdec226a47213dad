//! Databases as bytes: serialized and deserialized.

use std::ptr::NonNull;
use std::slice;

use rusqlite::ffi;

use super::callbacks::c_name;
use super::connection::Connection;
use crate::engine::Code;

impl Connection<'_> {
    /// A copy of the main database; `None` if SQLite returns none.
    pub fn serialize(&self) -> Option<Vec<u8>> {
        self.serialize_schema("main")
    }

    /// The same of a database of this name.
    pub fn serialize_schema(&self, schema: &str) -> Option<Vec<u8>> {
        let (schema, mut length) = (c_name(schema), 0);
        // SAFETY: the connection is open; SQLite allocates what it returns, `length` bytes.
        unsafe {
            let start = ffi::sqlite3_serialize(self.raw(), schema.as_ptr(), &mut length, 0);
            let bytes = NonNull::new(start)?;
            let copy = slice::from_raw_parts(bytes.as_ptr(), usize::try_from(length).unwrap_or(0)).to_vec();
            ffi::sqlite3_free(start.cast());
            Some(copy)
        }
    }

    /// Replaces the connection's main database with `image`, in memory.
    pub fn deserialize(&self, image: &[u8], is_read_only: bool) -> Code {
        self.deserialize_schema(image, "main", is_read_only, !is_read_only, 0)
    }

    /// The same for a database of this name: one that may grow, or has so many bytes of room.
    pub fn deserialize_schema(
        &self,
        image: &[u8],
        schema: &str,
        is_read_only: bool,
        is_resizable: bool,
        room: u16,
    ) -> Code {
        let (schema, length) = (c_name(schema), image.len());
        let whole = length + usize::from(room);
        let mut flags = ffi::SQLITE_DESERIALIZE_FREEONCLOSE;
        flags |= if is_read_only { ffi::SQLITE_DESERIALIZE_READONLY } else { 0 };
        flags |= if is_resizable { ffi::SQLITE_DESERIALIZE_RESIZEABLE } else { 0 };
        // SAFETY: as above; SQLite frees the copy, even on failure.
        unsafe {
            let copy = ffi::sqlite3_malloc64(whole.max(1) as u64).cast::<u8>();
            if copy.is_null() {
                return Code(ffi::SQLITE_NOMEM);
            }
            copy.copy_from_nonoverlapping(image.as_ptr(), length);
            copy.add(length).write_bytes(0, room.into());
            let (length, whole) = (length as ffi::sqlite3_int64, whole as ffi::sqlite3_int64);
            Code(ffi::sqlite3_deserialize(self.raw(), schema.as_ptr(), copy, length, whole, flags))
        }
    }
}
