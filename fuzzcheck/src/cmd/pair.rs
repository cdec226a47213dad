//! `fuzzcheck pair`: see [`crate::pairing`].

mod output;
mod turso;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use tandem::testcase::CaseId;

use super::run::{check_plant, cores};
use super::{
    EXIT_ERROR, EXIT_FINDINGS, in_words, interrupt_flag, paths_or_corpus, project, target_by_name,
    tell_skipped,
};
use crate::cli::WORKER_MEMORY_MIB;
use crate::cli::pair::PairArgs;
use crate::files;
use crate::pairing::{Build, Found, PairReport, pool};
use crate::replay::Options;
use crate::replay::protocol::Limits;
use crate::source;
use crate::ui::{self, Progress};

/// The name of this program's own SQLite.
pub(super) const BUNDLED: &str = "bundled";

pub(super) fn run(args: &PairArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let target = target_by_name(args.target.as_deref())?;
    let builds =
        [build(&args.a, args.plant_a.as_deref(), args)?, build(&args.b, args.plant_b.as_deref(), args)?];
    let paths = paths_or_corpus(&args.paths);
    let all = source::open(&paths, target)?;
    let has_skipped = !all.skipped.is_empty();
    tell_skipped(&all);
    let stop = interrupt_flag()?;
    let mut progress = Progress::new(all.total);
    let jobs = args.jobs.map_or_else(|| cores().div_ceil(2), usize::from);
    let report = pool::compare_all(&builds, jobs, all.cases, &stop, |is_new| progress.case_done(is_new))?;
    progress.finish();
    ensure_something(&report, &paths, &stop)?;
    let saved: Vec<Result<PathBuf>> =
        report.findings.values().map(|found| save(found, args.save_dir.as_deref())).collect();
    let seconds = started.elapsed().as_secs_f64();
    let print = if args.json { output::print_json } else { output::print_text };
    ui::print(|out| print(&report, &saved, args, seconds, out))?;
    for error in saved.iter().filter_map(|saved| saved.as_ref().err()) {
        eprintln!("fuzzcheck: {error:#}");
    }
    let is_interrupted = stop.load(Ordering::Relaxed);
    if is_interrupted {
        eprintln!("fuzzcheck: interrupted: not all cases were run");
    }
    let has_failed = has_skipped || is_interrupted || saved.iter().any(Result::is_err);
    Ok(ExitCode::from(match (has_failed, report.findings.is_empty()) {
        (true, _) => EXIT_ERROR,
        (false, false) => EXIT_FINDINGS,
        (false, true) => 0,
    }))
}

/// A comparison of nothing proves nothing.
fn ensure_something(report: &PairReport, paths: &[PathBuf], stop: &AtomicBool) -> Result<()> {
    let why = if stop.load(Ordering::Relaxed) { "interrupted".to_owned() } else { in_words(paths) };
    ensure!(report.cases > 0, "no case was run: {why}");
    if report.statements == 0 && report.findings.is_empty() {
        let reasons = report.skipped.iter().map(|(reason, count)| format!("{reason}: {count}"));
        let reasons: Vec<String> = reasons.collect();
        bail!("of {} cases no statement was compared ({}): {why}", report.cases, reasons.join(", "));
    }
    Ok(())
}

fn build(name: &str, plant: Option<&str>, args: &PairArgs) -> Result<Build> {
    check_plant(plant)?;
    let options = Options {
        plant: plant.map(str::to_owned),
        timeout_ms: args.timeout_ms,
        worker_memory_mib: WORKER_MEMORY_MIB,
        limits: Limits { heap_bytes: args.limit_heap_bytes, ..Limits::default() },
        ..Options::default()
    };
    Ok(Build { program: build_named(name)?, options })
}

/// The program of the build that a name means.
///
/// # Errors
/// Where there is none.
fn build_named(name: &str) -> Result<PathBuf> {
    if name == BUNDLED {
        return std::env::current_exe().context("finding this program");
    }
    if name == turso::TURSO {
        return turso::build(&project());
    }
    let path = Path::new(name);
    ensure!(
        path.is_file(),
        "no build is named `{name}`: `{BUNDLED}` and `{}` are, and so is a program with a `worker`, by its path",
        turso::TURSO
    );
    // Without a folder in front, a program would be looked for in PATH.
    path.canonicalize().with_context(|| format!("finding `{name}`"))
}

fn save(found: &Found, folder: Option<&Path>) -> Result<PathBuf> {
    let example = &found.example;
    let folder =
        folder.map_or_else(|| project().join("fuzz/artifacts").join(example.target.name), Path::to_owned);
    let path = folder.join(format!("pair-{}", CaseId::of_encoded(&example.body).short()));
    let made = std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()));
    made.and_then(|()| files::write(&path, &example.body))
        .with_context(|| format!("the case of `{}` could not be saved", example.name))?;
    Ok(path)
}
