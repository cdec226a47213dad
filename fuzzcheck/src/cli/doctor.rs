//! Arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    pub toolchain: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
    /// Look for /proc in this folder.
    #[arg(long, value_name = "DIR", hide = true, default_value = "/")]
    pub root: PathBuf,
    /// Plant a bug by name (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
