//! Whether two engines did the same with a case: a pure function of two [`Transcript`]s.
//!
//! Statements are compared one by one: result code, then rows as a multiset of typed values. If both reach the end of
//! the script without a difference, what they left is compared, too: schema, content of each table, `integrity_check`.
//!
//! # Where the comparison ends
//! After the first difference in a statement that may write, or the first such statement that is skipped, the two are
//! in different states: the rest is not compared, because all of it would differ. A query that differs changes nothing,
//! so the comparison continues after it.
//!
//! # Refutation
//! Before an engine is accused, these questions are asked in order; each reason is counted, so that a comparison that
//! always finds one is noticed:
//! 1. Did either engine find the database damaged at the start? One may notice what the other overlooks.
//! 2. Did the script do something that may damage it by design ([`crate::engine::Taint`])? Statements before that are
//!    compared. Under a lowered limit, errors are warnings.
//! 3. Did a limit end either run? Statements before that are compared.
//! 4. Does the statement, or what it reads, depend on the build, the clock or random numbers ([`doubt`])?
//! 5. Does its result depend on an order of rows that SQL does not define? That is a warning, unless the keys of the rows
//!    differ, or both do the same again when they scan in reverse ([`reversed`]): then it is no matter of order.

pub mod doubt;
mod end;
pub mod known;
mod open;
mod statement;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::engine::{Code, Transcript};
use crate::oracles::{Signature, SkipReason};
use crate::testcase::TestCase;

use doubt::Doubts;
use open::Place;
pub use open::reversed;

/// Name of this comparison in signatures.
pub const ORACLE: &str = "differential";

/// What two engines have to agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// True if both run on our simulated machine, whose clock and random numbers are the same for both.
    pub is_same_machine: bool,
    /// True if their result codes mean the same, extended ones included; otherwise only success and failure count.
    pub compares_codes: bool,
    /// True if the text in `sqlite_schema` and the table's columns are kept as written.
    pub compares_schema_text: bool,
    /// True if a statement that one of them cannot even explain is not a difference, because it is unknown to that
    /// engine.
    pub skips_unknown_statements: bool,
}

impl Policy {
    /// Two builds or versions of SQLite.
    pub const VERSIONS: Self = Self {
        is_same_machine: true,
        compares_codes: true,
        compares_schema_text: true,
        skips_unknown_statements: false,
    };
    /// SQLite and another engine for the same SQL dialect.
    pub const ENGINES: Self = Self {
        is_same_machine: false,
        compares_codes: false,
        compares_schema_text: false,
        skips_unknown_statements: true,
    };
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Both returned rows, but not the same.
    Rows,
    /// The same rows except for the last digits of floating-point numbers, as values or as text.
    Digits,
    /// The same rows in another order, although one was requested. Never more than a warning.
    Order,
    /// One returned rows, the other none.
    RowsAgainstNone,
    /// One failed.
    Error,
    /// Both failed, with different codes.
    Code,
    /// One ran more statements than the other, without an error to explain it.
    Statements,
    /// Different objects in the schema.
    Schema,
    /// Different content of a table at the end.
    Content,
    /// `integrity_check` complains on one side.
    Integrity,
    /// An engine's process died. Not detected here, but by whoever runs the processes.
    Death,
    /// It ended with a Rust panic.
    Panic,
}

impl Class {
    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Digits => "digits",
            Self::Order => "order",
            Self::RowsAgainstNone => "rows-against-none",
            Self::Error => "error",
            Self::Code => "code",
            Self::Statements => "statements",
            Self::Schema => "schema",
            Self::Content => "content",
            Self::Integrity => "integrity",
            Self::Death => "death",
            Self::Panic => "panic",
        }
    }
}

/// One side of a difference at a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its result code; [`Code::DONE`] for success.
    pub code: i32,
    /// Its message, if it failed.
    pub message: String,
    /// What it returned or left, for people: the first rows, the problems, the objects.
    pub shown: Vec<String>,
}

