//! `fuzzcheck simulate loop`: one simulation after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tandem::generators::simulation::Coverage;

use super::arguments::{Prepared, SimulationArgs, engines};
use super::{Told, exit_code, print_configuration, tell};
use crate::base::project;
use crate::build::releases::Releases;
use crate::campaign::notify;
use crate::files;
use crate::simulating::count::Counts;
use crate::simulating::issues::{self, Issue, Notice};
use crate::simulating::{Finding, output};
use crate::ui::{self, LINE_INTERVAL, Ticker};
use crate::verbs::Verb;
use crate::verbs::shared::{interrupt_flag, positive};

/// Differences of one signature that are made smaller.
const EXAMPLES_MAX: usize = 25;
/// Variables that hold what the notify command needs to file an issue.
const TOKENS: [&str; 2] = ["ISSUE_TOKEN", "GITHUB_TOKEN"];

/// Run simulations of one seed after the other.
///
/// Stops at the first that differs, unless there is a report to collect them in. Exit codes as for `simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many simulations [default: until it is stopped]
    simulations: Option<u64>,
    /// The first engine, as for `simulate`.
    a: Option<String>,
    /// The second one.
    b: Option<String>,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Collect differences in this file (Markdown), by signature, instead of stopping at the first.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write an issue per signature into this folder; one that has its file already is counted there.
    #[arg(long, value_name = "DIR", requires = "report")]
    issues: Option<PathBuf>,
    /// Run this for each new issue, with JSON on its standard input; without ISSUE_TOKEN or GITHUB_TOKEN in the environment,
    /// only say so.
    #[arg(long, value_name = "COMMAND", requires = "issues")]
    notify_cmd: Option<String>,
    /// Find the first and last release with each difference, in the place of the first engine (see `bisect`).
    #[arg(long, requires = "report")]
    bisect: bool,
    /// A folder with releases to search instead of the published ones, as for `bisect`.
    #[arg(long, value_name = "DIR", requires = "bisect")]
    releases: Option<PathBuf>,
    /// Minutes after which to stop.
    #[arg(long, value_name = "MIN", env = "TIME_LIMIT_MINUTES", value_parser = positive)]
    time_limit_min: Option<f64>,
    /// Tell the progress on standard output.
    #[arg(long, env = "LOG_TO_STDOUT", value_parser = clap::builder::BoolishValueParser::new(), default_missing_value = "true", num_args = 0..=1, default_value = "false", hide_default_value = true)]
    log_to_stdout: bool,
}

/// A signature, with how often it was seen, and its first seed.
#[derive(Debug)]
struct Seen {
    simulations: u64,
    repeat: String,
    told: Told,
    /// The releases that show it, in words, or why they are not known.
    releases: Option<String>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        if let Some(path) = &self.report {
            files::refuse_corpus(path)?;
            files::refuse_special(path)?;
        }
        let has_bytes = self.simulation.entropy.is_some();
        ensure!(!has_bytes, "--entropy: the bytes of a file make one simulation: use `simulate`");
        let stop = interrupt_flag()?;
        let prepared = self.simulation.prepare(engines(self.a.as_deref(), self.b.as_deref()))?;
        let repeat = self.simulation.repeat(&prepared.simulator.names, prepared.seed);
        let releases = self.bisect.then(|| Releases::new(self.releases.as_deref())).transpose()?;
        if releases.is_some() {
            prepared.simulator.bisectable(0)?;
        }
        ui::print(|out| print_configuration(&prepared, &repeat, out))?;
        let (counts, coverage) = (Counts::default(), Coverage::default());
        let mut run =
            Loop { args: self, prepared, counts, coverage, seen: BTreeMap::new(), examples: BTreeMap::new() };
        let started = Instant::now();
        run.all(started, &stop)?;
        let seconds = started.elapsed().as_secs_f64();
        if let Some(releases) = &releases {
            run.bisect(releases, &stop)?;
        }
        let Loop { counts, seen, .. } = &run;
        ensure!(counts.simulations > 0, "no simulation was run");
        let is_silent = counts.are_oracles_silent() && seen.is_empty();
        ensure!(!is_silent, "--oracles: none of them judged any of {} simulations", counts.simulations);
        eprintln!("fuzzcheck: {:.0} statements a second", counts.total() as f64 / seconds);
        ui::print(|out| {
            for Seen { simulations, told, repeat, releases } in seen.values() {
                told.print(out)?;
                if let Some(releases) = releases {
                    writeln!(out, "  SQLite:  {releases}")?;
                }
                writeln!(out, "  seen:    in {simulations} simulations\n  first:   {repeat}")?;
            }
            counts.print(out)?;
            let (found, all) = (seen.len(), counts.simulations);
            Ok(writeln!(out, "fuzzcheck: {found} differences out of {all} simulations")?)
        })?;
        Ok(exit_code(&stop, seen.is_empty()))
    }
}

