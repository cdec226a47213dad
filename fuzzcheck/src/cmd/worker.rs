//! `fuzzcheck worker`: see [`crate::replay::worker`].

use std::process::ExitCode;

use anyhow::Result;

use super::run::limits;
use crate::cli::WorkerArgs;
use crate::replay::{Options, worker};

pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode> {
    let options = Options {
        is_twice: args.twice,
        has_digests: args.digests,
        plant: args.plant.clone(),
        meets_known_bugs: args.meet_known_bugs,
        limits: limits(&args.limits),
        timeout_ms: 0,
        worker_memory_mib: args.worker_memory_mib,
        ..Options::default()
    };
    worker::run(&options, &args.progress, args.trace_statements)?;
    Ok(ExitCode::SUCCESS)
}
