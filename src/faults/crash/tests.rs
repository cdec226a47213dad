//! The laws of the model.

use super::*;
use crate::faults::disk::{Disk, OpenMode};

const SECTOR: usize = 512;

fn device(characteristics: i32) -> Device {
    Device { sector_bytes: SECTOR, characteristics: characteristics as u32, has_ordered_journals: false }
}

/// Random operations on two files from a seed: the log, and what the disk holds in the end.
fn random_log(seed: u64, syncs: bool) -> (Log, Files) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut disk = Disk::new(1 << 20);
    disk.put(b"main.db", &[7; 2 * SECTOR]).unwrap();
    disk.start_log();
    let mode = OpenMode { create: true, ..OpenMode::default() };
    let database = disk.open(Some(b"main.db"), mode).unwrap();
    let mut journal = disk.open(Some(b"main.db-journal"), mode).unwrap();
    for _ in 0..40 {
        let handle = if rng.bool() { database } else { journal };
        match rng.u8(0..10) {
            0 if syncs => disk.sync(handle, rng.bool()),
            1 => disk.truncate(handle, rng.u64(0..3000)).unwrap(),
            2 if handle == journal => {
                disk.close(journal);
                disk.delete(b"main.db-journal").unwrap();
                journal = disk.open(Some(b"main.db-journal"), mode).unwrap();
            }
            _ => {
                let bytes = vec![rng.u8(..); rng.usize(1..1500)];
                disk.write(handle, rng.u64(0..3000), &bytes).unwrap();
            }
        }
    }
    let files = disk.named_files().into_iter().map(|(name, data)| (name.to_vec(), data.to_vec())).collect();
    (disk.take_log().unwrap(), files)
}

fn at_end(log: &Log) -> Model<'_> {
    let mut model = Model::new(log);
    model.advance(usize::MAX);
    model
}

#[test]
fn what_is_kept_as_a_whole_is_what_the_disk_holds() {
    for seed in 0..200 {
        let (log, files) = random_log(seed, true);
        assert_eq!(at_end(&log).image(Damage::NONE, &device(0)), files, "seed {seed}");
    }
}

#[test]
fn what_is_synced_survives_whatever_happens() {
    for seed in 0..50 {
        let (log, _) = random_log(seed, true);
        let mut model = at_end(&log);
        let whole = model.image(Damage::NONE, &device(0));
        // As if everything were synced now.
        for file in &mut model.files {
            for entry in std::mem::take(&mut file.pending) {
                apply(&log, entry, &mut file.durable);
            }
        }
        let pending = std::mem::take(&mut model.pending_metadata);
        rename(&log, &pending, &mut model.names);
        for damage in [0, 8, 3, 6, Damage::RANDOM, Damage::RANDOM + seed] {
            assert_eq!(model.image(Damage(damage), &device(0)), whole, "seed {seed}, damage {damage}");
        }
        assert_eq!((model.first_pending(), model.pending_metadata()), (None, 0));
    }
}

#[test]
fn without_a_sync_what_was_there_at_the_start_may_be_all() {
    for seed in 0..50 {
        let (log, _) = random_log(seed, false);
        let start = vec![(b"main.db".to_vec(), vec![7; 2 * SECTOR])];
        assert_eq!(at_end(&log).image(Damage(ALL_LOST_WITHOUT_METADATA), &device(0)), start, "seed {seed}");
    }
}

const ALL_LOST_WITHOUT_METADATA: u64 = 0;

#[test]
fn the_same_number_is_the_same_damage() {
    let (log, _) = random_log(3, true);
    let model = at_end(&log);
    let images = |seed| -> Vec<Files> {
        let damages = seeds(model.pending().len(), model.pending_metadata(), 40, seed);
        damages.into_iter().map(|damage| model.image(damage, &device(0))).collect()
    };
    assert_eq!(images(1), images(1));
    assert_ne!(images(1), images(2));
    let mut distinct = images(1);
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 20, "{}", distinct.len());
}

/// A write of three sectors in the middle of a file of five, pending.
fn one_write() -> Log {
    let mut disk = Disk::new(1 << 20);
    disk.put(b"main.db", &[7; 5 * SECTOR]).unwrap();
    disk.start_log();
    let handle = disk.open(Some(b"main.db"), OpenMode::default()).unwrap();
    disk.write(handle, SECTOR as u64 + 100, &[9; 2 * SECTOR]).unwrap();
    disk.take_log().unwrap()
}

fn images(log: &Log, device: &Device) -> Vec<Vec<u8>> {
    let model = at_end(log);
    (0..64)
        .chain(Damage::RANDOM..Damage::RANDOM + 200)
        .map(|damage| model.image(Damage(damage), device).remove(0).1)
        .collect()
}

