//! The record of a campaign, `campaign.json` in its folder.
//!
//! What is counted here was counted by what did it; a figure that nobody could count is absent. Times are UTC, durations
//! seconds of wall time unless a name says CPU. Sums over [`FuzzJob::slices`] hold however often the campaign was killed:
//! each session has its own figures, and those of one that has ended do not change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use crate::coverage::reached::{Gap, GapKind, Night, Reached};
use crate::replay::cut_short::CutShort;

/// Version of the format. A reader refuses a later one; new fields that may be absent do not change it.
pub(crate) const VERSION: u32 = 1;

/// One campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Campaign {
    /// [`VERSION`].
    pub version: u32,
    /// When it began, as a word that can be a file's name: `20261121T220102Z`.
    pub id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was through; absent while it goes on or after it was killed.
    pub ended: Option<Timestamp>,
    /// What it was given.
    pub budget_s: f64,
    /// How long it has run, all sessions together.
    pub used_s: f64,
    /// How often it was begun or taken up again.
    pub sessions: Vec<CampaignSession>,
    /// What was fuzzed.
    pub build: Build,
    /// Where.
    pub machine: Machine,
    /// Targets in builds.
    pub jobs: Vec<FuzzJob>,
    /// What was found, by signature.
    pub findings: Vec<Finding>,
    /// What each check did in the replay of the corpora.
    pub checks: Vec<Check>,
    /// The cases of that replay that a limit cut short, by limit; their rest was not judged.
    #[serde(default)]
    pub cut_short: Vec<CutShort>,
    /// The cases of that replay that took longest, slowest first.
    pub slowest: Vec<Slow>,
    /// What the corpora reach at its end.
    pub coverage: Option<Reached>,
    /// Earlier nights and this one, oldest first.
    pub trend: Vec<Night>,
    /// What nothing reaches, largest first.
    pub gaps: Vec<Gap>,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// A time in which the campaign ran without being interrupted.
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
    /// It goes on, or it was killed and nobody has taken the campaign up since.
    Open,
    /// It was killed; the next one said so.
    Killed,
    /// Ctrl-C, or what else asks a program to end.
    Interrupted,
    /// The campaign was through.
    Through,
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
    /// Bytes of memory; absent where the system does not tell.
    pub memory_bytes: Option<u64>,
    /// As `uname -srm` prints it.
    pub system: String,
}

/// A target in a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FuzzJob {
    /// Name of the target.
    pub target: String,
    /// Name of the build that fuzzes.
    pub build: String,
    /// Builds that run again what is new, by name.
    pub rerun: Vec<String>,
    /// Its share of the time, against the weights of the others.
    pub weight: f64,
    /// What it did, one entry for each time that it had its slice.
    pub slices: Vec<TimeSlice>,
    /// How it went on over time; `seconds` counts from the beginning of the campaign, without pauses.
    pub samples: Vec<Sample>,
    /// Why it could not go on, where it could not.
    pub failures: Vec<String>,
}

/// One slice of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeSlice {
    /// Wall time of fuzzing.
    pub seconds: f64,
    /// CPU time of all its processes; absent where the system does not tell.
    pub cpu_s: Option<f64>,
    /// Cases that were run by libFuzzer.
    pub executions: u64,
    /// Processes that ended, by a finding or otherwise, and were begun again.
    pub restarts: u64,
    /// Cases that the builds that follow ran.
    pub rerun_cases: u64,
    /// Cases that are findings, by signature.
    pub found: BTreeMap<String, u64>,
    /// What went wrong in this program itself, each with the case: no findings.
    #[serde(default)]
    pub harness_errors: Vec<String>,
}

/// A moment of a job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sample {
    /// Since the campaign began, without pauses.
    pub seconds: f64,
    /// Of this job so far, all slices.
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
    /// When it was seen first, over all nights.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// Name of the target of its smallest case.
    pub target: String,
    /// Builds in which it was seen.
    pub builds: Vec<String>,
    /// What the smallest case says.
    pub message: String,
    /// The smallest case, from the working copy.
    pub case: String,
    /// Its size in bytes.
    pub case_bytes: u64,
    /// Its script; absent if it has none.
    pub sql: Option<String>,
    /// The command that shows it.
    pub replay: String,
    /// The Markdown file that is ready to be filed, from the folder of the campaign.
    pub file: Option<String>,
}

/// What a check did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Check {
    /// Its name.
    pub name: String,
    /// The build in which the cases ran.
    pub build: String,
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// How often it had nothing to say, by reason.
    pub skipped: BTreeMap<String, u64>,
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

/// Something that the campaign does beside fuzzing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Step {
    /// `build`, `triage`, `merge`, `coverage`, …
    pub name: String,
    /// How it ended.
    pub end: StepEnd,
    /// How long it took.
    pub seconds: f64,
    /// Why it was left out or failed.
    pub why: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepEnd {
    /// It goes on, or was killed.
    Open,
    /// It is done.
    Done,
    /// It was left out: there was no time, or nothing to do.
    Skipped,
    /// It failed; the campaign went on.
    Failed,
}
