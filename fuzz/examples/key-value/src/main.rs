//! `fuzzcheck` with the target and the oracle of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    fuzzcheck::main(key_value::registry())
}
