//! Arguments of `triage`.

use std::path::PathBuf;

use clap::Args;

use crate::build::arguments::FlavorArgs;
use crate::minimizing::arguments::SearchArgs;

/// Arguments of `triage`.
#[derive(Debug, Args)]
pub struct TriageArgs {
    /// A pile of cases: folders, files, corpus databases [default: fuzz/artifacts]
    pub paths: Vec<PathBuf>,
    /// Folder for what is known of each bug, and its smallest case [default: fuzz/triage]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where the cases of known bugs are [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
    /// Leave the cases as large as they are.
    #[arg(long)]
    pub no_minimize: bool,
    /// Find out since which release each bug that is not known is there, and until which (see `bisect`).
    #[arg(long)]
    pub bisect: bool,
    /// The limits of the search for a smaller case, for each bug.
    #[command(flatten)]
    pub limits: SearchArgs,
    /// Run single files on this target instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The build that shows the bugs [default lane: release]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Plant a bug by name, to see that it is found (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
