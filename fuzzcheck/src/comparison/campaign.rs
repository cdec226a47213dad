//! One campaign of a group.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde::{Deserialize, Serialize};
use tandem::targets::group::Group;
use tandem::targets::stats::Stats;

use crate::coverage::build::Coverage;
use crate::fuzzing::log::{self, Ending, Status, harness_error};
use crate::fuzzing::session::{tail, take_out_of_corpus};
use crate::replay::watchdog::cpu_time;

/// How often the CPU time of a process is measured.
const TICK: Duration = Duration::from_millis(20);
/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// The results of a campaign.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Campaign {
    /// The group, by name.
    pub group: String,
    /// Which of the repeats, from 1.
    pub repeat: u32,
    /// CPU seconds that it used; wall time if the system does not report CPU time.
    pub seconds: f64,
    /// True if `seconds` are of wall time.
    pub is_wall_time: bool,
    /// Executions of all processes.
    pub executions: u64,
    /// Number of processes: one, plus one after each finding.
    pub processes: u64,
    /// Cases that ended a process, saved in the folder `artifacts`.
    pub crashes: u64,
    /// What the target counted.
    pub stats: Stats,
    /// What seeds and corpus together reach in sqlite3.c.
    pub coverage: Coverage,
    /// Branches of it that the seeds do not reach.
    pub new_branches: u64,
}

/// What to run.
pub(crate) struct Course<'a> {
    /// The fuzz target.
    pub program: &'a Path,
    /// The variables that its build is run with.
    pub environment: Vec<(String, String)>,
    /// Its mutators.
    pub group: Group,
    /// Which of the repeats, from 1.
    pub repeat: u32,
    /// CPU time.
    pub time: Duration,
    /// Where it keeps its files.
    pub folder: PathBuf,
    /// Set to stop.
    pub stop: &'a AtomicBool,
}

/// How a process ended.
struct Ended {
    used: Duration,
    is_wall_time: bool,
    /// True if it was told to.
    is_told: bool,
    status: std::process::ExitStatus,
}

impl Course<'_> {
    /// libFuzzer's corpus of the campaign.
    pub(crate) fn corpus(&self) -> PathBuf {
        self.folder.join("corpus")
    }

    /// Fuzzes, from the corpus that is there; `None` if it was stopped. What the cases reach is not known yet.
    ///
    /// # Errors
    /// A process that ended for another reason than a finding, or that executed nothing.
    pub(crate) fn run(&self) -> Result<Option<Campaign>> {
        let artifacts = self.folder.join("artifacts");
        fs::create_dir_all(&artifacts).with_context(|| format!("{}", artifacts.display()))?;
        let mut done = Campaign { group: self.group.to_string(), repeat: self.repeat, ..Campaign::default() };
        let mut used = Duration::ZERO;
        while used < self.time {
            let (log, stats) = (self.file("log", "txt", &done), self.file("stats", "json", &done));
            let child = self.start(&done, &log, &stats)?;
            let ended = self.wait(child, self.time - used)?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            used += ended.used;
            done.is_wall_time |= ended.is_wall_time;
            done.processes += 1;
            self.note(&mut done, &log, &stats, &ended)?;
        }
        done.seconds = used.as_secs_f64();
        Ok(Some(done))
    }

    fn file(&self, name: &str, extension: &str, done: &Campaign) -> PathBuf {
        self.folder.join(format!("{name}-{}.{extension}", done.processes))
    }

    fn start(&self, done: &Campaign, log: &Path, stats: &Path) -> Result<Child> {
        // Another seed after a finding: the same would lead to it again.
        let seed = u64::from(self.repeat) + 1000 * done.processes;
        let log = File::create(log).with_context(|| format!("{}", log.display()))?;
        let mut command = Command::new(self.program);
        command.arg(self.corpus()).arg(format!("-seed={seed}")).arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/artifacts/", self.folder.display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("TANDEM_MUTATORS", self.group.to_string()).env("TANDEM_STATS", stats);
        // Ctrl-C is for this program, which then ends the target.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// Waits until the process ends, and ends it when it has used `time`.
    fn wait(&self, mut child: Child, time: Duration) -> Result<Ended> {
        let started = Instant::now();
        let pid = Pid::from_child(&child);
        let mut told: Option<Instant> = None;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            let has_ended = waitid(WaitId::Pid(pid), options)?.is_some();
            // The time of an ended process is available until it is waited for.
            let cpu = cpu_time(child.id());
            let used = cpu.unwrap_or_else(|| started.elapsed());
            if has_ended {
                let status = child.wait()?;
                return Ok(Ended { used, is_wall_time: cpu.is_none(), is_told: told.is_some(), status });
            }
            let is_over = used >= time || self.stop.load(Ordering::Relaxed);
            let signal = match told {
                None if is_over => Some(Signal::INT),
                Some(since) if since.elapsed() > PATIENCE => Some(Signal::KILL),
                _ => None,
            };
            if let Some(signal) = signal {
                // It may have ended by itself in the meantime.
                kill_process(pid, signal).ok();
                told.get_or_insert_with(Instant::now);
            }
            std::thread::sleep(TICK);
        }
    }

    /// Adds the statistics that a process has written.
    fn note(&self, done: &mut Campaign, log: &Path, stats: &Path, ended: &Ended) -> Result<()> {
        let text = fs::read(log).with_context(|| format!("{}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let findings: Vec<PathBuf> =
            text.lines().filter_map(log::artifact).filter(|path| log::is_finding(path)).collect();
        if findings.is_empty() && !ended.is_told {
            let words = tail(&text, 12);
            bail!("the target with group {} ended with {}:\n{words}", done.group, ended.status);
        }
        if let (Some(case), Ending::Harness(what)) = (findings.first(), log::ending(&text)) {
            bail!("{}: {}", case.display(), harness_error(&what));
        }
        for finding in &findings {
            take_out_of_corpus(finding, &self.corpus())?;
        }
        done.crashes += findings.len() as u64;
        let stats = fs::read(stats).with_context(|| format!("{}", stats.display()))?;
        let stats: Stats = serde_json::from_slice(&stats).context("reading the statistics of the target")?;
        let last_status = || text.lines().rev().find_map(Status::parse).map(|status| status.executions);
        let executions = text.lines().rev().find_map(log::executed_units).or_else(last_status);
        let executions = executions.unwrap_or(stats.all.runs);
        if executions == 0 {
            bail!("the target with group {} executed nothing:\n{}", done.group, tail(&text, 12));
        }
        done.executions += executions;
        let (target, group) = (stats.target.clone(), stats.group.clone());
        done.stats.add(&stats);
        (done.stats.target, done.stats.group) = (target, group);
        Ok(())
    }
}
