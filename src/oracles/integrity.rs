//! A well-formed database stays well-formed.
//!
//! Runs `PRAGMA integrity_check` (<https://sqlite.org/pragma.html#pragma_integrity_check>) after every script that may
//! have written, before the connection is closed. Refuted as described in [`super`].
//!
//! # Excuses
//! * `CHECK constraint failed`: a CHECK may call `random()`.
//! * An R-Tree or full-text table that its own check cannot read: created with odd column names, or with a function
//!   that does not exist.
//! * Full-text indexes over tables that the user changes without them (`content=`).

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::dbfile::damage::Assessment;
use crate::engine::Observation;
use crate::testcase::TestCase;

/// How many words of a problem make up its signature.
const SIGNATURE_WORDS_MAX: usize = 6;

pub(super) struct Integrity;

impl Oracle for Integrity {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let Some(problems) = &observation.integrity else {
            return Verdict::Skip(skip_reason(observation));
        };
        if problems.is_empty() {
            return Verdict::Pass;
        }
        if let Some(taint) = observation.taint.first_name() {
            return Verdict::Skip(SkipReason::Tainted(taint));
        }
        if !ask.is_healthy_at_start() {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
        let excuses: Vec<Option<&'static str>> =
            problems.iter().map(|problem| excuse(problem, case)).collect();
        match excuses.iter().position(Option::is_none) {
            None => {
                Verdict::Skip(SkipReason::Excused(excuses.into_iter().flatten().next().unwrap_or_default()))
            }
            Some(first) => Verdict::Fail(Finding {
                signature: Signature::new("integrity", &kind(&problems[first]), last_write(observation)),
                message: format!("integrity_check after the script: {}", problems.join("; ")),
            }),
        }
    }
}

/// Why the check did not run.
fn skip_reason(observation: &Observation) -> SkipReason {
    let has_written = observation.trace.statements.iter().any(|statement| !statement.is_read_only);
    if !has_written {
        SkipReason::NothingWritten
    } else if matches!(observation.start, Some(Assessment::Damaged(_))) {
        SkipReason::DamagedAtStart
    } else {
        SkipReason::CheckCutShort
    }
}

/// Why SQLite may have this problem without a bug.
pub(crate) fn excuse(problem: &str, case: &TestCase) -> Option<&'static str> {
    if problem.starts_with("CHECK constraint failed") {
        return Some("CHECK constraint");
    }
    if problem.contains("Schema corrupt or not an rtree") {
        return Some("R-Tree with columns that rtreecheck() does not understand");
    }
    if problem.starts_with("unable to validate the inverted index") && !problem.contains("malformed") {
        return Some("full-text check could not run");
    }
    let is_full_text = problem.contains("inverted index") || problem.contains("FTS");
    (is_full_text && super::uses_external_content(case)).then_some("full-text table with external content")
}

/// The problems that `integrity_check` reports, without the numbers and names of the case
/// (<https://sqlite.org/src/file?name=src/btree.c>, `checkAppendMsg`; `src/pragma.c`).
const PROBLEMS: [&str; 22] = [
    "missing from index",
    "wrong # of entries in index",
    "non-unique entry in index",
    "values differ from index",
    "rowid not at end-of-record",
    "NULL value in",
    "TEXT value in",
    "NUMERIC value in",
    "unable to get the page",
    "btreeInitPage() returns error",
    "Multiple uses for byte",
    "Fragmentation of",
    "Extends off end of page",
    "Child page depth differs",
    "2nd reference to page",
    "invalid page number",
    "never used",
    "overflow list length",
    "Bad ptr map entry",
    "Failed to read ptrmap",
    "malformed inverted index",
    "database disk image is malformed",
];

/// The problem in a signature.
fn kind(problem: &str) -> String {
    let known = PROBLEMS.iter().find(|known| problem.contains(*known));
    let words = known.map_or(problem, |known| *known).split(' ').filter(|word| {
        let is_plain = word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
        !word.is_empty() && is_plain
    });
    let words: Vec<String> = words.take(SIGNATURE_WORDS_MAX).map(str::to_ascii_lowercase).collect();
    words.join("-")
}

/// The verb of the last statement that may have written.
fn last_write(observation: &Observation) -> &'static str {
    let statements = observation.trace.statements.iter().rev();
    statements
        .filter(|statement| !statement.is_read_only)
        .map(|statement| statement.verb)
        .next()
        .unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_holds_nothing_of_the_case() {
        assert_eq!(kind("row 5 missing from index byname"), "missing-from-index");
        assert_eq!(kind("wrong # of entries in index byname"), "wrong-of-entries-in-index");
        assert_eq!(kind("Tree 3 page 7: btreeInitPage() returns error code 11"), "returns-error");
        assert_eq!(kind("Something new about page 7 at last"), "something-new-about-page-at-last");
    }
}
