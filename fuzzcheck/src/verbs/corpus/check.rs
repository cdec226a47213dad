//! `fuzzcheck corpus check`: whether all known bugs have a case, are explained, and still exist.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::corpus::{Kind, Version};
use tandem::known::{KNOWN, KnownBug};
use tandem::targets::SQL;
use tandem::testcase::{Script, TestCase};

use super::add::{bugs_of, is_link, options, wrong_name};
use crate::base::{EXIT_FINDINGS, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::replay::{FoundBug, Options};
use crate::source::{self, NamedCase, Provenance};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::{in_words, paths_or_corpus, target_by_name, tell_skipped};

/// Check that every known bug has a case, is explained, and still exists.
///
/// Exit codes: 0 no problems, 1 problems, 2 wrong usage or an internal error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// The target of single files, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The build to run them in [default: that of each case]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Plant a bug by name (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// What is wrong with a known bug.
#[derive(Serialize)]
struct Problem {
    /// Its name, or that of its case.
    bug: String,
    /// The case, if there is one.
    case: String,
    what: String,
}

/// What was checked.
#[derive(Default, Serialize)]
struct Checked {
    version: u32,
    /// Known cases.
    cases: usize,
    /// Those that show their bug.
    shown: usize,
    /// Those of other versions than this SQLite.
    out_of_range: usize,
    /// Those of other builds than the requested one.
    other_builds: usize,
    /// Bugs that runs steer around and that are still there.
    steered_around: usize,
    problems: Vec<Problem>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(self.target.as_deref())?;
        let paths = paths_or_corpus(&self.paths);
        let all = source::open(&paths, target)?;
        let code = tell_skipped(&all);
        let known: Vec<NamedCase> = all.cases.filter(|case| kind_of(case) == Some(Kind::Known)).collect();
        // Bugs that runs steer around have no case, but an entry in the program.
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let steered: &[&KnownBug] =
            if self.paths.is_empty() && configuration.sqlite.is_none() { &KNOWN } else { &[] };
        if known.is_empty() && steered.is_empty() {
            bail!("{}: no cases of known bugs: nothing to check", in_words(&paths));
        }
        let mut checked = Checked { version: 1, cases: known.len(), ..Checked::default() };
        let mut by_build: BTreeMap<BuildKind, Vec<NamedCase>> = BTreeMap::new();
        for case in known {
            let wrong = what_is_missing(&case);
            checked.problems.extend(wrong.into_iter().map(|what| problem(&case, what)));
            if let Some(build) = case.provenance.as_ref().and_then(Provenance::build) {
                by_build.entry(build).or_default().push(case);
            }
        }
        let mut builds: Vec<BuildKind> = by_build.keys().copied().collect();
        builds.extend(steered.iter().map(|bug| build_of(bug)));
        builds.sort_unstable();
        builds.dedup();
        for build in builds {
            let cases = by_build.remove(&build).unwrap_or_default();
            if self.configuration.build.is_some_and(|only| only != build) {
                checked.other_builds += cases.len();
                continue;
            }
            let worker = Worker::build(&configuration.with_build(build), &project(), !self.no_install)?;
            let options = Options { plant: self.plant.clone(), ..options() };
            check_cases(&mut checked, cases, &worker, options)?;
            check_steered(&mut checked, steered.iter().filter(|bug| build_of(bug) == build), &worker)?;
        }
        let has_problems = !checked.problems.is_empty();
        tell(&checked, self.json)?;
        Ok(if has_problems { ExitCode::from(EXIT_FINDINGS) } else { code })
    }
}

fn kind_of(case: &NamedCase) -> Option<Kind> {
    case.provenance.as_ref().map(|provenance| provenance.kind)
}

fn problem(case: &NamedCase, what: String) -> Problem {
    let name = case.provenance.as_ref().and_then(|provenance| provenance.details.name.clone());
    Problem { bug: name.unwrap_or_else(|| case.case.id().short()), case: case.name.clone(), what }
}

/// What is missing in the entry of a known bug.
fn what_is_missing(case: &NamedCase) -> Vec<String> {
    let Some(provenance) = &case.provenance else {
        return Vec::new();
    };
    let details = &provenance.details;
    let mut missing = Vec::new();
    if provenance.signature.is_none() {
        missing.push("it has no signature".to_owned());
    }
    match details.name.as_deref() {
        None => missing.push("it has no name".to_owned()),
        Some(name) => missing.extend(wrong_name(name).map(|what| format!("`{name}`: {what}"))),
    }
    match details.link.as_deref() {
        Some(link) if !is_link(link) => missing.push(format!("its link is not a URL: {link}")),
        None if details.reason.is_none() => {
            missing.push("it has no link to where it was reported, and no reason why it was not".to_owned());
        }
        _ => {}
    }
    if let (None, Some(name)) = (provenance.build(), &details.build) {
        missing.push(format!("no build is named `{name}`"));
    }
    let advice = |what| {
        format!("{what}: add it with `cargo fuzzcheck corpus add {} --name …`", case.case.id().short())
    };
    missing.into_iter().map(advice).collect()
}

