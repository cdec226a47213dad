//! `fuzzcheck gaps`.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::coverage::Wanted;
use crate::base::EXIT_ERROR;
use crate::cli::gaps::{GapsArgs, KindArg};
use crate::coverage::reached::Gap;
use crate::gaps;
use crate::ui;

/// The gaps, for machines.
#[derive(Serialize)]
struct Summary {
    version: u32,
    /// Cases that were run.
    cases: u64,
    /// Gaps of the kinds that were asked for, before `--limit`.
    total: usize,
    /// Largest first.
    gaps: Vec<Gap>,
}

pub(super) fn run(args: &GapsArgs) -> Result<ExitCode> {
    let wanted = Wanted {
        sources: &args.sources,
        target: args.target.as_deref(),
        jobs: args.jobs,
        flavor: &args.flavor,
        may_install: !args.no_install,
        project: args.project.as_deref(),
    };
    let sources = wanted.sources();
    let (total, skipped) = wanted.count(&sources)?;
    let setup = wanted.build()?;
    let measured = setup.measure(&sources, total)?;
    let mut gaps = gaps::find(&measured, &gaps::Names::of(setup.program())?);
    let kinds: Vec<_> = args.kind.iter().map(|kind| KindArg::kind(*kind)).collect();
    gaps.retain(|gap| kinds.is_empty() || kinds.contains(&gap.kind));
    let total = gaps.len();
    gaps.truncate(args.limit.map_or(usize::MAX, |limit| limit as usize));
    if args.json {
        let summary = Summary { version: 1, cases: measured.cases, total, gaps };
        let document = serde_json::to_string_pretty(&summary)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| gaps::print(&gaps, total, out))?;
    }
    Ok(if measured.harness_errors.is_empty() { skipped } else { ExitCode::from(EXIT_ERROR) })
}
