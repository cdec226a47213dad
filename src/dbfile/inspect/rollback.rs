//! A rollback journal, and what SQLite does with it if it is hot: `hasHotJournal`, `readJournalHdr` and
//! `pager_playback` in its `pager.c`.

use std::collections::HashSet;

use serde::Serialize;

use crate::dbfile::journal::{self, HEADER_BYTES, Header, MAGIC, Record};

/// The smallest sector of a disk: SQLite looks for no header in a shorter journal.
const SECTOR_BYTES_MIN: usize = 512;
/// The number of records in a header that means all up to the end of the file.
const RECORDS_TO_END: u32 = u32::MAX;

/// What happens to a record when the journal is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordFate {
    /// Its page is restored.
    Restored,
    /// The page was restored before.
    Repeated,
    /// The page lies past the original end of the database.
    Behind,
    /// Its checksum is wrong: the rollback ends here, silently.
    Checksum,
    /// Its page number is 0: the rollback ends here, silently.
    PageZero,
    /// The rollback ended earlier.
    NotReached,
}

/// A header with its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupReport {
    /// Its offset in the journal, in bytes.
    pub offset: usize,
    /// The number of records that it claims; 4294967295 for all up to the end.
    pub claimed_records: u32,
    /// The nonce with which checksums start.
    pub nonce: u32,
    /// Size of the database in pages before the transaction.
    pub original_pages: u32,
    /// Sector size in bytes.
    pub sector_bytes: u32,
    /// Page size in bytes.
    pub page_bytes: u32,
    /// Its complete records.
    pub records: Vec<RecordReport>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordReport {
    /// Its offset in the journal, in bytes.
    pub offset: usize,
    /// The page whose content it holds.
    pub page: u32,
    /// Its checksum.
    pub checksum: u32,
    /// The correct one.
    pub expected_checksum: u32,
    /// What happens to it.
    pub fate: RecordFate,
}

/// Everything about a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackReport {
    /// Size of the file in bytes.
    pub file_bytes: usize,
    /// SQLite treats it as hot if the database is not empty and nobody has it locked: its first byte is not 0.
    pub is_hot: bool,
    /// The headers.
    pub groups: Vec<GroupReport>,
    /// Pages that are restored.
    pub restored: usize,
    /// The super-journal that it names.
    pub super_journal: Option<String>,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Inspects a rollback journal.
pub fn inspect_journal(journal: &[u8]) -> RollbackReport {
    let is_hot = journal.first().is_some_and(|&byte| byte != 0);
    let mut report = RollbackReport {
        file_bytes: journal.len(),
        is_hot,
        groups: Vec::new(),
        restored: 0,
        super_journal: None,
        problems: Vec::new(),
    };
    if is_hot {
        hot(journal, &mut report);
    }
    report
}

fn hot(journal: &[u8], report: &mut RollbackReport) {
    let mut wrong = |what: String| report.problems.push(what);
    if journal.len() < SECTOR_BYTES_MIN {
        wrong(format!("{} bytes: shorter than a sector, so there is no header", journal.len()));
        return;
    }
    if journal::header(journal, 0).is_none() {
        let found = crate::dbfile::describe::hex(&journal[..MAGIC.len()]);
        let expected = crate::dbfile::describe::hex(&MAGIC);
        wrong(format!("the magic is {found}, expected {expected}: nothing is restored"));
        return;
    }
    let mut rollback = Rollback { journal, restored: HashSet::new(), is_over: false, problems: Vec::new() };
    for (header, records) in journal::groups(journal) {
        report.groups.push(rollback.group(header, records));
    }
    report.restored = rollback.restored.len();
    report.problems.append(&mut rollback.problems);
    if let Some(named) = journal::super_journal(journal).filter(|_| journal.len() > HEADER_BYTES) {
        if !named.is_checksum_right {
            let what = format!("the name of the super-journal at {} has a wrong checksum", named.at);
            report.problems.push(what);
        }
        report.super_journal = Some(String::from_utf8_lossy(named.name).into_owned());
    }
}

/// A rollback in progress.
struct Rollback<'a> {
    journal: &'a [u8],
    /// Pages that are restored.
    restored: HashSet<u32>,
    is_over: bool,
    problems: Vec<String>,
}

