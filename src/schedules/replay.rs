//! A schedule that is known.

use super::{Point, Scheduler};
use crate::testcase::Schedule;

/// Follows a schedule, once. Where a switch names a connection that is done, the run goes on as usual.
#[derive(Debug, Clone)]
pub struct Replay {
    schedule: Schedule,
    has_run: bool,
}

impl Replay {
    /// Of this schedule.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, has_run: false }
    }
}

impl Scheduler for Replay {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.has_run, true)
    }

    fn choose(&mut self, point: &Point) -> u8 {
        self.schedule.at(point.operation, point.number).unwrap_or(point.usual)
    }
}
