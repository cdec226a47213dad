//! Reporting: bug files, notifications, the exit code.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;

use super::After;
use crate::build_kind::BuildKind;
use crate::campaign::findings::{self, Index, Judge};
use crate::campaign::notify::{self, Message};
use crate::campaign::record::{Finding, SessionEnd, StepEnd};
use crate::campaign::runner::{Done, Runner};
use crate::triage::known::Known;
use crate::triage::state::State as TriageState;

impl After<'_> {
    /// Names the bugs, and writes a file and a notification for each new one.
    pub(super) fn findings(&self, runner: &mut Runner<'_>) -> Result<Done> {
        let triage = TriageState::open(&self.triage)?;
        let known = Known::of_project(self.project, self.configuration.what().is_empty())?;
        let mut index = Index::open(&runner.state.root().join("findings"))?;
        let judge =
            Judge { triage: &triage, known: &known, arguments: self.arguments, project: self.project };
        let mut all = judge.findings(&runner.state.memory, &runner.state.campaign.id, &mut index);
        for finding in &mut all {
            let path = index.update_file(&finding.signature, || {
                let is_confirmed = triage.bugs.contains_key(&finding.signature);
                let report = || self.report(runner, finding, &triage.case_path(&finding.signature));
                finding.known_as.is_none().then(|| {
                    is_confirmed.then(report).flatten().unwrap_or_else(|| findings::plain_report(finding))
                })
            })?;
            // The folder of the campaign is beside that of the files.
            let name = path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
            finding.file = name.map(|name| format!("../findings/{name}"));
        }
        index.save()?;
        runner.state.campaign.findings = all;
        runner.save()?;
        self.tell(runner)?;
        Ok(if runner.is_stopped() { Done::Stopped } else { Done::Ok })
    }

    /// The bug report of `handover`; `None` if there is no time, or the case does not show its bug.
    fn report(&self, runner: &mut Runner<'_>, finding: &Finding, case: &Path) -> Option<String> {
        let build = BuildKind::that_reports(&finding.signature);
        if self.why_not(runner, build).is_some() {
            return None;
        }
        let folder = tempfile::tempdir().ok()?;
        let output = self.child(runner, "handover", 0.2, |_| {
            let mut words = self.words("handover", Some(build));
            words.extend([case.into(), "--to".into(), folder.path().into(), "--form=report".into()]);
            words.extend(["--signature".into(), finding.signature.clone().into()]);
            words.extend(["--target".into(), finding.target.clone().into()]);
            words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
            words
        });
        let is_written = output.is_ok_and(|output| matches!(output.done, Done::Ok));
        let text = fs::read_to_string(folder.path().join("report.md")).ok().filter(|_| is_written)?;
        // The folder will be gone when someone reads this.
        let there = folder.path().join("case.tandem").display().to_string();
        let here = case.strip_prefix(self.project).unwrap_or(case).display().to_string();
        Some(text.replace(&there, &here).replace("Attached: `case.tandem`", &format!("Case: `{here}`")))
    }

    /// Notifies of each new bug once.
    fn tell(&self, runner: &mut Runner<'_>) -> Result<()> {
        let Some(command) = self.notify else {
            return Ok(());
        };
        let state = &mut runner.state;
        for finding in state.campaign.findings.iter().filter(|finding| finding.is_news()) {
            if !state.memory.notified.contains(&finding.signature) {
                if let Err(error) = notify::send(command, &Message::finding(&state.campaign.id, finding)) {
                    eprintln!("fuzzcheck: warning: {error:#}");
                }
                state.memory.notified.insert(finding.signature.clone());
            }
        }
        state.save()
    }

    /// Ends the campaign: failures and the exit code.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn end(&self, runner: &mut Runner<'_>) -> Result<(u8, Vec<String>)> {
        let campaign = &mut runner.state.campaign;
        campaign.ended = Some(Timestamp::now());
        let steps = campaign.steps.iter().filter(|step| step.end == StepEnd::Failed);
        let mut failures: Vec<String> =
            steps.map(|step| format!("{}: {}", step.name, step.why.as_deref().unwrap_or("-"))).collect();
        let idle = campaign.jobs.iter().filter(|job| job.executions() == 0);
        failures.extend(idle.map(|job| {
            let why = job.failures.last().map_or("it got no time", String::as_str);
            format!("{} in the {} build executed nothing: {why}", job.target, job.build)
        }));
        let slices = campaign.jobs.iter().flat_map(|job| &job.slices);
        failures.extend(slices.flat_map(|slice| slice.harness_errors.iter().cloned()));
        let has_news = campaign.findings.iter().any(Finding::is_news);
        let code = if has_news {
            crate::base::EXIT_FINDINGS
        } else {
            u8::from(!failures.is_empty()) * crate::base::EXIT_ERROR
        };
        runner.end_session(SessionEnd::Finished)?;
        if let Some(command) = self.notify {
            let record = runner.state.record().display().to_string();
            let message = Message::end(&runner.state.campaign, code, failures.clone(), record);
            if let Err(error) = notify::send(command, &message) {
                eprintln!("fuzzcheck: warning: {error:#}");
            }
        }
        Ok((code, failures))
    }
}
