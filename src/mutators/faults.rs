//! The fault plan and the schedule seeds.

use super::{Context, Mutator, Outcome};
use crate::testcase::{
    Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Moment, Phase, Schedules, TestCase,
};

/// Adds, changes or removes a fault.
pub(super) struct Plan;

impl Mutator for Plan {
    fn can_mutate(&self, _case: &TestCase) -> bool {
        true
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut faults = case.faults.faults().to_vec();
        match context.range(faults.len(), 1).map(|range| range.start) {
            Some(at) if context.chance(25) => drop(faults.remove(at)),
            Some(at) if context.chance(60) => faults[at] = changed(faults[at], context),
            _ => faults.push(new_fault(context)),
        }
        let plan = FaultPlan::new(faults);
        if plan == case.faults {
            return Outcome::Skipped;
        }
        case.faults = plan;
        Outcome::Mutated
    }
}

/// Changes the seed of the schedule.
pub(super) struct Schedule;

impl Mutator for Schedule {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.operations.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut seeds = case.schedules.seeds().to_vec();
        match context.range(seeds.len(), 1).map(|range| range.start) {
            Some(at) if context.chance(30) => drop(seeds.remove(at)),
            Some(at) if context.chance(60) => seeds[at] = context.rng.u64(..),
            _ => seeds.push(context.rng.u64(..)),
        }
        let schedules = Schedules::new(seeds);
        if schedules == case.schedules {
            return Outcome::Skipped;
        }
        case.schedules = schedules;
        Outcome::Mutated
    }
}

fn new_fault(context: &mut Context<'_>) -> Fault {
    let (nth, lasts, phase) = (ordinal(1, context), lasts(context), phase(context));
    match context.rng.u8(0..5) {
        0..2 => Fault::Allocation { nth, lasts, phase },
        2..4 => Fault::Io {
            operation: operation(context),
            role: role(context),
            error: error(context),
            nth,
            lasts,
            phase,
        },
        _ => Fault::PowerLoss {
            at: if context.rng.bool() { Moment::Operation(nth) } else { Moment::Sync(nth) },
            seed: context.rng.u64(..),
            sector_log2: context.rng.u8(9..=16),
            phase,
        },
    }
}

fn changed(mut fault: Fault, context: &mut Context<'_>) -> Fault {
    match &mut fault {
        Fault::Io { operation: what, .. } if context.chance(20) => *what = operation(context),
        Fault::Io { role: files, .. } if context.chance(20) => *files = role(context),
        Fault::Io { error: how, .. } if context.chance(20) => *how = error(context),
        Fault::PowerLoss { seed, .. } if context.chance(40) => *seed = context.rng.u64(..),
        Fault::PowerLoss { sector_log2, .. } if context.chance(20) => *sector_log2 = context.rng.u8(9..=16),
        Fault::Allocation { lasts: how_long, .. } | Fault::Io { lasts: how_long, .. }
            if context.chance(20) =>
        {
            *how_long = lasts(context);
        }
        Fault::Allocation { phase: when, .. }
        | Fault::Io { phase: when, .. }
        | Fault::PowerLoss { phase: when, .. }
            if context.chance(10) =>
        {
            *when = phase(context);
        }
        Fault::Allocation { nth, .. }
        | Fault::Io { nth, .. }
        | Fault::PowerLoss { at: Moment::Operation(nth) | Moment::Sync(nth), .. } => {
            *nth = ordinal(*nth, context)
        }
    }
    fault
}

/// An ordinal near the last one, or of another order of magnitude.
fn ordinal(old: u32, context: &mut Context<'_>) -> u32 {
    match context.rng.u8(0..3) {
        0 => old.saturating_add(context.rng.u32(1..4)),
        1 => old.saturating_sub(context.rng.u32(1..4)).max(1),
        _ => {
            let magnitude = context.rng.u32(1..14);
            context.rng.u32(1..=1 << magnitude)
        }
    }
}

fn lasts(context: &mut Context<'_>) -> Lasts {
    match context.rng.u8(0..4) {
        0 => Lasts::ForGood,
        1 => Lasts::Times(context.rng.u32(2..9)),
        _ => Lasts::Once,
    }
}

fn phase(context: &mut Context<'_>) -> Phase {
    if context.chance(80) { Phase::Run } else { Phase::Recovery }
}

fn operation(context: &mut Context<'_>) -> IoOperation {
    IoOperation::ALL[context.rng.usize(0..IoOperation::ALL.len())]
}

fn role(context: &mut Context<'_>) -> Option<FileRole> {
    use FileRole::{Database, Journal, SharedMemory, SuperJournal, Temporary, Wal};
    let all = [Database, Journal, Wal, SharedMemory, SuperJournal, Temporary];
    context.chance(70).then(|| all[context.rng.usize(0..all.len())])
}

fn error(context: &mut Context<'_>) -> IoError {
    use IoError::{Busy, CantOpen, Failed, Full, ReadOnly, Short};
    [Failed, Failed, Short, Full, CantOpen, Busy, ReadOnly][context.rng.usize(0..7)]
}
