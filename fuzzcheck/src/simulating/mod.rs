//! Two engines on a script from a seed ([`tandem::generators::simulation`]): what each statement comes to.
//!
//! A comparison ends where the two engines part: behind a statement that writes and differs, or is not known to one of
//! them. Here such a statement is then left out, and the rest runs again, until all of the script has been compared.
//! A query of the rows of a table that differs behind a write parts them, too.
//!
//! | module | what it does |
//! |---|---|
//! | here | runs a simulation and gives its verdicts |
//! | `round` | the verdicts of one comparison, and what to leave out of the next |
//! | [`profile`] | what simulations consist of, from the command line and TOML files |
//! | [`count`] | verdicts by class, of one simulation and of many |
//! | [`output`] | what a simulation leaves in its folder |
//! | [`dump`] | a database as SQL |
//! | [`issues`] | one Markdown file per signature |

pub(crate) mod count;
pub(crate) mod dump;
pub(crate) mod issues;
pub(crate) mod output;
pub(crate) mod profile;
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use tandem::TestCase;
use tandem::difference::known;
use tandem::difference::{Class, Comparison, Difference};
use tandem::engine::OPTIMIZATIONS;
use tandem::generators::simulation::Simulation;
use tandem::targets::SQL;
use tandem::testcase::Setting;

use crate::base::project;
use crate::bisecting;
use crate::build::configuration::Configuration;
use crate::build::releases::Releases;
use crate::differential::{Build, DifferentialRunner, named};
use crate::minimizing::Probes;
use crate::replay::Options;
use crate::replay::client::Client;
use crate::replay::oracles::Oracles;
use crate::replay::protocol::{Files, Job, Limits, OracleCounts};
use crate::source::{self, NamedCase};
use round::{Round, with_checks};

/// How often the rest of a script runs again at most.
const ROUNDS_MAX: u32 = 400;
/// Virtual-machine steps of a whole script: each of its statements takes few, or it would not be there.
const VM_STEPS: u64 = 20_000_000_000;
/// Bytes that SQLite allocates for it in total, and on its disk.
const ALLOC_BYTES: u64 = 1 << 40;
const DISK_BYTES: u64 = 256 << 20;

/// What a statement comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both did the same.
    Pass,
    /// It cannot be compared, for this reason.
    Skipped(String),
    /// They differ in what SQL leaves open, for this reason.
    Warning(String),
    /// They differ: a signature.
    Failed(String),
    /// It did not come to that: an engine died, or too often something else had to be left out.
    NotReached,
}

/// A difference that nothing explains.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Which one.
    pub signature: String,
    /// What happened.
    pub message: String,
    /// The script that shows it.
    pub case: TestCase,
    /// Whether an oracle found it, and in which of the two engines.
    pub by_oracle: Option<usize>,
}

/// All verdicts of a simulation.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Of each step.
    pub steps: Vec<Verdict>,
    /// Of what was left at the end: schema, content of tables, integrity.
    pub end: Vec<Verdict>,
    /// By signature, in the order of the script.
    pub findings: Vec<Finding>,
    /// The steps that were left out in the end.
    pub left_out: BTreeSet<usize>,
    /// The case without them.
    pub case: TestCase,
    /// What oracles said of the whole script on either engine.
    pub oracles: BTreeMap<String, OracleCounts>,
}

/// Two engines.
pub(crate) struct Simulator {
    runner: DifferentialRunner,
    /// Their names on the command line.
    pub names: [String; 2],
    builds: [Build; 2],
    /// How both run, without what is planted in one.
    options: Options,
    may_install: bool,
    /// One of each engine that judges by oracles, if asked for.
    judging: Vec<(usize, Client)>,
}

/// How engines run.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// CPU milliseconds of a script.
    pub timeout_ms: u64,
    /// Planted bugs.
    pub plants: [Option<String>; 2],
    /// Oracles that judge the script on either engine.
    pub oracles: Option<Oracles>,
    /// Whether tools may be installed.
    pub may_install: bool,
}

