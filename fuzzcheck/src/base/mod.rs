//! What all rooms use: exit codes, limits by default, the machine and the working copy, figures in words ([`text`]).

pub(crate) mod text;

use std::path::{Path, PathBuf};

/// Findings were made.
pub(crate) const EXIT_FINDINGS: u8 = 1;
/// Usage or harness error.
pub(crate) const EXIT_ERROR: u8 = 2;

/// CPU milliseconds after which a case counts as hanging, unless something else is asked for.
pub(crate) const TIMEOUT_MS: u64 = 10_000;
/// MiB of address space of a worker, unless something else is asked for.
pub(crate) const WORKER_MEMORY_MIB: u64 = 1024;

/// Workers at a time, unless something else is asked for.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The working copy that this program was built from.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}
