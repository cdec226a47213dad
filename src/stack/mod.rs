//! Call stacks: where a process died, where it hangs, where leaked memory was allocated.
//!
//! Two bugs count as the same if they happen in the same place, so signatures are made of places. `capture` takes the
//! stack, also in a signal handler; [`blame`] picks the function that stands for it.
//!
//! A sanitizer prints stacks itself; a build without one has only this.

mod blame;
mod capture;
mod memory;

pub use blame::{blame, blame_allocation, is_ignored};
pub use capture::{LINE_PREFIX, OVERFLOW, Stack, here, innermost, report_signals};
pub use memory::address_space_bytes;
