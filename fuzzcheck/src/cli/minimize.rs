//! Arguments of `minimize`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tandem::minimize::Part;

use crate::build::arguments::FlavorArgs;
use crate::minimizing::arguments::SearchArgs;

/// A part of a case, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// The script.
    Sql,
    /// Database, WAL and journal.
    Db,
    /// The fault plan.
    Faults,
    /// How the connection is opened.
    Settings,
    /// All of it.
    All,
}

impl PartArg {
    /// The parts that it stands for.
    pub fn parts(self) -> &'static [Part] {
        match self {
            Self::Sql => &[Part::Sql],
            Self::Db => &[Part::Db],
            Self::Faults => &[Part::Faults],
            Self::Settings => &[Part::Settings],
            Self::All => &Part::ALL,
        }
    }
}

/// Arguments of `minimize`.
#[derive(Debug, Args)]
pub struct MinimizeArgs {
    /// A file with a case, or the id of one in the corpora, or its beginning.
    pub case: String,
    /// What to make smaller: what is left out stays as it is.
    #[arg(long, value_name = "PART,...", value_enum, value_delimiter = ',', default_value = "all")]
    pub minimize: Vec<PartArg>,
    /// The bug to keep, by its signature [default: the first one that the case shows]
    #[arg(long, value_name = "SIGNATURE")]
    pub signature: Option<String>,
    /// Where to write the smaller case [default: minimized-from-ID beside the case, or where `run` saves those of findings]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Begin with the case again, and not where an earlier run for the same bug ended.
    #[arg(long)]
    pub fresh: bool,
    /// The limits of the search.
    #[command(flatten)]
    pub limits: SearchArgs,
    /// The target of the case, instead of the one that it seems to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The build that shows the bug [default lane: release]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// For a difference between two builds: the other one, as for `pair`.
    #[arg(long, value_name = "BUILD")]
    pub pair: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Run every candidate twice and compare what it did: for a finding of `run --twice`.
    #[arg(long)]
    pub twice: bool,
    /// Plant a bug by name, to see that it is found (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
