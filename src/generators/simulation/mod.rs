//! Scripts for comparing two engines: tables with rows, then statements of weighted classes.
//!
//! Each statement is tried on the SQLite of this process as soon as it is made, in the state that those before it have
//! brought about. One that cannot be prepared, takes too long, or asks for the clock, is made again; one that fails while
//! it runs stays, since two engines have to fail alike. So nearly all of a script can be compared. The same choices give
//! the same script, whether they come from a seed or from a fuzzer's bytes.
//!
//! Behind a statement that writes stands a query of all rows of its table, behind one that defines something a query of
//! the schema: where the two engines part is seen at once, not at the end.

pub mod classes;
mod coverage;
mod guide;
mod tables;

use std::collections::BTreeSet;
use std::ops::Range;

pub use classes::{CLASSES, Class, Effect, Weights};
pub use coverage::Coverage;

use super::statements::Entropy;
use crate::testcase::{FileName, Script, Setting, TestCase};

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Statements behind the tables, without the queries that compare tables and schema.
    pub statements: u32,
    /// Tables to begin with, if there is no database.
    pub tables: u32,
    /// Columns of each.
    pub columns: u32,
    /// Rows of each.
    pub rows: u32,
    /// Bytes of a wide column of each row; 0 for none.
    pub row_bytes: u32,
    /// How often each class of statements comes.
    pub weights: Weights,
    /// `PRAGMA journal_mode`, if it is to be another.
    pub journal_mode: Option<String>,
    /// `PRAGMA cache_size` in pages; 0 for SQLite's own.
    pub cache_pages: u32,
    /// Statements to begin with, whatever comes of them.
    pub setup: Vec<String>,
    /// The database to begin with.
    pub image: Option<Vec<u8>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            statements: 100,
            tables: 2,
            columns: 5,
            rows: 12,
            row_bytes: 0,
            weights: Weights::default(),
            journal_mode: None,
            cache_pages: 0,
            setup: Vec::new(),
            image: None,
        }
    }
}

/// A statement of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its text, without a semicolon.
    pub sql: String,
    /// The class that it is of, or what it is for.
    pub class: &'static str,
    /// The step that it compares the effect of, if that is what it is for.
    pub checks: Option<usize>,
}

/// What a script is made of, and what was there at its end.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The statements.
    pub steps: Vec<Step>,
    /// Rows of `sqlite_schema` at the end: type, name, table and SQL.
    pub schema: Vec<[String; 4]>,
    /// What came up.
    pub coverage: Coverage,
    /// What it begins with.
    start: TestCase,
}

impl Simulation {
    /// Makes one.
    pub fn new(plan: &Plan, entropy: &mut dyn Entropy) -> Self {
        let mut case = TestCase::default();
        case.config.set(Setting::CachePages, plan.cache_pages);
        if let Some(image) = &plan.image {
            case.files.insert(FileName::main(), image.clone());
        }
        let guide::Made { steps, coverage, schema } = guide::make(plan, &case, entropy);
        Self { steps, schema, coverage, start: case }
    }

    /// The case without these steps, and where each of the others stands in its script.
    pub fn case_without(&self, left_out: &BTreeSet<usize>) -> (TestCase, Vec<(usize, Range<usize>)>) {
        let (mut script, mut places) = (String::new(), Vec::new());
        for (index, step) in self.steps.iter().enumerate().filter(|(index, _)| !left_out.contains(index)) {
            let start = script.len();
            script.push_str(&step.sql);
            places.push((index, start..script.len()));
            script.push_str(";\n");
        }
        (TestCase { sql: Script::new(script), ..self.start.clone() }, places)
    }
}

/// Choices from a seed.
pub fn from_seed(seed: u64) -> impl Entropy {
    fastrand::Rng::with_seed(seed)
}

/// Choices from bytes, such as a fuzzer's; when they are used up, always the first alternative.
pub fn from_bytes(bytes: &[u8]) -> impl Entropy {
    arbitrary::Unstructured::new(bytes)
}

#[cfg(test)]
mod tests;
