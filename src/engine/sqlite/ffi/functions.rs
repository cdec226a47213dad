//! SQL functions and collations that a case registers.
//!
//! What a function returns does not depend on what else it does, and a name never changes its order: indexes and constraints
//! that use them stay as they are, and whoever checks a database knows them by [`Connection::know_plain_functions`].

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::rc::Rc;
use std::{mem, ptr};

use rusqlite::ffi;

use super::callbacks::{Callbacks, add_value, c_name};
use super::connection::Connection;
use super::nested;
use crate::engine::Code;
use crate::testcase::{Behaviour, Collation, Failure, FunctionKind};

/// Statements that a function runs, at most, until it is registered anew.
const RUNS_MAX: u8 = 16;
/// The type of the pointers that are passed around.
pub(super) const POINTER_TYPE: &CStr = c"tandem";
/// What they point to.
pub(super) static POINTED: u32 = 0x7461_6e64;
/// The subtype of JSON.
const SUBTYPE: c_uint = b'J' as c_uint;

type Context = *mut ffi::sqlite3_context;
type Values = *mut *mut ffi::sqlite3_value;

/// A function that is registered.
pub(super) struct Function {
    pub callbacks: Rc<Callbacks>,
    pub kind: FunctionKind,
    pub behaviour: Behaviour,
    pub runs_left: Cell<u8>,
}

/// The state of an aggregate, which begins as zeros.
#[repr(C)]
struct Sum {
    sum: i64,
}

impl Connection<'_> {
    /// Registers a function; see [`crate::testcase::Operation::CreateFunction`].
    pub fn create_function(
        &self,
        kind: FunctionKind,
        arguments: u8,
        flags: u8,
        behaviour: &Behaviour,
    ) -> Code {
        let arguments = if arguments < 3 { c_int::from(arguments) } else { -1 };
        let options = options(flags, behaviour);
        let name = c_name(kind.name());
        if *behaviour == Behaviour::Removed {
            // SAFETY: the connection is open, the name a C string; without functions it is removed.
            return Code(unsafe {
                let none = ptr::null_mut();
                ffi::sqlite3_create_function_v2(
                    self.raw(),
                    name.as_ptr(),
                    arguments,
                    options,
                    none,
                    None,
                    None,
                    None,
                    None,
                )
            });
        }
        let function = Box::new(Function {
            callbacks: Rc::clone(self.callbacks()),
            kind,
            behaviour: behaviour.clone(),
            runs_left: Cell::new(RUNS_MAX),
        });
        let data = Box::into_raw(function).cast::<c_void>();
        let (db, name, destroy) =
            (self.raw(), name.as_ptr(), Some(destroy as unsafe extern "C" fn(*mut c_void)));
        // SAFETY: as above; SQLite destroys the data once, even if it fails.
        Code(unsafe {
            match kind {
                FunctionKind::Scalar => ffi::sqlite3_create_function_v2(
                    db,
                    name,
                    arguments,
                    options,
                    data,
                    Some(call),
                    None,
                    None,
                    destroy,
                ),
                FunctionKind::Aggregate => ffi::sqlite3_create_function_v2(
                    db,
                    name,
                    arguments,
                    options,
                    data,
                    None,
                    Some(step),
                    Some(finish),
                    destroy,
                ),
                FunctionKind::Window => ffi::sqlite3_create_window_function(
                    db,
                    name,
                    arguments,
                    options,
                    data,
                    Some(step),
                    Some(finish),
                    Some(value),
                    Some(inverse),
                    destroy,
                ),
            }
        })
    }

    /// Registers all functions and collations, so that a schema that uses them can be read and checked.
    pub fn know_plain_functions(&self) {
        for kind in FunctionKind::ALL {
            self.create_function(kind, u8::MAX, 0, &Behaviour::Plain);
        }
        for collation in Collation::ALL {
            self.create_collation(collation, false);
        }
    }
}

/// The encoding and the flags of a function. Only one without effects says that it is deterministic.
fn options(flags: u8, behaviour: &Behaviour) -> c_int {
    let mut options = if flags & 8 == 0 { ffi::SQLITE_UTF8 } else { ffi::SQLITE_UTF16 };
    let chosen = [ffi::SQLITE_DIRECTONLY, ffi::SQLITE_INNOCUOUS, ffi::SQLITE_SUBTYPE];
    let chosen = chosen.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1);
    chosen.for_each(|(_, option)| options |= option);
    match behaviour {
        Behaviour::Plain | Behaviour::Auxdata | Behaviour::Duplicate => options |= ffi::SQLITE_DETERMINISTIC,
        Behaviour::Subtype => options |= ffi::SQLITE_RESULT_SUBTYPE,
        _ => {}
    }
    options
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: it is from `create_function`, and used no more.
    drop(unsafe { Box::from_raw(data.cast::<Function>()) });
}

/// # Safety
/// `context` is that of a call of a function that is registered.
unsafe fn function<'a>(context: Context) -> &'a Function {
    // SAFETY: given; it is destroyed after all calls.
    unsafe { &*ffi::sqlite3_user_data(context).cast::<Function>() }
}

