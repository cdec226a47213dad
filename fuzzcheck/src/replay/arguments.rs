//! The command line of a worker, and those limits of it that users may set, too.

use std::path::PathBuf;

use clap::Args;

use super::oracles::Oracles;
use super::protocol::{Limits, Options};

/// Limits of one run of a case that replace those of its target.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Virtual-machine steps of all statements of a case.
    #[arg(long, value_name = "STEPS")]
    pub limit_vm_steps: Option<u64>,
    /// Bytes that SQLite may allocate during a case, in total.
    #[arg(long, value_name = "BYTES")]
    pub limit_alloc_bytes: Option<u64>,
    /// Bytes that SQLite may hold at the same time, instead of what the target or the case sets; 0 for no limit.
    #[arg(long, value_name = "BYTES")]
    pub limit_heap_bytes: Option<u64>,
    /// Bytes on the simulated disk.
    #[arg(long, value_name = "BYTES")]
    pub limit_disk_bytes: Option<u64>,
    /// Bytes of a string, blob or row.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub limit_length_bytes: Option<u32>,
    /// Rows of all statements of a case, instead of what the case sets; 0 for no limit.
    #[arg(long, value_name = "ROWS")]
    pub limit_rows: Option<u64>,
    /// Use SQLite's own limits on statements, expressions, programs and LIKE patterns if a case sets none, instead of
    /// smaller ones.
    #[arg(long)]
    pub sqlite_limits: bool,
}

/// Arguments of `worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The file to record the current case in.
    #[arg(long)]
    pub progress: PathBuf,
    /// Report what each case did.
    #[arg(long)]
    pub digests: bool,
    /// Report what connections did in their turns.
    #[arg(long)]
    pub turns: bool,
    /// Write every statement into the progress file.
    #[arg(long)]
    pub trace_statements: bool,
    /// As for `run`.
    #[arg(long, default_value_t)]
    pub oracles: Oracles,
    /// Send what each case did, for a comparison, instead of judging it.
    #[arg(long)]
    pub transcript: bool,
    /// Send the files that it left, too.
    #[arg(long, requires = "transcript")]
    pub files: bool,
    /// As for `run`.
    #[arg(long)]
    pub meet_known_bugs: bool,
    /// As for `run`.
    #[arg(long)]
    pub plant: Option<String>,
    /// As for `run`.
    #[arg(long, default_value_t = 0)]
    pub worker_memory_mib: u64,
    /// As for `run`.
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl From<&LimitArgs> for Limits {
    fn from(args: &LimitArgs) -> Self {
        Self {
            vm_steps: args.limit_vm_steps,
            alloc_bytes: args.limit_alloc_bytes,
            heap_bytes: args.limit_heap_bytes,
            disk_bytes: args.limit_disk_bytes,
            length_bytes: args.limit_length_bytes,
            rows: args.limit_rows,
            are_sqlites: args.sqlite_limits,
        }
    }
}

impl From<&WorkerArgs> for Options {
    fn from(args: &WorkerArgs) -> Self {
        Self {
            oracles: args.oracles.clone(),
            has_digests: args.digests,
            has_turns: args.turns,
            plant: args.plant.clone(),
            meets_known_bugs: args.meet_known_bugs,
            is_transcribing: args.transcript,
            sends_files: args.files,
            limits: Limits::from(&args.limits),
            worker_memory_mib: args.worker_memory_mib,
            ..Self::default()
        }
    }
}