/// Runs the cases of a build whose version has their bug.
fn check_cases(
    checked: &mut Checked,
    cases: Vec<NamedCase>,
    worker: &Worker,
    options: Options,
) -> Result<()> {
    let version = worker.identity.version();
    let has_it =
        |case: &NamedCase| case.provenance.as_ref().is_some_and(|provenance| provenance.has_version(version));
    let (cases, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(has_it);
    checked.out_of_range += others.len();
    for (case, bugs) in bugs_of(cases, worker, options)? {
        match verdict(case.known().as_deref(), &bugs, worker, version) {
            None => checked.shown += 1,
            Some(what) => checked.problems.push(problem(&case, what)),
        }
    }
    Ok(())
}

/// What is wrong with a case that should show `known`.
fn verdict(
    known: Option<&str>,
    bugs: &[FoundBug],
    worker: &Worker,
    version: Option<Version>,
) -> Option<String> {
    let known = known?;
    if bugs.iter().any(|bug| bug.signature == known) {
        return None;
    }
    let here = format!("the {} build of SQLite {}", worker.configuration.build, worker.identity.version);
    Some(match bugs.first() {
        Some(other) => format!("it shows {}, not {known}, in {here}", other.signature),
        None => {
            let until = version.map(|version| format!(", or --versions ..{version}")).unwrap_or_default();
            format!(
                "it no longer shows {known} in {here}: if that is fixed, add it again with --kind regression{until}"
            )
        }
    })
}

/// The build that shows a bug that runs steer around.
fn build_of(bug: &KnownBug) -> BuildKind {
    if bug.needs_asan { BuildKind::Asan } else { BuildKind::Release }
}

/// Triggers the bugs that runs steer around, each by its script.
fn check_steered<'b>(
    checked: &mut Checked,
    bugs: impl Iterator<Item = &'b &'static KnownBug>,
    worker: &Worker,
) -> Result<()> {
    let bugs: Vec<&KnownBug> = bugs.copied().collect();
    let case = |bug: &&KnownBug| {
        let case = TestCase { files: (bug.files)(), sql: Script::new(bug.script), ..TestCase::default() };
        let name = format!("src/known.rs:{}", bug.name);
        NamedCase { name, target: &SQL, case, heap_bytes: None, provenance: None }
    };
    let options = Options { meets_known_bugs: true, ..options() };
    let met = bugs_of(bugs.iter().map(case).collect(), worker, options)?;
    for (bug, (case, found)) in bugs.into_iter().zip(met) {
        match steered_verdict(bug, &found) {
            None => checked.steered_around += 1,
            Some(what) => {
                checked.problems.push(Problem { bug: bug.name.to_owned(), case: case.name, what });
            }
        }
    }
    Ok(())
}

fn steered_verdict(bug: &KnownBug, found: &[FoundBug]) -> Option<String> {
    let is_met = found.iter().any(|found| found.signature.starts_with(bug.signature));
    (!is_met).then(|| {
        format!("its script no longer shows {}…: remove it from src/known.rs, so that runs no longer steer around it", bug.signature)
    })
}

fn tell(checked: &Checked, json: bool) -> Result<()> {
    if json {
        return ui::line(format_args!("{}", serde_json::to_string_pretty(checked)?));
    }
    ui::print(|out| {
        for Problem { bug, case, what } in &checked.problems {
            writeln!(out, "{bug}: {what}\n  case: {case}")?;
        }
        let Checked { cases, shown, out_of_range, other_builds, steered_around, problems, .. } = checked;
        writeln!(
            out,
            "fuzzcheck: {} problems with {cases} known cases ({shown} show their bug, {out_of_range} are of other \
             versions, {other_builds} of other builds) and {steered_around} bugs that runs steer around",
            problems.len()
        )?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_that_is_steered_around_and_gone_is_told() {
        let bug = |signature: &str| FoundBug { signature: signature.to_owned(), message: String::new() };
        let known = KNOWN[0];
        assert_eq!(steered_verdict(known, &[bug(&format!("{}x", known.signature))]), None);
        for found in [vec![], vec![bug("code/SQLITE_CORRUPT/SELECT")]] {
            assert!(steered_verdict(known, &found).is_some_and(|what| what.contains(known.signature)));
        }
    }
}
