//! Differential fuzzing: runs the same cases in two configurations, and compares.
//!
//! Each configuration runs in its own worker processes, which send a transcript of each case
//! ([`crate::replay::worker::serve`]); [`tandem::difference`] compares the two. A worker that dies is a
//! difference like any other, and the run continues.
//!
//! | module | what it does |
//! |---|---|
//! | here | one worker of each build: a case, or a batch of them |
//! | `named` | configurations by name |
//! | [`pool`] | several such pairs over one stream of cases |
//! | [`report`] | the sum of all results |
//!
//! A fuzz session has a [`Follower`], which gets the new cases of its corpus.

pub(crate) mod named;
pub mod pool;
pub mod report;
mod turso;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use tandem::TestCase;
use tandem::difference::known::{Version, explain, version_of};
use tandem::difference::{Class, Comparison, Difference, Policy, Side, compare, reversed};
use tandem::engine::OPTIMIZATIONS;
use tandem::engine::sqlite::{Executor, Moment};
use tandem::targets::{DB_SQL, Target};
use tandem::testcase::RICH_SCHEMA;
use tandem::testcase::{FileName, OpenConfig, Setting};

use crate::replay::client::Client;
use crate::replay::pool::Batch;
use crate::replay::protocol::{Files, Job};
use crate::replay::{FoundBug, Options, Outcome};
use crate::source::NamedCase;
pub use report::{DifferentialReport, Found};

/// One of the two builds.
#[derive(Debug, Clone)]
pub struct Build {
    /// Its program, which is started as `program worker …`.
    pub program: PathBuf,
    /// How its workers run cases.
    pub options: Options,
    /// Whether all query optimizations are off, whatever the case says.
    pub is_unoptimized: bool,
}

/// A case that both ran.
#[derive(Clone)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// What it ran on.
    pub target: &'static Target,
    /// Its encoding.
    pub body: Vec<u8>,
    /// Bytes that SQLite may hold, if the source of the case says so.
    pub heap_bytes: Option<u64>,
    /// What the comparison says.
    pub comparison: Comparison,
}

/// A worker of each build.
pub struct DifferentialRunner {
    clients: [Client; 2],
    are_unoptimized: [bool; 2],
    identities: [String; 2],
    policy: Policy,
}

impl DifferentialRunner {
    /// Starts both, and asks for their identities.
    ///
    /// # Errors
    /// If a program cannot be started or does not speak the protocol.
    pub fn new(builds: &[Build; 2]) -> Result<Self> {
        let start = |build: &Build| -> Result<(Client, String)> {
            let options = Options { is_transcribing: true, ..build.options.clone() };
            let mut client = Client::new(&build.program, &options)?;
            let identity = introduce(&mut client).with_context(|| format!("{}", build.program.display()))?;
            Ok((client, identity))
        };
        let ((a, name_a), (b, name_b)) = (start(&builds[0])?, start(&builds[1])?);
        let is_sqlite = [&name_a, &name_b].map(|name| version_of(name).is_some());
        let policy = if is_sqlite == [true, true] { Policy::VERSIONS } else { Policy::ENGINES };
        let are_unoptimized = builds.each_ref().map(|build| build.is_unoptimized);
        Ok(Self { clients: [a, b], are_unoptimized, identities: [name_a, name_b], policy })
    }

    /// Takes a statement that one of them cannot explain for one that it does not know, which is no difference.
    pub(crate) fn skip_unknown(&mut self) {
        self.policy.skips_unknown_statements = true;
    }

    /// The files that each leaves of a case; `None` for one that keeps none, or dies.
    ///
    /// # Errors
    /// If no worker can be started any more.
    pub(crate) fn files_left(&mut self, named: NamedCase) -> Result<[Option<Files>; 2]> {
        let named = scripted(named);
        let job = Job {
            index: 1,
            target: named.target,
            heap_bytes: named.heap_bytes,
            body: named.case.encode(),
            exploration: None,
        };
        let both = self.run_both(&[job])?;
        Ok(both.map(|mut outcomes| outcomes.remove(&1).and_then(|outcome| outcome.result.files)))
    }

    /// Lets the next case run in new processes.
    pub(crate) fn renew(&mut self) {
        self.clients.iter_mut().for_each(Client::renew);
    }

    /// The versions, if both are SQLite.
    pub(crate) fn versions(&self) -> Option<[Version; 2]> {
        match self.identities.each_ref().map(|identity| version_of(identity)) {
            [Some(a), Some(b)] => Some([a, b]),
            _ => None,
        }
    }

