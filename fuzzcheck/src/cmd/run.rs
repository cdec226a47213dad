//! `fuzzcheck run`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use tandem::engine::plant::{PLANTS, Plant};

use super::output::{print_json, print_text};
use super::{
    in_words, interrupt_flag, paths_or_corpus, run_versions, save_case, target_by_name, tell_skipped,
};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, cores, project};
use crate::build::flavor::Flavor;
use crate::build::worker::Worker;
use crate::cli::RunArgs;
use crate::lane::Lane;
use crate::replay::protocol::{BatchResult, Job, Limits, target_index};
use crate::replay::report::{Done, Finding, Report};
use crate::replay::worker::Runner;
use crate::replay::{CaseResult, FoundBug, Options, Outcome, run_all};
use crate::source::{self, Cases, NamedCase};
use crate::ui::{self, Progress};

pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    check_plant(args.plant.as_deref())?;
    if let Some(versions) = args.flavor.versions()? {
        return run_versions::run(args, &versions);
    }
    let started = Instant::now();
    let target = target_by_name(args.target.as_deref())?;
    let paths = paths_or_corpus(&args.paths);
    let all = source::open(&paths, target)?;
    let has_skipped = !all.skipped.is_empty();
    tell_skipped(&all);
    let is_interrupted = interrupt_flag()?;
    let (found, cases) = (all.total, select(all, args));
    let flavor = Flavor::new(&args.flavor, &Lane::JUDGING)?;
    if args.in_process && !flavor.is_this_program() {
        bail!("--in-process runs the SQLite of this program, and {flavor} is asked for");
    }
    let worker = Worker::build(&flavor, &project(), !args.no_install)?;
    let mut report = execute(args, &worker, cases, &is_interrupted)?;
    if report.cases == 0 {
        bail!("no case was run{}", why_none(&paths, args, found, is_interrupted.load(Ordering::Relaxed)));
    }
    simulate_failure(&mut report);
    let saved = save_all(&report, args, &flavor);
    let seconds = started.elapsed().as_secs_f64();
    let print = if args.json { print_json } else { print_text };
    ui::print(|out| print(&report, &saved, args, &worker, seconds, out))?;
    for (name, message) in &report.harness_errors {
        eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
    }
    for error in saved.iter().filter_map(|saved| saved.as_ref().err()) {
        eprintln!("fuzzcheck: {error:#}");
    }
    if is_interrupted.load(Ordering::Relaxed) {
        eprintln!("fuzzcheck: interrupted: not all cases were run");
    }
    let has_failed = has_skipped
        || !report.harness_errors.is_empty()
        || saved.iter().any(Result::is_err)
        || is_interrupted.load(Ordering::Relaxed);
    Ok(ExitCode::from(match (has_failed, report.findings.is_empty()) {
        (true, _) => EXIT_ERROR,
        (false, false) => EXIT_FINDINGS,
        (false, true) => 0,
    }))
}

/// Why a run without cases, which proves nothing, had none.
fn why_none(paths: &[PathBuf], args: &RunArgs, found: usize, is_interrupted: bool) -> String {
    let places = in_words(paths);
    match (&args.case, args.skip) {
        _ if is_interrupted => ": interrupted".to_owned(),
        _ if found == 0 => format!(": {places}: no cases there; name corpus databases, folders or files"),
        (None, skip) => format!(": --skip {skip} leaves none of the {found} of {places}"),
        (Some(part), 0) => format!(": none of the {found} of {places} has `{part}` in its name; see `list`"),
        (Some(part), skip) => {
            format!(": --case {part} and --skip {skip} leave none of the {found} of {places}")
        }
    }
}

pub(super) fn check_plant(name: Option<&str>) -> Result<()> {
    let Some(name) = name.filter(|name| Plant::by_name(name).is_none()) else {
        return Ok(());
    };
    bail!("no planted bug is named `{name}`; there are {}", PLANTS.map(|(known, _)| known).join(", "))
}

