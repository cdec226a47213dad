//! Minimizes a case, from the first run to the final confirmation.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::minimize::{End, Part, minimize};
use tandem::targets::{DB_FILE, DB_SQL, Target};
use tandem::testcase::{FileName, Setting};
use tandem::{TestCase, dbfile, sql};

use super::arguments::SearchArgs;
use super::judge::{self, Bug, Search, TRIALS, WorkerJudge};
use super::optimizations::guilty;
use super::state::State;
use super::{Probe, Probes};
use crate::base::cores;

/// CPU milliseconds of a candidate unless the command line says otherwise, and of one whose bug is a hang.
const TIMEOUT_MS: u64 = 1000;
const HANG_TIMEOUT_MS: u64 = 3000;

/// What to make smaller, and how.
pub(crate) struct Work<'a> {
    /// The builds that show the bug.
    pub probes: &'a Probes,
    /// How many times as long as in the release build a case may run there.
    pub slowness: u64,
    /// What may change.
    pub parts: Vec<Part>,
    /// Limits.
    pub limits: SearchArgs,
    /// Set to stop.
    pub stop: Arc<AtomicBool>,
    /// Start over.
    pub is_fresh: bool,
}

/// How large a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    /// Statements that are more than blanks.
    pub statements: usize,
    /// Bytes of the script.
    pub sql_bytes: usize,
    /// Files.
    pub files: usize,
    /// Bytes of all files that are not zero.
    pub file_bytes: usize,
    /// Pages of the database behind the first that hold anything.
    pub pages: usize,
    /// Frames of the WAL and records of the journal.
    pub log_pages: usize,
    /// Settings that are not the default.
    pub settings: usize,
    /// Operations.
    pub operations: usize,
    /// Planned faults.
    pub faults: usize,
}

impl Size {
    /// That of a case.
    pub(crate) fn of(case: &TestCase) -> Self {
        let text = case.sql.as_bytes();
        let is_filled = |range: &std::ops::Range<usize>| {
            let tokens = sql::tokenize(&text[range.clone()]);
            tokens
                .iter()
                .any(|token| !token.kind.is_blank() && &text[range.clone()][token.range.clone()] != b";")
        };
        let image = case.files.main().unwrap_or_default();
        let geometry = dbfile::Geometry::of(image);
        let is_page = |&page: &u32| geometry.page(image, page).iter().any(|&byte| byte != 0);
        let file = |name: FileName| case.files.get(name.as_str()).unwrap_or_default();
        Self {
            statements: sql::statements(text).filter(is_filled).count(),
            sql_bytes: text.len(),
            files: case.files.len(),
            file_bytes: case.files.iter().flat_map(|(_, content)| content).filter(|&&byte| byte != 0).count(),
            pages: if image.is_empty() { 0 } else { (2..=geometry.pages).filter(is_page).count() },
            log_pages: dbfile::wal::frames(file(FileName::wal())).len()
                + dbfile::journal::records(file(FileName::journal())).len(),
            settings: case.config.changed().count(),
            operations: case.operations.list().len(),
            faults: case.faults.faults().len(),
        }
    }
}

/// A minimized case.
#[derive(Clone)]
pub(crate) struct Smaller {
    /// The bug.
    pub signature: String,
    /// Its message for the smaller case.
    pub message: String,
    /// Its target now: a battery of statements becomes a script.
    pub target: &'static Target,
    /// The smaller case.
    pub case: TestCase,
    /// Sizes before and after.
    pub sizes: [Size; 2],
    /// Runs of [`TRIALS`] that showed the bug.
    pub hits: u32,
    /// Candidates of this run, of earlier ones, and those of this one that were accepted.
    pub attempts: [u64; 3],
    /// Why it ended.
    pub end: End,
    /// Optimizations without which the bug is gone; only looked for where a wrong plan may be the cause.
    pub guilty: Vec<&'static str>,
}

