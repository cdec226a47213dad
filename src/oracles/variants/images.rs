//! Copies of a database that SQLite's interface makes: `sqlite3_serialize()` and the backup interface.

use std::cell::RefCell;

use super::compare::{self, Said};
use super::{ASKED, Keeps, recheck};
use crate::engine::Asked;
use crate::engine::sqlite::{Execution, NoAnswer, Program, Session};
use crate::engine::transcript::EndState;
use crate::oracles::{Environment, SkipReason};
use crate::sql;
use crate::testcase::{FileName, Setting, TestCase};

/// Ticks for the copy.
const TICKS: u64 = 2_000;

/// A way to copy.
pub(super) struct Way {
    /// Its name.
    pub name: &'static str,
    copy: fn(&mut Session<'_, '_>) -> Result<Vec<u8>, NoAnswer>,
}

pub(super) const WAYS: [Way; 2] = [
    Way { name: "serialize", copy: |db| db.serialized() },
    // Some pages at a time, as programs do that let others write meanwhile.
    Way { name: "backup", copy: |db| db.backed_up(3) },
];

/// Copies what the script leaves, and reads the copy.
pub(super) fn copy(way: &Way, end: &EndState, ask: &mut Environment<'_>) -> Result<Said, SkipReason> {
    let imaging = Imaging { way, image: RefCell::default() };
    ask.run_other(ask.case(), &imaging)?;
    let Some(image) = imaging.image.into_inner().filter(|image| !image.is_empty()) else {
        return Ok(Said::Nothing("it fails, or there is nothing to copy"));
    };
    let config = ask.case().config.with(Setting::RichSchema, 0);
    let mut copy = TestCase { config, ..TestCase::default() };
    copy.files.insert(FileName::main(), image);
    let run = ask.run(&copy, Asked { has_values: false, ..ASKED })?;
    let Some(other) = run.end.filter(|_| run.cut_short.is_empty()) else {
        return Ok(Said::Nothing("what is left cannot be read"));
    };
    Ok(match compare::ends_differ(end, &other, Keeps::Programs, ask.case()) {
        Some((what, how)) => Said::Differs(what.to_owned(), how),
        None => Said::Same { is_trivial: false },
    })
}

/// The script, and then the copy.
struct Imaging<'a> {
    way: &'a Way,
    image: RefCell<Option<Vec<u8>>>,
}

impl Program for Imaging<'_> {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        let text = case.sql.as_bytes();
        for range in sql::statements(text) {
            execution.run(&text[range.clone()], range);
        }
        if execution.is_over() {
            return;
        }
        let mut db = Session::new(execution, TICKS);
        if recheck::settle(&mut db).is_none() {
            return;
        }
        // The comment says what comes next, for planted bugs.
        let is_read =
            db.rows(&format!("SELECT count(*) FROM main.sqlite_master /* {} */", self.way.name)).is_ok();
        self.image.replace((self.way.copy)(&mut db).ok().filter(|_| is_read));
    }
}
