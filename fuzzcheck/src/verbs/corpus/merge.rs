//! `fuzzcheck corpus merge`.

mod output;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use tandem::corpus::{self, Corpus, Entry, Kind};
use tandem::targets::{self, Target};
use tandem::testcase::CaseId;

use self::output::{Crashed, Done, Summary, print_json};
use crate::base::{EXIT_ERROR, EXIT_FINDINGS, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::coverage::build::cases;
use crate::fuzzing::log::{Ending, harness_error};
use crate::fuzzing::plan::Plan;
use crate::merging::choose::{Choice, choose};
use crate::merging::measure::{Crash, Laboratory};
use crate::source::{self, NamedCase};
use crate::tools;
use crate::verbs::Verb;
use crate::verbs::shared::{interrupt_flag, save_case, target_by_name, tell_skipped};
use crate::{files, ui};

/// Merge what fuzzing found: add what brings coverage, drop what no longer does, and leave seeds and bugs alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target.
    #[arg(required_unless_present = "all")]
    target: Option<String>,
    /// All targets, one after the other.
    #[arg(long, conflicts_with_all = ["target", "into"])]
    all: bool,
    /// More cases: libFuzzer's folders, or anything that `run` takes; may be repeated.
    #[arg(long, value_name = "PATH")]
    from: Vec<PathBuf>,
    /// The corpus database to merge into [default: corpus/TARGET.db]
    #[arg(long, value_name = "DB")]
    into: Option<PathBuf>,
    /// Maximum number of `interesting` cases: those that add most.
    #[arg(long, value_name = "N")]
    max_cases: Option<usize>,
    /// Say what would change, but write no corpus database.
    #[arg(long)]
    dry_run: bool,
    /// The build that measures [default: asan]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    toolchain: Option<String>,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let one = target_by_name(self.target.as_deref())?;
        let targets: Vec<&'static Target> =
            one.map_or_else(|| targets::all().to_vec(), |target| vec![target]);
        let stop = interrupt_flag()?;
        let (mut has_crashes, mut has_failed, mut summaries) = (false, false, Vec::new());
        for target in targets {
            let plan = Plan {
                configuration: Configuration::new(&self.configuration, &BuildKind::FUZZED)?,
                project: self.project.clone().unwrap_or_else(project),
                target: target.name,
                toolchain: self.toolchain.clone(),
                time: None,
                cpu_time: None,
                jobs: 1,
                arguments: Vec::new(),
                sample_every: None,
                directed: None,
            };
            plan.check_project()?;
            tools::prepare(&plan.project, plan.toolchain.as_deref(), !self.no_install)?;
            plan.build()?;
            let summary = merge(self, &plan, target, &stop)?;
            let Some(summary) = summary else {
                eprintln!("fuzzcheck: interrupted: the corpus is unchanged; the same command resumes");
                return Ok(ExitCode::from(EXIT_ERROR));
            };
            has_crashes |= !summary.crashed.is_empty();
            has_failed |= !summary.harness_errors.is_empty();
            summary.harness_errors.iter().for_each(|error| eprintln!("fuzzcheck: {error}"));
            if !self.json {
                ui::print(|out| summary.print(out))?;
            }
            summaries.push(summary);
        }
        if self.json {
            ui::print(|out| print_json(&summaries, out))?;
        }
        Ok(match (has_failed, has_crashes) {
            (true, _) => ExitCode::from(EXIT_ERROR),
            (false, true) => ExitCode::from(EXIT_FINDINGS),
            (false, false) => ExitCode::SUCCESS,
        })
    }
}

/// The cases of a target, and where they came from.
struct Inputs {
    /// The corpus database, as it was.
    corpus: Corpus,
    /// All cases of the target, those of other files with their details.
    all: Corpus,
    /// Cases read, by place.
    places: Vec<(String, usize)>,
}

impl Inputs {
    fn read(args: &Args, plan: &Plan, target: &'static Target, into: &Path) -> Result<Self> {
        let corpus = source::load_or_new(into)?;
        let mut all = corpus.clone();
        // Another target's cases in the same database are none of this one's business, and stay.
        all.retain(|entry| entry.target == target.name);
        let mut places = vec![(place(into).display().to_string(), all.len())];
        let found = Some(plan.corpus()).filter(|folder| folder.is_dir());
        for path in found.into_iter().chain(plan.parts_left()?).chain(args.from.iter().cloned()) {
            let read = cases(std::slice::from_ref(&path), Some(target))?;
            if tell_skipped(&read) != ExitCode::SUCCESS {
                bail!("{}: see above: remove what is not a case, or name only the cases", path.display());
            }
            let place = path.strip_prefix(&plan.project).unwrap_or(&path).display().to_string();
            let mut count = 0;
            for named in read.cases.filter(|named| named.target.name == target.name) {
                count += 1;
                all.insert(entry_of(&named, &place));
            }
            places.push((place, count));
        }
        if all.is_empty() {
            bail!("there are no cases of {}: fuzz first, or give some with --from", target.name);
        }
        Ok(Self { corpus, all, places })
    }

