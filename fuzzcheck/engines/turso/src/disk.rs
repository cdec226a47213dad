//! The machine that Turso sees: files in memory, a stopped clock, random numbers from a seed.
//!
//! What could still reach the host is named in [`crate::refusal::reaches_host`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tandem::faults::vfs::CLOCK_JULIAN_MS;
use tandem::testcase::FileSet;
use turso_core::io::FileId;
use turso_core::{
    Buffer, Clock, Completion, File, IO, LimboError, MemoryIO, MonotonicInstant, OpenFlags, WallClockInstant,
};

/// The Julian day of 1970-01-01 00:00, in milliseconds.
const UNIX_EPOCH_JULIAN_MS: i64 = 210_866_760_000_000;

/// The simulated disk.
pub(crate) struct Disk {
    files: MemoryIO,
    random: Mutex<fastrand::Rng>,
    /// Tells this disk from all others of the process.
    number: u64,
}

impl Disk {
    /// A disk with the files of a case.
    pub(crate) fn new(files: &FileSet, random_seed: u32) -> Result<Arc<Self>, LimboError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let disk = Self {
            files: MemoryIO::new(),
            random: Mutex::new(fastrand::Rng::with_seed(u64::from(random_seed))),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        };
        for (name, content) in files.iter() {
            disk.put(name.as_str(), content)?;
        }
        Ok(Arc::new(disk))
    }

    /// Writes a new file.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> Result<(), LimboError> {
        let file = self.files.open_file(name, OpenFlags::Create, false)?;
        if !content.is_empty() {
            let buffer = Arc::new(Buffer::new(content.to_vec()));
            self.files.wait_for_completion(file.pwrite(0, buffer, Completion::new_write(|_| ()))?)?;
        }
        Ok(())
    }

    /// The content of a file, if there is one of that name.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.files.open_file(name, OpenFlags::None, false).ok()?;
        let bytes = usize::try_from(file.size().ok()?).ok()?;
        let buffer = Arc::new(Buffer::new(vec![0; bytes]));
        let read = file.pread(0, Completion::new_read(Arc::clone(&buffer), |_| None)).ok()?;
        self.files.wait_for_completion(read).ok()?;
        Some(buffer.as_slice().to_vec())
    }

    fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Disk {
    fn current_time_monotonic(&self) -> MonotonicInstant {
        self.files.current_time_monotonic()
    }

    fn current_time_wall_clock(&self) -> WallClockInstant {
        WallClockInstant { secs: (CLOCK_JULIAN_MS - UNIX_EPOCH_JULIAN_MS) / 1000, micros: 0 }
    }
}

impl IO for Disk {
    fn open_file(&self, path: &str, flags: OpenFlags, direct: bool) -> Result<Arc<dyn File>, LimboError> {
        self.files.open_file(path, flags, direct)
    }

    fn remove_file(&self, path: &str) -> Result<(), LimboError> {
        self.files.remove_file(path)
    }

    /// Turso shares what it knows of a file among all who open the same one: not the next case's.
    fn file_id(&self, path: &str) -> Result<FileId, LimboError> {
        Ok(FileId { dev: self.number, ..FileId::from_path_hash(path) })
    }

    fn generate_random_number(&self) -> i64 {
        self.random().i64(..)
    }

    fn fill_bytes(&self, dest: &mut [u8]) {
        self.random().fill(dest);
    }

    /// Nobody else uses the disk: waiting changes nothing.
    fn sleep(&self, _duration: std::time::Duration) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem::testcase::FileName;

    #[test]
    fn a_disk_holds_the_files_of_its_case_and_no_others() {
        let mut files = FileSet::default();
        let content: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        files.insert(FileName::main(), content.clone());
        let disk = Disk::new(&files, 1).unwrap();
        assert_eq!(disk.content("main.db"), Some(content));
        assert_eq!(disk.content("main.db-wal"), None);
        let other = Disk::new(&FileSet::default(), 1).unwrap();
        assert_eq!(other.content("main.db"), None);
        assert_ne!(disk.file_id("main.db").unwrap(), other.file_id("main.db").unwrap());
        assert_eq!(disk.generate_random_number(), other.generate_random_number());
        assert_eq!(disk.current_time_wall_clock().secs, 1_000_000_000);
    }
}
