//! `fuzzcheck list`.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::{paths_or_corpus, tell_skipped};
use crate::cli::ListArgs;
use crate::source::{self, NamedCase};
use crate::ui;

#[derive(Serialize)]
struct Row {
    id: String,
    target: &'static str,
    kind: Option<&'static str>,
    bytes: usize,
    signature: Option<String>,
    source: String,
}

impl Row {
    fn of(named: NamedCase) -> Self {
        let (id, bytes) = (named.case.id().to_string(), named.case.encode().len());
        let target = named.target.name;
        match named.kept {
            // A corpus says more of its cases than that they are there.
            Some(kept) => {
                let kind = Some(kept.kind.as_str());
                Self { id, target, kind, bytes, signature: kept.signature, source: kept.source }
            }
            None => Self { id, target, kind: None, bytes, signature: None, source: named.name },
        }
    }
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let cases = source::open(&paths_or_corpus(&args.paths), None)?;
    let code = tell_skipped(&cases);
    let rows = cases.cases.map(Row::of);
    ui::print(|out| {
        if args.json {
            let rows: Vec<Row> = rows.collect();
            serde_json::to_writer_pretty(&mut *out, &rows).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            for row in rows {
                let Row { id, target, bytes, source, .. } = &row;
                let kind = row.kind.unwrap_or("-");
                let signature = row.signature.as_deref().unwrap_or("");
                writeln!(out, "{id} {target:8} {kind:11} {bytes:7} {source} {signature}")?;
            }
        }
        Ok(())
    })?;
    Ok(code)
}
