//! Arguments of `bisect`.

use std::path::PathBuf;

use clap::Args;

use crate::base::TIMEOUT_MS;
use crate::build::arguments::FlavorArgs;
use crate::replay::arguments::LimitArgs;

/// Arguments of `bisect`.
#[derive(Debug, Args)]
pub struct BisectArgs {
    /// A file with a case, or the id of one in the corpora, or its beginning.
    pub case: String,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
    /// Run a single file on this target instead of the one that it seems to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The finding to look for [default: the most important one of the first release that shows any]
    #[arg(long, value_name = "SIGNATURE")]
    pub signature: Option<String>,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The lane, and what is built in [default lane: debug]. --sqlite-version names a release that shows the bug, which
    /// is then tried first.
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Refuse nothing of what leads to a known bug of SQLite.
    #[arg(long)]
    pub meet_known_bugs: bool,
    /// CPU milliseconds after which the case counts as hanging.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}
