//! `fuzzcheck explore`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;
use tandem::minimize::Part;
use tandem::schedules::Strategy;
use tandem::testcase::{Operation, Schedule};

use crate::base::text::{count, counted};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::exploring::interleaving::{self, Line};
use crate::exploring::{Explorer, Found, Totals, timeout_ms};
use crate::minimizing::Probes;
use crate::minimizing::arguments::SearchArgs;
use crate::minimizing::work::Work;
use crate::replay::Options;
use crate::replay::arguments::LimitArgs;
use crate::replay::oracles::Oracles;
use crate::source::{self, NamedCase};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup;
use crate::verbs::run::output::run_command;
use crate::verbs::shared::{check_plant, interrupt_flag, save_case, target_by_name};

/// Run a case of several connections under many schedules.
///
/// In these they take turns within their statements. The first that shows something is made smaller, saved with its case and
/// printed as who did what. Exit codes: 0 nothing was found, 1 something was, 2 wrong usage, an internal error, an
/// interruption, or not one run that was judged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// Which schedules: `pct:DEPTH` (random priorities, which change DEPTH - 1 times), `random`, `dfs` (all), `dfs:N` (all with
    /// at most N preemptions), `round-robin`, `in-order`, or one schedule, such as `3.12:1,5.0:0` [default: that of the case,
    /// or pct:3].
    #[arg(long, value_name = "STRATEGY")]
    schedule: Option<Strategy>,
    /// How many schedules.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// The seed of random schedules.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Leave what was found as it is.
    #[arg(long)]
    no_minimize: bool,
    /// Limits of making it smaller.
    #[command(flatten)]
    search: SearchArgs,
    /// The target of the case, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Which oracles judge, as for `run`.
    #[arg(long, value_name = "NAME,...", default_value_t)]
    oracles: Oracles,
    /// Folder for the case of a finding [default: as for `run`]
    #[arg(long, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    /// Limits.
    #[command(flatten)]
    limits: LimitArgs,
    /// The build whose workers run the case [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
    /// Plant a bug by name, to check that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let started = Instant::now();
        check_plant(self.plant.as_deref())?;
        let named = self.case()?;
        let strategy = self.strategy(&named.case);
        let project = self.project.clone().unwrap_or_else(project);
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let worker = Worker::build(&configuration, &project, !self.no_install)?;
        let stop = interrupt_flag()?;
        let options = self.options();
        let mut explored = options.clone();
        explored.timeout_ms = timeout_ms(options.timeout_ms);
        let explorer = Explorer {
            worker: &worker,
            options: &explored,
            jobs: self.search.jobs.map_or_else(cores, usize::from),
            strategy: &strategy,
            seed: self.seed,
            runs: self.runs,
            stop: &stop,
        };
        let ticker = std::sync::Mutex::new(ui::Ticker::new());
        let tell = |totals: &Totals| {
            if let Ok(mut ticker) = ticker.lock() {
                ticker.show(|| format!("{} of {} schedules", count(totals.runs), count(self.runs)));
            }
        };
        let totals = explorer.run(&named, &tell)?;
        if let Ok(ticker) = ticker.into_inner() {
            ticker.finish();
        }
        let is_interrupted = stop.load(Ordering::Relaxed);
        let found = match &totals.found {
            Some(found) => Some(self.finish(&named, found, &worker, &options, &project, &stop)?),
            None => None,
        };
        let is_one = matches!(strategy, Strategy::Replay(_) | Strategy::InOrder | Strategy::RoundRobin);
        let lines = if found.is_none() && is_one && totals.runs > 0 {
            let schedule = match &strategy {
                Strategy::Replay(schedule) => schedule.clone(),
                _ => Schedule::default(),
            };
            let case = TestCase { schedule, ..named.case.clone() };
            interleaving::of(&NamedCase { case, ..named.clone() }, &worker, &options)?
        } else {
            Vec::new()
        };
        let document = Document {
            version: 1,
            strategy: strategy.to_string(),
            seed: self.seed,
            sqlite: worker.identity.source_id.clone(),
            totals: totals.clone(),
            found,
            interleaving: lines,
            seconds: started.elapsed().as_secs_f64(),
        };
        if self.json {
            ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
        } else {
            ui::print(|out| print(&document, out))?;
        }
        let is_judged = totals.counts.oracles.values().any(|counts| counts.passed + counts.failed > 0);
        Ok(if document.found.is_some() {
            ExitCode::from(EXIT_FINDINGS)
        } else if is_interrupted {
            eprintln!("fuzzcheck: interrupted after {}", counted(totals.runs, "schedule"));
            ExitCode::from(EXIT_ERROR)
        } else if !is_judged || totals.cut_short == totals.runs {
            eprintln!("fuzzcheck: no run was judged, or each was cut short");
            ExitCode::from(EXIT_ERROR)
        } else {
            ExitCode::SUCCESS
        })
    }
}

impl Args {
    fn case(&self) -> Result<NamedCase> {
        let target = target_by_name(self.target.as_deref())?;
        let path = Path::new(&self.case);
        let named = if path.exists() {
            let mut all = source::open(&[path.to_owned()], target)?;
            match (all.cases.next(), all.cases.next()) {
                (Some(named), None) => named,
                (None, _) => bail!("{}: no case there", self.case),
                _ => bail!("{}: several cases; one is explored: name it by its id", self.case),
            }
        } else {
            lookup::find(&self.case, &[], target)?.0
        };
        let operations = named.case.operations.list().iter();
        let connections = operations.filter_map(|operation| operation.clone().connection_mut().map(|id| *id));
        let mut connections: Vec<u8> = connections.collect();
        connections.sort_unstable();
        connections.dedup();
        if connections.len() < 2 {
            bail!(
                "{}: nobody takes turns in it: a case of several connections is made with `compose --turns`",
                self.case
            );
        }
        Ok(named)
    }

