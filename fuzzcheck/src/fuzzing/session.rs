//! Keeps a target running: libFuzzer ends at its first finding, a session only when its time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tandem::targets::fuzz::{MET_AGAIN, MET_VARIABLE};

use super::checks::Seen;
use super::cpu;
use super::follower::{Caught, Counts, Follower};
use super::log::{self, Ending, Status};
use super::plan::Plan;
use super::restart::{self, Part};
use crate::guard::Guard;
use crate::replay::symbols::Symbolizer;

/// Cases with one signature.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The command that reproduces the first one, if that is not the target.
    pub replay: Option<String>,
    /// The cases, in order of discovery.
    pub cases: Vec<PathBuf>,
    /// How often it was met after that, and not kept.
    pub again: u64,
}

/// One fuzzing process, over all its restarts.
#[derive(Debug, Default, Clone)]
struct Job {
    status: Status,
    /// Executions of the runs that have ended.
    executions_before: u64,
}

/// What a session has done so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    jobs: Vec<Job>,
    /// Findings by signature.
    pub found: BTreeMap<String, Found>,
    /// Cases that were merely slow.
    pub slow: Vec<PathBuf>,
    /// The results of the checks of new cases, by name.
    pub followed: BTreeMap<String, Counts>,
    /// New cases that there was no time to rerun.
    pub left: u64,
    /// CPU time of all processes.
    pub cpu_time: Option<Duration>,
    /// Processes that ended and were restarted.
    pub restarts: u64,
    /// Processes in a row that ended with a finding almost at once.
    pub brief_in_a_row: u32,
    /// Cases in which the harness failed, which are not findings, and the messages.
    pub harness_errors: Vec<(PathBuf, String)>,
    /// Why a process ended, if not by a finding.
    pub failure: Option<String>,
    /// Cases of the corpus that the checks have run or need not run, by name; set at the end.
    pub seen: BTreeSet<OsString>,
}

impl Progress {
    /// Executions of all processes.
    pub(crate) fn executions(&self) -> u64 {
        self.jobs.iter().map(|job| job.executions_before + job.status.executions).sum()
    }

    /// The status of the process with the most coverage.
    pub(crate) fn status(&self) -> Status {
        let best = self.jobs.iter().map(|job| &job.status).max_by_key(|status| status.features);
        best.cloned().unwrap_or_default()
    }

    /// The signatures of which there are cases enough, one a line.
    fn met(&self) -> String {
        let enough = self.found.iter().filter(|(_, found)| found.cases.len() >= CASES_KEPT);
        enough.map(|(signature, _)| signature.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Cases that were found.
    pub(crate) fn cases(&self) -> usize {
        self.found.values().map(|found| found.cases.len()).sum()
    }
}

/// A session, shared between its processes and the progress display.
pub(crate) struct Session<'a> {
    plan: &'a Plan,
    stop: &'a AtomicBool,
    started: Instant,
    /// CPU time before it began.
    cpu_before: Option<Duration>,
    /// Set when its CPU time is used up.
    is_used_up: AtomicBool,
    progress: Mutex<Progress>,
    follower: Option<Mutex<Follower>>,
}

/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long reruns may continue after fuzzing is over.
fn catching_up_max(fuzzed: Duration) -> Duration {
    Duration::from_secs(10).max(fuzzed / 10)
}

/// Cases of a signature after which a process that meets it again goes on.
const CASES_KEPT: usize = 3;
/// How often CPU time is measured, which reads all of `/proc`.
const CPU_TIME_INTERVAL: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// A process that ends sooner by a finding has hardly fuzzed: even with a part of the corpus, libFuzzer needs this
/// long to start.
const BRIEF: Duration = Duration::from_secs(5);
/// Maximum bytes of the output of a run to remember.
const LOG_BYTES_MAX: usize = 4 << 20;

impl<'a> Session<'a> {
    /// A session that ends early once `stop` is set; `follower` reruns what it finds.
    pub(crate) fn new(plan: &'a Plan, stop: &'a AtomicBool, follower: Option<Follower>) -> Self {
        let progress = Progress { jobs: vec![Job::default(); plan.jobs], ..Progress::default() };
        let follower = follower.map(Mutex::new);
        let progress = Mutex::new(progress);
        let (started, cpu_before) = (Instant::now(), cpu::of_all());
        Self { plan, stop, started, cpu_before, is_used_up: AtomicBool::new(false), progress, follower }
    }

