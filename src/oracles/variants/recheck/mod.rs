//! What a script leaves passes every check that SQLite has, and can be read again.
//!
//! At the end of the script, on the same connection and on a new one:
//! - `PRAGMA quick_check` finds nothing where `PRAGMA integrity_check` does not, and neither does on the new connection
//!   what it did not on the old one (<https://sqlite.org/pragma.html>);
//! - full-text tables pass their `'integrity-check'` (<https://sqlite.org/fts5.html>), and R-Trees `rtreecheck()`;
//! - the new connection reads the same schema, columns, indexes and rows, and prepares `SELECT * FROM` every table and
//!   view that the old one does;
//! - queries of the script that were answered since the schema last changed can still be prepared;
//! - `PRAGMA foreign_key_check` finds nothing if foreign keys were enforced all the time ([`keys`]).
//!
//! # When nothing is said
//! * On a database that was damaged, after a taint, with several connections, or if any limit was met, as in [`super`].
//!   What the checks find is excused as in [`integrity`].
//! * Of a new connection, if settings of the old one change what a view or an expression means.
//! * Of full-text tables over tables that the user changes without them.

mod again;
mod keys;

use std::cell::{Cell, RefCell};

use super::{UNSTEADY_TAINTS, script, starts_empty};
use crate::engine::sqlite::{Execution, NoAnswer, Program, Row, Session};
use crate::engine::{Code, Observation, Value};
use crate::oracles::{Environment, Finding, Oracle, Signature, SkipReason, Verdict, excuse, integrity};
use crate::sql::{self, VirtualTable};
use crate::testcase::TestCase;

use keys::Keys;

/// Ticks for all checks of a case.
const TICKS: u64 = 20_000;
/// Pragmas of a connection that decide what names and functions in the schema mean.
pub(super) const MEANINGS: [&str; 4] =
    ["trusted_schema", "full_column_names", "short_column_names", "writable_schema"];

pub(crate) struct Recheck;

impl Oracle for Recheck {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        judge(case, observation, ask).unwrap_or_else(Verdict::Skip)
    }
}

fn judge(
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Result<Verdict, SkipReason> {
    if let Some(reason) = ask.why_no_answers() {
        return Err(reason);
    }
    if observation.ended_early() || !observation.cut_short.is_empty() {
        return Err(SkipReason::CheckCutShort);
    }
    if let Some((_, name)) = observation.taint.members().find(|(taint, _)| UNSTEADY_TAINTS.contains(taint)) {
        return Err(SkipReason::Tainted(name));
    }
    let checks = Checks {
        observation,
        has_external_content: excuse::virtual_tables(case).iter().any(|table| table.has_external_content),
        keeps_meanings: !script::mentions(case, observation, &MEANINGS),
        may_enforce_keys: keys::may_be_enforced(case, observation),
        found: RefCell::default(),
        checked: Cell::default(),
    };
    let run = ask.run_other(case, &checks)?;
    if !run.cut_short.is_empty() {
        return Err(SkipReason::CheckCutShort);
    }
    if run.trace.statements != observation.trace.statements {
        return Err(SkipReason::NotReproduced);
    }
    let (trivial, telling) = checks.checked.get();
    (0..trivial).for_each(|_| ask.count_check(true));
    (0..telling).for_each(|_| ask.count_check(false));
    match checks.found.into_inner() {
        Some(Found { kind, detail, message }) => {
            let signature = Signature::new("recheck", kind, detail);
            Ok(Verdict::Fail(Finding { signature, message }))
        }
        None if trivial + telling == 0 => Err(SkipReason::CheckCutShort),
        None => Ok(Verdict::Pass),
    }
}

/// A check that failed.
struct Found {
    kind: &'static str,
    detail: &'static str,
    message: String,
}

/// The script with the checks.
struct Checks<'a> {
    observation: &'a Observation,
    has_external_content: bool,
    /// Whether the schema means the same to a new connection.
    keeps_meanings: bool,
    may_enforce_keys: bool,
    /// The first failure.
    found: RefCell<Option<Found>>,
    /// Numbers of trivial and other checks.
    checked: Cell<(u32, u32)>,
}

impl Program for Checks<'_> {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        let text = case.sql.as_bytes();
        let mut keys = self
            .may_enforce_keys
            .then(|| Keys::begin(starts_empty(case), &mut Session::new(execution, TICKS)))
            .flatten();
        for range in sql::statements(text) {
            if execution.is_over() {
                return;
            }
            let text = &text[range.clone()];
            keys = keys.filter(|_| Keys::are_kept_by(text, &mut Session::new(execution, TICKS)));
            execution.run(text, range);
        }
        if execution.is_over() {
            return;
        }
        let mut db = Session::new(execution, TICKS);
        self.queries(case, &db);
        if settle(&mut db).is_none() {
            return;
        }
        let is_sound = self.own_checks(case, &mut db);
        if let Some(keys) = keys {
            self.note(keys.violated(&mut db), "foreign-key", "violated");
        }
        self.virtual_tables(case, &mut db);
        if self.keeps_meanings && !self.has_external_content {
            self.reopened(case, is_sound, &mut db);
        }
    }
}