    /// Those of one sort, by size.
    fn of(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<(usize, CaseId)> {
        self.all
            .iter()
            .filter(|(_, entry)| is_wanted(entry))
            .map(|(id, entry)| (entry.body.len(), *id))
            .collect()
    }
}

/// The entry that a case has in a corpus, or that of a new one.
fn entry_of(named: &NamedCase, place: &str) -> Entry {
    let kind = named.provenance.as_ref().map_or(Kind::Interesting, |provenance| provenance.kind);
    let source = named
        .provenance
        .as_ref()
        .map_or_else(|| format!("found by fuzzing: {place}"), |provenance| provenance.source.clone());
    let mut entry = Entry::new(named.target.name, kind, &source, &named.case);
    if let Some(provenance) = &named.provenance {
        (entry.signature, entry.details) = (provenance.signature.clone(), provenance.details.clone());
    }
    entry
}

/// Merges into the corpus of a target; `None` if it was interrupted.
fn merge(args: &Args, plan: &Plan, target: &'static Target, stop: &AtomicBool) -> Result<Option<Summary>> {
    let shipped = || plan.project.join("corpus").join(format!("{}.db", target.name));
    let into = args.into.clone().unwrap_or_else(shipped);
    files::refuse_special(&into)?;
    let inputs = Inputs::read(args, plan, target, &into)?;
    let laboratory = Laboratory::open(plan.laboratory(), plan.program()?)?;
    let mut features = laboratory.known()?;
    let is_measured = |entry: &Entry| entry.kind != Kind::Known;
    // A known bug may end the target, and its case stays whatever it reaches.
    let measured: BTreeSet<CaseId> = inputs.of(is_measured).into_iter().map(|(_, id)| id).collect();
    let bodies = inputs.all.iter().filter(|(id, entry)| is_measured(entry) && !features.contains(id));
    let new: BTreeMap<CaseId, &[u8]> = bodies.map(|(id, entry)| (*id, entry.body.as_slice())).collect();
    eprintln!(
        "fuzzcheck: measuring {} of {} cases; the others were measured before",
        new.len(),
        measured.len()
    );
    let crashes = laboratory.measure(&new, &mut features, &plan.configuration, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    laboratory.forget_others(&mut features, &measured)?;
    let (crashed, harness_errors) = save_crashes(plan, target, &inputs.all, &crashes)?;
    if crashes.len() == measured.len() {
        bail!("all {} cases crash the target: see {}", crashes.len(), plan.artifacts().display());
    }

    let kept: Vec<CaseId> =
        inputs.of(|entry| entry.kind != Kind::Interesting).into_iter().map(|(_, id)| id).collect();
    let candidates = inputs.of(|entry| entry.kind == Kind::Interesting);
    let choice = choose(&features, &kept, &candidates, args.max_cases);
    let after = write(&into, target, &inputs, &choice, &crashes, args.dry_run)?;
    let done =
        Done { target, into: &into, inputs: &inputs, after: &after, features: &features, choice: &choice };
    Ok(Some(Summary::new(&done, args.dry_run, new.len(), crashed, harness_errors)))
}

/// Copies the cases that crashed the target to the folder of findings.
///
/// Those in which the harness failed are not findings, but errors: the second part of the result.
fn save_crashes(
    plan: &Plan,
    target: &Target,
    all: &Corpus,
    crashes: &[Crash],
) -> Result<(Vec<Crashed>, Vec<String>)> {
    let (mut saved, mut harness_errors) = (Vec::new(), Vec::new());
    for Crash { id, prefix, ending, log } in crashes {
        let Some(entry) = all.get(id, target.name) else {
            continue;
        };
        let path = save_case(prefix, &id.to_string(), &entry.body, &plan.artifacts())?;
        let said = plan.logs().join(path.file_name().unwrap_or_default()).with_extension("txt");
        std::fs::create_dir_all(plan.logs()).with_context(|| format!("{}", plan.logs().display()))?;
        files::write(&said, log.as_bytes())?;
        let saved_as = path.strip_prefix(&plan.project).unwrap_or(&path).to_owned();
        match ending {
            Ending::Finding(signature) => {
                let replay = plan.replay(&saved_as)?;
                let signature = signature.clone();
                saved.push(Crashed { id: id.to_string(), signature, saved: saved_as, replay });
            }
            Ending::Harness(what) => {
                harness_errors.push(format!("{}: {}", saved_as.display(), harness_error(what)))
            }
        }
    }
    Ok((saved, harness_errors))
}

/// Writes the corpus database if it changed; returns its content.
fn write(
    into: &Path,
    target: &Target,
    inputs: &Inputs,
    choice: &Choice,
    crashes: &[Crash],
    is_dry: bool,
) -> Result<Corpus> {
    let _lock = corpus::lock(into).map_err(source::told)?;
    // Another process may have added a case in the meantime.
    let now = source::load_or_new(into)?;
    let mut after = now.clone();
    let ended: BTreeSet<CaseId> = crashes.iter().map(|crash| crash.id).collect();
    after.retain(|entry| {
        let id = CaseId::of_encoded(&entry.body);
        let is_candidate = entry.target == target.name && entry.kind == Kind::Interesting;
        // What was not measured is not known to add nothing.
        let is_measured = inputs.all.get(&id, target.name).is_some() && !ended.contains(&id);
        !is_candidate || !is_measured || choice.cases.contains(&id)
    });
    for (id, entry) in inputs.all.iter() {
        if entry.kind != Kind::Interesting || choice.cases.contains(id) {
            after.insert(entry.clone());
        }
    }
    if after != now && !is_dry {
        after.save(into).map_err(source::told)?;
    }
    Ok(after)
}

/// The folder of a path, for messages.
fn place(path: &Path) -> PathBuf {
    path.strip_prefix(project()).unwrap_or(path).to_owned()
}
