//! Files: turns a database into SQL, applies a log, drops a file.

use std::ops::Range;

use super::{Part, Pass, dump};
use crate::dbfile::recover;
use crate::testcase::{FileName, FileSet, JOURNAL, Script, TestCase, WAL};

/// Replaces the database with SQL before the script, with its rows or only its schema; or with nothing.
pub(super) struct AsSql;

impl Pass for AsSql {
    fn name(&self) -> &'static str {
        "database as SQL"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        if case.files.is_empty() { 0 } else { 3 }
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let image = case.files.main().unwrap_or_default();
        let (log, journal) = (case.files.get(WAL), case.files.get(JOURNAL));
        let image = recover::recovered(image, log, journal).unwrap_or(image.into());
        let mut sql = match at.start {
            0 => Vec::new(),
            way => dump::script(&image, way == 2)?,
        };
        sql.extend_from_slice(case.sql.as_bytes());
        Some(TestCase { files: FileSet::default(), sql: Script::new(sql), ..case.clone() })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// Removes the WAL and the journal by applying them.
pub(super) struct Recovered;

impl Pass for Recovered {
    fn name(&self) -> &'static str {
        "log applied"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        usize::from(case.files.get(WAL).or(case.files.get(JOURNAL)).is_some())
    }

    fn without(&self, case: &TestCase, _: Range<usize>) -> Option<TestCase> {
        let (log, journal) = (case.files.get(WAL), case.files.get(JOURNAL));
        let image = recover::recovered(case.files.main()?, log, journal)?.into_owned();
        let mut case = case.clone();
        case.files.remove(&FileName::wal());
        case.files.remove(&FileName::journal());
        case.files.insert(FileName::main(), image);
        Some(case)
    }
}

/// Files.
pub(super) struct Files;

impl Pass for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        case.files.len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let out = case.files.iter().enumerate().filter(|(at, _)| places.contains(at));
        let names: Vec<FileName> = out.map(|(_, (name, _))| name.clone()).collect();
        let mut case = case.clone();
        names.iter().for_each(|name| _ = case.files.remove(name));
        Some(case)
    }
}
