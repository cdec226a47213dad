//! The schedule.

use super::{Context, Mutator, Outcome};
use crate::testcase::{CONNECTIONS_MAX, Schedule, Switch, TestCase};

/// Adds, moves or removes a switch between connections.
pub(super) struct Switches;

impl Mutator for Switches {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.operations.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut switches = case.schedule.switches().to_vec();
        match context.range(switches.len(), 1).map(|range| range.start) {
            Some(at) if context.chance(30) => drop(switches.remove(at)),
            Some(at) if context.chance(60) => {
                let point = &mut switches[at].point;
                let distance = context.rng.u32(1..8);
                *point = if context.rng.bool() {
                    point.saturating_add(distance)
                } else {
                    point.saturating_sub(distance)
                };
            }
            _ => switches.push(switch(case, context)),
        }
        let schedule = Schedule::new(switches);
        if schedule == case.schedule {
            return Outcome::Skipped;
        }
        case.schedule = schedule;
        Outcome::Mutated
    }
}

/// A switch, usually somewhat after another: what is interleaved are neighbours.
fn switch(case: &TestCase, context: &mut Context<'_>) -> Switch {
    const LIKELY_CONNECTIONS: u8 = 2;
    let (mut operation, mut start) = (context.rng.usize(0..case.operations.list().len()), 0);
    if let Some(near) = context.pick(case.schedule.switches())
        && context.chance(50)
    {
        (operation, start) = (usize::from(near.operation), near.point);
    }
    let reach = [1, 8, 32, 128][context.rng.usize(0..4)];
    let connections = if context.chance(90) { LIKELY_CONNECTIONS } else { CONNECTIONS_MAX };
    Switch {
        operation: operation as u16,
        point: start.saturating_add(context.rng.u32(0..reach)),
        to: context.rng.u8(0..connections),
    }
}
