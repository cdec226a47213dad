//! Taking stacks, also from a signal handler.
//!
//! # Invariants of the unsafe code
//! * Handlers only call `write` on file descriptor 2 and allocate nothing, since the heap may be what is broken. The
//!   unwinder of the C runtime reads tables that are mapped; its lock is held only while a library is being loaded,
//!   which no case does.
//! * Handlers are installed once, before the first case, by a process that does nothing but run cases.
//! * The handler that was installed before is called next: the Rust runtime tells a stack overflow from other faults,
//!   libFuzzer saves the case.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::path::Path;
use std::sync::OnceLock;
use std::{mem, ptr};

use super::memory::beside_the_limit;

/// The prefix of a line that holds a stack: the signal's number follows, then the addresses, innermost first and
/// relative to the program, all in hexadecimal.
pub const LINE_PREFIX: &str = "tandem-stack:";
/// The line before it if the stack has overflowed, whichever limit it reached: that of the stack or that of all memory.
pub const OVERFLOW: &str = "tandem: the stack has overflowed";
/// Distance from the stack pointer, in bytes, within which a fault is a stack overflow; as in AddressSanitizer.
const BELOW_STACK_POINTER: usize = 512;
const ABOVE_STACK_POINTER: usize = 0xffff;
/// Frames that are taken at most.
const FRAMES_MAX: usize = 128;
/// Size of the stack that handlers run on: the unwinder needs several thousand bytes.
const HANDLER_STACK_BYTES: usize = 256 << 10;
/// Signals that end a process.
const FATAL: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
/// The signal that only asks where the process is.
const ASKING: c_int = libc::SIGUSR2;

/// Addresses of a stack, innermost first.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    addresses: [usize; FRAMES_MAX],
    count: usize,
}

impl Stack {
    /// A number that stands for the frames that were taken.
    pub fn digest(&self) -> u64 {
        self.addresses[..self.count].iter().fold(0xcbf2_9ce4_8422_2325, |digest: u64, &address| {
            (digest ^ address as u64).wrapping_mul(0x100_0000_01b3)
        })
    }

    /// The names of the C functions, innermost first, inlined ones included; without debug information, only those that
    /// the program exports. Rust functions are left out: inlined, they are called `trace` and `allocate`, without a path.
    pub fn functions(&self) -> Vec<String> {
        let is_of_c = |symbol: &backtrace::Symbol| {
            symbol.filename().and_then(Path::extension).is_none_or(|kind| kind != "rs")
        };
        beside_the_limit(|| self.names(is_of_c))
    }

    fn names(&self, is_wanted: impl Fn(&backtrace::Symbol) -> bool) -> Vec<String> {
        let mut functions = Vec::new();
        for &address in &self.addresses[..self.count] {
            // The stack holds return addresses; the call is just before.
            backtrace::resolve(ptr::without_provenance_mut(address.saturating_sub(1)), |symbol| {
                functions.extend(symbol.name().filter(|_| is_wanted(symbol)).map(|name| name.to_string()));
            });
        }
        functions
    }
}

/// The stack of the caller.
pub fn here() -> Stack {
    innermost(FRAMES_MAX)
}

/// The innermost frames of the stack of the caller, at most so many: unwinding them costs time each.
pub fn innermost(frames: usize) -> Stack {
    let mut stack = Stack { addresses: [0; FRAMES_MAX], count: 0 };
    // SAFETY: the lock that `trace` would take against other threads is needed only to resolve symbols.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            stack.addresses[stack.count] = frame.ip() as usize;
            stack.count += 1;
            stack.count < frames.min(FRAMES_MAX)
        });
    }
    stack
}

/// The handlers that were installed before, by signal.
static BEFORE: [OnceLock<libc::sigaction>; 5] = [const { OnceLock::new() }; 5];
/// Where the program is loaded.
static BASE: OnceLock<usize> = OnceLock::new();
/// A stack address below which all cases run.
static STACK_BEGIN: OnceLock<usize> = OnceLock::new();

/// Makes this process write its stack to standard error, in a line that begins with [`LINE_PREFIX`], when a signal ends it
/// and whenever it receives `SIGUSR2`. With AddressSanitizer, which reports faults itself, only on `abort()` and `SIGUSR2`.
pub fn report_signals() {
    BASE.get_or_init(program_base);
    let local = 0_u8;
    STACK_BEGIN.get_or_init(|| ptr::from_ref(&local).addr());
    // The first unwinding loads what it needs, which a handler must not do.
    here();
    let fatal = if cfg!(tandem_asan) { &[libc::SIGABRT][..] } else { &FATAL[..] };
    // SAFETY: see the module's invariants; the C structures are valid with all bytes zero, the stack is never freed.
    unsafe {
        if !cfg!(tandem_asan) {
            let bytes = Box::leak(vec![0_u8; HANDLER_STACK_BYTES].into_boxed_slice());
            let mut stack: libc::stack_t = mem::zeroed();
            stack.ss_sp = bytes.as_mut_ptr().cast();
            stack.ss_size = HANDLER_STACK_BYTES;
            libc::sigaltstack(&stack, ptr::null_mut());
        }
        for &signal in fatal {
            install(signal, die);
        }
        install(ASKING, tell);
    }
}