impl Rollback<'_> {
    fn group(&mut self, header: Header, records: Vec<Record>) -> GroupReport {
        let Header { at, records: claimed, nonce, original_pages, sector_bytes, page_bytes } = header;
        let is_size = |bytes: u32, least| bytes.is_power_of_two() && (least..=65536).contains(&bytes);
        if !is_size(page_bytes, 512) || !is_size(sector_bytes, 32) {
            self.problems.push(format!(
                "the header at {at} has pages of {page_bytes} and sectors of {sector_bytes} bytes, expected powers \
                 of two up to 65536: nothing is restored from it"
            ));
            self.is_over = true;
        }
        if claimed != RECORDS_TO_END && records.len() < claimed as usize {
            let there = records.len();
            self.problems.push(format!("the header at {at} claims {claimed} records, but there are {there}"));
        }
        let records = records.iter().map(|record| self.record(record)).collect();
        let (offset, claimed_records) = (at, claimed);
        GroupReport { offset, claimed_records, nonce, original_pages, sector_bytes, page_bytes, records }
    }

    fn record(&mut self, record: &Record) -> RecordReport {
        let Record { at: offset, page, checksum, header } = *record;
        let expected_checksum = record.expected_checksum(self.journal);
        let fate = match page {
            _ if self.is_over => RecordFate::NotReached,
            0 => RecordFate::PageZero,
            _ if page > header.original_pages => RecordFate::Behind,
            _ if self.restored.contains(&page) => RecordFate::Repeated,
            _ if checksum != expected_checksum => RecordFate::Checksum,
            _ => RecordFate::Restored,
        };
        if fate == RecordFate::Restored {
            self.restored.insert(page);
        }
        self.is_over |= matches!(fate, RecordFate::PageZero | RecordFate::Checksum);
        if page == 0 {
            self.problems.push(format!("the record at {offset} is for page 0"));
        }
        if checksum != expected_checksum {
            self.problems.push(format!(
                "the record at {offset} (page {page}) has the checksum {checksum:#010x}, expected \
                 {expected_checksum:#010x}"
            ));
        }
        RecordReport { offset, page, checksum, expected_checksum, fate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_restored_and_what_ends_the_rollback() {
        let page = [9; 512];
        let whole = journal::build(512, 3, 77, &[(1, &page), (3, &page), (1, &page), (4, &page), (2, &page)]);
        let fates = |journal: &[u8]| -> Vec<RecordFate> {
            inspect_journal(journal).groups[0].records.iter().map(|record| record.fate).collect()
        };
        use RecordFate::{Behind, Checksum, NotReached, PageZero, Repeated, Restored};
        assert_eq!(fates(&whole), [Restored, Restored, Repeated, Behind, Restored]);
        let report = inspect_journal(&whole);
        assert!(report.is_hot && report.problems.is_empty() && report.restored == 3);
        let record = |i: usize| 512 + i * 520;
        let mut planted = whole.clone();
        planted[record(1) + 4 + 112] ^= 1;
        assert_eq!(fates(&planted), [Restored, Checksum, NotReached, NotReached, NotReached]);
        assert!(inspect_journal(&planted).problems[0].contains("page 3"));
        let mut planted = whole.clone();
        planted[record(0) + 3] = 0;
        assert_eq!(fates(&planted)[0], PageZero);
        let cut = inspect_journal(&whole[..record(4) + 100]);
        assert!(cut.problems[0].contains("claims 5 records, but there are 4"), "{:?}", cut.problems);
        let mut named = whole.clone();
        journal::append_super_journal(&mut named, 9, b"super");
        assert_eq!(inspect_journal(&named).super_journal.as_deref(), Some("super"));
    }

    #[test]
    fn what_is_not_hot_and_what_is_hot_without_a_header() {
        assert!(!inspect_journal(&[]).is_hot);
        assert!(!inspect_journal(&[0; 4096]).is_hot);
        for bytes in [vec![1; 100], vec![1; 4096]] {
            let report = inspect_journal(&bytes);
            assert!(report.is_hot && report.problems.len() == 1 && report.groups.is_empty());
        }
        let mut sizes = journal::build(512, 3, 77, &[(1, &[9; 512])]);
        sizes[24] = 1;
        let report = inspect_journal(&sizes);
        assert!(report.problems[0].contains("powers of two"), "{:?}", report.problems);
        assert_eq!(report.restored, 0);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = fastrand::Rng::with_seed(5);
        let whole = journal::build(512, 3, 77, &[(1, &[9; 512]), (2, &[1; 512])]);
        for _ in 0..5000 {
            let mut journal = whole.clone();
            for _ in 0..rng.usize(1..5) {
                let at = if rng.bool() { rng.usize(..30) } else { rng.usize(..journal.len()) };
                journal[at] = rng.u8(..);
            }
            journal.truncate(rng.usize(..=journal.len()));
            inspect_journal(&journal);
            crate::dbfile::inspect::inspect_log(&journal);
        }
    }
}
