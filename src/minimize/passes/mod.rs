//! The passes, and the places each can remove.
//!
//! | pass | places |
//! |---|---|
//! | `files` | the files of the case, replaced by SQL all at once; WAL and journal, applied to the database |
//! | `statements` | statements of the script |
//! | `settings` | settings, switches, optimizations |
//! | `operations` | operations; their connections, numbers and bytes |
//! | `faults` | planned faults, switches of the schedule; how long faults last, and on which files |
//! | `tables` | objects of the schema with their b-trees, rows, values |
//! | `schema_sql` | parts of the schema's SQL |
//! | `logs` | frames of the WAL, records of the journal |
//! | `pages` | pages, cells, runs of bytes, fields of the header; derived fields are corrected |
//! | `syntax` | clauses, list items, expressions |
//! | `tokens` | tokens, literals, names, white space |

mod dump;
mod faults;
mod files;
mod logs;
mod operations;
mod pages;
mod schema_sql;
mod settings;
mod statements;
mod syntax;
mod tables;
mod tokens;

use std::ops::Range;

use super::Part;
use crate::testcase::{FileName, Script, TestCase};

/// A pass; see the module documentation.
pub(super) trait Pass: Sync {
    /// Its name, for progress reports.
    fn name(&self) -> &'static str;

    /// The part of a case that it reduces.
    fn part(&self) -> Part;

    /// Number of places it could remove.
    fn count(&self, case: &TestCase) -> usize;

    /// The case without these places; `None` if that is impossible.
    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase>;

    /// Whether several places can go at once. If not, each place is a separate edit.
    fn is_divisible(&self) -> bool {
        true
    }
}

/// What removes faults: those that stay are few before anything else is tried.
pub(super) const FAULTS: &dyn Pass = &faults::Faults;

/// All passes, in the order they take turns: those that remove most come first.
pub(super) const PASSES: &[&dyn Pass] = &[
    &files::AsSql,
    &files::Recovered,
    &files::Files,
    &settings::AllSettings,
    &statements::Statements,
    &operations::Operations,
    &faults::Faults,
    &faults::Schedule,
    &settings::Settings,
    &tables::Objects,
    &tables::Rebuilt,
    &pages::Tail,
    &pages::Pages,
    &logs::Frames,
    &logs::Records,
    &tables::Rows,
    &pages::Cells,
    &syntax::Syntax,
    &schema_sql::SchemaSql,
    &tokens::Tokens,
    &operations::Details,
    &faults::Details,
    &tables::Values,
    &pages::Lies,
    &pages::Bytes,
    &logs::FrameBytes,
    &tokens::Literals,
    &tokens::Names,
    &tokens::Blanks,
];

/// The case with another script; operations stay with their statements.
fn with_sql(case: &TestCase, sql: Vec<u8>) -> TestCase {
    let mut case = case.clone();
    case.set_sql(Script::new(sql));
    case
}

/// The case with another main database; `None` if it has none or `edit` gives up.
fn with_main(case: &TestCase, edit: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<TestCase> {
    with_file(case, &FileName::main(), edit)
}

/// The same for any file.
fn with_file(
    case: &TestCase,
    name: &FileName,
    edit: impl FnOnce(&mut Vec<u8>) -> Option<()>,
) -> Option<TestCase> {
    let mut content = case.files.get(name.as_str())?.to_vec();
    edit(&mut content)?;
    let mut case = case.clone();
    case.files.insert(name.clone(), content);
    Some(case)
}
