//! `fuzzcheck nightly`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use tandem::corpus::Corpus;
use tandem::corpus::seeding::{self, Beginning};
use tandem::targets::{TARGETS, Target};

use super::run::check_plant;
use super::{EXIT_ERROR, cores, interrupt_flag, project, target_by_name};
use crate::build::flavor::Flavor;
use crate::build::lane::Lane;
use crate::build::worker::Worker;
use crate::campaign::after::After;
use crate::campaign::clock::Real;
use crate::campaign::findings::Index;
use crate::campaign::fuzzer::{Built, LibFuzzer};
use crate::campaign::limits::{Disk, memory_per_process_mib};
use crate::campaign::place;
use crate::campaign::record::{self, Arm, Campaign, SittingEnd, StepEnd};
use crate::campaign::runner::{Done, FuzzEnd, Runner};
use crate::campaign::schedule::time_for_after;
use crate::campaign::state::{Settings, State};
use crate::campaign::steps::{self, Ran};
use crate::cli::nightly::{LogArg, NightlyArgs};
use crate::fuzzing::plan::{self, Plan};
use crate::fuzzing::{follower, tools};
use crate::triage::state::State as TriageState;
use crate::ui::{self, Ticker};

/// Lanes that fuzz, and those that run again what is new, unless others are asked for.
const LANES: &[Lane] = &[Lane::Asan];
const RERUN: &[Lane] = &[];
/// How the time is shared, unless something else is asked for.
const WEIGHTS: [(&str, f64); 3] = [("db_sql", 6.0), ("sql", 2.0), ("db_file", 2.0)];
/// With lanes that run again what is new: every how many cases one is in the sample.
const SAMPLE_EVERY: u32 = 100;
const GIB: f64 = (1_u64 << 30) as f64;

/// What the arguments ask for.
struct Choice {
    project: PathBuf,
    /// In the first of the lanes.
    flavor: Flavor,
    targets: Vec<&'static Target>,
    lanes: Vec<Lane>,
    rerun: Vec<Lane>,
    weights: BTreeMap<String, f64>,
    jobs: usize,
    /// For libFuzzer.
    arguments: Vec<String>,
}

pub(super) fn run(args: &NightlyArgs) -> Result<ExitCode> {
    let clock = Real::new();
    let stop = interrupt_flag()?;
    check_plant(args.plant.as_deref())?;
    if args.json && args.log == LogArg::Stdout {
        bail!("--json prints to standard output, and so does --log stdout (or FUZZ_LOG): leave out one");
    }
    let choice = Choice::new(args)?;
    let settings = choice.settings();
    let root = args.folder.clone().unwrap_or_else(|| choice.project.join("fuzz/nightly"));
    let triage = args.state.clone().unwrap_or_else(|| choice.project.join("fuzz/triage"));
    let state = State::open(&root, &settings, args.fresh, |id, now| {
        let mut seen: BTreeSet<String> = TriageState::open(&triage)?.bugs.into_keys().collect();
        seen.extend(Index::open(&root.join("findings"))?.bugs.into_keys());
        Ok((choice.record(id, now, args), seen))
    })?;
    let ticker = if args.log == LogArg::Stdout { Ticker::on_stdout() } else { Ticker::new() };
    let mut runner = Runner::new(state, &clock, &stop, ticker);
    begin(&mut runner, args, &choice);
    let after = After {
        project: &choice.project,
        flavor: &choice.flavor,
        build: &settings.build,
        targets: &settings.targets,
        triage,
        merge_into: choice.merge_into(args, &runner.state),
        jobs: choice.jobs,
        toolchain: args.toolchain.as_deref(),
        may_install: !args.no_install,
        plant: args.plant.as_deref(),
        without: &args.without,
        notify: args.notify_cmd.as_deref(),
        until: args.budget,
    };
    fuzz(&mut runner, args, &choice)?;
    after.all(&mut runner)?;
    if runner.is_stopped() {
        runner.end_sitting(SittingEnd::Interrupted)?;
        let words: Vec<String> = std::env::args().skip(1).map(|word| ui::shell_quoted(&word)).collect();
        let words: Vec<String> = words.into_iter().filter(|word| word != "--fresh").collect();
        eprintln!(
            "fuzzcheck: interrupted: all is saved in {}; `cargo fuzzcheck {}` goes on",
            runner.state.folder().display(),
            words.join(" ")
        );
        return Ok(ExitCode::from(EXIT_ERROR));
    }
    let (code, failures) = after.end(&mut runner)?;
    let record = runner.state.record();
    let campaign = runner.finish();
    if args.json {
        let document = serde_json::to_string_pretty(&campaign)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| print(&campaign, &failures, &record, out))?;
    }
    Ok(ExitCode::from(code))
}

