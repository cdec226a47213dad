//! Strategies by name.

use std::fmt;
use std::str::FromStr;

use super::{Dfs, Pct, Random, Replay, RoundRobin, Scheduler};
use crate::testcase::Schedule;

/// Which schedules to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// `in-order`: the order written.
    InOrder,
    /// `round-robin`.
    RoundRobin,
    /// `random`.
    Random,
    /// `pct:DEPTH`.
    Pct(u32),
    /// `dfs`, or `dfs:PREEMPTIONS` with a bound.
    Dfs(Option<u32>),
    /// A schedule, such as `3.12:1,5.0:0`.
    Replay(Schedule),
}

impl Strategy {
    /// A scheduler of this kind, for runs of about so many points.
    pub fn scheduler(&self, seed: u64, points: u32) -> Box<dyn Scheduler> {
        match self {
            Self::InOrder => Box::new(Replay::new(Schedule::default())),
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::Random => Box::new(Random::new(seed)),
            Self::Pct(depth) => Box::new(Pct::new(*depth, seed, points)),
            Self::Dfs(bound) => Box::new(Dfs::new(*bound)),
            Self::Replay(schedule) => Box::new(Replay::new(schedule.clone())),
        }
    }

    /// A scheduler of this kind that goes on from where a search was ([`Scheduler::rest`]).
    pub fn resume(&self, rest: Option<&str>) -> Box<dyn Scheduler> {
        match (self, rest) {
            (Self::Dfs(bound), Some(rest)) => Box::new(Dfs::resume(*bound, rest)),
            _ => self.scheduler(0, 0),
        }
    }

    /// True if another seed makes other schedules of it.
    pub fn is_random(&self) -> bool {
        matches!(self, Self::Random | Self::Pct(_))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InOrder => f.write_str("in-order"),
            Self::RoundRobin => f.write_str("round-robin"),
            Self::Random => f.write_str("random"),
            Self::Pct(depth) => write!(f, "pct:{depth}"),
            Self::Dfs(None) => f.write_str("dfs"),
            Self::Dfs(Some(bound)) => write!(f, "dfs:{bound}"),
            Self::Replay(schedule) => schedule.fmt(f),
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str, what: &str| -> Result<u32, String> {
            digits.parse().map_err(|_| format!("`{digits}` is no {what}"))
        };
        match text.split_once(':') {
            None if text == "in-order" => Ok(Self::InOrder),
            None if text == "round-robin" => Ok(Self::RoundRobin),
            None if text == "random" => Ok(Self::Random),
            None if text == "dfs" => Ok(Self::Dfs(None)),
            None if text == "pct" => Err("pct needs a depth, such as pct:3".to_owned()),
            Some(("pct", depth)) => match number(depth, "depth")? {
                0 => Err("a depth is at least 1".to_owned()),
                depth => Ok(Self::Pct(depth)),
            },
            Some(("dfs", bound)) => number(bound, "number of preemptions").map(|bound| Self::Dfs(Some(bound))),
            _ => text.parse().map(Self::Replay).map_err(|error| {
                format!("{error}; or name a strategy: in-order, round-robin, random, pct:DEPTH, dfs, dfs:PREEMPTIONS")
            }),
        }
    }
}
