//! `fuzzcheck triage`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use tandem::TestCase;
use tandem::minimize::{End, Part};
use tandem::testcase::CaseId;

use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::bisecting::Build;
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::releases::Releases;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::files;
use crate::minimizing::Probes;
use crate::minimizing::arguments::SearchArgs;
use crate::minimizing::work::Work;
use crate::replay::cut_short::{self, CutShort};
use crate::replay::oracles::Oracles;
use crate::replay::report::{Done, Finding, Report};
use crate::replay::{Options, run_all};
use crate::source;
use crate::triage::known::Known;
use crate::triage::state::{Bug, State};
use crate::ui::{self, Progress};
use crate::verbs::Verb;
use crate::verbs::shared::{in_words, interrupt_flag, paths_or_corpus, target_by_name, tell_skipped};

/// Sort cases by bug, minimize the smallest of each, and tell new bugs from known ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Cases: folders, files, corpus databases [default: fuzz/artifacts]
    paths: Vec<PathBuf>,
    /// Folder for the record of each bug and its smallest case [default: fuzz/triage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where the cases of known bugs are [default: corpus/]
    #[arg(long, value_name = "PATH")]
    corpus: Vec<PathBuf>,
    /// Do not minimize.
    #[arg(long)]
    no_minimize: bool,
    /// Find the first and last release with each unknown bug (see `bisect`).
    #[arg(long)]
    bisect: bool,
    /// The limits of minimizing, for each bug.
    #[command(flatten)]
    limits: SearchArgs,
    /// Run single files on this target instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The build that shows the bugs [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Plant a bug by name, to check that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// Cases of a bug, and what the smallest of them says.
struct Group<'a> {
    cases: Vec<&'a Done>,
    message: String,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(self.target.as_deref())?;
        let paths =
            if self.paths.is_empty() { vec![project().join("fuzz/artifacts")] } else { self.paths.clone() };
        let all = source::open(&paths, target)?;
        let has_skipped = !all.skipped.is_empty();
        tell_skipped(&all);
        if all.total == 0 {
            bail!("{}: no cases there", in_words(&paths));
        }
        let folder = self.state.clone().unwrap_or_else(|| project().join("fuzz/triage"));
        let mut state = State::open(&folder)?;
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let known = Known::all(&paths_or_corpus(&self.corpus), configuration.what().is_empty())?;
        let options = Options {
            oracles: Oracles::all(),
            plant: self.plant.clone(),
            timeout_ms: TIMEOUT_MS,
            ..Options::default()
        };
        let probes = Probes::new(&configuration, None, &options, &project(), !self.no_install)?;
        let stop = interrupt_flag()?;
        let report = run_pile(self, &probes, all, &stop)?;
        let groups = groups(&report);
        let before: BTreeSet<String> = state.bugs.keys().cloned().collect();
        for (signature, group) in &groups {
            note(&mut state, signature, group, &configuration.to_string())?;
            state.save()?;
            if !self.no_minimize && !stop.load(Ordering::Relaxed) {
                let work = Work {
                    probes: &probes,
                    slowness: configuration.build.slowness(),
                    parts: Part::ALL.to_vec(),
                    limits: self.limits.clone(),
                    stop: Arc::clone(&stop),
                    is_fresh: false,
                };
                make_smaller(&mut state, signature, &work)?;
                state.save()?;
            }
        }
        let mut summary = Summary::new(&state, &groups, &before, &known, &probes, &report);
        if self.bisect {
            let build = Build {
                configuration: &configuration,
                releases: &Releases::new(self.configuration.releases.as_deref())?,
                project: &project(),
                may_install: !self.no_install,
                options: &Options { worker_memory_mib: WORKER_MEMORY_MIB, ..options },
                other: None,
            };
            let unknown = summary.bugs.iter_mut().filter(|bug| bug.known.is_none());
            unknown.take_while(|_| !stop.load(Ordering::Relaxed)).try_for_each(|bug| bisect(bug, &build))?;
        }
        if self.json {
            let document = serde_json::to_string_pretty(&summary)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| summary.print(out))?;
        }
        if has_skipped || stop.load(Ordering::Relaxed) || !report.harness_errors.is_empty() {
            for (name, message) in &report.harness_errors {
                eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
            }
            return Ok(ExitCode::from(EXIT_ERROR));
        }
        let has_new = summary.bugs.iter().any(|bug| bug.known.is_none());
        Ok(if has_new { ExitCode::from(EXIT_FINDINGS) } else { ExitCode::SUCCESS })
    }
}

