//! Files as a whole: size, write-ahead log, rollback journal.
//!
//! Log and journal are edited with the same page mutators as the database: they are laid over it, the
//! whole is edited, and the pages that changed go back into frames or records with right checksums. Or
//! one field lies.

use super::db_header::{self, has_main};
use super::{Context, Mutator, Outcome, db_cells, db_pages, db_schema};
use crate::dbfile::{Geometry, header, journal, read_be, wal, write_be};
use crate::testcase::{FileName, TestCase};

/// Edits of an image, for pages in a log or journal.
const IMAGE_EDITS: [fn(&mut Vec<u8>, &mut Context<'_>) -> Outcome; 9] = [
    db_pages::edit_header,
    db_pages::edit_pointer,
    db_pages::copy,
    db_cells::edit_pointers,
    db_cells::edit_list,
    db_cells::edit_field,
    db_cells::edit_value,
    db_cells::edit_type,
    db_schema::edit_sql,
];
/// Most frames or records of a log or journal that is made.
const PAGES_MAX: usize = 8;

/// The database becomes shorter or longer.
pub(super) struct Size;

impl Mutator for Size {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        db_header::edit_main(case, context, |image, context| {
            let geometry = Geometry::of(image);
            let (old, page) = (image.len(), geometry.page_bytes);
            let new = match context.rng.u8(0..4) {
                0 => old.saturating_sub(page * context.rng.usize(1..4)),
                1 => context.rng.usize(0..=old),
                2 => old + page,
                _ => old.next_multiple_of(page) + page * context.rng.usize(0..3),
            };
            if new == old {
                return Outcome::Skipped;
            }
            image.resize(new, 0);
            if context.chance(50) && image.len() >= header::HEADER_BYTES {
                db_header::repair(image);
            }
            Outcome::Mutated
        })
    }
}

/// The write-ahead log: made, edited page by page, or with one lie.
pub(super) struct Wal;

impl Mutator for Wal {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let image = case.files.main().unwrap_or_default().to_vec();
        let name = FileName::wal();
        match case.files.get(name.as_str()).map(<[u8]>::to_vec) {
            None => {
                let Some(log) = new_log(&image, context) else {
                    return Outcome::Skipped;
                };
                case.files.insert(name, log);
                case.files.remove(&FileName::journal());
                case.files.edit(&FileName::main(), |image| {
                    header::WRITE_VERSION.set(image, 2);
                    header::READ_VERSION.set(image, 2);
                });
                Outcome::Mutated
            }
            Some(_) if context.chance(4) => {
                case.files.remove(&name);
                Outcome::Mutated
            }
            Some(mut log) => {
                let before = log.clone();
                if context.chance(60) {
                    edit_frames(&image, &mut log, context)
                } else {
                    lie_in_log(&mut log, context)
                }
                let outcome = if log == before { Outcome::Skipped } else { Outcome::Mutated };
                case.files.insert(name, log);
                outcome
            }
        }
    }
}

/// `image` after one to three edits, and the pages that changed.
fn edited(image: &[u8], context: &mut Context<'_>) -> (Vec<u8>, Vec<u32>) {
    let geometry = Geometry::of(image);
    let mut new = image.to_vec();
    for _ in 0..context.rng.usize(1..4) {
        let edit = IMAGE_EDITS[context.rng.usize(0..IMAGE_EDITS.len())];
        edit(&mut new, context);
    }
    let changed = |&number: &u32| geometry.page(image, number) != geometry.page(&new, number);
    let pages = (1..=geometry.pages).filter(changed).take(PAGES_MAX).collect();
    (new, pages)
}

/// A log that changes some pages of `image`.
fn new_log(image: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let geometry = Geometry::of(image);
    let (new, mut pages) = edited(image, context);
    if pages.is_empty() {
        pages.push(context.rng.u32(1..=geometry.pages.max(1)));
    }
    if pages.len() * geometry.page_bytes > context.room() {
        return None;
    }
    let last = pages.len() - 1;
    let frames: Vec<(u32, &[u8], u32)> = pages
        .iter()
        .enumerate()
        .map(|(i, &number)| {
            let commit = if i == last || context.chance(20) { geometry.pages } else { 0 };
            (number, geometry.page(&new, number), commit)
        })
        .collect();
    let salts = [context.rng.u32(..), context.rng.u32(..)];
    Some(wal::build(geometry.page_bytes, salts, &frames))
}

/// Lays the frames over the image, edits the whole, and puts pages that changed back.
fn edit_frames(image: &[u8], log: &mut Vec<u8>, context: &mut Context<'_>) {
    let Some(page_bytes) = wal::header(log).and_then(|header| header.valid_page_bytes()) else {
        return;
    };
    let frames = wal::frames(log);
    let mut whole = image.to_vec();
    for frame in &frames {
        let content = frame.at + wal::FRAME_HEADER_BYTES..frame.at + wal::FRAME_HEADER_BYTES + page_bytes;
        lay_over(&mut whole, frame.page, &log[content]);
    }
    let (new, pages) = edited(&whole, context);
    let geometry = Geometry::of(&new);
    for number in pages {
        let page = geometry.page(&new, number);
        let existing = frames.iter().rev().find(|frame| frame.page == number);
        let at = match existing {
            Some(frame) if context.chance(70) => frame.at,
            _ if wal::FRAME_HEADER_BYTES + page_bytes <= context.room() => {
                let at = wal::HEADER_BYTES + frames.len() * (wal::FRAME_HEADER_BYTES + page_bytes);
                log.truncate(at);
                log.resize(at + wal::FRAME_HEADER_BYTES + page_bytes, 0);
                write_be(log, at, 4, u64::from(number));
                write_be(log, at + 4, 4, u64::from(geometry.pages));
                at
            }
            _ => continue,
        };
        let count = page.len().min(page_bytes);
        let start = at + wal::FRAME_HEADER_BYTES;
        log[start..start + count].copy_from_slice(&page[..count]);
    }
    wal::repair(log);
}

