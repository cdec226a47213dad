//! SQLite reads the logs and journals that are made, and lies change what they say.

use super::tests::with_context;
use super::{Outcome, db_inserts, db_journal, db_wal};
use crate::dbfile::record::{self, Value};
use crate::dbfile::space::Space;
use crate::dbfile::{Geometry, header, journal, rows, schema, wal};
use crate::engine::Code;
use crate::engine::sqlite::{Budget, Executor, Moment, ScriptProgram};
use crate::testcase::{FileName, OpenConfig, Script, TestCase};

/// Two states of one database, of the same size.
fn states(executor: &Executor, page_bytes: u32) -> (Vec<u8>, Vec<u8>) {
    let sql = format!(
        "PRAGMA page_size={page_bytes}; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'old'),(2, zeroblob(3000));"
    );
    let files = executor.files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
    let old = files.main().unwrap().to_vec();
    let mut new = old.clone();
    let geometry = Geometry::of(&old);
    let root = schema::rows(&old)[0].root_page(&geometry).unwrap();
    let row = rows::of(&old, &geometry, root, 9).into_iter().find(|row| row.rowid == Some(1)).unwrap();
    let record = record::encode(&[Value::Integer(1), Value::Text(b"new".to_vec())]);
    rows::replace(&mut Space::new(&mut new, 9), &row, row.rowid, &record).unwrap();
    (old, new)
}

/// The pages in which two images of the same size differ, from the second.
fn difference<'a>(first: &[u8], second: &'a [u8]) -> Vec<(u32, &'a [u8])> {
    let geometry = Geometry::of(second);
    let is_other = |&number: &u32| geometry.page(first, number) != geometry.page(second, number);
    (1..=geometry.pages).filter(is_other).map(|number| (number, geometry.page(second, number))).collect()
}

/// Which of the two states SQLite reads.
fn sees(executor: &mut Executor, case: &mut TestCase) -> &'static str {
    let states = ["old", "new"];
    for state in states {
        case.sql = Script::new(format!("SELECT 1 FROM t1 WHERE a=1 AND b='{state}'"));
        let trace = executor.run(case, &ScriptProgram, &Budget::UNLIMITED).trace;
        if trace.statements[0].rows == 1 {
            return state;
        }
    }
    "neither"
}

#[test]
fn a_log_from_scratch_is_read_and_a_journal_rolled_back() {
    let mut executor = Executor::shared();
    for page_bytes in [512, 4096, 65536] {
        let (old, new) = states(&executor, page_bytes);
        let pages = difference(&old, &new);
        let size = Geometry::of(&old).pages;
        for is_big_endian in [false, true] {
            let mut case = TestCase::from_database(old.clone());
            case.files.edit(&FileName::main(), |image| {
                header::WRITE_VERSION.set(image, 2);
                header::READ_VERSION.set(image, 2);
            });
            let frames: Vec<_> = pages.iter().map(|&(number, page)| (number, page, size)).collect();
            let mut log = wal::build(page_bytes as usize, [3, 4], &frames);
            if is_big_endian {
                log[3] ^= 1;
                wal::repair(&mut log);
            }
            case.files.insert(FileName::wal(), log.clone());
            assert_eq!(sees(&mut executor, &mut case), "new", "{page_bytes} {is_big_endian}");
            log[wal::HEADER_BYTES + wal::FRAME_HEADER_BYTES + 9] ^= 1;
            case.files.insert(FileName::wal(), log);
            assert_eq!(sees(&mut executor, &mut case), "old");
        }
        // The file has the new state, and the journal restores the old one.
        let records = difference(&new, &old);
        for sector_bytes in [32, 512, 4096] {
            let like = journal::header(&journal::build(page_bytes as usize, size, 7, &[]), 0).unwrap();
            let like = journal::Header { sector_bytes, ..like };
            for groups in [&[&records[..]][..], &[&records[..0], &records[..]]] {
                let mut case = TestCase::from_database(new.clone());
                assert_eq!(sees(&mut executor, &mut case), "new");
                let journal = journal::build_groups(&like, groups);
                case.files.insert(FileName::journal(), journal.clone());
                assert_eq!(
                    sees(&mut executor, &mut case),
                    "old",
                    "{page_bytes} {sector_bytes} {}",
                    groups.len()
                );
                // If the super-journal that it names is missing, the transaction was committed.
                let mut named = journal;
                let lock = Geometry::of(&new).lock_byte_page(0x4000_0000);
                journal::append_super_journal(&mut named, lock, b"main.db-mj0123459ab");
                case.files.insert(FileName::journal(), named);
                assert_eq!(sees(&mut executor, &mut case), "new", "{page_bytes} {sector_bytes}");
            }
        }
    }
}