    /// The differences that are neither warnings nor known, as bugs.
    pub(crate) fn unexplained(&self, comparison: Comparison) -> Vec<FoundBug> {
        let versions = self.versions();
        let is_known = |difference: &Difference| {
            versions.is_some_and(|versions| explain(difference, versions).is_some())
        };
        let found = comparison.differences.into_iter();
        let found = found.filter(|difference| difference.is_finding() && !is_known(difference));
        found
            .map(|difference| FoundBug {
                signature: difference.signature().to_string(),
                message: difference.message,
            })
            .collect()
    }

    /// Name and version of both.
    pub fn identities(&self) -> &[String; 2] {
        &self.identities
    }

    /// Runs a case on both.
    ///
    /// # Errors
    /// If no worker can be started any more.
    pub fn check(&mut self, named: NamedCase) -> Result<Checked> {
        let named = scripted(named);
        let job = Job {
            index: 1,
            target: named.target,
            heap_bytes: named.heap_bytes,
            body: named.case.encode(),
            exploration: None,
        };
        self.check_batch((vec![named], vec![job]))?.pop().context("a case was lost")
    }

    /// Runs a batch of cases, which are [`scripted`], on both at the same time.
    fn check_batch(&mut self, (cases, jobs): Batch) -> Result<Vec<Checked>> {
        let [in_a, in_b] = self.run_both(&jobs)?;
        let mut comparisons = Vec::new();
        for (named, job) in cases.iter().zip(&jobs) {
            let outcomes = [in_a.get(&job.index), in_b.get(&job.index)];
            let [Some(a), Some(b)] = outcomes else {
                anyhow::bail!("{}: a worker did not answer", named.name);
            };
            comparisons.push(compare_outcomes(&named.case, [a, b], &self.policy)?);
        }
        self.settle(&cases, &jobs, [&in_a, &in_b], &mut comparisons)?;
        let checked = cases.into_iter().zip(jobs).zip(comparisons).map(|((named, job), comparison)| {
            let NamedCase { name, target, heap_bytes, .. } = named;
            Checked { name, target, body: job.body, heap_bytes, comparison }
        });
        Ok(checked.collect())
    }

    fn run_both(&mut self, jobs: &[Job]) -> Result<[BTreeMap<u64, Outcome>; 2]> {
        let [a, b] = &mut self.clients;
        let [jobs_a, jobs_b] =
            self.are_unoptimized.map(|is| if is { unoptimized(jobs) } else { jobs.to_vec() });
        let (in_a, in_b) = std::thread::scope(|scope| {
            let in_a = scope.spawn(|| a.run_watched(jobs_a));
            let in_b = b.run_watched(jobs_b);
            (in_a.join().expect("it does not panic"), in_b)
        });
        let by_index = |outcomes: Vec<Outcome>| -> BTreeMap<u64, Outcome> {
            outcomes.into_iter().map(|outcome| (outcome.result.index, outcome)).collect()
        };
        Ok([by_index(in_a?.0), by_index(in_b?.0)])
    }

    /// Runs the cases with warnings about the order of rows again, with reversed scans: what then stays as it was does not
    /// depend on that order. Only SQLite can reverse them.
    fn settle(
        &mut self,
        cases: &[NamedCase],
        jobs: &[Job],
        runs: [&BTreeMap<u64, Outcome>; 2],
        comparisons: &mut [Comparison],
    ) -> Result<()> {
        let open = cases.iter().zip(jobs).zip(&*comparisons).filter(|(_, comparison)| comparison.is_open());
        let again = open.filter_map(|((named, job), _)| {
            Some(Job { body: reversed(&named.case)?.encode(), ..job.clone() })
        });
        let again: Vec<Job> = again.filter(|_| self.policy.is_same_machine).collect();
        if again.is_empty() {
            return Ok(());
        }
        let [in_a, in_b] = self.run_both(&again)?;
        for (job, comparison) in jobs.iter().zip(comparisons) {
            let transcript = |runs: &'_ BTreeMap<u64, Outcome>| {
                runs.get(&job.index).and_then(|outcome| outcome.result.transcript.clone())
            };
            let all = [runs[0], runs[1], &in_a, &in_b].map(transcript);
            if let [Some(a), Some(b), Some(reversed_a), Some(reversed_b)] = all {
                comparison.settle([&a, &b], [&reversed_a, &reversed_b]);
            }
        }
        Ok(())
    }
}

/// The same cases without optimizations.
fn unoptimized(jobs: &[Job]) -> Vec<Job> {
    let without = |job: &Job| {
        let mut case = TestCase::decode(&job.body);
        case.config.set(Setting::OptimizationsOff, OPTIMIZATIONS);
        Job { body: case.encode(), ..job.clone() }
    };
    jobs.iter().map(without).collect()
}

/// The case as both can be given it: the statements of its target as its script, and the rich schema, which each
/// version would make in its own way, as a file.
fn scripted(named: NamedCase) -> NamedCase {
    let mut case = named.target.scripted(named.case);
    if case.config.is_on(Setting::RichSchema) {
        case.config.set(Setting::RichSchema, 0);
        if case.files.main().is_none() {
            case.files.insert(FileName::main(), rich_image().to_vec());
        }
    }
    NamedCase { case, ..named }
}

