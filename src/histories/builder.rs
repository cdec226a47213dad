//! A history out of the statements of several connections.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::form::canonical;
use super::{Access, Action, Form, Object, Outcome, Table, Transaction};

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It succeeded.
    Done,
    /// `SQLITE_BUSY` or `SQLITE_LOCKED`, or one of their extended codes: it had no effect.
    Busy,
    /// Another error, or power was lost meanwhile: what it wrote outside of a transaction may be there or not, and so may
    /// what a `COMMIT` was to keep.
    Failed,
}

/// A statement that was run to its end.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The connection.
    pub process: u8,
    /// What was run.
    pub form: &'a Form,
    /// Its beginning in the order of all that happens.
    pub started: u64,
    /// Its end, not before its beginning; the same if nothing else can happen meanwhile.
    pub finished: u64,
    /// How it ended.
    pub completion: Completion,
    /// The rows that it returned, each value as SQLite prints it; none for NULL.
    pub rows: &'a [Vec<Option<String>>],
    /// `sqlite3_get_autocommit` of the connection afterwards: true outside of transactions.
    pub is_autocommit: bool,
}

/// Why nothing can be said about a history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unusable {
    /// [`Form::Spoils`], or [`HistoryBuilder::spoil`].
    #[error("connection {0} may have written to the tables, or read, in a way that histories do not have")]
    Spoilt(u8),
    /// A value was written to an object before: who reads it may have read either.
    #[error("{1} was written to {0} twice")]
    Repeated(Object, i64),
    /// There is no row of this key.
    #[error("{0} was not set up")]
    NotSetUp(Object),
    /// [`Form::Setup`] failed, or was in a transaction or after the first access.
    #[error("connection {0} set up in the middle of a history, or failed to")]
    LateSetup(u8),
    /// A transaction began or ended with a statement that does not do that.
    #[error("connection {0} began or ended a transaction without saying so")]
    Untracked(u8),
}

/// A transaction that has begun.
#[derive(Debug, Default)]
struct Open {
    /// Where the first statement began that may have begun to read.
    begin: Option<u64>,
    /// Where the first one ended that certainly had.
    end: Option<u64>,
    /// Where the first attempt to commit began.
    commit: Option<u64>,
    /// Whether one failed other than by waiting.
    is_in_doubt: bool,
    accesses: Vec<Access>,
}

/// Makes transactions out of statements.
///
/// Statements are [added](Self::add) in the order of their ends. Those outside of transactions are transactions of their
/// own. When a connection is [closed](Self::close), or at the end, what it had begun is rolled back.
///
/// Only statements that are run to their end are statements of a history: one that is half run keeps its snapshot, and
/// others of its connection read from that. Whoever sees such a thing, or one that writes without a statement (incremental
/// I/O, a backup, a changeset), [spoils](Self::spoil) the history.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    objects: BTreeSet<Object>,
    written: BTreeSet<(Object, i64)>,
    open: BTreeMap<u8, Open>,
    done: Vec<Transaction>,
    has_accesses: bool,
    unusable: Option<Unusable>,
}

impl HistoryBuilder {
    /// A history of these objects, empty at first, and of those that are set up before anything else.
    pub fn new(objects: impl IntoIterator<Item = Object>) -> Self {
        Self { objects: objects.into_iter().collect(), ..Self::default() }
    }

    /// Adds a statement. After something that makes the history unusable nothing is added any more.
    pub fn add(&mut self, event: &Event<'_>) {
        if self.unusable.is_none() {
            self.unusable = self.try_add(event).err();
        }
    }

    /// Says that a connection did what no history has.
    pub fn spoil(&mut self, process: u8) {
        self.unusable.get_or_insert(Unusable::Spoilt(process));
    }

    /// Rolls back what a connection had begun.
    pub fn close(&mut self, process: u8) {
        self.end(process, Outcome::Aborted, 0);
    }

