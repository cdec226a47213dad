//! `fuzzcheck corpus import`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use tandem::corpus::{self, Corpus, Entry, Kind};

use crate::source::{self, NamedCase};
use crate::verbs::Verb;
use crate::verbs::shared::{corpus_of, in_words, target_by_name, tell_skipped};
use crate::{files, ui};

/// Put cases into a corpus database.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run`.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The corpus database to write to [default: corpus/TARGET.db of each case]
    #[arg(long, value_name = "DB")]
    into: Option<PathBuf>,
    /// Why the cases are added [default: interesting; for cases of a corpus, its own]
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// The signature that the cases show or showed [default: none; for cases of a corpus, its own]
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Where the cases came from [default: the name of each; for cases of a corpus, its own]
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// The target of single files, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
}

/// A kind of case.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum KindArg {
    /// Written by hand, or made from what was.
    Seed,
    /// Reaches code that no other case does.
    Interesting,
    /// Once showed a bug that is fixed.
    Regression,
    /// Shows a bug that is not fixed.
    Known,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Seed => Self::Seed,
            KindArg::Interesting => Self::Interesting,
            KindArg::Regression => Self::Regression,
            KindArg::Known => Self::Known,
        }
    }
}

/// A corpus database that is written to.
struct Into {
    corpus: Corpus,
    read: u64,
    changed: u64,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        if matches!(self.kind, Some(KindArg::Known)) && self.signature.is_none() {
            bail!("--kind known needs --signature: what the cases show, as `fuzzcheck run` prints it");
        }
        let target = target_by_name(self.target.as_deref())?;
        let cases = source::open(&self.paths, target)?;
        let code = tell_skipped(&cases);
        // Read before the lock is asked for: the source may be slow. All corpora are in one folder, and so is the lock.
        let cases: Vec<NamedCase> = cases.cases.collect();
        let mut locks = Vec::new();
        let mut corpora: BTreeMap<PathBuf, Into> = BTreeMap::new();
        for named in cases {
            let path = corpus_of(named.target, self.into.as_deref());
            if !corpora.contains_key(&path) {
                files::refuse_special(&path)?;
                if locks.is_empty() {
                    locks.push(corpus::lock(&path).map_err(source::told)?);
                }
                corpora
                    .insert(path.clone(), Into { corpus: source::load_or_new(&path)?, read: 0, changed: 0 });
            }
            if let Some(into) = corpora.get_mut(&path) {
                into.read += 1;
                into.changed += u64::from(into.corpus.insert(entry(&named, self)));
            }
        }
        if corpora.is_empty() {
            bail!("{}: no case to import", in_words(&self.paths));
        }
        for (path, into) in &corpora {
            if into.changed > 0 {
                into.corpus.save(path).map_err(source::told)?;
            }
        }
        for (path, Into { corpus, read, changed }) in &corpora {
            let (path, all) = (path.display(), corpus.len());
            ui::line(format_args!("{path}: {changed} of {read} cases are new; {all} in all"))?;
        }
        Ok(code)
    }
}

/// The entry of a case: what the arguments say, else what the corpus says that it comes from.
fn entry(named: &NamedCase, args: &Args) -> Entry {
    let provenance = named.provenance.as_ref();
    let kind = args.kind.map(Kind::from).or(provenance.map(|provenance| provenance.kind));
    let source =
        args.source.as_ref().or(provenance.map(|provenance| &provenance.source)).unwrap_or(&named.name);
    let kind = kind.unwrap_or(Kind::Interesting);
    let mut entry = Entry::new(named.target.name, kind, source, &named.case);
    entry.signature = args.signature.clone().or_else(|| provenance?.signature.clone());
    entry.details = provenance.map(|provenance| provenance.details.clone()).unwrap_or_default();
    entry
}
