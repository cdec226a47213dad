//! A prepared statement and the values that it returns.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;

use rusqlite::ffi;

use super::connection::Connection;
use super::utf16;
use crate::engine::{Code, Value};

/// A prepared statement; finalized when dropped.
pub struct Statement<'c> {
    statement: NonNull<ffi::sqlite3_stmt>,
    is_utf16: bool,
    is_explain: bool,
    connection: PhantomData<&'c Connection<'c>>,
}

/// A value of the current row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Column<'s> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT in UTF-8, or in UTF-16 if the statement was prepared that way.
    Text(&'s [u8]),
    /// BLOB.
    Blob(&'s [u8]),
}

/// The column of `EXPLAIN` that shows a virtual table as `vtab:` and its address, which differs in every run.
const P4: c_int = 5;

/// A text in [`P4`], which may be UTF-16, without the address.
fn without_address(text: &[u8], is_utf16: bool) -> &[u8] {
    const BEGINNING: &str = "vtab:";
    let beginning = if is_utf16 {
        BEGINNING.encode_utf16().flat_map(u16::to_ne_bytes).collect()
    } else {
        BEGINNING.as_bytes().to_vec()
    };
    if text.starts_with(&beginning) { &text[..beginning.len()] } else { text }
}

impl Column<'_> {
    /// Appends the type and the bytes of the value, so that equal rows give equal bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Integer(n) => {
                out.push(1);
                out.extend_from_slice(&n.to_le_bytes());
            }
            Self::Real(x) => {
                out.push(2);
                out.extend_from_slice(&x.to_bits().to_le_bytes());
            }
            Self::Text(bytes) | Self::Blob(bytes) => {
                out.push(if matches!(self, Self::Text(_)) { 3 } else { 4 });
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }

    /// An owned copy of the value.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(n) => Value::Integer(n),
            Self::Real(x) => Value::Real(x),
            Self::Text(text) => Value::Text(text.to_vec()),
            Self::Blob(blob) => Value::Blob(blob.to_vec()),
        }
    }
}

