//! CPU time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a clock says now.
pub(crate) fn now(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().unwrap_or_default()
}

/// Does `work`; with it, the CPU nanoseconds of this thread that it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = now(ClockId::ThreadCPUTime);
    let done = work();
    (done, now(ClockId::ThreadCPUTime).saturating_sub(before).as_nanos() as u64)
}
