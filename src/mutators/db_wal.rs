//! The write-ahead log: created, edited page by page, or with one lie.

use super::db_files::{edit_log, edited, lay_over};
use super::db_header::has_main;
use super::{Context, Mutator, Outcome};
use crate::dbfile::{Geometry, header, read_be, wal, write_be};
use crate::testcase::{FileName, TestCase, WAL};

/// Offsets of the fields of the log's header.
const MAGIC_AT: usize = 0;
const FORMAT_AT: usize = 4;
const PAGE_BYTES_AT: usize = 8;
const SEQUENCE_AT: usize = 12;
const SALTS_AT: usize = 16;
/// Offsets of the fields of a frame.
const COMMIT_AT: usize = 4;
const FRAME_SALTS_AT: usize = 8;
const FRAME_CHECKSUM_AT: usize = 16;

/// Creates or edits the write-ahead log.
pub(super) struct Wal;

impl Mutator for Wal {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let is_new = case.files.get(WAL).is_none();
        let outcome = edit_log(case, &FileName::wal(), new_log, edit, context);
        if is_new && outcome == Outcome::Mutated {
            case.files.remove(&FileName::journal());
            case.files.edit(&FileName::main(), |image| {
                header::WRITE_VERSION.set(image, 2);
                header::READ_VERSION.set(image, 2);
            });
        }
        outcome
    }
}

fn edit(image: &[u8], log: &mut Vec<u8>, context: &mut Context<'_>) {
    if context.chance(60) {
        edit_frames(image, log, context);
    } else {
        let lie = LIES[context.rng.usize(0..LIES.len())];
        lie(log, Geometry::of(image).pages, context);
    }
}

/// A valid log that changes some pages of `image`, in one or several transactions.
pub(super) fn new_log(image: &[u8], context: &mut Context<'_>) -> Option<Vec<u8>> {
    let geometry = Geometry::of(image);
    let (mut new, mut pages) = edited(image, context);
    if pages.is_empty() {
        pages.push(context.rng.u32(1..=geometry.pages.max(1)));
    }
    // The first whole page after the end of a file whose last page is incomplete.
    new.resize(new.len().next_multiple_of(geometry.page_bytes), 0);
    let size = (new.len() / geometry.page_bytes) as u32;
    if pages.contains(&1) {
        header::WRITE_VERSION.set(&mut new, 2);
        header::READ_VERSION.set(&mut new, 2);
    }
    if pages.len() * geometry.page_bytes > context.room().max(geometry.page_bytes) {
        return None;
    }
    let last = pages.len() - 1;
    let frames: Vec<(u32, &[u8], u32)> = pages
        .iter()
        .enumerate()
        .map(|(i, &number)| {
            let commit = if i == last || context.chance(20) { size } else { 0 };
            (number, geometry.page(&new, number), commit)
        })
        .collect();
    let salts = [context.rng.u32(..), context.rng.u32(..)];
    let mut log = wal::build(geometry.page_bytes, salts, &frames);
    if context.chance(30) {
        swap_byte_order(&mut log, size, context);
    }
    if context.chance(30) {
        sequence(&mut log, size, context);
    }
    Some(log)
}

/// Applies the frames to the image, edits the result, and writes the changed pages as one more transaction, or in place
/// of an old frame.
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
    let mut room = context.room();
    let step = wal::FRAME_HEADER_BYTES + page_bytes;
    let mut end = wal::HEADER_BYTES + frames.len() * step;
    for number in pages {
        let page = geometry.page(&new, number);
        let existing = frames.iter().rev().find(|frame| frame.page == number);
        let at = match existing {
            Some(frame) if context.chance(70) => frame.at,
            _ if step <= room => {
                room -= step;
                log.truncate(end);
                log.resize(end + step, 0);
                write_be(log, end, 4, u64::from(number));
                write_be(log, end + COMMIT_AT, 4, u64::from(geometry.pages));
                end += step;
                end - step
            }
            _ => continue,
        };
        let count = page.len().min(page_bytes);
        let start = at + wal::FRAME_HEADER_BYTES;
        log[start..start + count].copy_from_slice(&page[..count]);
    }
    wal::repair(log);
}

