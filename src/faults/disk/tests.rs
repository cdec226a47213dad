//! The laws of the disk.

use super::*;

const CREATE: OpenMode = OpenMode { create: true, exclusive: false, delete_on_close: false };

fn open(disk: &mut Disk, name: &[u8]) -> HandleId {
    disk.open(Some(name), CREATE).unwrap()
}

#[test]
fn content_survives_handles_and_names_survive_neither() {
    let mut disk = Disk::new(1000);
    let a = open(&mut disk, b"a");
    disk.write(a, 3, b"xyz").unwrap();
    let mut read = [9; 8];
    assert_eq!(disk.read(a, 2, &mut read), 4);
    assert_eq!(&read, b"\0xyz\0\0\0\0");
    assert_eq!(disk.read(a, 100, &mut read), 0);
    disk.close(a);
    assert_eq!(disk.content(b"a"), Some(b"\0\0\0xyz".as_slice()));

    let a = open(&mut disk, b"a");
    disk.delete(b"a").unwrap();
    assert!(!disk.exists(b"a"));
    assert_eq!(disk.size(a), 6);
    let again = open(&mut disk, b"a");
    assert_eq!(disk.size(again), 0);
    disk.close(a);
    disk.close(again);
    assert_eq!((disk.open_handles(), disk.used_bytes), (0, 0));
}

#[test]
fn modes_of_opening() {
    let mut disk = Disk::new(1000);
    assert_eq!(disk.open(Some(b"a"), OpenMode::default()), Err(DiskError::NotFound));
    disk.put(b"a", b"1").unwrap();
    let exclusive = OpenMode { exclusive: true, ..CREATE };
    assert_eq!(disk.open(Some(b"a"), exclusive), Err(DiskError::Exists));
    let temporary = disk.open(None, OpenMode { delete_on_close: true, ..CREATE }).unwrap();
    disk.write(temporary, 0, b"12").unwrap();
    assert_eq!(disk.named_files().len(), 1);
    disk.close(temporary);
    assert_eq!(disk.used_bytes, 1);
    for _ in 0..HANDLES_MAX {
        open(&mut disk, b"a");
    }
    assert_eq!(disk.open(Some(b"a"), CREATE), Err(DiskError::TooManyHandles));
}

#[test]
fn a_full_disk_refuses_a_write_whole_and_has_room_again_after_truncation() {
    let mut disk = Disk::new(10);
    let a = open(&mut disk, b"a");
    disk.write(a, 0, &[1; 8]).unwrap();
    assert_eq!(disk.write(a, 6, &[2; 5]), Err(DiskError::Full));
    assert_eq!(disk.write(a, u64::MAX, &[2]), Err(DiskError::Full));
    assert_eq!(disk.content(b"a"), Some([1; 8].as_slice()));
    let b = open(&mut disk, b"b");
    assert_eq!(disk.truncate(b, 3), Err(DiskError::Full));
    disk.truncate(a, 2).unwrap();
    disk.truncate(b, 8).unwrap();
    assert_eq!(disk.used_bytes, 10);
}

#[test]
fn locks_follow_sqlites_protocol() {
    use LockLevel::{Exclusive, Pending, Reserved, Shared, Unlocked};
    let mut disk = Disk::new(10);
    let [a, b, c] = [0; 3].map(|_| open(&mut disk, b"a"));
    for handle in [a, b] {
        disk.lock(handle, Shared).unwrap();
    }
    disk.lock(a, Reserved).unwrap();
    assert!(disk.is_reserved(b));
    assert_eq!(disk.lock(b, Reserved), Err(DiskError::Busy));
    disk.lock(c, Shared).unwrap();
    // b and c still read: a waits with PENDING, which keeps new readers out.
    assert_eq!(disk.lock(a, Exclusive), Err(DiskError::Busy));
    assert_eq!(disk.lock_level(a), Pending);
    disk.unlock(c, Unlocked);
    assert_eq!(disk.lock(c, Shared), Err(DiskError::Busy));
    disk.unlock(b, Unlocked);
    disk.lock(a, Exclusive).unwrap();
    assert_eq!(disk.lock(b, Shared), Err(DiskError::Busy));
    disk.unlock(a, Shared);
    disk.lock(b, Shared).unwrap();
    disk.close(a);
    assert!(!disk.is_reserved(b));
}
