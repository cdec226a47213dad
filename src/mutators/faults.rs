//! The fault plan.

use super::{Context, Mutator, Outcome};
use crate::testcase::{
    Chance, Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Moment, Phase, TestCase,
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

fn new_fault(context: &mut Context<'_>) -> Fault {
    let (nth, lasts, phase) = (ordinal(1, context), lasts(context), phase(context));
    match context.rng.u8(0..20) {
        0..5 => Fault::Allocation { nth, lasts, phase },
        5..7 => {
            let site = ordinal(1, context);
            Fault::AllocationAt { site, nth: context.rng.u32(1..4), lasts, phase }
        }
        7..12 => {
            let (operation, error) = failure(context);
            Fault::Io { operation, role: role(context), error, nth, lasts, phase }
        }
        12..16 => Fault::PowerLoss {
            at: moment(nth, context),
            seed: context.rng.u64(..),
            sector_log2: context.rng.u8(9..=16),
            phase,
        },
        16..18 => {
            let what = if context.rng.bool() {
                Chance::Allocation
            } else {
                let (operation, error) = failure(context);
                Chance::Io { operation, role: role(context), error }
            };
            Fault::Random { what, one_in: 1 << context.rng.u32(1..10), seed: context.rng.u32(..), phase }
        }
        18 => Fault::Interrupt { nth, lasts, phase: Phase::Run },
        _ => Fault::BitFlip {
            statement: context.rng.u32(1..8),
            role: FileRole::ALL[context.rng.usize(0..3)],
            bit: context.rng.u64(..1 << 17),
        },
    }
}

fn changed(mut fault: Fault, context: &mut Context<'_>) -> Fault {
    match &mut fault {
        Fault::Io { operation, error, .. } if context.chance(30) => (*operation, *error) = failure(context),
        Fault::Io { role: files, .. } if context.chance(20) => *files = role(context),
        Fault::PowerLoss { seed, .. } if context.chance(40) => *seed = context.rng.u64(..),
        Fault::PowerLoss { sector_log2, .. } if context.chance(20) => *sector_log2 = context.rng.u8(9..=16),
        Fault::AllocationAt { site, .. } if context.chance(60) => *site = ordinal(*site, context),
        Fault::Random { seed, .. } if context.chance(50) => *seed = context.rng.u32(..),
        Fault::BitFlip { bit, .. } if context.chance(60) => *bit = context.rng.u64(..1 << 17),
        Fault::Allocation { lasts: how_long, .. }
        | Fault::AllocationAt { lasts: how_long, .. }
        | Fault::Interrupt { lasts: how_long, .. }
        | Fault::Io { lasts: how_long, .. }
            if context.chance(20) =>
        {
            *how_long = lasts(context);
        }
        Fault::Allocation { phase: when, .. }
        | Fault::AllocationAt { phase: when, .. }
        | Fault::Io { phase: when, .. }
        | Fault::Random { phase: when, .. }
        | Fault::PowerLoss { phase: when, .. }
            if context.chance(10) =>
        {
            *when = phase(context);
        }
        Fault::PowerLoss { at, .. } => {
            let (Moment::Operation(nth) | Moment::Sync(nth) | Moment::Each { from: nth, .. }) = *at;
            *at = moment(ordinal(nth, context), context);
        }
        Fault::Allocation { nth, .. }
        | Fault::AllocationAt { nth, .. }
        | Fault::Interrupt { nth, .. }
        | Fault::Random { one_in: nth, .. }
        | Fault::BitFlip { statement: nth, .. }
        | Fault::Io { nth, .. } => *nth = ordinal(*nth, context),
    }
    fault
}

fn moment(nth: u32, context: &mut Context<'_>) -> Moment {
    match context.rng.u8(0..4) {
        0 => Moment::Operation(nth),
        1 => Moment::Sync(nth),
        _ => Moment::Each { from: nth, count: context.rng.u32(1..9), images: context.rng.u32(2..5) },
    }
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

/// An operation, and an error that it can have.
fn failure(context: &mut Context<'_>) -> (IoOperation, IoError) {
    let operation = match context.rng.usize(0..IoOperation::ALL.len() + 4) {
        at if at < IoOperation::ALL.len() => IoOperation::ALL[at],
        _ => IoOperation::Any,
    };
    let fits = |error: &IoError| operation == IoOperation::Any || error.fits(operation);
    let errors: Vec<IoError> = IoError::ALL.into_iter().filter(fits).collect();
    (operation, errors[context.rng.usize(0..errors.len())])
}

fn role(context: &mut Context<'_>) -> Option<FileRole> {
    context.chance(70).then(|| FileRole::ALL[context.rng.usize(0..FileRole::ALL.len())])
}
