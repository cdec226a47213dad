//! Call stacks: where a process died, where it hangs, where memory came from that nobody freed.
//!
//! Two bugs are the same if they happen in the same place, so places are what signatures are made of. The stack is taken
//! where it is (`capture`, which is also what a signal handler may do); [`blame`] says which of its functions stands for
//! all of it.
//!
//! A sanitizer prints stacks by itself; a build without one has only this.

mod blame;
mod capture;
mod memory;

pub use blame::{blame, blame_allocation, is_culprit};
pub use capture::{LINE_PREFIX, OVERFLOW, Stack, here, report_signals};
pub use memory::address_space_bytes;
