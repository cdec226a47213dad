//! Arguments of the subcommands that measure.

use std::path::PathBuf;

use clap::Args;
use tandem::targets::arm::Arm;

/// Arguments of `coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// As for `run` [default: corpus/, or corpus/TARGET.db with --target]
    pub sources: Vec<PathBuf>,
    /// The target of single files. Whatever lies in a folder is then a case of it, as for libFuzzer.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// The SQLite whose branches are counted.
    #[command(flatten)]
    pub flavor: crate::build::arguments::FlavorArgs,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// What else is made of it.
    #[command(flatten)]
    pub more: super::gaps::CoverageMoreArgs,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
}

/// Arguments of `compare-mutators`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The target.
    #[arg(long, value_name = "TARGET")]
    pub target: String,
    /// CPU seconds of each campaign.
    #[arg(long, value_name = "S", value_parser = super::positive)]
    pub seconds: f64,
    /// Campaigns of each arm.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
    /// An arm, may be repeated: libfuzzer, all, fixed, without:FAMILY, without:crossover [default: all of them]
    #[arg(long = "arm", value_name = "ARM")]
    pub arms: Vec<Arm>,
    /// A folder, or a database as for `run`, with the cases to begin with [default: seeds of corpus/TARGET.db]
    #[arg(long, value_name = "PATH")]
    pub seeds: Option<PathBuf>,
    /// Campaigns at a time.
    #[arg(long, short, value_name = "J", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// The build to fuzz [default lane: asan]
    #[command(flatten)]
    pub flavor: crate::build::arguments::FlavorArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    pub toolchain: Option<String>,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of tables.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
}
