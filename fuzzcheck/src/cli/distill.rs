//! Arguments of `distill`.

use std::path::PathBuf;

use clap::Args;

use crate::build::arguments::FlavorArgs;

/// Arguments of `distill`.
#[derive(Debug, Args)]
pub struct DistillArgs {
    /// The target.
    #[arg(required_unless_present = "all")]
    pub target: Option<String>,
    /// All targets, one after the other.
    #[arg(long, conflicts_with_all = ["target", "into"])]
    pub all: bool,
    /// Further cases: folders as libFuzzer has them, or anything that `run` takes, may be repeated.
    #[arg(long, value_name = "PATH")]
    pub from: Vec<PathBuf>,
    /// The corpus database that is distilled and written to [default: corpus/TARGET.db]
    #[arg(long, value_name = "DB")]
    pub into: Option<PathBuf>,
    /// Most cases of kind `interesting` that are left: those that add most.
    #[arg(long, value_name = "N")]
    pub max_cases: Option<usize>,
    /// Say what would be left, and write no corpus database.
    #[arg(long)]
    pub dry_run: bool,
    /// The build that measures [default lane: asan]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    pub toolchain: Option<String>,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
}
