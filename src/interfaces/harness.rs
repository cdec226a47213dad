//! The `#[test]` and the libFuzzer target that the macro makes.

use std::ffi::OsString;

use arbitrary::Unstructured;

use super::driver::{Failure, Ran};

/// Operations of one case of a test, at most: each begins with new objects.
const TEST_CASE_OPERATIONS_MAX: usize = 100;
/// Operations of one case of a libFuzzer target, at most.
const TARGET_CASE_OPERATIONS_MAX: usize = 1_000;
/// Entropy for an operation of a test: few take more.
const OPERATION_BYTES: usize = 64;
/// Cases of a test, one after the other, that may run nothing.
const IDLE_MAX: usize = 100;

/// One case: a function of entropy and the number of operations.
pub type Fuzz<'f> = &'f mut dyn FnMut(&mut Unstructured<'_>, usize) -> Result<Ran, Failure>;

/// What a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `FUZZ_SEED`: what the entropy is made from. 0 unless it is set, so a test does the same each time.
    pub seed: u64,
    /// `FUZZ_OPS`: operations of all cases together. 1,000 unless it is set.
    pub ops: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, ops: 1_000 }
    }
}

impl Settings {
    /// The settings, from variables of the environment that may be set.
    ///
    /// # Errors
    /// If one is no number.
    pub fn new(seed: Option<OsString>, ops: Option<OsString>) -> Result<Self, String> {
        fn number<N: std::str::FromStr>(
            name: &str,
            value: Option<OsString>,
            default: N,
        ) -> Result<N, String> {
            let Some(value) = value else { return Ok(default) };
            let number = value.to_str().and_then(|text| text.trim().parse().ok());
            number.ok_or_else(|| format!("{name}={}: it must be a whole number", value.display()))
        }
        let Self { seed: default_seed, ops: default_ops } = Self::default();
        Ok(Self {
            seed: number("FUZZ_SEED", seed, default_seed)?,
            ops: number("FUZZ_OPS", ops, default_ops)?,
        })
    }

    /// Runs cases until they have that many operations; returns how many they had.
    ///
    /// # Errors
    /// The first inconsistency; or that nothing was run.
    pub fn run(self, fuzz: Fuzz<'_>) -> Result<usize, Failure> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let (mut ran, mut idle) = (0, 0);
        let mut bytes = vec![0; TEST_CASE_OPERATIONS_MAX * OPERATION_BYTES];
        while ran < self.ops && idle < IDLE_MAX {
            random.fill(&mut bytes);
            match fuzz(&mut Unstructured::new(&bytes), TEST_CASE_OPERATIONS_MAX.min(self.ops - ran)) {
                Ok(more) => (ran, idle) = (ran + more.operations, 0),
                // Constructors may panic on some arguments.
                Err(Failure::NothingRan) => idle += 1,
                Err(failure) => return Err(failure),
            }
        }
        if ran == 0 { Err(Failure::NothingRan) } else { Ok(ran) }
    }
}

/// The generated test: cases with the settings of the environment.
///
/// # Panics
/// With the report of the first inconsistency, and how to repeat it; if nothing was run; if a setting is no number.
pub fn run_test(fuzz: Fuzz<'_>) {
    let settings = Settings::new(std::env::var_os("FUZZ_SEED"), std::env::var_os("FUZZ_OPS"));
    let settings = settings.unwrap_or_else(|error| panic!("{error}"));
    if let Err(failure) = settings.run(fuzz) {
        panic!("{failure}\nrepeat it with FUZZ_SEED={} FUZZ_OPS={}", settings.seed, settings.ops);
    }
}

/// The generated target: one case; whether the bytes are worth keeping.
///
/// # Panics
/// With the report of the first inconsistency.
pub fn run_bytes(bytes: &[u8], fuzz: Fuzz<'_>) -> bool {
    match fuzz(&mut Unstructured::new(bytes), TARGET_CASE_OPERATIONS_MAX) {
        Ok(_) => true,
        Err(Failure::NothingRan) => false,
        Err(failure) => panic!("{failure}"),
    }
}

/// Defines a libFuzzer target for an interface: everything that a file in `fuzz_targets/` needs except `#![no_main]`. It
/// is passed the function `fuzz_x_bytes` that `#[tandem::interface]` makes.
#[macro_export]
macro_rules! interface_target {
    ($run:path) => {
        ::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> ::libfuzzer_sys::Corpus {
            match $run(bytes) {
                true => ::libfuzzer_sys::Corpus::Keep,
                false => ::libfuzzer_sys::Corpus::Reject,
            }
        });
    };
}