fn run_pile(args: &Args, probes: &Probes, all: source::Cases, stop: &Arc<AtomicBool>) -> Result<Report> {
    let (program, options) = probes.first();
    let jobs = args.limits.jobs.map_or_else(cores, usize::from);
    let mut progress = Progress::new(all.total);
    let mut cases = all.cases;
    let report = run_all(program, options, jobs, &mut cases, stop, |done| {
        progress.case_done(done.has_unknown_bugs())
    })?;
    progress.finish();
    if report.cases == 0 {
        bail!("no case was run{}", if stop.load(Ordering::Relaxed) { ": interrupted" } else { "" });
    }
    Ok(report)
}

/// The cases of each signature, smallest first. A case counts for the most important of its bugs.
fn groups(report: &Report) -> BTreeMap<String, Group<'_>> {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| (finding.case.body.len(), &finding.case.name));
    for finding in findings {
        let bug = &finding.bugs[0];
        let group = groups.entry(bug.signature.clone());
        let group = group.or_insert_with(|| Group { cases: Vec::new(), message: bug.message.clone() });
        group.cases.push(&finding.case);
    }
    groups
}

/// Adds the cases of a bug to the state, which keeps the smallest.
fn note(state: &mut State, signature: &str, group: &Group<'_>, build: &str) -> Result<()> {
    let (now, smallest) = (Timestamp::now(), group.cases[0]);
    let path = state.case_path(signature);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let old_bytes = std::fs::metadata(&path).map(|file| file.len()).ok();
    let is_smaller = old_bytes.is_none_or(|bytes| (smallest.body.len() as u64) < bytes);
    let bug = state.bugs.entry(signature.to_owned()).or_insert_with(|| Bug {
        first_seen: now,
        last_seen: now,
        cases: BTreeSet::new(),
        builds: BTreeSet::new(),
        target: smallest.target.name.to_owned(),
        smallest: name,
        is_minimal: false,
        guilty_optimizations: Vec::new(),
        message: String::new(),
    });
    bug.last_seen = now;
    bug.builds.insert(build.to_owned());
    bug.cases.extend(group.cases.iter().map(|done| CaseId::of_encoded(&done.body).to_string()));
    if is_smaller {
        files::write(&path, &smallest.body)?;
        bug.target = smallest.target.name.to_owned();
        bug.is_minimal = false;
        bug.message.clone_from(&group.message);
    }
    Ok(())
}

/// Minimizes the smallest case of a bug, unless that has been done.
fn make_smaller(state: &mut State, signature: &str, work: &Work<'_>) -> Result<()> {
    let path = state.case_path(signature);
    let Some(bug) = state.bugs.get_mut(signature).filter(|bug| !bug.is_minimal) else {
        return Ok(());
    };
    let target = target_by_name(Some(&bug.target))?.context("every bug has a target")?;
    let case = source::single(&path, Some(target))?.case;
    eprintln!("fuzzcheck: {signature}: {} cases; minimizing the smallest", bug.cases.len());
    // Beside the case, which stays until there is a smaller one.
    let to = path.with_extension("min");
    match work.run(&case, target, Some(signature), &to, |_, _| {}) {
        Ok(smaller) => {
            files::write(&path, &smaller.case.encode())?;
            bug.target = smaller.target.name.to_owned();
            bug.is_minimal = smaller.end == End::Minimal;
            bug.message = smaller.message;
            bug.guilty_optimizations = smaller.guilty.iter().map(|name| (*name).to_owned()).collect();
        }
        // A bug that no longer shows when its case runs alone should not end the whole run.
        Err(error) => eprintln!("fuzzcheck: {signature}: not minimized: {error:#}"),
    }
    for done in [to.clone(), to.with_extension("min.json")] {
        std::fs::remove_file(done).ok();
    }
    Ok(())
}

/// Finds out which releases show a bug, by its smallest case.
fn bisect(bug: &mut Shown, build: &Build<'_>) -> Result<()> {
    eprintln!("fuzzcheck: {}: searching for the releases that show it", bug.signature);
    let target = target_by_name(Some(&bug.target))?.context("every bug has a target")?;
    let named = source::single(&bug.smallest, Some(target))?;
    let bisected = build.bisect(&named, Some(&bug.signature), build.configuration.release())?;
    bug.releases = Some(match bisected {
        Some(bisected) => bisected.in_words(),
        None => "in none of the releases".to_owned(),
    });
    Ok(())
}

