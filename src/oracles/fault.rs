//! What a planned fault does to the statement that meets it, and to the database.
//!
//! # Fault model
//! An allocation or a file operation fails, or a statement is interrupted, as [`crate::faults`] says. SQLite promises that
//! the statement then either does without, and nothing is different, or fails with an error, and the statement, or all of
//! its transaction, is undone (<https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>). A commit
//! that fails when the journal is already gone is done, and one of several files is done or not in each of them where one has no
//! part in a super-journal: with a WAL (<https://sqlite.org/lang_attach.html>), without a journal on the disk, or with
//! `synchronous=OFF`, where there is nothing to be found after a crash.
//!
//! # Check
//! The case runs again without its faults, for what the connection sees after each statement.
//! * As long as no statement ends otherwise than there, each returns the same rows, and what is there in the end is the same.
//!   A PRAGMA that reports what could be done reports that: a checkpoint that was locked out is no error. Statistics
//!   that cannot be read are done without, which may change a plan, and with it the order of rows.
//! * After the first that does, having met a fault, the connection sees what it saw there before or after that statement, or
//!   what was committed last. The faults are disarmed for that look.
//! * The first that differs without having met one may only do so because of what an earlier one did without: that is
//!   an error, too.
//!
//! One exception is known: a RELEASE that commits and fails rolls all of the transaction back, and SQLite 3.54.1 still says
//! that one is open, against <https://sqlite.org/c3ref/get_autocommit.html>.
//!
//! The codes with which statements may fail are a matter of [`super::code`], what is left of [`super::integrity`], leaks
//! of [`super::memory`]: they judge each run.

use rusqlite::ffi;

use super::excuse::{self, Symptom};
use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::dbfile::header;
use crate::engine::{DatabaseView, Observation, StatementTrace, Taint, View};
use crate::faults::rules::Hit;
use crate::known;
use crate::testcase::{Setting, TestCase};

pub(super) struct Outcome;

impl Oracle for Outcome {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        match check(case, observation, ask) {
            Ok(None) => Verdict::Pass,
            Ok(Some(finding)) => Verdict::Fail(finding),
            Err(reason) => Verdict::Skip(reason),
        }
    }
}

fn check(
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Result<Option<Finding>, SkipReason> {
    let hits = &observation.trace.hits;
    if hits.is_empty() {
        return Err(SkipReason::FaultNotMet);
    }
    if hits.contains_key(&Hit::BitFlip) {
        return Err(SkipReason::Tainted("lying-disk"));
    }
    if !case.operations.is_empty() {
        return Err(SkipReason::Excused("several connections"));
    }
    if !(ask.is_healthy_at_start() && ask.are_others_healthy_at_start()) || has_odd_encoding(case) {
        return Err(SkipReason::DamagedAtStart);
    }
    if observation.ended_early() {
        return Err(SkipReason::CheckCutShort);
    }
    // With it on, SQLite takes what it has read of the schema before an error for all of it.
    if observation.taint.contains(Taint::WRITABLE_SCHEMA) {
        return Err(SkipReason::Tainted("writable-schema"));
    }
    if let Some(reason) = excuse::by_taint(Symptom::Answer, case, observation)
        && !ask.trusts_settings()
    {
        return Err(reason);
    }
    let reference = ask.reference()?;
    let (with, without) = (&observation.trace.statements, &reference.trace.statements);
    let differs = with.iter().zip(without).position(|(with, without)| with.code() != without.code());
    // One that fails in any case may have met a fault as well, and then undone more than otherwise.
    let fails = observation.after_fault.as_ref().map(|view| view.statements - 1);
    let first = differs.into_iter().chain(fails).min();
    let end = first.unwrap_or(with.len().min(without.len()));
    if let Some(at) = (0..end).find(|&at| !is_same(&with[at], &without[at])) {
        let text = case.sql.as_bytes().get(with[at].sql.clone()).unwrap_or_default();
        if hits.contains_key(&Hit::Allocation) && known::may_rank(text) && !ask.meets_known_bugs() {
            return Err(SkipReason::Excused(known::FTS5_RANK));
        }
        if depends_on_history(case) {
            return Err(SkipReason::Excused("another plan without statistics, or another history"));
        }
        let message = format!(
            "statement {} succeeds and returns {} rows, which are not the {} that it returns without the faults",
            at + 1,
            with[at].rows,
            without[at].rows
        );
        return Ok(Some(finding("other-rows", hits.keys().next(), with[at].verb, message)));
    }
    let Some(at) = first else {
        return Ok(None);
    };
    // How much memory there is left under a limit depends on what was done without.
    if without.iter().any(|statement| statement.code().primary() == ffi::SQLITE_NOMEM) {
        return Err(SkipReason::Excused("near the heap limit"));
    }
    let Some(view) = observation.after_fault.as_ref().filter(|view| view.statements == at + 1) else {
        if with[at].code().0 == ffi::SQLITE_CORRUPT_VTAB && !ask.meets_known_bugs() {
            return Err(SkipReason::Excused(known::FTS5_FAILURE));
        }
        let message = format!(
            "statement {} ends with {} instead of {} without having met a fault",
            at + 1,
            with[at].code(),
            without[at].code()
        );
        return Ok(Some(finding("later-error", hits.keys().next(), with[at].verb, message)));
    };
    ask.count_check(false);
    Ok(mixed(view, &reference.views, at, with[at].verb).map(|message| {
        let message = format!("after statement {}, which ended with {}: {message}", at + 1, with[at].code());
        finding("mixed", hits.keys().next(), with[at].verb, message)
    }))
}

/// Words of statements that fill or read the tables of ANALYZE, which may change a plan, or that read what depends on what was
/// tried before: pages, and what SQLite keeps in memory.
const HISTORY: [&str; 7] =
    ["sqlite_stat", "analyze", "sqlite_dbpage", "dbstat", "bytecode", "tables_used", "sqlite_stmt"];

fn depends_on_history(case: &TestCase) -> bool {
    let says = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).to_ascii_lowercase();
        HISTORY.iter().any(|word| text.contains(word))
    };
    case.config.is_on(Setting::RichSchema)
        || says(case.sql.as_bytes())
        || case.brought_definitions().iter().any(|sql| says(sql))
}

