//! What was done to the files of a disk, in order: what the disks are made of that a power loss may leave
//! ([`crate::faults::crash`]).

use std::ops::Range;

/// Names a file in a [`Log`]: a name that is used again is another file.
pub type Serial = u32;

/// Bytes that are written, and entries, after which a log ends.
const BYTES_MAX: usize = 32 << 20;
const ENTRIES_MAX: usize = 200_000;

/// Something that changed the disk, or made a change durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file got its name.
    Create {
        /// Which.
        file: Serial,
    },
    /// A file lost it.
    Delete {
        /// Which.
        file: Serial,
    },
    /// A write.
    Write {
        /// To which file.
        file: Serial,
        /// Where, in bytes.
        offset: u64,
        /// What: a range of [`Log::bytes`].
        at: Range<usize>,
    },
    /// The file got this size.
    Truncate {
        /// Which.
        file: Serial,
        /// In bytes.
        size: u64,
    },
    /// All that was written to a file became durable.
    Sync {
        /// Which.
        file: Serial,
    },
    /// All names became durable.
    SyncDirectory,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Log {
    names: Vec<Box<[u8]>>,
    start: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    marks: Vec<usize>,
    is_cut: bool,
}

impl Log {
    /// A log of what happens to a disk that holds these files, which are durable.
    pub fn new<'f>(files: impl IntoIterator<Item = (&'f [u8], &'f [u8])>) -> Self {
        let (names, start) = files.into_iter().map(|(name, content)| (name.into(), content.to_vec())).unzip();
        Self { names, start, ..Self::default() }
    }

    /// The name of a file.
    pub fn name(&self, file: Serial) -> &[u8] {
        &self.names[file as usize]
    }

    /// The files at the start: those with the first numbers.
    pub fn start(&self) -> &[Vec<u8>] {
        &self.start
    }

    /// What happened.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was written.
    pub fn bytes(&self, at: &Range<usize>) -> &[u8] {
        &self.bytes[at.clone()]
    }

    /// How many entries there were at each [`Log::mark`].
    pub fn marks(&self) -> &[usize] {
        &self.marks
    }

    /// True if it does not hold all that happened.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Notes that so much has happened by now.
    pub fn mark(&mut self) {
        self.marks.push(self.entries.len());
    }

    /// Ends it: what happens from now on is not in it.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    pub(super) fn create(&mut self, name: &[u8]) -> Serial {
        let file = self.names.len() as Serial;
        self.names.push(name.into());
        self.push(Entry::Create { file });
        file
    }

    pub(super) fn write(&mut self, file: Serial, offset: u64, bytes: &[u8]) {
        let at = self.bytes.len()..self.bytes.len() + bytes.len();
        if at.end > BYTES_MAX {
            self.is_cut = true;
        }
        if !self.is_cut {
            self.bytes.extend_from_slice(bytes);
        }
        self.push(Entry::Write { file, offset, at });
    }

    /// A sync after which the last write to the file is still pending: a bug, to see that it is noticed.
    pub(super) fn sync_late(&mut self, file: Serial) {
        let is_it = |entry: &Entry| matches!(entry, Entry::Write { file: other, .. } if *other == file);
        match self.entries.iter().rposition(is_it) {
            Some(last) => self.entries.insert(last, Entry::Sync { file }),
            None => self.push(Entry::Sync { file }),
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.is_cut |= self.entries.len() >= ENTRIES_MAX;
        if !self.is_cut {
            self.entries.push(entry);
        }
    }
}
