//! The corpora: merges them, replays them, measures their coverage.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use tandem::corpus::Corpus;
use tandem::targets;

use super::{After, Output, parse};
use crate::build_kind::BuildKind;
use crate::campaign::after::StepArg;
use crate::campaign::record::{Check, Gap, Night, Reached, Slow};
use crate::campaign::runner::{Done, Runner};
use crate::campaign::state::Case;
use crate::coverage::build::Coverage;
use crate::files;
use crate::replay::FoundBug;
use crate::replay::cut_short::CutShort;
use crate::replay::protocol::OracleCounts;

/// The folder of the HTML coverage report, within that of the campaign.
const PAGES: &str = "coverage";
/// Number of slow cases in the record.
const SLOWEST: usize = 20;

impl After<'_> {
    /// The corpus database of a target to write to; at first, a copy of the shipped one.
    fn database(&self, target: &str) -> Result<PathBuf> {
        let name = format!("{target}.db");
        let (into, shipped) = (self.merge_into.join(&name), self.project.join("corpus").join(&name));
        if !into.exists() && shipped.exists() {
            let content = fs::read(&shipped).with_context(|| format!("{}", shipped.display()))?;
            files::write(&into, &content)?;
        }
        Ok(into)
    }

    pub(super) fn merge(&self, runner: &mut Runner<'_>, name: &str, target: &str) -> Result<Done> {
        let into = self.database(target)?;
        let ahead = self.targets.iter().skip_while(|other| *other != target).count();
        // Without the coverage step, merging gets its time.
        let is_counted =
            !self.without.contains(&StepArg::Coverage) && self.why_not(runner, BuildKind::Coverage).is_none();
        let share = if is_counted { 0.45 } else { 0.8 };
        let Output { done, json } = self.child(runner, name, share / ahead.max(1) as f64, |_| {
            let mut words = self.words("corpus merge", Some(self.configuration.build));
            words.extend([target.into(), "--into".into(), into.into()]);
            words.extend(["--project".into(), self.project.into()]);
            words.extend(self.toolchain.iter().flat_map(|name| ["--toolchain".into(), OsString::from(name)]));
            words
        })?;
        if matches!(done, Done::Ok) {
            self.note_crashed(runner, target, &json)?;
        }
        Ok(done)
    }

    /// Cases that crashed the target during measuring are ordinary findings.
    fn note_crashed(&self, runner: &mut Runner<'_>, target: &str, json: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Document {
            targets: Vec<Summary>,
        }
        #[derive(Deserialize)]
        struct Summary {
            crashed: Vec<Crashed>,
        }
        #[derive(Deserialize)]
        struct Crashed {
            signature: String,
            saved: PathBuf,
        }
        let document: Document = parse("corpus merge", json)?;
        let build = self.configuration.build.name().to_owned();
        for crashed in document.targets.into_iter().flat_map(|summary| summary.crashed) {
            runner.state.memory.cases.insert(Case {
                path: self.project.join(crashed.saved),
                signature: crashed.signature,
                target: target.to_owned(),
                build: build.clone(),
                message: None,
            });
        }
        Ok(())
    }

    pub(super) fn replay(
        &self,
        runner: &mut Runner<'_>,
        name: &str,
        target: &str,
        build: BuildKind,
    ) -> Result<Done> {
        let database = self.database(target)?;
        if !database.exists() {
            return Ok(Done::Skipped(format!("{} does not exist", database.display())));
        }
        if let Some(why) = self.why_not(runner, build) {
            return Ok(Done::Skipped(why));
        }
        let folder = runner.state.folder().join("replay");
        let Output { done, json } = self.child(runner, name, 0.4, |_| {
            let mut words = self.words("run", (build != BuildKind::Release).then_some(build));
            words.extend([database.into(), format!("--jobs={}", self.jobs).into()]);
            words.extend([format!("--slowest={SLOWEST}").into(), "--save-dir".into(), folder.into()]);
            words.extend(self.plant.iter().flat_map(|plant| ["--plant".into(), OsString::from(plant)]));
            words
        })?;
        // A run that was cut off reports what it did until then.
        if !json.is_empty() && !matches!(done, Done::Stopped) {
            self.note_replay(runner, target, &json)?;
        }
        Ok(done)
    }

    fn note_replay(&self, runner: &mut Runner<'_>, target: &str, json: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Document {
            build: String,
            findings: Vec<Found>,
            oracles: BTreeMap<String, OracleCounts>,
            cut_short: Vec<CutShort>,
            slowest: Vec<SlowCase>,
        }
        #[derive(Deserialize)]
        struct Found {
            target: String,
            bugs: Vec<FoundBug>,
            saved: Option<PathBuf>,
        }
        #[derive(Deserialize)]
        struct SlowCase {
            case: String,
            cpu_ns: u64,
            vm_steps: u64,
        }
        let Document { build, findings, oracles, cut_short, slowest } = parse("run", json)?;
        let campaign = &mut runner.state.campaign;
        for (name, counts) in oracles {
            let is_it = |check: &&mut Check| check.name == name && check.build == build;
            match campaign.checks.iter_mut().find(is_it) {
                Some(check) => check.counts.add(&counts),
                None => campaign.checks.push(Check { name, build: build.clone(), counts }),
            }
        }
        CutShort::add(&mut campaign.cut_short, cut_short);
        campaign.slowest.extend(slowest.into_iter().map(|slow| Slow {
            case: slow.case,
            target: target.to_owned(),
            cpu_ms: slow.cpu_ns / 1_000_000,
            vm_steps: slow.vm_steps,
        }));
        campaign.slowest.sort_by_key(|slow| std::cmp::Reverse(slow.cpu_ms));
        campaign.slowest.truncate(SLOWEST);
        for Found { target, bugs, saved } in findings {
            let (Some(path), Some(bug)) = (saved, bugs.into_iter().next()) else {
                continue;
            };
            let (signature, message, build) = (bug.signature, Some(bug.message), build.clone());
            runner.state.memory.cases.insert(Case { path, signature, target, build, message });
        }
        Ok(())
    }

    pub(super) fn coverage(&self, runner: &mut Runner<'_>, name: &str) -> Result<Done> {
        if let Some(why) = self.why_not(runner, BuildKind::Coverage) {
            return Ok(Done::Skipped(why));
        }
        let mut databases: Vec<PathBuf> =
            targets::all().iter().map(|target| self.database(target.name)).collect::<Result<_>>()?;
        databases.retain(|path| path.exists());
        if databases.is_empty() {
            return Ok(Done::Skipped(format!(
                "there is no corpus database in {}",
                self.merge_into.display()
            )));
        }
        let pages = runner.state.folder().join(PAGES);
        let Output { done, json } = self.child(runner, name, 1.0, |_| {
            let mut words = self.words("coverage", None);
            words.extend(["--project".into(), self.project.into(), format!("--jobs={}", self.jobs).into()]);
            words.extend(["--gaps".into(), "--html".into(), pages.into()]);
            words.extend(databases.into_iter().map(OsString::from));
            words
        })?;
        if matches!(done, Done::Ok) {
            let (mut reached, gaps) = reached(&json)?;
            reached.html = Some(format!("{PAGES}/index.html"));
            runner.state.campaign.coverage = Some(reached);
            runner.state.campaign.gaps = gaps;
        }
        Ok(done)
    }

    pub(super) fn trend(&self, runner: &mut Runner<'_>) -> Result<Done> {
        runner.state.campaign.checks_before = runner.state.checks_before()?;
        let campaign = &runner.state.campaign;
        let Some(reached) = &campaign.coverage else {
            runner.state.campaign.trend = runner.state.trend()?;
            return Ok(Done::Skipped("coverage was not measured tonight".to_owned()));
        };
        let mut corpus_cases = 0;
        for target in targets::all().iter().map(|target| target.name) {
            let path = self.merge_into.join(format!("{target}.db"));
            corpus_cases += if path.exists() { Corpus::load(&path)?.len() as u64 } else { 0 };
        }
        let night = Night {
            id: campaign.id.clone(),
            started: campaign.started,
            total: reached.total,
            executions: campaign.executions(),
            corpus_cases,
            new_findings: campaign.findings.iter().filter(|finding| finding.is_news()).count() as u64,
        };
        runner.state.add_night(night)?;
        Ok(Done::Ok)
    }
}

