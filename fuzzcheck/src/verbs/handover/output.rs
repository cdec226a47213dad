//! What `fuzzcheck handover` prints.

use anyhow::Result;
use serde::Serialize;

use super::Args;
use super::{Others, Output};
use crate::bisecting::Tried;
use crate::handover::Handed;
use crate::handover::finding::Seen;
use crate::replay::FoundBug;
use crate::ui;

pub(super) fn print_text(
    args: &Args,
    seen: &Seen,
    others: &Others,
    outputs: &[Output],
    command: &str,
) -> Result<()> {
    for Output { name, form } in outputs {
        form.losses.iter().for_each(|loss| eprintln!("fuzzcheck: {}: {loss}", name.display()));
    }
    let signature = seen.bug().map_or("no finding", |bug| bug.signature.as_str());
    ui::print(|out| {
        writeln!(out, "{signature}")?;
        for Output { name, form } in outputs {
            writeln!(out, "  {:>9} bytes  {}", form.content.len(), args.to.join(name).display())?;
        }
        for tried in &others.tried {
            let shown = tried.shown.as_ref().map_or("not tried", |(_, bugs)| first(bugs));
            writeln!(out, "  SQLite {}: {shown}", tried.version)?;
        }
        others.range.iter().try_for_each(|range| writeln!(out, "  SQLite: {range}"))?;
        Ok(writeln!(out, "  replay: {command}")?)
    })
}

fn first(bugs: &[FoundBug]) -> &str {
    bugs.first().map_or("no finding", |bug| bug.signature.as_str())
}

#[derive(Serialize)]
struct JsonOutput {
    path: String,
    bytes: usize,
    losses: Vec<String>,
}

#[derive(Serialize)]
struct JsonTried<'a> {
    version: &'a str,
    source_id: Option<&'a str>,
    bugs: &'a [FoundBug],
    error: Option<&'a str>,
}

impl<'a> JsonTried<'a> {
    fn of(tried: &'a Tried) -> Self {
        let version = &tried.version;
        match &tried.shown {
            Ok((source_id, bugs)) => Self { version, source_id: Some(source_id), bugs, error: None },
            Err(error) => Self { version, source_id: None, bugs: &[], error: Some(error) },
        }
    }
}

#[derive(Serialize)]
struct JsonHandover<'a> {
    version: u32,
    case: String,
    sqlite: &'a str,
    build: &'a str,
    bugs: &'a [FoundBug],
    replay: &'a str,
    files: Vec<JsonOutput>,
    versions: Vec<JsonTried<'a>>,
    range: Option<&'a str>,
}

pub(super) fn print_json(
    args: &Args,
    handed: &Handed,
    seen: &Seen,
    others: &Others,
    outputs: &[Output],
    replay: &str,
) -> Result<()> {
    let file = |output: &Output| JsonOutput {
        path: args.to.join(&output.name).display().to_string(),
        bytes: output.form.content.len(),
        losses: output.form.losses.clone(),
    };
    let document = JsonHandover {
        version: 1,
        case: handed.id.to_string(),
        sqlite: &seen.source_id,
        build: seen.build,
        bugs: &seen.bugs,
        replay,
        files: outputs.iter().map(file).collect(),
        versions: others.tried.iter().map(JsonTried::of).collect(),
        range: others.range.as_deref(),
    };
    ui::print(|out| {
        serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
        Ok(writeln!(out)?)
    })
}
