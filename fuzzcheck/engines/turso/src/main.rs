//! `tandem-turso`: a worker of fuzzcheck over Turso, for `cargo fuzzcheck compare engines`.
//!
//! Exit codes: 0 if the parent has no more cases, 2 for wrong usage or an error of ours, 101 where Turso
//! panicked.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use fuzzcheck::replay::arguments::WorkerArgs;
use fuzzcheck::replay::{Options, worker};
use tandem::engine::sqlite::Executor;
use tandem_turso::{Plant, Turso, exit_on_panics};

/// Runs cases on Turso, for a comparison with SQLite: `cargo fuzzcheck compare engines bundled turso`.
#[derive(Parser)]
#[command(name = "tandem-turso", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read cases from standard input and write what they did.
    Worker(WorkerArgs),
}

fn main() -> ExitCode {
    let Command::Worker(args) = Cli::parse().command;
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem-turso: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &WorkerArgs) -> Result<()> {
    let by_name =
        |name: &String| Plant::by_name(name).with_context(|| format!("no planted bug is named `{name}`"));
    let plant = args.plant.as_ref().map(by_name).transpose()?;
    let mut engine = Turso::new(Executor::isolated(), plant);
    exit_on_panics();
    worker::serve(&mut engine, &Options::from(args), &args.progress, args.trace_statements)
}
