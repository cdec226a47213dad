//! What `nightly` prints at its end.

use std::io::Write;
use std::path::Path;

use anyhow::Result;

use crate::campaign::record::{Campaign, StepEnd};
use crate::campaign::report::summary::Summary;
use crate::replay::protocol::OracleCounts;

/// Prints text.
pub(super) fn print(
    campaign: &Campaign,
    failures: &[String],
    record: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let (used, sessions) = (campaign.used_s, campaign.sessions.len());
    writeln!(out, "campaign {}: {used:.0} of {:.0} s, {sessions} sessions", campaign.id, campaign.budget_s)?;
    for job in &campaign.jobs {
        let (executions, seconds) = (job.executions(), job.seconds());
        let last = job.samples.last();
        let (edges, cases) = last.map_or((0, 0), |sample| (sample.edges, sample.corpus_cases));
        let slices = job.slices.len();
        let rate = executions as f64 / seconds.max(0.001);
        writeln!(
            out,
            "{:<8} {:<8} {executions} executions in {seconds:.0} s ({rate:.0}/s), {slices} slices, {edges} edges, {cases} cases",
            job.target, job.build
        )?;
    }
    for check in &campaign.checks {
        let OracleCounts { passed, failed, .. } = check.counts;
        let share = check.counts.judged_percent();
        writeln!(out, "{:<15} {passed} passed, {failed} failed, {share:.1} % judged", check.name)?;
    }
    if let Some(reached) = &campaign.coverage {
        let branches = reached.total.branches;
        let (percent, cases) = (branches.percent(), reached.cases);
        writeln!(
            out,
            "branches        {} of {} ({percent:.2} %), by {cases} cases",
            branches.covered, branches.total
        )?;
    }
    for step in campaign.steps.iter().filter(|step| step.end == StepEnd::Skipped) {
        writeln!(out, "not done: {}: {}", step.name, step.why.as_deref().unwrap_or("-"))?;
    }
    for warning in Summary::of(campaign).warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for failure in failures {
        writeln!(out, "failed: {failure}")?;
    }
    for finding in &campaign.findings {
        let what = match (&finding.known_as, finding.is_new) {
            (Some(known), _) => format!("known: {known}"),
            (None, true) => "new".to_owned(),
            (None, false) => "seen before, not known".to_owned(),
        };
        writeln!(out, "{} ({what})", finding.signature)?;
        writeln!(out, "  cases:  {}", finding.cases)?;
        writeln!(out, "  replay: {}", finding.replay)?;
        if let Some(file) = &finding.file {
            // From the folder of the campaign, `../findings/…`.
            let root = record.ancestors().nth(2).unwrap_or(record);
            let path = root.join(file.trim_start_matches("../"));
            writeln!(out, "  file:   {}", path.display())?;
        }
    }
    let new = campaign.findings.iter().filter(|finding| finding.is_news()).count();
    let all = campaign.findings.len();
    writeln!(out, "fuzzcheck: {new} new of {all} bugs; the record is {}", record.display())?;
    Ok(())
}
