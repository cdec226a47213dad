//! An in-memory disk: named and temporary files, file locks, shared memory for WAL.
//!
//! # Invariants
//! * A file lives as long as it has a name or an open handle, as on a Unix file system.
//! * Locks follow <https://sqlite.org/lockingv3.html>: many SHARED, one RESERVED beside them, PENDING
//!   keeps new SHARED locks out, EXCLUSIVE is alone.
//! * All files together hold at most [`Disk::new`]'s limit of bytes; a write beyond it fails entirely.

pub mod log;
mod shm;

use self::log::{Entry, Log, Serial};
use self::shm::Shm;

pub use self::shm::ShmLock;

/// Names a file's place in [`Disk`].
type FileId = usize;
/// Names an open handle.
pub type HandleId = usize;

/// How many handles may be open; SQLite needs three or four per database.
const HANDLES_MAX: usize = 64;

/// Lock of a handle on its file, in the order of <https://sqlite.org/lockingv3.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LockLevel {
    Unlocked,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// Why an operation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    /// No such file, and none was to be created.
    NotFound,
    /// The file exists, but was to be created.
    Exists,
    /// The disk is full.
    Full,
    /// Another handle holds a lock.
    Busy,
    /// Too many open handles.
    TooManyHandles,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenMode {
    /// Create the file if there is none.
    pub create: bool,
    /// Fail if there is one.
    pub exclusive: bool,
    /// Delete the file with the handle.
    pub delete_on_close: bool,
}

#[derive(Debug, Default)]
struct File {
    name: Option<Box<[u8]>>,
    data: Vec<u8>,
    handles: usize,
    shm: Shm,
    /// Its number in the log, if it is in it.
    serial: Option<Serial>,
}

#[derive(Debug)]
struct Handle {
    file: FileId,
    lock: LockLevel,
    delete_on_close: bool,
}

/// An in-memory disk.
#[derive(Debug)]
pub struct Disk {
    files: Vec<Option<File>>,
    handles: Vec<Option<Handle>>,
    used_bytes: usize,
    bytes_max: usize,
    was_full: bool,
    log: Option<Log>,
}

