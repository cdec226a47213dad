//! What `fuzzcheck run` prints.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use tandem::corpus::Details;
use tandem::targets::Target;
use tandem::testcase::CaseId;

use super::Args;
use super::options;
use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::replay::cut_short::{self, CutShort};
use crate::replay::protocol::{Limits, OracleCounts};
use crate::replay::report::{Done, Report, Silent};
use crate::replay::{FoundBug, Options};
use crate::source::Provenance;

/// How many of the cases that were cut short are listed.
const CUT_SHORT_NAMED: usize = 3;
/// Version of the JSON document.
const JSON_VERSION: u32 = 3;

/// The command that reruns a saved case under the same options.
pub(crate) fn run_command(
    path: &Path,
    target: &Target,
    heap_bytes: Option<u64>,
    how: &Options,
    configuration: &Configuration,
) -> String {
    let flag = |is_on: bool, name: &str| is_on.then(|| name.to_owned());
    let option = |name: &str, value: Option<u64>| value.map(|value| format!("{name}={value}"));
    let changed = |value: u64, default: u64| (value != default).then_some(value);
    let Limits { vm_steps, alloc_bytes, disk_bytes, length_bytes, rows, are_sqlites, .. } = how.limits;
    // What SQLite may hold is the only limit that a case can bring along, and its file does not carry it.
    let heap_bytes = how.limits.heap_bytes.or(heap_bytes);
    let arguments = [
        how.oracles.argument(),
        flag(how.meets_known_bugs, "--meet-known-bugs"),
        how.plant.as_ref().map(|name| format!("--plant={name}")),
        option("--limit-vm-steps", vm_steps),
        option("--limit-alloc-bytes", alloc_bytes),
        option("--limit-heap-bytes", heap_bytes),
        option("--limit-disk-bytes", disk_bytes),
        option("--limit-length-bytes", length_bytes.map(u64::from)),
        option("--limit-rows", rows),
        flag(are_sqlites, "--sqlite-limits"),
        option("--timeout-ms", changed(how.timeout_ms, TIMEOUT_MS)),
        option("--worker-memory-mib", changed(how.worker_memory_mib, WORKER_MEMORY_MIB)),
    ];
    let build = configuration.arguments(BuildKind::Release);
    let words: Vec<String> = build.into_iter().chain(arguments.into_iter().flatten()).collect();
    command_line::run(&words, target.name, path)
}

fn replay_command(path: &Path, case: &Done, args: &Args, worker: &Worker) -> String {
    run_command(path, case.target, case.heap_bytes, &options(args), &worker.configuration)
}

pub(super) fn print_text(
    report: &Report,
    saved: &[Result<PathBuf>],
    args: &Args,
    worker: &Worker,
    seconds: f64,
    out: &mut dyn Write,
) -> Result<()> {
    for (finding, saved) in report.findings.iter().zip(saved) {
        writeln!(out, "{}", finding.bugs[0].signature)?;
        for bug in &finding.bugs {
            let message = bug.message.trim().replace('\n', "\n    ");
            writeln!(out, "    {message}")?;
        }
        writeln!(out, "  case:   {}", finding.case.name)?;
        if let Ok(path) = saved {
            writeln!(out, "  saved:  {}", path.display())?;
            writeln!(out, "  replay: {}", replay_command(path, &finding.case, args, worker))?;
        }
    }
    for slow in report.slowest.iter().take(usize::from(args.slowest)) {
        let ms = slow.cpu_ns as f64 / 1e6;
        writeln!(out, "slow: {ms:9.3} ms CPU, {:6} VM steps: {}", slow.vm_steps, slow.name)?;
    }
    print_oracles(&report.counts.oracles, out)?;
    print_cut_short(report, out)?;
    for (name, count) in &report.counts.avoided {
        writeln!(out, "avoided      {count} statements that trigger the known bug {name}")?;
    }
    for name in &report.known {
        writeln!(out, "known        {name} shows its known bug")?;
    }
    let (silent, elsewhere) = silent(report, worker);
    for Silent { case, provenance } in silent {
        let about = about(provenance);
        writeln!(out, "silent       {case} does not show its known bug{about}: is it fixed?")?;
    }
    if elsewhere > 0 {
        writeln!(out, "elsewhere    {elsewhere} cases are for bugs of other builds or versions of SQLite")?;
    }
    let signatures = report.signatures();
    if signatures.len() > 1 {
        signatures
            .iter()
            .try_for_each(|(signature, cases)| writeln!(out, "{cases:>6} cases  {signature}"))?;
    }
    if !worker.configuration.is_this_program() {
        writeln!(out, "{}: {}", worker.configuration, worker.identity.source_id)?;
    }
    let (errors, cases) = (report.findings.len(), report.cases);
    writeln!(out, "fuzzcheck: {errors} errors out of {cases} cases in {seconds:.3} seconds")?;
    Ok(())
}

