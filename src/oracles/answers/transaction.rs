//! What `ROLLBACK` brings back, and what `COMMIT` leaves alone.
//!
//! What the databases hold when a transaction or savepoint begins must be there again after `ROLLBACK` and `ROLLBACK TO`
//! (<https://sqlite.org/lang_savepoint.html>), also where an error rolls back the transaction; `COMMIT` and `RELEASE`
//! change nothing that can be seen. That costs a scan of all tables, so it is done only if a rollback is to come.

use std::rc::Rc;

use rusqlite::ffi;

use super::content::{self, Content};
use super::{Change, Said, query, rows};
use crate::engine::StatementTrace;
use crate::engine::sqlite::{Row, Session};
use crate::sql::{self, TokenKind};

/// What is kept in the header of a database and rolled back with it.
const HEADER: [&str; 2] = ["user_version", "application_id"];

/// A statement that steers transactions.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    Rollback,
    Commit,
}

impl Step {
    fn of(text: &str) -> Option<Self> {
        let words = words(text);
        let says = |at: usize, keyword: &str| words.get(at).is_some_and(|word| is_keyword(word, keyword));
        // The name of a savepoint is always the last word.
        let name = || words.last().map(|(_, word)| sql::bare(word).to_ascii_lowercase()).unwrap_or_default();
        let first = words.first().filter(|(kind, _)| *kind == TokenKind::Word)?;
        Some(match first.1.to_ascii_uppercase().as_str() {
            "BEGIN" => Self::Begin,
            "COMMIT" | "END" => Self::Commit,
            "SAVEPOINT" => Self::Savepoint(name()),
            "RELEASE" => Self::Release(name()),
            // `ROLLBACK [TRANSACTION [name]] TO [SAVEPOINT] name`
            "ROLLBACK" if (1..4).any(|at| says(at, "TO")) => Self::RollbackTo(name()),
            "ROLLBACK" => Self::Rollback,
            _ => return None,
        })
    }
}

/// The words, names and symbols of a statement.
pub(super) fn words(text: &str) -> Vec<(TokenKind, &str)> {
    let tokens = sql::tokenize(text.as_bytes()).into_iter().filter(|token| !token.kind.is_blank());
    tokens.filter_map(|token| Some((token.kind, text.get(token.range)?))).collect()
}

/// True for a word that is this keyword.
pub(super) fn is_keyword(word: &(TokenKind, &str), keyword: &str) -> bool {
    word.0 == TokenKind::Word && word.1.eq_ignore_ascii_case(keyword)
}

/// What the databases held.
struct Snapshot {
    content: Content,
    header: Vec<Row>,
}

impl Snapshot {
    fn of(db: &mut Session<'_, '_>) -> Result<Self, &'static str> {
        let mut header = Vec::new();
        // The temporary database is made when it is needed first, and stays.
        for schema in content::schemas(db)?.into_iter().filter(|schema| schema != "temp") {
            for pragma in HEADER {
                let text = format!("PRAGMA {}.{pragma}", sql::quoted(&schema, '"'));
                header.extend(db.rows(&text).map_err(query::why)?);
            }
        }
        Ok(Self { content: Content::of(db)?, header })
    }

    fn difference(&self, other: &Self) -> Option<(&'static str, String)> {
        let header = rows::exact_difference(&self.header, &other.header);
        header.map(|difference| ("header", difference)).or_else(|| self.content.difference(&other.content))
    }
}

/// A transaction or savepoint that is open.
struct Level {
    /// The savepoint's name in lower case; none for `BEGIN`.
    name: Option<String>,
    /// What there was when it began, if that is known.
    start: Option<Rc<Snapshot>>,
    /// True if something may have been written since.
    is_dirty: bool,
}

/// The transactions of a script.
pub(super) struct Transactions {
    /// Successful statements still to come that may bring something back.
    rollbacks_left: usize,
    /// Outermost first.
    levels: Vec<Level>,
    /// What there was before the statement that runs.
    before: Option<Rc<Snapshot>>,
}

impl Transactions {
    /// For a script whose statements have done this in another run.
    pub(super) fn new(expected: &[StatementTrace]) -> Self {
        let rollbacks_left = expected.iter().filter(|trace| may_roll_back(trace)).count();
        Self { rollbacks_left, levels: Vec::new(), before: None }
    }

    /// To be called before each statement that is not a query.
    pub(super) fn before(&mut self, change: &Change<'_>, db: &mut Session<'_, '_>) {
        let is_wanted = match Step::of(change.text) {
            Some(Step::Begin | Step::Savepoint(_)) => self.rollbacks_left > 0 && change.code.is_success(),
            Some(Step::Commit | Step::Release(_)) => self.levels.iter().any(|level| level.is_dirty),
            _ => false,
        };
        self.before = if is_wanted { Snapshot::of(db).ok().map(Rc::new) } else { None };
    }

