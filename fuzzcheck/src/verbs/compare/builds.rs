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
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::comparison::builds::{Comparison, compare};
use crate::replay::cut_short::{self, CutShort};
use crate::replay::protocol::CaseDigest;
use crate::replay::report::{Done, Report};
use crate::replay::{Options, run_all};
use crate::source;
use crate::ui::{self, Progress};
use crate::verbs::Verb;
use crate::verbs::shared::{every, in_words, interrupt_flag, paths_or_corpus, target_by_name, tell_skipped};

/// Run cases in several builds of one SQLite and compare the results.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// The builds; the others are compared with the first.
    #[arg(long, value_name = "BUILD,...", value_enum, value_delimiter = ',',
        default_values_t = [BuildKind::Release, BuildKind::Asan, BuildKind::Debug, BuildKind::Ubsan, BuildKind::Memdebug, BuildKind::Valgrind])]
    builds: Vec<BuildKind>,
    /// Under valgrind, run only every Nth case.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    valgrind_every: u32,
    /// In all builds, run only every Nth case.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run single files on this target instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The SQLite of all builds.
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Plant a bug by name in the last build, to see that the builds are seen to differ.
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// Version of the JSON document.
const JSON_VERSION: u32 = 1;

/// What a build did.
#[derive(Serialize)]
struct BuildResult {
    build: &'static str,
    sqlite: String,
    cases: u64,
    equal: u64,
    excused: BTreeMap<&'static str, u64>,
    /// Cases that behaved differently than in the first build.
    different: Vec<Difference>,
    findings: Vec<Finding>,
    /// Cases that show their known bug.
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
    builds: &'a [BuildResult],
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        if self.configuration.build.is_some() {
            bail!("`compare builds` runs several builds: use --builds");
        }
        let [_, _, ..] = self.builds[..] else {
            bail!("a comparison needs at least two builds");
        };
        let mut workers = Vec::new();
        for build in &self.builds {
            if !BuildKind::JUDGING.contains(build) {
                bail!("--builds: cases are not judged in the {build} build");
            }
            workers.push(Worker::build(&configuration.with_build(*build), &project(), !self.no_install)?);
        }
        let stop = interrupt_flag()?;
        let mut first = HashMap::new();
        let mut results = Vec::new();
        for (i, worker) in workers.iter().enumerate() {
            let plant = self.plant.clone().filter(|_| i + 1 == workers.len());
            results.push(with_build(self, worker, plant, &mut first, &stop)?);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if self.json {
            let document =
                serde_json::to_string_pretty(&Document { version: JSON_VERSION, builds: &results })?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| print(&results, out))?;
        }
        Ok(exit_code(&results, stop.load(Ordering::Relaxed)))
    }
}

fn exit_code(results: &[BuildResult], is_interrupted: bool) -> ExitCode {
    if is_interrupted {
        eprintln!("fuzzcheck: interrupted: not all builds were run");
        return ExitCode::from(EXIT_ERROR);
    }
    for build in results {
        for error in &build.harness_errors {
            eprintln!("fuzzcheck: {} build: {error}", build.build);
        }
    }
    if results.iter().any(|build| !build.harness_errors.is_empty()) {
        return ExitCode::from(EXIT_ERROR);
    }
    let is_clean = results.iter().all(|build| build.different.is_empty() && build.findings.is_empty());
    if is_clean { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) }
}

/// Runs the cases in a build; fills `first` in the first one, compares with it in all others.
fn with_build(
    args: &Args,
    worker: &Worker,
    plant: Option<String>,
    first: &mut HashMap<String, CaseDigest>,
    stop: &AtomicBool,
) -> Result<BuildResult> {
    let build = worker.configuration.build;
    let target = target_by_name(args.target.as_deref())?;
    let paths = paths_or_corpus(&args.paths);
    let all = source::open(&paths, target)?;
    if tell_skipped(&all) != ExitCode::SUCCESS {
        bail!("not every file in {} is a case", in_words(&paths));
    }
    let sample = if build == BuildKind::Valgrind { args.valgrind_every } else { 1 };
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
    eprintln!("fuzzcheck: {build} build: {} cases", cases.total);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let report = run_all(&worker.program, &options, jobs, &mut cases.cases, stop, |done| {
        progress.case_done(done.has_unknown_bugs());
        match &done.outcome.result.digest {
            Some(digest) if is_first => {
                first.insert(done.name.clone(), digest.clone());
                compared.equal += 1;
            }
            digest => compared.note(done, first.get(&done.name), digest.as_ref(), build),
        }
    });
    progress.finish();
    let report = report?;
    if report.cases == 0 && !stop.load(Ordering::Relaxed) {
        bail!("no case was run in the {build} build");
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
    fn note(
        &mut self,
        done: &Done,
        first: Option<&CaseDigest>,
        digest: Option<&CaseDigest>,
        build: BuildKind,
    ) {
        let (Some(first), Some(digest)) = (first, digest) else {
            // A case that ended its worker is a finding of that build.
            *self.excused.entry("it ended a worker").or_default() += 1;
            return;
        };
        match compare(&TestCase::decode(&done.body), first, digest, build) {
            Comparison::Equal => self.equal += 1,
            Comparison::Excused(reason) => *self.excused.entry(reason).or_default() += 1,
            Comparison::Different(what) => {
                self.different.push(Difference { case: done.name.clone(), what });
            }
        }
    }
}

fn result(worker: &Worker, mut compared: Compared, report: Report) -> BuildResult {
    let build = worker.configuration.arguments(BuildKind::Release);
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
    BuildResult {
        build: worker.configuration.build.name(),
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

fn print(results: &[BuildResult], out: &mut dyn Write) -> Result<()> {
    for build in results {
        for finding in &build.findings {
            writeln!(
                out,
                "{}: {}\n  case:   {}\n  replay: {}",
                build.build, finding.signature, finding.case, finding.replay
            )?;
        }
        for difference in &build.different {
            let name = results[0].build;
            writeln!(out, "{} differs from {name}: {}\n  {}", build.build, difference.case, difference.what)?;
        }
    }
    writeln!(out, "build      cases   equal excused different findings known CPU seconds")?;
    for build in results {
        let excused: u64 = build.excused.values().sum();
        let (different, findings) = (build.different.len(), build.findings.len());
        let BuildResult { build, cases, equal, known, cpu_seconds, .. } = build;
        writeln!(
            out,
            "{build:<9} {cases:>6} {equal:>7} {excused:>7} {different:>9} {findings:>8} {known:>5} {cpu_seconds:>11.1}"
        )?;
    }
    for build in results {
        for (reason, count) in &build.excused {
            writeln!(out, "{}: excused {count}: {reason}", build.build)?;
        }
        if !build.cut_short.is_empty() {
            writeln!(out, "{}: {}", build.build, cut_short::for_run(&build.cut_short))?;
        }
    }
    writeln!(out, "fuzzcheck: {} builds of SQLite {}", results.len(), results[0].sqlite)?;
    Ok(())
}
