//! Arguments of `check-oss-fuzz` and `dictionary`.

use std::path::PathBuf;

use clap::Args;

use crate::ossfuzz::SanitizerArg;

/// Arguments of `dictionary`.
#[derive(Debug, Args)]
pub struct DictionaryArgs {
    /// Write it to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// Arguments of `check-oss-fuzz`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What fuzz/build.sh filled: OSS-Fuzz's $OUT.
    pub out_dir: PathBuf,
    /// The sanitizer of the build, as OSS-Fuzz names it.
    #[arg(long, value_enum, default_value_t = SanitizerArg::Address)]
    pub sanitizer: SanitizerArg,
    /// Run every tenth seed only; all are read.
    #[arg(long)]
    pub fast: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
}