/// Whether the header names an encoding that there is none of: SQLite reads it once in one way, and once more in another.
fn has_odd_encoding(case: &TestCase) -> bool {
    case.files.main().is_some_and(|image| header::ENCODING.get(image) > 3)
}

/// Whether a statement did the same; how many steps it took is its own business.
fn is_same(with: &StatementTrace, without: &StatementTrace) -> bool {
    // A statement that fails may have returned any number of its rows before.
    !with.code().is_success()
        || matches!(with.verb, "PRAGMA" | "EXPLAIN" | "ASK")
        || (with.rows, with.row_digest) == (without.rows, without.row_digest)
}

fn finding(kind: &str, hit: Option<&Hit>, verb: &str, message: String) -> Finding {
    let hit = hit.map_or("-".to_owned(), |hit| hit.to_string().replace(' ', "-").to_lowercase());
    Finding { signature: Signature::new("fault", kind, &format!("{hit}-{verb}")), message }
}

/// What is wrong with what the connection sees after statement `at` has failed, counted from 0.
fn mixed(view: &View, reference: &[View], at: usize, verb: &str) -> Option<String> {
    let (before, after) = (reference.get(at)?, reference.get(at + 1)?);
    let committed = reference[..=at].iter().rfind(|view| view.is_autocommit);
    // A transaction that is still open after an error is the one that was open before.
    let is_rolled_back = view.is_autocommit || verb == "RELEASE";
    let allowed = [Some(before), Some(after), committed.filter(|_| is_rolled_back)];
    let is_like = |databases: &[DatabaseView], other: &View| {
        databases.iter().all(|database| {
            let same = other.databases.iter().find(|other| other.file == database.file);
            // One that could be opened only for reading may well be unreadable before it is recovered.
            let is_read_only = database.digest.is_err_and(|code| code.primary() == ffi::SQLITE_READONLY);
            is_read_only || same.is_none_or(|other| other.digest == database.digest)
        })
    };
    let is_allowed =
        |databases: &[DatabaseView]| allowed.into_iter().flatten().any(|other| is_like(databases, other));
    let is_alone = |database: &DatabaseView| {
        matches!(database.journal.as_str(), "wal" | "memory" | "off") || database.synchronous == "0"
    };
    let parts = if view.databases.iter().any(is_alone) { 1 } else { view.databases.len().max(1) };
    if view.databases.chunks(parts).all(is_allowed) {
        return None;
    }
    let unreadable =
        view.databases.iter().find_map(|database| Some((&database.file, database.digest.err()?)));
    Some(match unreadable {
        Some((file, code)) => format!("{file} cannot be read: {code}"),
        None if view.is_autocommit => {
            "the database is neither as before nor as after the statement, nor as it was committed last"
                .to_owned()
        }
        None => "the transaction sees neither what was there before the statement nor what is there after"
            .to_owned(),
    })
}
