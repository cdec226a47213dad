//! What can be done away with.
//!
//! | pass | places |
//! |---|---|
//! | `files` | the files of the case, all of them for SQL; WAL and journal applied to the database |
//! | `statements` | statements of the script |
//! | `settings` | settings, switches, optimizations |
//! | `operations` | operations; their connections, numbers and bytes |
//! | `faults` | planned faults, seeds of schedules; how long faults last, and on which files |
//! | `tables` | objects of the schema with their b-trees, rows, values |
//! | `schema_sql` | what stands in the schema's SQL |
//! | `logs` | frames of the WAL, records of the journal |
//! | `pages` | pages, cells, runs of bytes, fields of the header; derived fields made right |
//! | `syntax` | clauses, items of lists, expressions |
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

/// See the module.
pub(super) trait Pass: Sync {
    /// Its name, for whoever watches.
    fn name(&self) -> &'static str;

    /// The part of a case that it reduces.
    fn part(&self) -> Part;

    /// Places that it could do away with.
    fn count(&self, case: &TestCase) -> usize;

    /// The case without these places; `None` where that cannot be.
    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase>;

    /// Whether several places can go at once. Where not, each place is an edit of its own.
    fn is_divisible(&self) -> bool {
        true
    }
}

/// All passes, in the order in which they take turns: what takes most away first.
pub(super) const PASSES: &[&dyn Pass] = &[
    &files::AsSql,
    &files::Recovered,
    &files::Files,
    &settings::AllSettings,
    &statements::Statements,
    &operations::Operations,
    &faults::Faults,
    &faults::Schedules,
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

/// The case with another main database; `None` where it has none, or `edit` gives up.
fn with_main(case: &TestCase, edit: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<TestCase> {
    with_file(case, &FileName::main(), edit)
}

/// The same of any file.
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