/// The JSON document.
#[derive(Serialize)]
struct Summary {
    version: u32,
    cases: u64,
    cases_without_finding: u64,
    /// Cases whose rest was not judged, by limit.
    cut_short: Vec<CutShort>,
    bugs: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    signature: String,
    known: Option<String>,
    is_new: bool,
    cases_here: usize,
    cases: usize,
    first_seen: Timestamp,
    last_seen: Timestamp,
    smallest: PathBuf,
    bytes: u64,
    statements: usize,
    guilty_optimizations: Vec<String>,
    /// The releases that show it, in words, with --bisect.
    releases: Option<String>,
    message: String,
    target: String,
    replay: String,
    show: String,
    add: String,
}

impl Summary {
    fn new(
        state: &State,
        groups: &BTreeMap<String, Group<'_>>,
        before: &BTreeSet<String>,
        known: &Known,
        probes: &Probes,
        report: &Report,
    ) -> Self {
        let shown = |(signature, group): (&String, &Group<'_>)| {
            let bug = state.bugs.get(signature)?;
            let path = state.case_path(signature);
            let bytes = std::fs::read(&path).unwrap_or_default();
            let target = target_by_name(Some(&bug.target)).ok()??;
            Some(Shown {
                known: known.get(signature).map(str::to_owned),
                is_new: !before.contains(signature),
                cases_here: group.cases.len(),
                cases: bug.cases.len(),
                first_seen: bug.first_seen,
                last_seen: bug.last_seen,
                bytes: bytes.len() as u64,
                statements: crate::minimizing::work::Size::of(&TestCase::decode(&bytes)).statements,
                guilty_optimizations: bug.guilty_optimizations.clone(),
                releases: None,
                message: bug.message.clone(),
                target: target.name.to_owned(),
                replay: probes.replay(&path, target, signature),
                show: command_line::fuzzcheck("show", [path.display().to_string()]),
                add: crate::verbs::corpus::add::command(probes.run_words(), target.name, signature, &path),
                signature: signature.clone(),
                smallest: path,
            })
        };
        let found: usize = groups.values().map(|group| group.cases.len()).sum();
        Self {
            version: 1,
            cases: report.cases,
            cases_without_finding: report.cases - found as u64,
            cut_short: report.cut_short_by_limit(),
            bugs: groups.iter().filter_map(shown).collect(),
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        for bug in &self.bugs {
            writeln!(out, "{}", bug.signature)?;
            let first_line = bug.message.trim().lines().next().unwrap_or_default();
            writeln!(out, "  says:   {first_line}")?;
            match (&bug.known, bug.is_new) {
                (Some(known), _) => writeln!(out, "  known:  {known}")?,
                (None, true) => writeln!(out, "  new")?,
                (None, false) => writeln!(out, "  seen before, unknown")?,
            }
            let (here, all) = (bug.cases_here, bug.cases);
            writeln!(
                out,
                "  cases:  {here} here, {all} in total; first seen {}, last {}",
                day(bug.first_seen),
                day(bug.last_seen)
            )?;
            writeln!(
                out,
                "  case:   {} ({} bytes, {} statements)",
                bug.smallest.display(),
                bug.bytes,
                bug.statements
            )?;
            if !bug.guilty_optimizations.is_empty() {
                writeln!(out, "  needs:  the optimization {}", bug.guilty_optimizations.join(", "))?;
            }
            bug.releases.iter().try_for_each(|releases| writeln!(out, "  SQLite: {releases}"))?;
            writeln!(out, "  replay: {}", bug.replay)?;
            writeln!(out, "  read:   {}", bug.show)?;
            writeln!(out, "  add:    {}", bug.add)?;
        }
        let known = self.bugs.iter().filter(|bug| bug.known.is_some()).count();
        let new = self.bugs.iter().filter(|bug| bug.known.is_none() && bug.is_new).count();
        if !self.cut_short.is_empty() {
            writeln!(out, "{}", cut_short::for_run(&self.cut_short))?;
        }
        let (cases, silent, all) = (self.cases, self.cases_without_finding, self.bugs.len());
        writeln!(
            out,
            "fuzzcheck: {cases} cases, {all} bugs: {new} new, {known} known; {silent} cases show nothing in this build"
        )?;
        Ok(())
    }
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
