//! `fuzzcheck faults`.

use std::io::Write;
use std::path::{Path, PathBuf};
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
use crate::coverage::build::{CoverageBuild, Profiles};
use crate::coverage::saved::Saved;
use crate::faulting::loops::{Kind, Loop, Wanted};
use crate::faulting::state::{Found, Progress, State};
use crate::faulting::{Place, Sample, Subject};
use crate::replay::Options;
use crate::replay::arguments::LimitArgs;
use crate::replay::client::Client;
use crate::replay::protocol::Job;
use crate::source::{self, NamedCase};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup;
use crate::verbs::run::output::run_command;
use crate::verbs::shared::{check_plant, every, interrupt_flag, save_case, target_by_name, tell_skipped};

/// Let everything fail that a case uses, one after the other.
///
/// Allocations, operations on files, locks; and power, with each disk that may be left. Each loop ends when the case ends
/// without having met its fault. Exit codes: 0 nothing was found, 1 findings, 2 wrong usage, an internal error, a case that
/// is not judged, an interruption: the same command then goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, a folder or corpus database of them, or the id of one in the corpora, which may be shortened.
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
    /// Instead of each in turn, N of each loop at random, the early ones more often: a glance at many cases.
    #[arg(long, value_name = "N", conflicts_with = "fresh", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: Option<u32>,
    /// Of several cases, take only every Nth.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Run the build that counts coverage, and save what is reached of sqlite3.c to a file, for `coverage --compare`. Nothing
    /// is kept of an interrupted run.
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
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
        self.coverage.as_deref().map_or(Ok(()), Saved::check_place)?;
        let (cases, code) = self.cases()?;
        let build = self.build()?;
        let profiles = build.profiles()?;
        let mut options = self.options();
        options.profile = profiles.as_ref().map(Profiles::pattern);
        let (worker, stop) = (build.worker(), interrupt_flag()?);
        let mut all = All::default();
        let mut ticker = ui::Ticker::new();
        let jobs = self.jobs.map_or_else(cores, usize::from);
        let place = Place { worker, options: &options, jobs, stop: &stop };
        if let Some(size) = self.sample {
            let mut tell = |turns| ticker.show(|| format!("{turns} turns"));
            let loops = self.wanted().loops();
            let Sample { progress, found } = place.sample(&cases, &loops, size, self.seed, &mut tell)?;
            let loses_power = loops.iter().any(Loop::loses_power);
            all.loops.push(LoopDocument { name: "sample".to_owned(), loses_power, progress });
            all.found = found;
        } else {
            for named in &cases {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                self.run_case(&Subject { case: named, place: &place }, &mut all, &mut ticker)?;
            }
        }
        ticker.finish();
        let document = self.document(&all, cases.len(), worker, started)?;
        if self.json {
            ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
        } else {
            ui::print(|out| print(&document, out))?;
        }
        if stop.load(Ordering::Relaxed) {
            eprintln!("fuzzcheck: interrupted: the same command goes on from here");
            return Ok(ExitCode::from(EXIT_ERROR));
        }
        all.states.iter().for_each(State::remove);
        if let (Some(path), Build::Counting(build), Some(profiles)) = (&self.coverage, &build, &profiles) {
            build.save(profiles, document.turns(), path)?;
            eprintln!("fuzzcheck: what was reached is saved in {}, for `coverage --compare`", path.display());
        }
        if !document.is_judged() && document.found.is_empty() {
            eprintln!("fuzzcheck: no turn was judged");
        }
        Ok(match (document.found.is_empty(), document.is_judged() && document.not_run.is_empty()) {
            (true, true) => code,
            (true, false) => ExitCode::from(EXIT_ERROR),
            (false, _) => ExitCode::from(EXIT_FINDINGS),
        })
    }
}

/// Whose workers run the cases.
enum Build {
    Judging(Worker),
    Counting(CoverageBuild),
}

impl Build {
    fn worker(&self) -> &Worker {
        match self {
            Self::Judging(worker) => worker,
            Self::Counting(build) => &build.worker,
        }
    }

    fn profiles(&self) -> Result<Option<Profiles>> {
        match self {
            Self::Judging(_) => Ok(None),
            Self::Counting(build) => build.profiles().map(Some),
        }
    }
}

/// What all cases have shown.
#[derive(Default)]
struct All {
    /// In the order in which they ran.
    loops: Vec<LoopDocument>,
    /// Bugs, with the case that showed each first.
    found: Vec<(NamedCase, Found)>,
    /// Why cases were not run.
    not_run: Vec<String>,
    /// How far each case is.
    states: Vec<State>,
}

