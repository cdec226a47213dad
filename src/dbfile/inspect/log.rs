//! A write-ahead log, and how SQLite recovers it: `walIndexRecover` in its `wal.c`.

use serde::Serialize;

use crate::dbfile::wal::{self, FORMAT, FRAME_HEADER_BYTES, HEADER_BYTES, MAGIC};

/// Salts are incremented at each restart of the log: frames from this many restarts ago count as leftovers.
const RESTARTS_MAX: u32 = 1 << 16;

/// Why recovery stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// There is no further frame.
    End,
    /// The header is invalid, and the whole log is ignored.
    Header,
    /// The log ends within a frame.
    CutFrame,
    /// A frame from before the log was restarted: everything after it is rightly ignored.
    OldSalts,
    /// A frame with other salts than the header.
    Salts,
    /// A frame for page 0.
    PageZero,
    /// A frame with a wrong checksum.
    Checksum,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrameReport {
    /// Its number, from 1.
    pub number: usize,
    /// Its offset in the log, in bytes.
    pub offset: usize,
    /// The page that it replaces.
    pub page: u32,
    /// Size of the database in pages after a commit; 0 if it commits nothing.
    pub commit_pages: u32,
    /// Its salts.
    pub salts: [u32; 2],
    /// They match the header.
    pub is_salt_right: bool,
    /// Its checksum continues that of the frame before it.
    pub is_checksum_right: bool,
    /// SQLite applies it: it belongs to a committed transaction.
    pub is_recovered: bool,
}

/// Everything about a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Size of the file in bytes.
    pub file_bytes: usize,
    /// Its magic number; 0 if there is no header.
    pub magic: u32,
    /// Checksums read words big-endian.
    pub is_big_endian: bool,
    /// Its format version.
    pub format: u32,
    /// Its page size in bytes.
    pub page_bytes: u32,
    /// Its checkpoint sequence number.
    pub sequence: u32,
    /// Its salts.
    pub salts: [u32; 2],
    /// What is wrong with the header: the actual and the expected values.
    pub header_problems: Vec<String>,
    /// The complete frames.
    pub frames: Vec<FrameReport>,
    /// Frames, from the first, that pass all checks.
    pub valid_frames: usize,
    /// Frames, from the first, that SQLite recovers: up to the last commit among the valid ones.
    pub recovered_frames: usize,
    /// Numbers of the frames among those that commit.
    pub commits: Vec<usize>,
    /// Size of the database in pages after recovery; 0 if nothing is recovered.
    pub pages_after: u32,
    /// Why recovery stops.
    pub stop: Stop,
    /// Bytes after the last complete frame.
    pub rest_bytes: usize,
}

impl LogReport {
    /// True if the log holds something that SQLite did not write, or did not finish writing.
    pub fn is_damaged(&self) -> bool {
        !matches!(self.stop, Stop::End | Stop::OldSalts)
    }

    /// Why recovery stops, in words.
    pub fn why(&self) -> String {
        let next = self.valid_frames + 1;
        match self.stop {
            Stop::End if self.frames.is_empty() => "there are no frames".to_owned(),
            Stop::End => "all frames are valid".to_owned(),
            Stop::Header => format!("the header is invalid: {}", self.header_problems.join("; ")),
            Stop::CutFrame => format!("frame {next} is cut off after {} bytes", self.rest_bytes),
            Stop::OldSalts => {
                format!("frame {next} is from before the log was restarted, judging by its salts")
            }
            Stop::Salts => format!("the salts of frame {next} are not those of the header"),
            Stop::PageZero => format!("frame {next} is for page 0"),
            Stop::Checksum => format!("frame {next} has a wrong checksum"),
        }
    }
}

/// Inspects a write-ahead log.
pub fn inspect_log(log: &[u8]) -> LogReport {
    let header = wal::header(log);
    let header_problems = header.as_ref().map_or_else(
        || vec![format!("{} bytes, but a header has {HEADER_BYTES}", log.len())],
        |header| header_problems(log, header),
    );
    let mut frames = header.as_ref().map_or_else(Vec::new, |header| frames(log, header));
    // A log that is empty, or ends with its header, was just created.
    let is_ignored = !header_problems.is_empty() && !log.is_empty();
    let valid = if is_ignored {
        0
    } else {
        frames
            .iter()
            .take_while(|frame| frame.is_salt_right && frame.page != 0 && frame.is_checksum_right)
            .count()
    };
    let recovered = frames[..valid].iter().rposition(|frame| frame.commit_pages != 0).map_or(0, |i| i + 1);
    frames[..recovered].iter_mut().for_each(|frame| frame.is_recovered = true);
    let step = header.and_then(|header| header.valid_page_bytes()).map(|bytes| bytes + FRAME_HEADER_BYTES);
    let rest_bytes = step.map_or(0, |step| log.len().saturating_sub(HEADER_BYTES) % step);
    let stop = match frames.get(valid) {
        _ if is_ignored => Stop::Header,
        None if rest_bytes != 0 => Stop::CutFrame,
        None => Stop::End,
        Some(frame) => why_stop(frame, header.map_or([0; 2], |header| header.salts)),
    };
    LogReport {
        file_bytes: log.len(),
        magic: header.map_or(0, |header| header.magic),
        is_big_endian: header.is_some_and(|header| header.magic & 1 == 1),
        format: header.map_or(0, |header| header.format),
        page_bytes: header.map_or(0, |header| header.page_bytes),
        sequence: header.map_or(0, |header| header.sequence),
        salts: header.map_or([0; 2], |header| header.salts),
        header_problems: if is_ignored { header_problems } else { Vec::new() },
        valid_frames: valid,
        recovered_frames: recovered,
        commits: frames[..recovered]
            .iter()
            .filter(|frame| frame.commit_pages != 0)
            .map(|frame| frame.number)
            .collect(),
        pages_after: recovered.checked_sub(1).map_or(0, |last| frames[last].commit_pages),
        frames,
        stop,
        rest_bytes,
    }
}

