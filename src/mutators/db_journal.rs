//! The rollback journal: created, edited page by page, or with one lie.

use super::db_files::{edit_log, edited, lay_over};
use super::db_header::has_main;
use super::{Context, Mutator, Outcome};
use crate::dbfile::geometry::LOCK_BYTE;
use crate::dbfile::journal::{self, Header, Record};
use crate::dbfile::{Geometry, read_be, write_be};
use crate::testcase::{FileName, JOURNAL, TestCase};

/// Offsets of the fields of a header.
const RECORDS_AT: usize = 8;
const NONCE_AT: usize = 12;
const ORIGINAL_PAGES_AT: usize = 16;
const SECTOR_BYTES_AT: usize = 20;
const PAGE_BYTES_AT: usize = 24;

/// A name that SQLite accepts as that of a super-journal.
const SUPER_JOURNAL: &str = "main.db-mj0123459ab";
/// That name, similar ones, names of existing files, and names that no super-journal can have.
const SUPER_JOURNALS: [&[u8]; 7] = [
    SUPER_JOURNAL.as_bytes(),
    SUPER_JOURNAL.as_bytes(),
    b"aux.db-mj0000009ff",
    b"main.db",
    b"main.db-journal",
    b"",
    b"/nowhere/at-all-mj1234567890",
];

/// Creates or edits the rollback journal.
pub(super) struct Journal;

impl Mutator for Journal {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let is_new = case.files.get(JOURNAL).is_none();
        let outcome = edit_log(case, &FileName::journal(), new_journal, edit, context);
        if is_new && outcome == Outcome::Mutated {
            case.files.remove(&FileName::wal());
        }
        let is_named = || case.files.get(JOURNAL).is_some_and(has_name);
        if !is_new && outcome == Outcome::Mutated && is_named() && context.chance(40) {
            add_super_journal(case);
        }
        outcome
    }
}

fn edit(image: &[u8], journal: &mut Vec<u8>, context: &mut Context<'_>) {
    if context.chance(60) {
        edit_records(image, journal, context);
    } else {
        let lie = LIES[context.rng.usize(0..LIES.len())];
        lie(journal, &Geometry::of(image), context);
    }
}

/// True if the journal ends with the name of a super-journal.
fn has_name(journal: &[u8]) -> bool {
    let end = journal.len().saturating_sub(16);
    journal[..end].ends_with(SUPER_JOURNAL.as_bytes())
}

/// Writes the super-journal, which names its journals.
fn add_super_journal(case: &mut TestCase) {
    if let Some(name) = FileName::new(SUPER_JOURNAL) {
        case.files.insert(name, b"main.db-journal\0aux.db-journal\0".to_vec());
    }
}

/// A hot journal that rolls some pages of `image` back to an edited version.
pub(super) fn new_journal(image: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let geometry = Geometry::of(image);
    let (mut new, mut pages) = edited(image, context);
    if pages.is_empty() {
        pages.push(context.rng.u32(1..=geometry.pages.max(1)));
    }
    if pages.len() * geometry.page_bytes > context.room().max(geometry.page_bytes) {
        return None;
    }
    new.resize(new.len().next_multiple_of(geometry.page_bytes), 0);
    let records: Vec<(u32, &[u8])> =
        pages.iter().map(|&number| (number, geometry.page(&new, number))).collect();
    let header = Header {
        at: 0,
        records: 0,
        nonce: context.rng.u32(..),
        original_pages: (new.len() / geometry.page_bytes) as u32,
        sector_bytes: [512, 512, 512, 32, 4096][context.rng.usize(0..5)],
        page_bytes: geometry.page_bytes as u32,
    };
    let cut = if context.chance(25) { context.rng.usize(0..=records.len()) } else { records.len() };
    let (first, second) = records.split_at(cut);
    let groups = [first, second];
    Some(journal::build_groups(&header, if second.is_empty() { &groups[..1] } else { &groups }))
}

