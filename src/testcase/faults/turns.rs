//! A fault that is each in turn. While a case gets smaller, what fails is no longer the same one of a row: a plan that has all
//! of them, one after the other, shows what a plan with the right one shows.

use super::{Fault, FaultPlan, Moment, Phase};

/// Disks for each operation before which power is lost, where the plan had one.
const IMAGES: u32 = 16;

impl Fault {
    /// The same, for each in turn instead of the one that it is about; `None` if it is not counted while the case runs.
    fn each_in_turn(self) -> Option<Self> {
        let each = match self {
            Self::Allocation { lasts, phase, .. } | Self::AllocationAt { lasts, phase, .. } => {
                Self::Allocation { nth: 0, lasts, phase }
            }
            Self::Io { operation, role, error, lasts, phase, .. } => {
                Self::Io { operation, role, error, nth: 0, lasts, phase }
            }
            Self::Interrupt { lasts, phase, .. } => Self::Interrupt { nth: 0, lasts, phase },
            Self::PowerLoss { at, seed, sector_log2, phase } => {
                let images = if let Moment::Each { images, .. } = at { images } else { IMAGES };
                let at = Moment::Each { from: 1, count: u32::MAX, images };
                Self::PowerLoss { at, seed, sector_log2, phase }
            }
            Self::Random { .. } | Self::BitFlip { .. } => return None,
        };
        Some(each).filter(|each| each.phase() == Phase::Run)
    }

    /// The same for one of them, if it is each in turn.
    fn at_turn(mut self, turn: u32) -> Option<Self> {
        match &mut self {
            Self::Allocation { nth, phase: Phase::Run, .. }
            | Self::Io { nth, phase: Phase::Run, .. }
            | Self::Interrupt { nth, phase: Phase::Run, .. }
                if *nth == 0 =>
            {
                *nth = turn;
            }
            Self::PowerLoss { at: Moment::Each { from, count, .. }, phase: Phase::Run, .. }
                if *count == u32::MAX =>
            {
                (*from, *count) = (turn, 1);
            }
            _ => return None,
        }
        Some(self)
    }
}

impl FaultPlan {
    /// The plan with its one fault that is counted while the case runs made each in turn; `None` if it has none, or several.
    pub fn each_in_turn(&self) -> Option<Self> {
        self.replaced(Fault::each_in_turn)
    }

    /// The plan with one of those that its fault is in turn, counted from 1; `None` if no fault of it is.
    pub fn at_turn(&self, turn: u32) -> Option<Self> {
        self.replaced(|fault| fault.at_turn(turn))
    }

    /// Whether a case must run again and again for a fault that is each in turn; power is lost in all ways in one run.
    pub(crate) fn repeats(&self) -> bool {
        !self.loses_power() && self.at_turn(1).is_some()
    }

    fn replaced(&self, by: impl Fn(Fault) -> Option<Fault>) -> Option<Self> {
        let mut places = self.0.iter().enumerate().filter_map(|(at, &fault)| Some((at, by(fault)?)));
        let (at, fault) = places.next()?;
        if places.next().is_some() {
            return None;
        }
        let mut faults = self.0.clone();
        faults[at] = fault;
        Some(Self(faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testcase::{Chance, FileRole, IoError, IoOperation, Lasts};

    #[test]
    fn each_in_turn_and_back() {
        let phase = Phase::Run;
        let (operation, role, error) = (IoOperation::Write, Some(FileRole::Wal), IoError::Full);
        let random = Fault::Random { what: Chance::Allocation, one_in: 9, seed: 1, phase };
        let io = |nth| Fault::Io { operation, role, error, nth, lasts: Lasts::ForGood, phase };
        let loss = |at| Fault::PowerLoss { at, seed: 3, sector_log2: 9, phase };
        let at = |from, count, images| loss(Moment::Each { from, count, images });
        for (before, after) in [
            (
                Fault::AllocationAt { site: 4, nth: 2, lasts: Lasts::Once, phase },
                Fault::Allocation { nth: 7, lasts: Lasts::Once, phase },
            ),
            (io(12), io(7)),
            (loss(Moment::Sync(4)), at(7, 1, IMAGES)),
            (at(9, 2, 30), at(7, 1, 30)),
        ] {
            let plan = FaultPlan::new([random, before]);
            let each = plan.each_in_turn().expect("one is counted");
            assert_eq!(each.repeats(), !each.loses_power());
            assert_eq!((plan.at_turn(7), each.at_turn(7)), (None, Some(FaultPlan::new([random, after]))));
        }
        assert_eq!(FaultPlan::new([random]).each_in_turn(), None);
        assert_eq!(FaultPlan::new([io(1), io(2)]).each_in_turn(), None);
    }
}
