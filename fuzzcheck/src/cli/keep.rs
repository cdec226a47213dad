//! Arguments of `keep`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tandem::corpus::{Kind, VersionRange};

use crate::build::arguments::FlavorArgs;

/// The kinds of cases that show or showed a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BugKind {
    /// It is fixed.
    Regression,
    /// It is not fixed.
    Known,
}

impl From<BugKind> for Kind {
    fn from(kind: BugKind) -> Self {
        match kind {
            BugKind::Regression => Self::Regression,
            BugKind::Known => Self::Known,
        }
    }
}

/// Arguments of `keep`.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// A file with the case, or the id of one in the corpora, or its beginning; with --check, what to check, as for `run` [default: corpus/]
    #[arg(value_name = "CASE")]
    pub cases: Vec<PathBuf>,
    /// What the bug is called: lower-case words with hyphens.
    #[arg(long, value_name = "NAME", required_unless_present = "check")]
    pub name: Option<String>,
    /// Whether the bug is fixed.
    #[arg(long, value_enum, default_value_t = BugKind::Known)]
    pub kind: BugKind,
    /// Where it was reported.
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// The versions of SQLite that have it: 3.31.1..3.44.0, without the last; ..3.45.0; 3.50.0..
    #[arg(long, value_name = "RANGE")]
    pub versions: Option<VersionRange>,
    /// Why it is known and not reported or not fixed.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The finding, where this build does not show it [default: what the case shows here]
    #[arg(long, value_name = "SIGNATURE")]
    pub signature: Option<String>,
    /// Where the case came from, in words [default: what a corpus says, or the name of the file]
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// The target, instead of the one that the file seems to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The corpus database to write to [default: corpus/TARGET.db]
    #[arg(long, value_name = "DB")]
    pub into: Option<PathBuf>,
    /// Keep nothing: see that every known bug has its case, is explained, and is still there.
    #[arg(long, conflicts_with_all = ["name", "link", "versions", "reason", "signature", "source", "into"])]
    pub check: bool,
    /// The build that shows the bug [default lane: release; with --check, the lane of each case]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Plant a bug by name (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
