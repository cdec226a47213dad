//! `fuzzcheck run`.

pub(crate) mod output;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};

use self::output::{print_json, print_text};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::replay::arguments::LimitArgs;
use crate::replay::oracles::Oracles;
use crate::replay::protocol::{BatchResult, Job, Limits};
use crate::replay::report::{Done, Finding, Report};
use crate::replay::worker::Runner;
use crate::replay::{CaseResult, FoundBug, Options, Outcome, run_all};
use crate::source::{self, Cases, NamedCase};
use crate::ui::{self, Progress};
use crate::verbs::Verb;
use crate::verbs::shared::{
    check_plant, every, in_words, interrupt_flag, paths_or_corpus, save_case, target_by_name, tell_skipped,
};

/// Run cases and judge them: corpora, SQLite's fuzzdataN.db, folders, files.
///
/// Exit codes: 0 nothing was found, 1 findings, 2 wrong usage, an internal error, or oracles that were named and judged no
/// case.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Corpus databases, fuzzdataN.db files, folders or files with one case each [default: corpus/]
    paths: Vec<PathBuf>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run all cases in this process, for a debugger; a crash ends it.
    #[arg(long, conflicts_with_all = ["jobs", "build"])]
    in_process: bool,
    /// Run only cases whose name contains this text: a file name, `sqlid=12`, (the start of) an id.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
    /// Skip the first N cases.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Run single files on this target, and read them as it does, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The oracles that judge, by name; `all` are all, `usual` those that are not expensive. A crash or a hang is always a
    /// finding.
    #[arg(long, value_name = "all|NAME,...", default_value_t)]
    oracles: Oracles,
    /// List the N slowest cases by CPU time.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    slowest: u16,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Add to the JSON document what each case did, as a digest: equal for equal behaviour, so that two documents can be
    /// compared.
    #[arg(long, requires = "json")]
    digests: bool,
    /// Folder for the cases of findings [default: as for `fuzz`, fuzz/artifacts/TARGET or TARGET-CONFIGURATION]
    #[arg(long, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    /// CPU milliseconds after which a case counts as a hang.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// MiB of address space per worker; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = WORKER_MEMORY_MIB)]
    worker_memory_mib: u64,
    /// Limits.
    #[command(flatten)]
    limits: LimitArgs,
    /// The build whose workers run the cases [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Run only every Nth case, for slow builds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Do not steer around known bugs of SQLite.
    #[arg(long)]
    meet_known_bugs: bool,
    /// Plant a bug by name, to check that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        check_plant(self.plant.as_deref())?;
        if let Some(versions) = self.configuration.versions()? {
            return versions::run(self, &versions);
        }
        let started = Instant::now();
        let target = target_by_name(self.target.as_deref())?;
        let paths = paths_or_corpus(&self.paths);
        let all = source::open(&paths, target)?;
        let has_skipped = !all.skipped.is_empty();
        tell_skipped(&all);
        let is_interrupted = interrupt_flag()?;
        let (found, cases) = (all.total, select(all, self));
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        if self.in_process && !configuration.is_this_program() {
            bail!("--in-process runs the SQLite of this program, which is not {configuration}");
        }
        let worker = Worker::build(&configuration, &project(), !self.no_install)?;
        let mut report = execute(self, &worker, cases, &is_interrupted)?;
        if report.cases == 0 {
            bail!("no case was run{}", why_none(&paths, self, found, is_interrupted.load(Ordering::Relaxed)));
        }
        simulate_failure(&mut report);
        let saved = save_all(&report, self, &configuration);
        let seconds = started.elapsed().as_secs_f64();
        let print = if self.json { print_json } else { print_text };
        ui::print(|out| print(&report, &saved, self, &worker, seconds, out))?;
        for (name, message) in &report.harness_errors {
            eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
        }
        for error in saved.iter().filter_map(|saved| saved.as_ref().err()) {
            eprintln!("fuzzcheck: {error:#}");
        }
        if is_interrupted.load(Ordering::Relaxed) {
            eprintln!("fuzzcheck: interrupted: not all cases were run");
        }
        let is_unjudged = self.oracles.are_named() && report.is_unjudged();
        if is_unjudged {
            eprintln!("fuzzcheck: no case was judged by {}: the table says why", self.oracles);
        }
        let has_failed = has_skipped
            || is_unjudged
            || !report.harness_errors.is_empty()
            || saved.iter().any(Result::is_err)
            || is_interrupted.load(Ordering::Relaxed);
        Ok(ExitCode::from(match (has_failed, report.findings.is_empty()) {
            (true, _) => EXIT_ERROR,
            (false, false) => EXIT_FINDINGS,
            (false, true) => 0,
        }))
    }
}

/// Why no case was run.
fn why_none(paths: &[PathBuf], args: &Args, found: usize, is_interrupted: bool) -> String {
    let places = in_words(paths);
    match (&args.case, args.skip) {
        _ if is_interrupted => ": interrupted".to_owned(),
        _ if found == 0 => format!(": {places}: no cases there; name corpus databases, folders or files"),
        (None, skip) => format!(": --skip {skip} skips all {found} of {places}"),
        (Some(part), 0) => {
            format!(": none of the {found} of {places} has `{part}` in its name; see `corpus list`")
        }
        (Some(part), skip) => {
            format!(": --case {part} and --skip {skip} leave none of the {found} of {places}")
        }
    }
}

/// Selects the cases that the arguments ask for.
pub(super) fn select(mut cases: Cases, args: &Args) -> Cases {
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

/// The options with which cases are run.
pub(super) fn options(args: &Args) -> Options {
    Options {
        oracles: args.oracles.clone(),
        plant: args.plant.clone(),
        meets_known_bugs: args.meet_known_bugs,
        limits: Limits::from(&args.limits),
        timeout_ms: args.timeout_ms,
        worker_memory_mib: args.worker_memory_mib,
        has_digests: args.digests,
        ..Options::default()
    }
}

pub(super) fn execute(args: &Args, worker: &Worker, mut cases: Cases, stop: &AtomicBool) -> Result<Report> {
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
        let job = Job { index, target: named.target, heap_bytes: named.heap_bytes, body, exploration: None };
        let mut batch = BatchResult::default();
        let result = runner.run(&job, &mut batch);
        report.counts.add(&batch.counts);
        let outcome = Outcome { result, harness_error: None };
        let NamedCase { name, target, heap_bytes, provenance, .. } = named;
        let done = Done { name, target, body: job.body, heap_bytes, index, provenance, outcome };
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
            provenance: None,
            outcome,
        };
        report.findings.push(Finding { case, bugs: vec![bug] });
    }
}

/// Saves the cases of all findings; one failure does not stop the others.
fn save_all(report: &Report, args: &Args, configuration: &Configuration) -> Vec<Result<PathBuf>> {
    let save = |Finding { case, .. }: &Finding| {
        let beside_libfuzzers = || configuration.artifacts(&project(), case.target.name);
        let folder = args.save_dir.clone().unwrap_or_else(beside_libfuzzers);
        save_case("fuzzcheck", &case.name, &case.body, &folder)
    };
    report.findings.iter().map(save).collect()
}
