//! `fuzzcheck db`, `wal` and `journal`: a file in full, and what is wrong with it.

mod database;
mod diff;
mod input;
mod logs;
mod page;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::base::EXIT_FINDINGS;
use crate::cli::inspect::{DbArgs, DbCommand};

pub(super) use logs::{journal, wal};

pub(super) fn db(args: &DbArgs) -> Result<ExitCode> {
    match &args.command {
        Some(DbCommand::Diff(args)) => diff::run(args),
        None => database::run(args),
    }
}

/// The exit code: damage, or, where all is well, what looking for the case said.
fn exit_code(is_damaged: bool, otherwise: ExitCode) -> ExitCode {
    if is_damaged { ExitCode::from(EXIT_FINDINGS) } else { otherwise }
}

/// Writes one JSON document.
fn json(out: &mut dyn Write, document: &impl Serialize) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Writes a line. What a damaged file has in the place of names may steer a terminal.
fn put(out: &mut dyn Write, text: fmt::Arguments<'_>) -> Result<()> {
    let text = text.to_string();
    if text.contains(char::is_control) {
        let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        return Ok(writeln!(out, "{}", text.chars().map(show).collect::<String>())?);
    }
    Ok(writeln!(out, "{text}")?)
}