    /// What it has done so far.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the checks have done so far.
    pub(crate) fn followed(&self) -> BTreeMap<String, Counts> {
        // Do not wait for a running batch.
        let follower = self.follower.as_ref().and_then(|follower| follower.try_lock().ok());
        follower.map(|follower| follower.counts().clone()).unwrap_or_default()
    }

    /// How long it has been going.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Fuzzes, and calls `show` now and then from the calling thread.
    ///
    /// # Errors
    /// A process that ended for another reason than a finding, or that could not be started.
    pub(crate) fn run(self, show: impl FnMut(&Self)) -> Result<(Progress, Duration)> {
        let (mut progress, elapsed) = self.run_to_end(show)?;
        match progress.failure.take() {
            Some(failure) => bail!("{failure}"),
            None => Ok((progress, elapsed)),
        }
    }

    /// As [`Session::run`], but failures are in [`Progress::failure`], beside what was done
    /// until then.
    ///
    /// # Errors
    /// A process that could not be started, or files that could not be read or written.
    pub(crate) fn run_to_end(self, mut show: impl FnMut(&Self)) -> Result<(Progress, Duration)> {
        (0..self.plan.jobs)
            .try_for_each(|job| restart::collect(&self.plan.part(job), &self.plan.corpus()))?;
        let session = &self;
        let failed = std::thread::scope(|scope| -> Result<()> {
            let jobs: Vec<_> =
                (0..self.plan.jobs).map(|job| scope.spawn(move || session.keep_fuzzing(job))).collect();
            // No new cases will come, and the rest may be skipped.
            let [is_over, is_enough] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let following = self.follower.as_ref().map(|follower| {
                let (is_over, is_enough) = (Arc::clone(&is_over), Arc::clone(&is_enough));
                scope.spawn(move || {
                    // Processes write their last cases after this.
                    let stop = || is_enough.load(Ordering::Relaxed) || session.is_stopped();
                    Follower::follow(follower, &is_over, stop, |caught| session.note(caught))
                })
            });
            let (mut looked, mut fuzzed) = (Instant::now(), None);
            loop {
                std::thread::sleep(TICK);
                if jobs.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                    is_over.store(true, Ordering::Relaxed);
                    if following.as_ref().is_none_or(std::thread::ScopedJoinHandle::is_finished) {
                        break;
                    }
                    let fuzzed = *fuzzed.get_or_insert_with(|| session.elapsed());
                    if session.elapsed() >= fuzzed + catching_up_max(fuzzed) {
                        is_enough.store(true, Ordering::Relaxed);
                    }
                }
                if looked.elapsed() >= CPU_TIME_INTERVAL {
                    looked = Instant::now();
                    session.look_at_cpu_time();
                }
                show(session);
            }
            let followed =
                following.map_or(Ok(()), |thread| thread.join().expect("the follower does not panic"));
            jobs.into_iter().try_for_each(|job| job.join().expect("a job does not panic"))?;
            followed
        });
        let elapsed = self.elapsed();
        failed?;
        self.look_at_cpu_time();
        let mut progress = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = self.follower {
            let follower = follower.into_inner().unwrap_or_else(PoisonError::into_inner);
            progress.followed = follower.counts().clone();
            progress.left = follower.left()?;
            progress.seen = follower.into_seen();
        }
        Ok((progress, elapsed))
    }

    /// Remaining seconds; `None` for no limit.
    fn seconds_left(&self) -> Option<u64> {
        self.plan.time.map(|time| time.saturating_sub(self.elapsed()).as_secs_f64().round() as u64)
    }

