//! A case in forms that someone without Tandem can use.
//!
//! | form | what it is |
//! |---|---|
//! | [`shell`] | a script for the `sqlite3` shell, the database inline |
//! | [`posix`] | a shell script that writes all files of the case byte for byte, then runs that shell |
//! | [`pair`] | the files themselves, alongside the statements |
//! | [`rust`] | a Rust test with `rusqlite` |
//! | [`report`] | a bug report in Markdown |
//!
//! No form can express everything in a case: the machine that Tandem simulates is lost. Losses are reported,
//! both in the form and to the user.

mod bytes;
pub(crate) mod finding;
pub(crate) mod pair;
pub(crate) mod posix;
pub(crate) mod report;
pub(crate) mod rust;
pub(crate) mod shell;

use std::ops::Range;

use anyhow::{Context, Result};
use tandem::TestCase;
use tandem::engine::sqlite::{Budget, Executor, Moment};
use tandem::sql;
use tandem::testcase::RICH_SCHEMA;
use tandem::testcase::{CaseId, FileName, OpenConfig, Setting, TOGGLE_NAMES};

use crate::source::NamedCase;

/// Asks SQLite to check its database.
const CHECK: &str = "PRAGMA integrity_check;";

/// A form of a case, and what it cannot express.
pub(crate) struct Form {
    /// The content of its file.
    pub content: Vec<u8>,
    /// What it cannot express, one line each.
    pub losses: Vec<String>,
}

/// A case as plain files, statements and settings.
pub(crate) struct Handed {
    /// The case's identity.
    pub id: CaseId,
    /// The case, with its target's statements as the script and all files as files.
    pub case: TestCase,
    /// What a run may use.
    pub budget: Budget,
    /// The statements in the script.
    statements: Vec<Range<usize>>,
    /// What no form can express.
    losses: Vec<String>,
}

impl Handed {
    /// Prepares a case.
    ///
    /// # Errors
    /// If it asks for the rich schema and this program's SQLite cannot create it.
    pub(crate) fn new(named: &NamedCase) -> Result<Self> {
        let id = named.case.id();
        let mut losses = machine_losses(&named.case);
        let mut case = named.target.scripted(named.case.clone());
        if case.sql != named.case.sql {
            losses.push(
                "the statements of its target are those for the tables that the file seems to have"
                    .to_owned(),
            );
        }
        if case.config.is_on(Setting::RichSchema) && case.files.main().is_none() {
            let built = Executor::shared().files_after(&OpenConfig::default(), RICH_SCHEMA, Moment::Closed);
            let files = built.map_err(anyhow::Error::msg).context("building the rich schema")?;
            case.files.insert(FileName::main(), files.main().unwrap_or_default().to_vec());
        }
        let mut budget = named.target.budget;
        let heap_bytes = named.heap_bytes.unwrap_or(budget.heap_bytes);
        budget.heap_bytes = budget.heap_bytes.min(heap_bytes);
        // They name folders everywhere else.
        for name in [".", ".."].into_iter().filter_map(FileName::new) {
            if case.files.remove(&name).is_some() {
                losses.push(format!("the file `{name}` is left out: not a valid name"));
            }
        }
        let text = case.sql.as_bytes();
        let statements = sql::statements(text).filter_map(|range| trimmed(text, range)).collect();
        Ok(Self { id, case, budget, statements, losses })
    }

    /// The statements, without surrounding blanks.
    pub(crate) fn statements(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.statements.iter().map(|range| &self.case.sql.as_bytes()[range.clone()])
    }

    /// The number, from 0, of the statement at this position in the script.
    pub(crate) fn statement_at(&self, at: usize) -> Option<usize> {
        self.statements.iter().position(|range| range.contains(&at))
    }

    /// Whether statements have parameters whose names contain their values.
    fn has_named_values(&self) -> bool {
        [b"$int_".as_slice(), b"$text_"].iter().any(|name| contains(self.case.sql.as_bytes(), name))
    }
}

/// What no form can express of the simulated machine.
fn machine_losses(case: &TestCase) -> Vec<String> {
    let mut losses = Vec::new();
    if !case.faults.is_empty() {
        let words: Vec<String> = case.faults.faults().iter().map(ToString::to_string).collect();
        losses.push(format!("the planned faults are left out: {}", words.join("; ")));
    }
    if !case.operations.is_empty() || !case.schedule.is_empty() {
        losses.push("operations and schedules are left out: all statements run on one connection".to_owned());
    }
    for (spec, value) in case.config.changed() {
        if matches!(spec.setting, Setting::SectorLog2 | Setting::DeviceCharacteristics) {
            losses.push(format!("the setting {} = {value} is left out: it is the disk's", spec.name));
        }
    }
    let text = case.sql.as_bytes().to_ascii_lowercase();
    let reaching = ["attach", "vacuum", "load_extension", "_directory"];
    if let Some(word) = reaching.iter().find(|word| contains(&text, word.as_bytes())) {
        losses.push(format!(
            "the script says `{word}`: but for the shell's -safe, nothing keeps it from the files of the host, as Tandem does; read it first"
        ));
    }
    losses
}

/// The range without surrounding blanks; `None` if there are only blanks and comments.
fn trimmed(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let piece = &text[range.clone()];
    if sql::tokenize(piece).iter().all(|token| token.kind.is_blank()) {
        return None;
    }
    let start = range.start + (piece.len() - piece.trim_ascii_start().len());
    Some(start..start + piece.trim_ascii().len())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Settings that cannot be made in SQL, in words.
fn settings_in_words(config: &OpenConfig) -> Vec<String> {
    let mut words = Vec::new();
    for (spec, value) in config.changed() {
        match spec.setting {
            Setting::Toggles => {
                let inverted = (0..TOGGLE_NAMES.len()).filter(|bit| value >> bit & 1 == 1);
                let names: Vec<&str> = inverted.map(|bit| TOGGLE_NAMES[bit]).collect();
                words.push(format!("SQLITE_DBCONFIG: inverted {}", names.join(", ")));
            }
            Setting::OptimizationsOff => words.push(format!("SQLITE_TESTCTRL_OPTIMIZATIONS: {value:#x}")),
            Setting::CachePages
            | Setting::CacheSpill
            | Setting::CellSizeCheck
            | Setting::ExclusiveLocking
            | Setting::TempStore
            | Setting::SectorLog2
            | Setting::DeviceCharacteristics
            | Setting::RichSchema => {}
            _ => words.push(format!("{} = {value} ({})", spec.name, spec.about)),
        }
    }
    words
}
