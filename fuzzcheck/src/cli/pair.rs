//! Arguments of `pair`.

use std::path::PathBuf;

use clap::Args;

use crate::base::TIMEOUT_MS;

/// Arguments of `pair`.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The one build: `bundled`, a published version such as 3.49.1, a folder with another sqlite3.c, each with `:LANE`
    /// behind it or not; `turso`, an engine of its own; or a program that has a `worker` as this one does.
    pub a: String,
    /// The other one.
    pub b: String,
    /// As for `run` [default: corpus/]
    pub paths: Vec<PathBuf>,
    /// Pairs of workers at a time [default: one per two cores]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Run single files on this target instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Folder for the cases of findings [default: fuzz/artifacts/TARGET]
    #[arg(long, value_name = "DIR")]
    pub save_dir: Option<PathBuf>,
    /// CPU milliseconds after which a case counts as hanging.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
    /// Bytes that SQLite may hold at a time.
    #[arg(long, value_name = "BYTES")]
    pub limit_heap_bytes: Option<u64>,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Plant a bug by name in the one build, to see that it is found (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant_a: Option<String>,
    /// The same in the other.
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant_b: Option<String>,
}
