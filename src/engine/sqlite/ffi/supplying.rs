//! Preparing statements in other ways, and binding more to their parameters.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

use super::callbacks::c_name;
use super::connection::Connection;
use super::functions::{POINTED, POINTER_TYPE};
use super::held::HeldStatement;
use super::statement::Statement;
use super::utf16;
use crate::engine::Code;
use crate::testcase::{Parameter, PrepareForm, Supplied};

impl Connection<'_> {
    /// Prepares the first statement of `sql` by this function.
    pub fn prepare_as<'c>(&'c self, sql: &[u8], form: PrepareForm) -> (Code, Option<Statement<'c>>) {
        let mut statement = ptr::null_mut();
        let out = &mut statement;
        let (db, none) = (self.raw(), ptr::null_mut::<*const c_void>());
        let units: Vec<u16> =
            if form.is_utf16() { String::from_utf8_lossy(sql).encode_utf16().collect() } else { Vec::new() };
        let (text, text16) = (sql.as_ptr().cast(), units.as_ptr().cast());
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        let length16 = c_int::try_from(2 * units.len()).unwrap_or(c_int::MAX);
        let (persistent, no_vtab) =
            (ffi::SQLITE_PREPARE_PERSISTENT as c_uint, ffi::SQLITE_PREPARE_NO_VTAB as c_uint);
        let no_tail = ptr::null_mut();
        // SAFETY: the connection is open; the text has as many bytes and outlives the call.
        let code = unsafe {
            match form {
                PrepareForm::Legacy => utf16::sqlite3_prepare(db, text, length, out, no_tail),
                PrepareForm::LegacyUtf16 => utf16::sqlite3_prepare16(db, text16, length16, out, none),
                PrepareForm::V2 => ffi::sqlite3_prepare_v2(db, text, length, out, no_tail),
                PrepareForm::V2Utf16 => utf16::sqlite3_prepare16_v2(db, text16, length16, out, none),
                PrepareForm::Persistent => {
                    ffi::sqlite3_prepare_v3(db, text, length, persistent, out, no_tail)
                }
                PrepareForm::NoVirtualTables => {
                    ffi::sqlite3_prepare_v3(db, text, length, no_vtab, out, no_tail)
                }
                PrepareForm::PersistentUtf16 => {
                    utf16::sqlite3_prepare16_v3(db, text16, length16, persistent, out, none)
                }
            }
        };
        (Code(code), Statement::new(statement, form.is_utf16()))
    }
}

impl<'v> HeldStatement<'v> {
    /// Like [`Connection::prepare_as`].
    pub fn prepare_as(
        connection: &Rc<Connection<'v>>,
        sql: &[u8],
        form: PrepareForm,
    ) -> (Code, Option<Self>) {
        let (code, statement) = connection.prepare_as(sql, form);
        (code, statement.map(|statement| Self::of(statement, connection)))
    }

    /// Binds something to a parameter. `source` is the statement of which a column is bound; without, or if it is of another
    /// connection, nothing is bound, and there is no result.
    pub fn bind_as(
        &mut self,
        parameter: &Parameter,
        value: &Supplied,
        source: Option<&Self>,
    ) -> Option<Code> {
        let source = source.filter(|source| Rc::ptr_eq(source.connection(), self.connection()));
        self.statement().bind_as(parameter, value, source.map(|source| source.peek()))
    }
}

impl Statement<'_> {
    fn bind_as(
        &mut self,
        parameter: &Parameter,
        value: &Supplied,
        source: Option<&Statement<'_>>,
    ) -> Option<Code> {
        let raw = self.raw();
        let number = match parameter {
            Parameter::Number(number) => *number,
            // SAFETY: the statement is not finalized, here and below; the name is a C string.
            Parameter::Name(name) => unsafe {
                let name = c_name(name);
                u16::try_from(ffi::sqlite3_bind_parameter_index(raw, name.as_ptr())).unwrap_or(u16::MAX)
            },
        };
        let at = c_int::from(number);
        // SAFETY: SQLite copies text and value during the call, and what the pointer points to lives forever. The value of a
        // column may be bound although it is not protected.
        let code = unsafe {
            match value {
                Supplied::Plain(bound) => return Some(self.bind(number, bound)),
                Supplied::Text16(text) => {
                    let length = c_int::try_from(text.len() & !1).unwrap_or(0);
                    let copy = ffi::SQLITE_TRANSIENT();
                    // SQLite reads whole units: they are aligned.
                    let units: Vec<u16> =
                        text.chunks_exact(2).map(|unit| u16::from_ne_bytes([unit[0], unit[1]])).collect();
                    utf16::sqlite3_bind_text16(raw, at, units.as_ptr().cast(), length, copy)
                }
                Supplied::Pointer => {
                    let pointed = ptr::from_ref(&POINTED).cast_mut().cast();
                    ffi::sqlite3_bind_pointer(raw, at, pointed, POINTER_TYPE.as_ptr(), None)
                }
                Supplied::Column { column, .. } => {
                    let source = source.filter(|source| !source.shows_program())?;
                    let value = ffi::sqlite3_column_value(source.raw(), c_int::from(*column));
                    ffi::sqlite3_bind_value(raw, at, value)
                }
            }
        };
        Some(Code(code))
    }

    /// The names of its parameters, each with its end; that of one without a name is empty.
    pub fn parameter_names(&self) -> Vec<u8> {
        let mut names = Vec::new();
        // SAFETY: as above; a name is a C string of the statement, copied here.
        unsafe {
            for at in 1..=ffi::sqlite3_bind_parameter_count(self.raw()) {
                let name = ffi::sqlite3_bind_parameter_name(self.raw(), at);
                if !name.is_null() {
                    names.extend_from_slice(CStr::from_ptr(name).to_bytes());
                }
                names.push(0);
            }
        }
        names
    }
}
