//! What `fuzzcheck compare engines` prints.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use tandem::difference::Difference;
use tandem::testcase::CaseId;

use super::Args;
use crate::base::TIMEOUT_MS;
use crate::command_line;
use crate::differential::report::{DifferentialReport, Found};

/// Version of the JSON document.
const JSON_VERSION: u32 = 1;

/// The command that compares a saved case again, as it was.
fn replay_command(path: &Path, found: &Found, args: &Args) -> String {
    // What SQLite may hold is the only limit that a case can bring along, and its file does not carry it.
    let heap_bytes = [args.limit_heap_bytes, found.example.heap_bytes].into_iter().flatten().min();
    let timeout_ms = (args.timeout_ms != TIMEOUT_MS).then_some(args.timeout_ms);
    let words = [
        args.plant_a.as_ref().map(|name| format!("--plant-a={name}")),
        args.plant_b.as_ref().map(|name| format!("--plant-b={name}")),
        heap_bytes.map(|bytes| format!("--limit-heap-bytes={bytes}")),
        timeout_ms.map(|ms| format!("--timeout-ms={ms}")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    command_line::compare_engines(&[args.a.clone(), args.b.clone()], &words, found.example.target.name, path)
}

pub(super) fn print_text(
    report: &DifferentialReport,
    saved: &[Result<PathBuf>],
    args: &Args,
    seconds: f64,
    out: &mut dyn Write,
) -> Result<()> {
    for (found, saved) in report.findings.values().zip(saved) {
        writeln!(out, "{}", found.signature)?;
        writeln!(out, "    {}", found.difference.message.trim().replace('\n', "\n    "))?;
        writeln!(out, "  cases:  {}, the smallest {}", found.cases, found.example.name)?;
        if let Ok(path) = saved {
            writeln!(out, "  saved:  {}", path.display())?;
            writeln!(out, "  replay: {}", replay_command(path, found, args))?;
        }
    }
    for ((signature, reason), warned) in &report.warnings {
        writeln!(out, "warning      {signature}: {reason}: {} cases, as {}", warned.cases, warned.example)?;
    }
    for (known, fired) in &report.known {
        let times = if *fired == 0 { "did not show".to_owned() } else { format!("{fired} times") };
        writeln!(out, "known        {}: {times}: {} ({})", known.name, known.reason, known.link)?;
    }
    for (reason, count) in &report.skipped {
        writeln!(out, "skipped      {count}: {reason}")?;
    }
    writeln!(out, "A            {}", report.identities[0])?;
    writeln!(out, "B            {}", report.identities[1])?;
    writeln!(
        out,
        "compared     {} statements of {} cases, and the final state of {} cases",
        report.statements, report.compared_cases, report.ends
    )?;
    let (differences, cases) = (report.findings.len(), report.cases);
    writeln!(out, "fuzzcheck: {differences} differences out of {cases} cases in {seconds:.3} seconds")?;
    Ok(())
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    signature: &'a str,
    cases: u64,
    case: &'a str,
    id: String,
    target: &'a str,
    difference: &'a Difference,
    /// Names of cases, and what differs there.
    also: &'a [(String, String)],
    saved: Option<String>,
    replay: Option<String>,
}

#[derive(Serialize)]
struct JsonWarning<'a> {
    signature: &'a str,
    reason: &'a str,
    cases: u64,
    case: &'a str,
}

#[derive(Serialize)]
struct JsonKnown<'a> {
    name: &'a str,
    reason: &'a str,
    link: &'a str,
    fired: u64,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    version: u32,
    engines: &'a [String; 2],
    cases: u64,
    compared_cases: u64,
    statements: u64,
    ends: u64,
    seconds: f64,
    findings: Vec<JsonFinding<'a>>,
    warnings: Vec<JsonWarning<'a>>,
    known: Vec<JsonKnown<'a>>,
    skipped: &'a BTreeMap<String, u64>,
}

pub(super) fn print_json(
    report: &DifferentialReport,
    saved: &[Result<PathBuf>],
    args: &Args,
    seconds: f64,
    out: &mut dyn Write,
) -> Result<()> {
    let findings = report.findings.values().zip(saved).map(|(found, saved)| JsonFinding {
        signature: &found.signature,
        cases: found.cases,
        case: &found.example.name,
        id: CaseId::of_encoded(&found.example.body).to_string(),
        target: found.example.target.name,
        difference: &found.difference,
        also: &found.also,
        saved: saved.as_ref().ok().map(|path| path.display().to_string()),
        replay: saved.as_ref().ok().map(|path| replay_command(path, found, args)),
    });
    let warnings = report.warnings.iter().map(|((signature, reason), warned)| JsonWarning {
        signature,
        reason,
        cases: warned.cases,
        case: &warned.example,
    });
    let known = report.known.iter().map(|(known, fired)| JsonKnown {
        name: known.name,
        reason: known.reason,
        link: known.link,
        fired: *fired,
    });
    let document = JsonReport {
        version: JSON_VERSION,
        engines: &report.identities,
        cases: report.cases,
        compared_cases: report.compared_cases,
        statements: report.statements,
        ends: report.ends,
        seconds,
        findings: findings.collect(),
        warnings: warnings.collect(),
        known: known.collect(),
        skipped: &report.skipped,
    };
    serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
