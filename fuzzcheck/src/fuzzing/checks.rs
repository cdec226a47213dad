//! Checks of every new case of a fuzzer: running it in another build, comparing two builds.

use std::path::Path;

use anyhow::Result;
use tandem::targets::Target;

use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::differential::{self, Build};
use crate::replay::client::Client;
use crate::replay::protocol::Job;
use crate::replay::{FoundBug, Options, Outcome};
use crate::source::NamedCase;

/// What a check saw in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A bug of SQLite.
    Bug(FoundBug),
    /// One of this harness.
    HarnessError(String),
}

/// What is done with every new case.
pub(crate) trait Check: Send {
    /// Its name, as it is printed.
    fn name(&self) -> String;

    /// The command that does the same with the case of a file.
    fn replay(&self, case: &Path, target: &Target) -> String;

    /// Runs cases; what they show, each with the index of its case.
    ///
    /// # Errors
    /// If the harness fails.
    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, Seen)>>;
}

/// Runs cases in another build.
pub(crate) struct BuildCheck {
    name: String,
    /// What asks for the build.
    words: Vec<String>,
    client: Client,
    next: u64,
}

impl BuildCheck {
    /// A worker of this build.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub(crate) fn new(worker: &Worker) -> Result<Self> {
        let options = worker.options(Options {
            timeout_ms: TIMEOUT_MS,
            worker_memory_mib: WORKER_MEMORY_MIB,
            ..Options::default()
        });
        let client = Client::new(&worker.program, &options)?;
        let words = worker.configuration.arguments(BuildKind::Release);
        Ok(Self { name: format!("{} build", worker.configuration.build), words, client, next: 1 })
    }
}

impl Check for BuildCheck {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn replay(&self, case: &Path, target: &Target) -> String {
        command_line::run(&self.words, target.name, case)
    }

    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, Seen)>> {
        let first = self.next;
        self.next += cases.len() as u64;
        let job = |(index, case): (u64, &NamedCase)| Job {
            index,
            target: case.target,
            heap_bytes: None,
            body: case.case.encode(),
            exploration: None,
        };
        let (outcomes, _) = self.client.run_watched((first..).zip(cases).map(job).collect())?;
        let seen = |outcome: Outcome| {
            let bug = outcome.result.bugs.into_iter().next().map(Seen::Bug);
            let seen = outcome.harness_error.map(Seen::HarnessError).or(bug)?;
            Some(((outcome.result.index - first) as usize, seen))
        };
        Ok(outcomes.into_iter().filter_map(seen).collect())
    }
}

/// A comparison with another build as a check.
pub(crate) struct DifferentialCheck {
    name: String,
    /// What `compare engines` calls the two builds.
    builds: [String; 2],
    runner: differential::Follower,
}

impl DifferentialCheck {
    /// Starts workers of both builds.
    ///
    /// # Errors
    /// If one does not start.
    pub(crate) fn new(names: [String; 2], builds: &[Build; 2]) -> Result<Self> {
        let runner = differential::Follower::new(builds)?;
        let [a, b] = &runner.report().identities;
        Ok(Self { name: format!("{a} against {b}"), builds: names, runner })
    }
}

impl Check for DifferentialCheck {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn replay(&self, case: &Path, target: &Target) -> String {
        command_line::compare_engines(&self.builds, &[], target.name, case)
    }

    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, Seen)>> {
        let mut bugs = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            // Only what no case before it has shown: one difference may be in every second case.
            for found in self.runner.check(case.clone())? {
                let bug = FoundBug { signature: found.signature, message: found.difference.message };
                bugs.push((at, Seen::Bug(bug)));
            }
        }
        Ok(bugs)
    }
}
