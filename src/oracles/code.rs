//! Impossible result codes.
//!
//! On a database that was well-formed, and that the script did not damage on purpose, no statement
//! reports damage, an I/O error (the disk has none), or a lack of memory that is there. Some codes are
//! impossible on any database. 51 of SQLancer's 193 SQLite reports are of this kind, and 22 of 44 fixed
//! ones are `malformed` on a database that SQLite wrote itself.
//!
//! Refuted as described in [`super`]; lack of memory also where the script came near the heap limit.

use rusqlite::ffi;

use super::{Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Code, Observation, StatementTrace};
use crate::testcase::TestCase;

/// Holding less than this, SQLite is never refused memory: a quarter of the smallest heap limit of a
/// target.
const MEMORY_SURELY_FREE_BYTES: i64 = 8 << 20;

pub(super) struct ImpossibleCode;

impl Oracle for ImpossibleCode {
    fn check(&self, case: &TestCase, observation: &Observation) -> Verdict {
        let mut verdict = Verdict::Pass;
        for statement in &observation.trace.statements {
            match judge(statement, observation) {
                Verdict::Fail(mut finding) => {
                    let text = case.sql.as_bytes().get(statement.sql.clone()).unwrap_or_default();
                    let log = observation.log.join("; ");
                    let text = String::from_utf8_lossy(text);
                    finding.message = format!("{} at `{}` ({log})", finding.message, text.trim());
                    return Verdict::Fail(finding);
                }
                Verdict::Skip(reason) => verdict = Verdict::Skip(reason),
                Verdict::Pass => {}
            }
        }
        verdict
    }
}

fn judge(statement: &StatementTrace, observation: &Observation) -> Verdict {
    let code = statement.code();
    let is_impossible_on_any = matches!(code.primary(), ffi::SQLITE_INTERNAL | ffi::SQLITE_MISUSE);
    if !is_impossible_on_any {
        if !is_impossible_on_healthy(code, observation) {
            return Verdict::Pass;
        }
        if let Some(taint) = observation.taint.first_name() {
            return Verdict::Skip(SkipReason::Tainted(taint));
        }
        if observation.is_healthy_at_start != Some(true) {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
    }
    Verdict::Fail(Finding {
        signature: Signature::new("code", code.name(), statement.verb),
        message: format!("impossible result {code}"),
    })
}

fn is_impossible_on_healthy(code: Code, observation: &Observation) -> bool {
    let (peak, largest) = observation.heap_peak;
    match code.primary() {
        ffi::SQLITE_NOMEM => peak + largest < MEMORY_SURELY_FREE_BYTES,
        _ => code.tells_of_damage(),
    }
}
