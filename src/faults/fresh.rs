//! What is in memory that SQLite has not written yet: the same in every run of a case, and still known to be nobody's.
//!
//! What malloc left in a block would be different each time; cleared memory would hide that SQLite reads what it never
//! wrote. So fresh memory is filled with a byte that the case's random seed chooses, and the oracle `uninitialized` runs
//! a case again with another byte. To valgrind it is undefined all the same: it is told so.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

/// The byte of seed 0, as AddressSanitizer has it: a pointer of such bytes is no address, and zero is too often right by
/// chance.
const SEED_0: u8 = 0xbe;

/// For the whole process: while a case runs, nothing else uses SQLite ([`crate::engine::sqlite::exclusive`]).
static BYTE: AtomicU8 = AtomicU8::new(SEED_0);

/// Sets the byte, to be called before each run.
pub(crate) fn set_seed(seed: u8) {
    BYTE.store(seed ^ SEED_0, Ordering::Relaxed);
}

/// Fills what was just allocated.
///
/// # Safety
/// The bytes are the caller's to write.
pub(crate) unsafe fn fill(at: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe { ptr::write_bytes(at, BYTE.load(Ordering::Relaxed), bytes) };
    make_undefined(at, bytes);
}

/// `VALGRIND_MAKE_MEM_UNDEFINED` of `memcheck.h`: instructions that do nothing, unless valgrind runs them.
#[cfg(target_arch = "x86_64")]
fn make_undefined(at: *mut u8, bytes: usize) {
    const MAKE_MEM_UNDEFINED: usize = ('M' as usize) << 24 | ('C' as usize) << 16 | 1;
    let request = [MAKE_MEM_UNDEFINED, at.addr(), bytes, 0, 0, 0];
    // SAFETY: rdi is turned once around and rbx exchanged with itself; valgrind reads the request, and answers in rdx.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") request.as_ptr(), inout("rdx") 0_usize => _, options(nostack),
        );
    }
}

/// Elsewhere valgrind takes it for written.
#[cfg(not(target_arch = "x86_64"))]
fn make_undefined(_: *mut u8, _: usize) {}
