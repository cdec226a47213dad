//! `fuzzcheck fuzz`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tandem::corpus::seeding::Beginning;
use tandem::targets::Target;
use tandem::targets::directed::Report;

use crate::base::{EXIT_ERROR, EXIT_FINDINGS, TIMEOUT_MS, WORKER_MEMORY_MIB, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::differential::named;
use crate::directed::{self, Prepared};
use crate::fuzzing::checks::{BuildCheck, Check, DifferentialCheck};
use crate::fuzzing::follower::{self, Counts, Follower};
use crate::fuzzing::plan::{self, Plan};
use crate::fuzzing::session::{Progress, Session};
use crate::replay::Options;
use crate::tools;
use crate::triage::known::Known;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::{interrupt_flag, target_by_name};

/// Fuzz one target, from checking the tools to reporting the findings.
///
/// Installs missing tools, writes seeds, restarts libFuzzer after crashes. Exit codes: 0 nothing was found, 1 findings,
/// 2 wrong usage or an internal error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target.
    target: String,
    /// Seconds after which to stop [default: at Ctrl-C]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    max_total_time_s: Option<u64>,
    /// CPU seconds after which to stop, summed over all processes, including those that rerun cases.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    max_cpu_s: Option<u64>,
    /// Processes that fuzz at the same time and share the corpus.
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// The build to fuzz [default: asan]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Rerun new cases of the corpus, and a sample of the rest, in these builds [default: debug, if another SQLite
    /// than the bundled one is fuzzed]
    #[arg(long, value_name = "BUILD,...", value_enum, value_delimiter = ',')]
    rerun: Vec<BuildKind>,
    /// Run nothing in other builds.
    #[arg(long, conflicts_with = "rerun")]
    no_rerun: bool,
    /// Run the same cases in another configuration and compare the results: `bundled`, a version, a folder, as for `compare engines`.
    #[arg(long, value_name = "CONFIGURATION")]
    differential: Option<String>,
    /// With --rerun or --differential: one case in N is in the sample.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    sample_every: u32,
    /// What fuzzing is directed at.
    #[command(flatten)]
    directed: DirectedArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    toolchain: Option<String>,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document at the end instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
    /// Arguments for libFuzzer.
    #[arg(last = true, value_name = "LIBFUZZER ARGS")]
    libfuzzer: Vec<String>,
}

/// What fuzzing is directed at.
#[derive(Debug, clap::Args)]
pub(super) struct DirectedArgs {
    /// Directed fuzzing: the target functions of SQLite, by name, by source file (btree.c) or as a unified diff of them.
    #[arg(long, value_name = "FUNCTION|MODULE|DIFF,...", value_delimiter = ',')]
    pub(super) directed: Vec<String>,
    /// Only count how often the target functions are reached, as a baseline.
    #[arg(long, requires = "directed")]
    pub(super) count_directed_only: bool,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(Some(&self.target))?.context("a target is needed")?;
        let configuration = Configuration::new(&self.configuration, &BuildKind::FUZZED)?;
        let rerun = builds_that_follow(self, &configuration);
        let mut plan = Plan {
            configuration,
            project: self.project.clone().unwrap_or_else(project),
            target: target.name,
            toolchain: self.toolchain.clone(),
            time: self.max_total_time_s.map(Duration::from_secs),
            cpu_time: self.max_cpu_s.map(Duration::from_secs),
            jobs: usize::from(self.jobs),
            arguments: self.libfuzzer.clone(),
            sample_every: (!rerun.is_empty() || self.differential.is_some()).then_some(self.sample_every),
            directed: None,
        };
        plan.check_project()?;
        tools::prepare(&plan.project, plan.toolchain.as_deref(), !self.no_install)?;
        // The builds that follow have not run the seeds either.
        let seen = follower::names(&plan.corpus())?;
        let beginning = if plan.configuration.what().is_empty() { Beginning::Seeds } else { Beginning::All };
        let (count, what) = target.write_beginning(&plan.corpus(), beginning).map_err(anyhow::Error::msg)?;
        eprintln!("fuzzcheck: {count} {what} in {}", plan.corpus().display());
        plan.build()?;
        let directed = prepare_directed(self, &plan)?;
        plan.directed = directed.as_ref().map(Prepared::order);
        let follower = follow(self, &rerun, &plan, target, seen)?;

