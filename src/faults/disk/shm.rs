//! Shared memory of a WAL database: the wal-index and its eight locks
//! (<https://sqlite.org/walformat.html#the_wal_index_file_format>).

use std::cell::UnsafeCell;

use super::HandleId;

/// Number of lock slots, `SQLITE_SHM_NLOCK`.
pub const SLOTS: usize = 8;
/// How many regions there may be: with 32 KiB each they index far more frames than fit on a disk.
const REGIONS_MAX: usize = 256;

/// A request for lock slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShmLock {
    /// Take a shared lock.
    Shared,
    /// Take an exclusive lock.
    Exclusive,
    /// Release what the handle holds.
    Unlock,
}

/// The view of one handle.
#[derive(Debug)]
struct User {
    handle: HandleId,
    shared: u8,
    exclusive: u8,
}

/// The shared memory of one file.
#[derive(Debug, Default)]
pub(super) struct Shm {
    /// SQLite keeps pointers into a region, so it is never moved. Words provide the alignment for SQLite's atomic
    /// accesses; the cells tell Rust that C writes to it.
    regions: Vec<Box<[UnsafeCell<u64>]>>,
    users: Vec<User>,
}

impl Shm {
    pub(super) fn map(
        &mut self,
        handle: HandleId,
        index: usize,
        bytes: usize,
        extend: bool,
    ) -> Option<*mut u8> {
        self.user(handle);
        if index >= self.regions.len() && (!extend || index >= REGIONS_MAX) {
            return None;
        }
        let words = bytes.div_ceil(8);
        while self.regions.len() <= index {
            self.regions.push((0..words).map(|_| UnsafeCell::new(0)).collect());
        }
        let region = &self.regions[index];
        (region.len() >= words).then(|| region.as_ptr().cast_mut().cast())
    }

    pub(super) fn lock(&mut self, handle: HandleId, first: usize, count: usize, lock: ShmLock) -> bool {
        if first + count > SLOTS {
            return false;
        }
        let mask = (((1_u16 << count) - 1) << first) as u8;
        let others = self.users.iter().filter(|user| user.handle != handle);
        let (shared, exclusive) = others
            .fold((0, 0), |(shared, exclusive), user| (shared | user.shared, exclusive | user.exclusive));
        let conflicts = match lock {
            ShmLock::Unlock => 0,
            ShmLock::Shared => exclusive,
            ShmLock::Exclusive => shared | exclusive,
        };
        if conflicts & mask != 0 {
            return false;
        }
        let user = self.user(handle);
        match lock {
            ShmLock::Unlock => {
                user.shared &= !mask;
                user.exclusive &= !mask;
            }
            ShmLock::Shared => user.shared |= mask,
            ShmLock::Exclusive => user.exclusive |= mask,
        }
        true
    }

    /// Locks slots exclusively, whoever else has them.
    pub(super) fn lock_anyway(&mut self, handle: HandleId, first: usize, count: usize) {
        self.user(handle).exclusive |= (((1_u16 << count) - 1) << first) as u8;
    }

    /// Whether a handle holds one of these slots exclusively, as a mask.
    pub(super) fn is_held(&self, slots: u8) -> bool {
        self.users.iter().any(|user| user.exclusive & slots != 0)
    }

    /// Whether this handle holds one of these slots exclusively, as a mask.
    pub(super) fn holds(&self, handle: HandleId, slots: u8) -> bool {
        self.users.iter().any(|user| user.handle == handle && user.exclusive & slots != 0)
    }

    /// Whether this handle shares one of these slots, as a mask.
    pub(super) fn shares(&self, handle: HandleId, slots: u8) -> bool {
        self.users.iter().any(|user| user.handle == handle && user.shared & slots != 0)
    }

    /// Whether anybody uses it.
    pub(super) fn is_used(&self) -> bool {
        !self.users.is_empty()
    }

    /// Forgets a handle; the memory is freed with the last one, since the first connection to open a WAL database
    /// rebuilds its index.
    pub(super) fn unmap(&mut self, handle: HandleId) {
        self.users.retain(|user| user.handle != handle);
        if self.users.is_empty() {
            self.regions.clear();
        }
    }

    fn user(&mut self, handle: HandleId) -> &mut User {
        let index = self.users.iter().position(|user| user.handle == handle).unwrap_or_else(|| {
            self.users.push(User { handle, shared: 0, exclusive: 0 });
            self.users.len() - 1
        });
        &mut self.users[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_exclude_each_other_and_regions_stay_in_place() {
        let mut shm = Shm::default();
        assert_eq!(shm.map(1, 0, 32768, false), None);
        let region = shm.map(1, 0, 32768, true).unwrap();
        shm.map(2, 5, 32768, true).unwrap();
        assert_eq!(shm.map(2, 0, 32768, false), Some(region));
        assert!(shm.lock(1, 3, 1, ShmLock::Shared));
        assert!(shm.lock(2, 3, 1, ShmLock::Shared));
        assert!(!shm.lock(2, 0, 8, ShmLock::Exclusive));
        assert!(shm.lock(1, 3, 1, ShmLock::Unlock));
        assert!(shm.lock(2, 0, 8, ShmLock::Exclusive));
        assert!(!shm.lock(1, 7, 1, ShmLock::Shared));
        shm.unmap(2);
        assert!(shm.lock(1, 7, 1, ShmLock::Exclusive));
        shm.unmap(1);
        assert_eq!(shm.map(1, 0, 32768, false), None);
    }
}
