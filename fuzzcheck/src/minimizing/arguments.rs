//! Command-line limits of minimizing.

use clap::Args;

/// How long to search for a smaller case.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Seconds after which to stop with the best case so far.
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_time_s: u64,
    /// Candidates after which to stop.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_attempts: u64,
    /// Candidates to run at the same time [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// CPU milliseconds after which a candidate counts as a hang [default: 1000, and 3000 if the bug is a hang;
    /// more in slow builds]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: Option<u64>,
}
