//! A well-formed database stays well-formed.
//!
//! Runs `PRAGMA integrity_check` (<https://sqlite.org/pragma.html#pragma_integrity_check>) after every script that may
//! have written, before the connection is closed, in all databases that it has. Refuted as described in [`super`].
//!
//! # Excuses
//! * `CHECK constraint failed`: a CHECK may call `random()`.
//! * An R-Tree or full-text table that its own check cannot read: created with odd column names, or with a function
//!   that does not exist.
//! * A full-text index after memory has run out: a known bug ([`crate::known`]).
//! * Full-text indexes over tables that the user changes without them (`content=`).

use super::excuse::{self, Symptom};
use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Observation, Problem, Taint};
use crate::known;
use crate::sql;
use crate::testcase::TestCase;

/// How many words of a problem make up its signature.
const SIGNATURE_WORDS_MAX: usize = 6;

pub(super) struct Integrity;

impl Oracle for Integrity {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let Some(problems) = &observation.integrity else {
            return Verdict::Skip(skip_reason(observation, ask));
        };
        let mut verdict = Verdict::Pass;
        for problem in problems {
            match reason(problem, case, observation, ask) {
                Some(reason) => verdict = Verdict::Skip(reason),
                None => {
                    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
                    return Verdict::Fail(Finding {
                        signature: Signature::new(
                            "integrity",
                            &kind(&problem.text, case),
                            last_write(observation),
                        ),
                        message: format!("integrity_check after the script: {}", shown.join("; ")),
                    });
                }
            }
        }
        verdict
    }
}

/// Why the check did not run.
fn skip_reason(observation: &Observation, ask: &mut Environment<'_>) -> SkipReason {
    let has_written = observation.trace.statements.iter().any(|statement| !statement.is_read_only);
    if !has_written {
        SkipReason::NothingWritten
    } else if !ask.is_healthy_at_start() {
        SkipReason::DamagedAtStart
    } else {
        SkipReason::CheckCutShort
    }
}

/// Why nothing can be said about this problem.
fn reason(
    problem: &Problem,
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Option<SkipReason> {
    let are_all_meant =
        problem.is_refusal && !(ask.is_healthy_at_start() && ask.are_others_healthy_at_start());
    if are_all_meant || !ask.is_healthy_at_start_in(&problem.file) {
        return Some(SkipReason::DamagedAtStart);
    }
    let shadows_written = observation.taint.contains(Taint::SHADOW_TABLE);
    if let Some(reason) = excuse::by_taint(symptom(&problem.text, shadows_written), case, observation) {
        return Some(reason);
    }
    if ask.may_have_copied_damage() {
        return Some(SkipReason::Tainted("attached-file"));
    }
    let hits = &observation.trace.hits;
    if known::has_failed(hits) && problem.text.starts_with(VIRTUAL_PROBLEMS[0]) && !ask.meets_known_bugs() {
        return Some(SkipReason::Excused(known::FTS5_FAILURE));
    }
    excuse_of(&problem.text, case).map(SkipReason::Excused)
}

/// Whether a problem is excused in any state of a database that a run of the case may leave.
pub(super) fn is_excused(problem: &str, case: &TestCase, observation: &Observation) -> bool {
    let shadows_written = observation.taint.contains(Taint::SHADOW_TABLE);
    let by_taint = excuse::by_taint(symptom(problem, shadows_written), case, observation);
    by_taint.is_some() || excuse_of(problem, case).is_some()
}

/// What a problem tells of. `integrity_check` has no codes, only these words. That the check of a virtual table cannot go
/// on, for what was written to its tables, has none of its own.
fn symptom(problem: &str, shadows_written: bool) -> Symptom {
    let says = |words: &[&str]| words.iter().any(|words| problem.contains(words));
    if problem.starts_with("CHECK constraint failed") || problem.starts_with("NULL value in") {
        Symptom::Constraint
    } else if says(&INDEX_PROBLEMS) {
        Symptom::IndexEntry
    } else if is_of_virtual_table(problem) || shadows_written && problem == MALFORMED {
        Symptom::VirtualTable
    } else {
        Symptom::Structure
    }
}

/// What it says if it, or the check of a virtual table, cannot go on.
const MALFORMED: &str = "database disk image is malformed";

/// What it says about an index whose entries are well-formed.
const INDEX_PROBLEMS: [&str; 4] = [
    "missing from index",
    "wrong # of entries in index",
    "non-unique entry in index",
    "values differ from index",
];

/// Begins what the checks of FTS3 to FTS5 and of R-Tree say, and what they say if they cannot even begin.
const VIRTUAL_PROBLEMS: [&str; 5] = [
    "malformed inverted index for FTS",
    "unable to validate the inverted index for FTS",
    "fts5: corruption",
    "In RTree ",
    "undersize RTree blobs in",
];

fn is_of_virtual_table(problem: &str) -> bool {
    VIRTUAL_PROBLEMS.iter().any(|words| problem.starts_with(words))
}

/// Why SQLite may have this problem without a bug.
pub(crate) fn excuse_of(problem: &str, case: &TestCase) -> Option<&'static str> {
    if problem.starts_with("CHECK constraint failed") {
        return Some("CHECK constraint");
    }
    if problem.contains("Schema corrupt or not an rtree") {
        return Some("R-Tree with columns that rtreecheck() does not understand");
    }
    if problem.starts_with("unable to validate the inverted index") && !problem.contains("malformed") {
        return Some("full-text check could not run");
    }
    // `malformed inverted index for FTS5 table main.f`, and perhaps a colon with more.
    let (_, table) = problem.split_once(" table ").filter(|_| is_of_virtual_table(problem))?;
    let is_it = |table_name: &[u8]| {
        let (_, rest) = table.split_once('.').unwrap_or(("", table));
        let start = rest.as_bytes().get(..table_name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(table_name))
    };
    let tables = excuse::virtual_tables(case);
    let is_external = tables.iter().any(|table| table.has_external_content && is_it(&table.name));
    is_external.then_some("full-text table with external content")
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
    MALFORMED,
];

