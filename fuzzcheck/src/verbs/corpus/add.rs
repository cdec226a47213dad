//! `fuzzcheck corpus add`: a finding becomes a named case of its corpus.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use tandem::TestCase;
use tandem::corpus::{self, Corpus, Details, Entry, Kind, VersionRange};
use tandem::oracles::NUMBERED;
use tandem::testcase::{CaseId, Setting};

use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::command_line;
use crate::replay::oracles::Oracles;
use crate::replay::{FoundBug, Options, run_all};
use crate::source::{self, NamedCase, Provenance};
use crate::verbs::Verb;
use crate::verbs::lookup;
use crate::verbs::shared::{check_plant, corpus_of, target_by_name};
use crate::{files, ui};

/// Add the case of a finding, known or fixed, under a name.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with the case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// A name for the bug: lower-case words with hyphens.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Whether the bug is fixed.
    #[arg(long, value_enum, default_value_t = BugKind::Known)]
    kind: BugKind,
    /// Where it was reported.
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// The versions of SQLite that have it: 3.31.1..3.44.0 (the last one excluded); ..3.45.0; 3.50.0..
    #[arg(long, value_name = "RANGE")]
    versions: Option<VersionRange>,
    /// Why it is not reported or not fixed.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The signature, if this build does not show it [default: what the case shows here]
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Where the case came from [default: as in its corpus, or the name of the file]
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// The target, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The corpus database to write to [default: corpus/TARGET.db]
    #[arg(long, value_name = "DB")]
    into: Option<PathBuf>,
    /// The build that shows the bug [default: release]
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

/// The kinds of cases that show or showed a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BugKind {
    /// It is fixed.
    Regression,
    /// It is not fixed.
    Known,
}

impl From<BugKind> for Kind {
    fn from(kind: BugKind) -> Self {
        match kind {
            BugKind::Regression => Self::Regression,
            BugKind::Known => Self::Known,
        }
    }
}

/// Maximum length of a name, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        check_plant(self.plant.as_deref())?;
        let name = self.name.as_str();
        check_words(self)?;
        let target = target_by_name(self.target.as_deref())?;
        let corpora: Vec<PathBuf> = self.into.iter().filter(|path| path.exists()).cloned().collect();
        let (named, code) = lookup::find(&self.case, &corpora, target)?;
        let into = corpus_of(named.target, self.into.as_deref());
        files::refuse_special(&into)?;

        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let worker = Worker::build(&configuration, &project(), !self.no_install)?;
        let shown = shown_twice(&named, &worker, self.plant.clone())?;
        let build = worker.configuration.build;
        let old = source::load_or_new(&into)?.get(&named.case.id(), named.target.name).map(Provenance::from);
        let old = old.or_else(|| named.provenance.clone());
        let said = self.signature.as_deref().or_else(|| old.as_ref()?.signature.as_deref());
        let signature = signature(self.kind, &shown, said, &named.name, build)?;
        let build = if shown.is_empty() { BuildKind::that_reports(&signature) } else { build };

        let case = naming_its_oracle(&named.case, &signature);
        let mut entry = Entry::new(named.target.name, self.kind.into(), &source_of(&named, self), &case);
        entry.signature = Some(signature);
        entry.details = Details {
            name: Some(name.to_owned()),
            link: self.link.clone(),
            versions: self.versions,
            reason: self.reason.clone(),
            build: Some(build.name().to_owned()),
        };
        let change = add(&into, &entry)?;
        tell(&into, &entry, change, self.json)?;
        Ok(code)
    }
}

/// The case with the name of the oracle of a signature, if that judges on request only: wherever the case is run, that
/// oracle is asked then.
fn naming_its_oracle(case: &TestCase, signature: &str) -> TestCase {
    let name = signature.split('/').next().unwrap_or_default();
    let number = NUMBERED.iter().position(|known| *known == name).map_or(0, |at| at as u32 + 1);
    let number = if number == 0 { case.config.get(Setting::Oracle) } else { number };
    TestCase { config: case.config.with(Setting::Oracle, number), ..case.clone() }
}

/// Checks name, link and reason.
fn check_words(args: &Args) -> Result<()> {
    let name = &args.name;
    if let Some(what) = wrong_name(name) {
        bail!("--name {name}: {what}");
    }
    if let Some(link) = args.link.as_deref().filter(|link| !is_link(link)) {
        bail!("--link {link}: expected a URL, such as https://sqlite.org/forum/forumpost/0123456789");
    }
    if args.reason.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        bail!("--reason is empty: say why the bug is known and not fixed");
    }
    if args.kind == BugKind::Known && args.link.is_none() && args.reason.is_none() {
        bail!("a known bug needs --link (where it was reported) or --reason (why it was not)");
    }
    Ok(())
}

