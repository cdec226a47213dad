//! Arguments of `handover`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::base::TIMEOUT_MS;
use crate::build::arguments::FlavorArgs;

/// A form in which a case is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormArg {
    /// case.txt: settings, files page by page and SQL, to read.
    Text,
    /// shell.sql: a script for the sqlite3 shell, the database inline.
    Script,
    /// repro.sh: writes all files byte for byte and runs the sqlite3 shell ($SQLITE3) on them; POSIX sh and base64.
    Sh,
    /// files/: main.db, main.db-wal and so on as they are, beside case.sql.
    Files,
    /// case.rs: a Rust test that needs rusqlite with its feature `bundled`, and asserts what should hold.
    Rust,
    /// report.md: a bug report, with the build, the finding, the case and a table of versions.
    Report,
}

/// Arguments of `handover`.
#[derive(Debug, Args)]
pub struct HandoverArgs {
    /// A file with a case, or the id of one in the corpora, or its beginning.
    pub case: String,
    /// Folder to write to. A file that is there already must be the same.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The forms; case.tandem, the case itself, is always written [default: all]
    #[arg(long = "form", value_name = "FORM,...", value_enum, value_delimiter = ',')]
    pub forms: Vec<FormArg>,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
    /// Run a single file on this target instead of the one that it seems to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The finding that is handed over: without it, or where the case shows another, nothing is written [default: the
    /// most important one]
    #[arg(long, value_name = "SIGNATURE")]
    pub signature: Option<String>,
    /// Hand over a case that shows no finding, too.
    #[arg(long, conflicts_with = "signature")]
    pub without_finding: bool,
    /// Run the case on these releases, too, in the same lane, for the table of the report: of each sqlite3.c is compiled
    /// the first time. `all` for all that `--sqlite-version help` lists.
    #[arg(long, value_name = "VERSION,...", value_delimiter = ',')]
    pub versions: Vec<String>,
    /// Find out since which release the case shows its bug, and until which, for the report (see `bisect`).
    #[arg(long)]
    pub bisect: bool,
    /// The build in which the case is run [default lane: release]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Refuse nothing of what leads to a known bug of SQLite.
    #[arg(long)]
    pub meet_known_bugs: bool,
    /// Run the case twice and compare what it did.
    #[arg(long)]
    pub twice: bool,
    /// CPU milliseconds after which the case counts as hanging.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Plant a bug by name, to see that it is found (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}
