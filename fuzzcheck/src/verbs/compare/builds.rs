//! `fuzzcheck compare builds`.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;

use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, cores, project};
use crate::build::arguments::FlavorArgs;
use crate::build::flavor::Flavor;
use crate::build::worker::Worker;
use crate::command_line;
use crate::comparison::lanes::{Comparison, compare};
use crate::lane::Lane;
use crate::replay::cut_short::{self, CutShort};
use crate::replay::protocol::CaseDigest;
use crate::replay::report::{Done, Report};
use crate::replay::{Options, run_all};
use crate::source;
use crate::ui::{self, Progress};
use crate::verbs::Verb;
use crate::verbs::shared::{every, in_words, interrupt_flag, paths_or_corpus, target_by_name, tell_skipped};

/// Run cases in several builds of one SQLite and compare what they do there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// The lanes; what the first one does is what the others are compared with.
    #[arg(long, value_name = "LANE,...", value_enum, value_delimiter = ',',
        default_values_t = [Lane::Release, Lane::Asan, Lane::Debug, Lane::Ubsan, Lane::Memdebug, Lane::Valgrind])]
    lanes: Vec<Lane>,
    /// Under valgrind, run every Nth case only.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    valgrind_every: u32,
    /// In all lanes, run every Nth case only.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run single files on this target instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The SQLite of all lanes.
    #[command(flatten)]
    flavor: FlavorArgs,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Plant a bug by name in the last lane, to see that the lanes are seen to differ.
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// Version of the JSON document.
const JSON_VERSION: u32 = 1;

/// What a lane did.
#[derive(Serialize)]
struct LaneResult {
    lane: &'static str,
    sqlite: String,
    cases: u64,
    equal: u64,
    excused: BTreeMap<&'static str, u64>,
    /// Cases that did something else than in the first lane.
    different: Vec<Difference>,
    findings: Vec<Finding>,
    /// Cases that show the bug that they are kept for.
    known: usize,
    harness_errors: Vec<String>,
    /// Cases whose rest was neither judged nor compared, by limit.
    cut_short: Vec<CutShort>,
    cpu_seconds: f64,
}

#[derive(Serialize)]
struct Difference {
    case: String,
    what: String,
}

#[derive(Serialize)]
struct Finding {
    case: String,
    signature: String,
    replay: String,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    lanes: &'a [LaneResult],
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let flavor = Flavor::new(&self.flavor, &Lane::JUDGING)?;
        if self.flavor.lane.is_some() {
            bail!("`compare builds` runs several: name them with --lanes");
        }
        let [_, _, ..] = self.lanes[..] else {
            bail!("two lanes at least are needed, to compare them");
        };
        let mut workers = Vec::new();
        for lane in &self.lanes {
            if !Lane::JUDGING.contains(lane) {
                bail!("--lanes: cases are not judged in the lane {lane}");
            }
            workers.push(Worker::build(&flavor.in_lane(*lane), &project(), !self.no_install)?);
        }
        let stop = interrupt_flag()?;
        let mut first = HashMap::new();
        let mut results = Vec::new();
        for (i, worker) in workers.iter().enumerate() {
            let plant = self.plant.clone().filter(|_| i + 1 == workers.len());
            results.push(in_lane(self, worker, plant, &mut first, &stop)?);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if self.json {
            let document =
                serde_json::to_string_pretty(&Document { version: JSON_VERSION, lanes: &results })?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| print(&results, out))?;
        }
        Ok(exit_code(&results, stop.load(Ordering::Relaxed)))
    }
}

fn exit_code(results: &[LaneResult], is_interrupted: bool) -> ExitCode {
    if is_interrupted {
        eprintln!("fuzzcheck: interrupted: not all lanes were run");
        return ExitCode::from(EXIT_ERROR);
    }
    for lane in results {
        for error in &lane.harness_errors {
            eprintln!("fuzzcheck: lane {}: {error}", lane.lane);
        }
    }
    if results.iter().any(|lane| !lane.harness_errors.is_empty()) {
        return ExitCode::from(EXIT_ERROR);
    }
    let is_clean = results.iter().all(|lane| lane.different.is_empty() && lane.findings.is_empty());
    if is_clean { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) }
}

