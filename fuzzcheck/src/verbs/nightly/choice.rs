//! What the arguments of `nightly` ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use tandem::targets::{self, Target};

use super::Args;
use crate::base::{cores, project};
use crate::build::flavor::Flavor;
use crate::campaign::limits::memory_per_process_mib;
use crate::campaign::place;
use crate::campaign::record::{self, Arm, Campaign};
use crate::campaign::state::{Settings, State};
use crate::fuzzing::plan::{self, Plan};
use crate::lane::Lane;
use crate::tools;
use crate::verbs::shared::target_by_name;

/// Lanes that fuzz, and those that run again what is new, unless others are asked for. In 600 CPU seconds of SQLite 3.31.1
/// AddressSanitizer alone found 4 signatures and the debug lane behind it 9; the release lane with both behind it 10 in
/// 828, for two builds more. The branches that the corpora reached in the end are within 2 %.
const LANES: &[Lane] = &[Lane::Asan];
const RERUN: &[Lane] = &[Lane::Debug];
/// A shorter night of the bundled SQLite, whose corpora have been through all lanes, is too short for one build more.
const RERUN_BUDGET_MIN: Duration = Duration::from_secs(3600);
/// How the time is shared, unless something else is asked for.
const WEIGHTS: [(&str, f64); 3] = [("db_sql", 6.0), ("sql", 2.0), ("db_file", 2.0)];
/// With lanes that run again what is new: every how many cases one is in the sample.
const SAMPLE_EVERY: u32 = 100;

/// What the arguments ask for.
pub(super) struct Choice {
    pub(super) project: PathBuf,
    /// In the first of the lanes.
    pub(super) flavor: Flavor,
    pub(super) targets: Vec<&'static Target>,
    pub(super) lanes: Vec<Lane>,
    pub(super) rerun: Vec<Lane>,
    pub(super) weights: BTreeMap<String, f64>,
    pub(super) jobs: usize,
    /// For libFuzzer.
    pub(super) arguments: Vec<String>,
}

impl Choice {
    pub(super) fn new(args: &Args) -> Result<Self> {
        if args.flavor.lane.is_some() {
            bail!("nightly may fuzz several lanes: --lanes names them, and not --lane");
        }
        let named: Vec<&'static Target> = args
            .targets
            .iter()
            .map(|name| target_by_name(Some(name))?.context("a name was given"))
            .collect::<Result<_>>()?;
        let targets =
            if named.is_empty() { targets::all().to_vec() } else { distinct(named, |target| target.name) };
        let given = if args.lanes.is_empty() { LANES.to_vec() } else { args.lanes.clone() };
        let lanes = distinct(given, |lane| *lane);
        if let Some(lane) = lanes.iter().find(|lane| !Lane::FUZZED.contains(lane)) {
            bail!("--lanes: the lane {lane} cannot be fuzzed");
        }
        let flavor = Flavor::new(&args.flavor, &Lane::FUZZED)?.in_lane(lanes[0]);
        let rerun = match (&args.rerun[..], args.no_rerun) {
            (_, true) => Vec::new(),
            ([], _) if args.budget < RERUN_BUDGET_MIN => plan::lanes_that_follow(&flavor),
            ([], _) => RERUN.to_vec(),
            (lanes, _) => lanes.to_vec(),
        };
        if let Some(lane) = rerun.iter().find(|lane| !Lane::JUDGING.contains(lane)) {
            bail!("--rerun: cases are not judged in the lane {lane}");
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
        let choice = Self { project, flavor, targets, lanes, rerun, weights, jobs, arguments };
        choice.plan(choice.targets[0], choice.lanes[0], args).check_project()?;
        tools::prepare(&choice.project, args.toolchain.as_deref(), !args.no_install)?;
        Ok(choice)
    }

    pub(super) fn settings(&self) -> Settings {
        let names = |lanes: &[Lane]| lanes.iter().map(|lane| lane.name().to_owned()).collect();
        Settings {
            targets: self.targets.iter().map(|target| target.name.to_owned()).collect(),
            lanes: names(&self.lanes),
            rerun: names(&self.rerun),
            build: self.flavor.arguments(self.flavor.lane),
        }
    }

    /// Every target in every lane, the targets of one lane after the other.
    pub(super) fn arms(&self) -> impl Iterator<Item = (&'static Target, Lane)> {
        self.lanes.iter().flat_map(|lane| self.targets.iter().map(|target| (*target, *lane)))
    }

    pub(super) fn plan(&self, target: &'static Target, lane: Lane, args: &Args) -> Plan {
        Plan {
            flavor: self.flavor.in_lane(lane),
            project: self.project.clone(),
            target: target.name,
            toolchain: args.toolchain.clone(),
            time: None,
            cpu_time: None,
            jobs: self.jobs,
            arguments: self.arguments.clone(),
            sample_every: (!self.rerun.is_empty()).then_some(SAMPLE_EVERY),
            focus: None,
        }
    }

    pub(super) fn record(&self, id: String, started: Timestamp, args: &Args) -> Campaign {
        let arm = |(target, lane): (&'static Target, Lane)| Arm {
            target: target.name.to_owned(),
            lane: lane.name().to_owned(),
            rerun: self.rerun.iter().map(|lane| lane.name().to_owned()).collect(),
            weight: self.weight(target),
            sittings: Vec::new(),
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
            sittings: Vec::new(),
            build: place::build(&self.flavor, &self.project, args.toolchain.as_deref()),
            machine: place::machine(),
            arms: self.arms().map(arm).collect(),
            findings: Vec::new(),
            checks: Vec::new(),
            cut_short: Vec::new(),
            slowest: Vec::new(),
            coverage: None,
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

/// Each once, in the order of their first.
fn distinct<T, K: Ord>(all: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(key(one))).collect()
}