        let known = Known::of_project(&plan.project, plan.configuration.what().is_empty())?;

        let stop = interrupt_flag()?;
        let mut display = Display::new(plan.time);
        let (progress, elapsed) =
            Session::new(&plan, &stop, follower).run(|session| display.show(session))?;
        display.ticker.finish();
        if progress.executions() == 0 && !stop.load(Ordering::Relaxed) {
            bail!("the target {} executed nothing", target.name);
        }
        let mut summary = Summary::new(&plan, &progress, elapsed, &known);
        summary.directed = directed.map(|directed| directed.report()).transpose()?;
        if self.json {
            let document = serde_json::to_string_pretty(&summary)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| summary.print(out))?;
        }
        for HarnessError { case, error } in &summary.harness_errors {
            eprintln!("fuzzcheck: {}: {error}", case.display());
        }
        Ok(match (summary.harness_errors.is_empty(), summary.new_findings()) {
            (false, _) => ExitCode::from(EXIT_ERROR),
            (true, 1..) => ExitCode::from(EXIT_FINDINGS),
            (true, 0) => ExitCode::SUCCESS,
        })
    }
}

/// Prepares directed fuzzing, if requested.
fn prepare_directed(args: &Args, plan: &Plan) -> Result<Option<Prepared>> {
    let words = &args.directed.directed;
    if words.is_empty() {
        return Ok(None);
    }
    let environment = plan.configuration.run_environment();
    let prepared = Prepared::new(&plan.program()?, &environment, words, !args.directed.count_directed_only)?;
    eprintln!("fuzzcheck: directed at {}", prepared.in_words());
    Ok(Some(prepared))
}

/// The builds in which new cases are rerun.
fn builds_that_follow(args: &Args, configuration: &Configuration) -> Vec<BuildKind> {
    if args.rerun.is_empty() && !args.no_rerun {
        plan::builds_that_follow(configuration)
    } else {
        args.rerun.clone()
    }
}

/// What reruns new cases, if anything.
fn follow(
    args: &Args,
    rerun: &[BuildKind],
    plan: &Plan,
    target: &'static Target,
    seen: BTreeSet<OsString>,
) -> Result<Option<Follower>> {
    let mut checks: Vec<Box<dyn Check>> = Vec::new();
    for build in rerun {
        if !BuildKind::JUDGING.contains(build) {
            bail!("--rerun: cases are not judged in the {build} build");
        }
        let worker = Worker::build(&plan.configuration.with_build(*build), &plan.project, !args.no_install)?;
        checks.push(Box::new(BuildCheck::new(&worker)?));
    }
    if let Some(other) = &args.differential {
        let options =
            Options { timeout_ms: TIMEOUT_MS, worker_memory_mib: WORKER_MEMORY_MIB, ..Options::default() };
        let release = plan.configuration.with_build(BuildKind::Release);
        let builds = [
            named::of_configuration(&release, options.clone(), &plan.project, !args.no_install)?,
            named::build(other, options, &plan.project, !args.no_install)?,
        ];
        checks.push(Box::new(DifferentialCheck::new([release.name(), other.clone()], &builds)?));
    }
    if checks.is_empty() {
        return Ok(None);
    }
    Follower::new(checks, target, plan.corpus(), seen, plan.artifacts(), plan.sample()).map(Some)
}

/// Shows the progress of a session.
struct Display {
    ticker: ui::Ticker,
    time: Option<Duration>,
    signatures: usize,
}

impl Display {
    fn new(time: Option<Duration>) -> Self {
        Self { ticker: ui::Ticker::new(), time, signatures: 0 }
    }

