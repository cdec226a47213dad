//! Who goes on: strategies that choose which connection takes the next turn.
//!
//! A run asks its [`Scheduler`] at each *point*: before each operation, and within one before each call of the VFS that
//! another connection can notice. Between two points only one connection runs, so a run is determined by its case and the
//! answers; those that depart from the order in which the operations are written are its [`Schedule`], which repeats the run.
//!
//! # Strategies
//! | Name | What it does |
//! |---|---|
//! | [`Replay`] | follows a schedule; an empty one is the order written |
//! | [`RoundRobin`] | the next connection at each point |
//! | [`Random`] | now and then another connection, whichever |
//! | [`Pct`] | random priorities, which change at a few random points |
//! | [`Dfs`] | every schedule, one after the other, or those with so many preemptions at most |
//!
//! [`Strategy`] names one as text, such as `pct:3`.

mod dfs;
mod pct;
mod random;
mod replay;
mod round_robin;
mod strategy;

pub use dfs::Dfs;
pub use pct::Pct;
pub use random::Random;
pub use replay::Replay;
pub use round_robin::RoundRobin;
pub use strategy::Strategy;

use crate::testcase::{CONNECTIONS_MAX, SWITCHES_MAX, Schedule, Switch};

/// A set of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connections(u8);

impl Connections {
    /// Adds one.
    pub fn insert(&mut self, connection: u8) {
        self.0 |= 1 << connection;
    }

    /// Removes one.
    pub fn remove(&mut self, connection: u8) {
        self.0 &= !(1 << connection);
    }

    /// True if it is in the set.
    pub fn contains(self, connection: u8) -> bool {
        connection < CONNECTIONS_MAX && self.0 & (1 << connection) != 0
    }

    /// Its members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..CONNECTIONS_MAX).filter(move |&connection| self.contains(connection))
    }

    /// Number of members.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// True if there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first member after this connection, beginning again at 0; the connection itself comes last.
    pub fn after(self, connection: u8) -> Option<u8> {
        let others = (1..=CONNECTIONS_MAX).map(|step| (connection + step) % CONNECTIONS_MAX);
        others.into_iter().find(|&other| self.contains(other))
    }
}

impl FromIterator<u8> for Connections {
    fn from_iter<I: IntoIterator<Item = u8>>(connections: I) -> Self {
        let mut set = Self::default();
        connections.into_iter().for_each(|connection| set.insert(connection));
        set
    }
}

/// What a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last operation is done, and another is about to begin; at the very first, none was done.
    Between,
    /// Within an operation, before a call that others can notice.
    Within,
    /// Within an operation that waits for the others: it was refused a lock and will try again.
    Waiting,
}

/// A choice that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The operation that it belongs to, by its position in the list: the one that is running, or is about to begin.
    pub operation: u16,
    /// Its number there, from 0.
    pub number: u32,
    /// Who can go on. Those that wait are among them: they try again.
    pub ready: Connections,
    /// Those of them that wait.
    pub waiting: Connections,
    /// Who has run up to here, if it is not done yet.
    pub current: Option<u8>,
    /// Who goes on if the operations run in the order written.
    pub usual: u8,
    /// What the point is.
    pub moment: Moment,
}

impl Point {
    /// Whom it makes sense to choose: those that do not wait, or all if all do.
    pub fn sensible(&self) -> Connections {
        let others = Connections(self.ready.0 & !self.waiting.0);
        if others.is_empty() { self.ready } else { others }
    }
}

/// Chooses who goes on; see the [module](self).
pub trait Scheduler {
    /// A run begins; false if there is none left to try.
    fn begin(&mut self) -> bool;

    /// Who goes on: one of `point.ready`. Anything else counts as `point.usual`.
    fn choose(&mut self, point: &Point) -> u8;

    /// For a search that is not at its end, where it is: [`Strategy::resume`].
    fn rest(&self) -> Option<String> {
        None
    }
}

/// Follows another scheduler and writes down its schedule.
pub struct Recorder {
    scheduler: Box<dyn Scheduler>,
    switches: Vec<Switch>,
}

impl Recorder {
    /// Of a run that has begun.
    pub fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self { scheduler, switches: Vec::new() }
    }

    /// What is chosen at a point.
    pub fn choose(&mut self, point: &Point) -> u8 {
        // What could not be written down could not be repeated.
        if self.switches.len() == SWITCHES_MAX {
            return point.usual;
        }
        let chosen = self.scheduler.choose(point);
        let chosen = if point.ready.contains(chosen) { chosen } else { point.usual };
        if chosen != point.usual {
            self.switches.push(Switch { operation: point.operation, point: point.number, to: chosen });
        }
        chosen
    }

    /// The switches so far, in the order in which they were made.
    pub fn switches(&self) -> &[Switch] {
        &self.switches
    }

    /// The scheduler, and the schedule that repeats the run.
    pub fn end(self) -> (Box<dyn Scheduler>, Schedule) {
        (self.scheduler, Schedule::new(self.switches))
    }
}

#[cfg(test)]
mod tests;
