//! What a run had committed at each point of its log, and which of that a power loss must leave.

use super::promise::{Promise, Wholeness};
use crate::engine::sqlite::Recovered;
use crate::engine::{Code, View};
use crate::faults::crash::Model;
use crate::faults::disk::log::Log;

/// What was committed after a statement: each database that was attached until then, with its digest.
struct Commit {
    /// Which view.
    view: usize,
    states: Vec<(String, Result<u64, Code>)>,
    /// Whether SQLite has promised by then that it is durable.
    is_durable: bool,
}

/// The views of a run and the marks of its log, one for the other.
pub(super) struct Timeline<'a> {
    views: &'a [View],
    marks: &'a [usize],
    entries: usize,
    commits: Vec<Commit>,
    trusts_settings: bool,
    /// Whether a transaction over several files is whole only in each of them.
    is_file_by_file: bool,
}

/// What is allowed at a point.
pub(super) struct Allowed {
    pub wholeness: Wholeness,
    /// The first and the last commit that may be what is left.
    commits: (usize, usize),
}

/// What a disk holds that should not be.
pub(super) struct Wrong {
    pub kind: &'static str,
    pub message: String,
    /// What integrity_check says, if it is that.
    pub problem: Option<String>,
}

impl<'a> Timeline<'a> {
    /// From a run with views, and the log of another one that behaved the same.
    pub(super) fn new(views: &'a [View], log: &'a Log, trusts_settings: bool) -> Self {
        let marks = log.marks();
        let mut commits: Vec<Commit> = Vec::new();
        for (at, view) in views.iter().enumerate().filter(|(_, view)| view.is_autocommit) {
            let mut states = commits.last().map(|commit| commit.states.clone()).unwrap_or_default();
            for database in &view.databases {
                match states.iter_mut().find(|(file, _)| *file == database.file) {
                    Some((_, digest)) => *digest = database.digest,
                    None => states.push((database.file.clone(), database.digest)),
                }
            }
            // A statement that commits nothing new is no commit.
            if commits.last().is_some_and(|last| last.states == states) {
                continue;
            }
            let wrote = at > 0 && marks[at] > marks[at - 1];
            let settings = views[at.saturating_sub(1)..=at].iter();
            let is_durable = wrote && Promise::of_all(settings, trusts_settings).is_durable;
            commits.push(Commit { view: at, states, is_durable });
        }
        let has_wal = views.iter().flat_map(|view| &view.databases).any(|database| database.journal == "wal");
        let entries = log.entries().len();
        Self { views, marks, entries, commits, trusts_settings, is_file_by_file: has_wal }
    }

    /// The last view that had been taken when so many entries lay behind.
    fn view_at(&self, at: usize) -> usize {
        self.marks.partition_point(|&mark| mark <= at).saturating_sub(1)
    }

    /// What is allowed at the point that a model has reached.
    pub(super) fn allowed(&self, model: &Model<'_>) -> Allowed {
        let at = model.at();
        let view = self.view_at(at);
        let is_in_flight = at > self.marks[view] && view + 1 < self.views.len();
        let next = view + usize::from(is_in_flight);
        let first_pending = model.first_pending();
        // The statement that made the first entry that is not durable, and all since then.
        let from = first_pending.map_or(view, |entry| self.view_at(entry));
        let settings = self.views[from.min(view)..=next].iter();
        let wholeness = Promise::of_all(settings, self.trusts_settings).wholeness;
        let is_physically_durable = |commit: &Commit| {
            first_pending.is_none_or(|entry| self.marks[commit.view] <= entry)
                && self.marks[commit.view] <= at
        };
        let is_durable =
            |commit: &Commit| commit.view <= view && (commit.is_durable || is_physically_durable(commit));
        let last = self.commits.iter().rposition(|commit| commit.view <= next).unwrap_or(0);
        let first = self.commits.iter().rposition(is_durable).unwrap_or(0).min(last);
        Allowed { wholeness, commits: (first, last) }
    }

    /// What is wrong with a disk; `None` if it is allowed.
    pub(super) fn wrong(&self, recovered: &[Recovered], allowed: &Allowed) -> Option<Wrong> {
        for Recovered { file, digest, problems } in recovered {
            if let Some(problem) = problems.iter().flatten().next() {
                let (message, problem) = (format!("{file}: {problem}"), Some(problem.clone()));
                return Some(Wrong { kind: "damaged", message, problem });
            }
            if let Err(code) = digest
                && self.commits.iter().flat_map(|commit| &commit.states).all(|(_, digest)| digest.is_ok())
            {
                let message = format!("{file}: {code}");
                return Some(Wrong { kind: "unreadable", message, problem: None });
            }
        }
        if self.is_file_by_file {
            return recovered.iter().find_map(|one| self.state_wrong(std::slice::from_ref(one), allowed));
        }
        self.state_wrong(recovered, allowed)
    }

    fn state_wrong(&self, recovered: &[Recovered], allowed: &Allowed) -> Option<Wrong> {
        let matches = |commit: &Commit| {
            recovered.iter().all(|one| {
                let state = commit.states.iter().find(|(file, _)| *file == one.file);
                // What no view has seen yet is not known.
                state.is_none_or(|(_, digest)| *digest == one.digest)
            })
        };
        let (first, last) = allowed.commits;
        if self.commits[first..=last].iter().any(matches) {
            return None;
        }
        let statement = |commit: usize| self.views[self.commits[commit].view].statements;
        let expected = match (statement(first), statement(last)) {
            (first, last) if first == last => format!("expected that after statement {first}"),
            (first, last) => format!("expected that after statement {first}, or up to {last}"),
        };
        let (kind, found) = match self.commits.iter().rposition(matches) {
            Some(commit) if commit < first => {
                ("lost-commit", format!("the state is that after statement {}", statement(commit)))
            }
            Some(commit) => ("too-new", format!("the state is that after statement {}", statement(commit))),
            None => ("mixed", "the state is that after no statement".to_owned()),
        };
        Some(Wrong { kind, message: format!("{found}, {expected}"), problem: None })
    }

    /// The journal mode of the main database at a point, for signatures.
    pub(super) fn journal_at(&self, at: usize) -> &'a str {
        let database = self.views[self.view_at(at)].databases.first();
        database.map_or("-", |database| database.journal.as_str())
    }

    /// The statement that runs at a point, or was the last.
    pub(super) fn statement_at(&self, at: usize) -> usize {
        let view = self.view_at(at);
        let is_in_flight = at > self.marks[view] || at < self.entries;
        self.views[view].statements + usize::from(is_in_flight && view + 1 < self.views.len())
    }
}