    fn show(&mut self, session: &Session<'_>) {
        let progress = session.progress();
        if progress.found.len() > self.signatures {
            self.signatures = progress.found.len();
            let all: Vec<&str> = progress.found.keys().map(String::as_str).collect();
            self.ticker.line(&format!("findings so far: {}", all.join(", ")));
        }
        self.ticker.show(|| {
            let status = progress.status();
            let of = self.time.map(|time| format!(" of {}", time.as_secs())).unwrap_or_default();
            format!(
                "{}{of} s: {} executions, {}/s, {} edges, {} features, {} cases in the corpus, {} findings",
                session.elapsed().as_secs(),
                progress.executions(),
                (progress.executions() as f64 / session.elapsed().as_secs_f64()).round(),
                status.edges,
                status.features,
                status.corpus_cases,
                progress.cases(),
            )
        });
    }
}

/// What a session did, for people and for machines.
#[derive(Serialize)]
struct Summary {
    version: u32,
    target: &'static str,
    seconds: f64,
    /// Of all processes together; `None` if the system does not tell.
    cpu_seconds: Option<f64>,
    executions: u64,
    edges: u64,
    features: u64,
    corpus_cases: u64,
    corpus: PathBuf,
    /// What reruns did, by check.
    rerun: BTreeMap<String, Counts>,
    /// New cases that there was no time to rerun.
    not_run_again: u64,
    findings: Vec<Finding>,
    /// Cases in which this harness failed.
    harness_errors: Vec<HarnessError>,
    slow: Vec<PathBuf>,
    /// The results of `--directed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    directed: Option<Report>,
}

#[derive(Serialize)]
struct HarnessError {
    case: PathBuf,
    error: String,
}

#[derive(Serialize)]
struct Finding {
    signature: String,
    /// The name of the known bug: such a finding is reported, but does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_as: Option<String>,
    cases: Vec<PathBuf>,
    /// How often it was met after these, without a case being kept.
    met_again: u64,
    replay: String,
    replay_without_libfuzzer: String,
    show: String,
    add: String,
}

impl Summary {
    fn new(plan: &Plan, progress: &Progress, elapsed: Duration, known: &Known) -> Self {
        let status = progress.status();
        let findings = progress.found.iter().map(|(signature, found)| {
            let cases = found.cases.iter().map(|path| short(plan, path)).collect();
            let known_as = known.get(signature).map(str::to_owned);
            let met_again = found.again;
            Finding { known_as, met_again, ..Finding::new(plan, signature, found.replay.as_deref(), cases) }
        });
        let harness_error = |(path, error): &(PathBuf, String)| HarnessError {
            case: short(plan, path),
            error: error.clone(),
        };
        Self {
            version: 1,
            target: plan.target,
            seconds: elapsed.as_secs_f64(),
            cpu_seconds: progress.cpu_time.map(|time| time.as_secs_f64()),
            executions: progress.executions(),
            edges: status.edges,
            features: status.features,
            corpus_cases: status.corpus_cases,
            corpus: short(plan, &plan.corpus()),
            rerun: progress.followed.clone(),
            not_run_again: progress.left,
            findings: findings.collect(),
            harness_errors: progress.harness_errors.iter().map(harness_error).collect(),
            slow: progress.slow.iter().map(|path| short(plan, path)).collect(),
            directed: None,
        }
    }

