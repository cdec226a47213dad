//! `fuzzcheck import`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tandem::corpus::{Corpus, Entry};

use super::{EXIT_ERROR, project, target_by_name};
use crate::cli::{ImportArgs, KindArg};
use crate::source;

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    if matches!(args.kind, KindArg::Known) && args.signature.is_none() {
        bail!("--kind known needs --signature: what the cases show, as `fuzzcheck run` prints it");
    }
    let target = target_by_name(args.target.as_deref())?;
    let cases = source::open(&args.paths, target)?;
    for skipped in &cases.skipped {
        eprintln!("fuzzcheck: left out: {}", skipped.why);
    }
    let has_skipped = !cases.skipped.is_empty();
    let mut corpora: BTreeMap<PathBuf, (Corpus, u64, u64)> = BTreeMap::new();
    for named in cases.cases {
        let path = args
            .into
            .clone()
            .unwrap_or_else(|| project().join("corpus").join(format!("{}.db", named.target.name)));
        if !corpora.contains_key(&path) {
            corpora.insert(path.clone(), (Corpus::load_or_new(&path)?, 0, 0));
        }
        let mut entry = Entry::new(named.target.name, args.kind.into(), &named.name, &named.case);
        entry.signature = args.signature.clone();
        if let Some(source) = &args.source {
            entry.source.clone_from(source);
        }
        if let Some((corpus, read, added)) = corpora.get_mut(&path) {
            *read += 1;
            *added += u64::from(corpus.insert(entry));
        }
    }
    if corpora.is_empty() {
        bail!("no case to import");
    }
    for (path, (corpus, read, added)) in &corpora {
        if *added > 0 {
            corpus.save(path)?;
        }
        println!("{}: {added} of {read} cases are new; {} in all", path.display(), corpus.len());
    }
    Ok(if has_skipped { ExitCode::from(EXIT_ERROR) } else { ExitCode::SUCCESS })
}
