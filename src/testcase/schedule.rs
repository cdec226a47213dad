//! The order in which connections take turns.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::envelope::Reader;
use super::operations::{CONNECTIONS_MAX, Operation};

/// Maximum number of switches in a case.
pub const SWITCHES_MAX: usize = 4096;

/// A departure from the order in which the operations are written: at a point of an operation, another connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Switch {
    /// The position of the operation in the list, from 0.
    pub operation: u16,
    /// Where in it: 0 is before it begins, and then comes one for each call of the VFS that other connections can notice.
    pub point: u32,
    /// The connection that goes on; if it has nothing left to do, the switch has no effect.
    pub to: u8,
}

impl Switch {
    fn place(&self) -> (u16, u32) {
        (self.operation, self.point)
    }
}

/// The switches of a case, sorted by their places, at most one each. Without any, each operation runs to its end before the
/// next begins, in the order written. After a switch that connection goes on, to the next switch or the end of its operations;
/// then comes the first operation of the list that is not done.
///
/// As text, `3.12:1,5.0:0` is: at point 12 of operation 3 (the third) connection 1 goes on, and connection 0 when operation 5
/// is about to begin. `-` is the empty schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule(Vec<Switch>);

impl Schedule {
    /// These switches; of several at one place only the first counts, and those beyond [`SWITCHES_MAX`] are dropped.
    pub fn new(switches: impl IntoIterator<Item = Switch>) -> Self {
        let mut switches: Vec<Switch> = switches.into_iter().collect();
        switches.iter_mut().for_each(|switch| switch.to %= CONNECTIONS_MAX);
        switches.sort_by_key(Switch::place);
        switches.dedup_by_key(|switch| switch.place());
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

    /// The connection that goes on at a point of an operation, if there is a switch.
    pub fn at(&self, operation: u16, point: u32) -> Option<u8> {
        let at = self.0.binary_search_by_key(&(operation, point), Switch::place).ok()?;
        Some(self.0[at].to)
    }

    /// Keeps switches with their operations when the list `before` becomes `after`: those of operations that are gone go, too.
    pub fn follow(&mut self, before: &[Operation], after: &[Operation]) {
        if self.is_empty() || before == after {
            return;
        }
        let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
        let rest = before.len().min(after.len()) - start;
        let end = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        // What stands in the place of another operation keeps its switches: it may be the same, changed.
        let kept = start + rest - end;
        let moved = self.0.iter().filter_map(|switch| {
            let at = usize::from(switch.operation);
            let to = match at {
                at if at < kept => Some(at),
                at if at + end < before.len() => None,
                at => (at + after.len()).checked_sub(before.len()),
            };
            Some(Switch { operation: u16::try_from(to?).ok()?, ..*switch })
        });
        *self = Self::new(moved.collect::<Vec<_>>());
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
            write!(f, "{comma}{}.{}:{}", u32::from(switch.operation) + 1, switch.point, switch.to)?;
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
            let (place, to) = part.trim().split_once(':')?;
            let (operation, point) = place.split_once('.')?;
            let operation = operation.parse::<u16>().ok()?.checked_sub(1)?;
            let switch = Switch { operation, point: point.parse().ok()?, to: to.parse().ok()? };
            (switch.to < CONNECTIONS_MAX).then_some(switch)
        };
        let parsed = text.split(',').map(|part| {
            let wrong =
                || format!("`{part}` is no switch: one is OPERATION.POINT:CONNECTION, such as 3.12:1");
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
        let schedule: Schedule = "5.0:0, 3.12:1".parse().unwrap();
        assert_eq!((schedule.at(2, 12), schedule.at(2, 13), schedule.at(4, 0)), (Some(1), None, Some(0)));
        assert_eq!(schedule.to_string(), "3.12:1,5.0:0");
        assert_eq!(("-".parse(), Schedule::default().to_string()), (Ok(Schedule::default()), "-".to_owned()));
        for wrong in ["", "12", "1.2:9", "0.1:1", "x:1", "1.2:1,", "1.-1:0", "70000.1:1"] {
            assert!(wrong.parse::<Schedule>().unwrap_err().contains("is no switch"), "{wrong}");
        }
    }

    #[test]
    fn a_place_has_one_switch() {
        let switch = |operation, point, to| Switch { operation, point, to };
        let schedule = Schedule::new([switch(1, 5, 1), switch(0, 7, 7), switch(1, 5, 0)]);
        assert_eq!(schedule.switches(), [switch(0, 7, 3), switch(1, 5, 1)]);
    }

    #[test]
    fn switches_stay_with_their_operations() {
        let on = |connection| Operation::Run { connection };
        let follows = |after: &[Operation]| {
            let mut schedule: Schedule = "1.5:0,2.6:1,3.7:0".parse().unwrap();
            schedule.follow(&[on(0), on(1), on(2)], after);
            schedule.to_string()
        };
        assert_eq!(follows(&[on(0), on(1), on(2)]), "1.5:0,2.6:1,3.7:0");
        assert_eq!(follows(&[on(0), on(2)]), "1.5:0,2.7:0", "one is gone");
        assert_eq!(follows(&[on(0), on(3), on(1), on(2)]), "1.5:0,3.6:1,4.7:0", "a new one");
        assert_eq!(follows(&[on(0), on(3), on(2)]), "1.5:0,2.6:1,3.7:0", "changed");
        assert_eq!(follows(&[]), "-");
    }
}