    fn strategy(&self, case: &TestCase) -> Strategy {
        self.schedule.clone().unwrap_or_else(|| match case.schedule.is_empty() {
            true => Strategy::Pct(3),
            false => Strategy::Replay(case.schedule.clone()),
        })
    }

    fn options(&self) -> Options {
        Options {
            oracles: self.oracles.clone(),
            plant: self.plant.clone(),
            limits: (&self.limits).into(),
            timeout_ms: TIMEOUT_MS,
            worker_memory_mib: WORKER_MEMORY_MIB,
            ..Options::default()
        }
    }

    /// Makes what was found smaller, and saves it.
    fn finish(
        &self,
        named: &NamedCase,
        found: &Found,
        worker: &Worker,
        options: &Options,
        project: &Path,
        stop: &Arc<std::sync::atomic::AtomicBool>,
    ) -> Result<FoundDocument> {
        let configuration = &worker.configuration;
        let folder =
            self.save_dir.clone().unwrap_or_else(|| configuration.artifacts(project, named.target.name));
        let saved = save_case("explore", &named.name, &found.case.encode(), &folder)?;
        let mut case = found.case.clone();
        if !self.no_minimize {
            // Judged as they were explored, but for the schedule, which is theirs now.
            let probes = Probes::new(configuration, None, options, project, !self.no_install)?;
            let work = Work {
                probes: &probes,
                slowness: configuration.build.slowness(),
                parts: vec![Part::Faults, Part::Operations, Part::Sql],
                limits: self.search.clone(),
                stop: Arc::clone(stop),
                is_fresh: true,
            };
            let path = saved.with_extension("min");
            match work.run(&case, named.target, Some(&found.bug.signature), &path, |_, _| ()) {
                Ok(smaller) => case = smaller.case,
                Err(error) => eprintln!("fuzzcheck: not made smaller: {error:#}"),
            }
            std::fs::remove_file(&path).ok();
        }
        let saved = save_case("explore", &named.name, &case.encode(), &folder)?;
        let small = NamedCase { case: case.clone(), ..named.clone() };
        Ok(FoundDocument {
            signature: found.bug.signature.clone(),
            message: found.bug.message.clone(),
            schedule: case.schedule.to_string(),
            switches: case.schedule.switches().len(),
            replay: run_command(&saved, named.target, named.heap_bytes, options, configuration),
            interleaving: interleaving::of(&small, worker, options)?,
            operations: case
                .operations
                .list()
                .iter()
                .filter(|operation| **operation != Operation::Meet)
                .count(),
            saved,
        })
    }
}

/// The JSON document.
#[derive(Serialize)]
struct Document {
    version: u32,
    strategy: String,
    seed: u64,
    sqlite: String,
    #[serde(flatten)]
    totals: Totals,
    found: Option<FoundDocument>,
    /// Of the one schedule that was run, if nothing was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interleaving: Vec<Line>,
    seconds: f64,
}

#[derive(Serialize)]
struct FoundDocument {
    signature: String,
    message: String,
    schedule: String,
    switches: usize,
    operations: usize,
    interleaving: Vec<Line>,
    saved: PathBuf,
    replay: String,
}

fn print(document: &Document, out: &mut dyn Write) -> Result<()> {
    if let Some(found) = &document.found {
        writeln!(out, "{}", found.signature)?;
        writeln!(out, "    {}", found.message.trim().replace('\n', "\n    "))?;
        writeln!(out, "  schedule: {} ({})", found.schedule, switches(found.switches))?;
        interleaving::print(&found.interleaving, out)?;
        writeln!(out, "  saved:  {}", found.saved.display())?;
        writeln!(out, "  replay: {}", found.replay)?;
    }
    interleaving::print(&document.interleaving, out)?;
    let totals = &document.totals;
    for (name, counts) in &totals.counts.oracles {
        let reasons: Vec<String> =
            counts.reasons().iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        if counts.passed == 0 && !reasons.is_empty() {
            writeln!(out, "{name}: not judged: {}", reasons.join(", "))?;
        }
    }
    let cpu_s = totals.cpu_ns as f64 / 1e9;
    write!(out, "fuzzcheck: {}", if document.found.is_some() { "1 bug" } else { "no bug" })?;
    write!(out, " in {} ({}", counted(totals.runs, "schedule"), document.strategy)?;
    write!(out, "{})", if totals.is_exhausted { ", all there are" } else { "" })?;
    write!(out, ", up to {}", counted(totals.points.into(), "point"))?;
    write!(out, ", {} with somebody locked out", count(totals.busy))?;
    if totals.cut_short > 0 {
        write!(out, ", {} cut short", count(totals.cut_short))?;
    }
    writeln!(out, ", in {cpu_s:.1} CPU seconds ({:.0} a second)", totals.runs as f64 / cpu_s.max(1e-9))?;
    Ok(())
}

fn switches(count: usize) -> String {
    format!("{count} switch{}", if count == 1 { "" } else { "es" })
}
