//! Whether SQLite has the coverage counters that libFuzzer reads.
//!
//! A plain cargo-fuzz build instruments only Rust. SQLite then runs faster, libFuzzer reports thousands of counters,
//! all of the harness, and nothing looks wrong. So a target checks by itself: `-fsanitize-coverage=pc-table` records
//! the address of every instrumented block, and the entry of an SQLite function is either among them or not.
#![allow(unsafe_code)]

use rusqlite::ffi;

/// The instrumentation found in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrumentation {
    /// Instrumented blocks in the whole program.
    pub counters: usize,
    /// How many of the examined functions of SQLite's interface are instrumented.
    pub found: usize,
    /// How many were examined.
    pub wanted: usize,
}

impl Instrumentation {
    /// What this program has; in an ordinary build there are no counters.
    pub fn of_this_program() -> Self {
        let functions = [
            ffi::sqlite3_step as *const () as usize,
            ffi::sqlite3_prepare_v3 as *const () as usize,
            ffi::sqlite3_open_v2 as *const () as usize,
            ffi::sqlite3_close as *const () as usize,
        ];
        let table = pc_table();
        let is_instrumented = |function: &&usize| table.iter().any(|[pc, _]| pc == *function);
        Self {
            counters: table.len(),
            found: functions.iter().filter(is_instrumented).count(),
            wanted: functions.len(),
        }
    }

    /// What to tell the user if SQLite would be fuzzed blindly.
    pub fn complaint(&self) -> Option<String> {
        (self.found < self.wanted && !counts_for_llvm_cov()).then(|| {
            format!(
                "tandem: SQLite in this target has no coverage counters ({} of {} functions examined have them, \
                 {} counters in the program): it would be fuzzed blind.\n\
                 What is missing is `-fsanitize=fuzzer-no-link` where sqlite3.c was compiled. Build with \
                 `cargo fuzz build` inside the project, whose .cargo/config.toml names a compiler that adds it; if CC \
                 is set, it must be clang, with that flag in CFLAGS.",
                self.found, self.wanted, self.counters
            )
        })
    }
}

// The linker defines the bounds of the section if it exists; they are weak, so that a program without instrumentation
// links and can say so.
#[cfg(all(fuzzing, target_os = "linux", target_pointer_width = "64"))]
std::arch::global_asm!(
    ".weak __start___sancov_pcs",
    ".weak __stop___sancov_pcs",
    ".pushsection .data.rel.ro.tandem_pc_table, \"aw\"",
    ".p2align 3",
    ".globl tandem_pc_table",
    ".hidden tandem_pc_table",
    "tandem_pc_table:",
    ".quad __start___sancov_pcs",
    ".quad __stop___sancov_pcs",
    ".weak __start___sancov_cntrs",
    ".weak __stop___sancov_cntrs",
    ".globl tandem_counters",
    ".hidden tandem_counters",
    "tandem_counters:",
    ".quad __start___sancov_cntrs",
    ".quad __stop___sancov_cntrs",
    ".weak __start___llvm_prf_cnts",
    ".globl tandem_profile",
    ".hidden tandem_profile",
    "tandem_profile:",
    ".quad __start___llvm_prf_cnts",
    ".popsection",
);

/// Address and flags of every instrumented block.
#[cfg(all(fuzzing, target_os = "linux", target_pointer_width = "64"))]
fn pc_table() -> &'static [[usize; 2]] {
    unsafe extern "C" {
        static tandem_pc_table: [usize; 2];
    }
    // SAFETY: two words, filled in by the linker; between them are pairs of words that nobody writes.
    unsafe {
        let [start, end] = tandem_pc_table;
        if start == 0 {
            return &[];
        }
        std::slice::from_raw_parts(start as *const [usize; 2], (end - start) / size_of::<[usize; 2]>())
    }
}

#[cfg(not(all(fuzzing, target_os = "linux", target_pointer_width = "64")))]
fn pc_table() -> &'static [[usize; 2]] {
    &[]
}

