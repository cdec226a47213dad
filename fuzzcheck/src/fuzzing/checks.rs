//! What may be done with every new case of a fuzzer: running it in another lane, comparing it with another build.

use std::path::Path;

use anyhow::Result;
use tandem::targets::Target;

use crate::build::lane::Lane;
use crate::build::worker::Worker;
use crate::cli::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::command_line;
use crate::pairing::{self, Build};
use crate::replay::client::Client;
use crate::replay::protocol::{Job, target_index};
use crate::replay::{FoundBug, Options};
use crate::source::NamedCase;

/// What is done with every new case.
pub(crate) trait Check: Send {
    /// Its name, as it is printed.
    fn name(&self) -> String;

    /// The command that does the same with the case of a file.
    fn replay(&self, case: &Path, target: &Target) -> String;

    /// Runs cases; the bugs that they show, each with the index of its case.
    ///
    /// # Errors
    /// Where the harness fails.
    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, FoundBug)>>;
}

/// A lane as a check.
pub(crate) struct LaneCheck {
    name: String,
    /// What asks for the build.
    words: Vec<String>,
    client: Client,
    next: u64,
}

impl LaneCheck {
    /// A worker of this build.
    ///
    /// # Errors
    /// Where no temporary file can be made.
    pub(crate) fn new(worker: &Worker) -> Result<Self> {
        let options = worker.options(Options {
            timeout_ms: TIMEOUT_MS,
            worker_memory_mib: WORKER_MEMORY_MIB,
            ..Options::default()
        });
        let client = Client::new(&worker.program, &options)?;
        let words = worker.flavor.arguments(Lane::Release);
        Ok(Self { name: format!("lane {}", worker.flavor.lane), words, client, next: 1 })
    }
}

impl Check for LaneCheck {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn replay(&self, case: &Path, target: &Target) -> String {
        command_line::run(&self.words, target.name, case)
    }

    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, FoundBug)>> {
        let first = self.next;
        self.next += cases.len() as u64;
        let job = |(index, case): (u64, &NamedCase)| Job {
            index,
            target: target_index(case.target),
            heap_bytes: None,
            body: case.case.encode(),
        };
        let (outcomes, _) = self.client.run_watched((first..).zip(cases).map(job).collect())?;
        let mut bugs = Vec::new();
        for outcome in outcomes {
            let at = (outcome.result.index - first) as usize;
            if let Some(message) = outcome.harness_error {
                eprintln!(
                    "fuzzcheck: {}: a worker failed, which is a bug in Tandem: {message}",
                    cases[at].name
                );
            }
            bugs.extend(outcome.result.bugs.into_iter().take(1).map(|bug| (at, bug)));
        }
        Ok(bugs)
    }
}

/// A comparison with another build as a check.
pub(crate) struct PairCheck {
    name: String,
    /// What `pair` calls the two builds.
    builds: [String; 2],
    pairing: pairing::Follower,
}

impl PairCheck {
    /// Starts workers of both builds.
    ///
    /// # Errors
    /// Where one does not start.
    pub(crate) fn new(names: [String; 2], builds: &[Build; 2]) -> Result<Self> {
        let pairing = pairing::Follower::new(builds)?;
        let [a, b] = &pairing.report().identities;
        Ok(Self { name: format!("pair {a} and {b}"), builds: names, pairing })
    }
}

impl Check for PairCheck {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn replay(&self, case: &Path, target: &Target) -> String {
        command_line::pair(&self.builds, &[], target.name, case)
    }

    fn check(&mut self, cases: &[NamedCase]) -> Result<Vec<(usize, FoundBug)>> {
        let mut bugs = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            // Only what no case before it has shown: one difference may be in every second case.
            for found in self.pairing.check(case.clone())? {
                bugs.push((at, FoundBug { signature: found.signature, message: found.difference.message }));
            }
        }
        Ok(bugs)
    }
}
