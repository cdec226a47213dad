//! The `sqlite3_vfs` over a [`Machine`] (<https://sqlite.org/vfs.html>).
//!
//! Everything that could differ from run to run is fixed: the clock stands still unless a case moves it on, sleeping takes
//! no time, randomness is seeded. No call reaches the host.
//!
//! # Invariants of the unsafe code
//! * `pAppData` of the registered `sqlite3_vfs` points to the `Shared` of its [`Vfs`], which lives
//!   until the VFS is unregistered; a [`Vfs`] outlives its connections (they borrow it).
//! * SQLite hands a `sqlite3_file` to `xOpen` uninitialised with `szOsFile` bytes, and to the other
//!   methods only after `xOpen` set its methods, until `xClose`.
//! * Nothing here calls back into SQLite while it holds the lock, so that is never taken twice (another connection may
//!   run before a call is made, but not during it); panics abort at the `extern "C"` boundary.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{mem, ptr, slice};

use rusqlite::ffi;

mod call;
mod file;

pub use call::Call;

use super::alloc;
use super::disk::{HandleId, OpenMode};
use super::machine::{DiskPlant, Machine};
use crate::testcase::{FileRole, IoError, IoOperation};

/// Longest path in bytes.
const PATH_BYTES_MAX: c_int = 512;
/// The clock at the start of a case: 2001-09-09 01:46:40 UTC, as milliseconds since the Julian epoch.
pub const CLOCK_JULIAN_MS: i64 = 210_866_760_000_000 + 1_000_000_000_000;
/// Called before a [`Call`]; it returns when the caller may go on.
pub type OnCall = dyn Fn(Call);

/// What the callbacks and [`Vfs`] share.
struct Shared {
    machine: Mutex<Machine>,
    on_call: RefCell<Option<Rc<OnCall>>>,
    /// Whether `on_call` is called.
    is_heard: Cell<bool>,
}