#[test]
fn made_logs_and_journals_are_valid_to_us_and_reach_sqlite() {
    let mut executor = Executor::shared();
    let (old, _) = states(&executor, 512);
    let (mut logs, mut several, mut journals, mut readable) = (0, 0, 0, 0);
    for seed in 0..200 {
        let made = with_context(seed, 8192, |context| {
            (db_wal::new_log(&old, context), db_journal::new_journal(&old, context))
        });
        if let Some(log) = made.0 {
            logs += 1;
            let frames = wal::frames(&log);
            assert_eq!(wal::valid_frames(&log), frames.len());
            assert_ne!(frames.last().unwrap().commit_pages, 0);
            several += u32::from(frames.iter().filter(|frame| frame.commit_pages != 0).count() > 1);
        }
        if let Some(journal) = made.1 {
            journals += 1;
            let records = journal::records(&journal);
            assert!(records.iter().all(|record| record.checksum == record.expected_checksum(&journal)));
            let mut case = TestCase::from_database(old.clone());
            case.files.insert(FileName::journal(), journal);
            case.sql = Script::new("SELECT count(*) FROM t1");
            let trace = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED).trace;
            readable += u32::from(trace.statements[0].code() == Code::DONE);
        }
    }
    println!("{logs} logs, {several} with several commits, {journals} journals, {readable} read");
    assert!(logs > 150 && several > 20 && journals > 150 && readable * 3 > journals);
}

/// Each lie usually changes the file, whatever the file is, and never panics.
#[test]
fn every_lie_changes_the_file() {
    let executor = Executor::shared();
    let (old, new) = states(&executor, 512);
    let (pages, geometry) = (difference(&old, &new), Geometry::of(&old));
    let page = |number| geometry.page(&new, number);
    let log = wal::build(512, [3, 4], &[(1, page(1), 0), (2, page(2), 0), (3, page(3), geometry.pages)]);
    let journal = journal::build(512, geometry.pages, 7, &pages);
    let mut rng = fastrand::Rng::with_seed(3);
    let junk: Vec<Vec<u8>> = (0..200)
        .map(|i| {
            let mut bytes = if i % 2 == 0 { log.clone() } else { journal.clone() };
            bytes.truncate(rng.usize(0..=bytes.len()));
            (0..rng.usize(0..9)).for_each(|_| {
                if let Some(at) = (!bytes.is_empty()).then(|| rng.usize(0..bytes.len().min(60))) {
                    bytes[at] = rng.u8(..);
                }
            });
            bytes
        })
        .collect();
    for (i, lie) in db_wal::LIES.iter().enumerate() {
        let changed = (0..40).filter(|&seed| {
            let mut copy = log.clone();
            with_context(seed, 4096, |context| lie(&mut copy, geometry.pages, context));
            copy != log
        });
        assert!(changed.count() >= 15, "lie {i} of a log");
        junk.iter().for_each(|bytes| with_context(1, 4096, |context| lie(&mut bytes.clone(), 3, context)));
    }
    for (i, lie) in db_journal::LIES.iter().enumerate() {
        let changed = (0..40).filter(|&seed| {
            let mut copy = journal.clone();
            with_context(seed, 4096, |context| lie(&mut copy, &geometry, context));
            copy != journal
        });
        assert!(changed.count() >= 15, "lie {i} of a journal");
        junk.iter()
            .for_each(|bytes| with_context(1, 4096, |context| lie(&mut bytes.clone(), &geometry, context)));
    }
    let mut grown = old.clone();
    let outcome = with_context(5, 1 << 14, |context| db_inserts::insert(&mut grown, context));
    assert_eq!(outcome, Outcome::Mutated);
}
