//! `fuzzcheck nightly`.

mod choice;
mod output;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use tandem::corpus::Corpus;
use tandem::corpus::seeding::{self, Beginning};
use tandem::targets::Target;

use self::choice::Choice;
use super::interrupt_flag;
use super::run::check_plant;
use crate::base::EXIT_ERROR;
use crate::build::worker::Worker;
use crate::campaign::after::After;
use crate::campaign::clock::Real;
use crate::campaign::findings::Index;
use crate::campaign::fuzzer::{Built, LibFuzzer};
use crate::campaign::limits::Disk;
use crate::campaign::record::{Arm, SittingEnd, StepEnd};
use crate::campaign::report;
use crate::campaign::runner::{Done, FuzzEnd, Runner};
use crate::campaign::schedule::time_for_after;
use crate::campaign::state::State;
use crate::campaign::steps::{self, Ran};
use crate::campaign::view::View;
use crate::cli::nightly::{LogArg, NightlyArgs};
use crate::fuzzing::follower;
use crate::fuzzing::plan::Plan;
use crate::triage::state::State as TriageState;
use crate::ui;

const GIB: f64 = (1_u64 << 30) as f64;

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
    let view = if args.log == LogArg::Stdout { View::on_stdout() } else { View::new() };
    let mut runner = Runner::new(state, &clock, &stop, view);
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
        report::write(&runner.state.campaign, &runner.state.folder())?;
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
    let pages = report::write(&runner.state.campaign, &runner.state.folder())?;
    runner.say(&format!("fuzzcheck: the report is {}", pages[0].display()));
    let record = runner.state.record();
    let campaign = runner.finish();
    if args.json {
        let document = serde_json::to_string_pretty(&campaign)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| output::print(&campaign, &failures, &record, out))?;
    }
    Ok(ExitCode::from(code))
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
    let mut fuzzer = LibFuzzer::new(arms, runner.state.folder())?;
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
        let (stop, mut saved) = (runner.stop(), Ok(()));
        let ran = steps::run(&mut plan.build_command()?, left, stop, |_| {
            if saved.is_ok() {
                saved = runner.save_now_and_then();
            }
        });
        saved?;
        match ran? {
            Ran::Ended(status) if status.success() => plan.link()?,
            Ran::Ended(_) => {
                return Ok(Done::Failed(format!("the target {} did not build: see above", target.name)));
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
