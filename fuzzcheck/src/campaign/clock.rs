//! The clock of a campaign, replaceable so that tests need not wait.

use std::time::{Duration, Instant};

/// A clock.
pub(crate) trait Clock {
    /// Time since some moment.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The real clock.
pub(crate) struct Real(Instant);

impl Real {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Real {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// A clock that advances only on demand.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Scripted(std::cell::Cell<Duration>);

#[cfg(test)]
impl Clock for Scripted {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn sleep(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}