impl Work<'_> {
    /// Minimizes a case; the best one so far is always at `path`. Calls `show` for each.
    ///
    /// # Errors
    /// The case does not show the bug, or cannot be run, or the smaller one cannot be written.
    pub(crate) fn run(
        &self,
        original: &TestCase,
        target: &'static Target,
        signature: Option<&str>,
        path: &Path,
        show: impl FnMut(&TestCase, &'static str),
    ) -> Result<Smaller> {
        let (signature, hits) = self.first_runs(original, target, signature)?;
        let probes = &self.probes.for_signature(&signature);
        let is_hang = signature.starts_with("hang/");
        let default_ms = if is_hang { HANG_TIMEOUT_MS } else { TIMEOUT_MS };
        let timeout_ms = self.limits.timeout_ms.unwrap_or(default_ms) * self.slowness;
        let build = probes.words();
        let (state, earlier) = State::open(path, original, &signature, &build, self.is_fresh)?;
        let earlier_attempts = state.attempts();
        let was_minimal = state.is_minimal();
        let (case, target) = self.begin(earlier.unwrap_or_else(|| original.clone()), target, &signature)?;
        let search = Search {
            jobs: self.limits.jobs.map_or_else(cores, usize::from),
            timeout_ms,
            time: Duration::from_secs(self.limits.max_time_s),
            stop: Arc::clone(&self.stop),
        };
        let bug = Bug { target, signature: &signature, hits };
        let mut judge = WorkerJudge::new(probes, bug, search, state, show)?;
        let attempts_max = if was_minimal { 0 } else { self.limits.max_attempts };
        let done = minimize(case.clone(), &self.parts, attempts_max.max(1), &mut judge)?;
        let best = match done.accepted {
            0 => case,
            _ => judge.confirmed(probes)?.unwrap_or(case),
        };
        judge.finish(done.attempts, was_minimal || done.end == End::Minimal)?;
        let mut probe = probes.start(None)?;
        // A hang takes its full time limit; an interruption does not wait for that.
        let is_interrupted = self.stop.load(Ordering::Relaxed);
        let message =
            if is_interrupted { String::new() } else { message(&mut probe, &best, target, &signature)? };
        let may_be_a_plan =
            ["code/", "integrity/", "differential/"].iter().any(|oracle| signature.starts_with(oracle));
        let off = best.config.get(Setting::OptimizationsOff);
        let mut shows = |off: u32| {
            let config = best.config.with(Setting::OptimizationsOff, off);
            judge::shows(&mut probe, &TestCase { config, ..best.clone() }, target, &signature, 1)
        };
        let guilty = if may_be_a_plan && !is_interrupted { guilty(off, &mut shows)? } else { Vec::new() };
        Ok(Smaller {
            sizes: [Size::of(original), Size::of(&best)],
            signature,
            message,
            target,
            case: best,
            hits,
            attempts: [done.attempts, earlier_attempts, done.accepted],
            end: if was_minimal { End::Minimal } else { done.end },
            guilty,
        })
    }

    /// The bug that must remain, and in how many of [`TRIALS`] runs the case shows it, each in a new worker.
    fn first_runs(
        &self,
        case: &TestCase,
        target: &'static Target,
        wanted: Option<&str>,
    ) -> Result<(String, u32)> {
        let mut wanted = wanted.map(str::to_owned);
        let (mut hits, mut others) = (0, Vec::new());
        for _ in 0..TRIALS {
            let bugs = self.probes.start(None)?.bugs(case, target)?;
            wanted = wanted.or_else(|| bugs.first().map(|bug| bug.signature.clone()));
            hits += u32::from(bugs.iter().any(|bug| Some(&bug.signature) == wanted.as_ref()));
            others.extend(bugs.into_iter().map(|bug| bug.signature));
            // A hang takes its time.
            if hits == 1 && wanted.as_ref().is_some_and(|signature| signature.starts_with("hang/")) {
                hits = TRIALS;
                break;
            }
        }
        match wanted {
            Some(signature) if hits > 0 => Ok((signature, hits)),
            Some(signature) => {
                others.sort_unstable();
                others.dedup();
                let shown = if others.is_empty() { "no bug".to_owned() } else { others.join(", ") };
                bail!("the case does not show {signature} in {TRIALS} runs, but {shown}")
            }
            None => bail!(
                "the case shows no bug in {TRIALS} runs of this build: choose another with --build, \
                           --sqlite-version or --sqlite, or --differential for a difference"
            ),
        }
    }

    /// The case to begin with, and its target: statements that a target adds by itself, and the schema that it makes, become
    /// part of the script where the bug allows it.
    fn begin(
        &self,
        case: TestCase,
        target: &'static Target,
        signature: &str,
    ) -> Result<(TestCase, &'static Target)> {
        let mut probe = self.probes.start(None)?;
        let mut best = (case, target);
        if target.name == DB_FILE.name && self.parts.contains(&Part::Sql) {
            let scripted = target.scripted(best.0.clone());
            if judge::shows(&mut probe, &scripted, &DB_SQL, signature, TRIALS)? {
                best = (scripted, &DB_SQL);
            }
        }
        if best.0.config.is_on(Setting::RichSchema) && self.parts.len() == Part::ALL.len() {
            let mut sql = format!("{}\n", tandem::testcase::RICH_SCHEMA).into_bytes();
            sql.extend_from_slice(best.0.sql.as_bytes());
            let plain = TestCase {
                sql: tandem::testcase::Script::new(sql),
                config: best.0.config.with(Setting::RichSchema, 0),
                ..best.0.clone()
            };
            if judge::shows(&mut probe, &plain, best.1, signature, TRIALS)? {
                best.0 = plain;
            }
        }
        Ok(best)
    }
}

/// The message of a case for its bug.
fn message(probe: &mut Probe, case: &TestCase, target: &'static Target, signature: &str) -> Result<String> {
    for _ in 0..TRIALS {
        let bugs = probe.bugs(case, target)?;
        if let Some(bug) = bugs.into_iter().find(|bug| bug.signature == signature) {
            return Ok(bug.message);
        }
    }
    Ok(String::new())
}