impl Choice {
    fn new(args: &NightlyArgs) -> Result<Self> {
        if args.flavor.lane.is_some() {
            bail!("nightly may fuzz several lanes: --lanes names them, and not --lane");
        }
        let named: Vec<&'static Target> = args
            .targets
            .iter()
            .map(|name| target_by_name(Some(name))?.context("a name was given"))
            .collect::<Result<_>>()?;
        let targets = if named.is_empty() { TARGETS.to_vec() } else { distinct(named, |target| target.name) };
        let given = if args.lanes.is_empty() { LANES.to_vec() } else { args.lanes.clone() };
        let lanes = distinct(given, |lane| *lane);
        if let Some(lane) = lanes.iter().find(|lane| !Lane::FUZZED.contains(lane)) {
            bail!("--lanes: the lane {lane} cannot be fuzzed");
        }
        let flavor = Flavor::new(&args.flavor, &Lane::FUZZED)?.in_lane(lanes[0]);
        let rerun = match (&args.rerun[..], args.no_rerun) {
            (_, true) => Vec::new(),
            ([], _) if RERUN.is_empty() => plan::lanes_that_follow(&flavor),
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

    fn settings(&self) -> Settings {
        let names = |lanes: &[Lane]| lanes.iter().map(|lane| lane.name().to_owned()).collect();
        Settings {
            targets: self.targets.iter().map(|target| target.name.to_owned()).collect(),
            lanes: names(&self.lanes),
            rerun: names(&self.rerun),
            build: self.flavor.arguments(self.flavor.lane),
        }
    }

    /// Every target in every lane, the targets of one lane after the other.
    fn arms(&self) -> impl Iterator<Item = (&'static Target, Lane)> {
        self.lanes.iter().flat_map(|lane| self.targets.iter().map(|target| (*target, *lane)))
    }

    fn plan(&self, target: &'static Target, lane: Lane, args: &NightlyArgs) -> Plan {
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
        }
    }

    fn record(&self, id: String, started: Timestamp, args: &NightlyArgs) -> Campaign {
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
            slowest: Vec::new(),
            coverage: None,
            trend: Vec::new(),
            gaps: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn weight(&self, target: &Target) -> f64 {
        self.weights.get(target.name).copied().unwrap_or(1.0)
    }

    fn merge_into(&self, args: &NightlyArgs, state: &State) -> PathBuf {
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

/// Says what is begun or taken up; what may change in between is what the arguments say now.
fn begin(runner: &mut Runner<'_>, args: &NightlyArgs, choice: &Choice) {
    let folder = runner.state.folder();
    let campaign = &mut runner.state.campaign;
    campaign.budget_s = args.budget.as_secs_f64();
    for arm in &mut campaign.arms {
        if let Some(target) = Target::by_name(&arm.target) {
            arm.weight = choice.weight(target);
        }
    }
    let (id, used, budget) = (campaign.id.clone(), campaign.used_s, campaign.budget_s);
    if runner.state.is_resumed {
        let executions = campaign.executions();
        let done = format!("{used:.0} of {budget:.0} s are used, {executions} executions done");
        runner.say(&format!("fuzzcheck: the campaign {id} is taken up: {done}"));
    } else {
        let folder = folder.display();
        runner.say(&format!("fuzzcheck: the campaign {id} begins, for {budget:.0} s, in {folder}"));
    }
}

/// Builds and fuzzes, unless an earlier sitting has done that.
fn fuzz(runner: &mut Runner<'_>, args: &NightlyArgs, choice: &Choice) -> Result<()> {
    if runner.step_of("fuzz").is_some_and(|step| step.end != StepEnd::Open) {
        return Ok(());
    }
    let until = args.budget.saturating_sub(time_for_after(args.budget));
    let mut arms = Vec::new();
    runner.reopen("build");
    runner.step("build", |runner| build(runner, args, choice, until, &mut arms))?;
    let is_built = runner.step_of("build").is_some_and(|step| step.end == StepEnd::Done);
    let folder = |of: fn(&Plan) -> PathBuf| arms.iter().map(|arm: &Built| of(&arm.plan)).collect();
    let below = |name: &str| choice.project.join("fuzz").join(name);
    let disk = Disk {
        bytes_max: (args.max_disk_gib * GIB) as u64,
        folders: ["corpus", "artifacts", "logs", "sample", "runs", "distill"]
            .map(below)
            .into_iter()
            .chain([runner.state.root().to_owned()])
            .collect(),
        artifacts: folder(Plan::artifacts),
        logs: folder(Plan::logs),
    };
    let fuzzed: f64 = runner.state.campaign.arms.iter().map(Arm::seconds).sum();
    let fuzzed = Duration::from_secs_f64(fuzzed.max(0.0));
    let until = args.fuzz_time.map_or(until, |most| until.min(runner.now() + most.saturating_sub(fuzzed)));
    let mut fuzzer = LibFuzzer { folder: runner.state.folder(), arms };
    runner.step("fuzz", |runner| {
        if !is_built {
            return Ok(Done::Skipped("the targets are not built".to_owned()));
        }
        Ok(match runner.fuzz(&mut fuzzer, until, &disk)? {
            FuzzEnd::Over => Done::Well,
            FuzzEnd::Stopped => Done::Stopped,
            FuzzEnd::DiskFull => Done::Skipped(format!(
                "ended early: corpora and findings alone take more than --max-disk-gib {}",
                args.max_disk_gib
            )),
            FuzzEnd::Hopeless => Done::Failed("no target comes to fuzz: see above".to_owned()),
        })
    })
}

/// Builds all arms; writes the seeds into their corpora.
fn build(
    runner: &mut Runner<'_>,
    args: &NightlyArgs,
    choice: &Choice,
    until: Duration,
    arms: &mut Vec<Built>,
) -> Result<Done> {
    let mut rerun = Vec::new();
    for (target, lane) in choice.arms() {
        let plan = choice.plan(target, lane, args);
        let shipped = seeding::shipped_corpus(target.name);
        let seen = follower::names(&plan.corpus())?;
        let beginning = if plan.flavor.what().is_empty() { Beginning::Seeds } else { Beginning::All };
        seeding::export(&Corpus::load(&shipped)?, &plan.corpus(), beginning)?;
        let left = until.saturating_sub(runner.now());
        let stop = runner.stop();
        let ran = steps::run(&mut plan.build_command()?, left, stop, |_| {})?;
        match ran {
            Ran::Ended(status) if status.success() => {}
            Ran::Ended(_) => {
                return Ok(Done::Failed(format!("`cargo fuzz build {}` failed: see above", target.name)));
            }
            Ran::Cut => {
                return Ok(Done::Skipped("the time for fuzzing was over before all was built".to_owned()));
            }
            Ran::Stopped => return Ok(Done::Stopped),
        }
        runner.save()?;
        arms.push(Built { plan, target, rerun: Vec::new(), seen });
    }
    for lane in &choice.rerun {
        rerun.push(Worker::build(&choice.flavor.in_lane(*lane), &choice.project, !args.no_install)?);
    }
    arms.iter_mut().for_each(|arm| arm.rerun.clone_from(&rerun));
    Ok(Done::Well)
}

/// For people.
fn print(campaign: &Campaign, failures: &[String], record: &Path, out: &mut dyn Write) -> Result<()> {
    let (used, sittings) = (campaign.used_s, campaign.sittings.len());
    writeln!(out, "campaign {}: {used:.0} of {:.0} s, {sittings} sittings", campaign.id, campaign.budget_s)?;
    for arm in &campaign.arms {
        let (executions, seconds) = (arm.executions(), arm.seconds());
        let last = arm.samples.last();
        let (edges, cases) = last.map_or((0, 0), |sample| (sample.edges, sample.corpus_cases));
        let turns = arm.sittings.len();
        let rate = executions as f64 / seconds.max(0.001);
        writeln!(
            out,
            "{:<8} {:<8} {executions} executions in {seconds:.0} s ({rate:.0}/s), {turns} turns, {edges} edges, {cases} cases",
            arm.target, arm.lane
        )?;
    }
    for check in &campaign.checks {
        let skipped: u64 = check.skipped.values().sum();
        writeln!(
            out,
            "{:<15} {} passed, {} failed, {skipped} skipped",
            check.name, check.passed, check.failed
        )?;
    }
    if let Some(reached) = &campaign.coverage {
        let branches = reached.total.branches;
        let (percent, cases) = (branches.percent(), reached.cases);
        writeln!(
            out,
            "branches        {} of {} ({percent:.2} %), by {cases} cases",
            branches.covered, branches.total
        )?;
    }
    for step in campaign.steps.iter().filter(|step| step.end == StepEnd::Skipped) {
        writeln!(out, "not done: {}: {}", step.name, step.why.as_deref().unwrap_or("-"))?;
    }
    for failure in failures {
        writeln!(out, "failed: {failure}")?;
    }
    for finding in &campaign.findings {
        let what = match (&finding.known_as, finding.is_new) {
            (Some(known), _) => format!("known: {known}"),
            (None, true) => "new".to_owned(),
            (None, false) => "seen before, not known".to_owned(),
        };
        writeln!(out, "{} ({what})", finding.signature)?;
        writeln!(out, "  cases:  {}", finding.cases)?;
        writeln!(out, "  replay: {}", finding.replay)?;
        if let Some(file) = &finding.file {
            let path = record.parent().unwrap_or(record).join(file);
            writeln!(out, "  file:   {}", path.display())?;
        }
    }
    let new = campaign.findings.iter().filter(|finding| finding.is_news()).count();
    let all = campaign.findings.len();
    writeln!(out, "fuzzcheck: {new} new of {all} bugs; all of it is in {}", record.display())?;
    Ok(())
}
