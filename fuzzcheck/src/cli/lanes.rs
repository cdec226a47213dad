//! Arguments of `lanes`.

use std::path::PathBuf;

use clap::Args;

use crate::build::arguments::FlavorArgs;
use crate::lane::Lane;

/// Arguments of `lanes`.
#[derive(Debug, Args)]
pub struct LanesArgs {
    /// As for `run` [default: corpus/]
    pub paths: Vec<PathBuf>,
    /// The lanes; what the first one does is what the others are compared with.
    #[arg(long, value_name = "LANE,...", value_enum, value_delimiter = ',',
        default_values_t = [Lane::Release, Lane::Asan, Lane::Debug, Lane::Ubsan, Lane::Memdebug, Lane::Valgrind])]
    pub lanes: Vec<Lane>,
    /// Under valgrind, run every Nth case only.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub valgrind_every: u32,
    /// In all lanes, run every Nth case only.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Run single files on this target instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The SQLite of all lanes.
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Plant a bug by name in the last lane, to see that the lanes are seen to differ.
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