/// What is wrong with a name, if anything.
pub(crate) fn wrong_name(name: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_word = |word: &str| !word.is_empty();
    let is_good = name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain) && name.split('-').all(is_word);
    (!is_good).then_some(
        "a name consists of at most 64 lower-case letters, digits and single hyphens, as in fts5-like-overread",
    )
}

pub(crate) fn is_link(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// The signatures that a case shows in each of two runs.
fn shown_twice(named: &NamedCase, worker: &Worker, plant: Option<String>) -> Result<Vec<String>> {
    let run = || {
        let case = NamedCase { provenance: None, ..named.clone() };
        let options = Options { oracles: Oracles::all(), plant: plant.clone(), ..options() };
        let shown = bugs_of(vec![case], worker, options)?.pop().map_or(Vec::new(), |(_, bugs)| bugs);
        let mut signatures: Vec<String> = shown.into_iter().map(|bug| bug.signature).collect();
        signatures.dedup();
        Ok::<_, anyhow::Error>(signatures)
    };
    let (first, second) = (run()?, run()?);
    if first != second {
        let words = |shown: &[String]| if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
        bail!(
            "{}: two runs differ: first {}, then {}; such a case would fail intermittently",
            named.name,
            words(&first),
            words(&second)
        );
    }
    Ok(first)
}

pub(crate) fn options() -> Options {
    Options { timeout_ms: TIMEOUT_MS, worker_memory_mib: WORKER_MEMORY_MIB, ..Options::default() }
}

/// Runs cases, whatever they are known for; returns all, in order, each with the bugs that it shows.
pub(crate) fn bugs_of(
    cases: Vec<NamedCase>,
    worker: &Worker,
    options: Options,
) -> Result<Vec<(NamedCase, Vec<FoundBug>)>> {
    let options = worker.options(options);
    let mut queue = cases.clone().into_iter().map(|case| NamedCase { provenance: None, ..case });
    let report = run_all(&worker.program, &options, 1, &mut queue, &AtomicBool::new(false), |_| {})?;
    if let Some((name, message)) = report.harness_errors.first() {
        bail!("{name}: a worker failed, which is a bug in Tandem: {message}");
    }
    let mut all: Vec<(NamedCase, Vec<FoundBug>)> = cases.into_iter().map(|case| (case, Vec::new())).collect();
    for finding in report.findings {
        // Cases are counted from 1.
        let at = usize::try_from(finding.case.index).unwrap_or(0).wrapping_sub(1);
        if let Some((_, bugs)) = all.get_mut(at) {
            *bugs = finding.bugs;
        }
    }
    Ok(all)
}

/// The signature to record for a case that shows these; `said` is what it shows elsewhere, or showed once.
fn signature(
    kind: BugKind,
    shown: &[String],
    said: Option<&str>,
    case: &str,
    build: BuildKind,
) -> Result<String> {
    match (kind, shown, said) {
        (BugKind::Known, [], None) => {
            bail!(
                "{case} shows nothing in the {build} build: give the --build that shows it, or its --signature"
            )
        }
        (BugKind::Known, [], Some(said)) => {
            eprintln!("fuzzcheck: {case} shows nothing in the {build} build: added for {said}, as given");
            Ok(said.to_owned())
        }
        (BugKind::Known, [only], None) => Ok(only.clone()),
        (BugKind::Known, [only], Some(said)) if only == said => Ok(only.clone()),
        (BugKind::Known, [only], Some(said)) => {
            bail!("{case} shows {only} in the {build} build, not {said}")
        }
        (BugKind::Known, several, _) => bail!(
            "{case} shows {} bugs, {}: reduce it to one, or the others will be findings in every run",
            several.len(),
            several.join(", ")
        ),
        (BugKind::Regression, [], Some(said)) => Ok(said.to_owned()),
        (BugKind::Regression, [], None) => {
            bail!("--kind regression needs --signature: what {case} showed before the bug was fixed")
        }
        (BugKind::Regression, shown, _) => bail!(
            "{case} still shows {} in the {build} build: use --kind known for a bug that is not fixed",
            shown.join(", ")
        ),
    }
}

fn source_of(named: &NamedCase, args: &Args) -> String {
    let provenance = named.provenance.as_ref().map(|provenance| &provenance.source);
    args.source.as_ref().or(provenance).unwrap_or(&named.name).clone()
}

/// What adding a case changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    New,
    Changed,
    None,
}

