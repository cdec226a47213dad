//! Which action of a script excuses which symptom: one table, [`EXCUSES`]. An oracle classifies what it found as a
//! [`Symptom`] and asks for [`by_taint`]; an oracle for something else adds a symptom, and writes it into the rows that
//! excuse it.

use crate::engine::{Observation, Taint};
use crate::sql::{self, VirtualTable};
use crate::testcase::{MAIN_DB, Setting, TestCase};

use super::SkipReason;

/// What an oracle found, as far as it matters for excuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// SQLite says that it has no memory.
    Memory,
    /// The text of the schema is refused when it is read.
    SchemaText,
    /// A virtual table says that its data are damaged.
    VirtualTable,
    /// A row violates a constraint of its table.
    Constraint,
    /// An index does not hold what the expressions of its table result in.
    IndexEntry,
    /// Anything else: b-trees, free pages, the header.
    Structure,
    /// Statements that must agree do not.
    Answer,
}

use Symptom::{Answer, Constraint, IndexEntry, Memory, SchemaText, Structure, VirtualTable as Virtual};

/// All that may follow if bytes of the file are not those that SQLite would have written.
const ANY_DAMAGE: &[Symptom] = &[SchemaText, Virtual, Constraint, IndexEntry, Structure, Answer];

/// What excuses what. What is not in the table excuses nothing: that `writable_schema` is on or the journal off, as
/// long as neither has an effect; that files are attached, for what these held is asked instead
/// ([`super::Environment::are_others_healthy_at_start`]).
const EXCUSES: [(Taint, &[Symptom]); 12] = [
    // What a planned fault returned was never written.
    (Taint::LYING_DISK, ANY_DAMAGE),
    // Rows of the schema decide where SQLite looks for b-trees and what it expects in them.
    (Taint::SCHEMA_WRITTEN, ANY_DAMAGE),
    // Whole pages are replaced.
    (Taint::DBPAGE, ANY_DAMAGE),
    // Some of the pages that a transaction wrote stay, the rest does not (https://sqlite.org/pragma.html#pragma_journal_mode).
    (Taint::ROLLED_BACK, ANY_DAMAGE),
    // As before, for the same reason.
    (Taint::POWER_CUT, ANY_DAMAGE),
    // Two write at once, or one reads what another is writing (https://sqlite.org/uri.html).
    (Taint::UNLOCKED, ANY_DAMAGE),
    // A connection with an outdated schema does not notice (https://sqlite.org/pragma.html#pragma_schema_version). It
    // takes another one that changes the schema: see `applies`.
    (Taint::SCHEMA_VERSION, ANY_DAMAGE),
    // Shadow tables are ordinary tables, written by ordinary statements: their b-trees stay well-formed.
    (Taint::SHADOW_TABLE, &[Virtual, Answer]),
    // Rows that violate a constraint were never checked, and the optimizer relies on NOT NULL.
    (Taint::UNCHECKED_ROWS, &[Constraint, Answer]),
    // LIKE results in something else, and where an index or a constraint depends on it, they no longer agree with the
    // table: see `applies`.
    (Taint::LIKE, &[Constraint, IndexEntry, Answer]),
    // The heap may end anywhere; what was written until then is rolled back.
    (Taint::HEAP_LIMIT, &[Memory]),
    // SQLite reports a program with too many instructions as lack of memory, and a statement of its own, as those of VACUUM
    // and ALTER, that is longer than a string may be: see `applies`.
    (Taint::LIMITS, &[Memory]),
];

/// The limits of a case excuse that SQLite cannot read the text of a schema that needs more, and that a virtual table cannot
/// prepare the statements with which it reads its own tables, which is no damage: where both are checked without limits,
/// they are sound. [`super::code`] asks for this.
pub(super) fn by_limits(symptom: Symptom, observation: &Observation) -> Option<SkipReason> {
    let is_sound_without = observation.integrity.as_ref().is_none_or(Vec::is_empty);
    let needs_more = matches!(symptom, SchemaText | Virtual);
    let is_excused = needs_more && observation.taint.contains(Taint::LIMITS) && is_sound_without;
    is_excused.then_some(SkipReason::Tainted("limits"))
}

/// Why the script itself may be to blame for a symptom.
pub(crate) fn by_taint(symptom: Symptom, case: &TestCase, observation: &Observation) -> Option<SkipReason> {
    let (_, name) = blamed(symptom, case, observation).members().next()?;
    Some(SkipReason::Tainted(name))
}

/// All that the script has done that may be to blame for a symptom.
pub(super) fn blamed(symptom: Symptom, case: &TestCase, observation: &Observation) -> Taint {
    let excuses = |taint: Taint| {
        let is_in_table = EXCUSES.iter().any(|(row, symptoms)| *row == taint && symptoms.contains(&symptom));
        // With it on, SQLite takes what it has read of the schema before an error for all of it.
        let has_part_of_schema = taint == Taint::WRITABLE_SCHEMA && !observation.trace.hits.is_empty();
        (is_in_table || has_part_of_schema) && applies(taint, case, observation)
    };
    let members = observation.taint.members().map(|(taint, _)| taint);
    members.filter(|taint| excuses(*taint)).fold(Taint::NONE, |all, taint| all | taint)
}

/// Whether an action can have had its effect in this case.
fn applies(taint: Taint, case: &TestCase, observation: &Observation) -> bool {
    match taint {
        Taint::LIKE => case.definitions().iter().any(|sql| computes_with_like(sql)),
        Taint::SCHEMA_VERSION => {
            let files = &observation.attached;
            let is_twice = |(at, file): (usize, &String)| file == MAIN_DB || files[..at].contains(file);
            !case.operations.is_empty() || files.iter().enumerate().any(is_twice)
        }
        Taint::LIMITS => {
            [Setting::LimitVdbeOp, Setting::LimitLength].iter().any(|&limit| case.config.get(limit) != 0)
        }
        _ => true,
    }
}

/// True if a definition of a table or an index says LIKE: in a generated column, a CHECK, or an indexed expression.
fn computes_with_like(definition: &[u8]) -> bool {
    let says = |word: &[u8]| sql::words(definition).any(|other| other.eq_ignore_ascii_case(word));
    says(b"LIKE") && !sql::words(definition).take(3).any(is_view_or_trigger)
}

fn is_view_or_trigger(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"VIEW") || word.eq_ignore_ascii_case(b"TRIGGER")
}

/// The virtual tables that a case brings or may create.
pub(super) fn virtual_tables(case: &TestCase) -> Vec<VirtualTable> {
    case.definitions().iter().filter_map(|sql| VirtualTable::of(sql)).collect()
}

/// Statements that name all tables that they use, unless those are behind a view or a trigger.
const NAMING: [&str; 8] = ["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "DROP"];

/// Whether a statement may use one of these tables: it names one, or a view or trigger does, or it is one that names
/// none, such as COMMIT, at which a virtual table writes what it held back.
pub(super) fn may_use(verb: &str, text: &[u8], case: &TestCase, tables: &[VirtualTable]) -> bool {
    let names_one = |text: &[u8]| {
        let is_one = |word: &[u8]| tables.iter().any(|table| word.eq_ignore_ascii_case(&table.name));
        sql::words(text).any(is_one)
    };
    let is_behind = |sql: &Vec<u8>| sql::words(sql).take(3).any(is_view_or_trigger) && names_one(sql);
    !tables.is_empty()
        && (!NAMING.contains(&verb) || names_one(text) || case.definitions().iter().any(is_behind))
}

#[cfg(test)]
#[path = "excuse_tests.rs"]
mod tests;
