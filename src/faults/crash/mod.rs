//! The disks that a power loss may leave, made from the log of a run ([`super::disk::log`]) without running it again.
//!
//! # Model
//! * What was written to a file and not yet synced is *pending*. At power loss, each pending write is kept, lost (with or
//!   without the growth of the file that came with it), torn between two sectors, or garbled. That is the model of SQLite's own crash tests, `test6.c` (<https://sqlite.org/testing.html#crashtesting>).
//! * A garbled write may damage all of the sectors that it touches, unless the device claims
//!   `SQLITE_IOCAP_POWERSAFE_OVERWRITE`; one that is atomic, as `SQLITE_IOCAP_ATOMIC…` claims, is kept or lost; one that
//!   appends is kept or lost with `SQLITE_IOCAP_SAFE_APPEND`; with `SQLITE_IOCAP_SEQUENTIAL`, everything survives in
//!   order (<https://sqlite.org/c3ref/c_iocap_atomic.html>).
//! * Creations, deletions and truncations survive in order, as on file systems that keep a journal of their metadata:
//!   names are durable once the directory is synced, a truncation once its file is, with all that came before it. SQLite
//!   relies on the order: VACUUM deletes the journal and then truncates the database, whose last pages the journal does
//!   not hold. A file whose deletion is lost is back with what is durable of it and some of what is not.
//! * Memory is lost, shared memory as well.
//!
//! This shares nothing with the disk that SQLite runs on but the log: that keeping all of it results in what that disk
//! holds is one of the laws that the tests check.

mod damage;

use std::collections::BTreeMap;

use rusqlite::ffi;

use super::disk::log::{Entry, Log, Serial};
use crate::testcase::FileRole;

use damage::Fate;
pub use damage::{Damage, seeds};

/// What a device guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Bytes that are written whole or not at all.
    pub sector_bytes: usize,
    /// `SQLITE_IOCAP_` flags.
    pub characteristics: u32,
    /// Whether what is appended to a rollback journal survives in order and whole: what SQLite relies on with
    /// `synchronous=NORMAL` (<https://sqlite.org/pragma.html#pragma_synchronous>).
    pub has_ordered_journals: bool,
}

impl Device {
    fn claims(&self, flag: i32) -> bool {
        self.characteristics & flag as u32 != 0
    }

    /// Whether a write of so many bytes at this place is kept or lost as a whole.
    fn is_atomic(&self, offset: u64, bytes: usize) -> bool {
        // The flag of 512 bytes is 2, that of 1 KiB 4, up to 64 KiB.
        let flag = (bytes.is_power_of_two() && (512..=65536).contains(&bytes))
            .then(|| ffi::SQLITE_IOCAP_ATOMIC512 << (bytes.trailing_zeros() - 9));
        self.claims(ffi::SQLITE_IOCAP_ATOMIC)
            || flag.is_some_and(|flag| self.claims(flag) && offset.is_multiple_of(bytes as u64))
    }
}

/// A file as far as a power loss is concerned.
#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// Entries that are not durable.
    pending: Vec<usize>,
}

/// Files by name.
pub type Files = Vec<(Vec<u8>, Vec<u8>)>;

/// What is durable at a point of a log, and what is not.
#[derive(Debug, Clone)]
pub struct Model<'l> {
    log: &'l Log,
    at: usize,
    files: Vec<File>,
    names: BTreeMap<&'l [u8], Serial>,
    /// Entries that create or delete a name, or truncate a file.
    pending_metadata: Vec<usize>,
}

impl<'l> Model<'l> {
    /// At the start of a log.
    pub fn new(log: &'l Log) -> Self {
        let start = log.start().iter().map(|content| File { durable: content.clone(), pending: Vec::new() });
        let names = (0..log.start().len() as Serial).map(|file| (log.name(file), file)).collect();
        Self { log, at: 0, files: start.collect(), names, pending_metadata: Vec::new() }
    }

    /// How many entries lie behind.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes on to the point at which so many entries lie behind; never back.
    pub fn advance(&mut self, to: usize) {
        while self.at < to.min(self.log.entries().len()) {
            self.step();
        }
    }

    fn step(&mut self) {
        let at = self.at;
        match &self.log.entries()[at] {
            Entry::Create { .. } => {
                self.files.push(File::default());
                self.pending_metadata.push(at);
            }
            Entry::Delete { .. } => self.pending_metadata.push(at),
            Entry::Write { file, .. } => self.files[*file as usize].pending.push(at),
            Entry::Truncate { file, .. } => {
                self.files[*file as usize].pending.push(at);
                self.pending_metadata.push(at);
            }
            Entry::Sync { file } => self.sync(*file),
            Entry::SyncDirectory => self.sync_metadata(at),
        }
        self.at += 1;
    }

    fn sync(&mut self, file: Serial) {
        let log = self.log;
        let pending = std::mem::take(&mut self.files[file as usize].pending);
        for &entry in &pending {
            apply(log, entry, &mut self.files[file as usize].durable);
        }
        let is_truncation = |&&entry: &&usize| matches!(log.entries()[entry], Entry::Truncate { .. });
        if let Some(&last) = pending.iter().rfind(is_truncation) {
            self.sync_metadata(last + 1);
        }
    }

    /// Makes all names durable, and all truncations, that come before an entry. A truncation stays in its place among the
    /// pending writes of its file: those before it may still be lost.
    fn sync_metadata(&mut self, end: usize) {
        let count = self.pending_metadata.partition_point(|&entry| entry < end);
        let durable: Vec<usize> = self.pending_metadata.drain(..count).collect();
        rename(self.log, &durable, &mut self.names);
    }

