//! A turn of an arm, by libFuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tandem::targets::Target;

use super::record::Turn;
use super::schedule::TurnEnd;
use super::state::Case;
use crate::build::worker::Worker;
use crate::files;
use crate::fuzzing::checks::{BuildCheck, Check};
use crate::fuzzing::follower::Follower;
use crate::fuzzing::plan::Plan;
use crate::fuzzing::session::{Progress, Session};

/// How often it is said how a turn goes on.
const TELL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a turn may go on after its time is over, and no longer than a quarter of it: libFuzzer looks at the clock
/// only once its corpus is loaded, and what the builds that follow have not run by then waits for the next turn.
const OVERRUN_MAX: Duration = Duration::from_secs(15);
/// So many processes in a row that end with a finding almost at once are no fuzzing. A corpus may hold some cases that do
/// so; each is taken out of it.
const BRIEF_MAX: u32 = 20;
/// What fuzzed for less, and died, has not begun.
const FUZZED_MIN: Duration = Duration::from_secs(10);

/// What a turn has done so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moment {
    /// For the record.
    pub turn: Turn,
    /// Edges, as libFuzzer counts them.
    pub edges: u64,
    /// Features, as libFuzzer counts them.
    pub features: u64,
    /// Cases in the corpus.
    pub corpus_cases: u64,
    /// Cases that were found.
    pub cases: Vec<Case>,
}

/// What runs arms.
pub(crate) trait Fuzz {
    /// Runs an arm for this long, or until `stop` is set, and says now and then, and at the end, how it goes on.
    ///
    /// # Errors
    /// Where the harness fails: another turn may go well.
    fn turn(
        &mut self,
        arm: usize,
        time: Duration,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Moment),
    ) -> Result<TurnEnd>;
}

/// A target, built.
pub(crate) struct Built {
    /// What is fuzzed.
    pub plan: Plan,
    /// Its target.
    pub target: &'static Target,
    /// Builds whose workers run again what is new.
    pub rerun: Vec<Worker>,
    /// The cases that were in its corpus before this sitting, by name.
    pub seen: BTreeSet<OsString>,
}

/// libFuzzer.
pub(crate) struct LibFuzzer {
    arms: Vec<Built>,
    /// Where it is kept what the builds that follow have run.
    folder: PathBuf,
}

impl LibFuzzer {
    /// These arms, of the campaign in this folder. What its first sitting has found in their corpora is what need not be
    /// run again.
    ///
    /// # Errors
    /// Where that cannot be written down.
    pub(crate) fn new(arms: Vec<Built>, folder: PathBuf) -> Result<Self> {
        let this = Self { arms, folder };
        for arm in this.arms.iter().filter(|arm| !arm.rerun.is_empty()) {
            let path = this.seen_path(arm);
            if !path.exists() {
                write_names(&path, &arm.seen)?;
            }
        }
        Ok(this)
    }

    /// What follows an arm.
    fn follow(&self, arm: &Built) -> Result<Option<Follower>> {
        if arm.rerun.is_empty() {
            return Ok(None);
        }
        let check = |worker: &Worker| -> Result<Box<dyn Check>> { Ok(Box::new(BuildCheck::new(worker)?)) };
        let checks = arm.rerun.iter().map(check).collect::<Result<_>>()?;
        let plan = &arm.plan;
        let seen = read_names(&self.seen_path(arm))?;
        Follower::new(checks, arm.target, plan.corpus(), seen, plan.artifacts(), plan.sample()).map(Some)
    }

    fn seen_path(&self, arm: &Built) -> PathBuf {
        self.folder.join(format!("rerun-{}-{}.json", arm.plan.name(), arm.plan.configuration.build))
    }
}

impl Fuzz for LibFuzzer {
    fn turn(
        &mut self,
        arm: usize,
        time: Duration,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Moment),
    ) -> Result<TurnEnd> {
        self.arms[arm].plan.time = Some(time);
        let built = &self.arms[arm];
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
                let rerun = followed.values().map(|counts| counts.kept + counts.sampled).sum();
                show(&moment(built, &session.progress(), session.elapsed(), rerun));
            }
        })?;
        let rerun = progress.followed.values().map(|counts| counts.kept + counts.sampled).sum();
        show(&moment(built, &progress, elapsed, rerun));
        if has_follower {
            write_names(&self.seen_path(built), &progress.seen)?;
        }
        Ok(match progress.failure {
            Some(ref why) => {
                let has_fuzzed = progress.executions() > 0 && elapsed >= FUZZED_MIN;
                TurnEnd::Failed { why: why.clone(), has_fuzzed }
            }
            None if crashes_at_once => TurnEnd::CrashesAtOnce,
            None => TurnEnd::Over,
        })
    }
}

fn moment(arm: &Built, progress: &Progress, elapsed: Duration, rerun_cases: u64) -> Moment {
    let status = progress.status();
    let build = arm.plan.configuration.build.name();
    let case = |signature: &str, path: &Path| Case {
        path: path.to_owned(),
        signature: signature.to_owned(),
        target: arm.target.name.to_owned(),
        build: build.to_owned(),
        message: None,
    };
    let found = progress.found.iter();
    let found: BTreeMap<String, u64> =
        found.map(|(signature, found)| (signature.clone(), found.cases.len() as u64)).collect();
    let harness_error = |(path, error): &(PathBuf, String)| format!("{}: {error}", path.display());
    Moment {
        turn: Turn {
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
