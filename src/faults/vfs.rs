//! The `sqlite3_vfs` over a [`Disk`] (<https://sqlite.org/vfs.html>).
//!
//! Everything that could differ from run to run is fixed: the clock stands still unless a case moves it on, sleeping takes
//! no time, randomness is seeded. No call reaches the host.
//!
//! # Invariants of the unsafe code
//! * `pAppData` of the registered `sqlite3_vfs` points to the `Shared` of its [`Vfs`], which lives
//!   until the VFS is unregistered; a [`Vfs`] outlives its connections (they borrow it).
//! * SQLite hands a `sqlite3_file` to `xOpen` uninitialised with `szOsFile` bytes, and to the other
//!   methods only after `xOpen` set its methods, until `xClose`.
//! * Nothing here calls back into SQLite, so the lock is never taken twice; panics abort at the
//!   `extern "C"` boundary.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{mem, ptr, slice};

use rusqlite::ffi;

use super::disk::{Disk, DiskError, HandleId, LockLevel, OpenMode};
use super::shm::ShmLock;
use crate::dbfile::header;

/// Longest path in bytes.
const PATH_BYTES_MAX: c_int = 512;
/// The clock at the start of a case: 2001-09-09 01:46:40 UTC, as milliseconds since the Julian epoch.
pub const CLOCK_JULIAN_MS: i64 = 210_866_760_000_000 + 1_000_000_000_000;
/// What a device must not claim: SQLite would assume that a file that it writes never changes.
const REFUSED_CHARACTERISTICS: c_int = ffi::SQLITE_IOCAP_IMMUTABLE;

/// The disk, and the properties that SQLite asks for.
#[derive(Debug)]
pub struct Machine {
    /// Files, locks, shared memory.
    pub disk: Disk,
    /// Sector size in bytes.
    pub sector_bytes: u32,
    /// `SQLITE_IOCAP_` flags.
    pub characteristics: u32,
    /// Milliseconds since the start of the case: what [`CLOCK_JULIAN_MS`] is behind.
    pub elapsed_ms: i64,
    /// Source of `xRandomness`.
    pub random: fastrand::Rng,
    /// A planted bug, so that a check can be seen to fail; set only in self-tests.
    pub plant: Option<DiskPlant>,
    /// Database pages read or written so far, for `plant`.
    page_operations: u32,
}

/// Bugs that a disk can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskPlant {
    /// Every third page written to a database is lost.
    LostWrites,
    /// The freelist is missing from the first page when that is written.
    LostFreelist,
    /// After three reads, a database page reads with its first byte changed.
    WrongReads,
    /// Closing a journal leaves its handle open.
    LeakedHandle,
}

impl Machine {
    /// A machine with an empty disk of `disk_bytes`.
    pub fn new(disk_bytes: usize) -> Self {
        Self {
            disk: Disk::new(disk_bytes),
            sector_bytes: 4096,
            characteristics: 0,
            elapsed_ms: 0,
            random: fastrand::Rng::with_seed(1),
            plant: None,
            page_operations: 0,
        }
    }
}

/// What the callbacks and [`Vfs`] share.
struct Shared {
    machine: Mutex<Machine>,
}

impl Shared {
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
        let shared = Box::new(Shared { machine: Mutex::new(Machine::new(0)) });
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

static FILE_METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Our part of SQLite's `sqlite3_file`.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    shared: *const Shared,
    handle: HandleId,
    flags: c_int,
}