/// The problem in a signature. What an index of JSON holds may depend on the subtype of a value, which its column does
/// not keep: a bug of SQLite's that must hide no other.
fn kind(problem: &str, case: &TestCase) -> String {
    let subtype = if is_of_json_index(problem, case) { "-of-json" } else { "" };
    words(problem) + subtype
}

/// True for a problem of an index on an expression with a JSON function. `row 5 missing from index NAME`, `wrong # of
/// entries in index NAME`.
fn is_of_json_index(problem: &str, case: &TestCase) -> bool {
    let Some((_, name)) =
        problem.split_once(" index ").filter(|_| symptom(problem, false) == Symptom::IndexEntry)
    else {
        return false;
    };
    let is_it = |sql: &Vec<u8>| {
        let mut words = sql::words(sql);
        let is_index = words.by_ref().take(3).any(|word| word.eq_ignore_ascii_case(b"INDEX"));
        let has_name = sql::words(sql).any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        let calls_json =
            words.any(|word| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"json")));
        is_index && has_name && calls_json
    };
    case.definitions().iter().any(is_it)
}

/// Its words, but for those of the case.
fn words(problem: &str) -> String {
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
    fn an_index_of_json_is_told_apart() {
        let case = TestCase::from_sql(
            "CREATE INDEX \"a b\" ON t(json_quote(j)); CREATE UNIQUE INDEX p ON t(x, lower(j));
             CREATE TABLE json(x); CREATE INDEX q ON t(x) WHERE jsonb(j) > 1",
        );
        assert_eq!(kind("row 5 missing from index a b", &case), "missing-from-index-of-json");
        assert_eq!(kind("wrong # of entries in index q", &case), "wrong-of-entries-in-index-of-json");
        assert_eq!(kind("row 5 missing from index p", &case), "missing-from-index");
        assert_eq!(kind("row 5 missing from index json", &case), "missing-from-index");
    }

    #[test]
    fn a_kind_holds_nothing_of_the_case() {
        assert_eq!(words("row 5 missing from index byname"), "missing-from-index");
        assert_eq!(words("wrong # of entries in index byname"), "wrong-of-entries-in-index");
        assert_eq!(words("Tree 3 page 7: btreeInitPage() returns error code 11"), "returns-error");
        assert_eq!(words("Something new about page 7 at last"), "something-new-about-page-at-last");
    }

    #[test]
    fn a_problem_is_excused_by_what_its_own_table_is() {
        let case = TestCase::from_sql(
            "CREATE VIRTUAL TABLE f USING fts5(a, content='t'); CREATE VIRTUAL TABLE g USING fts5(content)",
        );
        let of =
            |table: &str| excuse_of(&format!("malformed inverted index for FTS5 table main.{table}"), &case);
        assert!(of("f").is_some() && of("F").is_some());
        assert_eq!(of("g"), None);
        assert_eq!(excuse_of("row 1 missing from index f", &case), None);
    }

    #[test]
    fn symptoms_are_told_apart() {
        assert_eq!(symptom("CHECK constraint failed in t", true), Symptom::Constraint);
        assert_eq!(symptom("row 1 missing from index i", true), Symptom::IndexEntry);
        assert_eq!(symptom("In RTree main.r:\nNode 1 missing from database", true), Symptom::VirtualTable);
        assert_eq!(symptom("Tree 2 page 2: btreeInitPage() returns error code 11", true), Symptom::Structure);
        assert_eq!(symptom(MALFORMED, true), Symptom::VirtualTable);
        assert_eq!(symptom(MALFORMED, false), Symptom::Structure);
    }
}
