//! One after the other.

use super::{Point, Scheduler};

/// The next connection at each point, once: there is only one such run.
#[derive(Debug, Clone, Default)]
pub struct RoundRobin {
    has_run: bool,
}

impl Scheduler for RoundRobin {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.has_run, true)
    }

    fn choose(&mut self, point: &Point) -> u8 {
        // At the first point 0 comes first.
        let last = point.current.unwrap_or(super::CONNECTIONS_MAX - 1);
        point.sensible().after(last).unwrap_or(point.usual)
    }
}
