//! The steps after fuzzing, each a command of this program in a separate process: it is tested by itself, can be
//! cut off, and resumes with the campaign.

mod corpora;
mod told;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use tandem::targets;

use super::findings;
use super::runner::{Done, Runner};
use super::steps::{self, Ran};
use crate::build::configuration::Configuration;
use crate::build::worker::this_program;
use crate::build_kind::BuildKind;
use crate::fuzzing::session::tail;

/// A step that can be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StepArg {
    /// Rerun findings and minimize them.
    Triage,
    /// Merge cases that add coverage into corpus databases.
    Merge,
    /// Replay the corpora and count the results of each check.
    Replay,
    /// Measure the coverage of the corpora.
    Coverage,
}

/// CPU time of another build, as a first estimate.
const BUILD_CPU: Duration = Duration::from_secs(150);
/// A step with less time is skipped.
const STEP_MIN: Duration = Duration::from_secs(2);
/// Time reserved at the end: for the record, the report, the notification.
const LAST: Duration = Duration::from_secs(3);
/// Maximum time for minimizing one bug, in seconds.
const MINIMIZE_S_MAX: u64 = 300;

/// What the steps work with.
pub(crate) struct After<'a> {
    /// The working copy.
    pub project: &'a Path,
    /// What was fuzzed; its build, the first of the fuzzed ones, measures for `corpus merge`.
    pub configuration: &'a Configuration,
    /// The command-line arguments that select it, without the build.
    pub arguments: &'a [String],
    /// Names of the targets that were fuzzed.
    pub targets: &'a [String],
    /// The folder for the state of `triage`.
    pub triage: PathBuf,
    /// The folder of the corpus databases to write to.
    pub merge_into: PathBuf,
    /// Number of processes at the same time.
    pub jobs: usize,
    /// Of the targets.
    pub toolchain: Option<&'a str>,
    /// Whether missing tools may be installed.
    pub may_install: bool,
    /// Whether the corpora are also replayed without our limits on SQLite.
    pub replays_unlimited: bool,
    /// A planted bug.
    pub plant: Option<&'a str>,
    /// Steps to skip.
    pub without: &'a [StepArg],
    /// The command to notify.
    pub notify: Option<&'a str>,
    /// The end of the budget, in campaign time.
    pub until: Duration,
}

/// What a command printed.
struct Output {
    done: Done,
    json: Vec<u8>,
}

