//! `fuzzcheck doctor`: whether this machine can fuzz, and how to fix what prevents it.
//!
//! Each probe tries what fuzzing does, or asks the kernel, and returns one [`Check`]. What it looks at is
//! in [`Place`], so that a test can make it fail.
//!
//! | module | what it looks at |
//! |---|---|
//! | [`toolchain`] | Rust, cargo-fuzz, compilers, sanitizer runtimes |
//! | [`targets`] | the coverage counters of targets that are built |
//! | [`system`] | disk, limits, core files, address space, memory |
//! | [`determinism`] | a few shipped cases, each run twice |

mod determinism;
mod system;
mod targets;
mod toolchain;

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

/// Where probes look.
pub(crate) struct Place<'p> {
    /// The folder that `proc` is in.
    pub root: &'p Path,
    /// The working copy.
    pub project: &'p Path,
    /// Toolchain for the targets.
    pub toolchain: Option<&'p str>,
    /// Bytes that may still be written below a folder.
    pub free_bytes: &'p dyn Fn(&Path) -> io::Result<u64>,
    /// Cores that may be used.
    pub cores: usize,
    /// A planted bug, for the double run.
    pub plant: Option<&'p str>,
    /// Set to stop.
    pub stop: &'p AtomicBool,
}

/// The level of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing to do.
    Ok,
    /// Fuzzing works, but slower or with less than it could.
    Warning,
    /// Fuzzing does not work, or proves nothing.
    Error,
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Its level.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), fix: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    fn error(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Error, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Runs all probes in order; `observer` gets each result.
pub(crate) fn examine(place: &Place<'_>, mut observer: impl FnMut(&Check)) -> Vec<Check> {
    const PROBES: [fn(&Place<'_>) -> Check; 16] = [
        toolchain::rust,
        toolchain::cargo_fuzz,
        toolchain::clang,
        toolchain::cxx,
        toolchain::runtimes,
        toolchain::coverage_tools,
        targets::counters,
        system::disk,
        system::core_files,
        system::address_space,
        system::stack,
        system::overcommit,
        system::randomization,
        system::memory,
        system::cores,
        determinism::double_run,
    ];
    let examine = |probe: fn(&Place<'_>) -> Check| {
        let check = probe(place);
        observer(&check);
        check
    };
    PROBES.map(examine).into()
}

/// The first line of a text, without blanks around it.
fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim()
}
