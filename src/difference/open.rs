//! What SQL leaves open: a difference in it is a warning. Decided by looking, and by running again, not by words.
//!
//! * Rows that tie in an `ORDER BY` may come in any order; the keys may not ([`crate::engine::order_keys`]).
//! * Whatever depends on an order of rows that is not defined changes if the same SQLite scans in reverse
//!   (`PRAGMA reverse_unordered_selects`). Where neither side changes, the order is not the reason: the difference is real.
//!   SQLite does not reverse the scans of a query that sorts or groups, so those keep their warning.

use super::doubt::Doubt;
use super::statement::Pair;
use super::{Class, Comparison};
use crate::engine::Transcript;
use crate::engine::transcript::{RowsDigest, StatementRecord, TableDigest};
use crate::testcase::{Script, TestCase};

/// Makes SQLite scan in reverse.
const REVERSING: &[u8] = b"PRAGMA reverse_unordered_selects=1;";

/// What has to change with the order of scans for a difference to be a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The result of the statement of this index.
    Statement(usize),
    /// The rows of the table of this name.
    Table(String),
    /// Which of its rows has which rowid.
    Rowids(String),
}

/// A warning.
pub(super) struct Warning {
    /// Why.
    pub(super) reason: &'static str,
    /// Whether running again in reverse can refute it.
    pub(super) is_refutable: bool,
}

/// Why a difference between two statements may be what SQL leaves open.
pub(super) fn warning(pair: &Pair<'_>, class: Class, doubt: Doubt) -> Option<Warning> {
    let is_refutable = !doubt.is_beyond_reversal;
    let final_word = |reason| Some(Warning { reason, is_refutable: false });
    let keys = pair.has_same_keys();
    match class {
        // The same rows: their keys are in one order, whatever else is open.
        Class::Order => match keys {
            Some(false) => None,
            Some(true) => final_word("rows with equal keys may come in any order"),
            None => final_word("rows may have equal keys, which are not among the columns"),
        },
        // LIMIT returns any rows, but a fixed number, and of sorted ones those with the first keys.
        Class::Rows if pair.reading.has_top_limit && pair.a.rows.count == pair.b.rows.count => match keys {
            Some(false) if doubt.order.is_none() => None,
            Some(true) if doubt.order.is_none() => final_word("LIMIT ends among rows with equal keys"),
            _ => Some(Warning { reason: "LIMIT without a total order", is_refutable }),
        },
        Class::Error | Class::Code if pair.has_lowered_limits() => final_word("a limit was lowered"),
        // Of several rows, and of several constraints of one, any may be the first that fails.
        Class::Code if pair.both_fail_on_a_row() => final_word("which row or constraint fails first"),
        // A function that fails, or an unreadable table, matters only if the planner evaluates it.
        Class::Error if pair.fails_as_it_runs() => {
            final_word("an error in a part that need not be evaluated")
        }
        Class::Rows | Class::RowsAgainstNone | Class::Error => {
            doubt.order.map(|reason| Warning { reason, is_refutable })
        }
        _ => None,
    }
}

/// The same case with reversed scans; none for a case whose operations count its statements.
pub fn reversed(case: &TestCase) -> Option<TestCase> {
    let script = [REVERSING, case.sql.as_bytes()].concat();
    case.operations.is_empty().then(|| TestCase { sql: Script::new(script), ..case.clone() })
}

impl Comparison {
    /// Whether a run in reverse ([`reversed`]) could show that a warning is a finding.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Turns warnings into findings that running again in reverse refutes: what both engines did, and what they did in
    /// reverse.
    pub fn settle(&mut self, runs: [&Transcript; 2], in_reverse: [&Transcript; 2]) {
        for (index, place) in std::mem::take(&mut self.open) {
            let has_changed = (0..2).any(|side| place.has_changed(runs[side], in_reverse[side]));
            if !has_changed {
                self.differences[index].warning = None;
            }
        }
    }
}

impl Place {
    /// Whether it is another in reverse, or cannot be compared.
    fn has_changed(&self, run: &Transcript, in_reverse: &Transcript) -> bool {
        let is_same = match self {
            Self::Statement(index) => {
                // Behind the pragma.
                let record = run.statements.get(*index).zip(in_reverse.statements.get(index + 1));
                record.is_some_and(|(record, other)| is_same_result(record, other))
            }
            Self::Table(name) => {
                let rows = |transcript| Some(table(transcript, name)?.rows);
                is_same_rows(rows(run), rows(in_reverse))
            }
            Self::Rowids(name) => {
                let rows = |transcript| table(transcript, name)?.with_rowid;
                is_same_rows(rows(run), rows(in_reverse))
            }
        };
        !is_same
    }
}

fn table<'t>(transcript: &'t Transcript, name: &str) -> Option<&'t TableDigest> {
    transcript.end.as_ref()?.tables.iter().find(|table| table.name == name)
}

/// Whether both are known and the same.
fn is_same_rows(rows: Option<RowsDigest>, others: Option<RowsDigest>) -> bool {
    rows.zip(others).is_some_and(|(rows, others)| rows.is_same_multiset(&others))
}

fn is_same_result(record: &StatementRecord, other: &StatementRecord) -> bool {
    let place = record.sql.start + REVERSING.len();
    place == other.sql.start && record.code == other.code && record.rows.is_same_multiset(&other.rows)
}

#[cfg(test)]
mod tests;
