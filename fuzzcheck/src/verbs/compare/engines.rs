//! `fuzzcheck compare engines`: see [`crate::differential`].

mod output;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::differential::{Build, DifferentialReport, Found, named, pool};
use crate::replay::Options;
use crate::replay::protocol::Limits;
use crate::source;
use crate::ui::{self, Progress};
use crate::verbs::Verb;
use crate::verbs::shared::{
    check_plant, in_words, interrupt_flag, paths_or_corpus, save_case, target_by_name, tell_skipped,
};

/// Run cases on two SQLites, or SQLite and Turso, and compare what they did.
///
/// Rows, errors, schema, content. Exit codes: 0 no difference, 1 differences, 2 wrong usage or an internal error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first configuration: `bundled`, a published version such as 3.49.1, or a folder with sqlite3.c, optionally followed
    /// by `:BUILD`; `turso`, a separate engine; or a program that has a `worker` verb as this one does.
    a: String,
    /// The second one.
    b: String,
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// Pairs of workers at the same time [default: one per two cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run single files on this target instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Folder for the cases of findings [default: fuzz/artifacts/TARGET]
    #[arg(long, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    /// CPU milliseconds after which a case counts as a hang.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// Bytes that SQLite may hold at a time.
    #[arg(long, value_name = "BYTES")]
    limit_heap_bytes: Option<u64>,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Plant a bug by name in the one build, to see that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant_a: Option<String>,
    /// The same in the second.
    #[arg(long, value_name = "NAME", hide = true)]
    plant_b: Option<String>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let started = Instant::now();
        let target = target_by_name(self.target.as_deref())?;
        let builds =
            [build(&self.a, self.plant_a.as_deref(), self)?, build(&self.b, self.plant_b.as_deref(), self)?];
        let paths = paths_or_corpus(&self.paths);
        let all = source::open(&paths, target)?;
        let has_skipped = !all.skipped.is_empty();
        tell_skipped(&all);
        let stop = interrupt_flag()?;
        let mut progress = Progress::new(all.total);
        let jobs = self.jobs.map_or_else(|| cores().div_ceil(2), usize::from);
        let report = pool::compare_all(&builds, jobs, all.cases, &stop, |is_new| progress.case_done(is_new))?;
        progress.finish();
        ensure_something(&report, &paths, &stop)?;
        let saved: Vec<Result<PathBuf>> = report
            .findings
            .values()
            .map(|Found { example, .. }| {
                // What two builds do not agree on is neither's alone.
                let of_neither =
                    || Configuration::bundled(BuildKind::Release).artifacts(&project(), example.target.name);
                let folder = self.save_dir.clone().unwrap_or_else(of_neither);
                save_case("differential", &example.name, &example.body, &folder)
            })
            .collect();
        let seconds = started.elapsed().as_secs_f64();
        let print = if self.json { output::print_json } else { output::print_text };
        ui::print(|out| print(&report, &saved, self, seconds, out))?;
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
}

/// Fails if nothing was compared.
fn ensure_something(report: &DifferentialReport, paths: &[PathBuf], stop: &AtomicBool) -> Result<()> {
    let why = if stop.load(Ordering::Relaxed) { "interrupted".to_owned() } else { in_words(paths) };
    ensure!(report.cases > 0, "no case was run: {why}");
    if report.statements == 0 && report.findings.is_empty() {
        let reasons = report.skipped.iter().map(|(reason, count)| format!("{reason}: {count}"));
        let reasons: Vec<String> = reasons.collect();
        bail!("no statement of {} cases was compared ({}): {why}", report.cases, reasons.join(", "));
    }
    Ok(())
}

fn build(name: &str, plant: Option<&str>, args: &Args) -> Result<Build> {
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
