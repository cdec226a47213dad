//! Write-ahead logs (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).

use super::{read_be, write_be};

/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 32;
/// Length of the header of a frame in bytes; the page follows.
pub const FRAME_HEADER_BYTES: usize = 24;
/// The magic number of a log whose checksums read words little-endian; the lowest bit set means big-endian.
pub const MAGIC: u32 = 0x377f_0682;
/// The only format version.
pub const FORMAT: u32 = 3_007_000;

/// The header of a log, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC`], possibly with the lowest bit set.
    pub magic: u32,
    /// [`FORMAT`].
    pub format: u32,
    /// Page size in bytes.
    pub page_bytes: u32,
    /// Checkpoint sequence number.
    pub sequence: u32,
    /// The salts, which valid frames repeat.
    pub salts: [u32; 2],
    /// Checksum of the 24 bytes before it.
    pub checksum: [u32; 2],
}

/// A frame, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Offset of its header in the log.
    pub at: usize,
    /// The page that it replaces.
    pub page: u32,
    /// Size of the database in pages after a commit; 0 if the frame commits nothing.
    pub commit_pages: u32,
    /// Salts.
    pub salts: [u32; 2],
    /// Running checksum.
    pub checksum: [u32; 2],
}

fn pair(bytes: &[u8], at: usize) -> [u32; 2] {
    [read_be(bytes, at, 4) as u32, read_be(bytes, at + 4, 4) as u32]
}

/// The header of `log`, if it is long enough for one.
pub fn header(log: &[u8]) -> Option<Header> {
    let number = |at| read_be(log, at, 4) as u32;
    (log.len() >= HEADER_BYTES).then(|| Header {
        magic: number(0),
        format: number(4),
        page_bytes: number(8),
        sequence: number(12),
        salts: pair(log, 16),
        checksum: pair(log, 24),
    })
}

impl Header {
    /// The page size, if it is one that SQLite accepts.
    pub fn valid_page_bytes(&self) -> Option<usize> {
        let bytes = self.page_bytes as usize;
        (bytes.is_power_of_two() && (512..=65536).contains(&bytes)).then_some(bytes)
    }
}

/// The complete frames of `log`.
pub fn frames(log: &[u8]) -> Vec<Frame> {
    let Some(page_bytes) = header(log).and_then(|header| header.valid_page_bytes()) else {
        return Vec::new();
    };
    let step = FRAME_HEADER_BYTES + page_bytes;
    let count = (log.len() - HEADER_BYTES) / step;
    let frame = |i: usize| {
        let at = HEADER_BYTES + i * step;
        Frame {
            at,
            page: read_be(log, at, 4) as u32,
            commit_pages: read_be(log, at + 4, 4) as u32,
            salts: pair(log, at + 8),
            checksum: pair(log, at + 16),
        }
    };
    (0..count).map(frame).collect()
}

/// How many frames, from the first on, have the salts of the header and the right checksum.
pub fn valid_frames(log: &[u8]) -> usize {
    let Some(header) = header(log) else {
        return 0;
    };
    let big_endian = header.magic & 1 == 1;
    let mut running = checksum(&log[..24], [0; 2], big_endian);
    if running != header.checksum {
        return 0;
    }
    let frames = frames(log);
    let mut valid = 0;
    for frame in &frames {
        running = frame_checksum(log, frame, running, big_endian);
        if frame.salts != header.salts || running != frame.checksum || frame.page == 0 {
            break;
        }
        valid += 1;
    }
    valid
}

/// Recomputes the checksums of the header and of all frames, and gives all frames the header's salts.
pub fn repair(log: &mut [u8]) {
    let Some(header) = header(log) else {
        return;
    };
    let big_endian = header.magic & 1 == 1;
    let mut running = checksum(&log[..24], [0; 2], big_endian);
    write_pair(log, 24, running);
    for frame in frames(log) {
        write_pair(log, frame.at + 8, header.salts);
        running = frame_checksum(log, &frame, running, big_endian);
        write_pair(log, frame.at + 16, running);
    }
}

fn write_pair(bytes: &mut [u8], at: usize, pair: [u32; 2]) {
    write_be(bytes, at, 4, u64::from(pair[0]));
    write_be(bytes, at + 4, 4, u64::from(pair[1]));
}

/// The running checksum after `frame`: it covers the page and the first 8 bytes of the header, not the salts.
pub(crate) fn frame_checksum(log: &[u8], frame: &Frame, running: [u32; 2], big_endian: bool) -> [u32; 2] {
    let page_at = frame.at + FRAME_HEADER_BYTES;
    let page_bytes = header(log).and_then(|header| header.valid_page_bytes()).unwrap_or(0);
    let running = checksum(&log[frame.at..frame.at + 8], running, big_endian);
    checksum(&log[page_at..page_at + page_bytes], running, big_endian)
}

/// The checksum over `bytes`, whose length is a multiple of 8, continued from `[s0, s1]`.
pub fn checksum(bytes: &[u8], [mut s0, mut s1]: [u32; 2], big_endian: bool) -> [u32; 2] {
    let word = |four: &[u8]| {
        let four = four.try_into().expect("four bytes");
        if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    for words in bytes.chunks_exact(8) {
        s0 = s0.wrapping_add(word(&words[..4])).wrapping_add(s1);
        s1 = s1.wrapping_add(word(&words[4..])).wrapping_add(s0);
    }
    [s0, s1]
}

/// Builds a valid log with little-endian checksums: a frame for each `(page number, page, size after commit or 0)`. All pages have
/// `page_bytes` bytes; shorter ones are padded with zeros.
pub fn build(page_bytes: usize, salts: [u32; 2], frames: &[(u32, &[u8], u32)]) -> Vec<u8> {
    let mut log = vec![0; HEADER_BYTES];
    for (i, number) in [MAGIC, FORMAT, page_bytes as u32, 0, salts[0], salts[1]].into_iter().enumerate() {
        write_be(&mut log, 4 * i, 4, u64::from(number));
    }
    for &(number, page, commit_pages) in frames {
        let at = log.len();
        log.resize(at + FRAME_HEADER_BYTES, 0);
        write_be(&mut log, at, 4, u64::from(number));
        write_be(&mut log, at + 4, 4, u64::from(commit_pages));
        log.extend_from_slice(&page[..page.len().min(page_bytes)]);
        log.resize(at + FRAME_HEADER_BYTES + page_bytes, 0);
    }
    repair(&mut log);
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_log_is_valid_and_damage_ends_it() {
        let page = [7; 512];
        let mut log = build(512, [1, 2], &[(1, &page, 0), (2, &page, 2), (1, &page, 2)]);
        assert_eq!((frames(&log).len(), valid_frames(&log)), (3, 3));
        log[HEADER_BYTES + FRAME_HEADER_BYTES + 512 + 30] ^= 1;
        assert_eq!(valid_frames(&log), 1);
        repair(&mut log);
        assert_eq!(valid_frames(&log), 3);
        assert_eq!(valid_frames(&log[..log.len() - 1]), 2);
        for end in 0..100 {
            valid_frames(&log[..end]);
        }
    }
}
