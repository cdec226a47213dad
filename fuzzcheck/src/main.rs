//! The program `fuzzcheck`; everything is in the library.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match fuzzcheck::dispatch(fuzzcheck::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Whoever reads the output had enough (`| head`): nothing to say.
            let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
                cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
            };
            if !error.chain().any(is_broken_pipe) {
                eprintln!("fuzzcheck: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}
