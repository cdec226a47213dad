//! Frames of the WAL and records of the rollback journal; checksums are recomputed for what is left.

use std::ops::Range;

use super::{Part, Pass, pages, with_file};
use crate::dbfile::{journal, wal, write_be};
use crate::testcase::{FileName, JOURNAL, TestCase, WAL};

/// Frames of the WAL.
pub(super) struct Frames;

impl Pass for Frames {
    fn name(&self) -> &'static str {
        "frames of the WAL"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        wal::frames(case.files.get(WAL).unwrap_or_default()).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_file(case, &FileName::wal(), |log| {
            let frames = wal::frames(log);
            let start = frames.get(places.start)?.at;
            let end = frames.get(places.end).map_or(log.len(), |frame| frame.at);
            log.drain(start..end);
            wal::repair(log);
            Some(())
        })
    }
}

/// Records of the journal.
pub(super) struct Records;

impl Pass for Records {
    fn name(&self) -> &'static str {
        "records of the journal"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        journal::records(case.files.get(JOURNAL).unwrap_or_default()).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_file(case, &FileName::journal(), |journal| {
            for record in journal::records(journal).get(places)?.iter().rev() {
                let header = record.header;
                journal.drain(record.at..record.at + header.page_bytes as usize + 8);
                if header.records != u32::MAX {
                    let records = journal::header(journal, header.at)?.records;
                    write_be(journal, header.at + 8, 4, u64::from(records.saturating_sub(1)));
                }
            }
            journal::repair(journal);
            Some(())
        })
    }
}

/// Runs of bytes in the pages of WAL and journal.
pub(super) struct FrameBytes;

/// Both files with their runs after the first header.
fn runs(case: &TestCase) -> Vec<(FileName, Range<usize>)> {
    let files = [(FileName::wal(), wal::HEADER_BYTES), (FileName::journal(), journal::HEADER_BYTES)];
    let each = files.into_iter().flat_map(|(name, skip)| {
        let content = case.files.get(name.as_str()).unwrap_or_default();
        pages::runs(content, skip).into_iter().map(move |run| (name.clone(), run))
    });
    each.collect()
}

impl Pass for FrameBytes {
    fn name(&self) -> &'static str {
        "bytes of WAL and journal"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        runs(case).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let mut case = case.clone();
        for (name, run) in runs(&case).get(places)? {
            case.files.edit(name, |content| {
                content[run.clone()].fill(0);
                if name.as_str() == WAL {
                    wal::repair(content);
                } else {
                    journal::repair(content);
                }
            });
        }
        Some(case)
    }
}
