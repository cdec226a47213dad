//! What is done after fuzzing, each a command of this program in a process of its own: it is tested by itself, can be
//! cut off, and goes on where it was when the campaign is taken up again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tandem::corpus::Corpus;
use tandem::targets::TARGETS;

use super::findings::{self, Index, Judge};
use super::notify::{self, Message};
use super::record::{Check, Finding, Module, Night, Reached, Slow, StepEnd};
use super::runner::{Done, Runner};
use super::state::Case;
use super::steps::{self, Ran};
use crate::build::flavor::Flavor;
use crate::build::lane::Lane;
use crate::coverage::lane::Coverage;
use crate::files;
use crate::fuzzing::session::tail;
use crate::replay::FoundBug;
use crate::replay::protocol::OracleCounts;
use crate::triage::known::Known;
use crate::triage::state::State as TriageState;

/// A step that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StepArg {
    /// Run findings again and make them smaller.
    Triage,
    /// Merge what adds coverage into corpus databases.
    Distill,
    /// Replay these and count what each check did.
    Replay,
    /// Count what they reach.
    Coverage,
}

/// Building a lane takes so much CPU time, where nothing is known of this machine.
const BUILD_CPU: Duration = Duration::from_secs(150);
/// A step with less time is left out.
const STEP_MIN: Duration = Duration::from_secs(2);
/// What is kept free at the end: for the record, the report, the message.
const LAST: Duration = Duration::from_secs(3);
/// Longest search for a smaller case of a bug, in seconds.
const MINIMIZE_S_MAX: u64 = 300;
/// Slow cases in the record.
const SLOWEST: usize = 20;

/// What is done, and with what.
pub(crate) struct After<'a> {
    /// The working copy.
    pub project: &'a Path,
    /// What was fuzzed; its lane is the first of those that did, and measures for `distill`.
    pub flavor: &'a Flavor,
    /// The words of a command line that ask for it, without its lane.
    pub build: &'a [String],
    /// Names of the targets that were fuzzed.
    pub targets: &'a [String],
    /// Where `triage` keeps what it knows.
    pub triage: PathBuf,
    /// Where the corpus databases are that are written to.
    pub merge_into: PathBuf,
    /// Processes at a time.
    pub jobs: usize,
    /// For cargo-fuzz.
    pub toolchain: Option<&'a str>,
    /// Whether what is missing may be installed.
    pub may_install: bool,
    /// A planted bug.
    pub plant: Option<&'a str>,
    /// Steps that are left out.
    pub without: &'a [StepArg],
    /// Who is told.
    pub notify: Option<&'a str>,
    /// When all must be over, by the time of the campaign.
    pub until: Duration,
}

/// What a command printed.
struct Output {
    done: Done,
    json: Vec<u8>,
}

