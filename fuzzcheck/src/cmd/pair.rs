//! `fuzzcheck pair`: see [`crate::pairing`].

mod output;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use super::run::check_plant;
use super::{in_words, interrupt_flag, paths_or_corpus, save_case, target_by_name, tell_skipped};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, WORKER_MEMORY_MIB, cores, project};
use crate::build::flavor::Flavor;
use crate::cli::pair::PairArgs;
use crate::lane::Lane;
use crate::pairing::{Build, Found, PairReport, named, pool};
use crate::replay::Options;
use crate::replay::protocol::Limits;
use crate::source;
use crate::ui::{self, Progress};

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
    let saved: Vec<Result<PathBuf>> = report
        .findings
        .values()
        .map(|Found { example, .. }| {
            // What two builds do not agree on is neither's alone.
            let of_neither = || Flavor::bundled(Lane::Release).artifacts(&project(), example.target.name);
            let folder = args.save_dir.clone().unwrap_or_else(of_neither);
            save_case("pair", &example.name, &example.body, &folder)
        })
        .collect();
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
    named::build(name, options, &project(), !args.no_install)
}
