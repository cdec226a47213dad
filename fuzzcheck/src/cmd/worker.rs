//! `fuzzcheck worker`: see [`crate::replay::worker`].

use std::process::ExitCode;

use anyhow::Result;

use crate::replay::arguments::WorkerArgs;
use crate::replay::{Options, worker};

pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode> {
    worker::run(&Options::from(args), &args.progress, args.trace_statements)?;
    Ok(ExitCode::SUCCESS)
}
