//! `fuzzcheck faults`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;
use tandem::testcase::FaultPlan;

use crate::base::text::{count, counted};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::faulting::Subject;
use crate::faulting::loops::{Kind, Loop, Wanted};
use crate::faulting::state::{Found, Progress, State};
use crate::replay::Options;
use crate::replay::arguments::LimitArgs;
use crate::replay::client::Client;
use crate::replay::oracles::Oracles;
use crate::replay::protocol::Job;
use crate::source::NamedCase;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup;
use crate::verbs::run::output::run_command;
use crate::verbs::shared::{check_plant, interrupt_flag, save_case, target_by_name};

/// Let everything fail that a case uses, one after the other.
///
/// Allocations, operations on files, locks; and power, with each disk that may be left. Each loop ends when the case ends
/// without having met its fault. Exit codes: 0 nothing was found, 1 findings, 2 wrong usage, an internal error, a case that
/// is not judged, an interruption: the same command then goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// What fails.
    #[arg(long, value_name = "KIND,...", value_enum, value_delimiter = ',', default_value = "all")]
    kind: Vec<Kind>,
    /// Only once each, not also for good from there on.
    #[arg(long, conflicts_with = "for_good")]
    once: bool,
    /// Only for good from there on, not also once each.
    #[arg(long)]
    for_good: bool,
    /// Of the allocations, only the first of each call site: much faster, and nearly as good.
    #[arg(long)]
    sites: bool,
    /// Disks to try per operation before which power is lost.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    images: u32,
    /// The seed of the disks that are random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Start over instead of going on from where the same command was interrupted.
    #[arg(long)]
    fresh: bool,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// The target of the case, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Folder for the cases of findings [default: as for `run`]
    #[arg(long, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    /// Limits.
    #[command(flatten)]
    limits: LimitArgs,
    /// The build whose workers run the case [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// CPU milliseconds after which a turn counts as a hang.
    #[arg(long, value_name = "MS", default_value_t = 6 * TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
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

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let started = Instant::now();
        check_plant(self.plant.as_deref())?;
        let (named, code) = lookup::find(&self.case, &[], target_by_name(self.target.as_deref())?)?;
        if !named.case.faults.is_empty() {
            eprintln!("fuzzcheck: {}: the faults that it plans are left out", named.name);
        }
        let case = TestCase { faults: FaultPlan::default(), ..named.case.clone() };
        let named = NamedCase { case, ..named };
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let worker = Worker::build(&configuration, &project(), !self.no_install)?;
        let options = self.options();
        undisturbed(&named, &worker, &options)?;
        let stop = interrupt_flag()?;
        let wanted = self.wanted();
        let jobs = self.jobs.map_or_else(cores, usize::from);
        let subject = Subject { case: &named, worker: &worker, options: &options, jobs, stop: &stop };
        let path = project().join("target/faults").join(format!("{}.json", named.case.id().short()));
        let what = format!("{} {} {options:?} {wanted:?}", named.case.id(), configuration.name());
        let mut state = State::open(&path, &what, self.fresh);
        let mut loops = wanted.loops();
        loops.retain(|one| !one.is_double(&named.case));
        let done = self.run_loops(&subject, &loops, &mut state)?;
        let document = self.document(&named, &worker, &done, started)?;
        if self.json {
            ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
        } else {
            ui::print(|out| print(&document, &loops, out))?;
        }
        if stop.load(Ordering::Relaxed) {
            eprintln!("fuzzcheck: interrupted: the same command goes on from here");
            return Ok(ExitCode::from(EXIT_ERROR));
        }
        state.remove();
        Ok(match (&document.found[..], document.is_judged()) {
            ([], true) => code,
            ([], false) => {
                eprintln!("fuzzcheck: {}: no turn was judged", named.name);
                ExitCode::from(EXIT_ERROR)
            }
            _ => ExitCode::from(EXIT_FINDINGS),
        })
    }
}

impl Args {
    fn options(&self) -> Options {
        Options {
            oracles: Oracles::default(),
            plant: self.plant.clone(),
            limits: (&self.limits).into(),
            timeout_ms: self.timeout_ms,
            worker_memory_mib: WORKER_MEMORY_MIB,
            ..Options::default()
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            kinds: self.kind.clone(),
            once: !self.for_good,
            for_good: !self.once,
            is_by_site: self.sites,
            images: self.images,
            seed: self.seed,
        }
    }

    fn run_loops(
        &self,
        subject: &Subject<'_>,
        loops: &[Loop],
        state: &mut State,
    ) -> Result<Vec<(String, Progress)>> {
        let mut ticker = ui::Ticker::new();
        let mut all = Vec::new();
        for one in loops {
            let mut progress =
                state.loops.remove(&one.name).unwrap_or(Progress { next: 1, ..Progress::default() });
            if !progress.is_done && !subject.stop.load(Ordering::Relaxed) {
                subject.run(one, &mut progress, |progress, turn| {
                    let found: u64 = progress.found.iter().map(|found| found.turns).sum();
                    ticker
                        .show(|| format!("{}: {} in turn, {found} with findings", one.name, progress.turns));
                    state.note(&one.name, progress, turn.is_none())
                })?;
            }
            state.note(&one.name, &progress, true)?;
            all.push((one.name.clone(), progress));
        }
        ticker.finish();
        Ok(all)
    }