/// In the order of SQLite's checks.
fn why_stop(frame: &FrameReport, salts: [u32; 2]) -> Stop {
    let restarts = salts[0].wrapping_sub(frame.salts[0]);
    match frame {
        FrameReport { is_salt_right: false, .. } if (1..RESTARTS_MAX).contains(&restarts) => Stop::OldSalts,
        FrameReport { is_salt_right: false, .. } => Stop::Salts,
        FrameReport { page: 0, .. } => Stop::PageZero,
        _ => Stop::Checksum,
    }
}

fn header_problems(log: &[u8], header: &wal::Header) -> Vec<String> {
    let mut problems = Vec::new();
    if header.magic & !1 != MAGIC {
        problems.push(format!(
            "the magic is {:#010x}, expected {MAGIC:#010x} or {:#010x}",
            header.magic,
            MAGIC | 1
        ));
    }
    if header.valid_page_bytes().is_none() {
        let bytes = header.page_bytes;
        problems.push(format!("the page size is {bytes}, expected a power of two from 512 to 65536"));
    }
    let expected = wal::checksum(&log[..HEADER_BYTES - 8], [0; 2], header.magic & 1 == 1);
    if header.checksum != expected {
        let [found, expected] = [header.checksum, expected].map(|[a, b]| format!("{a:08x} {b:08x}"));
        problems.push(format!("the checksum is {found}, expected {expected}"));
    }
    if header.format != FORMAT {
        problems.push(format!("the format version is {}, expected {FORMAT}", header.format));
    }
    problems
}

fn frames(log: &[u8], header: &wal::Header) -> Vec<FrameReport> {
    let mut before = header.checksum;
    let mut reports = Vec::new();
    for (i, frame) in wal::frames(log).into_iter().enumerate() {
        let expected = wal::frame_checksum(log, &frame, before, header.magic & 1 == 1);
        // Continues from the stored checksum, so that one wrong frame makes one wrong checksum.
        before = frame.checksum;
        reports.push(FrameReport {
            number: i + 1,
            offset: frame.at,
            page: frame.page,
            commit_pages: frame.commit_pages,
            salts: frame.salts,
            is_salt_right: frame.salts == header.salts,
            is_checksum_right: frame.checksum == expected,
            is_recovered: false,
        });
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<u8> {
        let page = [7; 512];
        wal::build(512, [9, 2], &[(1, &page, 0), (2, &page, 2), (3, &page, 3), (1, &page, 0)])
    }

    #[test]
    fn what_is_recovered_and_why_not_more() {
        let frame = |i: usize| HEADER_BYTES + i * (FRAME_HEADER_BYTES + 512);
        let planted = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut log = log();
            edit(&mut log);
            let report = inspect_log(&log);
            assert_eq!(
                report.valid_frames,
                if report.stop == Stop::Header { 0 } else { wal::valid_frames(&log) }
            );
            (report.stop, report.valid_frames, report.recovered_frames, report.pages_after)
        };
        assert_eq!(planted(&|_| {}), (Stop::End, 4, 3, 3));
        assert_eq!(planted(&|log| log.truncate(log.len() - 1)), (Stop::CutFrame, 3, 3, 3));
        assert_eq!(planted(&|log| log[frame(2) + 100] ^= 1), (Stop::Checksum, 2, 2, 2));
        assert_eq!(planted(&|log| log[frame(1) + 8] ^= 1), (Stop::Salts, 1, 0, 0));
        assert_eq!(planted(&|log| log[frame(2) + 11] = 8), (Stop::OldSalts, 2, 2, 2));
        assert_eq!(planted(&|log| log[frame(0) + 3] = 0), (Stop::PageZero, 0, 0, 0));
        for at in [0, 4, 8, 24] {
            assert_eq!(planted(&|log| log[at] ^= 0x40), (Stop::Header, 0, 0, 0), "{at}");
        }
        assert_eq!(inspect_log(&[]).stop, Stop::End);
        assert_eq!(inspect_log(&log()[..31]).stop, Stop::Header);
        assert_eq!(inspect_log(&log()[..32]).stop, Stop::End);
    }

    #[test]
    fn one_wrong_frame_makes_one_wrong_checksum() {
        let mut log = log();
        log[HEADER_BYTES + FRAME_HEADER_BYTES + 5] ^= 1;
        let report = inspect_log(&log);
        let right: Vec<bool> = report.frames.iter().map(|frame| frame.is_checksum_right).collect();
        assert_eq!(right, [false, true, true, true]);
    }
}