fn lay_over(image: &mut Vec<u8>, number: u32, page: &[u8]) {
    let start = (number as usize).saturating_sub(1).saturating_mul(page.len());
    // A frame far beyond the end is a lie, not a page.
    if number == 0 || start > image.len() + 4 * page.len() {
        return;
    }
    if image.len() < start + page.len() {
        image.resize(start + page.len(), 0);
    }
    image[start..start + page.len()].copy_from_slice(page);
}

/// One field of the header or of a frame is wrong, checksums recomputed or not; or frames go, come
/// twice, or are cut.
fn lie_in_log(log: &mut Vec<u8>, context: &mut Context<'_>) {
    let frames = wal::frames(log);
    let step = frames.get(1).map_or(log.len(), |frame| frame.at - frames[0].at);
    let frame = context.pick(&frames).copied();
    match (context.rng.u8(0..6), frame) {
        (0, _) => log.truncate(context.rng.usize(0..=log.len())),
        (1, Some(frame)) if step <= context.room() => {
            let copied = log[frame.at..(frame.at + step).min(log.len())].to_vec();
            log.extend_from_slice(&copied);
        }
        (2, Some(frame)) => drop(log.drain(frame.at..(frame.at + step).min(log.len()))),
        (3 | 4, Some(frame)) => {
            let at = frame.at + 4 * context.rng.usize(0..6);
            let value = context.number(read_be(log, at, 4), 4);
            write_be(log, at, 4, value);
        }
        _ => {
            let at = 4 * context.rng.usize(0..8);
            let value = context.number(read_be(log, at, 4), 4);
            write_be(log, at, 4, value);
        }
    }
    if context.chance(50) {
        wal::repair(log);
    }
}

/// The rollback journal: made, edited page by page, or with one lie.
pub(super) struct Journal;

impl Mutator for Journal {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let image = case.files.main().unwrap_or_default().to_vec();
        let name = FileName::journal();
        match case.files.get(name.as_str()).map(<[u8]>::to_vec) {
            None => {
                let Some(journal) = new_journal(&image, context) else {
                    return Outcome::Skipped;
                };
                case.files.insert(name, journal);
                case.files.remove(&FileName::wal());
                Outcome::Mutated
            }
            Some(_) if context.chance(4) => {
                case.files.remove(&name);
                Outcome::Mutated
            }
            Some(mut journal) => {
                let before = journal.clone();
                if context.chance(60) {
                    edit_records(&image, &mut journal, context);
                } else {
                    lie_in_journal(&mut journal, context);
                }
                let outcome = if journal == before { Outcome::Skipped } else { Outcome::Mutated };
                case.files.insert(name, journal);
                outcome
            }
        }
    }
}

/// A hot journal that puts back some pages of `image` as an edit would have them.
fn new_journal(image: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let geometry = Geometry::of(image);
    let (new, mut pages) = edited(image, context);
    if pages.is_empty() {
        pages.push(context.rng.u32(1..=geometry.pages.max(1)));
    }
    if pages.len() * geometry.page_bytes > context.room() {
        return None;
    }
    let records: Vec<(u32, &[u8])> =
        pages.iter().map(|&number| (number, geometry.page(&new, number))).collect();
    let original_pages =
        if context.chance(80) { geometry.pages } else { context.rng.u32(0..=geometry.pages + 2) };
    Some(journal::build(geometry.page_bytes, original_pages, context.rng.u32(..), &records))
}

fn edit_records(image: &[u8], journal: &mut [u8], context: &mut Context<'_>) {
    let records = journal::records(journal);
    let mut whole = image.to_vec();
    for record in &records {
        let content = record.content_at()..record.content_at() + record.header.page_bytes as usize;
        lay_over(&mut whole, record.page, &journal[content]);
    }
    let (new, pages) = edited(&whole, context);
    let geometry = Geometry::of(&new);
    for number in pages {
        if let Some(record) = records.iter().rev().find(|record| record.page == number) {
            let page = geometry.page(&new, number);
            let count = page.len().min(record.header.page_bytes as usize);
            journal[record.content_at()..record.content_at() + count].copy_from_slice(&page[..count]);
        }
    }
    journal::repair(journal);
}

/// One field of the header or of a record is wrong, checksums recomputed or not; or the tail is cut.
fn lie_in_journal(journal: &mut Vec<u8>, context: &mut Context<'_>) {
    let records = journal::records(journal);
    match (context.rng.u8(0..4), context.pick(&records).copied()) {
        (0, _) => journal.truncate(context.rng.usize(0..=journal.len())),
        (1, Some(record)) => {
            let value = context.number(u64::from(record.page), 4);
            write_be(journal, record.at, 4, value);
        }
        _ => {
            // Record count, nonce, original size, sector size, page size.
            let at = 8 + 4 * context.rng.usize(0..5);
            let powers = [0, 1, 32, 100, 512, 1024, 4096, 65536, 0xffff_ffff];
            let value = if context.chance(50) {
                powers[context.rng.usize(0..powers.len())]
            } else {
                context.number(read_be(journal, at, 4), 4)
            };
            write_be(journal, at, 4, value);
        }
    }
    if context.chance(50) {
        journal::repair(journal);
    }
}
