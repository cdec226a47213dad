//! Rollback journals (<https://sqlite.org/fileformat2.html#the_rollback_journal>).

use super::{read_be, write_be};

/// The first bytes of a journal header.
pub const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Length of the fields of a header in bytes; the header itself fills a sector.
pub const HEADER_BYTES: usize = 28;

/// A journal header, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its offset in the journal.
    pub at: usize,
    /// Page records that follow; 0xffffffff for all up to the end of the file.
    pub records: u32,
    /// The nonce with which checksums start.
    pub nonce: u32,
    /// Size of the database in pages before the transaction.
    pub original_pages: u32,
    /// Sector size in bytes.
    pub sector_bytes: u32,
    /// Page size in bytes.
    pub page_bytes: u32,
}

/// A page record, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the journal.
    pub at: usize,
    /// The page whose original content it holds.
    pub page: u32,
    /// Its checksum.
    pub checksum: u32,
    /// The header that it belongs to.
    pub header: Header,
}

impl Record {
    /// Offset of the page's bytes.
    pub fn content_at(&self) -> usize {
        self.at + 4
    }

    /// The correct checksum.
    pub fn expected_checksum(&self, journal: &[u8]) -> u32 {
        let content = &journal[self.content_at()..self.content_at() + self.header.page_bytes as usize];
        checksum(content, self.header.nonce)
    }
}

/// The header at `at`, if the magic number is there.
pub fn header(journal: &[u8], at: usize) -> Option<Header> {
    let rest = journal.get(at..)?;
    if rest.len() < HEADER_BYTES || !rest.starts_with(&MAGIC) {
        return None;
    }
    let number = |offset| read_be(rest, offset, 4) as u32;
    Some(Header {
        at,
        records: number(8),
        nonce: number(12),
        original_pages: number(16),
        sector_bytes: number(20),
        page_bytes: number(24),
    })
}

/// The complete records of `journal`, under all headers.
pub fn records(journal: &[u8]) -> Vec<Record> {
    groups(journal).into_iter().flat_map(|(_, records)| records).collect()
}

/// The headers of `journal`, each with its complete records. A header with impossible sizes is the last.
pub fn groups(journal: &[u8]) -> Vec<(Header, Vec<Record>)> {
    let mut groups = Vec::new();
    let mut at = 0;
    while let Some(header) = header(journal, at) {
        let page_bytes = header.page_bytes as usize;
        let sector = header.sector_bytes as usize;
        if !(512..=65536).contains(&page_bytes) || !(32..=65536).contains(&sector) {
            groups.push((header, Vec::new()));
            break;
        }
        let step = page_bytes + 8;
        let start = at + sector;
        let room = journal.len().saturating_sub(start) / step;
        let count = (header.records as usize).min(room);
        let records = (0..count).map(|i| {
            let at = start + i * step;
            let page = read_be(journal, at, 4) as u32;
            let checksum = read_be(journal, at + 4 + page_bytes, 4) as u32;
            Record { at, page, checksum, header }
        });
        groups.push((header, records.collect()));
        at = (start + count * step).next_multiple_of(sector);
    }
    groups
}

/// The super-journal that a journal names at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperJournal<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The offset of the name in the journal.
    pub at: usize,
    /// The checksum of the name is right; otherwise SQLite ignores it.
    pub is_checksum_right: bool,
}

/// Reads the super-journal at the end of `journal`: name, its length, its checksum, the magic number.
pub fn super_journal(journal: &[u8]) -> Option<SuperJournal<'_>> {
    let length_at = journal.len().checked_sub(16)?;
    let length = read_be(journal, length_at, 4) as usize;
    let at = length_at.checked_sub(length)?;
    let name = &journal[at..length_at];
    let is_checksum_right = read_be(journal, length_at + 4, 4) == u64::from(name_checksum(name));
    (journal.ends_with(&MAGIC) && length > 0).then_some(SuperJournal { name, at, is_checksum_right })
}

fn name_checksum(name: &[u8]) -> u32 {
    name.iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte as i8 as u32))
}

/// The checksum of a page: the nonce plus every 200th byte, counted from the end.
pub fn checksum(page: &[u8], nonce: u32) -> u32 {
    let mut sum = nonce;
    let mut at = page.len().saturating_sub(200);
    while at > 0 {
        sum = sum.wrapping_add(u32::from(page[at]));
        at = at.saturating_sub(200);
    }
    sum
}

