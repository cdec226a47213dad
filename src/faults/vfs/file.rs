//! The methods of an open file.

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;
use std::{ptr, slice};

use rusqlite::ffi;

use super::{Call, OpenFile, opened, opened_for};
use crate::dbfile::header;
use crate::faults::disk::{DiskError, LockLevel, ShmLock};
use crate::faults::machine::{DiskPlant, Machine};
use crate::testcase::{FileRole, IoError, IoOperation};

/// What a device must not claim: SQLite would assume that a file that it writes never changes.
const REFUSED_CHARACTERISTICS: c_int = ffi::SQLITE_IOCAP_IMMUTABLE;

/// How much of a file is mapped at most, in bytes: as much as the largest disk holds.
const MAPPED_BYTES_MAX: i64 = 64 << 20;
/// As SQLite's own VFS for Unix, a page is mapped only if so many bytes of the file follow it: SQLite may read a little past
/// the end of a damaged page.
const MAPPED_MARGIN_BYTES: i64 = 256;

pub(super) static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
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
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite's contract for the file methods, here and below.
    let (file, mut machine) = unsafe { opened_for(file, |file| Call::Close(file.role)) };
    let is_journal = matches!(file.role, FileRole::Journal | FileRole::Wal);
    if machine.plant != Some(DiskPlant::LeakedHandle) || !is_journal {
        let handle = file.handle;
        machine.with_locks(handle, |disk| disk.unlock(handle, LockLevel::Unlocked));
        machine.disk.close(handle);
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
        let (file, machine) = opened_for(file, |file| Call::Read(file.role, offset, count));
        (file, machine, slice::from_raw_parts_mut(out.cast::<u8>(), count as usize))
    };
    match machine.fails(IoOperation::Read, file.role) {
        Some(IoError::Short) => {
            let (first, rest) = out.split_at_mut(out.len() / 2);
            machine.disk.read(file.handle, offset as u64, first);
            rest.fill(0);
            return ffi::SQLITE_IOERR_SHORT_READ;
        }
        Some(_) => return ffi::SQLITE_IOERR_READ,
        None => {}
    }
    let got = machine.disk.read(file.handle, offset as u64, out);
    let is_page = file.role == FileRole::Database && count >= 512;
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
        let (file, machine) = opened_for(file, |file| Call::Write(file.role, offset, count));
        (file, machine, slice::from_raw_parts(data.cast::<u8>(), count as usize))
    };
    match machine.fails(IoOperation::Write, file.role) {
        Some(IoError::Short) => {
            let half = &data[..data.len() / 2];
            return match machine.disk.write(file.handle, offset as u64, half) {
                Ok(()) => ffi::SQLITE_IOERR_WRITE,
                Err(error) => result(Err(error)),
            };
        }
        Some(IoError::Full) => return ffi::SQLITE_FULL,
        Some(_) => return ffi::SQLITE_IOERR_WRITE,
        None => {}
    }
    let is_page = file.role == FileRole::Database;
    if is_page && machine.plant == Some(DiskPlant::LostWrites) {
        machine.page_operations += 1;
        if machine.page_operations.is_multiple_of(3) {
            return ffi::SQLITE_OK;
        }
    }
    if file.role == FileRole::Journal && machine.plant == Some(DiskPlant::DroppedJournal) {
        return ffi::SQLITE_OK;
    }
    machine.before_write(file.handle, file.role, offset as u64, data);
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
    let (file, mut machine) = unsafe { opened_for(file, |file| Call::Truncate(file.role, size)) };
    match machine.fails(IoOperation::Truncate, file.role) {
        Some(IoError::Full) => ffi::SQLITE_FULL,
        Some(_) => ffi::SQLITE_IOERR_TRUNCATE,
        None => {
            if let Some(name) = machine.disk.name(file.handle).map(<[u8]>::to_vec) {
                machine.before_loss(&name, file.role);
            }
            result(machine.disk.truncate(file.handle, size as u64))
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened_for(file, |file| Call::Sync(file.role)) };
    if machine.fails(IoOperation::Sync, file.role).is_some() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    match machine.plant {
        Some(DiskPlant::LyingSync) => {}
        Some(DiskPlant::LateSync) => machine.disk.sync_late(file.handle),
        _ => {
            machine.disk.sync(file.handle, file.syncs_names.take());
            machine.after_sync(file.handle, file.role);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        let (file, mut machine) = opened_for(file, |file| Call::FileSize(file.role));
        if machine.fails(IoOperation::FileSize, file.role).is_some() {
            return ffi::SQLITE_IOERR_FSTAT;
        }
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
    let (file, mut machine) = unsafe { opened_for(file, |_| Call::Lock(lock)) };
    match machine.fails(IoOperation::Lock, file.role) {
        Some(IoError::Busy) => ffi::SQLITE_BUSY,
        Some(_) => ffi::SQLITE_IOERR_LOCK,
        None if machine.plant == Some(DiskPlant::FreeFileLocks) => {
            machine.with_locks(file.handle, |disk| disk.lock_anyway(file.handle, level(lock)));
            ffi::SQLITE_OK
        }
        None => result(machine.with_locks(file.handle, |disk| disk.lock(file.handle, level(lock)))),
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, lock: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened_for(file, |_| Call::Unlock(lock)) };
    let kept =
        if machine.plant == Some(DiskPlant::KeptLocks) { LockLevel::Shared } else { LockLevel::Unlocked };
    machine.with_locks(file.handle, |disk| disk.unlock(file.handle, level(lock).max(kept)));
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        let (file, mut machine) = opened_for(file, |_| Call::CheckReservedLock);
        *out = 0;
        if machine.fails(IoOperation::CheckReservedLock, file.role).is_some() {
            return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
        }
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
        ffi::SQLITE_FCNTL_MMAP_SIZE => {
            // SAFETY: the argument of this operation points to a 64-bit integer: the limit, negative to ask for it.
            unsafe {
                let (file, _machine) = opened(file);
                let limit = argument.cast::<i64>();
                let before = file.mapped_bytes.get();
                if *limit >= 0 {
                    file.mapped_bytes.set((*limit).min(MAPPED_BYTES_MAX));
                }
                *limit = before;
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
        let (file, mut machine) = opened_for(file, |_| Call::ShmMap(region));
        *out = ptr::null_mut();
        let error = machine.fails(IoOperation::ShmMap, FileRole::SharedMemory);
        if error.is_some_and(|error| error != IoError::ReadOnly) {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        // Once it is read-only to a connection, it stays so: SQLite relies on that.
        let is_read_only = error.is_some() || file.has_read_only_shm.get();
        file.has_read_only_shm.set(is_read_only);
        let extend = if is_read_only { 0 } else { extend };
        let region = machine.disk.shm_map(file.handle, region as usize, bytes as usize, extend != 0);
        *out = region.map_or(ptr::null_mut(), <*mut u8>::cast);
        if is_read_only {
            return if region.is_some() { ffi::SQLITE_READONLY } else { ffi::SQLITE_READONLY_CANTINIT };
        }
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
    let call = |_: &OpenFile| match kind {
        ShmLock::Unlock => Call::ShmUnlock { first, count },
        kind => Call::ShmLock { first, count, is_exclusive: kind == ShmLock::Exclusive },
    };
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened_for(file, call) };
    if kind != ShmLock::Unlock {
        match machine.fails(IoOperation::ShmLock, FileRole::SharedMemory) {
            Some(IoError::Busy) => return ffi::SQLITE_BUSY,
            Some(_) => return ffi::SQLITE_IOERR_SHMLOCK,
            None => {}
        }
    }
    let (slots, handle) = ((first as usize, count as usize), file.handle);
    if machine.plant == Some(DiskPlant::FreeWriterLock) && first == 0 && kind != ShmLock::Unlock {
        machine.with_locks(handle, |disk| disk.shm_lock_anyway(handle, slots.0, slots.1));
        return ffi::SQLITE_OK;
    }
    let done = result(machine.with_locks(handle, |disk| disk.shm_lock(handle, slots.0, slots.1, kind)));
    if machine.checks_order() {
        check_index(file, &mut machine);
    }
    done
}

/// Looks into the wal-index (<https://sqlite.org/walformat.html#the_wal_index_file_format>) while nobody writes.
fn check_index(file: &OpenFile, machine: &mut Machine) {
    const IS_INITIALISED: usize = 12;
    const FRAMES: usize = 16;
    const BACKFILLED: usize = 96;
    let region = machine.disk.shm_map(file.handle, 0, BACKFILLED + 4, false);
    if let Some(region) = region.filter(|_| machine.disk.is_wal_at_rest(file.handle)) {
        // SAFETY: the region is as long as was asked for, aligned for words, and nobody writes to it meanwhile.
        let (is_initialised, frames, backfilled) = unsafe {
            let number = |at: usize| region.add(at).cast::<u32>().read_volatile();
            (*region.add(IS_INITIALISED) != 0, number(FRAMES), number(BACKFILLED))
        };
        if is_initialised {
            machine.frames(backfilled, frames);
        }
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `close`.
    drop(unsafe { opened_for(file, |_| Call::ShmBarrier) });
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: as in `close`.
    let (file, mut machine) = unsafe { opened_for(file, |_| Call::ShmUnmap) };
    machine.with_locks(file.handle, |disk| disk.shm_unmap(file.handle));
    ffi::SQLITE_OK
}

unsafe extern "C" fn fetch(
    file: *mut ffi::sqlite3_file,
    offset: i64,
    count: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes a pointer to the result.
    unsafe {
        *out = ptr::null_mut();
        let limit = (*file.cast::<OpenFile>()).mapped_bytes.get();
        if limit == 0 {
            return ffi::SQLITE_OK;
        }
        let (file, mut machine) = opened_for(file, |_| Call::Fetch(offset, count));
        let end = offset.saturating_add(count.into()).saturating_add(MAPPED_MARGIN_BYTES);
        if end <= limit.min(machine.disk.size(file.handle) as i64) {
            *out = machine.disk.fetch(file.handle, offset as usize).cast();
        }
    }
    ffi::SQLITE_OK
}

/// What was fetched stays in place as long as the file is open, so there is nothing to do. SQLite also calls it with a null
/// pointer when a checkpoint has seen that another connection has written.
unsafe extern "C" fn unfetch(file: *mut ffi::sqlite3_file, offset: i64, _part: *mut c_void) -> c_int {
    // SAFETY: as in `close`.
    drop(unsafe { opened_for(file, |_| Call::Unfetch(offset)) });
    ffi::SQLITE_OK
}
