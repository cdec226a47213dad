//! The record of a campaign, `campaign.json` in its folder.
//!
//! Figures that could not be counted are absent. Times are UTC, durations
//! seconds of wall time unless a name says CPU. Sums over [`FuzzJob::slices`] are right however often the campaign was killed:
//! each slice has its own figures, and those of finished ones do not change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use crate::coverage::reached::{Gap, GapKind, Night, Reached};
use crate::replay::cut_short::CutShort;
use crate::replay::protocol::OracleCounts;

/// Version of the format. A reader refuses a later one; new fields that may be absent do not change it.
pub(crate) const VERSION: u32 = 2;

/// One campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Campaign {
    /// [`VERSION`].
    pub version: u32,
    /// When it began, as a file name: `20261121T220102Z`.
    pub id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was finished; absent while it is running or after it was killed.
    pub ended: Option<Timestamp>,
    /// Its budget.
    pub budget_s: f64,
    /// How long it has run, all sessions together.
    pub used_s: f64,
    /// Its sessions: the start, and each time it was resumed.
    pub sessions: Vec<CampaignSession>,
    /// What was fuzzed.
    pub build: Build,
    /// Where.
    pub machine: Machine,
    /// Its jobs.
    pub jobs: Vec<FuzzJob>,
    /// What was found, by signature.
    pub findings: Vec<Finding>,
    /// What each check did in the replay of the corpora.
    pub checks: Vec<Check>,
    /// The checks of the last night before that fuzzed the same version and options of SQLite.
    #[serde(default)]
    pub checks_before: Option<Before>,
    /// The cases of the replay that a limit cut short, by limit; their rest was not judged.
    #[serde(default)]
    pub cut_short: Vec<CutShort>,
    /// The slowest cases of the replay, slowest first.
    pub slowest: Vec<Slow>,
    /// The coverage of the corpora at the end.
    pub coverage: Option<Reached>,
    /// Earlier nights and this one, oldest first.
    pub trend: Vec<Night>,
    /// What nothing reaches, largest first.
    pub gaps: Vec<Gap>,
    /// The steps after fuzzing, in order.
    pub steps: Vec<Step>,
}

/// A time during which the campaign ran uninterrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CampaignSession {
    /// When it began.
    pub started: Timestamp,
    /// How long it has lasted so far.
    pub seconds: f64,
    /// How it ended.
    pub end: SessionEnd,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SessionEnd {
    /// It is running, or was killed and the campaign has not been resumed since.
    Open,
    /// It was killed, as the next one found.
    Killed,
    /// By Ctrl-C or another signal.
    Interrupted,
    /// The campaign was finished.
    Finished,
}

/// The SQLite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Build {
    /// `sqlite3_libversion()`.
    pub version: String,
    /// `sqlite3_sourceid()`.
    pub source_id: String,
    /// Options of the build, without `SQLITE_`.
    pub compile_options: Vec<String>,
    /// Version of this program and, where git tells, the commit.
    pub tandem: String,
    /// `rustc --version`, of the toolchain that built the targets.
    pub rustc: String,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Machine {
    /// Cores that may be used.
    pub cores: usize,
    /// Bytes of memory; absent if the system does not report it.
    pub memory_bytes: Option<u64>,
    /// As `uname -srm` prints it.
    pub system: String,
}

/// A job: a target in a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FuzzJob {
    /// Name of the target.
    pub target: String,
    /// Name of the build that fuzzes.
    pub build: String,
    /// Builds that rerun new cases, by name.
    pub rerun: Vec<String>,
    /// Its share of the time, relative to the others.
    pub weight: f64,
    /// Its time slices.
    pub slices: Vec<TimeSlice>,
    /// Its progress; `seconds` counts from the beginning of the campaign, without pauses.
    pub samples: Vec<Sample>,
    /// Why it failed, if it did.
    pub failures: Vec<String>,
}

/// A time slice of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeSlice {
    /// Wall time of fuzzing.
    pub seconds: f64,
    /// CPU time of all its processes; absent if the system does not report it.
    pub cpu_s: Option<f64>,
    /// Cases that were run by libFuzzer.
    pub executions: u64,
    /// Processes that ended, by a finding or otherwise, and were restarted.
    pub restarts: u64,
    /// Cases that were rerun in other builds.
    pub rerun_cases: u64,
    /// Cases that are findings, by signature, those included that were only counted.
    pub found: BTreeMap<String, u64>,
    /// Failures of this program itself, each with its case; not findings.
    #[serde(default)]
    pub harness_errors: Vec<String>,
}

/// The state of a job at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sample {
    /// Since the campaign began, without pauses.
    pub seconds: f64,
    /// Of this job so far, over all slices.
    pub executions: u64,
    /// Edges, as libFuzzer counts them.
    pub edges: u64,
    /// Features, as libFuzzer counts them.
    pub features: u64,
    /// Cases in its corpus.
    pub corpus_cases: u64,
}

/// A bug, known or new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Finding {
    /// `oracle/kind/detail`.
    pub signature: String,
    /// The name that it is known by; absent for a new one.
    pub known_as: Option<String>,
    /// First seen in this campaign.
    pub is_new: bool,
    /// Cases that show it.
    pub cases: u64,
    /// When it was first seen, over all nights.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Name of the target of its smallest case.
    pub target: String,
    /// Builds in which it was seen.
    pub builds: Vec<String>,
    /// The message of the smallest case.
    pub message: String,
    /// The smallest case, from the working copy.
    pub case: String,
    /// Its size in bytes.
    pub case_bytes: u64,
    /// Its script; absent if it has none.
    pub sql: Option<String>,
    /// The command that shows it.
    pub replay: String,
    /// The bug report in Markdown, relative to the folder of the campaign.
    pub file: Option<String>,
}

/// The results of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Check {
    /// Its name.
    pub name: String,
    /// The build in which the cases ran.
    pub build: String,
    /// What it said.
    #[serde(flatten)]
    pub counts: OracleCounts,
}

/// What the checks of an earlier night said, to compare with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Before {
    /// The campaign.
    pub id: String,
    /// Its checks.
    pub checks: Vec<Check>,
}

/// A slow case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Slow {
    /// Its name.
    pub case: String,
    /// Name of its target.
    pub target: String,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: u64,
}

/// A step beside fuzzing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Step {
    /// `build`, `triage`, `merge`, `coverage`, …
    pub name: String,
    /// How it ended.
    pub end: StepEnd,
    /// How long it took.
    pub seconds: f64,
    /// Why it was skipped or failed.
    pub why: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepEnd {
    /// It is running, or was killed.
    Open,
    /// It is done.
    Done,
    /// It was skipped: there was no time, or nothing to do.
    Skipped,
    /// It failed; the campaign continued.
    Failed,
}
