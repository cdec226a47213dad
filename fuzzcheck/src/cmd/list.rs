//! `fuzzcheck list`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tandem::corpus::{Corpus, application_id, store};

use super::paths_or_corpus;
use crate::cli::ListArgs;
use crate::source;

#[derive(Serialize)]
struct Row {
    id: String,
    target: String,
    kind: Option<&'static str>,
    bytes: usize,
    signature: Option<String>,
    source: String,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for path in paths_or_corpus(&args.paths) {
        add(&mut rows, &path)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &rows)?;
        writeln!(out)?;
    } else {
        for row in &rows {
            let kind = row.kind.unwrap_or("-");
            let signature = row.signature.as_deref().unwrap_or("");
            writeln!(
                out,
                "{} {:8} {kind:11} {:7} {} {signature}",
                row.id, row.target, row.bytes, row.source
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(rows: &mut Vec<Row>, path: &Path) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries.iter().map(std::fs::DirEntry::path) {
            if application_id(&entry) == Some(store::APPLICATION_ID) {
                add(rows, &entry)?;
            }
        }
    }
    if application_id(path) == Some(store::APPLICATION_ID) {
        // A corpus says more of its cases than that they are there.
        for (id, entry) in Corpus::load(path)?.iter() {
            rows.push(Row {
                id: id.to_string(),
                target: entry.target.clone(),
                kind: Some(entry.kind.as_str()),
                bytes: entry.body.len(),
                signature: entry.signature.clone(),
                source: entry.source.clone(),
            });
        }
        return Ok(());
    }
    let cases = source::open(&[path.to_owned()], None)?;
    for named in cases.cases.filter(|named| !named.name.contains(".db:") || !path.is_dir()) {
        let body = named.case.encode();
        rows.push(Row {
            id: named.case.id().to_string(),
            target: named.target.name.to_owned(),
            kind: None,
            bytes: body.len(),
            signature: None,
            source: named.name,
        });
    }
    Ok(())
}