type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// # Safety
/// As [`report_signals`].
unsafe fn install(signal: c_int, handler: Handler) {
    // SAFETY: as above.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        let mut before: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, &action, &mut before);
        if let Some(at) = FATAL.iter().position(|&known| known == signal) {
            // A second installation would find our own handler.
            let _ = BEFORE[at].set(before);
        }
    }
}

unsafe extern "C" fn tell(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    print(ASKING);
}

/// Says where it happened and leaves the rest to the previous handler: the fault happens again on return.
unsafe extern "C" fn die(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: restores an action that was valid, or the default; the system provides both structures.
    unsafe {
        let before = FATAL.iter().position(|&known| known == signal).and_then(|at| BEFORE[at].get());
        let mut action: libc::sigaction = before.copied().unwrap_or_else(|| mem::zeroed());
        // Otherwise libFuzzer's has no stack to run on after an overflow, and cannot save the case.
        action.sa_flags |= libc::SA_ONSTACK;
        libc::sigaction(signal, &action, ptr::null_mut());
        if [libc::SIGSEGV, libc::SIGBUS].contains(&signal) && is_overflow((*info).si_addr().addr(), context) {
            write(b"\n");
            write(OVERFLOW.as_bytes());
        }
        print(signal);
        if signal == libc::SIGABRT {
            libc::raise(signal);
        }
    }
}

/// Whether a fault at this address comes from a stack that could not grow. (Above the beginning of the stack it has some
/// other cause.)
///
/// # Safety
/// `context` is that of a signal handler.
unsafe fn is_overflow(address: usize, context: *mut c_void) -> bool {
    // SAFETY: given.
    let pointer = unsafe { stack_pointer(context.cast()) };
    STACK_BEGIN.get().is_some_and(|&begin| address < begin)
        && pointer.is_some_and(|pointer| {
            address.saturating_add(BELOW_STACK_POINTER) > pointer
                && address < pointer.saturating_add(ABOVE_STACK_POINTER)
        })
}

/// # Safety
/// As [`is_overflow`].
unsafe fn stack_pointer(context: *const libc::ucontext_t) -> Option<usize> {
    // SAFETY: given.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return Some(unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] } as usize);
    // SAFETY: given.
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    return Some(unsafe { (*context).uc_mcontext.sp } as usize);
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        let _ = context;
        None
    }
}

fn write(bytes: &[u8]) {
    // SAFETY: the bytes outlive the call. What cannot be written is lost.
    unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
}

/// Writes the line without allocating.
fn print(signal: c_int) {
    let base = BASE.get().copied().unwrap_or(0);
    let mut line = [0_u8; LINE_PREFIX.len() + 19 * (FRAMES_MAX + 1) + 2];
    let mut length = 0;
    let mut push = |bytes: &[u8]| {
        line[length..length + bytes.len()].copy_from_slice(bytes);
        length += bytes.len();
    };
    push(b"\n");
    push(LINE_PREFIX.as_bytes());
    let stack = here();
    let addresses = stack.addresses[..stack.count].iter().map(|address| address.wrapping_sub(base));
    for number in std::iter::once(signal as usize).chain(addresses) {
        push(b" ");
        let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            push(&[b"0123456789abcdef"[number >> (4 * digit) & 15]]);
        }
    }
    push(b"\n");
    write(&line[..length]);
}

/// Where the program is loaded: what the loader added to its addresses.
fn program_base() -> usize {
    unsafe extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, base: *mut c_void) -> c_int {
        // SAFETY: the loader passes a structure that outlives this call; `base` is the caller's.
        unsafe { *base.cast::<usize>() = (*info).dlpi_addr as usize };
        1
    }
    let mut base = 0_usize;
    // SAFETY: the callback writes one number and stops at the first object, which is the program.
    unsafe { libc::dl_iterate_phdr(Some(first), ptr::from_mut(&mut base).cast()) };
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_function_with_a_name() -> Stack {
        std::hint::black_box(here())
    }

    #[test]
    fn the_stack_of_the_caller_has_its_names() {
        let stack = a_function_with_a_name();
        let functions = stack.names(|_| true);
        assert!(functions.iter().any(|name| name.contains("a_function_with_a_name")), "{functions:?}");
        assert!(functions.iter().any(|name| name.contains("the_stack_of_the_caller")), "{functions:?}");
        // All of it is Rust.
        assert!(!stack.functions().iter().any(|name| name.contains("the_stack_of_the_caller")));
    }
}