    /// The transactions, in the order of their ends.
    ///
    /// # Errors
    /// [`Unusable`], for the first statement that made it so.
    pub fn finish(mut self) -> Result<Vec<Transaction>, Unusable> {
        for process in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(process);
        }
        self.unusable.map_or(Ok(self.done), Err)
    }

    fn try_add(&mut self, event: &Event<'_>) -> Result<(), Unusable> {
        let Event { process, completion, .. } = *event;
        let was_open = self.open.contains_key(&process);
        match event.form {
            Form::Spoils if completion != Completion::Busy => return Err(Unusable::Spoilt(process)),
            Form::Setup(objects) => return self.set_up(objects, event),
            Form::Begin { is_immediate } => {
                if completion == Completion::Done {
                    let reads = is_immediate.then_some((event.started, event.finished)).unzip();
                    let open = Open { begin: reads.0, end: reads.1, ..Open::default() };
                    self.open.entry(process).or_insert(open);
                }
            }
            Form::Commit => self.commit(event),
            Form::Rollback if event.is_autocommit => self.end(process, Outcome::Aborted, event.finished),
            Form::Write(..) | Form::Read(_) | Form::ReadAll(_) => self.access(event)?,
            Form::Rollback | Form::Other | Form::Spoils => {}
        }
        if let Some(open) = self.open.get_mut(&process)
            && was_open
            && *event.form != Form::Commit
        {
            open.begin.get_or_insert(event.started);
        }
        if event.is_autocommit && self.open.contains_key(&process) {
            // Some errors roll the whole transaction back (<https://sqlite.org/lang_transaction.html>).
            if completion == Completion::Done {
                return Err(Unusable::Untracked(process));
            }
            self.end(process, Outcome::Aborted, event.finished);
        }
        if !event.is_autocommit && !self.open.contains_key(&process) {
            return Err(Unusable::Untracked(process));
        }
        Ok(())
    }

    fn set_up(&mut self, objects: &[Object], event: &Event<'_>) -> Result<(), Unusable> {
        if event.completion != Completion::Done || !event.is_autocommit || self.has_accesses {
            return Err(Unusable::LateSetup(event.process));
        }
        self.objects.extend(objects);
        Ok(())
    }

    fn commit(&mut self, event: &Event<'_>) {
        let Some(open) = self.open.get_mut(&event.process) else { return };
        open.commit.get_or_insert(event.started);
        open.is_in_doubt |= event.completion == Completion::Failed;
        if event.is_autocommit {
            let is_done = event.completion == Completion::Done;
            let outcome = if is_done { Outcome::Committed } else { Outcome::Unknown };
            self.end(event.process, outcome, event.finished);
        }
    }

    fn access(&mut self, event: &Event<'_>) -> Result<(), Unusable> {
        self.has_accesses = true;
        let accesses = self.accesses(event)?;
        match self.open.get_mut(&event.process) {
            Some(open) => {
                open.begin.get_or_insert(event.started);
                if event.completion == Completion::Done {
                    open.end.get_or_insert(event.finished);
                    open.accesses.extend(accesses);
                }
            }
            None if event.is_autocommit => {
                let outcome = match event.completion {
                    Completion::Done => Outcome::Committed,
                    Completion::Busy => return Ok(()),
                    Completion::Failed => Outcome::Unknown,
                };
                let (begin, end, commit) = (Some(event.started), Some(event.finished), Some(event.started));
                self.open.insert(event.process, Open { begin, end, commit, accesses, ..Open::default() });
                self.end(event.process, outcome, event.finished);
            }
            None => {}
        }
        Ok(())
    }

    /// What a statement did, or may have done if it failed.
    fn accesses(&mut self, event: &Event<'_>) -> Result<Vec<Access>, Unusable> {
        let known = |object: &Object| {
            self.objects.contains(object).then_some(*object).ok_or(Unusable::NotSetUp(*object))
        };
        let is_done = event.completion == Completion::Done;
        Ok(match event.form {
            Form::Write(object, value) => {
                let (object, value) = (known(object)?, *value);
                let may_be_there = is_done || event.completion == Completion::Failed;
                if may_be_there && !self.written.insert((object, value)) {
                    return Err(Unusable::Repeated(object, value));
                }
                vec![Access { object, action: Action::Write(value) }]
            }
            Form::Read(object) => {
                let rows: Vec<&[Option<String>]> = event.rows.iter().map(Vec::as_slice).collect();
                let access = Access { object: known(object)?, action: read(*object, &rows) };
                if is_done { vec![access] } else { Vec::new() }
            }
            Form::ReadAll(table) if is_done => self.read_all(*table, event.rows),
            _ => Vec::new(),
        })
    }

    /// The reads of all objects of a table; a row of another key is a strange read of that one.
    fn read_all(&self, table: Table, rows: &[Vec<Option<String>>]) -> Vec<Access> {
        let mut values = BTreeMap::<Object, Vec<&[Option<String>]>>::new();
        let own = self.objects.iter().filter(|object| table.object(object.key()) == **object);
        own.for_each(|object| drop(values.insert(*object, Vec::new())));
        for row in rows {
            let key = row.first().and_then(|key| canonical(key.as_deref()?)).unwrap_or_default();
            values.entry(table.object(key)).or_default().push(row.get(1..).unwrap_or_default());
        }
        let accesses = values.into_iter().map(|(object, rows)| {
            let action = if self.objects.contains(&object) {
                read(object, &rows)
            } else {
                Action::Garbled("there is no such row".to_owned())
            };
            Access { object, action }
        });
        accesses.collect()
    }

    /// Ends what a connection had begun, if it had.
    fn end(&mut self, process: u8, outcome: Outcome, finished: u64) {
        let Some(open) = self.open.remove(&process) else { return };
        let is_writer = open.accesses.iter().any(|access| access.written().is_some());
        let outcome = match outcome {
            Outcome::Aborted if open.is_in_doubt => Outcome::Unknown,
            outcome => outcome,
        };
        // Who only reads has the same to say however it ended.
        let outcome = if is_writer || outcome == Outcome::Aborted { outcome } else { Outcome::Committed };
        let (begin, end) = match outcome {
            Outcome::Committed if is_writer => (open.commit, Some(finished)),
            Outcome::Unknown => (open.commit, Some(u64::MAX)),
            Outcome::Committed | Outcome::Aborted => (open.begin, open.end),
        };
        if let (Some(begin), Some(end), false) = (begin, end, open.accesses.is_empty()) {
            self.done.push(Transaction { process, outcome, begin, end, accesses: open.accesses });
        }
    }
}

/// What a read of one object returned.
fn read(object: Object, rows: &[&[Option<String>]]) -> Action {
    let [[value]] = rows else {
        return Action::Garbled(format!("got {} rows of one value each instead of one", rows.len()));
    };
    let values = match (object, value) {
        (Object::Register(_), None) => Some(Vec::new()),
        (Object::Register(_), Some(text)) => canonical(text).map(|value| vec![value]),
        (Object::List(_), Some(text)) if text.is_empty() => Some(Vec::new()),
        (Object::List(_), Some(text)) => {
            text.strip_prefix(',').and_then(|text| text.split(',').map(canonical).collect())
        }
        (Object::List(_), None) => None,
    };
    values.map_or_else(|| Action::Garbled(format!("got {value:?}")), Action::Read)
}