    /// To be called after it; `None` if it does not concern transactions.
    pub(super) fn after(
        &mut self,
        change: &Change<'_>,
        trace: &StatementTrace,
        db: &mut Session<'_, '_>,
    ) -> Option<Said> {
        self.rollbacks_left -= usize::from(may_roll_back(trace)).min(self.rollbacks_left);
        if matches!(trace.verb, "ATTACH" | "DETACH") {
            // Other databases are no content that comes back.
            self.levels.iter_mut().for_each(|level| level.start = None);
        }
        let before = self.before.take();
        let step = Step::of(change.text);
        let kept = self.moved(step.as_ref(), trace, before);
        let (kind, start, is_dirty) = if db.is_autocommit() && !self.levels.is_empty() {
            let first = self.levels.drain(..).next()?;
            ("error", first.start, first.is_dirty)
        } else {
            if !db.is_autocommit() && self.levels.is_empty() {
                self.levels.push(Level { name: None, start: None, is_dirty: true });
            }
            kept?
        };
        let Some(start) = start else {
            return Some(Said::Nothing("what there was before is not known"));
        };
        let now = match Snapshot::of(db) {
            Ok(now) => now,
            Err(reason) => return Some(Said::Nothing(reason)),
        };
        Some(match start.difference(&now) {
            None => Said::Agrees { is_telling: is_dirty && start.content.has_rows() },
            Some((what, difference)) => Said::Differs(
                format!("{kind}-{what}"),
                format!("not what there was before the transaction, savepoint or commit: {difference}"),
            ),
        })
    }

    /// Follows a statement. What must be there afterwards, if that can be said: how it came about, what it is, and
    /// whether something may have been written since.
    fn moved(
        &mut self,
        step: Option<&Step>,
        trace: &StatementTrace,
        before: Option<Rc<Snapshot>>,
    ) -> Option<(&'static str, Option<Rc<Snapshot>>, bool)> {
        let position = |levels: &[Level], name: &str| {
            levels.iter().rposition(|level| level.name.as_deref() == Some(name))
        };
        let Some(step) = step else {
            let is_dirty = !trace.is_read_only;
            self.levels.iter_mut().for_each(|level| level.is_dirty |= is_dirty);
            return None;
        };
        if !trace.code().is_success() {
            // Constraints that are checked at the end keep the transaction open.
            let is_open = trace.code().primary() == ffi::SQLITE_CONSTRAINT;
            return before.filter(|_| is_open).map(|before| ("commit", Some(before), true));
        }
        let level = |name| Level { name, start: before.clone(), is_dirty: false };
        match step {
            Step::Begin => self.levels.push(level(None)),
            Step::Savepoint(name) => self.levels.push(level(Some(name.clone()))),
            Step::Commit => {
                self.levels.clear();
                return before.map(|before| ("commit", Some(before), true));
            }
            Step::Rollback => {
                let first = self.levels.drain(..).next()?;
                return Some(("rollback", first.start, first.is_dirty));
            }
            Step::Release(name) => {
                if let Some(at) = position(&self.levels, name) {
                    self.levels.truncate(at);
                }
                return before.map(|before| ("commit", Some(before), true));
            }
            Step::RollbackTo(name) => {
                let at = position(&self.levels, name)?;
                self.levels.truncate(at + 1);
                let level = &mut self.levels[at];
                let is_dirty = std::mem::take(&mut level.is_dirty);
                return Some(("rollback", level.start.clone(), is_dirty));
            }
        }
        None
    }
}

/// True for a statement that may bring back what there was: `ROLLBACK`, and one that fails with a constraint, of which
/// the conflict resolution or a trigger may say so.
fn may_roll_back(trace: &StatementTrace) -> bool {
    match trace.verb {
        "ROLLBACK" => trace.code().is_success(),
        _ => trace.code().primary() == ffi::SQLITE_CONSTRAINT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_by_their_words() {
        let name = || "a b".to_owned();
        assert_eq!(Step::of("/* x */ begin immediate transaction"), Some(Step::Begin));
        assert_eq!(Step::of("END"), Some(Step::Commit));
        assert_eq!(Step::of("SAVEPOINT [A b]"), Some(Step::Savepoint(name())));
        assert_eq!(Step::of("release savepoint 'a B'"), Some(Step::Release(name())));
        assert_eq!(Step::of("ROLLBACK TRANSACTION x TO \"A B\""), Some(Step::RollbackTo(name())));
        assert_eq!(Step::of("rollback to savepoint `a b`"), Some(Step::RollbackTo(name())));
        assert_eq!(Step::of("ROLLBACK -- TO x"), Some(Step::Rollback));
        assert_eq!(Step::of("EXPLAIN ROLLBACK"), None);
    }
}
