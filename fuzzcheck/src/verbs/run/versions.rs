//! `fuzzcheck run --sqlite-version A,B,C`: a table, case by version.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use serde::Serialize;

use super::Args;
use super::{execute, select};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::replay::Report;
use crate::replay::cut_short::{self, CutShort};
use crate::source;
use crate::ui;
use crate::verbs::shared::{in_words, interrupt_flag, paths_or_corpus, target_by_name, tell_skipped};

/// Of more cases, only those that show something have a row.
const ROWS_WITHOUT_FINDINGS_MAX: usize = 20;

/// What one version did.
#[derive(Serialize)]
struct Column {
    sqlite: String,
    source_id: String,
    cases: u64,
    errors: usize,
    harness_errors: usize,
    cut_short: Vec<CutShort>,
    /// Whether the oracles that were named judged no case at all.
    is_unjudged: bool,
}

/// All versions.
#[derive(Serialize)]
struct Table {
    version: u32,
    build: &'static str,
    versions: Vec<Column>,
    /// By case, what each version shows: a signature, or that it was cut short; `null` for nothing.
    cases: BTreeMap<String, Vec<Option<String>>>,
}

/// Runs the cases in each of these versions.
pub(super) fn run(args: &Args, versions: &[String]) -> Result<ExitCode> {
    let target = target_by_name(args.target.as_deref())?;
    let paths = paths_or_corpus(&args.paths);
    let stop = interrupt_flag()?;
    let mut table = Table { version: 1, build: "", versions: Vec::new(), cases: BTreeMap::new() };
    let mut code = ExitCode::SUCCESS;
    let mut names = Vec::new();
    for version in versions {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let configuration =
            ConfigurationArgs { sqlite_version: Some(version.clone()), ..args.configuration.clone() };
        let worker = Worker::build(
            &Configuration::new(&configuration, &BuildKind::JUDGING)?,
            &project(),
            !args.no_install,
        )?;
        let all = source::open(&paths, target)?;
        if table.versions.is_empty() {
            code = tell_skipped(&all);
            // They are run once more than they are read: their names stand in the rows.
            names = select(source::open(&paths, target)?, args).cases.map(|named| named.name).collect();
        }
        let report = execute(args, &worker, select(all, args), &stop)?;
        if report.cases == 0 {
            bail!("no case was run: {}", in_words(&paths));
        }
        table.build = worker.configuration.build.name();
        let is_unjudged = args.oracles.are_named() && report.is_unjudged();
        if is_unjudged {
            eprintln!(
                "fuzzcheck: {}: no case was judged by {}: `run --sqlite-version {version}` says why",
                worker.identity.version, args.oracles
            );
        }
        table.add(&worker, &report, is_unjudged);
    }
    table.fill(&names);
    if args.json {
        let document = serde_json::to_string_pretty(&table)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| table.print(out))?;
    }
    if stop.load(Ordering::Relaxed) {
        eprintln!("fuzzcheck: interrupted: not all versions were run");
    }
    let has_failed = stop.load(Ordering::Relaxed)
        || code != ExitCode::SUCCESS
        || table.versions.iter().any(|column| column.is_unjudged || column.harness_errors > 0);
    let has_found = table.versions.iter().any(|column| column.errors > 0);
    Ok(ExitCode::from(if has_failed { EXIT_ERROR } else { EXIT_FINDINGS * u8::from(has_found) }))
}

impl Table {
    fn add(&mut self, worker: &Worker, report: &Report, is_unjudged: bool) {
        for (name, message) in &report.harness_errors {
            eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
        }
        let before = self.versions.len();
        for finding in &report.findings {
            let shown = self.cases.entry(finding.case.name.clone()).or_default();
            shown.resize(before, None);
            shown.push(Some(finding.bugs[0].signature.clone()));
        }
        // A case that was not run to its end has not passed.
        let names: BTreeSet<&str> =
            report.findings.iter().map(|finding| finding.case.name.as_str()).collect();
        for (name, _) in report.cut_short.values().filter(|(name, _)| !names.contains(name.as_str())) {
            let shown = self.cases.entry(name.clone()).or_default();
            shown.resize(before, None);
            shown.push(Some("cut short".to_owned()));
        }
        self.versions.push(Column {
            sqlite: worker.configuration.release().unwrap_or(&worker.identity.version).to_owned(),
            source_id: worker.identity.source_id.clone(),
            cases: report.cases,
            errors: report.findings.len(),
            harness_errors: report.harness_errors.len(),
            cut_short: report.cut_short_by_limit(),
            is_unjudged,
        });
    }

    /// Fills up each row: nothing was shown.
    fn fill(&mut self, names: &[String]) {
        if names.len() <= ROWS_WITHOUT_FINDINGS_MAX {
            self.cases.extend(
                names
                    .iter()
                    .filter(|name| !self.cases.contains_key(*name))
                    .map(|name| (name.clone(), Vec::new()))
                    .collect::<Vec<_>>(),
            );
        }
        let count = self.versions.len();
        self.cases.values_mut().for_each(|shown| shown.resize(count, None));
    }

    /// In Markdown.
    fn print(&self, out: &mut dyn Write) -> Result<()> {
        let row =
            |cells: &mut dyn Iterator<Item = &str>| format!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        let versions = self.versions.iter().map(|column| column.sqlite.as_str());
        writeln!(out, "{}", row(&mut std::iter::once("case").chain(versions)))?;
        writeln!(out, "|{}", "---|".repeat(self.versions.len() + 1))?;
        for (name, shown) in &self.cases {
            let cells = shown.iter().map(|signature| signature.as_deref().unwrap_or("-"));
            writeln!(out, "{}", row(&mut std::iter::once(name.as_str()).chain(cells)))?;
        }
        for Column { sqlite, source_id, cases, errors, cut_short, is_unjudged, .. } in &self.versions {
            let cut_short = match cut_short.as_slice() {
                [] => String::new(),
                some => format!(", cut short {}", cut_short::in_words(some)),
            };
            let build = self.build;
            let unjudged = if *is_unjudged { ", none judged" } else { "" };
            writeln!(
                out,
                "fuzzcheck: {sqlite} ({source_id}), {build} build: {errors} errors out of {cases} cases{cut_short}{unjudged}"
            )?;
        }
        Ok(())
    }
}