/// What each oracle said: passed, failed and not judged add up to all cases.
fn print_oracles(oracles: &BTreeMap<String, OracleCounts>, out: &mut dyn Write) -> Result<()> {
    let width = oracles.keys().map(String::len).max().unwrap_or_default().max(12);
    for (oracle, counts) in oracles {
        let OracleCounts { passed, failed, runs, refused_runs, checks, nontrivial, .. } = counts;
        let share = counts.judged_percent();
        write!(out, "{oracle:<width$} {passed:>7} passed, {failed} failed, {share:.1} % judged")?;
        if let Some(share) = counts.judged_percent_of_sound() {
            write!(out, ", {share:.1} % where there was something to judge")?;
        }
        let reasons = counts.reasons();
        if !reasons.is_empty() {
            let all: u64 = reasons.iter().map(|(_, cases)| cases).sum();
            let reasons: Vec<String> =
                reasons.iter().map(|(reason, cases)| format!("{reason}: {cases}")).collect();
            write!(out, "; {all} not judged ({})", reasons.join(", "))?;
        }
        if *checks > 0 {
            write!(out, "; checks {checks}, not trivial {nontrivial}")?;
        }
        if *runs > 0 {
            write!(out, "; it asked for {runs} further runs")?;
        }
        if *refused_runs > 0 {
            write!(out, ", {refused_runs} were refused: its budget was used up")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn print_cut_short(report: &Report, out: &mut dyn Write) -> Result<()> {
    let cases = report.cut_short.len();
    if cases == 0 {
        return Ok(());
    }
    let by_limit = cut_short::in_words(&report.cut_short_by_limit());
    writeln!(out, "cut short    {cases} cases, not run to the end: {by_limit}")?;
    for (name, _) in report.cut_short.values().take(CUT_SHORT_NAMED) {
        writeln!(out, "             {name}")?;
    }
    if cases > CUT_SHORT_NAMED {
        writeln!(out, "             and {} more; --json lists all", cases - CUT_SHORT_NAMED)?;
    }
    Ok(())
}

/// The cases that should show a bug here but do not; how many are not expected to.
fn silent<'r>(report: &'r Report, worker: &Worker) -> (Vec<&'r Silent>, usize) {
    let version = worker.identity.version();
    let is_expected = |silent: &&Silent| silent.provenance.is_expected(worker.configuration.build, version);
    let (here, elsewhere): (Vec<_>, Vec<_>) = report.silent.iter().partition(is_expected);
    (here, elsewhere.len())
}

/// The details of a bug, in brackets.
fn about(provenance: &Provenance) -> String {
    let Details { name, link, reason, .. } = &provenance.details;
    let words: Vec<&str> = [name, if link.is_some() { link } else { reason }]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(": ")) }
}

#[derive(Serialize)]
struct JsonSilent<'a> {
    case: &'a str,
    name: Option<&'a str>,
    link: Option<&'a str>,
    reason: Option<&'a str>,
    signature: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    case: &'a str,
    id: String,
    target: &'a str,
    bugs: &'a [FoundBug],
    saved: Option<String>,
    replay: Option<String>,
}

#[derive(Serialize)]
struct JsonOracle<'a> {
    #[serde(flatten)]
    counts: &'a OracleCounts,
    cases: u64,
    judged_percent: f64,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    version: u32,
    sqlite: &'a str,
    build: &'a str,
    cases: u64,
    errors: usize,
    harness_errors: usize,
    seconds: f64,
    case_cpu_seconds: f64,
    findings: Vec<JsonFinding<'a>>,
    known: &'a [String],
    silent: Vec<JsonSilent<'a>>,
    elsewhere: usize,
    oracles: BTreeMap<&'a str, JsonOracle<'a>>,
    avoided_statements: &'a BTreeMap<String, u64>,
    cut_short: Vec<CutShort>,
    cut_short_cases: Vec<&'a str>,
    slowest: Vec<JsonSlow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct JsonSlow<'a> {
    case: &'a str,
    cpu_ns: u64,
    vm_steps: u64,
}

pub(super) fn print_json(
    report: &Report,
    saved: &[Result<PathBuf>],
    args: &Args,
    worker: &Worker,
    seconds: f64,
    out: &mut dyn Write,
) -> Result<()> {
    let findings = report.findings.iter().zip(saved).map(|(finding, saved)| JsonFinding {
        case: &finding.case.name,
        id: CaseId::of_encoded(&finding.case.body).to_string(),
        target: finding.case.target.name,
        bugs: &finding.bugs,
        saved: saved.as_ref().ok().map(|path| path.display().to_string()),
        replay: saved.as_ref().ok().map(|path| replay_command(path, &finding.case, args, worker)),
    });
    let (silent, elsewhere) = silent(report, worker);
    let silent = silent.into_iter().map(|Silent { case, provenance }| JsonSilent {
        case,
        name: provenance.details.name.as_deref(),
        link: provenance.details.link.as_deref(),
        reason: provenance.details.reason.as_deref(),
        signature: provenance.known(),
    });
    let oracles = report.counts.oracles.iter().map(|(name, counts)| {
        let judged_percent = (counts.judged_percent() * 100.0).round() / 100.0;
        (name.as_str(), JsonOracle { counts, cases: counts.cases(), judged_percent })
    });
    let slowest = report.slowest.iter().take(usize::from(args.slowest));
    let document = JsonReport {
        version: JSON_VERSION,
        sqlite: &worker.identity.source_id,
        build: worker.configuration.build.name(),
        cases: report.cases,
        errors: report.findings.len(),
        harness_errors: report.harness_errors.len(),
        seconds,
        case_cpu_seconds: report.cpu_ns as f64 / 1e9,
        findings: findings.collect(),
        known: &report.known,
        silent: silent.collect(),
        elsewhere,
        oracles: oracles.collect(),
        avoided_statements: &report.counts.avoided,
        cut_short: report.cut_short_by_limit(),
        cut_short_cases: report.cut_short.values().map(|(name, _)| name.as_str()).collect(),
        slowest: slowest
            .map(|slow| JsonSlow { case: &slow.name, cpu_ns: slow.cpu_ns, vm_steps: slow.vm_steps })
            .collect(),
        digests: args.digests.then_some(&report.digests),
    };
    serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
