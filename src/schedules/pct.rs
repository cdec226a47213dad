//! Random priorities.

use super::{Moment, Point, Scheduler};
use crate::testcase::CONNECTIONS_MAX;

/// *Probabilistic concurrency testing* (Burckhardt, Kothari, Musuvathi, Nagarakatte: "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): each connection has a random priority, and the highest goes on.
/// At `depth - 1` random points whoever runs falls below all others. A bug that depends on `depth` events happening in one
/// order is found with a chance of at least 1 in `n * k ^ (depth - 1)`, with n connections and k points.
///
/// Who waits falls below all others as well, since trying again changes nothing.
#[derive(Debug, Clone)]
pub struct Pct {
    rng: fastrand::Rng,
    depth: u32,
    priorities: [i64; CONNECTIONS_MAX as usize],
    lowest: i64,
    changes: Vec<u32>,
    /// Points of a run, about.
    points: u32,
    /// Points of this run so far.
    passed: u32,
}

impl Pct {
    /// For bugs of this depth, with this seed, in runs of about so many points.
    pub fn new(depth: u32, seed: u64, points: u32) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            depth,
            priorities: [0; CONNECTIONS_MAX as usize],
            lowest: 0,
            changes: Vec::new(),
            points: points.max(1),
            passed: 0,
        }
    }

    fn lower(&mut self, connection: u8) {
        self.lowest -= 1;
        self.priorities[usize::from(connection)] = self.lowest;
    }
}

impl Scheduler for Pct {
    fn begin(&mut self) -> bool {
        let mut order: Vec<i64> = (1..=i64::from(CONNECTIONS_MAX)).collect();
        self.rng.shuffle(&mut order);
        self.priorities.copy_from_slice(&order);
        (self.lowest, self.passed) = (0, 0);
        self.changes = (1..self.depth).map(|_| self.rng.u32(0..self.points)).collect();
        true
    }

    fn choose(&mut self, point: &Point) -> u8 {
        if let Some(current) = point.current
            && (point.moment == Moment::Waiting || self.changes.contains(&self.passed))
        {
            self.lower(current);
        }
        self.passed += 1;
        let highest = point.ready.iter().max_by_key(|&connection| self.priorities[usize::from(connection)]);
        highest.unwrap_or(point.usual)
    }
}