/// Whether this program was built with `-Cinstrument-coverage` or `-fprofile-instr-generate`.
#[cfg(all(fuzzing, target_os = "linux", target_pointer_width = "64"))]
fn counts_for_llvm_cov() -> bool {
    unsafe extern "C" {
        static tandem_profile: usize;
    }
    // SAFETY: a word, filled in by the linker; zero where there is no such section.
    unsafe { tandem_profile != 0 }
}

#[cfg(not(all(fuzzing, target_os = "linux", target_pointer_width = "64")))]
fn counts_for_llvm_cov() -> bool {
    false
}

/// The address of each instrumented block, in the order of the counters.
pub fn addresses() -> impl Iterator<Item = usize> {
    pc_table().iter().map(|[address, _]| *address)
}

/// Calls `visit` with the index and the value of each nonzero counter: the edges that ran since libFuzzer cleared them,
/// which it does before each run. Counters wrap around.
pub fn for_each_hit(visit: impl FnMut(usize, u8)) {
    let (start, count) = counters();
    // SAFETY: the bounds of the section, which lives as long as the program.
    unsafe { scan(start, count, visit) };
}

/// How many counters there are.
pub fn counter_count() -> usize {
    counters().1
}

/// Where the counters begin and how many there are.
#[cfg(all(fuzzing, target_os = "linux", target_pointer_width = "64"))]
fn counters() -> (*const u8, usize) {
    unsafe extern "C" {
        static tandem_counters: [usize; 2];
    }
    // SAFETY: two words, filled in by the linker; zeros where there is no such section.
    let [start, end] = unsafe { tandem_counters };
    (start as *const u8, end - start)
}

#[cfg(not(all(fuzzing, target_os = "linux", target_pointer_width = "64")))]
fn counters() -> (*const u8, usize) {
    (std::ptr::null(), 0)
}

/// Visits the nonzero bytes, reading eight at a time, since most are zero.
///
/// # Safety
/// `count` bytes can be read from `start`. They may change meanwhile, on this thread, as instrumented code counts.
unsafe fn scan(start: *const u8, count: usize, mut visit: impl FnMut(usize, u8)) {
    const WORD: usize = size_of::<u64>();
    let whole = count / WORD * WORD;
    for at in (0..whole).step_by(WORD) {
        // SAFETY: within `count`; no reference is made to what may change.
        let word = unsafe { start.add(at).cast::<[u8; WORD]>().read() };
        let mut word = u64::from_le_bytes(word);
        while word != 0 {
            let byte = word.trailing_zeros() / 8;
            let value = (word >> (8 * byte)) as u8;
            word ^= u64::from(value) << (8 * byte);
            visit(at + byte as usize, value);
        }
    }
    for at in whole..count {
        // SAFETY: as above.
        let value = unsafe { start.add(at).read() };
        if value != 0 {
            visit(at, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_ran_are_visited_wherever_they_lie() {
        for count in 0..40 {
            for hit in 0..count {
                let mut bytes = vec![0; count];
                bytes[hit] = 7;
                bytes[count - 1] = 200;
                let mut seen = Vec::new();
                // SAFETY: there are `count` of them.
                unsafe { scan(bytes.as_ptr(), count, |index, value| seen.push((index, value))) };
                let expected = if hit == count - 1 { vec![] } else { vec![(hit, 7)] };
                assert_eq!(seen, [expected, vec![(count - 1, 200)]].concat());
            }
        }
        for_each_hit(|_, _| panic!("an ordinary build has no counters"));
    }

    #[test]
    fn an_ordinary_build_is_called_blind() {
        let here = Instrumentation::of_this_program();
        assert_eq!((here.counters, here.found), (0, 0));
        let complaint = here.complaint().unwrap();
        assert!(complaint.contains("-fsanitize=fuzzer-no-link"), "{complaint}");
        assert_eq!(Instrumentation { found: here.wanted, ..here }.complaint(), None);
    }
}
