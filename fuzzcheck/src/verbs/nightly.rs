//! `fuzzcheck nightly`.

mod choice;
mod output;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use jiff::SignedDuration;
use tandem::corpus::seeding::Beginning;
use tandem::targets::Target;

use self::choice::Choice;
use crate::base::EXIT_ERROR;
use crate::build::arguments::ConfigurationArgs;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::campaign::after::After;
use crate::campaign::after::StepArg;
use crate::campaign::clock::Real;
use crate::campaign::findings::Index;
use crate::campaign::fuzzer::{Built, LibFuzzer};
use crate::campaign::limits::Disk;
use crate::campaign::record::{FuzzJob, SessionEnd, StepEnd};
use crate::campaign::report;
use crate::campaign::runner::{Done, FuzzEnd, Runner};
use crate::campaign::schedule::time_for_after;
use crate::campaign::state::State;
use crate::campaign::steps::{self, Ran};
use crate::campaign::view::View;
use crate::fuzzing::follower;
use crate::fuzzing::plan::Plan;
use crate::triage::state::State as TriageState;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::{check_plant, interrupt_flag, positive};

/// Fuzz all targets for a night, then sort, merge and report what was found.
///
/// Everything happens within --budget. After an interruption or kill, the same command resumes. Exit codes: 0
/// nothing new was found, 1 an unknown bug, 2 wrong usage, an interruption, or a failed step.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long everything may take, including builds: `20m`, `8h`, `1h30m`, or a number of seconds.
    #[arg(long, value_name = "TIME", env = "FUZZ_SECONDS", default_value = "8h", value_parser = time)]
    budget: Duration,
    /// How much of the budget to fuzz at most [default: all but what later steps need]
    #[arg(long, value_name = "TIME", value_parser = time)]
    fuzz_time: Option<Duration>,
    /// What to fuzz [default: all targets]
    #[arg(long, value_name = "TARGET,...", value_delimiter = ',')]
    targets: Vec<String>,
    /// Builds to fuzz, each with every target [default: asan]
    #[arg(long, value_name = "BUILD,...", value_enum, value_delimiter = ',')]
    builds: Vec<BuildKind>,
    /// Builds that rerun new cases of the corpus, and a sample of the rest [default: debug and unlimited, in nights of
    /// an hour or more, and if another SQLite than the bundled one is fuzzed]
    #[arg(long, value_name = "BUILD,...", value_enum, value_delimiter = ',')]
    rerun: Vec<BuildKind>,
    /// Run nothing in other builds.
    #[arg(long, conflicts_with = "rerun")]
    no_rerun: bool,
    /// Each target's share of the time; targets not named have 1 [default: db_sql=6,sql=2,db_file=2]
    #[arg(long, value_name = "TARGET=N,...", value_delimiter = ',', value_parser = weight)]
    weights: Vec<Weight>,
    /// Processes that fuzz at the same time and share a corpus; later, workers [default: one per core]
    #[arg(long, short, value_name = "N", env = "FUZZ_JOBS", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Seconds after which a single case counts as a hang: libFuzzer's -timeout [default: 60]
    #[arg(long, value_name = "S", env = "FUZZ_TIMEOUT_S", value_parser = clap::value_parser!(u32).range(1..))]
    timeout_s: Option<u32>,
    /// Where to print progress; stdout excludes --json.
    #[arg(long, value_name = "WHERE", env = "FUZZ_LOG", value_enum, default_value = "stderr")]
    log: LogArg,
    /// GiB that corpora, artifacts, logs and campaigns may take. Beyond that, the least useful is removed: slow cases, cases
    /// of one bug beyond 20, logs; if that is not enough, fuzzing ends. Corpora and findings are never removed.
    #[arg(long, value_name = "GIB", default_value_t = 20.0, value_parser = positive)]
    max_disk_gib: f64,
    /// MiB of memory for all fuzzing processes together [default: 2048 each, libFuzzer's own limit]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    max_memory_mib: Option<u64>,
    /// Folder of all campaigns [default: fuzz/nightly]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Start a new campaign, even if the last one is unfinished.
    #[arg(long)]
    fresh: bool,
    /// A shell command to run for each new bug and at the end, with a JSON document on its standard input.
    #[arg(long, value_name = "COMMAND")]
    notify_cmd: Option<String>,
    /// Folder to merge cases that add coverage into, a database per target [default: copies of corpus/, in the
    /// folder of the campaign]
    #[arg(long, value_name = "DIR")]
    merge_into: Option<PathBuf>,
    /// Merge into corpus/ itself.
    #[arg(long, conflicts_with = "merge_into")]
    update_corpus: bool,
    /// Folder for the state of `triage` [default: fuzz/triage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Skip these steps.
    #[arg(long, value_name = "STEP,...", value_enum, value_delimiter = ',')]
    without: Vec<StepArg>,
    /// The SQLite; --builds says how it is built.
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    toolchain: Option<String>,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print the record of the campaign as one JSON document at the end instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
    /// Plant a bug by name in what runs findings again (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// Where progress is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogArg {
    /// The default of all verbs.
    Stderr,
    /// For containers.
    Stdout,
}

