//! Used everywhere: exit codes, default limits, the machine and the working copy, numbers as text ([`text`]).

pub(crate) mod text;

use std::path::{Path, PathBuf};

/// Findings were made.
pub(crate) const EXIT_FINDINGS: u8 = 1;
/// Usage or harness error.
pub(crate) const EXIT_ERROR: u8 = 2;

/// CPU milliseconds after which a case counts as a hang, by default.
pub(crate) const TIMEOUT_MS: u64 = 10_000;
/// MiB of address space of a worker, by default.
pub(crate) const WORKER_MEMORY_MIB: u64 = 1024;

/// Workers at the same time, by default.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The working copy that this program was built from.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}