impl After<'_> {
    /// Does all of it, as far as there is time.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub(crate) fn all(&self, runner: &mut Runner<'_>) -> Result<()> {
        self.triage(runner)?;
        fs::create_dir_all(&self.merge_into).with_context(|| format!("{}", self.merge_into.display()))?;
        for target in self.targets {
            self.step(runner, StepArg::Distill, &format!("distill {target}"), |runner, name| {
                self.distill(runner, name, target)
            })?;
        }
        for target in TARGETS.map(|target| target.name) {
            self.step(runner, StepArg::Replay, &format!("replay {target}"), |runner, name| {
                self.replay(runner, name, target)
            })?;
        }
        runner.step("findings", |runner| self.findings(runner))?;
        self.step(runner, StepArg::Coverage, "coverage", |runner, name| self.coverage(runner, name))?;
        runner.step("trend", |runner| self.trend(runner))
    }

    /// A step that may be left out.
    fn step(
        &self,
        runner: &mut Runner<'_>,
        kind: StepArg,
        name: &str,
        work: impl FnOnce(&mut Runner<'_>, &str) -> Result<Done>,
    ) -> Result<()> {
        runner.step(name, |runner| {
            if self.without.contains(&kind) {
                return Ok(Done::Skipped("--without says so".to_owned()));
            }
            work(runner, name)
        })
    }

    /// Time that is left.
    fn left(&self, runner: &Runner<'_>) -> Duration {
        self.until.saturating_sub(runner.now() + LAST)
    }

    /// Why this lane cannot be used now: it would have to be built, and there is no time to.
    fn why_not(&self, runner: &Runner<'_>, lane: Lane) -> Option<String> {
        let flavor = self.flavor.in_lane(lane);
        if flavor.is_this_program() || flavor.folder(self.project, false).exists() {
            return None;
        }
        let measured = runner.step_of("build").map_or(0.0, |step| step.seconds);
        let guess = BUILD_CPU / u32::try_from(crate::cmd::cores()).unwrap_or(1).max(1);
        let needed = Duration::from_secs_f64(measured.max(0.0)).max(guess);
        let left = self.left(runner);
        (left < needed).then(|| {
            format!(
                "no time: the lane {lane} is not built, which takes about {} s, and {} s are left",
                needed.as_secs(),
                left.as_secs()
            )
        })
    }

    /// Runs a command of this program with a share of the time that is left.
    fn child(
        &self,
        runner: &mut Runner<'_>,
        name: &str,
        share: f64,
        words: impl FnOnce(Duration) -> Vec<OsString>,
    ) -> Result<Output> {
        let time = self.left(runner).mul_f64(share);
        if time < STEP_MIN {
            return Ok(Output { done: Done::Skipped("no time was left".to_owned()), json: Vec::new() });
        }
        let folder = runner.state.folder().join("steps");
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let file = |end: &str| folder.join(format!("{}.{end}", name.replace(' ', "-")));
        let create = |path: &Path| File::create(path).with_context(|| format!("{}", path.display()));
        let (out, log) = (file("json"), file("log"));
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.args(words(time)).arg("--json").stdin(Stdio::null());
        command.stdout(create(&out)?).stderr(create(&log)?);
        let (stop, mut saved) = (runner.stop(), Ok(()));
        let ran = steps::run(&mut command, time, stop, |elapsed| {
            runner.show(|| format!("{name}: {} of at most {} s", elapsed.as_secs(), time.as_secs()));
            if saved.is_ok() {
                saved = runner.save_now_and_then();
            }
        })?;
        saved?;
        let json = fs::read(&out).with_context(|| format!("{}", out.display()))?;
        let done = match ran {
            Ran::Ended(status) if matches!(status.code(), Some(0 | 1)) => Done::Well,
            Ran::Ended(status) => {
                let said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
                Done::Failed(format!("{status}: {}", tail(&said, 3)))
            }
            Ran::Cut => Done::Skipped(format!("cut off after {} s: its time was over", time.as_secs())),
            Ran::Stopped => Done::Stopped,
        };
        Ok(Output { done, json })
    }

    /// The words that all commands take.
    fn words(&self, verb: &str, lane: Option<Lane>) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![verb.into()];
        words.extend(lane.map(|lane| format!("--lane={lane}").into()));
        words.extend(self.build.iter().map(OsString::from));
        if !self.may_install {
            words.push("--no-install".into());
        }
        words
    }

    fn triage(&self, runner: &mut Runner<'_>) -> Result<()> {
        let piles = findings::piles(&runner.state.memory);
        let count = piles.len();
        for (at, ((lane, target), paths)) in piles.into_iter().enumerate() {
            let name = format!("triage {target} in {lane}");
            self.step(runner, StepArg::Triage, &name, |runner, name| {
                if let Some(why) = self.why_not(runner, lane) {
                    return Ok(Done::Skipped(why));
                }
                // What is left after it has to do with as much.
                let share = 0.5 / (count - at) as f64;
                let words = |time: Duration| self.triage_words(lane, &target, paths, time);
                Ok(self.child(runner, name, share, words)?.done)
            })?;
        }
        Ok(())
    }

    fn triage_words(&self, lane: Lane, target: &str, paths: Vec<PathBuf>, time: Duration) -> Vec<OsString> {
        let mut words = self.words("triage", Some(lane));
        let seconds = (time.as_secs() / 3).clamp(1, MINIMIZE_S_MAX);
        words.extend([format!("--max-time-s={seconds}").into(), format!("--jobs={}", self.jobs).into()]);
        words.extend(["--target".into(), target.into(), "--state".into(), self.triage.clone().into()]);
        words.extend(["--corpus".into(), self.project.join("corpus").into()]);
        words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
        words.extend(paths.into_iter().map(OsString::from));
        words
    }

    /// The corpus database of a target that is written to; a copy of the shipped one where there is none yet.
    fn database(&self, target: &str) -> Result<PathBuf> {
        let name = format!("{target}.db");
        let (into, shipped) = (self.merge_into.join(&name), self.project.join("corpus").join(&name));
        if !into.exists() && shipped.exists() {
            let content = fs::read(&shipped).with_context(|| format!("{}", shipped.display()))?;
            files::write(&into, &content)?;
        }
        Ok(into)
    }

    fn distill(&self, runner: &mut Runner<'_>, name: &str, target: &str) -> Result<Done> {
        let into = self.database(target)?;
        let ahead = self.targets.iter().skip_while(|other| *other != target).count();
        let Output { done, json } = self.child(runner, name, 0.45 / ahead.max(1) as f64, |_| {
            let mut words = self.words("distill", Some(self.flavor.lane));
            words.extend([target.into(), "--into".into(), into.into()]);
            words.extend(["--project".into(), self.project.into()]);
            words.extend(self.toolchain.iter().flat_map(|name| ["--toolchain".into(), OsString::from(name)]));
            words
        })?;
        if matches!(done, Done::Well) {
            self.note_crashed(runner, target, &json)?;
        }
        Ok(done)
    }

    /// Cases that ended the target while they were measured are findings like others.
    fn note_crashed(&self, runner: &mut Runner<'_>, target: &str, json: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Document {
            targets: Vec<Summary>,
        }
        #[derive(Deserialize)]
        struct Summary {
            crashed: Vec<Crashed>,
        }
        #[derive(Deserialize)]
        struct Crashed {
            signature: String,
            saved: PathBuf,
        }
        let document: Document = parse("distill", json)?;
        let lane = self.flavor.lane.name().to_owned();
        for crashed in document.targets.into_iter().flat_map(|summary| summary.crashed) {
            runner.state.memory.cases.insert(Case {
                path: self.project.join(crashed.saved),
                signature: crashed.signature,
                target: target.to_owned(),
                lane: lane.clone(),
                message: None,
            });
        }
        Ok(())
    }

    fn replay(&self, runner: &mut Runner<'_>, name: &str, target: &str) -> Result<Done> {
        let database = self.database(target)?;
        if !database.exists() {
            return Ok(Done::Skipped(format!("{} is not there", database.display())));
        }
        if let Some(why) = self.why_not(runner, Lane::Release) {
            return Ok(Done::Skipped(why));
        }
        let folder = runner.state.folder().join("replay");
        let Output { done, json } = self.child(runner, name, 0.4, |_| {
            let mut words = self.words("run", None);
            words.extend([database.into(), format!("--jobs={}", self.jobs).into()]);
            words.extend([format!("--slowest={SLOWEST}").into(), "--save-dir".into(), folder.into()]);
            words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
            words
        })?;
        // One that was cut off says what it did until then.
        if !json.is_empty() && !matches!(done, Done::Stopped) {
            self.note_replay(runner, target, &json)?;
        }
        Ok(done)
    }

    fn note_replay(&self, runner: &mut Runner<'_>, target: &str, json: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Document {
            lane: String,
            findings: Vec<Found>,
            oracles: BTreeMap<String, OracleCounts>,
            slowest: Vec<SlowCase>,
        }
        #[derive(Deserialize)]
        struct Found {
            target: String,
            bugs: Vec<FoundBug>,
            saved: Option<PathBuf>,
        }
        #[derive(Deserialize)]
        struct SlowCase {
            case: String,
            cpu_ns: u64,
            vm_steps: u64,
        }
        let Document { lane, findings, oracles, slowest } = parse("run", json)?;
        let campaign = &mut runner.state.campaign;
        for (name, counts) in oracles {
            let is_it = |check: &&mut Check| check.name == name && check.lane == lane;
            if campaign.checks.iter_mut().find(is_it).is_none() {
                let (passed, failed, skipped) = (0, 0, BTreeMap::new());
                campaign.checks.push(Check {
                    name: name.clone(),
                    lane: lane.clone(),
                    passed,
                    failed,
                    skipped,
                });
            }
            let check = campaign.checks.iter_mut().find(is_it).expect("it was put there");
            check.passed += counts.passed;
            check.failed += counts.failed;
            for (reason, count) in counts.skipped {
                *check.skipped.entry(reason).or_default() += count;
            }
        }
        campaign.slowest.extend(slowest.into_iter().map(|slow| Slow {
            case: slow.case,
            target: target.to_owned(),
            cpu_ms: slow.cpu_ns / 1_000_000,
            vm_steps: slow.vm_steps,
        }));
        campaign.slowest.sort_by_key(|slow| std::cmp::Reverse(slow.cpu_ms));
        campaign.slowest.truncate(SLOWEST);
        for Found { target, bugs, saved } in findings {
            let (Some(path), Some(bug)) = (saved, bugs.into_iter().next()) else {
                continue;
            };
            let (signature, message, lane) = (bug.signature, Some(bug.message), lane.clone());
            runner.state.memory.cases.insert(Case { path, signature, target, lane, message });
        }
        Ok(())
    }

    /// Names the bugs, writes a file for each that is new, and tells of it.
    fn findings(&self, runner: &mut Runner<'_>) -> Result<Done> {
        let triage = TriageState::open(&self.triage)?;
        let corpora = [self.project.join("corpus")];
        let corpora: &[PathBuf] = if corpora[0].exists() { &corpora } else { &[] };
        let known = Known::all(corpora, self.flavor.what().is_empty())?;
        let mut index = Index::open(&runner.state.root().join("findings"))?;
        let judge = Judge { triage: &triage, known: &known, build: self.build, project: self.project };
        let mut all = judge.findings(&runner.state.memory, &runner.state.campaign.id, &mut index);
        for finding in &mut all {
            let path = index.update_file(&finding.signature, || {
                let is_confirmed = triage.bugs.contains_key(&finding.signature);
                let report = || self.report(runner, finding, &triage.case_path(&finding.signature));
                finding.known_as.is_none().then(|| {
                    is_confirmed.then(report).flatten().unwrap_or_else(|| findings::plain_report(finding))
                })
            })?;
            // The folder of the campaign is beside that of the files.
            let name = path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
            finding.file = name.map(|name| format!("../findings/{name}"));
        }
        index.save()?;
        runner.state.campaign.findings = all;
        runner.save()?;
        self.tell(runner)?;
        Ok(if runner.is_stopped() { Done::Stopped } else { Done::Well })
    }

    /// The bug report of `handover`; `None` where there is no time, or the case does not show its bug.
    fn report(&self, runner: &mut Runner<'_>, finding: &Finding, case: &Path) -> Option<String> {
        let lane = Lane::that_reports(&finding.signature);
        if self.why_not(runner, lane).is_some() {
            return None;
        }
        let folder = tempfile::tempdir().ok()?;
        let output = self.child(runner, "handover", 0.2, |_| {
            let mut words = self.words("handover", Some(lane));
            words.extend([case.into(), "--to".into(), folder.path().into(), "--form=report".into()]);
            words.extend(["--signature".into(), finding.signature.clone().into()]);
            words.extend(["--target".into(), finding.target.clone().into()]);
            words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
            words
        });
        let is_written = output.is_ok_and(|output| matches!(output.done, Done::Well));
        let text = fs::read_to_string(folder.path().join("report.md")).ok().filter(|_| is_written)?;
        // The folder is gone by the time that someone reads this.
        let there = folder.path().join("case.tandem").display().to_string();
        let here = case.strip_prefix(self.project).unwrap_or(case).display().to_string();
        Some(text.replace(&there, &here).replace("Attached: `case.tandem`", &format!("Case: `{here}`")))
    }

    /// Tells of each new bug once.
    fn tell(&self, runner: &mut Runner<'_>) -> Result<()> {
        let Some(command) = self.notify else {
            return Ok(());
        };
        let state = &mut runner.state;
        for finding in state.campaign.findings.iter().filter(|finding| finding.is_news()) {
            if !state.memory.notified.contains(&finding.signature) {
                if let Err(error) = notify::send(command, &Message::finding(&state.campaign.id, finding)) {
                    eprintln!("fuzzcheck: warning: {error:#}");
                }
                state.memory.notified.insert(finding.signature.clone());
            }
        }
        state.save()
    }

    fn coverage(&self, runner: &mut Runner<'_>, name: &str) -> Result<Done> {
        #[derive(Deserialize)]
        struct Document {
            cases: u64,
            #[serde(flatten)]
            total: Coverage,
            #[serde(default)]
            modules: Vec<Module>,
        }
        if let Some(why) = self.why_not(runner, Lane::Coverage) {
            return Ok(Done::Skipped(why));
        }
        let databases: Vec<PathBuf> = TARGETS
            .iter()
            .map(|target| self.merge_into.join(format!("{}.db", target.name)))
            .filter(|path| path.exists())
            .collect();
        if databases.is_empty() {
            return Ok(Done::Skipped(format!("no corpus database is in {}", self.merge_into.display())));
        }
        let Output { done, json } = self.child(runner, name, 1.0, |_| {
            let mut words = self.words("coverage", None);
            words.extend(["--project".into(), self.project.into(), format!("--jobs={}", self.jobs).into()]);
            words.extend(databases.into_iter().map(OsString::from));
            words
        })?;
        if matches!(done, Done::Well) {
            let Document { cases, total, modules } = parse("coverage", &json)?;
            runner.state.campaign.coverage = Some(Reached { cases, total, modules, html: None });
        }
        Ok(done)
    }

    fn trend(&self, runner: &mut Runner<'_>) -> Result<Done> {
        let campaign = &runner.state.campaign;
        let Some(reached) = &campaign.coverage else {
            runner.state.campaign.trend = runner.state.trend()?;
            return Ok(Done::Skipped("what the corpora reach was not counted tonight".to_owned()));
        };
        let mut corpus_cases = 0;
        for target in TARGETS.map(|target| target.name) {
            let path = self.merge_into.join(format!("{target}.db"));
            corpus_cases += if path.exists() { Corpus::load(&path)?.len() as u64 } else { 0 };
        }
        let night = Night {
            id: campaign.id.clone(),
            started: campaign.started,
            total: reached.total,
            executions: campaign.executions(),
            corpus_cases,
            new_findings: campaign.findings.iter().filter(|finding| finding.is_news()).count() as u64,
        };
        runner.state.add_night(night)?;
        Ok(Done::Well)
    }

    /// Ends the campaign: what could not be done, and the exit code.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub(crate) fn end(&self, runner: &mut Runner<'_>) -> Result<(u8, Vec<String>)> {
        let campaign = &mut runner.state.campaign;
        campaign.ended = Some(Timestamp::now());
        let steps = campaign.steps.iter().filter(|step| step.end == StepEnd::Failed);
        let mut failures: Vec<String> =
            steps.map(|step| format!("{}: {}", step.name, step.why.as_deref().unwrap_or("-"))).collect();
        let idle = campaign.arms.iter().filter(|arm| arm.executions() == 0);
        failures.extend(idle.map(|arm| {
            let why = arm.failures.last().map_or("it had no turn", String::as_str);
            format!("{} in the lane {} executed nothing: {why}", arm.target, arm.lane)
        }));
        let has_news = campaign.findings.iter().any(Finding::is_news);
        let code = if has_news {
            crate::cmd::EXIT_FINDINGS
        } else {
            u8::from(!failures.is_empty()) * crate::cmd::EXIT_ERROR
        };
        runner.end_sitting(super::record::SittingEnd::Through)?;
        if let Some(command) = self.notify {
            let record = runner.state.record().display().to_string();
            let message = Message::end(&runner.state.campaign, code, failures.clone(), record);
            if let Err(error) = notify::send(command, &message) {
                eprintln!("fuzzcheck: warning: {error:#}");
            }
        }
        Ok((code, failures))
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).with_context(|| format!("reading what `{what} --json` printed"))
}
