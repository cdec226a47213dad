//! The arguments of `nightly`, resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use tandem::targets::{self, Target};

use super::Args;
use crate::base::{cores, project};
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::campaign::limits::memory_per_process_mib;
use crate::campaign::place;
use crate::campaign::record::{self, Campaign, FuzzJob};
use crate::campaign::state::{Settings, State};
use crate::fuzzing::plan::{self, Plan};
use crate::tools;
use crate::verbs::shared::target_by_name;

/// The builds that fuzz and that rerun new cases by default. In 600 CPU seconds on SQLite 3.31.1,
/// AddressSanitizer alone found 4 signatures and the debug build behind it 9; the release build with both behind it 10 in
/// 828, for two builds more. The branches that the corpora reached in the end are within 2 %.
const BUILDS: &[BuildKind] = &[BuildKind::Asan];
/// SQLite without our limits comes once a night.
const RERUN: &[BuildKind] = &[BuildKind::Debug, BuildKind::Unlimited];
/// A shorter night of the bundled SQLite, whose corpora have been through all builds, is too short for one build more.
const RERUN_BUDGET_MIN: Duration = Duration::from_secs(3600);
/// How the time is shared by default.
const WEIGHTS: [(&str, f64); 3] = [("db_sql", 6.0), ("sql", 2.0), ("db_file", 2.0)];
/// With builds that rerun new cases: one case in this many is in the sample.
const SAMPLE_EVERY: u32 = 100;

/// What the arguments ask for.
pub(super) struct Choice {
    pub(super) project: PathBuf,
    /// In the first of the builds.
    pub(super) configuration: Configuration,
    pub(super) targets: Vec<&'static Target>,
    pub(super) builds: Vec<BuildKind>,
    pub(super) rerun: Vec<BuildKind>,
    pub(super) weights: BTreeMap<String, f64>,
    pub(super) jobs: usize,
    /// For libFuzzer.
    pub(super) arguments: Vec<String>,
}

impl Choice {
    pub(super) fn new(args: &Args) -> Result<Self> {
        if args.configuration.build.is_some() {
            bail!("nightly can fuzz several builds: use --builds instead of --build");
        }
        let named: Vec<&'static Target> = args
            .targets
            .iter()
            .map(|name| target_by_name(Some(name))?.context("a name was given"))
            .collect::<Result<_>>()?;
        let targets =
            if named.is_empty() { targets::all().to_vec() } else { distinct(named, |target| target.name) };
        let given = if args.builds.is_empty() { BUILDS.to_vec() } else { args.builds.clone() };
        let builds = distinct(given, |build| *build);
        if let Some(build) = builds.iter().find(|build| !BuildKind::FUZZED.contains(build)) {
            bail!("--builds: the {build} build cannot be fuzzed");
        }
        let configuration =
            Configuration::new(&args.configuration, &BuildKind::FUZZED)?.with_build(builds[0]);
        let rerun = match (&args.rerun[..], args.no_rerun) {
            (_, true) => Vec::new(),
            ([], _) if args.budget < RERUN_BUDGET_MIN => plan::builds_that_follow(&configuration),
            ([], _) => RERUN.to_vec(),
            (builds, _) => builds.to_vec(),
        };
        if let Some(build) = rerun.iter().find(|build| !BuildKind::JUDGING.contains(build)) {
            bail!("--rerun: cases are not judged in the {build} build");
        }
        let mut weights: BTreeMap<String, f64> =
            WEIGHTS.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect();
        if !args.weights.is_empty() {
            weights.clear();
        }
        for given in &args.weights {
            target_by_name(Some(&given.target)).context("--weights")?;
            weights.insert(given.target.clone(), given.weight);
        }
        let jobs = args.jobs.map_or_else(cores, usize::from);
        let memory = args.max_memory_mib.map(|all| memory_per_process_mib(all, jobs));
        let mut arguments: Vec<String> = memory.iter().map(|mib| format!("-rss_limit_mb={mib}")).collect();
        arguments.extend(args.timeout_s.map(|seconds| format!("-timeout={seconds}")));
        let project = args.project.clone().unwrap_or_else(project);
        let choice = Self { project, configuration, targets, builds, rerun, weights, jobs, arguments };
        choice.plan(choice.targets[0], choice.builds[0], args).check_project()?;
        tools::prepare(&choice.project, args.toolchain.as_deref(), !args.no_install)?;
        Ok(choice)
    }

    pub(super) fn settings(&self) -> Settings {
        let names = |builds: &[BuildKind]| builds.iter().map(|build| build.name().to_owned()).collect();
        Settings {
            targets: self.targets.iter().map(|target| target.name.to_owned()).collect(),
            builds: names(&self.builds),
            rerun: names(&self.rerun),
            arguments: self.configuration.arguments(self.configuration.build),
        }
    }

    /// Every target in every build, the targets of one build after the other.
    pub(super) fn fuzz_jobs(&self) -> impl Iterator<Item = (&'static Target, BuildKind)> {
        self.builds.iter().flat_map(|build| self.targets.iter().map(|target| (*target, *build)))
    }

    pub(super) fn plan(&self, target: &'static Target, build: BuildKind, args: &Args) -> Plan {
        Plan {
            configuration: self.configuration.with_build(build),
            project: self.project.clone(),
            target: target.name,
            toolchain: args.toolchain.clone(),
            time: None,
            cpu_time: None,
            jobs: self.jobs,
            arguments: self.arguments.clone(),
            sample_every: (!self.rerun.is_empty()).then_some(SAMPLE_EVERY),
            directed: None,
        }
    }

    pub(super) fn record(&self, id: String, started: Timestamp, args: &Args) -> Campaign {
        let job = |(target, build): (&'static Target, BuildKind)| FuzzJob {
            target: target.name.to_owned(),
            build: build.name().to_owned(),
            rerun: self.rerun.iter().map(|build| build.name().to_owned()).collect(),
            weight: self.weight(target),
            slices: Vec::new(),
            samples: Vec::new(),
            failures: Vec::new(),
        };
        Campaign {
            version: record::VERSION,
            id,
            started,
            ended: None,
            budget_s: args.budget.as_secs_f64(),
            used_s: 0.0,
            sessions: Vec::new(),
            build: place::build(&self.configuration, &self.project, args.toolchain.as_deref()),
            machine: place::machine(),
            jobs: self.fuzz_jobs().map(job).collect(),
            findings: Vec::new(),
            checks: Vec::new(),
            cut_short: Vec::new(),
            slowest: Vec::new(),
            coverage: None,
            checks_before: None,
            trend: Vec::new(),
            gaps: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn weight(&self, target: &Target) -> f64 {
        self.weights.get(target.name).copied().unwrap_or(1.0)
    }

    pub(super) fn merge_into(&self, args: &Args, state: &State) -> PathBuf {
        let own = || state.folder().join("corpus");
        if args.update_corpus {
            self.project.join("corpus")
        } else {
            args.merge_into.clone().unwrap_or_else(own)
        }
    }
}

/// Without duplicates, in order of first occurrence.
fn distinct<T, K: Ord>(all: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(key(one))).collect()
}