/// The weight of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weight {
    /// Name of the target.
    pub(super) target: String,
    /// Above 0.
    pub(super) weight: f64,
}

const GIB: f64 = (1_u64 << 30) as f64;

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let clock = Real::new();
        let stop = interrupt_flag()?;
        check_plant(self.plant.as_deref())?;
        if self.json && self.log == LogArg::Stdout {
            bail!("--json and --log stdout (or FUZZ_LOG) both print to standard output: use one of them");
        }
        let choice = Choice::new(self)?;
        let settings = choice.settings();
        let root = self.folder.clone().unwrap_or_else(|| choice.project.join("fuzz/nightly"));
        let triage = self.state.clone().unwrap_or_else(|| choice.project.join("fuzz/triage"));
        let state = State::open(&root, &settings, self.fresh, |id, now| {
            let mut seen: BTreeSet<String> = TriageState::open(&triage)?.bugs.into_keys().collect();
            seen.extend(Index::open(&root.join("findings"))?.bugs.into_keys());
            Ok((choice.record(id, now, self), seen))
        })?;
        let view = if self.log == LogArg::Stdout { View::on_stdout() } else { View::new() };
        let mut runner = Runner::new(state, &clock, &stop, view);
        begin(&mut runner, self, &choice);
        let after = After {
            project: &choice.project,
            configuration: &choice.configuration,
            arguments: &settings.arguments,
            targets: &settings.targets,
            triage,
            merge_into: choice.merge_into(self, &runner.state),
            jobs: choice.jobs,
            toolchain: self.toolchain.as_deref(),
            may_install: !self.no_install,
            replays_unlimited: choice.rerun.contains(&BuildKind::Unlimited),
            plant: self.plant.as_deref(),
            without: &self.without,
            notify: self.notify_cmd.as_deref(),
            until: self.budget,
        };
        fuzz(&mut runner, self, &choice)?;
        after.all(&mut runner)?;
        if runner.is_stopped() {
            runner.end_session(SessionEnd::Interrupted)?;
            report::write(&runner.state.campaign, &runner.state.folder())?;
            let words: Vec<String> = std::env::args().skip(1).map(|word| ui::shell_quoted(&word)).collect();
            let words: Vec<String> = words.into_iter().filter(|word| word != "--fresh").collect();
            eprintln!(
                "fuzzcheck: interrupted: everything is saved in {}; `cargo fuzzcheck {}` resumes",
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
        if self.json {
            let document = serde_json::to_string_pretty(&campaign)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| output::print(&campaign, &failures, &record, out))?;
        }
        Ok(ExitCode::from(code))
    }
}

/// Says what is started or resumed; what may change in between follows the arguments.
fn begin(runner: &mut Runner<'_>, args: &Args, choice: &Choice) {
    let folder = runner.state.folder();
    let campaign = &mut runner.state.campaign;
    campaign.budget_s = args.budget.as_secs_f64();
    for job in &mut campaign.jobs {
        if let Some(target) = Target::by_name(&job.target) {
            job.weight = choice.weight(target);
        }
    }
    let (id, used, budget) = (campaign.id.clone(), campaign.used_s, campaign.budget_s);
    if runner.state.is_resumed {
        let executions = campaign.executions();
        let done = format!("{used:.0} of {budget:.0} s used, {executions} executions done");
        runner.say(&format!("fuzzcheck: resuming campaign {id}: {done}"));
    } else {
        let folder = folder.display();
        runner.say(&format!("fuzzcheck: starting campaign {id}, for {budget:.0} s, in {folder}"));
    }
}