/// The output of `coverage --json`, with gaps if requested.
fn reached(json: &[u8]) -> Result<(Reached, Vec<Gap>)> {
    #[derive(Deserialize)]
    struct Document {
        cases: u64,
        #[serde(flatten)]
        total: Coverage,
        /// The same with what is below it.
        reached: Option<Reached>,
        #[serde(default)]
        gaps: Vec<Gap>,
    }
    let Document { cases, total, reached, gaps } = parse("coverage", json)?;
    let all = || Reached { cases, total, modules: Vec::new(), html: None };
    Ok((reached.unwrap_or_else(all), gaps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_read_with_modules_and_without() {
        let count = |covered: u64| serde_json::json!({ "covered": covered, "total": 9 });
        let all = |branches| {
            serde_json::json!({
                "branches": count(branches), "lines": count(2), "functions": count(3), "regions": count(4)
            })
        };
        let mut document = all(1);
        document["cases"] = 7.into();
        let (plain, gaps) = reached(document.to_string().as_bytes()).unwrap();
        assert_eq!((plain.cases, plain.total.branches.covered, gaps.len()), (7, 1, 0));
        document["reached"] = serde_json::json!({
            "cases": 7, "total": all(5), "modules": [{ "name": "btree.c", "reached": all(1) }], "html": null
        });
        let gap = serde_json::json!({ "kind": "sql-function", "name": "x", "size": 3, "module": null, "target": "sql" });
        document["gaps"] = serde_json::json!([gap]);
        let (whole, gaps) = reached(document.to_string().as_bytes()).unwrap();
        assert_eq!((whole.total.branches.covered, whole.modules.len(), gaps[0].size), (5, 1, 3));
        assert!(format!("{:#}", reached(b"{").unwrap_err()).contains("`coverage --json`"));
    }
}