    fn document(
        &self,
        named: &NamedCase,
        worker: &Worker,
        done: &[(String, Progress)],
        started: Instant,
    ) -> Result<Document> {
        let configuration = &worker.configuration;
        let folder = self.save_dir.clone();
        let folder = folder.unwrap_or_else(|| configuration.artifacts(&project(), named.target.name));
        let mut found: Vec<FoundDocument> = Vec::new();
        for one in done.iter().flat_map(|(_, progress)| &progress.found) {
            if let Some(known) = found.iter_mut().find(|known| known.signature == one.signature) {
                known.turns += one.turns;
                continue;
            }
            let saved = save_case("fuzzcheck", &one.faults, &one.body, &folder)?;
            let options = Options { timeout_ms: TIMEOUT_MS, ..self.options() };
            let replay = run_command(&saved, named.target, named.heap_bytes, &options, configuration);
            let Found { signature, message, turns, faults, .. } = one.clone();
            found.push(FoundDocument { signature, message, turns, faults, saved, replay });
        }
        let loops = done.iter().map(|(name, progress)| LoopDocument {
            name: name.clone(),
            progress: Progress { found: Vec::new(), ..progress.clone() },
        });
        Ok(Document {
            version: 1,
            case: named.name.clone(),
            sqlite: worker.identity.source_id.clone(),
            loops: loops.collect(),
            found,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

/// Runs the case without faults: it must end by itself and show nothing.
fn undisturbed(named: &NamedCase, worker: &Worker, options: &Options) -> Result<()> {
    let options = worker.options(options.clone());
    let mut client = Client::new(&worker.program, &options)?;
    let body = named.case.encode();
    let job = Job { index: 1, target: named.target, heap_bytes: named.heap_bytes, body };
    let (outcomes, _) = client.run_watched(vec![job])?;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Ok(());
    };
    if let Some(message) = outcome.harness_error {
        bail!("{}: a worker failed, which is a bug in Tandem: {message}", named.name);
    }
    if let Some(bug) = outcome.result.bugs.first() {
        bail!("{}: it shows {} without a fault: see `run`", named.name, bug.signature);
    }
    if let Some(limit) = outcome.result.cut_short.first() {
        bail!("{}: it is cut short ({limit:?}): raise that limit", named.name);
    }
    Ok(())
}

/// The JSON document.
#[derive(Serialize)]
struct Document {
    version: u32,
    case: String,
    sqlite: String,
    loops: Vec<LoopDocument>,
    found: Vec<FoundDocument>,
    seconds: f64,
}

#[derive(Serialize)]
struct LoopDocument {
    name: String,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Serialize)]
struct FoundDocument {
    signature: String,
    message: String,
    turns: u64,
    faults: String,
    saved: PathBuf,
    replay: String,
}

impl Document {
    /// Whether the oracle of any loop has said anything.
    fn is_judged(&self) -> bool {
        self.loops.iter().any(|one| one.progress.passed > 0)
    }
}

fn print(document: &Document, loops: &[Loop], out: &mut dyn Write) -> Result<()> {
    for found in &document.found {
        writeln!(out, "{}", found.signature)?;
        writeln!(out, "    {}", found.message.trim().replace('\n', "\n    "))?;
        writeln!(out, "  first:  {}", found.faults)?;
        writeln!(out, "  turns:  {}", found.turns)?;
        writeln!(out, "  saved:  {}", found.saved.display())?;
        writeln!(out, "  replay: {}", found.replay)?;
    }
    for (LoopDocument { name, progress }, one) in document.loops.iter().zip(loops) {
        let end = if progress.is_done { "" } else { ", not to its end" };
        write!(out, "{name:<20} {} in turn{end}", count(progress.turns))?;
        if one.loses_power() {
            let [all, different] = progress.disks;
            write!(out, "; {} disks, {} of them different", count(all), count(different))?;
            let seconds = progress.cpu_ns as f64 / 1e9;
            write!(out, ", {:.0} of those per CPU second", different as f64 / seconds.max(1e-9))?;
        }
        for (what, separator) in [(&progress.hits, "; met: "), (&progress.not_judged, "; not judged: ")] {
            let words: Vec<String> = what.iter().map(|(what, times)| format!("{what} {times}")).collect();
            if !words.is_empty() {
                write!(out, "{separator}{}", words.join(", "))?;
            }
        }
        if progress.cut_short > 0 {
            write!(out, "; {} cut short", counted(progress.cut_short, "turn"))?;
        }
        writeln!(out)?;
    }
    let turns: u64 = document.loops.iter().map(|one| one.progress.turns).sum();
    let bugs = document.found.len();
    writeln!(out, "fuzzcheck: {bugs} bugs in {} in {:.1} seconds", counted(turns, "turn"), document.seconds)?;
    Ok(())
}
