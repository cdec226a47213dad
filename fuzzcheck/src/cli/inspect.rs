//! Arguments of `db`, `wal` and `journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `db`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct DbArgs {
    /// Another thing to do with databases.
    #[command(subcommand)]
    pub command: Option<DbCommand>,
    /// The database, or the case that has it.
    #[arg(required = true)]
    pub file: Option<String>,
    /// Show this page in full: every cell with its record, every byte with what it means.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub page: Option<u32>,
    /// Look at what SQLite makes of it with the WAL and the journal beside it.
    #[arg(long)]
    pub recovered: bool,
    /// Which database.
    #[command(flatten)]
    pub input: InputArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Subcommands of `db`.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Compare two databases: header, schema, pages by bytes, rows by key. Exit code 1 where they differ.
    Diff(DiffArgs),
}

/// Arguments of `db diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The one database, or the case that has it.
    pub a: String,
    /// The other.
    pub b: String,
    /// Which databases.
    #[command(flatten)]
    pub input: InputArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// How a database is found.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Which file of a case [default: main.db]
    #[arg(long = "file", value_name = "NAME", conflicts_with = "raw")]
    pub name: Option<String>,
    /// Take the file for a database, whatever it begins with.
    #[arg(long)]
    pub raw: bool,
    /// Where to look for the id of a case [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
}

/// Arguments of `wal` and `journal`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The WAL or journal, the database beside which it lies, or the case that has it.
    pub file: String,
    /// Which file of a case [default: that of main.db]
    #[arg(long = "file", value_name = "NAME", conflicts_with = "raw")]
    pub name: Option<String>,
    /// Take the file for one, whatever it begins with.
    #[arg(long)]
    pub raw: bool,
    /// Where to look for the id of a case [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}