/// Applies the records to the image, edits the result, and writes the changed pages to existing records, or to new ones
/// after a header of their own.
fn edit_records(image: &[u8], journal: &mut Vec<u8>, context: &mut Context<'_>) {
    let records = journal::records(journal);
    let Some(header) = journal::header(journal, 0) else {
        return;
    };
    let mut whole = image.to_vec();
    for record in &records {
        lay_over(&mut whole, record.page, content(journal, record));
    }
    let (new, pages) = edited(&whole, context);
    let geometry = Geometry::of(&new);
    let mut added: Vec<(u32, &[u8])> = Vec::new();
    for number in pages {
        let page = geometry.page(&new, number);
        match records.iter().rev().find(|record| record.page == number) {
            Some(record) => {
                let count = page.len().min(record.header.page_bytes as usize);
                let start = record.content_at();
                journal[start..start + count].copy_from_slice(&page[..count]);
            }
            None => added.push((number, page)),
        }
    }
    journal::repair(journal);
    let behind = journal::build_groups(&header, &[&added]);
    let sector = header.sector_bytes.clamp(32, 65536).next_power_of_two() as usize;
    if !added.is_empty() && behind.len() + sector <= context.room() {
        let end =
            records.last().map_or(sector, |last| last.content_at() + last.header.page_bytes as usize + 4);
        journal.resize(end.next_multiple_of(sector), 0);
        journal.extend_from_slice(&behind);
    }
}

fn content<'a>(journal: &'a [u8], record: &Record) -> &'a [u8] {
    &journal[record.content_at()..record.content_at() + record.header.page_bytes as usize]
}

