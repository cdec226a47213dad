//! A random walk.

use super::{Point, Scheduler};

/// At each point another connection, with a chance that is drawn for each run: with a high one few operations get far
/// before they are disturbed, and with a low one few are disturbed at all.
#[derive(Debug, Clone)]
pub struct Random {
    rng: fastrand::Rng,
    /// One in so many.
    one_in: u32,
}

impl Random {
    /// With this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), one_in: 2 }
    }
}

impl Scheduler for Random {
    fn begin(&mut self) -> bool {
        self.one_in = 1 << self.rng.u32(1..8);
        true
    }

    fn choose(&mut self, point: &Point) -> u8 {
        let sensible = point.sensible();
        let current = point.current.filter(|&current| sensible.contains(current));
        if let Some(current) = current
            && self.rng.u32(0..self.one_in) > 0
        {
            return current;
        }
        let nth = self.rng.usize(0..sensible.len());
        sensible.iter().nth(nth).unwrap_or(point.usual)
    }
}