    /// The first entry that is not durable.
    pub fn first_pending(&self) -> Option<usize> {
        let first =
            |file: Serial| self.files[file as usize].pending.iter().find(|&&entry| self.is_write(entry));
        self.within_reach().filter_map(first).chain(self.pending_metadata.first()).min().copied()
    }

    /// The entries of writes that are not durable, in order.
    pub fn pending(&self) -> Vec<usize> {
        let files = self.within_reach();
        let entries = files.flat_map(|file| self.files[file as usize].pending.iter().copied());
        let mut pending: Vec<usize> = entries.filter(|&entry| self.is_write(entry)).collect();
        pending.sort_unstable();
        pending
    }

    fn is_write(&self, entry: usize) -> bool {
        matches!(self.log.entries()[entry], Entry::Write { .. })
    }

    /// How many creations, deletions and truncations are not durable.
    pub fn pending_metadata(&self) -> usize {
        self.pending_metadata.len()
    }

    /// The files that may have a name after a power loss.
    fn within_reach(&self) -> impl Iterator<Item = Serial> {
        let created = self.pending_metadata.iter().filter_map(|&entry| match self.log.entries()[entry] {
            Entry::Create { file } => Some(file),
            _ => None,
        });
        self.names.values().copied().chain(created)
    }

    /// The files that a power loss leaves.
    pub fn image(&self, damage: Damage, device: &Device) -> Files {
        let pending = self.pending();
        let mut fates = damage.fates(pending.len());
        let mut names = self.names.clone();
        let mut metadata_kept = fates.metadata(self.pending_metadata.len());
        if device.claims(ffi::SQLITE_IOCAP_SEQUENTIAL) {
            // What comes behind the first write that is not on the disk as a whole is lost, and all before it is there.
            let end = fates.cut().map_or(self.at, |write| pending[write]);
            metadata_kept = self.pending_metadata.partition_point(|&entry| entry < end);
        }
        let (kept, lost) = self.pending_metadata.split_at(metadata_kept);
        rename(self.log, kept, &mut names);
        let content = |(name, file): (&&[u8], &Serial)| {
            let file = &self.files[*file as usize];
            let mut content = file.durable.clone();
            let is_ordered = device.has_ordered_journals && FileRole::of_name(name) == FileRole::Journal;
            for &entry in &file.pending {
                if !self.is_write(entry) {
                    if lost.binary_search(&entry).is_err() {
                        apply(self.log, entry, &mut content);
                    }
                    continue;
                }
                let which = pending.binary_search(&entry).expect("the file is within reach");
                let fate = fates.of(which);
                if is_ordered && fate != Fate::Kept {
                    break;
                }
                survive(self.log, entry, fate, fates.garbage(which), device, &mut content);
            }
            (name.to_vec(), content)
        };
        names.iter().map(content).collect()
    }
}

/// Names after these entries.
fn rename<'l>(log: &'l Log, entries: &[usize], names: &mut BTreeMap<&'l [u8], Serial>) {
    for &entry in entries {
        match log.entries()[entry] {
            Entry::Create { file } => _ = names.insert(log.name(file), file),
            Entry::Delete { file } => names.retain(|_, other| *other != file),
            _ => {}
        }
    }
}

/// The content of a file after an entry that was performed as SQLite asked.
fn apply(log: &Log, entry: usize, content: &mut Vec<u8>) {
    match &log.entries()[entry] {
        Entry::Write { offset, at, .. } => overwrite(content, *offset as usize, log.bytes(at)),
        Entry::Truncate { size, .. } => content.resize(*size as usize, 0),
        _ => unreachable!("only writes and truncations are pending"),
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// The content of a file after an entry that met this fate.
fn survive(log: &Log, entry: usize, fate: Fate, garbage: u64, device: &Device, content: &mut Vec<u8>) {
    let Entry::Write { offset, at, .. } = &log.entries()[entry] else {
        unreachable!("only writes have a fate of their own");
    };
    let (offset, bytes) = (*offset as usize, log.bytes(at));
    let end = offset + bytes.len();
    let appends = offset >= content.len() && device.claims(ffi::SQLITE_IOCAP_SAFE_APPEND);
    let is_whole = appends || device.is_atomic(offset as u64, bytes.len());
    match fate {
        Fate::Kept => overwrite(content, offset, bytes),
        Fate::Lost => {}
        // A file that is longer than what was written to it holds zeros there, or what the disk held before.
        Fate::Grown if !is_whole && content.len() < end => content.resize(end, 0),
        Fate::Torn { first_kept, at } if !is_whole => {
            // The sectors that the write touches, cut between two of them.
            let first = offset / device.sector_bytes;
            let sectors = end.div_ceil(device.sector_bytes) - first;
            let cut = ((first + 1 + at % sectors.max(1)) * device.sector_bytes).clamp(offset, end);
            if first_kept {
                overwrite(content, offset, &bytes[..cut - offset]);
            } else if cut < end {
                overwrite(content, cut, &bytes[cut - offset..]);
            }
        }
        Fate::Garbled if !is_whole => {
            let mut from = offset;
            let mut to = end;
            if !device.claims(ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE) {
                from -= from % device.sector_bytes;
                to = to.next_multiple_of(device.sector_bytes).min(content.len().max(end));
            }
            if content.len() < to {
                content.resize(to, 0);
            }
            fastrand::Rng::with_seed(garbage).fill(&mut content[from.min(to)..to]);
        }
        Fate::Grown | Fate::Torn { .. } | Fate::Garbled => {}
    }
}

#[cfg(test)]
mod tests;
