//! `fuzzcheck import`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::corpus::{self, Corpus, Entry, Kind};

use super::{corpus_of, in_words, target_by_name, tell_skipped};
use crate::cli::{ImportArgs, KindArg};
use crate::source::{self, NamedCase};
use crate::{files, ui};

/// A corpus database that is written to.
struct Into {
    corpus: Corpus,
    read: u64,
    changed: u64,
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    if matches!(args.kind, Some(KindArg::Known)) && args.signature.is_none() {
        bail!("--kind known needs --signature: what the cases show, as `fuzzcheck run` prints it");
    }
    let target = target_by_name(args.target.as_deref())?;
    let cases = source::open(&args.paths, target)?;
    let code = tell_skipped(&cases);
    // Read before the lock is asked for: the source may be slow. All corpora are in one folder, and so is the lock.
    let cases: Vec<NamedCase> = cases.cases.collect();
    let mut locks = Vec::new();
    let mut corpora: BTreeMap<PathBuf, Into> = BTreeMap::new();
    for named in cases {
        let path = corpus_of(named.target, args.into.as_deref());
        if !corpora.contains_key(&path) {
            files::refuse_special(&path)?;
            if locks.is_empty() {
                locks.push(corpus::lock(&path).map_err(source::told)?);
            }
            corpora.insert(path.clone(), Into { corpus: source::load_or_new(&path)?, read: 0, changed: 0 });
        }
        if let Some(into) = corpora.get_mut(&path) {
            into.read += 1;
            into.changed += u64::from(into.corpus.insert(entry(&named, args)));
        }
    }
    if corpora.is_empty() {
        bail!("{}: no case to import", in_words(&args.paths));
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

/// What is kept of a case: what the arguments say, else what the corpus says from which it comes.
fn entry(named: &NamedCase, args: &ImportArgs) -> Entry {
    let kept = named.kept.as_ref();
    let kind = args.kind.map(Kind::from).or(kept.map(|kept| kept.kind));
    let source = args.source.as_ref().or(kept.map(|kept| &kept.source)).unwrap_or(&named.name);
    let kind = kind.unwrap_or(Kind::Interesting);
    let mut entry = Entry::new(named.target.name, kind, source, &named.case);
    entry.signature = args.signature.clone().or_else(|| kept?.signature.clone());
    entry.details = kept.map(|kept| kept.details.clone()).unwrap_or_default();
    entry
}
