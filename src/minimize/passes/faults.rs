//! Planned faults, and the switches of the schedule.

use std::ops::Range;

use super::{Part, Pass};
use crate::cuts::without;
use crate::testcase::{Fault, FaultPlan, Lasts, TestCase};

/// Planned faults.
pub(super) struct Faults;

impl Pass for Faults {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn part(&self) -> Part {
        Part::Faults
    }

    fn count(&self, case: &TestCase) -> usize {
        case.faults.faults().len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let faults = FaultPlan::new(without(case.faults.faults(), &places));
        Some(TestCase { faults, ..case.clone() })
    }
}

/// Schedule seeds.
pub(super) struct Schedule;

impl Pass for Schedule {
    fn name(&self) -> &'static str {
        "schedule"
    }

    fn part(&self) -> Part {
        Part::Faults
    }

    fn count(&self, case: &TestCase) -> usize {
        case.schedule.switches().len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let schedule = crate::testcase::Schedule::new(without(case.schedule.switches(), &places));
        Some(TestCase { schedule, ..case.clone() })
    }
}

/// A fault that occurs more than once, or only on particular files.
pub(super) struct Details;

/// Each fault that can be simplified, with its place.
fn simpler(case: &TestCase) -> Vec<(usize, Fault)> {
    let mut places = Vec::new();
    for (at, &fault) in case.faults.faults().iter().enumerate() {
        let mut once = fault;
        if let Fault::Allocation { lasts, .. }
        | Fault::AllocationAt { lasts, .. }
        | Fault::Interrupt { lasts, .. }
        | Fault::Io { lasts, .. } = &mut once
        {
            *lasts = Lasts::Once;
        }
        let mut anywhere = fault;
        if let Fault::Io { role, .. } = &mut anywhere {
            *role = None;
        }
        places.extend([once, anywhere].into_iter().filter(|&new| new != fault).map(|new| (at, new)));
    }
    places
}

impl Pass for Details {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn part(&self) -> Part {
        Part::Faults
    }

    fn count(&self, case: &TestCase) -> usize {
        simpler(case).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let (at, fault) = *simpler(case).get(places.start)?;
        let mut faults = case.faults.faults().to_vec();
        faults[at] = fault;
        Some(TestCase { faults: FaultPlan::new(faults), ..case.clone() })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}
