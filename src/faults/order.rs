//! Whether SQLite makes durable what it must before it changes a database: checked on every run, at each write.
//!
//! * With a rollback journal (<https://sqlite.org/atomiccommit.html>): before a page of the database is written, its original
//!   is in the journal, and the journal was synced since. A page behind the end of the old database needs a synced header,
//!   so that a rollback cuts it off; a page that was free and empty needs no more either.
//! * With a WAL (<https://sqlite.org/wal.html>): what a checkpoint writes is a frame that was synced.
//! * In the wal-index (<https://sqlite.org/walformat.html>): no more frames are said to be in the database than there are,
//!   while nobody holds the lock of the writer. A checkpoint that overtakes a writer breaks this long before anything else.
//!
//! What was there at the start is durable. Without syncs, as with `synchronous=OFF`, nothing of this holds: the run knows
//! ([`crate::oracles`]), this does not. A device that claims to write in order, or whole pages at once, needs fewer syncs, so
//! nothing is checked on one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::dbfile::{Geometry, header, journal, tree, wal};
use crate::testcase::FileRole;

/// Parts of a file that are no page: SQLite writes fields of headers, and single bytes to make a file longer.
const PAGE_BYTES_MIN: usize = 512;

/// What is known of the files of a database.
#[derive(Debug, Default)]
struct Database {
    rollback: Option<Rollback>,
    log: Option<SyncedLog>,
}

/// A transaction with a rollback journal.
#[derive(Debug)]
struct Rollback {
    page_bytes: usize,
    /// Pages of the file before it.
    original_pages: u32,
    /// Pages that the header of the database says it had then, if it says so: what lies behind them is no page of it. An
    /// error kept SQLite from truncating the file, and it does not journal them when it takes them into use.
    stated_pages: Option<u32>,
    /// Those that were free and empty.
    free: BTreeSet<u32>,
    /// Pages with an original in the journal as of its last sync; `None` before the first.
    journaled: Option<BTreeSet<u32>>,
}

/// The frames of a WAL as of its last sync.
#[derive(Debug, Default)]
struct SyncedLog {
    page_bytes: usize,
    bytes: usize,
    /// Where the content of each page is.
    frames: HashMap<u32, Vec<usize>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Order {
    databases: BTreeMap<Vec<u8>, Database>,
    /// What was found first.
    pub violation: Option<String>,
}

/// The files of a database and a file of them that is about to change.
pub(super) struct Files<'d> {
    pub database: &'d [u8],
    pub journal: Option<&'d [u8]>,
    pub log: Option<&'d [u8]>,
}

/// The name of the database that a journal or WAL belongs to.
pub(super) fn database_of(name: &[u8], role: FileRole) -> &[u8] {
    let suffix: &[u8] = match role {
        FileRole::Journal => b"-journal",
        FileRole::Wal => b"-wal",
        _ => b"",
    };
    name.strip_suffix(suffix).unwrap_or(name)
}

impl Order {
    fn database(&mut self, name: &[u8]) -> &mut Database {
        if !self.databases.contains_key(name) {
            self.databases.insert(name.to_vec(), Database::default());
        }
        self.databases.get_mut(name).expect("it was just inserted")
    }