#[test]
fn a_write_changes_its_sectors_and_nothing_else() {
    let (first, last) = (SECTOR, 4 * SECTOR);
    let log = one_write();
    let all = images(&log, &device(0));
    assert!(all.iter().all(|image| image[..first] == [7; SECTOR] && image[last..] == [7; SECTOR]));
    let is_other = |image: &Vec<u8>, at: usize| image[at] != 7;
    assert!(all.iter().any(|image| is_other(image, SECTOR + 50)), "a garbled sector is damaged as a whole");
    let safe = images(&log, &device(ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE));
    assert!(safe.iter().all(|image| image[..SECTOR + 100].iter().all(|&byte| byte == 7)));
    let torn = |image: &&Vec<u8>| image.contains(&9) && image[SECTOR + 100..3 * SECTOR + 100].contains(&7);
    assert!(all.iter().any(|image| torn(&image)));
}

#[test]
fn what_a_device_claims_limits_the_damage() {
    let log = one_write();
    let whole = |image: &Vec<u8>| {
        let part = &image[SECTOR + 100..3 * SECTOR + 100];
        part.iter().all(|&byte| byte == 7) || part.iter().all(|&byte| byte == 9)
    };
    assert!(images(&log, &device(ffi::SQLITE_IOCAP_ATOMIC)).iter().all(whole));
    assert!(!images(&log, &device(ffi::SQLITE_IOCAP_ATOMIC1K)).iter().all(whole), "it is not aligned");
    assert!(device(ffi::SQLITE_IOCAP_ATOMIC4K).is_atomic(8192, 4096));
    assert!(!device(ffi::SQLITE_IOCAP_ATOMIC4K).is_atomic(8192, 512));

    let mut disk = Disk::new(1 << 20);
    disk.put(b"main.db", &[]).unwrap();
    disk.start_log();
    let handle = disk.open(Some(b"main.db"), OpenMode::default()).unwrap();
    (0..6_u8).for_each(|i| disk.write(handle, 600 * u64::from(i), &[i + 1; 600]).unwrap());
    let log = disk.take_log().unwrap();
    let in_order = |image: &Vec<u8>| image.iter().skip_while(|&&byte| byte != 0).all(|&byte| byte == 0);
    let sequential = ffi::SQLITE_IOCAP_SEQUENTIAL | ffi::SQLITE_IOCAP_SAFE_APPEND;
    let is_prefix = |image: &Vec<u8>| image.len().is_multiple_of(600) && in_order(image);
    assert!(images(&log, &device(sequential)).iter().all(is_prefix));
    assert!(!images(&log, &device(0)).iter().all(in_order));
}

#[test]
fn names_survive_in_order() {
    let mut disk = Disk::new(1 << 20);
    disk.start_log();
    let mode = OpenMode { create: true, ..OpenMode::default() };
    let handle = disk.open(Some(b"main.db-journal"), mode).unwrap();
    disk.write(handle, 0, b"old").unwrap();
    disk.sync(handle, true);
    disk.close(handle);
    disk.delete(b"main.db-journal").unwrap();
    let again = disk.open(Some(b"main.db-journal"), mode).unwrap();
    disk.write(again, 0, b"new").unwrap();
    disk.sync(again, false);
    let log = disk.take_log().unwrap();
    let model = at_end(&log);
    let contents: std::collections::BTreeSet<Vec<u8>> = (Damage::RANDOM..Damage::RANDOM + 100)
        .map(|damage| {
            model.image(Damage(damage), &device(0)).first().map_or(vec![], |(_, data)| data.clone())
        })
        .collect();
    assert_eq!(contents, [vec![], b"new".to_vec(), b"old".to_vec()].into());
}

#[test]
fn an_ordered_journal_has_no_holes() {
    let mut disk = Disk::new(1 << 20);
    disk.put(b"main.db-journal", &[]).unwrap();
    disk.start_log();
    let handle = disk.open(Some(b"main.db-journal"), OpenMode::default()).unwrap();
    (0..6_u8).for_each(|i| disk.write(handle, 600 * u64::from(i), &[i + 1; 600]).unwrap());
    let log = disk.take_log().unwrap();
    let ordered = Device { has_ordered_journals: true, ..device(0) };
    for image in images(&log, &ordered) {
        let whole: Vec<u8> = (0..6_u8).flat_map(|i| [i + 1; 600]).take(image.len()).collect();
        assert!(image.len().is_multiple_of(600) && image == whole);
    }
}