/// Fails as this says.
///
/// # Safety
/// `context` is that of the call.
unsafe fn fail(context: Context, failure: Failure) {
    // SAFETY: given; the text is a C string, which SQLite copies.
    unsafe {
        match failure {
            Failure::Message => ffi::sqlite3_result_error(context, c"as planned".as_ptr(), -1),
            Failure::NoMemory => ffi::sqlite3_result_error_nomem(context),
            Failure::TooBig => ffi::sqlite3_result_error_toobig(context),
            Failure::Abort => ffi::sqlite3_result_error_code(context, ffi::SQLITE_ABORT),
            Failure::Interrupt => ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERRUPT),
            Failure::Full => ffi::sqlite3_result_error_code(context, ffi::SQLITE_FULL),
        }
    }
}

/// Does what the function does beside returning something; false if it fails.
///
/// # Safety
/// The arguments are those of the call.
unsafe fn act(function: &Function, context: Context, count: c_int, values: Values) -> bool {
    // SAFETY: given; there are `count` values.
    unsafe {
        match &function.behaviour {
            Behaviour::Fails { failure, is_late } if !is_late || function.kind == FunctionKind::Scalar => {
                fail(context, *failure);
                return false;
            }
            Behaviour::Runs { statement, table } => {
                nested::run(function, ffi::sqlite3_context_db_handle(context), *statement, table);
            }
            Behaviour::Auxdata if function.kind == FunctionKind::Scalar => {
                for at in 0..count {
                    let known = ffi::sqlite3_get_auxdata(context, at).cast::<u32>();
                    let calls = if known.is_null() { 0 } else { *known + 1 };
                    function.callbacks.tell(&calls.to_le_bytes());
                    ffi::sqlite3_set_auxdata(
                        context,
                        at,
                        Box::into_raw(Box::new(calls)).cast(),
                        Some(forget),
                    );
                }
            }
            Behaviour::Pointer if count > 0 => {
                let pointer = ffi::sqlite3_value_pointer(*values, POINTER_TYPE.as_ptr()).cast::<u32>();
                let seen = if pointer.is_null() { 0 } else { pointer.read() };
                function.callbacks.tell(&seen.to_le_bytes());
            }
            Behaviour::Subtype if count > 0 => {
                function.callbacks.tell(&ffi::sqlite3_value_encoding(*values).to_le_bytes());
                function.callbacks.tell(&[u8::from(ffi::sqlite3_value_frombind(*values) != 0)]);
            }
            _ => {}
        }
    }
    true
}

unsafe extern "C" fn forget(data: *mut c_void) {
    // SAFETY: it is from `act`, and used no more.
    drop(unsafe { Box::from_raw(data.cast::<u32>()) });
}

unsafe extern "C" fn call(context: Context, count: c_int, values: Values) {
    // SAFETY: SQLite calls it with its context and `count` values.
    unsafe {
        let function = function(context);
        if !act(function, context, count, values) {
            return;
        }
        if function.behaviour == Behaviour::Pointer {
            let pointed = ptr::from_ref(&POINTED).cast_mut().cast();
            ffi::sqlite3_result_pointer(context, pointed, POINTER_TYPE.as_ptr(), None);
            return;
        }
        if count == 0 {
            ffi::sqlite3_result_null(context);
            return;
        }
        if function.behaviour == Behaviour::Duplicate {
            let copy = ffi::sqlite3_value_dup(*values);
            if copy.is_null() {
                ffi::sqlite3_result_error_nomem(context);
            } else {
                ffi::sqlite3_result_value(context, copy);
            }
            let mut told = Vec::new();
            add_value(copy, &mut told);
            function.callbacks.tell(&told);
            ffi::sqlite3_value_free(copy);
            return;
        }
        ffi::sqlite3_result_value(context, *values);
        if function.behaviour == Behaviour::Subtype {
            ffi::sqlite3_result_subtype(context, SUBTYPE);
        }
    }
}

/// Adds to the sum, or takes away from it.
///
/// # Safety
/// As for [`call`].
unsafe fn add(context: Context, count: c_int, values: Values, is_inverse: bool) {
    // SAFETY: given; an aggregate's memory has the size asked for, begins as zeros, and is aligned for all types.
    unsafe {
        if !is_inverse && !act(function(context), context, count, values) {
            return;
        }
        let sum = ffi::sqlite3_aggregate_context(context, mem::size_of::<Sum>() as c_int).cast::<Sum>();
        if sum.is_null() {
            ffi::sqlite3_result_error_nomem(context);
            return;
        }
        let value = if count == 0 { 1 } else { ffi::sqlite3_value_int64(*values) };
        let sum = &mut (*sum).sum;
        *sum = if is_inverse { sum.wrapping_sub(value) } else { sum.wrapping_add(value) };
    }
}

unsafe extern "C" fn step(context: Context, count: c_int, values: Values) {
    // SAFETY: SQLite calls it with its context and `count` values, here and below.
    unsafe { add(context, count, values, false) };
}

unsafe extern "C" fn inverse(context: Context, count: c_int, values: Values) {
    // SAFETY: as above.
    unsafe { add(context, count, values, true) };
}

unsafe extern "C" fn value(context: Context) {
    // SAFETY: as above; without memory there was no row.
    unsafe {
        let sum = ffi::sqlite3_aggregate_context(context, 0).cast::<Sum>();
        match function(context).behaviour {
            Behaviour::Fails { failure, is_late: true } => fail(context, failure),
            _ if sum.is_null() => ffi::sqlite3_result_int64(context, 0),
            _ => ffi::sqlite3_result_int64(context, (*sum).sum),
        }
    }
}

unsafe extern "C" fn finish(context: Context) {
    // SAFETY: as above.
    unsafe { value(context) };
}
