//! `fuzzcheck worker`: see [`crate::replay::worker`].

use std::process::ExitCode;

use anyhow::Result;

use crate::replay::arguments::WorkerArgs;
use crate::replay::{Options, worker};
use crate::verbs::Verb;

/// A worker process of `run`, with its own protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let args = &self.worker;
        worker::run(&Options::from(args), &args.progress, args.trace_statements)?;
        Ok(ExitCode::SUCCESS)
    }
}