impl Shared {
    /// Says what comes next. Nothing is locked meanwhile: others may use the machine before this returns.
    fn announce(&self, call: Call) {
        if !self.is_heard.get() {
            return;
        }
        if let Some(on_call) = self.on_call.borrow().clone() {
            // Others may do things meanwhile to which no fault is to happen.
            let armed = (self.machine().is_armed(), alloc::arm(false));
            on_call(call);
            self.machine().arm(armed.0);
            alloc::arm(armed.1);
            self.is_heard.set(true);
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // A panic under the lock aborts the process, so the lock is never seen poisoned.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A VFS registered with SQLite, with a disk of its own, until it is dropped.
pub struct Vfs {
    registered: Box<ffi::sqlite3_vfs>,
    shared: Box<Shared>,
    name: CString,
    /// The VFS between connections and this one, by name.
    above: Option<CString>,
}

impl Vfs {
    /// Registers a VFS. As the default VFS it also seeds SQLite's random numbers and serves URIs without `vfs=`.
    pub fn register(is_default: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tandem-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name = CString::new(name).expect("no NUL in a number");
        let shared = Box::new(Shared {
            machine: Mutex::new(Machine::new(0)),
            on_call: RefCell::default(),
            is_heard: Cell::new(false),
        });
        let mut registered = Box::new(methods());
        registered.zName = name.as_ptr();
        registered.pAppData = ptr::from_ref(&*shared).cast_mut().cast();
        // SAFETY: name, methods and data are on the heap and stay there until `drop` unregisters them.
        let code = unsafe { ffi::sqlite3_vfs_register(&mut *registered, c_int::from(is_default)) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite is initialised and registers any VFS");
        Self { registered, shared, name, above: None }
    }

    /// The name of the VFS that connections use: this one, or another on top of it.
    pub fn name(&self) -> &CStr {
        self.above.as_deref().unwrap_or(&self.name)
    }

    /// Lets connections open files through the VFS `name`, which must be registered and on top of this one, like
    /// SQLite's shims: it passes on what it does not do itself to the default VFS at the time of its creation.
    ///
    /// # Errors
    /// There is no VFS of that name.
    pub fn open_through(&mut self, name: &str) -> Result<(), String> {
        let missing = || format!("no VFS is registered as `{name}`");
        let name = CString::new(name).map_err(|_| missing())?;
        // SAFETY: a C string; SQLite compares it with those of its list.
        if unsafe { ffi::sqlite3_vfs_find(name.as_ptr()) }.is_null() {
            return Err(missing());
        }
        self.above = Some(name);
        Ok(())
    }

    /// Replaces the machine and returns the old one. No connection may be open.
    pub fn install(&self, machine: Machine) -> Machine {
        mem::replace(&mut *self.shared.machine(), machine)
    }

    /// Sets who is told of each call before it is made, while calls are [heard](Self::hear).
    pub fn set_on_call(&self, on_call: Option<Rc<OnCall>>) {
        self.shared.on_call.replace(on_call);
    }

    /// Begins or ceases to tell of calls; returns whether they were told of before.
    pub fn hear(&self, is_heard: bool) -> bool {
        self.shared.is_heard.replace(is_heard)
    }

    /// The machine.
    pub fn machine(&self) -> impl std::ops::DerefMut<Target = Machine> + '_ {
        self.shared.machine()
    }
}

impl Drop for Vfs {
    fn drop(&mut self) {
        // SAFETY: it was registered in `register`, and connections borrow `self`.
        unsafe { ffi::sqlite3_vfs_unregister(&mut *self.registered) };
    }
}

fn methods() -> ffi::sqlite3_vfs {
    // SAFETY: all fields are numbers, raw pointers and optional functions: zero is valid for each.
    let empty: ffi::sqlite3_vfs = unsafe { mem::zeroed() };
    ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: mem::size_of::<OpenFile>() as c_int,
        mxPathname: PATH_BYTES_MAX,
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xCurrentTime: Some(current_time),
        ..empty
    }
}

/// Our part of SQLite's `sqlite3_file`.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    shared: *const Shared,
    handle: HandleId,
    flags: c_int,
    role: FileRole,
    /// Whether the next sync makes names durable as well: a journal's does, as on Unix, the first time.
    syncs_names: Cell<bool>,
    /// Whether a planned fault made the shared memory read-only.
    has_read_only_shm: Cell<bool>,
    /// How much of the file may be mapped, in bytes from its beginning.
    mapped_bytes: Cell<i64>,
}

/// The [`Shared`] of a VFS.
///
/// # Safety
/// `vfs` is one that [`Vfs::register`] registered.
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    // SAFETY: see the invariants of the module.
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
}

/// The file and its machine, after it was told that `call` comes. What is done to a temporary file, no other connection
/// can notice.
///
/// # Safety
/// `file` was opened by [`open`].
unsafe fn opened_for<'a>(
    file: *mut ffi::sqlite3_file,
    call: impl FnOnce(&OpenFile) -> Call,
) -> (&'a OpenFile, MutexGuard<'a, Machine>) {
    // SAFETY: see the invariants of the module.
    unsafe {
        let open = &*file.cast::<OpenFile>();
        if open.role != FileRole::Temporary {
            (*open.shared).announce(call(open));
        }
        opened(file)
    }
}

/// The file and its machine.
///
/// # Safety
/// `file` was opened by [`open`].
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> (&'a OpenFile, MutexGuard<'a, Machine>) {
    // SAFETY: see the invariants of the module.
    unsafe {
        let file = &*file.cast::<OpenFile>();
        (file, (*file.shared).machine())
    }
}

/// A path as bytes; `None` for a null pointer.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn path<'a>(path: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: given.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_bytes())
}