/// Leaves only the cases that the arguments ask for.
pub(super) fn select(mut cases: Cases, args: &RunArgs) -> Cases {
    if let Some(part) = &args.case {
        let chosen: Vec<NamedCase> = cases.cases.filter(|named| named.matches(part)).collect();
        cases = Cases { skipped: cases.skipped, ..Cases::default() };
        cases.push(chosen.len(), chosen.into_iter());
    }
    if args.skip > 0 {
        let mut rest = Cases { skipped: cases.skipped, ..Cases::default() };
        rest.push(cases.total.saturating_sub(args.skip), cases.cases.skip(args.skip));
        cases = rest;
    }
    every(cases, args.every)
}

/// Every `nth` case.
pub(super) fn every(cases: Cases, nth: u32) -> Cases {
    if nth == 1 {
        return cases;
    }
    let nth = nth as usize;
    let mut some = Cases { skipped: cases.skipped, ..Cases::default() };
    some.push(cases.total.div_ceil(nth), cases.cases.step_by(nth));
    some
}

/// How the arguments have cases run.
pub(super) fn options(args: &RunArgs) -> Options {
    Options {
        is_twice: args.twice,
        plant: args.plant.clone(),
        meets_known_bugs: args.meet_known_bugs,
        limits: Limits::from(&args.limits),
        timeout_ms: args.timeout_ms,
        worker_memory_mib: args.worker_memory_mib,
        has_digests: args.digests,
        ..Options::default()
    }
}

pub(super) fn execute(
    args: &RunArgs,
    worker: &Worker,
    mut cases: Cases,
    stop: &AtomicBool,
) -> Result<Report> {
    let options = options(args);
    let mut progress = Progress::new(cases.total);
    let report = if args.in_process {
        in_process(&options, cases, stop, &mut progress)?
    } else {
        let options = worker.options(options);
        let jobs = args.jobs.map_or_else(cores, usize::from);
        run_all(&worker.program, &options, jobs, &mut cases.cases, stop, |done| {
            progress.case_done(done.has_unknown_bugs());
        })?
    };
    progress.finish();
    Ok(report)
}

fn in_process(options: &Options, cases: Cases, stop: &AtomicBool, progress: &mut Progress) -> Result<Report> {
    // All are read before SQLite loses its access to files.
    let cases: Vec<NamedCase> = cases.cases.collect();
    let mut runner = Runner::isolated(options)?;
    let mut report = Report::default();
    for (index, named) in (1..).zip(cases) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        eprintln!("{}", named.name);
        let body = named.case.encode();
        let job = Job { index, target: target_index(named.target), heap_bytes: named.heap_bytes, body };
        let mut batch = BatchResult::default();
        let result = runner.run(&job, &mut batch);
        report.add_counts(&batch);
        let outcome = Outcome { result, harness_error: None };
        let NamedCase { name, target, heap_bytes, kept, .. } = named;
        let done = Done { name, target, body: job.body, heap_bytes, index, kept, outcome };
        progress.case_done(done.has_unknown_bugs());
        report.add(done);
    }
    Ok(report)
}

/// `TEST_FAILURE=5` makes the run report an error, so that scripts can be seen to notice.
fn simulate_failure(report: &mut Report) {
    if std::env::var("TEST_FAILURE").is_ok_and(|value| value == "5") {
        let bug = FoundBug {
            signature: "test/failure/requested".to_owned(),
            message: "TEST_FAILURE=5 is set in the environment".to_owned(),
        };
        let result = CaseResult { bugs: vec![bug.clone()], ..CaseResult::default() };
        let outcome = Outcome { result, harness_error: None };
        let case = Done {
            name: "TEST_FAILURE".to_owned(),
            target: &tandem::targets::SQL,
            body: tandem::TestCase::from_sql("SELECT 'TEST_FAILURE=5'").encode(),
            heap_bytes: None,
            index: 0,
            kept: None,
            outcome,
        };
        report.findings.push(Finding { case, bugs: vec![bug] });
    }
}

/// Saves the cases of all findings; where that fails, the others are saved all the same.
fn save_all(report: &Report, args: &RunArgs, flavor: &Flavor) -> Vec<Result<PathBuf>> {
    let save = |Finding { case, .. }: &Finding| {
        let beside_libfuzzers = || flavor.artifacts(&project(), case.target.name);
        let folder = args.save_dir.clone().unwrap_or_else(beside_libfuzzers);
        save_case("fuzzcheck", &case.name, &case.body, &folder)
    };
    report.findings.iter().map(save).collect()
}
