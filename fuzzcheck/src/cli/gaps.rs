//! Arguments of `gaps`, and what `coverage` makes beside its table.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::coverage::reached::GapKind;

/// What `coverage` makes beside its table.
#[derive(Debug, Args)]
pub struct CoverageMoreArgs {
    /// Write the source with its counts as HTML: an index and a page per module.
    #[arg(long, value_name = "DIR")]
    pub html: Option<PathBuf>,
    /// List what nothing reaches, too: in --json as `gaps`.
    #[arg(long)]
    pub gaps: bool,
    /// Keep what was reached in a file, for --compare.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Add the totals to a file of such, and print the last ones with differences. The same corpus on the same build
    /// replaces its last entry.
    #[arg(long, value_name = "FILE")]
    pub trend: Option<PathBuf>,
    /// Compare what two reach, by module and function, instead: corpora, or files of --save of the same build.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["sources", "html", "gaps", "save", "trend"])]
    pub compare: Option<Vec<PathBuf>>,
}

/// A kind of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// Functions of sqlite3.c.
    Function,
    /// Opcodes of the virtual machine.
    Opcode,
    /// SQL functions.
    SqlFunction,
    /// Pragmas.
    Pragma,
    /// Result codes.
    ResultCode,
}

impl KindArg {
    pub(crate) fn kind(self) -> GapKind {
        match self {
            Self::Function => GapKind::Function,
            Self::Opcode => GapKind::Opcode,
            Self::SqlFunction => GapKind::SqlFunction,
            Self::Pragma => GapKind::Pragma,
            Self::ResultCode => GapKind::ResultCode,
        }
    }
}

/// Arguments of `gaps`.
#[derive(Debug, Args)]
pub struct GapsArgs {
    /// As for `run` [default: corpus/, or corpus/TARGET.db with --target]
    pub sources: Vec<PathBuf>,
    /// As for `coverage`.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Only gaps of these kinds [default: all]
    #[arg(long, value_name = "KIND,...", value_enum, value_delimiter = ',')]
    pub kind: Vec<KindArg>,
    /// Only the largest N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// The SQLite whose gaps are looked for.
    #[command(flatten)]
    pub flavor: crate::build::arguments::FlavorArgs,
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