/// Builds and fuzzes, unless an earlier session has done that.
fn fuzz(runner: &mut Runner<'_>, args: &Args, choice: &Choice) -> Result<()> {
    if runner.step_of("fuzz").is_some_and(|step| step.end != StepEnd::Open) {
        return Ok(());
    }
    let until = args.budget.saturating_sub(time_for_after(args.budget));
    let mut jobs = Vec::new();
    runner.reopen("build");
    runner.step("build", |runner| build(runner, args, choice, until, &mut jobs))?;
    let is_built = runner.step_of("build").is_some_and(|step| step.end == StepEnd::Done);
    let folder = |of: fn(&Plan) -> PathBuf| jobs.iter().map(|job: &Built| of(&job.plan)).collect();
    let below = |name: &str| choice.project.join("fuzz").join(name);
    let disk = Disk {
        bytes_max: (args.max_disk_gib * GIB) as u64,
        folders: ["corpus", "artifacts", "logs", "sample", "runs", "merge"]
            .map(below)
            .into_iter()
            .chain([runner.state.root().to_owned()])
            .collect(),
        artifacts: folder(Plan::artifacts),
        logs: folder(Plan::logs),
    };
    let fuzzed: f64 = runner.state.campaign.jobs.iter().map(FuzzJob::seconds).sum();
    let fuzzed = Duration::from_secs_f64(fuzzed.max(0.0));
    let until = args.fuzz_time.map_or(until, |most| until.min(runner.now() + most.saturating_sub(fuzzed)));
    let mut fuzzer = LibFuzzer::new(jobs, runner.state.folder())?;
    runner.step("fuzz", |runner| {
        if !is_built {
            return Ok(Done::Skipped("the targets are not built".to_owned()));
        }
        Ok(match runner.fuzz(&mut fuzzer, until, &disk)? {
            FuzzEnd::Over => Done::Ok,
            FuzzEnd::Stopped => Done::Stopped,
            FuzzEnd::DiskFull => Done::Skipped(format!(
                "ended early: corpora and findings alone take more than --max-disk-gib {}",
                args.max_disk_gib
            )),
            FuzzEnd::Hopeless => Done::Failed("no target comes to fuzz: see above".to_owned()),
        })
    })
}

/// Builds all jobs; writes the seeds into their corpora.
fn build(
    runner: &mut Runner<'_>,
    args: &Args,
    choice: &Choice,
    until: Duration,
    jobs: &mut Vec<Built>,
) -> Result<Done> {
    let mut rerun = Vec::new();
    for (target, build) in choice.fuzz_jobs() {
        let plan = choice.plan(target, build, args);
        let seen = follower::names(&plan.corpus())?;
        let beginning = if plan.configuration.what().is_empty() { Beginning::Seeds } else { Beginning::All };
        target.write_beginning(&plan.corpus(), beginning).map_err(anyhow::Error::msg)?;
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
        jobs.push(Built { plan, target, rerun: Vec::new(), seen });
    }
    for build in &choice.rerun {
        rerun.push(Worker::build(
            &choice.configuration.with_build(*build),
            &choice.project,
            !args.no_install,
        )?);
    }
    jobs.iter_mut().for_each(|job| job.rerun.clone_from(&rerun));
    Ok(Done::Ok)
}

/// A time in words, or a number of seconds.
fn time(word: &str) -> Result<Duration, String> {
    let in_words = || word.parse::<SignedDuration>().map_err(|error| format!("{error}: try `20m` or `8h`"));
    let time = match word.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(in_words()?).map_err(|_| "a time is not negative".to_owned())?,
    };
    // Anything longer is a mistake, and a date far away.
    let is_sane = (1..=400 * 24 * 3600).contains(&time.as_secs());
    is_sane.then_some(time).ok_or_else(|| "from a second to 400 days".to_owned())
}

/// `TARGET=N`.
fn weight(word: &str) -> Result<Weight, String> {
    let (target, weight) = word.split_once('=').ok_or("TARGET=N is expected, such as db_sql=6")?;
    Ok(Weight { target: target.to_owned(), weight: positive(weight)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let seconds = |word| time(word).map(|time| time.as_secs());
        assert_eq!(["20m", "8h", "90s", "3600", "1h30m"].map(seconds), [1200, 28800, 90, 3600, 5400].map(Ok));
        for wrong in ["0", "-3h", "x", "", "0s", "99999999999"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(weight("sql=2"), Ok(Weight { target: "sql".to_owned(), weight: 2.0 }));
        assert!(["sql", "sql=0", "sql=-1", "sql=inf", "sql=x"].iter().all(|word| weight(word).is_err()));
    }
}