impl Simulator {
    /// Builds both.
    ///
    /// # Errors
    /// One of them is unknown, cannot be built, or does not start.
    pub(crate) fn new(names: [String; 2], running: &Running, project: &Path) -> Result<Self> {
        let options = Options {
            timeout_ms: running.timeout_ms,
            worker_memory_mib: crate::base::WORKER_MEMORY_MIB,
            limits: Limits {
                vm_steps: Some(VM_STEPS),
                alloc_bytes: Some(ALLOC_BYTES),
                heap_bytes: Some(0),
                disk_bytes: Some(DISK_BYTES),
                length_bytes: Some(1_000_000),
                are_sqlites: true,
                ..Limits::default()
            },
            ..Options::default()
        };
        let build = |side: usize| {
            let options = Options { plant: running.plants[side].clone(), ..options.clone() };
            named::build(&names[side], options, project, running.may_install)
        };
        let builds = [build(0)?, build(1)?];
        let mut runner = DifferentialRunner::new(&builds)?;
        runner.skip_unknown();
        let mut judging = Vec::new();
        if let Some(oracles) = &running.oracles {
            for side in 0..2 {
                if known::version_of(&runner.identities()[side]).is_none() {
                    bail!("--oracles: {} is not SQLite, and the oracles ask SQLite", names[side]);
                }
                let Build { program, options, .. } = &builds[side];
                let options = Options { oracles: oracles.clone(), ..options.clone() };
                judging.push((side, Client::new(program, &options)?));
            }
        }
        Ok(Self { runner, names, builds, options, may_install: running.may_install, judging })
    }

    /// What both are, as they say.
    pub(crate) fn identities(&self) -> [String; 2] {
        let side = |side: usize| {
            let how = if self.builds[side].is_unoptimized { ", without optimizations" } else { "" };
            format!("{}{how}", self.runner.identities()[side])
        };
        [side(0), side(1)]
    }

    /// Runs a simulation.
    ///
    /// # Errors
    /// If no worker can be started any more.
    pub(crate) fn run(&mut self, simulation: &Simulation) -> Result<Outcome> {
        let mut outcome =
            Outcome { steps: vec![Verdict::NotReached; simulation.steps.len()], ..Outcome::default() };
        for _ in 0..ROUNDS_MAX {
            let (case, places) = simulation.case_without(&outcome.left_out);
            let comparison = self.runner.check(named_case(&case))?.comparison;
            outcome.case = case;
            let round = Round { comparison: &comparison, places: &places, versions: self.runner.versions() };
            let mut parting = round.judge(simulation, &mut outcome);
            if let Some(death) = comparison.differences.iter().find(|difference| is_death(difference)) {
                let culprit = self.culprit(simulation, &outcome.left_out)?;
                if let Some(step) = culprit {
                    outcome.steps[step] = Verdict::Failed(death.signature().to_string());
                    parting = with_checks(simulation, BTreeSet::from([step]), &mut outcome);
                }
            }
            if parting.is_empty() {
                break;
            }
            outcome.left_out.extend(parting);
        }
        // An oracle judges one engine: what the other does not know is no reason to leave it out.
        let whole = simulation.case_without(&BTreeSet::new()).0;
        for (side, client) in &mut self.judging {
            let mut case = whole.clone();
            if self.builds[*side].is_unoptimized {
                case.config.set(Setting::OptimizationsOff, OPTIMIZATIONS);
            }
            let job =
                Job { index: 1, target: &SQL, heap_bytes: None, body: case.encode(), exploration: None };
            let (outcomes, batch) = client.run_watched(vec![job])?;
            for (name, counts) in &batch.counts.oracles {
                outcome.oracles.entry(name.clone()).or_default().add(counts);
            }
            for bug in outcomes.into_iter().flat_map(|outcome| outcome.result.bugs) {
                outcome.add(bug.signature, &bug.message, &case, Some(*side));
            }
        }
        Ok(outcome)
    }

