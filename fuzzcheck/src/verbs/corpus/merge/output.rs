//! What `fuzzcheck corpus merge` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use tandem::corpus::{Corpus, Kind};
use tandem::targets::Target;
use tandem::testcase::CaseId;

use super::{Inputs, place};
use crate::merging::choose::Choice;
use crate::merging::features::Features;

/// A case that crashed the target.
#[derive(Serialize)]
pub(super) struct Crashed {
    pub id: String,
    pub signature: String,
    pub saved: PathBuf,
    pub replay: String,
}

/// How many, and how large they are.
#[derive(Default, Clone, Copy, Serialize)]
struct Amount {
    cases: usize,
    bytes: usize,
}

#[derive(Serialize)]
struct Change<T> {
    before: T,
    after: T,
}

/// What was done, for people and for machines.
#[derive(Serialize)]
pub(super) struct Summary {
    target: &'static str,
    into: PathBuf,
    dry_run: bool,
    changed: bool,
    /// Cases read, by place; the same case may be in several.
    read: Vec<(String, usize)>,
    /// Different cases.
    different: usize,
    /// Those that were run now, not measured before.
    measured: usize,
    kinds: BTreeMap<&'static str, Change<Amount>>,
    /// Before: the corpus database as it was.
    features: Change<usize>,
    edges: Change<usize>,
    /// Of all cases that were read.
    features_of_all: usize,
    pub(super) crashed: Vec<Crashed>,
    /// Cases in which the harness failed, with messages.
    pub(super) harness_errors: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    targets: &'a [Summary],
}

pub(super) fn print_json(summaries: &[Summary], out: &mut dyn Write) -> Result<()> {
    let document = Document { version: 1, targets: summaries };
    serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Cases and bytes of each kind.
fn amounts(corpus: &Corpus, target: &Target) -> BTreeMap<Kind, Amount> {
    let mut amounts: BTreeMap<Kind, Amount> = BTreeMap::new();
    for (_, entry) in corpus.iter().filter(|(_, entry)| entry.target == target.name) {
        let amount = amounts.entry(entry.kind).or_default();
        amount.cases += 1;
        amount.bytes += entry.body.len();
    }
    amounts
}

fn reached<'i>(features: &Features, ids: impl Iterator<Item = &'i CaseId>) -> BTreeSet<u32> {
    ids.flat_map(|id| features.of(id)).collect()
}

/// Cases and bytes before and after a merge.
pub(super) struct Done<'a> {
    pub target: &'static Target,
    pub into: &'a Path,
    pub inputs: &'a Inputs,
    /// The corpus database as it is now.
    pub after: &'a Corpus,
    pub features: &'a Features,
    pub choice: &'a Choice,
}

impl Summary {
    pub(super) fn new(
        done: &Done<'_>,
        dry_run: bool,
        measured: usize,
        crashed: Vec<Crashed>,
        harness_errors: Vec<String>,
    ) -> Self {
        let &Done { target, into, inputs, after, features, choice } = done;
        let (old, new) = (amounts(&inputs.corpus, target), amounts(after, target));
        let of = |amounts: &BTreeMap<Kind, Amount>, kind| amounts.get(&kind).copied().unwrap_or_default();
        let change = |kind| (Kind::as_str(kind), Change { before: of(&old, kind), after: of(&new, kind) });
        let before = inputs.corpus.iter().filter(|(_, entry)| entry.target == target.name).map(|(id, _)| id);
        let before = reached(features, before);
        Self {
            target: target.name,
            into: place(into),
            dry_run,
            changed: *after != inputs.corpus,
            read: inputs.places.clone(),
            different: inputs.all.len(),
            measured,
            kinds: Kind::ALL.into_iter().map(change).collect(),
            features: Change { before: before.len(), after: choice.features.len() },
            edges: Change { before: features.edges(&before), after: features.edges(&choice.features) },
            features_of_all: reached(features, inputs.all.iter().map(|(id, _)| id)).len(),
            crashed,
            harness_errors,
        }
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> Result<()> {
        let target = self.target;
        for (place, count) in &self.read {
            writeln!(out, "{target}: {count} cases in {place}")?;
        }
        writeln!(out, "{target}: {} different cases, {} measured now", self.different, self.measured)?;
        for (kind, Change { before, after }) in &self.kinds {
            let (old, new) = (before.cases, after.cases);
            writeln!(
                out,
                "{target}: {kind:11} {old:6} -> {new:6} cases, {:9} -> {:9} bytes",
                before.bytes, after.bytes
            )?;
        }
        for (name, Change { before, after }) in [("edges", &self.edges), ("features", &self.features)] {
            writeln!(out, "{target}: {name:11} {before:6} -> {after:6}")?;
        }
        writeln!(out, "{target}: all cases together have {} features", self.features_of_all)?;
        for Crashed { id, signature, saved, replay } in &self.crashed {
            writeln!(out, "{signature}\n  case:   {id}\n  saved:  {}", saved.display())?;
            writeln!(out, "  replay: {replay}")?;
        }
        let what = match (self.changed, self.dry_run) {
            (false, _) => "nothing to change",
            (true, true) => "would be changed",
            (true, false) => "changed",
        };
        writeln!(
            out,
            "fuzzcheck: {}: {what}; {} cases crashed the target",
            self.into.display(),
            self.crashed.len()
        )?;
        Ok(())
    }
}
