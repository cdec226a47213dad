//! Runs a case and reports the bugs that it shows.

use std::path::Path;

use anyhow::{Result, bail};
use tandem::TestCase;
use tandem::targets::Target;

use crate::base::WORKER_MEMORY_MIB;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::differential::{self, Build, named};
use crate::replay::client::Client;
use crate::replay::oracles::Oracles;
use crate::replay::protocol::Job;
use crate::replay::{FoundBug, Options};
use crate::source::NamedCase;

/// One process, or two, to run single cases.
pub(crate) enum Probe {
    /// Workers of a build.
    Single(Box<Client>),
    /// Workers of two, which are compared.
    Differential(Box<differential::DifferentialRunner>),
}

impl Probe {
    /// Lets the next case run in a new process.
    pub(crate) fn renew(&mut self) {
        match self {
            Self::Single(client) => client.renew(),
            Self::Differential(runner) => runner.renew(),
        }
    }

    /// The bugs that a case shows, most important first.
    ///
    /// # Errors
    /// If no worker can be started, or our own code fails.
    pub(crate) fn bugs(&mut self, case: &TestCase, target: &'static Target) -> Result<Vec<FoundBug>> {
        match self {
            Self::Single(client) => {
                let job = Job { index: 1, target, heap_bytes: None, body: case.encode(), exploration: None };
                let (outcomes, _) = client.run_watched(vec![job])?;
                let Some(outcome) = outcomes.into_iter().next() else {
                    return Ok(Vec::new());
                };
                if let Some(message) = outcome.harness_error {
                    bail!("a worker failed, which is a bug in Tandem: {message}");
                }
                Ok(outcome.result.bugs)
            }
            Self::Differential(runner) => {
                let name = String::new();
                let named =
                    NamedCase { name, target, case: case.clone(), heap_bytes: None, provenance: None };
                let comparison = runner.check(named)?.comparison;
                Ok(runner.unexplained(comparison))
            }
        }
    }
}

/// Makes probes.
#[derive(Debug)]
pub(crate) struct Probes {
    /// One build, or two that are compared.
    builds: Vec<Build>,
    /// The arguments that select them for `run`, or their names for `compare engines`.
    words: Vec<String>,
    /// What one of two does not know is no difference.
    skips_unknown: bool,
}

impl Probes {
    /// For one configuration, or for two to compare.
    ///
    /// # Errors
    /// They cannot be built.
    pub(crate) fn new(
        configuration: &Configuration,
        other: Option<&str>,
        options: &Options,
        project: &Path,
        may_install: bool,
    ) -> Result<Self> {
        let options = Options { worker_memory_mib: WORKER_MEMORY_MIB, ..options.clone() };
        if let Some(other) = other {
            let builds = vec![
                named::of_configuration(configuration, options.clone(), project, may_install)?,
                named::build(other, options, project, may_install)?,
            ];
            let words = vec![configuration.name(), other.to_owned()];
            return Ok(Self { builds, words, skips_unknown: false });
        }
        let worker = Worker::build(configuration, project, may_install)?;
        let options = worker.options(options);
        let mut words = configuration.arguments(BuildKind::Release);
        words.extend(options.plant.iter().map(|name| format!("--plant={name}")));
        let builds = vec![Build { program: worker.program, options, is_unoptimized: false }];
        Ok(Self { builds, words, skips_unknown: false })
    }

    /// For one build or two of a simulation, with the words that select them.
    pub(crate) fn of_simulation(builds: Vec<Build>, words: Vec<String>) -> Self {
        Self { builds, words, skips_unknown: true }
    }

    /// Starts a probe. `timeout_ms` replaces the time limit of a case, in CPU milliseconds of the release build.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(&self, timeout_ms: Option<u64>) -> Result<Probe> {
        let timed = |build: &Build| {
            let timeout_ms = timeout_ms.unwrap_or(build.options.timeout_ms);
            Build { options: Options { timeout_ms, ..build.options.clone() }, ..build.clone() }
        };
        Ok(match self.builds.as_slice() {
            [build] => {
                let build = timed(build);
                Probe::Single(Box::new(Client::new(&build.program, &build.options)?))
            }
            [a, b] => {
                let mut runner = differential::DifferentialRunner::new(&[timed(a), timed(b)])?;
                if self.skips_unknown {
                    runner.skip_unknown();
                }
                Probe::Differential(Box::new(runner))
            }
            _ => unreachable!("one build or two"),
        })
    }

    /// Program and options of the first build.
    pub(crate) fn first(&self) -> (&Path, &Options) {
        (&self.builds[0].program, &self.builds[0].options)
    }

    /// The arguments that select the build for `run`.
    pub(crate) fn run_words(&self) -> &[String] {
        &self.words
    }

    /// What is run, in words.
    pub(crate) fn words(&self) -> String {
        self.words.join(" ")
    }

    /// The same for a bug that is known: only the usual oracles judge, and the one that found it.
    pub(crate) fn for_signature(&self, signature: &str) -> Self {
        let mut builds = self.builds.clone();
        builds.iter_mut().for_each(|build| build.options.oracles = Oracles::for_signature(signature));
        Self { builds, words: self.words.clone(), skips_unknown: self.skips_unknown }
    }

    /// The command that shows the bug of this signature in the case of a file.
    pub(crate) fn replay(&self, path: &Path, target: &Target, signature: &str) -> String {
        if self.builds.len() == 2 {
            return command_line::compare_engines(&self.words, &[], target.name, path);
        }
        let words: Vec<String> =
            self.words.iter().cloned().chain(Oracles::for_signature(signature).argument()).collect();
        command_line::run(&words, target.name, path)
    }
}