    /// Records how much CPU time all processes have used, and whether it is used up.
    fn look_at_cpu_time(&self) {
        let Some((now, before)) = cpu::of_all().zip(self.cpu_before) else {
            return;
        };
        // The time of a process whose parent ended first is no longer counted.
        let used = now.saturating_sub(before).max(self.progress().cpu_time.unwrap_or_default());
        self.progress().cpu_time = Some(used);
        if self.plan.cpu_time.is_some_and(|most| used >= most) {
            self.is_used_up.store(true, Ordering::Relaxed);
        }
    }

    /// Whether processes should end early.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.is_used_up.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_stopped() || self.seconds_left() == Some(0) || self.progress().failure.is_some()
    }

    fn keep_fuzzing(&self, job: usize) -> Result<()> {
        for round in 0.. {
            if self.is_over() {
                break;
            }
            let part = match round {
                0 => None,
                _ => Some(Part::new(&self.plan.corpus(), self.plan.part(job), round)?),
            };
            let mut command = self.plan.run(part.as_ref().map(Part::folder))?;
            command.env(MET_VARIABLE, self.progress().met());
            command.args(self.seconds_left().map(|seconds| format!("-max_total_time={seconds}")));
            command.args(&self.plan.arguments);
            // A separate group, out of reach of Ctrl-C in the terminal.
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let started = Instant::now();
            let mut child = command.spawn().context("cannot run the target")?;
            let guard = Guard::new(&child)?;
            let stderr = child.stderr.take().context("the output of the target is not piped")?;
            let (text, artifacts) = std::thread::scope(|scope| {
                let reader = scope.spawn(|| self.read(job, BufReader::new(stderr)));
                self.wait(&mut child);
                reader.join().expect("the reader does not panic")
            });
            let status = child.wait()?;
            drop(guard);
            part.map_or(Ok(()), Part::end)?;
            let is_finding = artifacts.iter().any(|path| log::is_finding(path));
            {
                let mut progress = self.progress();
                let is_brief = is_finding && started.elapsed() < BRIEF;
                progress.brief_in_a_row = if is_brief { progress.brief_in_a_row + 1 } else { 0 };
            }
            self.end_run(job, &text, artifacts)?;
            if !status.success() && !is_finding && !self.is_stopped() {
                let words = tail(&text, 12);
                self.progress().failure =
                    Some(format!("the target {} ended with {status}:\n{words}", self.plan.target));
            }
            if !self.is_over() {
                self.progress().restarts += 1;
            }
        }
        Ok(())
    }

    /// Waits for the end of a run; ends it when the session is stopped.
    fn wait(&self, child: &mut Child) {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let kill = |signal| {
            // A group that has ended by itself is no error.
            let _ = group.map(|group| kill_process_group(group, signal));
        };
        let mut asked: Option<Instant> = None;
        while let Ok(None) = child.try_wait() {
            std::thread::sleep(TICK);
            match asked {
                None if self.is_stopped() => {
                    kill(Signal::INT);
                    asked = Some(Instant::now());
                }
                Some(since) if since.elapsed() > PATIENCE => kill(Signal::KILL),
                _ => {}
            }
        }
    }

    /// Reads the output of a run until it ends: the text without status lines, and the files that it wrote.
    fn read(&self, job: usize, mut stderr: impl BufRead) -> (String, Vec<PathBuf>) {
        let (mut text, mut artifacts, mut line) = (String::new(), Vec::new(), Vec::new());
        while stderr.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let words = String::from_utf8_lossy(&line);
            if let Some(status) = Status::parse(&words) {
                self.progress().jobs[job].status = status;
            } else if let Some(signature) = words.strip_prefix(MET_AGAIN) {
                self.progress().found.entry(signature.trim().to_owned()).or_default().again += 1;
            } else {
                if let Some(executions) = log::executed_units(&words) {
                    self.progress().jobs[job].status.executions = executions;
                }
                artifacts.extend(log::artifact(&words).map(|path| self.plan.project.join(path)));
                if text.len() < LOG_BYTES_MAX {
                    text.push_str(&words);
                }
            }
            line.clear();
        }
        (text, artifacts)
    }

    /// Records what a check of a new case found.
    fn note(&self, caught: Caught) {
        let Caught { check, replay, seen, path } = caught;
        let bug = match seen {
            Seen::Bug(bug) => bug,
            Seen::HarnessError(message) => {
                let mut progress = self.progress();
                return progress
                    .harness_errors
                    .push((path, log::harness_error(&format!("{check}: {message}"))));
            }
        };
        let log = self.plan.logs().join(path.file_name().unwrap_or_default()).with_extension("txt");
        let text = format!("{check}\n{}\n{}\n", bug.signature, bug.message);
        let mut file = std::fs::OpenOptions::new();
        let written = std::fs::create_dir_all(self.plan.logs())
            // After libFuzzer's own message.
            .and_then(|()| file.create(true).append(true).open(&log))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            eprintln!("fuzzcheck: {}: {error}", log.display());
        }
        let mut progress = self.progress();
        let found = progress.found.entry(bug.signature).or_default();
        if found.cases.is_empty() {
            found.replay = Some(replay);
        }
        if !found.cases.contains(&path) {
            found.cases.push(path);
        }
    }

    /// The signature that the checks give to a case that ended a run with `signature`, if better: without a sanitizer, all
    /// that is known of a crash is the signal.
    fn look(&self, case: &Path, signature: &str) -> Result<Option<Caught>> {
        let is_known =
            self.plan.configuration.build.has_address_sanitizer() || !signature.starts_with("crash/");
        let Some(follower) = self.follower.as_ref().filter(|_| !is_known) else {
            return Ok(None);
        };
        follower.lock().unwrap_or_else(PoisonError::into_inner).look(case)
    }

    /// The output of a run with symbolized stacks, if it ended with a finding.
    fn in_words(&self, text: &str, artifacts: &[PathBuf]) -> String {
        match self.plan.program() {
            Ok(program) if artifacts.iter().any(|path| log::is_finding(path)) => {
                Symbolizer::shared().in_words(text, &program)
            }
            _ => text.to_owned(),
        }
    }

    fn end_run(&self, job: usize, text: &str, artifacts: Vec<PathBuf>) -> Result<()> {
        {
            let mut progress = self.progress();
            let job = &mut progress.jobs[job];
            job.executions_before += std::mem::take(&mut job.status.executions);
        }
        let text = &self.in_words(text, &artifacts);
        for path in artifacts {
            if !log::is_finding(&path) {
                self.progress().slow.push(path);
                continue;
            }
            let name = path.file_name().map(OsString::from).unwrap_or_default();
            let logs = self.plan.logs();
            let log = logs.join(&name).with_extension("txt");
            std::fs::create_dir_all(&logs)
                .and_then(|()| std::fs::write(&log, text))
                .with_context(|| format!("cannot write {}", log.display()))?;
            take_out_of_corpus(&path, &self.plan.corpus())?;
            let signature = match log::ending(text) {
                Ending::Finding(signature) => signature,
                Ending::Harness(what) => {
                    self.progress().harness_errors.push((path, log::harness_error(&what)));
                    continue;
                }
            };
            match self.look(&path, &signature)? {
                Some(caught) => self.note(caught),
                None => self.progress().found.entry(signature).or_default().cases.push(path),
            }
        }
        Ok(())
    }
}

/// A case of the corpus that is a finding would end every further run while loading. The artifact has
/// its bytes.
pub(crate) fn take_out_of_corpus(artifact: &Path, corpus: &Path) -> Result<()> {
    let Ok(bytes) = std::fs::read(artifact) else {
        return Ok(());
    };
    let entries = std::fs::read_dir(corpus).with_context(|| format!("cannot read {}", corpus.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let is_same_length = entry.metadata().is_ok_and(|data| data.len() == bytes.len() as u64);
        if is_same_length && std::fs::read(entry.path()).is_ok_and(|other| other == bytes) {
            eprintln!("fuzzcheck: {} is a finding now; moved to artifacts", entry.path().display());
            std::fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
