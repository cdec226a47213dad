//! The macro and its runtime together. The examples of the guide, in `fuzz/examples/interfaces`, have tests of their own.

mod bag;
mod checks;
mod generators;
mod generics;
mod results;
mod values;

use tandem::interfaces::harness::{Fuzz, Settings};
use tandem::interfaces::report::Minimized;
use tandem::interfaces::{Failure, Inconsistency};

/// Runs many operations: how many, or the first inconsistency.
fn run(fuzz: Fuzz<'_>) -> Result<usize, Box<Inconsistency>> {
    run_from(0, fuzz)
}

fn run_from(seed: u64, fuzz: Fuzz<'_>) -> Result<usize, Box<Inconsistency>> {
    match (Settings { seed, ops: 3_000 }).run(fuzz) {
        Ok(ran) => Ok(ran),
        Err(Failure::Inconsistent(report)) => Err(report),
        Err(Failure::NothingRan) => panic!("nothing was run"),
    }
}

/// The operations and the Rust of a minimized case.
fn minimized(report: &Inconsistency) -> (usize, &str) {
    match &report.minimized {
        Minimized::Case { operations, rust } => (*operations, rust),
        other => panic!("{other:?}: {report}"),
    }
}
