//! Arguments that choose which SQLite is built, and how.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::build::releases::Releases;
use crate::build_kind::BuildKind;

/// Which SQLite, and how it is built.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigurationArgs {
    /// How SQLite is built.
    #[arg(long, value_name = "BUILD", value_enum)]
    pub build: Option<BuildKind>,
    /// A folder with another sqlite3.c and sqlite3.h, 3.26.0 or later [default: TANDEM_SQLITE, or the bundled SQLite]
    #[arg(long, value_name = "DIR")]
    pub sqlite: Option<PathBuf>,
    /// A published release, such as 3.31.1, from the crate that bundles it. `run` takes several, as A,B,C or all, and
    /// prints a table.
    #[arg(long, value_name = "VERSION", conflicts_with = "sqlite")]
    pub sqlite_version: Option<String>,
    /// A folder with your own releases, each a folder with sqlite3.c and sqlite3.h, named by its version: they take
    /// the place of the published ones everywhere.
    #[arg(long, value_name = "DIR")]
    pub releases: Option<PathBuf>,
    /// Additional C compiler flags for SQLite, such as '-DSQLITE_OMIT_TRIGGER -USQLITE_ENABLE_STAT4'.
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub sqlite_flags: String,
    /// C files to compile in: an extension, a VFS.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub extra_c: Vec<PathBuf>,
    /// The entry point of --extra-c, `int FUNCTION(sqlite3*, char**, const sqlite3_api_routines*)`,
    /// called for every connection.
    #[arg(long, value_name = "FUNCTION")]
    pub init: Option<String>,
    /// Open databases through the VFS of this name, which FUNCTION registers on top of the default one.
    #[arg(long, value_name = "NAME", requires = "init")]
    pub vfs: Option<String>,
}

impl ConfigurationArgs {
    /// The releases, if several are given.
    ///
    /// # Errors
    /// As [`Releases::new`].
    pub(crate) fn versions(&self) -> Result<Option<Vec<String>>> {
        Ok(match self.sqlite_version.as_deref() {
            Some("all") => {
                let all = Releases::new(self.releases.as_deref())?;
                Some(all.names().map(str::to_owned).collect())
            }
            Some(some) if some.contains(',') => {
                Some(some.split(',').map(|name| name.trim().to_owned()).collect())
            }
            _ => None,
        })
    }
}
