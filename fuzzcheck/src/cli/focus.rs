//! Arguments of `fuzz` that turn it towards a part of SQLite.

use clap::Args;

/// Where fuzzing is turned to.
#[derive(Debug, Args)]
pub struct FocusArgs {
    /// Turn to functions of SQLite: by name, by source file (btree.c), or those that a unified diff changes.
    #[arg(long, value_name = "FUNCTION|MODULE|DIFF,...", value_delimiter = ',')]
    pub focus: Vec<String>,
    /// Only count how often they are reached, to compare with.
    #[arg(long, requires = "focus")]
    pub count_focus_only: bool,
}
