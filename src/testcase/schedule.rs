//! The order in which connections take turns.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::envelope::Reader;
use super::operations::CONNECTIONS_MAX;

/// Maximum number of switches in a case.
pub const SWITCHES_MAX: usize = 4096;

/// A departure from the order in which the operations are written: at this point, counted from 0, this connection goes on
/// instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Switch {
    /// The point at which a choice is made: before each operation, and within one before each call of the VFS that other
    /// connections can notice.
    pub point: u32,
    /// The connection; if it has nothing left to do, the switch has no effect.
    pub to: u8,
}

/// The switches of a case, sorted by their points, at most one each. Without any, each operation runs to its end before the
/// next begins, in the order written. Between two switches, who runs goes on to the end of the operation; next comes the
/// first operation of the list that is not done.
///
/// As text, `12:1,40:0` is: at point 12 connection 1 goes on, at point 40 connection 0. `-` is the empty schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule(Vec<Switch>);

impl Schedule {
    /// These switches; of several at one point only the first counts, and those beyond [`SWITCHES_MAX`] are dropped.
    pub fn new(switches: impl IntoIterator<Item = Switch>) -> Self {
        let mut switches: Vec<Switch> = switches.into_iter().collect();
        switches.iter_mut().for_each(|switch| switch.to %= CONNECTIONS_MAX);
        switches.sort_by_key(|switch| switch.point);
        switches.dedup_by_key(|switch| switch.point);
        switches.truncate(SWITCHES_MAX);
        Self(switches)
    }

    /// The switches.
    pub fn switches(&self) -> &[Switch] {
        &self.0
    }

    /// True if the operations run in the order written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The connection that goes on at a point, if there is a switch.
    pub fn at(&self, point: u32) -> Option<u8> {
        let at = self.0.binary_search_by_key(&point, |switch| switch.point).ok()?;
        Some(self.0[at].to)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for switch in &self.0 {
            super::envelope::write_item(switch, out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.items(SWITCHES_MAX, "a switch of the schedule").map(Self::new)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (i, switch) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", switch.point, switch.to)?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "-" {
            return Ok(Self::default());
        }
        let switch = |part: &str| -> Option<Switch> {
            let (point, to) = part.trim().split_once(':')?;
            let switch = Switch { point: point.parse().ok()?, to: to.parse().ok()? };
            (switch.to < CONNECTIONS_MAX).then_some(switch)
        };
        let parsed = text.split(',').map(|part| {
            let wrong = || format!("`{part}` is no switch: one is POINT:CONNECTION, such as 12:1");
            switch(part).ok_or_else(wrong)
        });
        parsed.collect::<Result<Vec<_>, _>>().map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_printed_and_read() {
        let schedule: Schedule = "40:0, 12:1".parse().unwrap();
        assert_eq!((schedule.at(12), schedule.at(13), schedule.at(40)), (Some(1), None, Some(0)));
        assert_eq!(schedule.to_string(), "12:1,40:0");
        assert_eq!(("-".parse(), Schedule::default().to_string()), (Ok(Schedule::default()), "-".to_owned()));
        for wrong in ["", "12", "12:9", "x:1", "12:1,", "-1:0"] {
            assert!(wrong.parse::<Schedule>().unwrap_err().contains("is no switch"), "{wrong}");
        }
    }

    #[test]
    fn a_point_has_one_switch() {
        let switch = |point, to| Switch { point, to };
        let schedule = Schedule::new([switch(5, 1), switch(2, 7), switch(5, 0)]);
        assert_eq!(schedule.switches(), [switch(2, 3), switch(5, 1)]);
    }
}