    /// The step at which an engine dies: the last of the shortest beginning of the script that kills one. `None` if it
    /// does not die again.
    fn culprit(&mut self, simulation: &Simulation, left_out: &BTreeSet<usize>) -> Result<Option<usize>> {
        let steps: Vec<usize> = (0..simulation.steps.len()).filter(|step| !left_out.contains(step)).collect();
        let mut dies = |count: usize| -> Result<bool> {
            let without = left_out.iter().chain(&steps[count..]).copied().collect();
            let (case, _) = simulation.case_without(&without);
            Ok(self.runner.check(named_case(&case))?.comparison.differences.iter().any(is_death))
        };
        let (mut lives, mut died) = (0, steps.len());
        if !dies(died)? {
            return Ok(None);
        }
        while died - lives > 1 {
            let middle = lives.midpoint(died);
            if dies(middle)? {
                died = middle;
            } else {
                lives = middle;
            }
        }
        Ok(died.checked_sub(1).map(|at| steps[at]))
    }

    /// What the engines leave of a case: their files by name, unless one keeps none or dies.
    ///
    /// # Errors
    /// If no worker can be started.
    pub(crate) fn files_left(&self, case: &TestCase) -> Result<[Option<Files>; 2]> {
        let mut builds = self.builds.clone();
        builds.iter_mut().for_each(|build| build.options.sends_files = true);
        DifferentialRunner::new(&builds)?.files_left(named_case(case))
    }

    /// What makes a finding smaller: both engines, or the one that an oracle judged.
    pub(crate) fn probes(&self, finding: &Finding) -> Probes {
        match finding.by_oracle {
            Some(side) => {
                Probes::of_simulation(vec![self.builds[side].clone()], vec![self.names[side].clone()])
            }
            None => Probes::of_simulation(self.builds.to_vec(), self.names.to_vec()),
        }
    }

    /// The releases that show a finding in the place of the engine that does, in words. `path` has the case.
    ///
    /// # Errors
    /// That engine is no SQLite that can be built; none of the releases could be tried.
    pub(crate) fn bisect(
        &self,
        path: &Path,
        signature: &str,
        by_oracle: Option<usize>,
        releases: &Releases,
    ) -> Result<String> {
        let side = by_oracle.unwrap_or(0);
        let configuration = self.bisectable(side)?;
        let oracles = Oracles::for_signature(signature);
        let bisecting = bisecting::Build {
            configuration: &configuration,
            releases,
            project: &project(),
            may_install: self.may_install,
            options: &Options { oracles, ..self.options.clone() },
            other: by_oracle.is_none().then(|| bisecting::Other {
                build: self.builds[1].clone(),
                is_unoptimized: self.builds[side].is_unoptimized,
                skips_unknown: true,
            }),
        };
        let named = source::single(path, Some(&SQL))?;
        let hint = configuration.release().filter(|name| releases.names().any(|known| known == *name));
        let bisected = bisecting.bisect(&named, Some(signature), hint)?;
        Ok(bisected.map_or("in none of the releases".to_owned(), |bisected| bisected.in_words()))
    }

    /// The configuration of an engine whose releases can be tried.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn bisectable(&self, side: usize) -> Result<Configuration> {
        let name = &self.names[side];
        let name = name.strip_suffix(named::UNOPTIMIZED).unwrap_or(name);
        Configuration::named(name)
            .with_context(|| format!("--bisect: `{name}` has no releases that could be searched"))
    }

    /// Compares a script as it is, for `probe`.
    ///
    /// # Errors
    /// If no worker can be started any more.
    pub(crate) fn compare(&mut self, case: &TestCase) -> Result<Comparison> {
        Ok(self.runner.check(named_case(case))?.comparison)
    }
}

fn named_case(case: &TestCase) -> NamedCase {
    NamedCase {
        name: "simulation".to_owned(),
        target: &SQL,
        case: case.clone(),
        heap_bytes: None,
        provenance: None,
    }
}

fn is_death(difference: &Difference) -> bool {
    matches!(difference.class, Class::Death | Class::Panic)
}

impl Outcome {
    fn add(&mut self, signature: String, message: &str, case: &TestCase, by_oracle: Option<usize>) {
        if self.findings.iter().all(|known| known.signature != signature) {
            let (message, case) = (message.to_owned(), case.clone());
            self.findings.push(Finding { signature, message, case, by_oracle });
        }
    }
}