    fn found(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    /// A page is about to be written to a database.
    pub(super) fn page(&mut self, name: &[u8], offset: u64, bytes: &[u8], files: &Files<'_>) {
        if bytes.len() < PAGE_BYTES_MIN || self.violation.is_some() {
            return;
        }
        // A page that could not be journaled is dirty all the same, unchanged, and written when the cache spills.
        let here = offset as usize..(offset as usize).saturating_add(bytes.len());
        if files.database.get(here) == Some(bytes) {
            return;
        }
        let database = self.database(name);
        // A journal that is hot is played back, whatever is in a WAL beside it.
        let is_hot = files.journal.is_some_and(|journal| journal::header(journal, 0).is_some());
        let wrong = match files.log {
            Some(log) if !log.is_empty() && !is_hot => {
                let synced = database.log.get_or_insert_with(|| SyncedLog::of(log));
                synced.wrong(log, offset, bytes)
            }
            _ => {
                // Whatever is in the journal now that this run has not written was there at the start.
                let begin = || Rollback::begin(files, files.journal.filter(|journal| !journal.is_empty()));
                database.rollback.get_or_insert_with(begin).wrong(offset, bytes.len())
            }
        };
        if let Some(wrong) = wrong {
            let name = String::from_utf8_lossy(name).into_owned();
            self.found(format!("{name}: {wrong}"));
        }
    }

    /// Bytes are about to be written to a journal.
    pub(super) fn journal(&mut self, name: &[u8], offset: u64, bytes: &[u8], files: &Files<'_>) {
        let begins = offset == 0 && bytes.len() > journal::HEADER_BYTES;
        let ends = offset == 0 && bytes.len() == journal::HEADER_BYTES && bytes.iter().all(|&byte| byte == 0);
        if begins {
            let mut rollback = Rollback::begin(files, None);
            // A file may be longer than its database: an error kept SQLite from truncating it.
            if let Some(header) = journal::header(bytes, 0) {
                rollback.original_pages = header.original_pages;
            }
            self.database(name).rollback = Some(rollback);
        } else if ends {
            self.database(name).rollback = None;
        }
    }

    /// A journal is deleted or truncated.
    pub(super) fn journal_gone(&mut self, name: &[u8]) {
        self.database(name).rollback = None;
    }

    /// A journal was synced that holds this.
    pub(super) fn journal_synced(&mut self, name: &[u8], content: &[u8]) {
        if let Some(rollback) = &mut self.database(name).rollback {
            rollback.journaled = Some(pages_in(content));
        }
    }

    /// Bytes are about to be written to a WAL that holds this: frames from there on are no longer synced, and all are void
    /// if it is the header.
    pub(super) fn log(&mut self, name: &[u8], offset: u64, content: &[u8]) {
        let log = self.database(name).log.get_or_insert_with(|| SyncedLog::of(content));
        if offset == 0 {
            *log = SyncedLog::default();
        } else {
            log.cut(offset as usize);
        }
    }

    /// A WAL is gone.
    pub(super) fn log_gone(&mut self, name: &[u8]) {
        self.database(name).log = None;
    }

    /// A WAL was synced that holds this.
    pub(super) fn log_synced(&mut self, name: &[u8], content: &[u8]) {
        self.database(name).log.get_or_insert_default().extend(content);
    }

    /// The wal-index says that so many frames are in the database, and so many in the WAL.
    pub(super) fn frames(&mut self, backfilled: u32, frames: u32) {
        if backfilled > frames {
            self.found(format!(
                "the wal-index says that {backfilled} of {frames} frames are in the database"
            ));
        }
    }
}

fn pages_in(journal: &[u8]) -> BTreeSet<u32> {
    journal::records(journal).into_iter().map(|record| record.page).collect()
}

/// The number of pages in the header of a database, where SQLite trusts it
/// (<https://sqlite.org/fileformat2.html#in_header_database_size>).
fn stated_pages(database: &[u8]) -> Option<u32> {
    let is_valid = header::VERSION_VALID_FOR.get(database) == header::CHANGE_COUNTER.get(database);
    Some(header::PAGE_COUNT.get(database)).filter(|&pages| is_valid && pages > 0)
}

impl Rollback {
    /// A transaction that begins, or that a journal is the rest of.
    fn begin(files: &Files<'_>, journal: Option<&[u8]>) -> Self {
        let geometry = Geometry::of(files.database);
        let free = tree::freelist(files.database, &geometry).leaves.into_iter().collect();
        let header = journal.and_then(|journal| journal::header(journal, 0));
        Self {
            page_bytes: header.map_or(geometry.page_bytes, |header| header.page_bytes as usize),
            original_pages: header.map_or(geometry.pages, |header| header.original_pages),
            stated_pages: stated_pages(files.database),
            free,
            journaled: journal.map(pages_in),
        }
    }

    fn wrong(&self, offset: u64, bytes: usize) -> Option<String> {
        // Nothing is lost of a database that was empty.
        if self.original_pages == 0 || self.page_bytes == 0 {
            return None;
        }
        let page_bytes = self.page_bytes as u64;
        let first = offset / page_bytes + 1;
        let last = (offset + bytes as u64).div_ceil(page_bytes);
        (first..=last).find_map(|page| {
            let page = u32::try_from(page).ok()?;
            let Some(journaled) = &self.journaled else {
                return Some(format!("page {page} is written before the journal is synced"));
            };
            let is_of_database = page <= self.original_pages.min(self.stated_pages.unwrap_or(u32::MAX));
            let needs_original = is_of_database && !self.free.contains(&page);
            (needs_original && !journaled.contains(&page))
                .then(|| format!("page {page} is written before its original is in the synced journal"))
        })
    }
}

impl SyncedLog {
    /// One that was there at the start.
    fn of(content: &[u8]) -> Self {
        let mut log = Self::default();
        log.extend(content);
        log
    }

    /// Forgets the frames that reach beyond `end`.
    fn cut(&mut self, end: usize) {
        if end >= self.bytes {
            return;
        }
        let step = wal::FRAME_HEADER_BYTES + self.page_bytes;
        let whole = end.saturating_sub(wal::HEADER_BYTES) / step;
        self.bytes = wal::HEADER_BYTES + whole * step;
        for frames in self.frames.values_mut() {
            frames.retain(|&at| at < self.bytes);
        }
    }

    fn extend(&mut self, content: &[u8]) {
        let Some(page_bytes) = wal::header(content).and_then(|header| header.valid_page_bytes()) else {
            return;
        };
        (self.page_bytes, self.bytes) = (page_bytes, self.bytes.max(wal::HEADER_BYTES));
        let step = wal::FRAME_HEADER_BYTES + page_bytes;
        while self.bytes + step <= content.len() {
            let page =
                u32::from_be_bytes(content[self.bytes..self.bytes + 4].try_into().expect("four bytes"));
            self.frames.entry(page).or_default().push(self.bytes + wal::FRAME_HEADER_BYTES);
            self.bytes += step;
        }
    }

    fn wrong(&self, log: &[u8], offset: u64, bytes: &[u8]) -> Option<String> {
        if bytes.len() != self.page_bytes {
            return Some("a page is written while no frame of the WAL is synced".to_owned());
        }
        let page = u32::try_from(offset / bytes.len() as u64 + 1).ok()?;
        let is_it = |&&at: &&usize| log.get(at..at + bytes.len()) == Some(bytes);
        let found = self.frames.get(&page).is_some_and(|frames| frames.iter().rev().any(|at| is_it(&at)));
        (!found).then(|| format!("page {page} is written before its frame is synced in the WAL"))
    }
}