/// Something that the two did differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What kind of difference.
    pub class: Class,
    /// What distinguishes it from others of its class: verb, codes; nothing of the case.
    pub detail: String,
    /// Why it is most likely harmless; `None` for a finding.
    pub warning: Option<String>,
    /// The statement; the script if the content of a table differs, empty for anything else at the end.
    pub sql: String,
    /// What each of the two did.
    pub sides: [Side; 2],
    /// What happened, for a person.
    pub message: String,
}

impl Difference {
    /// The stable name: `differential/class/detail`.
    pub fn signature(&self) -> Signature {
        Signature::new(ORACLE, self.class.name(), &self.detail)
    }

    /// True if it counts as a finding.
    pub fn is_finding(&self) -> bool {
        self.warning.is_none()
    }
}

/// What a comparison says of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands in the script.
    pub sql: Range<usize>,
    /// What is said.
    pub said: Said,
}

/// See [`Mark`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Both did the same.
    Same,
    /// It was not compared, for this reason.
    Skipped(String),
    /// They differ, as told in [`Comparison::differences`] at this index.
    Differs(usize),
    /// It stands behind the place where the two parted.
    Behind,
}

/// Why a statement is skipped that one of the engines cannot explain ([`Policy::skips_unknown_statements`]).
pub const UNKNOWN: &str = "unknown to one of the engines";

/// The result of comparing a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Statements whose result was compared.
    pub statements: u64,
    /// True if what was left at the end was compared.
    pub is_end_compared: bool,
    /// Why something was not compared, and how often.
    pub skipped: BTreeMap<String, u64>,
    /// Findings and warnings, in the order of the script.
    pub differences: Vec<Difference>,
    /// The statements that both ran, in order. Empty if nothing was compared.
    pub marks: Vec<Mark>,
    /// The warnings among them, by index, that a run in reverse can refute.
    open: Vec<(usize, Place)>,
}

impl Comparison {
    fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    /// Adds a difference, with where to look whether a run in reverse refutes its warning; returns its index.
    fn add(&mut self, difference: Difference, place: Option<Place>) -> usize {
        // A query that differs does so each time it occurs in the script.
        let signature = difference.signature();
        let is_finding = difference.is_finding();
        let is_it = |known: &Difference| known.signature() == signature && known.is_finding() == is_finding;
        let known = self.differences.iter().position(is_it);
        known.unwrap_or_else(|| self.add_apart(difference, place))
    }

    /// As [`Self::add`], for one that does not repeat another.
    fn add_apart(&mut self, difference: Difference, place: Option<Place>) -> usize {
        self.open.extend(place.map(|place| (self.differences.len(), place)));
        self.differences.push(difference);
        self.differences.len() - 1
    }

    fn mark(&mut self, sql: &Range<usize>, said: Said) {
        self.marks.push(Mark { sql: sql.clone(), said });
    }

    /// The differences that no statement shows: of what is left at the end, or that an engine died.
    pub fn at_the_end(&self) -> impl Iterator<Item = &Difference> {
        let is_marked = |index: usize| self.marks.iter().any(|mark| mark.said == Said::Differs(index));
        self.differences.iter().enumerate().filter(move |(index, _)| !is_marked(*index)).map(|(_, it)| it)
    }
}

/// Compares what two engines did with `case`, which both were given.
pub fn compare(case: &TestCase, a: &Transcript, b: &Transcript, policy: &Policy) -> Comparison {
    let mut comparison = Comparison::default();
    if let Some(reason) = SkipReason::of_comparison(case) {
        comparison.skip(reason.to_string());
        return comparison;
    }
    if !case.operations.is_empty() && !policy.is_same_machine {
        comparison.skip("operations, which only SQLite does");
        return comparison;
    }
    if !(a.is_healthy_at_start && b.is_healthy_at_start) {
        comparison.skip("damaged at start");
        return comparison;
    }
    let mut doubts = Doubts::of_schema(case, policy);
    let is_same = statement::compare_all(case, a, b, policy, &mut doubts, &mut comparison);
    statement::mark_rest(a, b, policy, &mut comparison);
    if is_same {
        end::compare(case, a, b, policy, &doubts, &mut comparison);
    }
    comparison
}

/// A code for people.
fn code_text(code: i32) -> String {
    let code = Code(code);
    if code.is_success() { "success".to_owned() } else { code.to_string() }
}

#[cfg(test)]
mod tests;
