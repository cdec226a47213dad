//! Targets and oracles from other crates.
//!
//! A program has one registry. Tandem's programs use Tandem's; your own crate passes another to
//! `fuzzcheck::main` and to [`crate::libfuzzer_target!`], and gets all of Tandem plus its own targets and oracles:
//!
//! ```
//! use tandem::engine::Observation;
//! use tandem::oracles::{Environment, Finding, Oracle, Signature, Verdict};
//! use tandem::targets::{DB_SQL, Target};
//! use tandem::{Registry, TestCase};
//!
//! static MINE: Target = Target { name: "mine", about: "what no one else fuzzes", ..DB_SQL };
//!
//! struct FewRows;
//!
//! impl Oracle for FewRows {
//!     fn check(&self, _: &TestCase, run: &Observation, _: &mut Environment<'_>) -> Verdict {
//!         match run.trace.statements.iter().any(|statement| statement.rows > 1_000) {
//!             false => Verdict::Pass,
//!             true => Verdict::Fail(Finding {
//!                 signature: Signature::new("few_rows", "rows", "-"),
//!                 message: "more than a thousand rows".to_owned(),
//!             }),
//!         }
//!     }
//! }
//!
//! let registry = Registry::default().target(&MINE).oracle(tandem::oracle!(few_rows => FewRows));
//! assert_eq!(registry.targets().last().unwrap().name, "mine");
//! ```
//!
//! A target brings its own generators: how bytes become a case, the program that runs on it, and the seeds that
//! fuzzing starts from.

use std::path::Path;
use std::sync::OnceLock;

use crate::oracles::{self, Entry};
use crate::targets::{self, Target};

/// A program's targets and oracles.
pub struct Registry {
    targets: Vec<&'static Target>,
    oracles: Vec<&'static Entry>,
    package: Option<&'static Path>,
}

static PACKAGE: OnceLock<Option<&'static Path>> = OnceLock::new();

/// The folder of the crate whose registry this process uses, if not Tandem's.
pub fn package() -> Option<&'static Path> {
    PACKAGE.get().copied().flatten()
}

impl Default for Registry {
    /// Tandem's own targets and oracles.
    fn default() -> Self {
        let (targets, oracles) = (targets::TARGETS.to_vec(), oracles::ORACLES.iter().collect());
        Self { targets, oracles, package: None }
    }
}

impl Registry {
    /// Names the folder, `env!("CARGO_MANIFEST_DIR")`, of the registry's crate, a member of Tandem's workspace. Then the
    /// crate's program, which calls `fuzzcheck::main`, can be built with each build's sanitizers, and its targets, binaries
    /// named after them, as fuzz targets: without default features, which leaves out whatever else the program needs.
    #[must_use]
    pub fn package(mut self, folder: &'static str) -> Self {
        self.package = Some(Path::new(folder));
        self
    }

    /// Adds a target of your own.
    ///
    /// # Panics
    /// If its name is taken, or contains anything but `[a-z0-9_]`: it is also used as a file name.
    #[must_use]
    pub fn target(mut self, target: &'static Target) -> Self {
        check(target.name, self.targets.iter().map(|known| known.name));
        self.targets.push(target);
        self
    }

    /// Adds an oracle of your own, which judges every case of every target after the existing ones:
    /// [`crate::oracle!`] makes one.
    ///
    /// # Panics
    /// As for [`Registry::target`].
    #[must_use]
    pub fn oracle(mut self, oracle: &'static Entry) -> Self {
        check(oracle.name, self.oracles.iter().map(|known| known.name));
        self.oracles.push(oracle);
        self
    }

    /// Its targets.
    pub fn targets(&self) -> &[&'static Target] {
        &self.targets
    }

    /// Its oracles.
    pub fn oracles(&self) -> &[&'static Entry] {
        &self.oracles
    }

    /// Makes it this process's registry.
    ///
    /// # Panics
    /// If the process already has one, or has already asked for a target or an oracle.
    pub fn install(self) {
        let is_first = targets::set_all(self.targets)
            && oracles::set_all(self.oracles)
            && PACKAGE.set(self.package).is_ok();
        assert!(is_first, "a process has one registry, from its beginning");
    }
}

fn check(name: &str, mut known: impl Iterator<Item = &'static str>) {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(!name.is_empty() && name.bytes().all(is_of_name), "`{name}` is not of [a-z0-9_]");
    assert!(known.all(|other| other != name), "the name `{name}` is taken");
}

/// Defines a libFuzzer target: everything a file in `fuzz/fuzz_targets/` needs except
/// `#![no_main]`. For a target or oracles from another crate, pass the [`crate::Registry`] that holds them.
#[macro_export]
macro_rules! libfuzzer_target {
    ($target:path) => {
        $crate::libfuzzer_target!($target, $crate::Registry::default());
    };
    ($target:path, $registry:expr) => {
        struct ThisTarget;

        #[global_allocator]
        static ALLOCATOR: $crate::targets::arena::TargetAllocator = $crate::targets::arena::TargetAllocator;

        impl $crate::targets::fuzz::TargetType for ThisTarget {
            const TARGET: &'static $crate::targets::Target = &$target;
        }

        ::libfuzzer_sys::fuzz_target!(
            init: {
                $registry.install();
                $crate::targets::fuzz::initialize(&$target)
            },
            |input: $crate::targets::fuzz::Input<ThisTarget>| -> ::libfuzzer_sys::Corpus {
                match $crate::targets::fuzz::run(&input) {
                    true => ::libfuzzer_sys::Corpus::Keep,
                    false => ::libfuzzer_sys::Corpus::Reject,
                }
            }
        );

        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::targets::fuzz::mutate::<ThisTarget>(
                data,
                size,
                max_size,
                seed,
                ::libfuzzer_sys::fuzzer_mutate,
            )
        });

        unsafe extern "C" {
            fn LLVMFuzzerRunDriver(
                argc: *mut ::std::ffi::c_int,
                argv: *mut *mut *mut ::std::ffi::c_char,
                test_one: $crate::targets::driver::TestOne,
            ) -> ::std::ffi::c_int;
            fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> ::std::ffi::c_int;
        }

        /// Replaces libFuzzer's own `main`.
        #[unsafe(no_mangle)]
        extern "C" fn main(
            argc: ::std::ffi::c_int,
            argv: *mut *mut ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: called by the C runtime.
            unsafe {
                $crate::targets::driver::drive(argc, argv, LLVMFuzzerRunDriver, LLVMFuzzerTestOneInput)
            }
        }

        /// Read by AddressSanitizer before anything else runs, so it may not touch memory.
        #[unsafe(no_mangle)]
        extern "C" fn __asan_default_options() -> *const ::std::ffi::c_char {
            $crate::targets::driver::ASAN_DEFAULT_OPTIONS.as_ptr()
        }

        ::libfuzzer_sys::fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
            $crate::targets::fuzz::crossover::<ThisTarget>(first, second, out, seed)
        });
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once() {
        static TWICE: Target = Target { name: "sql", ..targets::SQL };
        static ODD: Target = Target { name: "a/b", ..targets::SQL };
        for target in [&TWICE, &ODD] {
            let named = std::panic::AssertUnwindSafe(|| Registry::default().target(target));
            assert!(std::panic::catch_unwind(named).is_err());
        }
        let own = Registry::default();
        assert_eq!(
            (own.targets().len(), own.oracles().len()),
            (targets::TARGETS.len(), oracles::ORACLES.len())
        );
    }
}
