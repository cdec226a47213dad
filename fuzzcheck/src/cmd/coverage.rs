//! `fuzzcheck coverage`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::cores;
use super::{EXIT_ERROR, interrupt_flag, project, target_by_name, tell_skipped};
use crate::build::flavor::Flavor;
use crate::build::lane::Lane as BuildLane;
use crate::cli::measure::CoverageArgs;
use crate::coverage::lane::{Count, Coverage, Lane, cases};
use crate::ui::{self, Progress};

/// What the cases reach, for machines.
#[derive(Serialize)]
struct Summary {
    version: u32,
    cases: u64,
    cases_with_findings: usize,
    #[serde(flatten)]
    coverage: Coverage,
    /// What `--extra-c` built in, by path.
    extra: BTreeMap<PathBuf, Coverage>,
}

pub(super) fn run(args: &CoverageArgs) -> Result<ExitCode> {
    let target = target_by_name(args.target.as_deref())?;
    let project = args.project.clone().unwrap_or_else(project);
    let shipped = target.map_or_else(|| "corpus".to_owned(), |target| format!("corpus/{}.db", target.name));
    let sources = if args.sources.is_empty() { vec![project.join(shipped)] } else { args.sources.clone() };
    let all = cases(&sources, target)?;
    let skipped = tell_skipped(&all);
    if all.total == 0 {
        let places: Vec<String> = sources.iter().map(|path| path.display().to_string()).collect();
        bail!("{}: no cases there; name corpus databases, folders or files", places.join(", "));
    }
    let flavor = Flavor::new(&args.flavor, &[BuildLane::Coverage])?;
    let lane = Lane::build(&flavor, &project, !args.no_install)?;
    let stop = interrupt_flag()?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let profile: PathBuf = folder.path().join("all.profdata");
    let mut progress = Progress::new(all.total);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let report = lane.replay(all, jobs, &stop, &profile, || progress.case_done(false));
    progress.finish();
    let report = report?;
    let files = lane.by_file(&profile)?;
    let summary = Summary {
        version: 1,
        cases: report.cases,
        cases_with_findings: report.findings.len(),
        coverage: files.sqlite,
        extra: files.extra,
    };
    if args.json {
        let document = serde_json::to_string_pretty(&summary)?;
        ui::line(format_args!("{document}"))?;
    } else {
        print(&summary)?;
    }
    if stop.load(Ordering::Relaxed) {
        eprintln!("fuzzcheck: interrupted: not all cases were run");
        return Ok(ExitCode::from(EXIT_ERROR));
    }
    for (name, message) in &report.harness_errors {
        eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
    }
    Ok(if report.harness_errors.is_empty() { skipped } else { ExitCode::from(EXIT_ERROR) })
}

fn print(summary: &Summary) -> Result<()> {
    let Coverage { branches, lines, functions, regions } = summary.coverage;
    ui::print(|out| {
        for (name, count) in
            [("branches", branches), ("lines", lines), ("functions", functions), ("regions", regions)]
        {
            let Count { covered, total } = count;
            writeln!(out, "{name:<10} {covered:>7} of {total:>7}  {:5.2} %", count.percent())?;
        }
        for (path, Coverage { branches, functions, .. }) in &summary.extra {
            let (path, functions) = (path.display(), functions.covered);
            let Count { covered, total } = branches;
            writeln!(out, "{path}: branches {covered} of {total}, {functions} functions ran")?;
        }
        let (cases, findings) = (summary.cases, summary.cases_with_findings);
        writeln!(out, "fuzzcheck: sqlite3.c as reached by {cases} cases, {findings} of them with findings")?;
        Ok(())
    })
}