impl Disk {
    /// An empty disk of `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { files: Vec::new(), handles: Vec::new(), used_bytes: 0, bytes_max, was_full: false, log: None }
    }

    /// Logs what is done to files with names from now on.
    pub fn start_log(&mut self) {
        self.log = Some(Log::new(self.named_files()));
        let mut named: Vec<&mut File> =
            self.files.iter_mut().flatten().filter(|file| file.name.is_some()).collect();
        named.sort_by(|a, b| a.name.cmp(&b.name));
        for (serial, file) in named.into_iter().enumerate() {
            file.serial = Some(serial as Serial);
        }
    }

    /// The log, if there is one.
    pub fn log(&mut self) -> Option<&mut Log> {
        self.log.as_mut()
    }

    /// Ends the log and returns it.
    pub fn take_log(&mut self) -> Option<Log> {
        self.log.take()
    }

    /// Creates the file `name` or replaces its content.
    ///
    /// # Errors
    /// [`DiskError::Full`].
    pub fn put(&mut self, name: &[u8], content: &[u8]) -> Result<(), DiskError> {
        let id = self.find(name).unwrap_or_else(|| self.create(Some(name)));
        self.resize(id, content.len())?;
        self.file_mut(id).data.copy_from_slice(content);
        Ok(())
    }

    /// The content of the file `name`.
    pub fn content(&self, name: &[u8]) -> Option<&[u8]> {
        Some(self.file(self.find(name)?).data.as_slice())
    }

    /// All files with names, sorted by name.
    pub fn named_files(&self) -> Vec<(&[u8], &[u8])> {
        let named = self.files.iter().flatten().filter_map(|file| {
            let name = file.name.as_deref()?;
            Some((name, file.data.as_slice()))
        });
        let mut files: Vec<_> = named.collect();
        files.sort_unstable();
        files
    }

    /// Puts the files of another disk in place of the ones with names; those that are still open live on without.
    pub fn replace_named(&mut self, files: &[(Vec<u8>, Vec<u8>)]) {
        if let Some(log) = &mut self.log {
            log.cut();
        }
        let names: Vec<Vec<u8>> = self.named_files().into_iter().map(|(name, _)| name.to_vec()).collect();
        for name in names {
            self.delete(&name).expect("the file is there");
        }
        for (name, content) in files {
            // What an open file still takes may be lacking.
            _ = self.put(name, content);
        }
    }

    /// The name of the file of a handle, if it has one still.
    pub fn name(&self, handle: HandleId) -> Option<&[u8]> {
        self.opened(handle).name.as_deref()
    }

    /// Number of open handles.
    pub fn open_handles(&self) -> usize {
        self.handles.iter().flatten().count()
    }

    /// Whether a write ever failed for lack of space.
    pub fn was_full(&self) -> bool {
        self.was_full
    }

    /// Opens a file; without a name, a new temporary one.
    ///
    /// # Errors
    /// [`DiskError::NotFound`], [`DiskError::Exists`], [`DiskError::TooManyHandles`].
    pub fn open(&mut self, name: Option<&[u8]>, mode: OpenMode) -> Result<HandleId, DiskError> {
        if self.open_handles() >= HANDLES_MAX {
            return Err(DiskError::TooManyHandles);
        }
        let file = match name.and_then(|name| self.find(name)) {
            Some(_) if mode.exclusive => return Err(DiskError::Exists),
            Some(file) => file,
            None if mode.create || name.is_none() => self.create_logged(name, mode),
            None => return Err(DiskError::NotFound),
        };
        self.file_mut(file).handles += 1;
        let handle = Handle { file, lock: LockLevel::Unlocked, delete_on_close: mode.delete_on_close };
        Ok(insert(&mut self.handles, handle))
    }

    /// Closes a handle, along with its locks and its shared memory.
    pub fn close(&mut self, handle: HandleId) {
        self.shm_unmap(handle);
        let Some(Handle { file, delete_on_close, .. }) = self.handles[handle].take() else {
            return;
        };
        let node = self.file_mut(file);
        node.handles -= 1;
        if delete_on_close && node.name.take().is_some() {
            self.note_deleted(file);
        }
        self.drop_if_unused(file);
    }

    /// True if there is a file of this name.
    pub fn exists(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Removes a name; the file is deleted with its last handle.
    ///
    /// # Errors
    /// [`DiskError::NotFound`].
    pub fn delete(&mut self, name: &[u8]) -> Result<(), DiskError> {
        let file = self.find(name).ok_or(DiskError::NotFound)?;
        self.file_mut(file).name = None;
        self.note_deleted(file);
        self.drop_if_unused(file);
        Ok(())
    }

    /// Makes what was written to the file durable, and all names if `with_names`. Without a log, that is all the same.
    pub fn sync(&mut self, handle: HandleId, with_names: bool) {
        self.note(handle, |file| Entry::Sync { file });
        if with_names {
            self.sync_names();
        }
    }

    /// As [`Disk::sync`], but for the last write: see [`crate::faults::machine::DiskPlant::LateSync`].
    pub(super) fn sync_late(&mut self, handle: HandleId) {
        if let (Some(file), Some(log)) = (self.opened(handle).serial, &mut self.log) {
            log.sync_late(file);
        }
    }

    /// Makes all names durable.
    pub fn sync_names(&mut self) {
        if let Some(log) = &mut self.log {
            log.push(Entry::SyncDirectory);
        }
    }

    /// Reads into `out`; what is past the end of the file reads as zeros. Returns the number of bytes that were there.
    pub fn read(&self, handle: HandleId, offset: u64, out: &mut [u8]) -> usize {
        let data = &self.opened(handle).data;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let count = out.len().min(data.len() - start);
        out[..count].copy_from_slice(&data[start..start + count]);
        out[count..].fill(0);
        count
    }

    /// Where the content of the file is in memory, from this offset on, which must be within it. It stays there as long as
    /// the file is open, however the file grows.
    pub fn fetch(&mut self, handle: HandleId, offset: usize) -> *mut u8 {
        let room = self.bytes_max;
        let file = self.file_of(handle);
        let data = &mut self.file_mut(file).data;
        // No file is larger than the disk: from here on, nothing moves it.
        data.reserve_exact(room.saturating_sub(data.len()));
        data[offset..].as_mut_ptr()
    }

    /// Writes `bytes`; a gap after the old end is filled with zeros.
    ///
    /// # Errors
    /// [`DiskError::Full`].
    pub fn write(&mut self, handle: HandleId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let file = self.file_of(handle);
        let start = usize::try_from(offset).map_err(|_| DiskError::Full)?;
        let end = start.checked_add(bytes.len()).ok_or(DiskError::Full)?;
        if end > self.file(file).data.len() {
            self.resize(file, end)?;
        }
        let node = self.file_mut(file);
        node.data[start..end].copy_from_slice(bytes);
        if let (Some(serial), Some(log)) = (node.serial, &mut self.log) {
            log.write(serial, offset, bytes);
        }
        Ok(())
    }

    /// Flips a bit of the file `name`, counted modulo its size; false if there is no such file, or nothing in it.
    pub fn flip_bit(&mut self, name: &[u8], bit: u64) -> bool {
        let Some(id) = self.find(name) else {
            return false;
        };
        let data = &mut self.file_mut(id).data;
        let Some(at) = (bit / 8).checked_rem(data.len() as u64) else {
            return false;
        };
        data[at as usize] ^= 1 << (bit % 8);
        // The log would not know of it.
        if let Some(log) = &mut self.log {
            log.cut();
        }
        true
    }

    /// Sets the size of the file.
    ///
    /// # Errors
    /// [`DiskError::Full`].
    pub fn truncate(&mut self, handle: HandleId, size: u64) -> Result<(), DiskError> {
        let size = usize::try_from(size).map_err(|_| DiskError::Full)?;
        self.resize(self.file_of(handle), size)?;
        self.note(handle, |file| Entry::Truncate { file, size: size as u64 });
        Ok(())
    }

    /// Size of the file in bytes.
    pub fn size(&self, handle: HandleId) -> u64 {
        self.opened(handle).data.len() as u64
    }

    /// The lock that the handle holds.
    pub fn lock_level(&self, handle: HandleId) -> LockLevel {
        self.handles[handle].as_ref().map_or(LockLevel::Unlocked, |handle| handle.lock)
    }

    /// Raises the lock of a handle. If EXCLUSIVE is requested while others read, the handle holds PENDING.
    ///
    /// # Errors
    /// [`DiskError::Busy`].
    pub fn lock(&mut self, handle: HandleId, level: LockLevel) -> Result<(), DiskError> {
        let held = self.lock_level(handle);
        if held >= level {
            return Ok(());
        }
        let others = self.highest_other_lock(handle);
        let allowed = match level {
            LockLevel::Shared => others < LockLevel::Pending,
            _ => others < LockLevel::Reserved,
        };
        if !allowed {
            return Err(DiskError::Busy);
        }
        let is_waiting = level == LockLevel::Exclusive && others >= LockLevel::Shared;
        self.set_lock(handle, if is_waiting { LockLevel::Pending } else { level });
        if is_waiting { Err(DiskError::Busy) } else { Ok(()) }
    }

    /// Raises the lock of a handle, whoever else has one: for a planted bug.
    pub(super) fn lock_anyway(&mut self, handle: HandleId, level: LockLevel) {
        self.set_lock(handle, self.lock_level(handle).max(level));
    }

    /// Lowers the lock of a handle.
    pub fn unlock(&mut self, handle: HandleId, level: LockLevel) {
        if self.lock_level(handle) > level {
            self.set_lock(handle, level);
        }
    }

    /// True if any handle on the file holds RESERVED or more.
    pub fn is_reserved(&self, handle: HandleId) -> bool {
        self.highest_other_lock(handle).max(self.lock_level(handle)) >= LockLevel::Reserved
    }

    /// The shared-memory region `index` of the file, of `bytes` bytes; `None` if it does not exist and is not to be
    /// created. The memory stays in place until the last handle releases it.
    pub fn shm_map(&mut self, handle: HandleId, index: usize, bytes: usize, extend: bool) -> Option<*mut u8> {
        let file = self.file_of(handle);
        self.file_mut(file).shm.map(handle, index, bytes, extend)
    }

    /// Locks or unlocks the slots `first..first + count` of the shared memory.
    ///
    /// # Errors
    /// [`DiskError::Busy`].
    pub fn shm_lock(
        &mut self,
        handle: HandleId,
        first: usize,
        count: usize,
        lock: ShmLock,
    ) -> Result<(), DiskError> {
        let file = self.file_of(handle);
        let done = self.file_mut(file).shm.lock(handle, first, count, lock);
        if done { Ok(()) } else { Err(DiskError::Busy) }
    }

    /// Locks slots exclusively, whoever else has them: for a planted bug.
    pub(super) fn shm_lock_anyway(&mut self, handle: HandleId, first: usize, count: usize) {
        let file = self.file_of(handle);
        self.file_mut(file).shm.lock_anyway(handle, first, count);
    }

    /// Whether nobody writes or recovers the WAL: nobody holds the locks for that.
    pub fn is_wal_at_rest(&self, handle: HandleId) -> bool {
        const WRITE_AND_RECOVER: u8 = 0b101;
        !self.opened(handle).shm.is_held(WRITE_AND_RECOVER)
    }

    /// Whether a handle holds locks with which a transaction reads, and with which it writes: SHARED and RESERVED, or those of
    /// a reader and of the writer of a WAL, with which it has SHARED all the time.
    pub fn access(&self, handle: HandleId) -> [bool; 2] {
        const WRITE: u8 = 1;
        const READ: u8 = 0b1111_1000;
        let (level, shm) = (self.lock_level(handle), &self.opened(handle).shm);
        let reads = if shm.is_used() { shm.shares(handle, READ) } else { level >= LockLevel::Shared };
        [reads, level >= LockLevel::Reserved || shm.holds(handle, WRITE)]
    }

    /// Releases the shared memory of a handle.
    pub fn shm_unmap(&mut self, handle: HandleId) {
        if self.handles[handle].is_some() {
            let file = self.file_of(handle);
            self.file_mut(file).shm.unmap(handle);
        }
    }

    fn find(&self, name: &[u8]) -> Option<FileId> {
        let is_it =
            |file: &Option<File>| file.as_ref().is_some_and(|file| file.name.as_deref() == Some(name));
        self.files.iter().position(is_it)
    }

    fn create(&mut self, name: Option<&[u8]>) -> FileId {
        let file = File { name: name.map(Box::from), ..File::default() };
        insert(&mut self.files, file)
    }

    fn create_logged(&mut self, name: Option<&[u8]>, mode: OpenMode) -> FileId {
        let id = self.create(name);
        if let (Some(log), Some(name), false) = (&mut self.log, name, mode.delete_on_close) {
            self.files[id].as_mut().expect("it was just created").serial = Some(log.create(name));
        }
        id
    }

    fn note_deleted(&mut self, id: FileId) {
        if let (Some(log), Some(file)) = (&mut self.log, self.files[id].as_ref().and_then(|file| file.serial))
        {
            log.push(Entry::Delete { file });
        }
    }

    /// Adds an entry about the file of a handle, if it is in the log.
    fn note(&mut self, handle: HandleId, entry: impl FnOnce(Serial) -> Entry) {
        let serial = self.opened(handle).serial;
        if let (Some(serial), Some(log)) = (serial, &mut self.log) {
            log.push(entry(serial));
        }
    }

    fn drop_if_unused(&mut self, id: FileId) {
        let file = self.file(id);
        if file.name.is_none() && file.handles == 0 {
            self.used_bytes -= file.data.len();
            self.files[id] = None;
        }
    }

    fn resize(&mut self, id: FileId, size: usize) -> Result<(), DiskError> {
        let old = self.file(id).data.len();
        let used = (self.used_bytes - old).checked_add(size).ok_or(DiskError::Full)?;
        if size > old && used > self.bytes_max {
            self.was_full = true;
            return Err(DiskError::Full);
        }
        self.used_bytes = used;
        self.file_mut(id).data.resize(size, 0);
        Ok(())
    }

    fn highest_other_lock(&self, handle: HandleId) -> LockLevel {
        let file = self.file_of(handle);
        let others = self.handles.iter().enumerate().filter(|&(id, _)| id != handle);
        let locks = others.filter_map(|(_, other)| other.as_ref().filter(|other| other.file == file));
        locks.map(|other| other.lock).max().unwrap_or(LockLevel::Unlocked)
    }

    fn set_lock(&mut self, handle: HandleId, level: LockLevel) {
        if let Some(handle) = &mut self.handles[handle] {
            handle.lock = level;
        }
    }

    fn file_of(&self, handle: HandleId) -> FileId {
        self.handles[handle].as_ref().expect("SQLite uses a file only while it is open").file
    }

    fn opened(&self, handle: HandleId) -> &File {
        self.file(self.file_of(handle))
    }

    fn file(&self, id: FileId) -> &File {
        self.files[id].as_ref().expect("a file lives while it has a name or a handle")
    }

    fn file_mut(&mut self, id: FileId) -> &mut File {
        self.files[id].as_mut().expect("a file lives while it has a name or a handle")
    }
}

/// Puts `value` into the first free slot and returns its index.
fn insert<T>(slots: &mut Vec<Option<T>>, value: T) -> usize {
    match slots.iter().position(Option::is_none) {
        Some(free) => {
            slots[free] = Some(value);
            free
        }
        None => {
            slots.push(Some(value));
            slots.len() - 1
        }
    }
}

#[cfg(test)]
mod tests;
