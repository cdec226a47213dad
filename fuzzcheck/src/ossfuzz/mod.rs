//! What OSS-Fuzz and ClusterFuzzLite expect of the folder that `fuzz/build.sh` fills (`$OUT`), checked without docker.
//!
//! Rust projects have libFuzzer and AddressSanitizer there, and a build of its own for coverage
//! (<https://google.github.io/oss-fuzz/getting-started/new-project-guide/rust-lang/>): AFL++, Honggfuzz and Centipede are
//! for C and C++, and `fuzz/build.sh` refuses them.
//!
//! Each check is one rule of OSS-Fuzz's scripts (`targets_list`, `bad_build_check`, `run_fuzzer`, `test_all.py`,
//! `coverage`) or of its page on the environment in which fuzz targets run
//! (<https://google.github.io/oss-fuzz/further-reading/fuzzer-environment/>), as strict or stricter: the folder is copied
//! elsewhere and made read-only first; the targets run in another folder, with the options of the base-runner image, an
//! environment that is empty but for PATH, and nothing on standard input. One more is for ClusterFuzz, which takes crashes
//! for one by their frames: each oracle has a function of its own to panic in, also in a program that is optimized.
//!
//! Not checked: what processor a target was built for. `-march=native` leaves no trace in a program, and nothing in the
//! build sets it.

pub(crate) mod dictionary;
pub(crate) mod elf;
pub(crate) mod options;
pub(crate) mod run;
pub(crate) mod seed_zip;
pub(crate) mod seeds;
pub(crate) mod start;
pub(crate) mod targets;

use serde::Serialize;

/// A sanitizer of fuzz/build.sh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SanitizerArg {
    /// AddressSanitizer.
    Address,
    /// Counters of llvm-cov, and none of libFuzzer.
    Coverage,
    /// None.
    None,
}

/// The result of a check of one target, or of the whole folder.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// The check.
    pub name: &'static str,
    /// The target; none for the folder.
    pub target: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// What was seen: of a check that failed, why and what to do.
    pub detail: String,
}

impl Check {
    /// From what was seen, or what was wrong.
    pub(crate) fn new(name: &'static str, target: Option<&str>, seen: Result<String, String>) -> Self {
        let (passed, detail) = match seen {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self { name, target: target.map(str::to_owned), passed, detail }
    }
}