    /// New findings.
    fn new_findings(&self) -> usize {
        self.findings.iter().filter(|finding| finding.known_as.is_none()).count()
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        let cpu = self.cpu_seconds.map(|seconds| format!(", {seconds:.0} of CPU")).unwrap_or_default();
        let rate = self.executions as f64 / self.seconds.max(0.001);
        writeln!(
            out,
            "{}: {} executions in {:.0} seconds{cpu} ({rate:.0}/s), {} edges, {} features, {} cases in {}",
            self.target,
            self.executions,
            self.seconds,
            self.edges,
            self.features,
            self.corpus_cases,
            self.corpus.display()
        )?;
        for (check, Counts { new, sampled, findings }) in &self.rerun {
            writeln!(out, "{check}: ran {new} new cases and a sample of {sampled}: {findings} findings")?;
        }
        self.directed.as_ref().map_or(Ok(()), |report| directed::print(report, out))?;
        if self.not_run_again > 0 {
            let (cases, corpus) = (self.not_run_again, self.corpus.display());
            writeln!(out, "{cases} new cases in {corpus} were not rerun, for lack of time")?;
        }
        for slow in &self.slow {
            writeln!(out, "slow: {}", slow.display())?;
        }
        for finding in &self.findings {
            writeln!(out, "{}", finding.signature)?;
            if let Some(name) = &finding.known_as {
                writeln!(out, "  known:  {name}")?;
            }
            let again = match finding.met_again {
                0 => String::new(),
                again => format!(", and met {again} times more"),
            };
            writeln!(out, "  cases:  {}{again}", finding.cases.len())?;
            writeln!(out, "  saved:  {}", finding.cases[0].display())?;
            writeln!(out, "  replay: {}", finding.replay)?;
            writeln!(out, "  or:     {}", finding.replay_without_libfuzzer)?;
            writeln!(out, "  read:   {}", finding.show)?;
            if finding.known_as.is_none() {
                writeln!(out, "  add:    {}", finding.add)?;
            }
        }
        let new = self.new_findings();
        let known = match self.findings.len() - new {
            0 => String::new(),
            known => format!(", {known} known ones seen again"),
        };
        writeln!(out, "fuzzcheck: {new} findings{known}")?;
        Ok(())
    }
}

impl Finding {
    fn new(plan: &Plan, signature: &str, replay: Option<&str>, cases: Vec<PathBuf>) -> Self {
        let (target, case) = (plan.target, cases[0].display().to_string());
        // By default, the line before says what was fuzzed.
        let is_default = plan.configuration.is_default_for_fuzzing();
        let words = if is_default { Vec::new() } else { plan.configuration.arguments(BuildKind::Release) };
        let by_worker = command_line::run(&words, target, &cases[0]);
        Self {
            signature: signature.to_owned(),
            known_as: None,
            met_again: 0,
            // The target does not show what a check found.
            replay: replay
                .map_or_else(|| plan.replay(&cases[0]).unwrap_or_else(|_| by_worker.clone()), str::to_owned),
            replay_without_libfuzzer: replay.map_or(by_worker, str::to_owned),
            show: command_line::fuzzcheck("show", [&case]),
            add: crate::verbs::corpus::add::command(&words, target, signature, &cases[0]),
            cases,
        }
    }
}

/// A path as it is in the working copy.
fn short(plan: &Plan, path: &Path) -> PathBuf {
    path.strip_prefix(&plan.project).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(words: &[&str]) -> Vec<BuildKind> {
        let args: Args = crate::verbs::parsed(&[&["sql"], words].concat());
        builds_that_follow(&args, &Configuration::new(&args.configuration, &BuildKind::FUZZED).unwrap())
    }

    const HEADER: &str =
        "#define SQLITE_VERSION \"3.40.0\"\n#define SQLITE_SOURCE_ID \"2022-11-16 12:10:08 0\"\n";

    #[test]
    fn the_debug_build_follows_where_nobody_has_fuzzed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sqlite3.c"), HEADER).unwrap();
        std::fs::write(folder.path().join("sqlite3.h"), HEADER).unwrap();
        let other = format!("--sqlite={}", folder.path().display());
        assert_eq!(followed(&[]), []);
        assert_eq!(followed(&[&other]), [BuildKind::Debug]);
        assert_eq!(followed(&[&other, "--no-rerun"]), []);
        assert_eq!(followed(&[&other, "--build", "debug"]), []);
        assert_eq!(followed(&[&other, "--rerun", "asan,ubsan"]), [BuildKind::Asan, BuildKind::Ubsan]);
        assert_eq!(followed(&["--rerun", "debug"]), [BuildKind::Debug]);
    }
}