/// The [`Shared`] of a VFS.
///
/// # Safety
/// `vfs` is one that [`Vfs::register`] registered.
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    // SAFETY: see the invariants of the module.
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
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

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let mode = OpenMode {
        create: flags & ffi::SQLITE_OPEN_CREATE != 0,
        exclusive: flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
        delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
    };
    // SAFETY: SQLite's contract for xOpen; on failure the methods stay null and xClose is not called.
    unsafe {
        (*file).pMethods = ptr::null();
        let shared = shared(vfs);
        match shared.machine().disk.open(path(name), mode) {
            Ok(handle) => {
                let base = ffi::sqlite3_file { pMethods: &FILE_METHODS };
                file.cast::<OpenFile>().write(OpenFile { base, shared, handle, flags });
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
                ffi::SQLITE_OK
            }
            Err(_) => ffi::SQLITE_CANTOPEN,
        }
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _sync_dir: c_int) -> c_int {
    // SAFETY: SQLite's contract for xDelete.
    let (shared, name) = unsafe { (shared(vfs), path(name)) };
    match shared.machine().disk.delete(name.unwrap_or_default()) {
        Ok(()) => ffi::SQLITE_OK,
        Err(_) => ffi::SQLITE_IOERR_DELETE_NOENT,
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's contract for xAccess.
    unsafe { *out = c_int::from(shared(vfs).machine().disk.exists(path(name).unwrap_or_default())) };
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

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
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

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite's contract for the file methods, here and below.
    let (file, mut machine) = unsafe { opened(file) };
    let journal = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL;
    if machine.plant != Some(DiskPlant::LeakedHandle) || file.flags & journal == 0 {
        machine.disk.close(file.handle);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `out` has `count` bytes.
    let (file, mut machine, out) = unsafe {
        let (file, machine) = opened(file);
        (file, machine, slice::from_raw_parts_mut(out.cast::<u8>(), count as usize))
    };
    let got = machine.disk.read(file.handle, offset as u64, out);
    let is_page = file.flags & ffi::SQLITE_OPEN_MAIN_DB != 0 && count >= 512;
    if is_page && machine.plant == Some(DiskPlant::WrongReads) {
        machine.page_operations += 1;
        if machine.page_operations > 3 {
            out[0] ^= 0x40;
        }
    }
    if got == out.len() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `data` has `count` bytes.
    let (file, mut machine, data) = unsafe {
        let (file, machine) = opened(file);
        (file, machine, slice::from_raw_parts(data.cast::<u8>(), count as usize))
    };
    let is_page = file.flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
    if is_page && machine.plant == Some(DiskPlant::LostWrites) {
        machine.page_operations += 1;
        if machine.page_operations.is_multiple_of(3) {
            return ffi::SQLITE_OK;
        }
    }
    let done = machine.disk.write(file.handle, offset as u64, data);
    if is_page && offset == 0 && machine.plant == Some(DiskPlant::LostFreelist) {
        let end = header::FREELIST_COUNT.at + header::FREELIST_COUNT.width;
        let none = [0; 8];
        return result(done.and_then(|()| machine.disk.write(file.handle, end as u64 - 8, &none)));
    }
    result(done)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened(file) };
    result(machine.disk.truncate(file.handle, size as u64))
}

unsafe extern "C" fn sync(_file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        let (file, machine) = opened(file);
        *out = machine.disk.size(file.handle) as i64;
    }
    ffi::SQLITE_OK
}

fn level(lock: c_int) -> LockLevel {
    match lock {
        ffi::SQLITE_LOCK_NONE => LockLevel::Unlocked,
        ffi::SQLITE_LOCK_SHARED => LockLevel::Shared,
        ffi::SQLITE_LOCK_RESERVED => LockLevel::Reserved,
        ffi::SQLITE_LOCK_PENDING => LockLevel::Pending,
        _ => LockLevel::Exclusive,
    }
}

fn result(result: Result<(), DiskError>) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(DiskError::Busy) => ffi::SQLITE_BUSY,
        Err(DiskError::Full) => ffi::SQLITE_FULL,
        Err(_) => ffi::SQLITE_IOERR,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, lock: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened(file) };
    result(machine.disk.lock(file.handle, level(lock)))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, lock: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened(file) };
    machine.disk.unlock(file.handle, level(lock));
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        let (file, machine) = opened(file);
        *out = c_int::from(machine.disk.is_reserved(file.handle));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    match operation {
        ffi::SQLITE_FCNTL_LOCKSTATE => {
            // SAFETY: the argument of this operation points to an int.
            unsafe {
                let (file, machine) = opened(file);
                *argument.cast::<c_int>() = machine.disk.lock_level(file.handle) as c_int;
            }
            ffi::SQLITE_OK
        }
        _ => ffi::SQLITE_NOTFOUND,
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as in `close`.
    unsafe { opened(file) }.1.sector_bytes as c_int
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as in `close`.
    unsafe { opened(file) }.1.characteristics as c_int & !REFUSED_CHARACTERISTICS
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        let (file, mut machine) = opened(file);
        let region = machine.disk.shm_map(file.handle, region as usize, bytes as usize, extend != 0);
        *out = region.map_or(ptr::null_mut(), <*mut u8>::cast);
        if extend != 0 && region.is_none() {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    let kind = if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        ShmLock::Unlock
    } else if flags & ffi::SQLITE_SHM_EXCLUSIVE != 0 {
        ShmLock::Exclusive
    } else {
        ShmLock::Shared
    };
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened(file) };
    result(machine.disk.shm_lock(file.handle, first as usize, count as usize, kind))
}

unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened(file) };
    machine.disk.shm_unmap(file.handle);
    ffi::SQLITE_OK
}