struct Loop<'a> {
    args: &'a Args,
    prepared: Prepared,
    counts: Counts,
    coverage: Coverage,
    /// By signature and what it needs.
    seen: BTreeMap<String, Seen>,
    /// What those of a signature were that were made smaller.
    examples: BTreeMap<String, Vec<String>>,
}

impl Loop<'_> {
    /// Runs all simulations, until the number or the time is reached, or something is found and not to be collected.
    fn all(&mut self, started: Instant, stop: &Arc<AtomicBool>) -> Result<()> {
        let most = self.args.simulations.unwrap_or(u64::MAX);
        let time = self.args.time_limit_min.map(|minutes| Duration::from_secs_f64(60.0 * minutes));
        let mut ticker = Ticker::new();
        let mut logged = Instant::now();
        while self.counts.simulations < most
            && !stop.load(Ordering::Relaxed)
            && time.is_none_or(|time| started.elapsed() < time)
        {
            let seed = self.prepared.seed.wrapping_add(self.counts.simulations);
            self.one(seed, stop).with_context(|| format!("seed {seed}"))?;
            if self.args.log_to_stdout && logged.elapsed() >= LINE_INTERVAL {
                logged = Instant::now();
                ui::line(format_args!("{}", self.progress()))?;
            }
            ticker.show(|| self.progress());
            if self.args.report.is_none() && !self.seen.is_empty() {
                break;
            }
        }
        ticker.finish();
        if self.args.log_to_stdout {
            ui::line(format_args!("{}", self.progress()))?;
        }
        self.args.report.as_ref().map_or(Ok(()), |path| self.write_report(path))
    }

    fn progress(&self) -> String {
        let Counts { simulations, pass, skipped, warning, failed, .. } = &self.counts;
        let found = self.seen.len();
        format!(
            "{simulations} simulations: {pass} pass, {skipped} skipped, {warning} warnings, {failed} failed, {found} signatures"
        )
    }

    fn one(&mut self, seed: u64, stop: &Arc<AtomicBool>) -> Result<()> {
        let simulation = self.prepared.simulation(seed);
        let outcome = self.prepared.simulator.run(&simulation)?;
        self.counts.add(&Counts::of(&outcome));
        self.coverage.merge(&simulation.coverage);
        if outcome.findings.is_empty() {
            return Ok(());
        }
        let folder = project().join("target/simulations").join(seed.to_string());
        let repeat = self.args.simulation.repeat(&self.prepared.simulator.names, seed);
        output::write(&folder, &simulation, &outcome, &self.prepared.simulator, &repeat, false)?;
        for finding in &outcome.findings {
            self.add(finding, &folder, &repeat, stop)?;
        }
        self.args.report.as_ref().map_or(Ok(()), |path| self.write_report(path))
    }

    /// Counts a finding. Some of a signature are made smaller, since it may stand for several bugs; the others count for
    /// the first.
    fn add(&mut self, finding: &Finding, folder: &Path, repeat: &str, stop: &Arc<AtomicBool>) -> Result<()> {
        let examples = self.examples.entry(finding.signature.clone()).or_default();
        if examples.len() >= EXAMPLES_MAX {
            let bug = examples[0].clone();
            return self.count(&bug);
        }
        let search = self.args.simulation.search();
        let simulator = &self.prepared.simulator;
        for told in tell(std::slice::from_ref(finding), simulator, folder, search.as_ref(), stop) {
            let bug = told.bug();
            self.examples.entry(finding.signature.clone()).or_default().push(bug.clone());
            if self.seen.contains_key(&bug) {
                self.count(&bug)?;
            } else {
                eprintln!("fuzzcheck: {bug}: {repeat}");
                self.file_issue(&told, repeat)?;
                self.seen
                    .insert(bug, Seen { simulations: 1, repeat: repeat.to_owned(), told, releases: None });
            }
        }
        Ok(())
    }

    /// Finds the releases that show what was seen.
    fn bisect(&mut self, releases: &Releases, stop: &AtomicBool) -> Result<()> {
        for (bug, seen) in &mut self.seen {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let Told { signature, minimized, by_oracle, .. } = &seen.told;
            seen.releases = Some(match minimized {
                Ok(path) => {
                    eprintln!("fuzzcheck: {bug}: searching for the releases that show it");
                    let found = self.prepared.simulator.bisect(path, signature, *by_oracle, releases);
                    found.unwrap_or_else(|error| format!("not found out: {error:#}"))
                }
                Err(why) => format!("not found out: it was not made smaller: {why}"),
            });
        }
        self.args.report.as_ref().map_or(Ok(()), |path| self.write_report(path))
    }

    /// Counts a bug that this run has seen.
    fn count(&mut self, bug: &str) -> Result<()> {
        self.seen.entry(bug.to_owned()).and_modify(|seen| seen.simulations += 1);
        if let Some(folder) = &self.args.issues {
            issues::count(folder, bug)?;
        }
        Ok(())
    }

    /// Writes the issue of a signature that this run sees for the first time.
    fn file_issue(&self, told: &Told, repeat: &str) -> Result<()> {
        let Some(folder) = &self.args.issues else { return Ok(()) };
        let bug = told.bug();
        if issues::count(folder, &bug)? {
            return Ok(());
        }
        let engines = self.prepared.simulator.identities();
        let Told { message, script, .. } = told;
        let issue = Issue { signature: &bug, engines: &engines, message, repeat, script };
        let path = issues::write(folder, &issue)?;
        let Some(command) = &self.args.notify_cmd else { return Ok(()) };
        if TOKENS.iter().any(|name| std::env::var_os(name).is_some_and(|token| !token.is_empty())) {
            // A report that cannot be sent is no reason to stop looking.
            if let Err(error) = notify::send(command, &Notice::new(&issue, &path)) {
                eprintln!("fuzzcheck: {error:#}");
            }
        } else {
            eprintln!(
                "fuzzcheck: dry run: no {}: `{command}` would get {}",
                TOKENS.join(" or "),
                path.display()
            );
        }
        Ok(())
    }

    fn write_report(&self, path: &Path) -> Result<()> {
        let [a, b] = self.prepared.simulator.identities();
        let mut text = format!("# Simulations\n\n- A: {a}\n- B: {b}\n\n```text\n");
        let mut lines = Vec::new();
        self.counts.print(&mut lines)?;
        text += &String::from_utf8_lossy(&lines);
        text += &format!("simulations {}\n```\n", self.counts.simulations);
        for Seen { simulations, repeat, told, releases } in self.seen.values() {
            let (bug, Told { script, message, .. }) = (told.bug(), told);
            let found = releases.as_ref().map_or(String::new(), |range| format!("\nSQLite: {range}.\n"));
            text += &format!(
                "\n## {bug}\n\nIn {simulations} simulations; first: `{repeat}`\n{found}\n```sql\n{}\n```\n\n```text\n{}\n```\n",
                script.trim_end(),
                message.trim()
            );
        }
        text += &format!("\n## What came up\n\n```text\n{}```\n", self.coverage);
        files::write(path, text.as_bytes())
    }
}