/// Runs the cases in a lane; fills `first` in the first one, compares with it in all others.
fn in_lane(
    args: &Args,
    worker: &Worker,
    plant: Option<String>,
    first: &mut HashMap<String, CaseDigest>,
    stop: &AtomicBool,
) -> Result<LaneResult> {
    let lane = worker.flavor.lane;
    let target = target_by_name(args.target.as_deref())?;
    let paths = paths_or_corpus(&args.paths);
    let all = source::open(&paths, target)?;
    if tell_skipped(&all) != ExitCode::SUCCESS {
        bail!("not everything in {} could be read as a case", in_words(&paths));
    }
    let sample = if lane == Lane::Valgrind { args.valgrind_every } else { 1 };
    let mut cases = every(all, args.every.saturating_mul(sample));
    let options = worker.options(Options {
        timeout_ms: TIMEOUT_MS,
        worker_memory_mib: WORKER_MEMORY_MIB,
        has_digests: true,
        plant,
        ..Options::default()
    });
    let is_first = first.is_empty();
    let mut compared = Compared::default();
    let mut progress = Progress::new(cases.total);
    eprintln!("fuzzcheck: lane {lane}: {} cases", cases.total);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let report = run_all(&worker.program, &options, jobs, &mut cases.cases, stop, |done| {
        progress.case_done(done.has_unknown_bugs());
        match &done.outcome.result.digest {
            Some(digest) if is_first => {
                first.insert(done.name.clone(), digest.clone());
                compared.equal += 1;
            }
            digest => compared.note(done, first.get(&done.name), digest.as_ref(), lane),
        }
    });
    progress.finish();
    let report = report?;
    if report.cases == 0 && !stop.load(Ordering::Relaxed) {
        bail!("no case was run in the lane {lane}");
    }
    Ok(result(worker, compared, report))
}

#[derive(Default)]
struct Compared {
    equal: u64,
    excused: BTreeMap<&'static str, u64>,
    different: Vec<Difference>,
}

impl Compared {
    fn note(&mut self, done: &Done, first: Option<&CaseDigest>, digest: Option<&CaseDigest>, lane: Lane) {
        let (Some(first), Some(digest)) = (first, digest) else {
            // A case that ended its worker is a finding of that lane.
            *self.excused.entry("it ended a worker").or_default() += 1;
            return;
        };
        match compare(&TestCase::decode(&done.body), first, digest, lane) {
            Comparison::Equal => self.equal += 1,
            Comparison::Excused(reason) => *self.excused.entry(reason).or_default() += 1,
            Comparison::Different(what) => {
                self.different.push(Difference { case: done.name.clone(), what });
            }
        }
    }
}

fn result(worker: &Worker, mut compared: Compared, report: Report) -> LaneResult {
    let build = worker.flavor.arguments(Lane::Release);
    let findings = report.findings.iter().map(|finding| {
        let name = &finding.case.name;
        // `path:id` is how a case of a corpus is named, and `run` takes the two apart.
        let mut words = build.clone();
        let path = name.rsplit_once(':').map_or(name.as_str(), |(path, id)| {
            words.extend(["--case", id].map(str::to_owned));
            path
        });
        Finding {
            case: name.clone(),
            signature: finding.bugs[0].signature.clone(),
            replay: command_line::run(&words, finding.case.target.name, Path::new(path)),
        }
    });
    compared.different.sort_by(|a, b| a.case.cmp(&b.case));
    LaneResult {
        lane: worker.flavor.lane.name(),
        sqlite: worker.identity.source_id.clone(),
        cases: report.cases,
        equal: compared.equal,
        excused: compared.excused,
        different: compared.different,
        findings: findings.collect(),
        known: report.known.len(),
        harness_errors: report
            .harness_errors
            .iter()
            .map(|(case, message)| format!("{case}: {message}"))
            .collect(),
        cut_short: report.cut_short_by_limit(),
        cpu_seconds: report.cpu_ns as f64 / 1e9,
    }
}

fn print(results: &[LaneResult], out: &mut dyn Write) -> Result<()> {
    for lane in results {
        for finding in &lane.findings {
            writeln!(
                out,
                "{}: {}\n  case:   {}\n  replay: {}",
                lane.lane, finding.signature, finding.case, finding.replay
            )?;
        }
        for difference in &lane.different {
            let name = results[0].lane;
            writeln!(out, "{} differs from {name}: {}\n  {}", lane.lane, difference.case, difference.what)?;
        }
    }
    writeln!(out, "lane       cases   equal excused different findings known CPU seconds")?;
    for lane in results {
        let excused: u64 = lane.excused.values().sum();
        let (different, findings) = (lane.different.len(), lane.findings.len());
        let LaneResult { lane, cases, equal, known, cpu_seconds, .. } = lane;
        writeln!(
            out,
            "{lane:<9} {cases:>6} {equal:>7} {excused:>7} {different:>9} {findings:>8} {known:>5} {cpu_seconds:>11.1}"
        )?;
    }
    for lane in results {
        for (reason, count) in &lane.excused {
            writeln!(out, "{}: excused {count}: {reason}", lane.lane)?;
        }
        if !lane.cut_short.is_empty() {
            writeln!(out, "{}: {}", lane.lane, cut_short::for_run(&lane.cut_short))?;
        }
    }
    writeln!(out, "fuzzcheck: {} lanes of SQLite {}", results.len(), results[0].sqlite)?;
    Ok(())
}
