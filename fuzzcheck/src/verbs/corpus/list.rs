//! `fuzzcheck corpus list`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tandem::corpus::Details;

use crate::source::{self, NamedCase, Provenance};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::{paths_or_corpus, tell_skipped};

/// List cases.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    id: String,
    target: &'static str,
    kind: Option<&'static str>,
    bytes: usize,
    signature: Option<String>,
    source: String,
    name: Option<String>,
    link: Option<String>,
    versions: Option<String>,
    reason: Option<String>,
    build: Option<String>,
}

impl Row {
    fn of(named: NamedCase) -> Self {
        let (id, bytes) = (named.case.id().to_string(), named.case.encode().len());
        let target = named.target.name;
        // A corpus says more of its cases than that they are there.
        let kind = named.provenance.as_ref().map(|provenance| provenance.kind.as_str());
        let (signature, source, details) = match named.provenance {
            Some(Provenance { signature, source, details, .. }) => (signature, source, details),
            None => (None, named.name, Details::default()),
        };
        let Details { name, link, versions, reason, build } = details;
        let versions = versions.map(|range| range.to_string());
        Self { id, target, kind, bytes, signature, source, name, link, versions, reason, build }
    }
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let cases = source::open(&paths_or_corpus(&self.paths), None)?;
        let code = tell_skipped(&cases);
        let rows = cases.cases.map(Row::of);
        ui::print(|out| {
            if self.json {
                let rows: Vec<Row> = rows.collect();
                serde_json::to_writer_pretty(&mut *out, &rows).map_err(std::io::Error::from)?;
                writeln!(out)?;
            } else {
                for row in rows {
                    let Row { id, target, bytes, source, .. } = &row;
                    let kind = row.kind.unwrap_or("-");
                    write!(out, "{id} {target:8} {kind:11} {bytes:7} {source}")?;
                    let more = [&row.signature, &row.name, &row.link, &row.versions, &row.build, &row.reason];
                    more.into_iter().flatten().try_for_each(|word| write!(out, " {word}"))?;
                    writeln!(out)?;
                }
            }
            Ok(())
        })?;
        Ok(code)
    }
}