/// An edit of a log, given the number of pages of its database.
type Lie = fn(&mut Vec<u8>, u32, &mut Context<'_>);

/// All lies, and some edits that are none: byte order, sequence, commits.
pub(super) const LIES: [Lie; 15] = [
    cut,
    frame_again,
    frame_out,
    frame_salt,
    commit_size,
    page_number,
    frame_checksum,
    more_commits,
    old_tail,
    header_salts,
    swap_byte_order,
    swap_magic,
    page_size,
    sequence,
    any_field,
];

/// A frame's offset, and the size of a frame.
fn pick_frame(log: &[u8], context: &mut Context<'_>) -> Option<(wal::Frame, usize)> {
    let page_bytes = wal::header(log)?.valid_page_bytes()?;
    let frame = *context.pick(&wal::frames(log))?;
    Some((frame, wal::FRAME_HEADER_BYTES + page_bytes))
}

/// Truncates the log, in the middle of a frame or at its end.
fn cut(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    let length = match pick_frame(log, context) {
        Some((frame, _)) if context.chance(40) => frame.at,
        _ => context.rng.usize(0..=log.len()),
    };
    log.truncate(length);
}

fn frame_again(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    if let Some((frame, step)) = pick_frame(log, context)
        && step <= context.room()
    {
        let copied = log[frame.at..frame.at + step].to_vec();
        log.extend_from_slice(&copied);
        wal::repair(log);
    }
}

fn frame_out(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    if let Some((frame, step)) = pick_frame(log, context) {
        log.drain(frame.at..frame.at + step);
        if context.chance(70) {
            wal::repair(log);
        }
    }
}

/// Gives a frame an older generation, which ends the log.
fn frame_salt(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    if let Some((frame, _)) = pick_frame(log, context) {
        let at = frame.at + FRAME_SALTS_AT + 4 * context.rng.usize(0..2);
        let old = read_be(log, at, 4);
        let value = if context.chance(50) { old.wrapping_sub(1) } else { context.number(old, 4) };
        write_be(log, at, 4, value);
    }
}

/// Changes the database size in a commit frame: none, too small, too large.
fn commit_size(log: &mut Vec<u8>, pages: u32, context: &mut Context<'_>) {
    if let Some((frame, _)) = pick_frame(log, context) {
        let sizes =
            [0, 1, 2, pages.saturating_sub(1), pages.saturating_add(1), pages.saturating_add(100), u32::MAX];
        let size = sizes[context.rng.usize(0..sizes.len())];
        write_be(log, frame.at + COMMIT_AT, 4, u64::from(size));
        wal::repair(log);
    }
}

/// Changes the page number of a frame: none, a distant one, another.
fn page_number(log: &mut Vec<u8>, pages: u32, context: &mut Context<'_>) {
    if let Some((frame, _)) = pick_frame(log, context) {
        let numbers = [0, 1, 2, pages, pages.saturating_add(1), 0x7fff_fffe, 0x8000_0000, u32::MAX];
        let number = numbers[context.rng.usize(0..numbers.len())];
        write_be(log, frame.at, 4, u64::from(number));
        wal::repair(log);
    }
}

fn frame_checksum(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    if let Some((frame, _)) = pick_frame(log, context) {
        let at = frame.at + FRAME_CHECKSUM_AT + context.rng.usize(0..8);
        log[at] ^= 1 << context.rng.u32(0..8);
    }
}

/// Makes every frame, or half of them, a commit.
fn more_commits(log: &mut Vec<u8>, pages: u32, context: &mut Context<'_>) {
    let is_each = context.chance(30);
    for frame in wal::frames(log) {
        if is_each || context.chance(50) {
            write_be(log, frame.at + COMMIT_AT, 4, u64::from(pages));
        }
    }
    wal::repair(log);
}

/// Appends frames of an older generation, as in a log that was restarted.
fn old_tail(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    if let Some((frame, step)) = pick_frame(log, context)
        && step <= context.room()
    {
        let mut copied = log[frame.at..frame.at + step].to_vec();
        let old = read_be(&copied, FRAME_SALTS_AT, 4);
        write_be(&mut copied, FRAME_SALTS_AT, 4, old.wrapping_sub(1));
        log.extend_from_slice(&copied);
    }
}

/// Gives the header a newer generation than all frames.
fn header_salts(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    let old = read_be(log, SALTS_AT, 4);
    write_be(log, SALTS_AT, 4, old.wrapping_add(1));
    write_be(log, SALTS_AT + 4, 4, u64::from(context.rng.u32(..)));
    repair_header(log);
}

/// Recomputes the checksum of the header alone.
fn repair_header(log: &mut Vec<u8>) {
    let end = wal::HEADER_BYTES.min(log.len());
    let mut first = log[..end].to_vec();
    wal::repair(&mut first);
    log[..end].copy_from_slice(&first);
}

/// Checksums in the other byte order, and correct.
fn swap_byte_order(log: &mut Vec<u8>, pages: u32, context: &mut Context<'_>) {
    swap_magic(log, pages, context);
    wal::repair(log);
}

/// The magic number of the other byte order, with checksums in this one.
fn swap_magic(log: &mut Vec<u8>, _: u32, _: &mut Context<'_>) {
    if let Some(byte) = log.get_mut(MAGIC_AT + 3) {
        *byte ^= 1;
    }
}

/// A page size other than the database's.
fn page_size(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    let sizes = [0, 1, 256, 512, 513, 1024, 4096, 65536, 131_072, u32::MAX];
    write_be(log, PAGE_BYTES_AT, 4, u64::from(sizes[context.rng.usize(0..sizes.len())]));
    wal::repair(log);
}

fn sequence(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    let value = context.number(read_be(log, SEQUENCE_AT, 4), 4);
    write_be(log, SEQUENCE_AT, 4, value);
    wal::repair(log);
}

/// Changes any number of the header or a frame, with correct checksums or not.
fn any_field(log: &mut Vec<u8>, _: u32, context: &mut Context<'_>) {
    let at = match pick_frame(log, context) {
        Some((frame, _)) if context.chance(60) => frame.at + 4 * context.rng.usize(0..6),
        _ => [MAGIC_AT, FORMAT_AT, PAGE_BYTES_AT, SEQUENCE_AT, SALTS_AT, 20, 24, 28][context.rng.usize(0..8)],
    };
    let value = context.number(read_be(log, at, 4), 4);
    write_be(log, at, 4, value);
    if context.chance(50) {
        wal::repair(log);
    }
}
