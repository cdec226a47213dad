//! Verdicts, counted.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use tandem::generators::simulation::Simulation;

use super::{Outcome, Verdict};
use crate::replay::protocol::OracleCounts;

/// How many statements came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Simulations.
    pub simulations: u64,
    /// The same on both sides.
    pub pass: u64,
    /// Not compared.
    pub skipped: u64,
    /// Different in what SQL leaves open.
    pub warning: u64,
    /// Different.
    pub failed: u64,
    /// Not reached.
    pub not_reached: u64,
    /// Reasons for skipping, and of warnings.
    pub reasons: BTreeMap<String, u64>,
    /// What oracles said, if they were asked.
    pub oracles: BTreeMap<String, OracleCounts>,
}

impl Counts {
    /// Of one simulation.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let mut counts = Self { simulations: 1, oracles: outcome.oracles.clone(), ..Self::default() };
        for verdict in outcome.steps.iter().chain(&outcome.end) {
            let count = match verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Skipped(_) => &mut counts.skipped,
                Verdict::Warning(_) => &mut counts.warning,
                Verdict::Failed(_) => &mut counts.failed,
                Verdict::NotReached => &mut counts.not_reached,
            };
            *count += 1;
            if let Verdict::Skipped(reason) | Verdict::Warning(reason) = verdict {
                let kind = if matches!(verdict, Verdict::Skipped(_)) { "skipped" } else { "warning" };
                *counts.reasons.entry(format!("{kind}: {reason}")).or_default() += 1;
            }
        }
        counts
    }

    /// Adds those of others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.simulations += other.simulations;
        self.pass += other.pass;
        self.skipped += other.skipped;
        self.warning += other.warning;
        self.failed += other.failed;
        self.not_reached += other.not_reached;
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
        for (name, counts) in &other.oracles {
            self.oracles.entry(name.clone()).or_default().add(counts);
        }
    }

    /// Whether oracles were asked, and none of them judged.
    pub(crate) fn are_oracles_silent(&self) -> bool {
        !self.oracles.is_empty() && self.oracles.values().all(|counts| counts.passed + counts.failed == 0)
    }

    /// All statements, and what was left at the end of each simulation.
    pub(crate) fn total(&self) -> u64 {
        self.pass + self.skipped + self.warning + self.failed + self.not_reached
    }

    /// Prints them.
    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        for (reason, count) in &self.reasons {
            writeln!(out, "{reason}: {count}")?;
        }
        for (name, counts) in &self.oracles {
            let OracleCounts { passed, failed, .. } = counts;
            write!(out, "oracle      {name}: {passed} passed, {failed} failed")?;
            let reasons = counts.reasons();
            reasons.iter().try_for_each(|(reason, count)| write!(out, ", {count} not judged ({reason})"))?;
            writeln!(out)?;
        }
        let Self { pass, skipped, warning, failed, not_reached, .. } = self;
        writeln!(
            out,
            "verdicts    {pass} pass, {skipped} skipped, {warning} warnings, {failed} failed, {not_reached} not reached: \
             {} in all",
            self.total()
        )?;
        Ok(())
    }
}

/// What a person calls a step with its verdict: `17 select.join: FAILED differential/rows/SELECT`.
pub(crate) fn title(simulation: &Simulation, index: usize, verdict: &Verdict) -> String {
    let class = simulation.steps[index].class;
    let verdict = match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Skipped(reason) => format!("SKIPPED {reason}"),
        Verdict::Warning(reason) => format!("WARNING {reason}"),
        Verdict::Failed(signature) => format!("FAILED {signature}"),
        Verdict::NotReached => "NOT REACHED".to_owned(),
    };
    format!("{} {class}: {verdict}", index + 1)
}
