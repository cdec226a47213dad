//! A database as SQLite recovers it: with the committed frames of its WAL, or with its hot journal rolled back.
//!
//! Sources: <https://sqlite.org/walformat.html#recovery>, <https://sqlite.org/fileformat2.html#the_rollback_journal>.

use std::borrow::Cow;

use super::{header, journal, wal};

/// Largest database after recovery, in bytes.
const BYTES_MAX: usize = 32 << 20;

/// The database after recovery. `None` if SQLite's behaviour is complicated (a journal that names a super-journal, or
/// has several headers or another page size; a WAL beside a database that is not in WAL mode or has pages of another
/// size), or if the result would be huge.
pub fn recovered<'a>(image: &'a [u8], log: Option<&[u8]>, journal: Option<&[u8]>) -> Option<Cow<'a, [u8]>> {
    let rolled_back = match journal {
        Some(journal) if !journal.is_empty() => Cow::Owned(roll_back(image, journal)?),
        _ => Cow::Borrowed(image),
    };
    match log {
        Some(log) if !log.is_empty() => {
            // SQLite opens an existing WAL even if the header says that the database has none, and one with pages of
            // another size. Neither happens except by hand.
            let log_page_bytes = wal::header(log).and_then(|header| header.valid_page_bytes());
            let is_own = header::is_wal(&rolled_back) && log_page_bytes == header::page_size(&rolled_back);
            if is_own { apply_log(&rolled_back, log).map(Cow::Owned) } else { None }
        }
        _ => Some(rolled_back),
    }
}

/// Applies the valid frames up to the last commit.
fn apply_log(image: &[u8], log: &[u8]) -> Option<Vec<u8>> {
    let mut new = image.to_vec();
    let valid = wal::valid_frames(log);
    let frames = wal::frames(log);
    let Some(last_commit) = frames[..valid].iter().rposition(|frame| frame.commit_pages != 0) else {
        return Some(new);
    };
    let page_bytes = wal::header(log).and_then(|header| header.valid_page_bytes()).unwrap_or_default();
    new.resize(size(frames[last_commit].commit_pages, page_bytes)?, 0);
    for frame in &frames[..=last_commit] {
        let start = (frame.page as usize - 1).saturating_mul(page_bytes);
        let content = frame.at + wal::FRAME_HEADER_BYTES;
        if let Some(page) = new.get_mut(start..start.saturating_add(page_bytes)) {
            page.copy_from_slice(&log[content..content + page_bytes]);
        }
    }
    Some(new)
}

/// The size of this many pages; `None` if that is more than a case could have.
fn size(pages: u32, page_bytes: usize) -> Option<usize> {
    (pages as usize).checked_mul(page_bytes).filter(|&bytes| bytes <= BYTES_MAX)
}

fn roll_back(image: &[u8], journal: &[u8]) -> Option<Vec<u8>> {
    let Some(start) = journal::header(journal, 0) else {
        // No header: the journal is not hot.
        return Some(image.to_vec());
    };
    let records = journal::records(journal);
    let is_one_header = records.iter().all(|record| record.header.at == 0);
    let is_whole = records.len() == start.records as usize;
    let is_of_database = header::page_size(image) == Some(start.page_bytes as usize);
    let ends_in_magic = journal.len() > journal::MAGIC.len() && journal.ends_with(&journal::MAGIC);
    if !is_one_header || !is_whole || !is_of_database || ends_in_magic {
        return None;
    }
    let page_bytes = start.page_bytes as usize;
    let mut new = image.to_vec();
    new.resize(size(start.original_pages, page_bytes)?, 0);
    for record in &records {
        if record.checksum != record.expected_checksum(journal) || record.page == 0 {
            return None;
        }
        let at = (record.page as usize - 1).saturating_mul(page_bytes);
        let content = record.content_at();
        if let Some(page) = new.get_mut(at..at.saturating_add(page_bytes)) {
            page.copy_from_slice(&journal[content..content + page_bytes]);
        }
    }
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(byte: u8) -> Vec<u8> {
        let mut image = vec![byte; 3 * 512];
        image[..16].copy_from_slice(super::super::MAGIC);
        header::PAGE_SIZE.set(&mut image, 512);
        header::WRITE_VERSION.set(&mut image, 2);
        header::READ_VERSION.set(&mut image, 2);
        image
    }

    #[test]
    fn committed_frames_count_and_others_do_not() {
        let log = wal::build(512, [1, 2], &[(2, &[5; 512], 0), (3, &[6; 512], 4), (1, &[7; 512], 0)]);
        let old = image(1);
        let new = recovered(&old, Some(&log), None).unwrap();
        assert_eq!(new.len(), 4 * 512);
        assert_eq!((new[100], new[512], new[1024], new[1536]), (1, 5, 6, 0));
        assert_eq!(recovered(&old, Some(&log[..700]), None).unwrap(), old);

        let other_pages = wal::build(1024, [1, 2], &[(1, &[5; 1024], 2)]);
        assert_eq!(recovered(&old, Some(&other_pages), None), None);
        let mut rollback = old.clone();
        header::READ_VERSION.set(&mut rollback, 1);
        header::WRITE_VERSION.set(&mut rollback, 1);
        assert_eq!(recovered(&rollback, Some(&log), None), None);
    }

    #[test]
    fn a_journal_restores_pages_and_size() {
        let mut rollback = image(1);
        header::WRITE_VERSION.set(&mut rollback, 1);
        let journal = journal::build(512, 2, 9, &[(2, &[8; 512])]);
        let new = recovered(&rollback, None, Some(&journal)).unwrap();
        assert_eq!((new.len(), new[512]), (1024, 8));
        assert_eq!(recovered(&rollback, None, Some(&journal[..900])), None);
        assert_eq!(recovered(&rollback, None, Some(&[0; 900])).unwrap(), rollback);
    }
}
