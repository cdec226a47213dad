//! The program `fuzzcheck`; everything is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match fuzzcheck::dispatch(fuzzcheck::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fuzzcheck: {error:#}");
            ExitCode::from(2)
        }
    }
}
