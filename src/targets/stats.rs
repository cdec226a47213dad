//! Statistics of a target, for `fuzzcheck compare mutators`. No verdict depends on them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};

use super::feedback::News;
use crate::engine::timing::{now, timed};
use crate::engine::{Code, Observation, StatementTrace};
use crate::testcase::TestCase;

/// Runs between two writes of the file: libFuzzer exits by `_exit`, without a last one.
const RUNS_PER_WRITE: u64 = 128;

/// All statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The target.
    pub target: String,
    /// The group ([`super::group::Group`]).
    pub group: String,
    /// Edges that ran.
    pub edges: u64,
    /// Features of libFuzzer's kind that were seen.
    pub features: u64,
    /// CPU time of the process in nanoseconds.
    pub cpu_ns: u64,
    /// The part of it in which inputs were mutated and crossed over.
    pub mutation_ns: u64,
    /// Of all runs.
    pub all: Outcomes,
    /// Of the runs of mutated inputs.
    pub mutated: Outcomes,
    /// By name of the operator.
    pub operators: BTreeMap<String, Yield>,
}

/// Outcomes of statements and databases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Runs.
    pub runs: u64,
    /// Statements that came to be prepared.
    pub statements: u64,
    /// Those that were.
    pub prepared: u64,
    /// Those that failed before: in the tokenizer and the grammar.
    pub parser: u64,
    /// With any other `SQLITE_ERROR`: a name that does not exist or is ambiguous, a wrong number of arguments.
    pub resolver: u64,
    /// With any other code: a schema that cannot be read, what is not allowed, no memory.
    pub refused: u64,
    /// Prepared statements that failed in the virtual machine.
    pub vm: u64,
    /// Those that ran to the end.
    pub ran: u64,
    /// Those that were ended by a limit of steps, bytes or rows.
    pub cut: u64,
    /// Runs with a database, and a statement that got as far as its schema.
    pub databases: u64,
    /// Those in which the schema could be read: neither `SQLITE_NOTADB` nor `SQLITE_CORRUPT`.
    pub opened: u64,
}

/// The yield of an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yield {
    /// Runs of inputs in whose last mutation it took part.
    pub uses: u64,
    /// New features of these runs, all of them, whatever else took part.
    pub features: u64,
    /// New edges of these runs.
    pub edges: u64,
}

impl Yield {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.uses += other.uses;
        self.features += other.features;
        self.edges += other.edges;
    }
}

impl Outcomes {
    /// Adds a run.
    pub fn note(&mut self, case: &TestCase, observation: &Observation) {
        let statements = &observation.trace.statements;
        self.runs += 1;
        self.statements += statements.len() as u64;
        self.parser += observation.refused_by_parser;
        let count = |is: &dyn Fn(&StatementTrace) -> bool| {
            statements.iter().filter(|&statement| is(statement)).count() as u64
        };
        let is_error = |s: &StatementTrace| s.prepare.primary() == ffi::SQLITE_ERROR;
        self.resolver += count(&is_error).saturating_sub(observation.refused_by_parser);
        self.refused += count(&|s| s.prepare != Code::OK && !is_error(s));
        let is_prepared = |s: &StatementTrace| s.prepare == Code::OK;
        let is_cut = |s: &StatementTrace| s.step == Code::ROW || s.step.primary() == ffi::SQLITE_INTERRUPT;
        self.prepared += count(&is_prepared);
        self.ran += count(&|s| is_prepared(s) && s.step == Code::DONE);
        self.cut += count(&|s| is_prepared(s) && is_cut(s));
        self.vm += count(&|s| is_prepared(s) && s.step != Code::DONE && !is_cut(s));
        if case.files.main().is_some_and(|image| !image.is_empty())
            && let Some(is_open) = opens(statements)
        {
            self.databases += 1;
            self.opened += u64::from(is_open);
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, statements, prepared, parser, resolver, refused, vm, ran, cut, databases, opened } =
            other;
        let pairs = [
            (&mut self.runs, runs),
            (&mut self.statements, statements),
            (&mut self.prepared, prepared),
            (&mut self.parser, parser),
            (&mut self.resolver, resolver),
            (&mut self.refused, refused),
            (&mut self.vm, vm),
            (&mut self.ran, ran),
            (&mut self.cut, cut),
            (&mut self.databases, databases),
            (&mut self.opened, opened),
        ];
        pairs.into_iter().for_each(|(sum, count)| *sum += count);
    }
}

/// Whether the schema could be read; `None` if no statement showed it. What happens after the first statement
/// that wrote says nothing of the database of the case.
fn opens(statements: &[StatementTrace]) -> Option<bool> {
    let has_written = |s: &StatementTrace| s.prepare == Code::OK && !s.is_read_only;
    let first_write = statements.iter().position(has_written).unwrap_or(statements.len());
    let is_damage = |s: &StatementTrace| matches!(s.prepare.0, ffi::SQLITE_NOTADB | ffi::SQLITE_CORRUPT);
    if statements[..first_write].iter().any(is_damage) {
        return Some(false);
    }
    statements.iter().any(|s| s.prepare == Code::OK).then_some(true)
}

impl Stats {
    /// Adds what an earlier or later process of the same campaign did. Edges and features are not added: each
    /// process begins with the cases of the one before.
    pub fn add(&mut self, other: &Self) {
        self.edges = self.edges.max(other.edges);
        self.features = self.features.max(other.features);
        self.cpu_ns += other.cpu_ns;
        self.mutation_ns += other.mutation_ns;
        self.all.add(&other.all);
        self.mutated.add(&other.mutated);
        for (name, operator) in &other.operators {
            self.operators.entry(name.clone()).or_default().add(operator);
        }
    }

    fn operator(&mut self, name: &str) -> &mut Yield {
        if !self.operators.contains_key(name) {
            self.operators.insert(name.to_owned(), Yield::default());
        }
        self.operators.get_mut(name).expect("inserted above")
    }
}

/// Collects statistics, and keeps a file up to date.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    stats: Stats,
}

impl Recorder {
    /// Creates the file, so that an unwritable one is noticed at once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(path: &Path, target: &str, group: &str) -> io::Result<Self> {
        let stats = Stats { target: target.to_owned(), group: group.to_owned(), ..Stats::default() };
        let mut recorder = Self { path: path.to_owned(), stats };
        recorder.write()?;
        Ok(recorder)
    }

    /// Does `work`, which is a mutation, and records how long it took.
    pub fn time_mutation<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let (done, ns) = timed(work);
        self.stats.mutation_ns += ns;
        done
    }

    /// Records a run and what it brought beyond `total`, the coverage of all runs. `operators` made the
    /// input; none did if it was given.
    pub fn note(
        &mut self,
        case: &TestCase,
        observation: &Observation,
        operators: &[&'static str],
        news: News,
        total: News,
    ) {
        self.stats.all.note(case, observation);
        if !operators.is_empty() {
            self.stats.mutated.note(case, observation);
        }
        for name in operators {
            self.stats.operator(name).add(&Yield { uses: 1, features: news.features, edges: news.edges });
        }
        (self.stats.edges, self.stats.features) = (total.edges, total.features);
    }

    /// True if it is time to write the file again.
    pub fn is_due(&self) -> bool {
        self.stats.all.runs.is_multiple_of(RUNS_PER_WRITE)
    }

    /// Writes the file; whoever reads it sees the old one or the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self) -> io::Result<()> {
        self.stats.cpu_ns = now(ClockId::ProcessCPUTime).as_nanos() as u64;
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        std::fs::write(&new, serde_json::to_vec_pretty(&self.stats)?)?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests;
