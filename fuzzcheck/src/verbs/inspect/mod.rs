//! `fuzzcheck inspect`: a file in full, with its damage.

mod db;
mod diff;
mod input;
mod journal;
mod page;
mod wal;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::{Listed, verb};
use crate::base::EXIT_FINDINGS;

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] = &[
    verb::<db::Args>("db"),
    verb::<wal::Args>("wal"),
    verb::<journal::Args>("journal"),
    verb::<diff::Args>("diff"),
];

/// What is printed of a WAL or journal as JSON.
#[derive(Serialize)]
struct Document<'a, R> {
    name: &'a str,
    is_damaged: bool,
    #[serde(flatten)]
    report: &'a R,
}

/// The exit code: 1 for damage, else that of the search for the case.
fn exit_code(is_damaged: bool, otherwise: ExitCode) -> ExitCode {
    if is_damaged { ExitCode::from(EXIT_FINDINGS) } else { otherwise }
}

/// Writes one JSON document.
fn json(out: &mut dyn Write, document: &impl Serialize) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Writes a line, escaped: names in a damaged file may control a terminal.
fn put(out: &mut dyn Write, text: fmt::Arguments<'_>) -> Result<()> {
    let text = text.to_string();
    if text.contains(char::is_control) {
        let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        return Ok(writeln!(out, "{}", text.chars().map(show).collect::<String>())?);
    }
    Ok(writeln!(out, "{text}")?)
}
