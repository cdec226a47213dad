//! `fuzzcheck fuzz`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::FuzzArgs;

pub(super) fn run(_args: &FuzzArgs) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
