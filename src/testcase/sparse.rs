//! File content without its runs of zeros.
//!
//! Database files are mostly zeros (a fresh page of 64 KiB holds a few dozen bytes), and every byte
//! of a case is copied, hashed and mutated many times. Layout, all numbers in LEB128:
//! `length (zeros count bytes)*`; anything missing at the end is zeros.

use std::ops::Range;

use super::envelope::Reader;
use super::{DecodeError, FILE_BYTES_MAX};

/// A run of zeros shorter than this costs more as a gap than as bytes.
const GAP_BYTES_MIN: usize = 8;

/// Appends `content` to `out`.
pub(super) fn write(content: &[u8], out: &mut Vec<u8>) {
    write_varint(content.len() as u64, out);
    let mut at = 0;
    for run in nonzero_runs(content) {
        write_varint((run.start - at) as u64, out);
        write_varint(run.len() as u64, out);
        out.extend_from_slice(&content[run.clone()]);
        at = run.end;
    }
}

/// The ranges of `content` that are not zeros, in order; runs of fewer than eight zeros are left inside.
pub fn nonzero_runs(content: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = first_nonzero(content, at)?;
        at = end_of_run(content, start);
        Some(start..at)
    })
}

/// Reads all of `reader`. A lenient reader truncates what does not fit.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let claimed = reader.varint("length of a file")?;
    let length = usize::try_from(claimed).unwrap_or(usize::MAX).min(FILE_BYTES_MAX);
    if length as u64 != claimed {
        reader.tolerate("a file is larger than a case may hold")?;
    }
    // Allocated at once and already zeroed: most of it is zeros, and replays read whole corpora.
    let (mut content, mut end) = (vec![0; length], 0_usize);
    while !reader.is_empty() {
        let zeros = reader.varint("run of zeros")?;
        let count = reader.varint("count of bytes")?;
        let bytes = reader.take(count, "bytes of a file")?;
        let start = (end as u64).saturating_add(zeros);
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(length);
        let room = length - start;
        if bytes.len() > room {
            reader.tolerate("content beyond the length of its file")?;
        }
        end = start + bytes.len().min(room);
        content[start..end].copy_from_slice(&bytes[..end - start]);
    }
    Ok(content)
}

/// Appends `value` as LEB128.
pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn first_nonzero(content: &[u8], mut from: usize) -> Option<usize> {
    // Block by block, then eight bytes at a time: images are scanned once per execution.
    const ZEROS: [u8; 256] = [0; 256];
    while content.get(from..from + ZEROS.len()) == Some(&ZEROS[..]) {
        from += ZEROS.len();
    }
    let rest = &content[from..];
    let words = rest.chunks_exact(8).take_while(|word| **word == [0; 8]).count() * 8;
    rest[words..].iter().position(|&byte| byte != 0).map(|i| from + words + i)
}

/// End of the bytes from `start` up to the next run of at least [`GAP_BYTES_MIN`] zeros.
fn end_of_run(content: &[u8], start: usize) -> usize {
    let mut end = start;
    loop {
        match content[end..].iter().position(|&byte| byte == 0) {
            None => return content.len(),
            Some(i) => end += i,
        }
        match first_nonzero(content, end) {
            Some(next) if next - end < GAP_BYTES_MIN => end = next,
            _ => return end,
        }
    }
}