/// A database with the rich schema, made once.
fn rich_image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let executor = Executor::shared();
        let files = executor.files_after(&OpenConfig::default(), RICH_SCHEMA, Moment::Closed);
        files.expect("the rich schema is valid SQL").main().unwrap_or_default().to_vec()
    })
}

/// Asks a worker for the name of its engine, with a case that harms nobody.
fn introduce(client: &mut Client) -> Result<String> {
    let body = TestCase::from_sql("SELECT 1").encode();
    let job = Job { index: u64::MAX, target: &DB_SQL, heap_bytes: None, body, exploration: None };
    let (outcomes, batch) = client.run_watched(vec![job])?;
    let error = outcomes.iter().find_map(|outcome| outcome.harness_error.as_deref());
    ensure!(error.is_none(), "its worker failed: {}", error.unwrap_or_default());
    ensure!(!batch.engine.is_empty(), "its worker sends no transcripts");
    Ok(batch.engine)
}

fn compare_outcomes(case: &TestCase, outcomes: [&Outcome; 2], policy: &Policy) -> Result<Comparison> {
    let transcripts = outcomes.map(|outcome| outcome.result.transcript.as_ref());
    if let [Some(a), Some(b)] = transcripts {
        return Ok(compare(case, a, b, policy));
    }
    let ends = outcomes.map(end_of);
    let difference = death(&ends).context("a worker sends neither a transcript nor a reason")?;
    let mut comparison = Comparison::default();
    comparison.differences.push(difference);
    Ok(comparison)
}

/// How a worker ended.
struct End {
    class: Class,
    /// What happened, and where.
    kind: String,
    message: String,
}

/// How the worker of an outcome ended, if it did.
fn end_of(outcome: &Outcome) -> Option<End> {
    if let Some(message) = &outcome.harness_error {
        return Some(End { class: Class::Panic, kind: panicked_in(message), message: message.clone() });
    }
    let bug = outcome.result.bugs.first()?;
    // `crash/SIGABRT/SELECT`: what follows the first part says enough.
    let kind = bug.signature.split_once('/').map_or(bug.signature.as_str(), |(_, rest)| rest);
    Some(End { class: Class::Death, kind: kind.replace('/', "-"), message: bug.message.clone() })
}

/// The file in which a panic happened, without its path.
fn panicked_in(message: &str) -> String {
    let place = message.split_once("panicked at ").map_or("", |(_, rest)| rest);
    let path = place.split(':').next().unwrap_or_default();
    path.rsplit('/').next().filter(|file| !file.is_empty()).unwrap_or("-").to_owned()
}

fn death(ends: &[Option<End>; 2]) -> Option<Difference> {
    let first = ends.iter().flatten().next()?;
    let who = match ends {
        [Some(_), Some(_)] => "both",
        [Some(_), None] => "a",
        [None, _] => "b",
    };
    let message = |end: &Option<End>| end.as_ref().map_or("lives", |end| &end.message).to_owned();
    let sides = ends.each_ref().map(|end| Side { message: message(end), ..Side::default() });
    Some(Difference {
        class: first.class,
        detail: format!("{who}-{}", first.kind),
        warning: None,
        sql: String::new(),
        message: format!("A: {}\nB: {}", sides[0].message.trim(), sides[1].message.trim()),
        sides,
    })
}

/// A runner with its report, for a fuzz session: both builds run the new cases of its corpus.
pub struct Follower {
    runner: DifferentialRunner,
    report: DifferentialReport,
}

impl Follower {
    /// As [`DifferentialRunner::new`].
    ///
    /// # Errors
    /// As [`DifferentialRunner::new`].
    pub fn new(builds: &[Build; 2]) -> Result<Self> {
        let runner = DifferentialRunner::new(builds)?;
        let report = DifferentialReport::new(runner.identities().clone());
        Ok(Self { runner, report })
    }

    /// Runs a case on both; the findings that no case before it has shown.
    ///
    /// # Errors
    /// As [`DifferentialRunner::check`].
    pub fn check(&mut self, named: NamedCase) -> Result<Vec<Found>> {
        let checked = self.runner.check(named)?;
        Ok(self.report.add(checked))
    }

    /// What all cases so far add up to.
    pub fn report(&self) -> &DifferentialReport {
        &self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_named_by_its_file() {
        let message =
            "thread 'main' panicked at /any/registry/core/storage/btree.rs:12:3:\nindex out of bounds";
        assert_eq!(panicked_in(message), "btree.rs");
        assert_eq!(panicked_in("exit status: 3"), "-");
    }
}
