//! Runs a time slice of a job with libFuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tandem::targets::Target;

use super::record::TimeSlice;
use super::schedule::SliceEnd;
use super::state::Case;
use crate::build::worker::Worker;
use crate::files;
use crate::fuzzing::checks::{BuildCheck, Check};
use crate::fuzzing::follower::Follower;
use crate::fuzzing::plan::Plan;
use crate::fuzzing::session::{Progress, Session};

/// How often the progress of a slice is reported.
const TELL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a slice may overrun, but at most by a quarter: libFuzzer looks at the clock
/// only after loading its corpus. What has not been rerun by then waits for the next slice.
const OVERRUN_MAX: Duration = Duration::from_secs(15);
/// If this many processes in a row end with a finding almost at once, nothing is fuzzed. A corpus may contain some cases that do
/// so; each is removed from it.
const BRIEF_MAX: u32 = 20;
/// A process that dies sooner has not really fuzzed.
const FUZZED_MIN: Duration = Duration::from_secs(10);

/// The progress of a slice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moment {
    /// For the record.
    pub slice: TimeSlice,
    /// Edges, as libFuzzer counts them.
    pub edges: u64,
    /// Features, as libFuzzer counts them.
    pub features: u64,
    /// Cases in the corpus.
    pub corpus_cases: u64,
    /// Cases that were found.
    pub cases: Vec<Case>,
}

/// Runs jobs.
pub(crate) trait Fuzz {
    /// Runs a job for this long, or until `stop` is set, and reports progress now and then, and at the end.
    ///
    /// # Errors
    /// If the harness fails: another slice may succeed.
    fn slice(
        &mut self,
        job: usize,
        time: Duration,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Moment),
    ) -> Result<SliceEnd>;
}

/// A target, built.
pub(crate) struct Built {
    /// What is fuzzed.
    pub plan: Plan,
    /// Its target.
    pub target: &'static Target,
    /// Builds whose workers rerun new cases.
    pub rerun: Vec<Worker>,
    /// The cases that were in its corpus before this session, by name.
    pub seen: BTreeSet<OsString>,
}

/// libFuzzer.
pub(crate) struct LibFuzzer {
    jobs: Vec<Built>,
    /// The folder that records which cases were rerun.
    folder: PathBuf,
}

impl LibFuzzer {
    /// These jobs, of the campaign in this folder. The cases that its first session found in their corpora need not be
    /// rerun.
    ///
    /// # Errors
    /// If that cannot be written down.
    pub(crate) fn new(jobs: Vec<Built>, folder: PathBuf) -> Result<Self> {
        let this = Self { jobs, folder };
        for job in this.jobs.iter().filter(|job| !job.rerun.is_empty()) {
            let path = this.seen_path(job);
            if !path.exists() {
                write_names(&path, &job.seen)?;
            }
        }
        Ok(this)
    }

    /// The follower of a job.
    fn follow(&self, job: &Built) -> Result<Option<Follower>> {
        if job.rerun.is_empty() {
            return Ok(None);
        }
        let check = |worker: &Worker| -> Result<Box<dyn Check>> { Ok(Box::new(BuildCheck::new(worker)?)) };
        let checks = job.rerun.iter().map(check).collect::<Result<_>>()?;
        let plan = &job.plan;
        let seen = read_names(&self.seen_path(job))?;
        Follower::new(checks, job.target, plan.corpus(), seen, plan.artifacts(), plan.sample()).map(Some)
    }

    fn seen_path(&self, job: &Built) -> PathBuf {
        self.folder.join(format!("rerun-{}-{}.json", job.plan.name(), job.plan.configuration.build))
    }
}

impl Fuzz for LibFuzzer {
    fn slice(
        &mut self,
        job: usize,
        time: Duration,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Moment),
    ) -> Result<SliceEnd> {
        self.jobs[job].plan.time = Some(time);
        let built = &self.jobs[job];
        let follower = self.follow(built)?;
        let has_follower = follower.is_some();
        let (mut told, mut crashes_at_once) = (Instant::now(), false);
        let session = Session::new(&built.plan, stop, follower);
        let (progress, elapsed) = session.run_to_end(|session| {
            if session.elapsed() >= time + OVERRUN_MAX.min(time / 4) {
                stop.store(true, Ordering::Relaxed);
            }
            if session.progress().brief_in_a_row >= BRIEF_MAX {
                crashes_at_once = true;
                stop.store(true, Ordering::Relaxed);
            }
            if told.elapsed() >= TELL_INTERVAL {
                told = Instant::now();
                let followed = session.followed();
                let rerun = followed.values().map(|counts| counts.new + counts.sampled).sum();
                show(&moment(built, &session.progress(), session.elapsed(), rerun));
            }
        })?;
        let rerun = progress.followed.values().map(|counts| counts.new + counts.sampled).sum();
        show(&moment(built, &progress, elapsed, rerun));
        if has_follower {
            write_names(&self.seen_path(built), &progress.seen)?;
        }
        Ok(match progress.failure {
            Some(ref why) => {
                let has_fuzzed = progress.executions() > 0 && elapsed >= FUZZED_MIN;
                SliceEnd::Failed { why: why.clone(), has_fuzzed }
            }
            None if crashes_at_once => SliceEnd::CrashesAtOnce,
            None => SliceEnd::Over,
        })
    }
}

fn moment(job: &Built, progress: &Progress, elapsed: Duration, rerun_cases: u64) -> Moment {
    let status = progress.status();
    let build = job.plan.configuration.build.name();
    let case = |signature: &str, path: &Path| Case {
        path: path.to_owned(),
        signature: signature.to_owned(),
        target: job.target.name.to_owned(),
        build: build.to_owned(),
        message: None,
    };
    let found = progress.found.iter();
    let found: BTreeMap<String, u64> =
        found.map(|(signature, found)| (signature.clone(), found.cases.len() as u64 + found.again)).collect();
    let harness_error = |(path, error): &(PathBuf, String)| format!("{}: {error}", path.display());
    Moment {
        slice: TimeSlice {
            seconds: elapsed.as_secs_f64(),
            cpu_s: progress.cpu_time.map(|time| time.as_secs_f64()),
            executions: progress.executions(),
            restarts: progress.restarts,
            rerun_cases,
            found,
            harness_errors: progress.harness_errors.iter().map(harness_error).collect(),
        },
        edges: status.edges,
        features: status.features,
        corpus_cases: status.corpus_cases,
        cases: progress
            .found
            .iter()
            .flat_map(|(signature, found)| found.cases.iter().map(|path| case(signature, path)))
            .collect(),
    }
}

fn read_names(path: &Path) -> Result<BTreeSet<OsString>> {
    let text = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
    let names: Vec<String> = serde_json::from_slice(&text).with_context(|| format!("{}", path.display()))?;
    Ok(names.into_iter().map(OsString::from).collect())
}

fn write_names(path: &Path, names: &BTreeSet<OsString>) -> Result<()> {
    // libFuzzer's names are digits.
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    files::write(path, &serde_json::to_vec(&names)?)
}
