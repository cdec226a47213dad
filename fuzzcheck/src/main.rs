//! The program `fuzzcheck`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fuzzcheck::main(tandem::Registry::default())
}