/// An edit of a journal, given its database.
type Lie = fn(&mut Vec<u8>, &Geometry, &mut Context<'_>);

/// All lies.
pub(super) const LIES: [Lie; 13] = [
    cut,
    record_count,
    nonce,
    original_pages,
    sector_bytes,
    page_bytes,
    page_number,
    page_checksum,
    record_again,
    header_again,
    super_journal,
    no_magic,
    other_sector,
];

/// Stores a number in a header, usually the first.
fn set(journal: &mut [u8], at: usize, value: u32, context: &mut Context<'_>) {
    let headers: Vec<usize> = journal::records(journal).iter().map(|record| record.header.at).collect();
    let header = context.pick(&headers).copied().filter(|_| context.chance(30)).unwrap_or(0);
    write_be(journal, header + at, 4, u64::from(value));
}

fn cut(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let records = journal::records(journal);
    let length = match context.pick(&records) {
        Some(record) if context.chance(40) => record.at,
        _ => context.rng.usize(0..=journal.len()),
    };
    journal.truncate(length);
}

fn record_count(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let old = read_be(journal, RECORDS_AT, 4) as u32;
    let counts = [0, old.wrapping_add(1), old.wrapping_sub(1), u32::MAX, 0x7fff_ffff];
    set(journal, RECORDS_AT, counts[context.rng.usize(0..counts.len())], context);
}

fn nonce(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let value = context.number(read_be(journal, NONCE_AT, 4), 4) as u32;
    set(journal, NONCE_AT, value, context);
}

fn original_pages(journal: &mut Vec<u8>, geometry: &Geometry, context: &mut Context<'_>) {
    let pages = geometry.pages;
    let sizes = [
        0,
        1,
        2,
        pages.saturating_sub(1),
        pages,
        pages.saturating_add(1),
        pages.saturating_add(50),
        u32::MAX,
    ];
    set(journal, ORIGINAL_PAGES_AT, sizes[context.rng.usize(0..sizes.len())], context);
}

fn sector_bytes(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let sizes = [0, 1, 16, 31, 32, 33, 100, 512, 513, 1024, 4096, 65536, 131_072, u32::MAX];
    set(journal, SECTOR_BYTES_AT, sizes[context.rng.usize(0..sizes.len())], context);
}

fn page_bytes(journal: &mut Vec<u8>, geometry: &Geometry, context: &mut Context<'_>) {
    let own = geometry.page_bytes as u32;
    let sizes = [0, 1, 256, 512, 1000, 1024, 2 * own, own / 2, 65536, 131_072, u32::MAX];
    set(journal, PAGE_BYTES_AT, sizes[context.rng.usize(0..sizes.len())], context);
    if context.chance(50) {
        journal::repair(journal);
    }
}

/// Changes the page number of a record: none, the lock-byte page, a distant one, another.
fn page_number(journal: &mut Vec<u8>, geometry: &Geometry, context: &mut Context<'_>) {
    if let Some(&record) = context.pick(&journal::records(journal)) {
        let lock = geometry.lock_byte_page(LOCK_BYTE);
        let numbers = [0, 1, 2, geometry.pages, geometry.pages.saturating_add(1), lock, u32::MAX];
        write_be(journal, record.at, 4, u64::from(numbers[context.rng.usize(0..numbers.len())]));
    }
}

fn page_checksum(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    if let Some(&record) = context.pick(&journal::records(journal)) {
        let at = record.content_at() + record.header.page_bytes as usize;
        write_be(journal, at, 4, u64::from(record.checksum.wrapping_add(1)));
    }
}

/// Repeats a record at the end.
fn record_again(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let records = journal::records(journal);
    let (Some(record), Some(last)) = (context.pick(&records), records.last()) else {
        return;
    };
    let step = record.header.page_bytes as usize + 8;
    if step > context.room() || record.header.page_bytes != last.header.page_bytes {
        return;
    }
    let copied = journal[record.at..record.at + step].to_vec();
    journal.truncate(last.at + step);
    journal.extend_from_slice(&copied);
    let count = last.header.records.saturating_add(1);
    write_be(journal, last.header.at + RECORDS_AT, 4, u64::from(count));
}

/// Appends a header without records, as after a sync.
fn header_again(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let Some(header) = journal::header(journal, 0) else {
        return;
    };
    let sector = header.sector_bytes.clamp(32, 65536).next_power_of_two() as usize;
    if 2 * sector <= context.room() {
        let end = journal.len().next_multiple_of(sector);
        journal.resize(end, 0);
        let mut copied = journal[..sector.min(end)].to_vec();
        write_be(&mut copied, RECORDS_AT, 4, [0, 1, u64::from(u32::MAX)][context.rng.usize(0..3)]);
        journal.append(&mut copied);
    }
}

fn super_journal(journal: &mut Vec<u8>, geometry: &Geometry, context: &mut Context<'_>) {
    let name = SUPER_JOURNALS[context.rng.usize(0..SUPER_JOURNALS.len())];
    if context.room() < 64 {
        return;
    }
    journal::append_super_journal(journal, geometry.lock_byte_page(LOCK_BYTE), name);
    if context.chance(30) {
        // The length of the name, or its checksum.
        let at = journal.len() - [16, 12][context.rng.usize(0..2)];
        let value = context.number(read_be(journal, at, 4), 4);
        write_be(journal, at, 4, value);
    }
}

/// Overwrites the header, so that the journal is not hot.
fn no_magic(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let length = if context.chance(50) { journal::HEADER_BYTES } else { 1 };
    journal.iter_mut().take(length).for_each(|byte| *byte = 0);
}

/// The same records after headers of another sector size: no lie.
fn other_sector(journal: &mut Vec<u8>, _: &Geometry, context: &mut Context<'_>) {
    let records = journal::records(journal);
    let Some(header) = journal::header(journal, 0) else {
        return;
    };
    let sector_bytes = 32 << context.rng.u32(0..8);
    if sector_bytes as usize > context.room() {
        return;
    }
    let pages: Vec<(u32, &[u8])> =
        records.iter().map(|record| (record.page, content(journal, record))).collect();
    let new = journal::build_groups(&Header { sector_bytes, ..header }, &[&pages]);
    *journal = new;
}