impl Checks<'_> {
    /// Notes what a check says: what is wrong, or whether it was trivial; `None` for nothing.
    fn note(&self, said: Option<Result<bool, String>>, kind: &'static str, detail: &'static str) {
        let (trivial, telling) = self.checked.get();
        let Some(said) = said else {
            return;
        };
        self.checked.set(match said {
            Ok(true) => (trivial + 1, telling),
            _ => (trivial, telling + 1),
        });
        if let Err(message) = said {
            self.found.borrow_mut().get_or_insert(Found { kind, detail, message });
        }
    }

    /// Whether the queries of the script that were answered since the schema last changed can still be prepared.
    fn queries(&self, case: &TestCase, db: &Session<'_, '_>) {
        for at in again::queries(&self.observation.trace.statements) {
            let text = case.sql.as_bytes().get(at).unwrap_or_default();
            if sql::words(text).any(|word| word.eq_ignore_ascii_case(b"INDEXED")) {
                continue;
            }
            let text_shown = || String::from_utf8_lossy(text).trim().to_owned();
            let said = match db.refusal(text) {
                None => Some(Ok(false)),
                Some((code, message)) if again::is_telling(code, &message) => {
                    Some(Err(format!("what was answered is refused: {message}, at `{}`", text_shown())))
                }
                Some(_) => None,
            };
            self.note(said, "query", "refused");
        }
    }

    /// Both checks of all databases; true if those of the main database find nothing.
    fn own_checks(&self, case: &TestCase, db: &mut Session<'_, '_>) -> bool {
        let mut is_sound = false;
        for row in db.rows("PRAGMA database_list").unwrap_or_default() {
            let Some(Value::Text(name)) = row.get(1) else {
                continue;
            };
            let name = String::from_utf8_lossy(name).into_owned();
            let schema = sql::quoted(&name, '"');
            let Some(true) =
                check(&format!("PRAGMA {schema}.integrity_check"), case, db).map(|said| said.is_ok())
            else {
                continue;
            };
            is_sound |= name == "main";
            self.note(check(&format!("PRAGMA {schema}.quick_check"), case, db), "quick-check", "disagrees");
        }
        is_sound
    }

    /// The checks of full-text tables and R-Trees.
    fn virtual_tables(&self, case: &TestCase, db: &mut Session<'_, '_>) {
        let schema = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0";
        for row in db.rows(schema).unwrap_or_default() {
            let [Value::Text(name), Value::Text(definition)] = &row[..] else {
                continue;
            };
            let name = String::from_utf8_lossy(name).into_owned();
            let module =
                sql::words(definition).skip_while(|word| !word.eq_ignore_ascii_case(b"USING")).nth(1);
            match module.map(<[u8]>::to_ascii_lowercase).as_deref() {
                Some(b"fts3" | b"fts4" | b"fts5")
                    if VirtualTable::of(definition).is_some_and(|table| !table.has_external_content) =>
                {
                    self.note(full_text(&name, db), "full-text", "damage");
                }
                Some(b"rtree" | b"rtree_i32") => {
                    let text = format!("SELECT rtreecheck('main', {})", sql::quoted(&name, '\''));
                    self.note(check(&text, case, db), "rtree", "damage");
                }
                _ => {}
            }
        }
    }

    /// What a new connection sees.
    fn reopened(&self, case: &TestCase, is_sound: bool, db: &mut Session<'_, '_>) {
        let Some(before) = again::Seen::of(db) else {
            return;
        };
        if !db.reopen() {
            return;
        }
        self.note(before.difference(db), "reopened", "differs");
        if is_sound {
            self.note(check("PRAGMA main.integrity_check", case, db), "reopened", "integrity");
            self.note(check("PRAGMA main.quick_check", case, db), "reopened", "quick-check");
        }
    }
}

/// Ends a transaction that the script left open; `None` if that cannot be done.
pub(super) fn settle(db: &mut Session<'_, '_>) -> Option<()> {
    let settled = db.rows("COMMIT").or_else(|_| db.rows("ROLLBACK"));
    // Without a transaction, both fail.
    drop(settled);
    db.rows("BEGIN").ok()?;
    db.rows("COMMIT").ok().map(drop)
}

/// What a check says that returns `ok`, or problems; `None` if it does not run, or for a problem without a bug.
fn check(text: &str, case: &TestCase, db: &mut Session<'_, '_>) -> Option<Result<bool, String>> {
    let rows = match db.rows(text) {
        Ok(rows) => rows,
        Err(NoAnswer::Error(code)) if code.tells_of_damage() => {
            return Some(Err(format!("{text} fails with {code}")));
        }
        Err(_) => return None,
    };
    let is_ok = |row: &Row| matches!(&row[..], [Value::Text(text)] if text == b"ok");
    let wrong: Vec<String> = rows.iter().filter(|row| !is_ok(row)).flatten().map(shown).collect();
    match wrong.iter().find(|problem| integrity::excuse_of(problem, case).is_none()) {
        Some(problem) => Some(Err(format!("{text}: {problem}"))),
        None => wrong.is_empty().then_some(Ok(false)),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

/// The check that full-text tables have: a command, which writes nothing.
fn full_text(name: &str, db: &mut Session<'_, '_>) -> Option<Result<bool, String>> {
    let quoted = sql::quoted(name, '"');
    db.rows("SAVEPOINT tandem").ok()?;
    let said = db.rows(&format!("INSERT INTO main.{quoted}({quoted}) VALUES('integrity-check')"));
    let is_undone = db.rows("ROLLBACK TO tandem").and_then(|_| db.rows("RELEASE tandem")).is_ok();
    match said {
        Ok(_) => is_undone.then_some(Ok(false)),
        Err(NoAnswer::Error(code)) if code.tells_of_damage() => {
            Some(Err(format!("the integrity-check of {name} fails with {code}")))
        }
        Err(_) => None,
    }
}

/// True if this refusal is none of the schema's content: it is a lock, or lack of memory.
fn is_elsewhere(code: Code) -> bool {
    code.primary() != rusqlite::ffi::SQLITE_ERROR && !code.tells_of_damage()
}

#[cfg(test)]
mod tests;
