//! Impossible result codes.
//!
//! On a database that was well-formed, and that the script did not damage on purpose, no statement reports damage, an
//! I/O error (the disk has none), or a lack of memory when there is enough. Some codes are impossible on any database.
//! 51 of SQLancer's 193 SQLite reports are of this kind, and 22 of 44 fixed ones are `malformed` on a database that
//! SQLite wrote itself.
//!
//! Refuted as described in [`super`].
//!
//! # Excuses
//! * What the script did, for the symptoms that may follow from it ([`super::excuse`]).
//! * A full-text index over a table that changed without it: its own code, at a statement that may use it.
//! * Virtual tables that come with the database, likewise: nothing checks whether the tables that store their data are
//!   as expected.
//! * An attached file that was damaged.
//! * Damage that SQLite finds in the bytes of a changeset that the case brings.
//! * Lack of memory near the heap limit, and when `snippet()` and similar functions of FTS3/4 get NULL for a text,
//!   which they report as lack of memory.
//! * `CREATE` writes its text into the schema, reads it back, cannot parse it, and rolls everything back: `CREATE VIEW
//!   v AS SELECT*/*` does. The database is sound before and after.

use rusqlite::ffi;

use super::excuse::{self, Symptom};
use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::{Code, Observation, RAW_CHANGESET, StatementTrace, Taint};
use crate::known;
use crate::sql::VirtualTable;
use crate::testcase::TestCase;

/// While SQLite holds less than this, it is never refused memory: a quarter of the smallest heap limit of a target.
const MEMORY_SURELY_FREE_BYTES: i64 = 8 << 20;

pub(super) struct ImpossibleCode;

impl Oracle for ImpossibleCode {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let mut verdict = Verdict::Pass;
        for statement in &observation.trace.statements {
            match judge(statement, case, observation, ask) {
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

fn judge(
    statement: &StatementTrace,
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Verdict {
    let code = statement.code();
    let is_impossible_on_any = matches!(code.primary(), ffi::SQLITE_INTERNAL | ffi::SQLITE_MISUSE);
    if !is_impossible_on_any {
        // Bytes that are no changeset are damaged, but not the database.
        let is_of_changeset = statement.verb == RAW_CHANGESET && code.0 == ffi::SQLITE_CORRUPT;
        if !is_impossible_on_healthy(code) || is_of_changeset {
            return Verdict::Pass;
        }
        // Who is overtaken again and again gives up in the end.
        if code.0 == ffi::SQLITE_PROTOCOL && observation.trace.turns.is_some() {
            return Verdict::Pass;
        }
        // What a planned fault may well result in; that the file is damaged is not true all the same.
        let is_said_of_file = matches!(code.primary(), ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB);
        if !observation.trace.hits.is_empty() && !is_said_of_file {
            return Verdict::Pass;
        }
        if !ask.is_healthy_at_start() {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
        let symptom = symptom(statement, case, observation);
        let tainted = excuse::by_taint(symptom, case, observation);
        if let Some(reason) = tainted.or_else(|| excuse::by_limits(symptom, observation)) {
            return Verdict::Skip(reason);
        }
        if code.primary() != ffi::SQLITE_NOMEM && !ask.are_others_healthy_at_start() {
            return Verdict::Skip(SkipReason::Tainted("attached-file"));
        }
        let is_of_virtual_table = code.0 == ffi::SQLITE_CORRUPT_VTAB;
        if is_of_virtual_table && known::has_failed(&observation.trace.hits) && !ask.meets_known_bugs() {
            return Verdict::Skip(SkipReason::Excused(known::FTS5_FAILURE));
        }
        if let Some(excuse) = excuse_of(statement, case, observation) {
            return Verdict::Skip(SkipReason::Excused(excuse));
        }
    }
    Verdict::Fail(Finding {
        signature: Signature::new("code", code.name(), statement.verb),
        message: format!("impossible result {code}"),
    })
}

/// What the code tells of.
fn symptom(statement: &StatementTrace, case: &TestCase, observation: &Observation) -> Symptom {
    let code = statement.code();
    // What is read at these moments is above all the schema; a statement that is held may be prepared again.
    let reads_schema = statement.prepare != Code::OK
        || matches!(statement.verb, "CREATE" | "ALTER" | "ATTACH" | "VACUUM")
        || !case.operations.is_empty();
    match code.0 {
        ffi::SQLITE_CORRUPT_VTAB => Symptom::VirtualTable,
        ffi::SQLITE_CORRUPT_INDEX => Symptom::IndexEntry,
        // FTS5 says this where a shadow table is missing, or its statements need more than a limit allows.
        ffi::SQLITE_CORRUPT
            if observation.taint.intersects(Taint::SHADOW_TABLE | Taint::LIMITS)
                && uses(statement, case, &excuse::virtual_tables(case)) =>
        {
            Symptom::VirtualTable
        }
        ffi::SQLITE_CORRUPT if reads_schema => Symptom::SchemaText,
        _ if code.primary() == ffi::SQLITE_NOMEM => Symptom::Memory,
        _ => Symptom::Structure,
    }
}

fn uses(statement: &StatementTrace, case: &TestCase, tables: &[VirtualTable]) -> bool {
    let text = case.sql.as_bytes().get(statement.sql.clone()).unwrap_or_default();
    excuse::may_use(statement.verb, text, case, tables)
}

/// Why a virtual table may rightly report damage.
fn virtual_excuse(statement: &StatementTrace, case: &TestCase) -> Option<&'static str> {
    let mut external = excuse::virtual_tables(case);
    external.retain(|table| table.has_external_content);
    if uses(statement, case, &external) {
        return Some("full-text table with external content");
    }
    let brought = case.brought_definitions();
    let brought: Vec<VirtualTable> = brought.iter().filter_map(|sql| VirtualTable::of(sql)).collect();
    uses(statement, case, &brought).then_some("virtual tables from a file")
}

fn is_impossible_on_healthy(code: Code) -> bool {
    code.primary() == ffi::SQLITE_NOMEM || code.tells_of_damage()
}

fn excuse_of(statement: &StatementTrace, case: &TestCase, observation: &Observation) -> Option<&'static str> {
    if statement.code().0 == ffi::SQLITE_CORRUPT_VTAB {
        return virtual_excuse(statement, case);
    }
    let (peak, largest) = observation.heap_peak;
    if statement.code().primary() == ffi::SQLITE_NOMEM {
        let is_near_limit = peak + largest >= MEMORY_SURELY_FREE_BYTES;
        let text_functions = ["snippet", "offsets", "matchinfo", "fts3", "fts4"];
        let mentions =
            |line: &String| text_functions.iter().any(|name| line.to_ascii_lowercase().contains(name));
        if is_near_limit {
            return Some("near the heap limit");
        }
        return observation.log.iter().any(mentions).then_some("full-text function called with NULL");
    }
    let has_refused_schema = observation.log.iter().any(|line| line.contains("malformed database schema"));
    let is_sound = observation.integrity.as_ref().is_none_or(Vec::is_empty);
    (has_refused_schema && statement.verb == "CREATE" && is_sound).then_some("new schema text refused")
}