/// Recomputes the checksums of all records.
pub fn repair(journal: &mut [u8]) {
    for record in records(journal) {
        let expected = record.expected_checksum(journal);
        let at = record.content_at() + record.header.page_bytes as usize;
        write_be(journal, at, 4, u64::from(expected));
    }
}

/// Default sector size of a journal.
const SECTOR_BYTES: u32 = 512;
/// Sector size of most disks.
const DISK_SECTOR_BYTES: usize = 4096;

/// Builds a valid hot journal with one header: `pages` are numbers with the contents to restore.
pub fn build(page_bytes: usize, original_pages: u32, nonce: u32, pages: &[(u32, &[u8])]) -> Vec<u8> {
    let header = Header {
        at: 0,
        records: 0,
        nonce,
        original_pages,
        sector_bytes: SECTOR_BYTES,
        page_bytes: page_bytes as u32,
    };
    build_groups(&header, &[pages])
}

/// Builds a hot journal with a header like `like` before each group of pages, as SQLite writes one at every sync, with
/// the right number of records. Sector and page size are rounded to valid ones.
pub fn build_groups(like: &Header, groups: &[&[(u32, &[u8])]]) -> Vec<u8> {
    let sector = like.sector_bytes.clamp(32, 65536).next_power_of_two();
    let page_bytes = like.page_bytes.clamp(512, 65536).next_power_of_two() as usize;
    let mut journal = Vec::new();
    for pages in groups {
        let start = journal.len().next_multiple_of(sector as usize);
        journal.resize(start + sector as usize, 0);
        journal[start..start + 8].copy_from_slice(&MAGIC);
        let numbers = [pages.len() as u32, like.nonce, like.original_pages, sector, page_bytes as u32];
        for (i, number) in numbers.into_iter().enumerate() {
            write_be(&mut journal, start + 8 + 4 * i, 4, u64::from(number));
        }
        for &(number, content) in *pages {
            journal.extend_from_slice(&number.to_be_bytes());
            let start = journal.len();
            journal.extend_from_slice(&content[..content.len().min(page_bytes)]);
            journal.resize(start + page_bytes + 4, 0);
        }
    }
    // SQLite looks for no header in a journal shorter than a sector.
    journal.resize(journal.len().max(DISK_SECTOR_BYTES), 0);
    repair(&mut journal);
    journal
}

/// Appends the name of a super-journal: before it the number of the lock-byte page, after it its length, its checksum
/// and the magic number.
pub fn append_super_journal(journal: &mut Vec<u8>, lock_byte_page: u32, name: &[u8]) {
    journal.extend_from_slice(&lock_byte_page.to_be_bytes());
    journal.extend_from_slice(name);
    let sum = name_checksum(name);
    journal.extend_from_slice(&(name.len() as u32).to_be_bytes());
    journal.extend_from_slice(&sum.to_be_bytes());
    journal.extend_from_slice(&MAGIC);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_behind_their_headers() {
        let page = [9; 512];
        let like = header(&build(512, 3, 5, &[]), 0).unwrap();
        let like = Header { sector_bytes: 4096, ..like };
        let groups: [&[(u32, &[u8])]; 3] = [&[(1, &page), (2, &page)], &[], &[(3, &page)]];
        let mut journal = build_groups(&like, &groups);
        let read = records(&journal);
        let places: Vec<_> = read.iter().map(|record| (record.header.at, record.page)).collect();
        assert_eq!(places, [(0, 1), (0, 2), (3 * 4096, 3)]);
        append_super_journal(&mut journal, 9, b"name");
        assert_eq!(records(&journal).len(), 3);
        let named = super_journal(&journal).unwrap();
        assert!(named.name == b"name" && named.is_checksum_right && journal.ends_with(&MAGIC));
        let at = journal.len() - 12;
        journal[at] ^= 1;
        assert!(!super_journal(&journal).unwrap().is_checksum_right);
    }

    #[test]
    fn a_built_journal_reads_back() {
        let page = [9; 1024];
        let mut journal = build(1024, 5, 77, &[(1, &page), (3, &page)]);
        let read = records(&journal);
        assert_eq!(read.iter().map(|record| record.page).collect::<Vec<_>>(), [1, 3]);
        assert!(read.iter().all(|record| record.checksum == record.expected_checksum(&journal)));
        // Bytes 1024-200k for k = 1..5: five of them count.
        assert_eq!(read[0].checksum, 77 + 5 * 9);
        journal.truncate(512 + 2 * (1024 + 8) - 1);
        assert_eq!(records(&journal).len(), 1);
    }
}