impl All {
    fn add(&mut self, named: &NamedCase, one: &Loop, progress: Progress) {
        for found in &progress.found {
            match self.found.iter_mut().find(|(_, known)| known.signature == found.signature) {
                Some((_, known)) => known.turns += found.turns,
                None => self.found.push((named.clone(), found.clone())),
            }
        }
        match self.loops.iter_mut().find(|known| known.name == one.name) {
            Some(LoopDocument { progress: sum, .. }) => sum.merge(progress),
            None => {
                let (name, loses_power) = (one.name.clone(), one.loses_power());
                self.loops.push(LoopDocument { name, loses_power, progress });
            }
        }
    }
}

impl Args {
    fn project(&self) -> PathBuf {
        self.project.clone().unwrap_or_else(project)
    }

    fn options(&self) -> Options {
        Options {
            // While fuzzing, those of faults judge only some of the cases.
            oracles: "usual,fault,power_loss".parse().expect("they are oracles"),
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

    /// The cases, without the faults that they plan.
    fn cases(&self) -> Result<(Vec<NamedCase>, ExitCode)> {
        let target = target_by_name(self.target.as_deref())?;
        let path = Path::new(&self.case);
        let (cases, code) = if path.exists() {
            let all = source::open(&[path.to_owned()], target)?;
            let code = tell_skipped(&all);
            let cases: Vec<NamedCase> = every(all, self.every).cases.collect();
            let (known, cases): (Vec<_>, Vec<_>) =
                cases.into_iter().partition(|named| named.known().is_some());
            if !known.is_empty() {
                eprintln!(
                    "fuzzcheck: {} not run, which show known bugs",
                    counted(known.len() as u64, "case")
                );
            }
            (cases, code)
        } else {
            let (named, code) = lookup::find(&self.case, &[], target)?;
            (vec![named], code)
        };
        if cases.is_empty() {
            bail!("{}: no cases there", self.case);
        }
        let without = |named: NamedCase| {
            let case = TestCase { faults: FaultPlan::default(), ..named.case };
            NamedCase { case, provenance: None, ..named }
        };
        Ok((cases.into_iter().map(without).collect(), code))
    }

    fn build(&self) -> Result<Build> {
        if self.coverage.is_some() {
            let configuration = Configuration::new(&self.configuration, &[BuildKind::Coverage])?;
            return CoverageBuild::build(&configuration, &self.project(), !self.no_install)
                .map(Build::Counting);
        }
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        Worker::build(&configuration, &self.project(), !self.no_install).map(Build::Judging)
    }

    fn run_case(&self, subject: &Subject<'_>, all: &mut All, ticker: &mut ui::Ticker) -> Result<()> {
        let &Subject { case: named, place: &Place { worker, options, stop, .. } } = subject;
        if let Some(why) = unfit(named, worker, options)? {
            eprintln!("fuzzcheck: {}: {why}", named.name);
            all.not_run.push(format!("{}: {why}", named.name));
            return Ok(());
        }
        let wanted = self.wanted();
        let id = named.case.id();
        let path = self.project().join("target/faults").join(format!("{}.json", id.short()));
        let what = format!("{id} {} {options:?} {wanted:?}", worker.configuration.name());
        let mut state = State::open(&path, &what, self.fresh);
        for one in wanted.loops().iter().filter(|one| !one.is_double(&named.case)) {
            let begin = || Progress { next: 1, ..Progress::default() };
            let mut progress = state.loops.remove(&one.name).unwrap_or_else(begin);
            if !progress.is_done && !stop.load(Ordering::Relaxed) {
                subject.run(one, &mut progress, |progress, turn| {
                    let found: u64 = progress.found.iter().map(|found| found.turns).sum();
                    ticker.show(|| {
                        let Progress { turns, .. } = progress;
                        format!("{}: {}: {turns} in turn, {found} with findings", named.name, one.name)
                    });
                    state.note(&one.name, progress, turn.is_none())
                })?;
            }
            state.note(&one.name, &progress, true)?;
            all.add(named, one, progress);
        }
        all.states.push(state);
        Ok(())
    }

    fn document(&self, all: &All, cases: usize, worker: &Worker, started: Instant) -> Result<Document> {
        let configuration = &worker.configuration;
        let found = all.found.iter().map(|(named, found)| {
            let folder = self.save_dir.clone();
            let folder =
                folder.unwrap_or_else(|| configuration.artifacts(&self.project(), named.target.name));
            let saved = save_case("fuzzcheck", &found.faults, &found.body, &folder)?;
            let options = Options { timeout_ms: TIMEOUT_MS, ..self.options() };
            let replay = run_command(&saved, named.target, named.heap_bytes, &options, configuration);
            let Found { signature, message, turns, faults, .. } = found.clone();
            Ok(FoundDocument { signature, message, turns, faults, saved, replay })
        });
        let mut loops = all.loops.clone();
        loops.iter_mut().for_each(|one| one.progress.found.clear());
        Ok(Document {
            version: 1,
            cases,
            sqlite: worker.identity.source_id.clone(),
            loops,
            found: found.collect::<Result<_>>()?,
            not_run: all.not_run.clone(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

/// Why a case is not run with faults: it must end by itself without them, and show nothing.
fn unfit(named: &NamedCase, worker: &Worker, options: &Options) -> Result<Option<String>> {
    let options = worker.options(options.clone());
    let mut client = Client::new(&worker.program, &options)?;
    let body = named.case.encode();
    let job = Job { index: 1, target: named.target, heap_bytes: named.heap_bytes, body, exploration: None };
    let (outcomes, _) = client.run_watched(vec![job])?;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Ok(None);
    };
    if let Some(message) = outcome.harness_error {
        bail!("{}: a worker failed, which is a bug in Tandem: {message}", named.name);
    }
    let result = outcome.result;
    let bug = result.bugs.first().map(|bug| format!("it shows {} without a fault: see `run`", bug.signature));
    let cut_short =
        || result.cut_short.first().map(|limit| format!("it is cut short ({limit:?}): raise that limit"));
    Ok(bug.or_else(cut_short))
}

/// The JSON document.
#[derive(Serialize)]
struct Document {
    version: u32,
    cases: usize,
    sqlite: String,
    loops: Vec<LoopDocument>,
    found: Vec<FoundDocument>,
    not_run: Vec<String>,
    seconds: f64,
}

#[derive(Clone, Serialize)]
struct LoopDocument {
    name: String,
    loses_power: bool,
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
    /// Runs of cases with a fault in turn.
    fn turns(&self) -> u64 {
        self.loops.iter().map(|one| one.progress.turns).sum()
    }

    /// Whether the oracle of any loop has said anything.
    fn is_judged(&self) -> bool {
        self.loops.iter().any(|one| one.progress.passed > 0)
    }
}

fn print(document: &Document, out: &mut dyn Write) -> Result<()> {
    for found in &document.found {
        writeln!(out, "{}", found.signature)?;
        writeln!(out, "    {}", found.message.trim().replace('\n', "\n    "))?;
        writeln!(out, "  first:  {}", found.faults)?;
        writeln!(out, "  turns:  {}", found.turns)?;
        writeln!(out, "  saved:  {}", found.saved.display())?;
        writeln!(out, "  replay: {}", found.replay)?;
    }
    document.loops.iter().try_for_each(|one| print_loop(one, out))?;
    for why in &document.not_run {
        writeln!(out, "not run: {why}")?;
    }
    let bugs = counted(document.found.len() as u64, "bug");
    let (turns, cases) = (counted(document.turns(), "turn"), counted(document.cases as u64, "case"));
    writeln!(out, "fuzzcheck: {bugs} in {turns} of {cases} in {:.1} seconds", document.seconds)?;
    Ok(())
}

fn print_loop(
    LoopDocument { name, loses_power, progress }: &LoopDocument,
    out: &mut dyn Write,
) -> Result<()> {
    let end = if progress.is_done { "" } else { ", not to the end" };
    write!(out, "{name:<20} {} in turn{end}", count(progress.turns))?;
    if *loses_power {
        let [all, different] = progress.disks;
        let per_second = different as f64 / (progress.cpu_ns as f64 / 1e9).max(1e-9);
        write!(out, "; {} disks, {} of them different", count(all), count(different))?;
        write!(out, ", {per_second:.0} of those per CPU second")?;
        let each = |ns: u64| ns as f64 / 1e3 / (different.max(1) as f64);
        let [image, recovery, check] = progress.disks_ns.map(each);
        let rest = each(progress.cpu_ns.saturating_sub(progress.disks_ns.iter().sum()));
        write!(
            out,
            " (microseconds: {image:.0} to make one, {recovery:.0} to recover it, {check:.0} to check it, {rest:.0} else)"
        )?;
    }
    for (what, before) in [(&progress.hits, "; met: "), (&progress.not_judged, "; not judged: ")] {
        let words: Vec<String> = what.iter().map(|(what, times)| format!("{what} {times}")).collect();
        if !words.is_empty() {
            write!(out, "{before}{}", words.join(", "))?;
        }
    }
    if progress.cut_short > 0 {
        write!(out, "; {} cut short", counted(progress.cut_short, "turn"))?;
    }
    writeln!(out)?;
    Ok(())
}