impl After<'_> {
    /// Runs all steps that fit into the remaining time.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn all(&self, runner: &mut Runner<'_>) -> Result<()> {
        self.triage(runner)?;
        fs::create_dir_all(&self.merge_into).with_context(|| format!("{}", self.merge_into.display()))?;
        for target in self.targets {
            self.step(runner, StepArg::Merge, &format!("merge {target}"), |runner, name| {
                self.merge(runner, name, target)
            })?;
        }
        for target in targets::all().iter().map(|target| target.name) {
            self.step(runner, StepArg::Replay, &format!("replay {target}"), |runner, name| {
                self.replay(runner, name, target, BuildKind::Release)
            })?;
        }
        for target in targets::all().iter().map(|target| target.name).filter(|_| self.replays_unlimited) {
            let name = format!("replay {target} in {}", BuildKind::Unlimited);
            self.step(runner, StepArg::Replay, &name, |runner, name| {
                self.replay(runner, name, target, BuildKind::Unlimited)
            })?;
        }
        runner.step("findings", |runner| self.findings(runner))?;
        self.step(runner, StepArg::Coverage, "coverage", |runner, name| self.coverage(runner, name))?;
        runner.step("trend", |runner| self.trend(runner))
    }

    /// A step that can be skipped.
    fn step(
        &self,
        runner: &mut Runner<'_>,
        kind: StepArg,
        name: &str,
        work: impl FnOnce(&mut Runner<'_>, &str) -> Result<Done>,
    ) -> Result<()> {
        runner.step(name, |runner| {
            if self.without.contains(&kind) {
                return Ok(Done::Skipped("skipped by --without".to_owned()));
            }
            work(runner, name)
        })
    }

    /// The remaining time.
    fn left(&self, runner: &Runner<'_>) -> Duration {
        self.until.saturating_sub(runner.now() + LAST)
    }

    /// Why this build cannot be used now: it is not built yet, and there is no time to build it.
    fn why_not(&self, runner: &Runner<'_>, build: BuildKind) -> Option<String> {
        let configuration = self.configuration.with_build(build);
        if configuration.is_this_program() || configuration.folder(self.project, false).exists() {
            return None;
        }
        let measured = runner.step_of("build").map_or(0.0, |step| step.seconds);
        let guess = BUILD_CPU / u32::try_from(crate::base::cores()).unwrap_or(1).max(1);
        let needed = Duration::from_secs_f64(measured.max(0.0)).max(guess);
        let left = self.left(runner);
        (left < needed).then(|| {
            format!(
                "no time: the {build} build does not exist yet and takes about {} s, but only {} s are left",
                needed.as_secs(),
                left.as_secs()
            )
        })
    }

    /// Runs a command of this program with a share of the remaining time.
    fn child(
        &self,
        runner: &mut Runner<'_>,
        name: &str,
        share: f64,
        words: impl FnOnce(Duration) -> Vec<OsString>,
    ) -> Result<Output> {
        let time = self.left(runner).mul_f64(share);
        if time < STEP_MIN {
            return Ok(Output { done: Done::Skipped("no time left".to_owned()), json: Vec::new() });
        }
        let folder = runner.state.folder().join("steps");
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let file = |end: &str| folder.join(format!("{}.{end}", name.replace(' ', "-")));
        let create = |path: &Path| File::create(path).with_context(|| format!("{}", path.display()));
        let (out, log) = (file("json"), file("log"));
        let mut command = Command::new(this_program()?);
        command.args(words(time)).arg("--json").stdin(Stdio::null());
        command.stdout(create(&out)?).stderr(create(&log)?);
        let (stop, mut saved) = (runner.stop(), Ok(()));
        let ran = steps::run(&mut command, time, stop, |elapsed| {
            let (so_far, most) = (elapsed.as_secs(), time.as_secs());
            runner.show(&format!("{name} for {so_far} of at most {most} s"));
            if saved.is_ok() {
                saved = runner.save_now_and_then();
            }
        })?;
        saved?;
        let json = fs::read(&out).with_context(|| format!("{}", out.display()))?;
        let done = match ran {
            Ran::Ended(status) if matches!(status.code(), Some(0 | 1)) => Done::Ok,
            Ran::Ended(status) => {
                let said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
                Done::Failed(format!("{status}: {}", tail(&said, 3)))
            }
            Ran::Cut => Done::Skipped(format!("cut off after {} s: out of time", time.as_secs())),
            Ran::Stopped => Done::Stopped,
        };
        Ok(Output { done, json })
    }

    /// The arguments that all commands take.
    fn words(&self, verb: &str, build: Option<BuildKind>) -> Vec<OsString> {
        let mut words: Vec<OsString> = verb.split(' ').map(OsString::from).collect();
        words.extend(build.map(|build| format!("--build={build}").into()));
        words.extend(self.arguments.iter().map(OsString::from));
        if !self.may_install {
            words.push("--no-install".into());
        }
        words
    }

    fn triage(&self, runner: &mut Runner<'_>) -> Result<()> {
        let piles = findings::piles(&runner.state.memory);
        let count = piles.len();
        for (at, ((build, target), paths)) in piles.into_iter().enumerate() {
            let name = format!("triage {target} in {build}");
            self.step(runner, StepArg::Triage, &name, |runner, name| {
                if let Some(why) = self.why_not(runner, build) {
                    return Ok(Done::Skipped(why));
                }
                // Later steps get as much.
                let share = 0.5 / (count - at) as f64;
                let words = |time: Duration| self.triage_words(build, &target, paths, time);
                Ok(self.child(runner, name, share, words)?.done)
            })?;
        }
        Ok(())
    }

    fn triage_words(
        &self,
        build: BuildKind,
        target: &str,
        paths: Vec<PathBuf>,
        time: Duration,
    ) -> Vec<OsString> {
        let mut words = self.words("triage", Some(build));
        let seconds = (time.as_secs() / 3).clamp(1, MINIMIZE_S_MAX);
        words.extend([format!("--max-time-s={seconds}").into(), format!("--jobs={}", self.jobs).into()]);
        words.extend(["--target".into(), target.into(), "--state".into(), self.triage.clone().into()]);
        words.extend(["--corpus".into(), self.project.join("corpus").into()]);
        words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
        words.extend(paths.into_iter().map(OsString::from));
        words
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).with_context(|| format!("reading what `{what} --json` printed"))
}
