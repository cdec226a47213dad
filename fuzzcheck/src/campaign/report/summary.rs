//! The result of a campaign, in one word and a few numbers.

use schemars::JsonSchema;
use serde::Serialize;

use super::shares;
use super::text::rate;
use crate::campaign::record::{Campaign, FuzzJob, StepEnd};

/// The result of a campaign; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It ran no case, which proves nothing.
    Failed,
    /// It found new bugs.
    New,
    /// It is unfinished, or a part of it did not run.
    Incomplete,
    /// All bugs found are known.
    Known,
    /// It found no bug.
    Clean,
}

/// The figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Summary {
    /// The result.
    pub verdict: Verdict,
    /// What is wrong with the campaign itself: why it failed or is incomplete, in words.
    pub complaints: Vec<String>,
    /// What does not change the result but should be looked at: checks that judged less than in the last night.
    pub warnings: Vec<String>,
    /// Signatures that are new.
    pub new_findings: u64,
    /// Signatures that are known.
    pub known_findings: u64,
    /// Cases that libFuzzer ran, over all targets.
    pub executions: u64,
    /// Seconds of fuzzing, summed over all targets.
    pub fuzzing_s: f64,
    /// Executions per second of fuzzing; absent without fuzzing.
    pub executions_per_s: Option<f64>,
    /// Processes that ended and were restarted.
    pub restarts: u64,
    /// How often the campaign was killed.
    pub kills: u64,
}

impl Summary {
    /// Adds up a campaign.
    pub(crate) fn of(campaign: &Campaign) -> Self {
        use crate::campaign::record::SessionEnd::Killed;
        let is_new = campaign.findings.iter().filter(|finding| finding.is_new).count() as u64;
        let slices = || campaign.jobs.iter().flat_map(|job| &job.slices);
        let executions = slices().map(|slice| slice.executions).sum();
        let fuzzing_s = slices().map(|slice| slice.seconds).sum();
        let known_findings = campaign.findings.len() as u64 - is_new;
        let complaints = complaints(campaign, executions);
        let verdict = match (executions, is_new, complaints.is_empty(), known_findings) {
            (0, ..) => Verdict::Failed,
            (_, 1.., ..) => Verdict::New,
            (_, 0, false, _) => Verdict::Incomplete,
            (_, 0, true, 1..) => Verdict::Known,
            (_, 0, true, 0) => Verdict::Clean,
        };
        Self {
            verdict,
            complaints,
            warnings: shares::warnings(campaign),
            new_findings: is_new,
            known_findings,
            executions,
            fuzzing_s,
            executions_per_s: rate(executions, fuzzing_s),
            restarts: slices().map(|slice| slice.restarts).sum(),
            kills: campaign.sessions.iter().filter(|session| session.end == Killed).count() as u64,
        }
    }

    /// The verdict as a headline.
    pub(crate) fn headline(&self) -> String {
        use super::text::counted;
        match self.verdict {
            Verdict::Failed => "Failed: no case was run".to_owned(),
            Verdict::New => counted(self.new_findings, "new finding"),
            Verdict::Incomplete => "Incomplete".to_owned(),
            Verdict::Known => format!("{}, all known", counted(self.known_findings, "finding")),
            Verdict::Clean => "No findings".to_owned(),
        }
    }
}

/// Name of a job: target and build.
pub(crate) fn name(job: &FuzzJob) -> String {
    format!("{}/{}", job.target, job.build)
}

/// Cases that a job ran, and the seconds that it took.
pub(crate) fn work(job: &FuzzJob) -> (u64, f64) {
    let executions = job.slices.iter().map(|slice| slice.executions).sum();
    (executions, job.slices.iter().map(|slice| slice.seconds).sum())
}

fn complaints(campaign: &Campaign, executions: u64) -> Vec<String> {
    let mut all = Vec::new();
    if campaign.jobs.is_empty() {
        all.push("no target was fuzzed".to_owned());
    } else if executions == 0 {
        all.push("no target ran a case".to_owned());
    }
    for job in campaign.jobs.iter().filter(|job| work(job).0 == 0) {
        let why = job.failures.last().map_or("it got no time", String::as_str);
        all.push(format!("{} ran no case: {why}", name(job)));
    }
    for job in campaign.jobs.iter().filter(|job| work(job).0 > 0) {
        all.extend(job.failures.iter().map(|why| format!("{}: {why}", name(job))));
    }
    let slices = campaign.jobs.iter().flat_map(|job| &job.slices);
    all.extend(slices.flat_map(|slice| slice.harness_errors.iter().cloned()));
    for step in campaign.steps.iter().filter(|step| step.end == StepEnd::Failed) {
        let why = step.why.as_deref().unwrap_or("no reason given");
        all.push(format!("the step {} failed: {why}", step.name));
    }
    let failed: Vec<&str> = campaign
        .checks
        .iter()
        .filter(|check| check.counts.failed > 0)
        .map(|check| check.name.as_str())
        .collect();
    if campaign.findings.is_empty() && !failed.is_empty() {
        all.push(format!("checks failed without a finding: {}", failed.join(", ")));
    }
    if campaign.ended.is_none() {
        all.push("unfinished: it is still running, or was killed; `fuzzcheck nightly` resumes it".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::record::Check;
    use crate::campaign::report::made::campaign;
    use crate::replay::protocol::OracleCounts;

    #[test]
    fn a_campaign_that_ran_nothing_has_failed_whatever_else_it_says() {
        let mut none = campaign();
        none.findings.clear();
        none.jobs.iter_mut().flat_map(|job| &mut job.slices).for_each(|slice| slice.executions = 0);
        let summary = Summary::of(&none);
        assert_eq!(summary.verdict, Verdict::Failed);
        assert!(summary.complaints.iter().any(|why| why.contains("no target ran a case")), "{summary:?}");
        none.jobs.clear();
        let summary = Summary::of(&none);
        assert_eq!((summary.verdict, summary.executions_per_s), (Verdict::Failed, None));
        assert_eq!(summary.complaints[0], "no target was fuzzed");
    }

    #[test]
    fn what_did_not_run_is_never_called_clean() {
        let mut whole = campaign();
        assert_eq!(Summary::of(&whole).verdict, Verdict::New);
        whole.findings.retain(|finding| !finding.is_new);
        whole.steps.iter_mut().for_each(|step| step.end = StepEnd::Done);
        whole.jobs.iter_mut().for_each(|job| job.failures.clear());
        assert_eq!(Summary::of(&whole).verdict, Verdict::Known);
        whole.findings.clear();
        whole.checks.iter_mut().for_each(|check| check.counts.failed = 0);
        assert_eq!(Summary::of(&whole).verdict, Verdict::Clean);
        assert_eq!(Summary::of(&whole).complaints, [""; 0]);

        let red: [fn(&mut Campaign); 6] = [
            |made| made.jobs[0].slices[0].harness_errors.push("crash-01: it panicked".to_owned()),
            |made| made.ended = None,
            |made| made.steps[0].end = StepEnd::Failed,
            |made| made.jobs[1].failures.push("out of memory".to_owned()),
            |made| made.jobs[2].slices.clear(),
            |made| {
                let counts = OracleCounts { passed: 1, failed: 1, ..OracleCounts::default() };
                made.checks.push(Check { name: "x".into(), build: "asan".into(), counts });
            },
        ];
        for change in red {
            let mut changed = whole.clone();
            change(&mut changed);
            let summary = Summary::of(&changed);
            assert_eq!((summary.verdict, summary.complaints.len()), (Verdict::Incomplete, 1), "{summary:?}");
        }
    }
}
