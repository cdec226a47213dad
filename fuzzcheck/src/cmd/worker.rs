//! `fuzzcheck worker`: see [`crate::replay::worker`].

use std::process::ExitCode;

use anyhow::Result;

use super::run::limits;
use crate::cli::WorkerArgs;
use crate::replay::{Options, worker};

pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode> {
    worker::run(&Options::from(args), &args.progress, args.trace_statements)?;
    Ok(ExitCode::SUCCESS)
}

impl From<&WorkerArgs> for Options {
    fn from(args: &WorkerArgs) -> Self {
        Self {
            is_twice: args.twice,
            has_digests: args.digests,
            plant: args.plant.clone(),
            meets_known_bugs: args.meet_known_bugs,
            is_transcribing: args.transcript,
            limits: limits(&args.limits),
            worker_memory_mib: args.worker_memory_mib,
            ..Self::default()
        }
    }
}