/// Adds a case to a corpus database atomically.
fn add(into: &Path, entry: &Entry) -> Result<Change> {
    let _lock = corpus::lock(into).map_err(source::told)?;
    let mut corpus = source::load_or_new(into)?;
    let (entry, change) = compare(&corpus, entry).with_context(|| format!("{}", into.display()))?;
    if change != Change::None {
        corpus.put(entry);
        corpus.save(into).map_err(source::told)?;
    }
    Ok(change)
}

/// What is to be put into the corpus, and what that changes.
fn compare(corpus: &Corpus, entry: &Entry) -> Result<(Entry, Change)> {
    let id = CaseId::of_encoded(&entry.body);
    let name = entry.details.name.as_deref().unwrap_or_default();
    if let Some((other, _)) = corpus.by_name(&entry.target, name).filter(|(other, _)| **other != id) {
        bail!("`{name}` is the name of another case, {other}: choose another name");
    }
    let Some(old) = corpus.get(&id, &entry.target) else {
        return Ok((entry.clone(), Change::New));
    };
    if let Some(other) = old.details.name.as_deref().filter(|other| *other != name) {
        bail!("the case {id} is in the corpus already, as `{other}`: use that name to change its details");
    }
    // The file that a case is added from again does not say where the case came from.
    let source = if old.kind.is_bug() { old.source.clone() } else { entry.source.clone() };
    let entry = Entry { source, ..entry.clone() };
    let change = match old {
        same if *same == entry => Change::None,
        bug if bug.kind.is_bug() => Change::Changed,
        _ => Change::New,
    };
    Ok((entry, change))
}

#[derive(Serialize)]
struct JsonAdded<'a> {
    version: u32,
    change: Change,
    into: String,
    id: String,
    target: &'a str,
    kind: &'a str,
    name: Option<&'a str>,
    signature: Option<&'a str>,
    build: Option<&'a str>,
}

fn tell(into: &Path, entry: &Entry, change: Change, json: bool) -> Result<()> {
    let (id, details) = (CaseId::of_encoded(&entry.body), &entry.details);
    let (kind, into) = (entry.kind.as_str(), into.display().to_string());
    let (name, signature) = (details.name.as_deref(), entry.signature.as_deref());
    if json {
        let build = details.build.as_deref();
        let document = JsonAdded {
            version: 1,
            change,
            into,
            id: id.to_string(),
            target: &entry.target,
            kind,
            name,
            signature,
            build,
        };
        return ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?));
    }
    let (name, signature) = (name.unwrap_or_default(), signature.unwrap_or_default());
    let what = match change {
        Change::New => "added",
        Change::Changed => "changed",
        Change::None => "nothing to do: already in the corpus",
    };
    ui::line(format_args!("{into}: {what}: {name}: {kind}, {signature} ({id})"))?;
    if change != Change::None && entry.kind == Kind::Known {
        eprintln!("fuzzcheck: commit {into}; `cargo fuzzcheck corpus check` says when the bug is gone");
    }
    Ok(())
}

/// The command that adds the case in a file for a known bug, which a build of these words shows.
pub(crate) fn command(build: &[String], target: &str, signature: &str, case: &Path) -> String {
    let (name, case) = (name_of(signature), case.display().to_string());
    let rest = ["--target", target, "--name", &name, "--signature", signature];
    let words = build.iter().map(String::as_str).chain(rest);
    command_line::fuzzcheck("corpus add", words.chain(["--reason", "not reported yet", &case]))
}

/// A name for a finding, from its signature; a person may know a better one.
fn name_of(signature: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric();
    let words: Vec<&str> =
        signature.split(|letter| !is_plain(letter)).filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-").to_ascii_lowercase();
    name.truncate(NAME_BYTES_MAX);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_names_the_oracle_that_judges_on_request() {
        let case = TestCase::from_sql("SELECT 1");
        let named = naming_its_oracle(&case, "norec/rows/SELECT");
        assert_eq!(NUMBERED[named.config.get(Setting::Oracle) as usize - 1], "norec");
        assert_eq!(naming_its_oracle(&case, "code/SQLITE_CORRUPT/SELECT"), case);
        assert_eq!(naming_its_oracle(&named, "crash/SIGSEGV/f"), named);
    }

    #[test]
    fn names_and_links_have_a_form() {
        for name in ["a", "fts5-like-overread", "x-1"] {
            assert_eq!(wrong_name(name), None, "{name}");
        }
        for name in ["", "-", "a-", "a--b", "A", "a b", "a_b", "é", &"x".repeat(65)] {
            assert!(wrong_name(name).is_some(), "{name}");
        }
        assert!(is_link("https://sqlite.org/x") && is_link("http://a"));
        assert!(!is_link("sqlite.org") && !is_link("https://") && !is_link("https://a b"));
    }
}
