//! Whether cases are deterministic: otherwise, no finding can be reproduced.

use anyhow::{Context, Result};
use tandem::TestCase;
use tandem::targets::DB_SQL;

use super::{Check, Place};
use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::replay::oracles::Oracles;
use crate::replay::{Options, Report, run_all};
use crate::source::{self, NamedCase};

/// Approximate number of shipped cases to run.
const CASES: usize = 20;
/// The function is there only where a bug is planted; elsewhere the statement fails, and does so twice.
const PLANTED: &str = "SELECT planted();";

const NAME: &str = "double run";

pub(super) fn double_run(place: &Place<'_>) -> Check {
    let report = match run(place) {
        Ok(report) => report,
        Err(error) => return Check::error(NAME, format!("{error:#}"), "build fuzzcheck again: cargo build"),
    };
    if let Some((name, message)) = report.harness_errors.first() {
        let found = format!("{name}: a worker failed: {message}");
        return Check::error(NAME, found, "report it: this is a bug in Tandem");
    }
    let bugs = || {
        report
            .findings
            .iter()
            .flat_map(|finding| finding.bugs.iter().map(move |bug| (&finding.case.name, bug)))
    };
    if let Some((name, bug)) = bugs().find(|(_, bug)| bug.signature.starts_with("determinism/")) {
        return Check::error(
            NAME,
            format!("{name} is not deterministic: {}", bug.signature),
            "cargo fuzzcheck run --oracles determinism, and look for hidden inputs of the case: time, addresses, threads",
        );
    }
    match bugs().next() {
        Some((name, bug)) => Check::warning(
            NAME,
            format!("{name} shows {}, which a shipped case should not", bug.signature),
            "cargo fuzzcheck",
        ),
        None if report.cases == 0 => {
            Check::error(NAME, "no case was run", "name the working copy with --project")
        }
        None => Check::ok(NAME, format!("{} cases behaved the same twice", report.cases)),
    }
}

/// Some of the shipped cases, and one that triggers a planted bug.
fn run(place: &Place<'_>) -> Result<Report> {
    let corpus = place.project.join("corpus");
    let shipped = source::open(std::slice::from_ref(&corpus), None)?;
    anyhow::ensure!(shipped.total > 0, "{}: no cases there", corpus.display());
    let planted = NamedCase {
        name: PLANTED.to_owned(),
        target: &DB_SQL,
        case: TestCase::from_sql(PLANTED),
        heap_bytes: None,
        provenance: None,
    };
    let every = shipped.total.div_ceil(CASES).max(1);
    let mut cases = shipped.cases.step_by(every).chain([planted]);
    let options = Options {
        oracles: Oracles::for_signature("determinism"),
        plant: place.plant.map(str::to_owned),
        timeout_ms: TIMEOUT_MS,
        worker_memory_mib: WORKER_MEMORY_MIB,
        ..Options::default()
    };
    let program = std::env::current_exe().context("finding this program")?;
    run_all(&program, &options, 1, &mut cases, place.stop, |_| {})
}