/// What SQLite uses a file for that it opens with these flags.
fn role(flags: c_int) -> FileRole {
    match flags {
        _ if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => FileRole::Database,
        _ if flags & ffi::SQLITE_OPEN_MAIN_JOURNAL != 0 => FileRole::Journal,
        _ if flags & ffi::SQLITE_OPEN_WAL != 0 => FileRole::Wal,
        _ if flags & ffi::SQLITE_OPEN_SUPER_JOURNAL != 0 => FileRole::SuperJournal,
        _ => FileRole::Temporary,
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    mut flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let mode = OpenMode {
        create: flags & ffi::SQLITE_OPEN_CREATE != 0,
        exclusive: flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
        delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
    };
    let role = role(flags);
    // SAFETY: SQLite's contract for xOpen; on failure the methods stay null and xClose is not called.
    unsafe {
        (*file).pMethods = ptr::null();
        let shared = shared(vfs);
        if role != FileRole::Temporary {
            shared.announce(Call::Open(role));
        }
        let mut machine = shared.machine();
        let name = path(name);
        match machine.fails(IoOperation::Open, role) {
            Some(IoError::ReadOnly) if role == FileRole::Database => {
                let exists = name.is_some_and(|name| machine.disk.exists(name));
                if !exists {
                    return ffi::SQLITE_CANTOPEN;
                }
                flags = flags & !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE)
                    | ffi::SQLITE_OPEN_READONLY;
            }
            Some(_) => return ffi::SQLITE_CANTOPEN,
            None => {}
        }
        let Ok(handle) = machine.disk.open(name, mode) else {
            return ffi::SQLITE_CANTOPEN;
        };
        let is_journal = matches!(role, FileRole::Journal | FileRole::Wal | FileRole::SuperJournal);
        let (syncs_names, has_read_only_shm) = (Cell::new(is_journal && mode.create), Cell::new(false));
        let mapped_bytes = Cell::new(0);
        let base = ffi::sqlite3_file { pMethods: &file::METHODS };
        file.cast::<OpenFile>().write(OpenFile {
            base,
            shared,
            handle,
            flags,
            role,
            syncs_names,
            has_read_only_shm,
            mapped_bytes,
        });
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: SQLite's contract for xDelete.
    let (shared, name) = unsafe { (shared(vfs), path(name).unwrap_or_default()) };
    shared.announce(Call::Delete(FileRole::of_name(name)));
    let mut machine = shared.machine();
    if machine.fails(IoOperation::Delete, FileRole::of_name(name)).is_some() {
        return ffi::SQLITE_IOERR_DELETE;
    }
    machine.before_loss(name, FileRole::of_name(name));
    if machine.disk.delete(name).is_err() {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    if machine.plant == Some(DiskPlant::GreedyDelete)
        && let Some(first) = machine.disk.named_files().first().map(|(name, _)| name.to_vec())
    {
        machine.disk.delete(&first).ok();
    }
    if sync_dir != 0 {
        machine.disk.sync_names();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's contract for xAccess.
    unsafe {
        let shared = shared(vfs);
        let name = path(name).unwrap_or_default();
        shared.announce(Call::Access(FileRole::of_name(name)));
        let mut machine = shared.machine();
        *out = 0;
        if machine.fails(IoOperation::Access, FileRole::of_name(name)).is_some() {
            return ffi::SQLITE_IOERR_ACCESS;
        }
        *out = c_int::from(machine.disk.exists(name));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: `out` has `room` bytes; the name is copied with its NUL only if it fits.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > room as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        out.copy_from_nonoverlapping(name.as_ptr().cast(), name.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    // SAFETY: `out` has `count` bytes.
    unsafe {
        let out = slice::from_raw_parts_mut(out.cast::<u8>(), count as usize);
        shared(vfs).machine().random.fill(out);
    }
    count
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: SQLite's contract for xSleep.
    unsafe { shared(vfs) }.announce(Call::Sleep);
    microseconds
}

unsafe extern "C" fn last_error(_vfs: *mut ffi::sqlite3_vfs, _room: c_int, _out: *mut c_char) -> c_int {
    0
}

unsafe extern "C" fn current_time_ms(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a place for the result.
    unsafe { *out = CLOCK_JULIAN_MS + shared(vfs).machine().elapsed_ms };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: as above.
    unsafe { *out = (CLOCK_JULIAN_MS + shared(vfs).machine().elapsed_ms) as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}