impl Statement<'_> {
    pub(super) fn new(statement: *mut ffi::sqlite3_stmt, is_utf16: bool) -> Option<Self> {
        let statement = NonNull::new(statement)?;
        // SAFETY: the statement was just prepared.
        let is_explain = unsafe { ffi::sqlite3_stmt_isexplain(statement.as_ptr()) == 1 };
        Some(Self { statement, is_utf16, is_explain, connection: PhantomData })
    }

    /// Notes whether it shows its program now: that can change.
    pub(super) fn note_explain(&mut self) {
        // SAFETY: the statement is not finalized.
        self.is_explain = unsafe { ffi::sqlite3_stmt_isexplain(self.raw()) == 1 };
    }

    /// True if its rows are those of `EXPLAIN`, which may show addresses.
    pub(super) fn shows_program(&self) -> bool {
        self.is_explain
    }

    pub(super) fn is_utf16(&self) -> bool {
        self.is_utf16
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3_stmt {
        self.statement.as_ptr()
    }

    /// Steps once.
    pub fn step(&mut self) -> Code {
        // SAFETY: the statement is not finalized, here and below.
        Code(unsafe { ffi::sqlite3_step(self.raw()) })
    }

    /// Columns of the current row; 0 if there is none.
    pub fn columns(&self) -> usize {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_data_count(self.raw()) as usize }
    }

    /// The names of the columns of its result.
    pub fn column_names(&self) -> Vec<String> {
        let name = |index| {
            // SAFETY: as above. The name, if there is one, is a C string that is valid until the statement is prepared
            // anew, and is copied here.
            unsafe {
                let name = ffi::sqlite3_column_name(self.raw(), index);
                (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
            }
        };
        // SAFETY: as above.
        let count = unsafe { ffi::sqlite3_column_count(self.raw()) };
        (0..count).map(|index| name(index).unwrap_or_default()).collect()
    }

    /// A value of the current row.
    pub fn column(&self, index: usize) -> Column<'_> {
        let (raw, index) = (self.raw(), index as c_int);
        // SAFETY: SQLite returns values for any index. Bytes are read after the conversion to text and are valid until
        // the next step, which needs `&mut self`.
        unsafe {
            match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => Column::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => Column::Real(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_TEXT => Column::Text(self.text(index)),
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(raw, index);
                    Column::Blob(bytes(start.cast(), ffi::sqlite3_column_bytes(raw, index)))
                }
                _ => Column::Null,
            }
        }
    }

    /// A text of the current row.
    fn text(&self, index: c_int) -> &[u8] {
        let raw = self.raw();
        // SAFETY: as in `column`.
        let text = unsafe {
            if self.is_utf16 {
                let start = utf16::sqlite3_column_text16(raw, index);
                bytes(start.cast(), utf16::sqlite3_column_bytes16(raw, index))
            } else {
                let start = ffi::sqlite3_column_text(raw, index);
                bytes(start, ffi::sqlite3_column_bytes(raw, index))
            }
        };
        if self.is_explain && index == P4 { without_address(text, self.is_utf16) } else { text }
    }

    /// True if the statement changes no database itself.
    pub fn is_read_only(&self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw()) != 0 }
    }

    /// VM steps so far.
    pub fn vm_steps(&self) -> u64 {
        // SAFETY: as above.
        let steps = unsafe { ffi::sqlite3_stmt_status(self.raw(), ffi::SQLITE_STMTSTATUS_VM_STEP, 0) };
        // A counter of 32 bits, which may have wrapped.
        u64::from(steps as u32)
    }

    /// Binds parameters whose name contains their value, as SQLite's fuzzcheck does: `$int_123` and `$text_abc`. Others
    /// stay NULL.
    pub fn bind_named_values(&mut self) {
        // SAFETY: as above; names are C strings of the statement, and SQLite copies the text.
        unsafe {
            for index in 1..=ffi::sqlite3_bind_parameter_count(self.raw()) {
                let name = ffi::sqlite3_bind_parameter_name(self.raw(), index);
                if name.is_null() {
                    continue;
                }
                let name = CStr::from_ptr(name).to_bytes();
                if let Some(digits) = name.strip_prefix(b"$int_") {
                    ffi::sqlite3_bind_int64(self.raw(), index, leading_integer(digits));
                } else if let Some(text) = name.strip_prefix(b"$text_") {
                    let length = text.len() as c_int;
                    ffi::sqlite3_bind_text(
                        self.raw(),
                        index,
                        text.as_ptr().cast(),
                        length,
                        ffi::SQLITE_TRANSIENT(),
                    );
                }
            }
        }
    }

    /// Binds the first parameters to these values.
    pub fn bind_values(&mut self, values: &[Value]) {
        for (index, value) in (1..).zip(values) {
            let raw = self.raw();
            // SAFETY: as above; SQLite copies texts and blobs.
            unsafe {
                let copied = ffi::SQLITE_TRANSIENT();
                match value {
                    Value::Null => ffi::sqlite3_bind_null(raw, index),
                    Value::Integer(n) => ffi::sqlite3_bind_int64(raw, index, *n),
                    Value::Real(x) => ffi::sqlite3_bind_double(raw, index, *x),
                    Value::Text(text) => {
                        ffi::sqlite3_bind_text(raw, index, text.as_ptr().cast(), text.len() as c_int, copied)
                    }
                    Value::Blob(blob) => {
                        ffi::sqlite3_bind_blob(raw, index, blob.as_ptr().cast(), blob.len() as c_int, copied)
                    }
                };
            }
        }
    }

    /// Abandons the statement without finalizing it: a planted bug.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

/// The number at the start of `digits`, 0 if there is none, like C's `atoi`.
fn leading_integer(digits: &[u8]) -> i64 {
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    let digits = std::str::from_utf8(&digits[..end]).unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// # Safety
/// `start` is null or has `count` bytes that live for `'s`.
unsafe fn bytes<'s>(start: *const u8, count: c_int) -> &'s [u8] {
    if start.is_null() || count <= 0 {
        return &[];
    }
    // SAFETY: given.
    unsafe { slice::from_raw_parts(start, count as usize) }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: finalized once; the result repeats that of the last step.
        unsafe { ffi::sqlite3_finalize(self.raw()) };
    }
}
