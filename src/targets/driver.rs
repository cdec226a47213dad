//! The `main` of a libFuzzer target: libFuzzer's own, with other defaults.
//!
//! `unsafe` is needed to call libFuzzer with the arguments of `main`.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// libFuzzer flags that are set unless the command line sets them.
///
/// * `-entropic=0`: the entropic schedule keeps every feature seen less than 256 times in one list and
///   searches it for each feature of each run. A case of SQLite has some 10,000 features; in the first
///   minute that search took more than half of the time.
/// * `-print_funcs=0`: naming the new functions requires symbolizing them, which takes a second or so for each new case.
/// * `-max_len`: libFuzzer would take the length of the longest seed. Pages of 64 KiB need more. Not set when it minimises
///   a crash (`cargo fuzz tmin`): there it sets the length itself, and fails an assertion if the flag is set.
/// * `-timeout`: seconds. Budgets of VM steps end a case long before that; libFuzzer's default, 20 minutes, is
///   a night's worth of cases.
/// * `-detect_leaks`: the memory oracle counts what SQLite allocates in every run, without scanning the whole
///   heap.
const DEFAULT_FLAGS: [&CStr; 5] =
    [c"-entropic=0", c"-print_funcs=0", MAX_LEN, c"-timeout=60", c"-detect_leaks=0"];
const MAX_LEN: &CStr = c"-max_len=1000000";

/// The value of a flag that is set by default, for files written alongside a target.
pub fn default_flag(name: &str) -> Option<&'static str> {
    let flags =
        DEFAULT_FLAGS.iter().filter_map(|flag| flag.to_str().ok()?.strip_prefix('-')?.split_once('='));
    flags.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// AddressSanitizer options unless ASAN_OPTIONS says otherwise: shorter allocation stacks, and a
/// quarantine of freed memory that fits a processor's cache better than the default of 256 MiB. Most cases
/// allocate less than that, so what they free is still there when they end. No
/// reports of duplicate globals: cargo-fuzz turns them off as well, and a target whose SQLite was built by another
/// compiler would end before it can say so.
///
/// The price: a use of a block after 16 MiB more were freed goes undetected, and a case near its budget can get
/// that far; ASAN_OPTIONS=quarantine_size_mb=256 restores the detection. Fake stacks stay on, though they
/// cost some 15 % of all runs.
pub const ASAN_DEFAULT_OPTIONS: &CStr =
    c"malloc_context_size=12:quarantine_size_mb=16:detect_odr_violation=0";

/// libFuzzer's test function.
pub type TestOne = unsafe extern "C" fn(*const u8, usize) -> c_int;
/// libFuzzer's `LLVMFuzzerRunDriver`.
pub type RunDriver = unsafe extern "C" fn(*mut c_int, *mut *mut *mut c_char, TestOne) -> c_int;

/// A target's program: libFuzzer with `DEFAULT_FLAGS`. (libFuzzer has no other place for a target's
/// defaults; `.options` files are ClusterFuzz's.)
///
/// # Safety
/// `argc` and `argv` are those of `main`, `driver` and `test_one` are libFuzzer's.
pub unsafe fn drive(argc: c_int, argv: *mut *mut c_char, driver: RunDriver, test_one: TestOne) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: `main` has `argc` arguments.
    let mut arguments: Vec<*mut c_char> = (0..count).map(|i| unsafe { *argv.add(i) }).collect();
    // SAFETY: each of them is a C string that lives as long as the process.
    let is_set = |flag: &CStr| arguments.iter().any(|&set| sets_flag(unsafe { CStr::from_ptr(set) }, flag));
    let minimizes = is_set(c"-minimize_crash") || is_set(c"-minimize_crash_internal_step");
    let is_fit = |flag: &&CStr| !(is_set(flag) || minimizes && sets_flag(flag, MAX_LEN));
    let defaults: Vec<_> = DEFAULT_FLAGS.into_iter().filter(is_fit).collect();
    if !defaults.is_empty() {
        let text: Vec<_> = defaults.iter().map(|flag| flag.to_string_lossy()).collect();
        eprintln!("tandem: flags by default: {}", text.join(" "));
    }
    let at = count.min(1);
    arguments.splice(at..at, defaults.iter().map(|flag| flag.as_ptr().cast_mut()));
    let mut argc = c_int::try_from(arguments.len()).unwrap_or(argc);
    arguments.push(ptr::null_mut());
    let mut argv = arguments.as_mut_ptr();
    // SAFETY: the arguments are as `main` gets them: C strings and a null at the end.
    unsafe { driver(&raw mut argc, &raw mut argv, test_one) }
}

/// Whether `argument` sets the flag that `default` sets.
fn sets_flag(argument: &CStr, default: &CStr) -> bool {
    let name = |flag: &CStr| flag.to_bytes().split(|&byte| byte == b'=').next().map(<[u8]>::to_vec);
    name(argument) == name(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn driver(argc: *mut c_int, argv: *mut *mut *mut c_char, _: TestOne) -> c_int {
        // SAFETY: called by `drive` alone.
        let arguments: Vec<_> = (0..unsafe { *argc as usize })
            .map(|i| unsafe { CStr::from_ptr(*(*argv).add(i)) }.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            arguments,
            [
                "target",
                "-print_funcs=0",
                "-max_len=1000000",
                "-timeout=60",
                "-detect_leaks=0",
                "-entropic=1",
                "corpus"
            ]
        );
        7
    }

    unsafe extern "C" fn minimizing_driver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        _: TestOne,
    ) -> c_int {
        // SAFETY: called by `drive` alone.
        let has_length = (0..unsafe { *argc as usize })
            .any(|i| unsafe { CStr::from_ptr(*(*argv).add(i)) }.to_bytes().starts_with(b"-max_len"));
        c_int::from(has_length)
    }

    #[test]
    fn a_crash_is_made_smaller_without_a_length() {
        for flag in [c"-minimize_crash=1", c"-minimize_crash_internal_step=1"] {
            let mut argv = [c"target", flag, c"crash-1"].map(|text| text.as_ptr().cast_mut());
            // SAFETY: as `main` has them.
            assert_eq!(unsafe { drive(3, argv.as_mut_ptr(), minimizing_driver, test_one) }, 0);
        }
    }

    unsafe extern "C" fn test_one(_: *const u8, _: usize) -> c_int {
        0
    }

    #[test]
    fn default_flags_come_first_and_give_way() {
        let mut argv = [c"target", c"-entropic=1", c"corpus"].map(|text| text.as_ptr().cast_mut());
        // SAFETY: as `main` has them.
        assert_eq!(unsafe { drive(3, argv.as_mut_ptr(), driver, test_one) }, 7);
    }
}
