//! What is left after a power loss.
//!
//! # Fault model
//! Power is lost before an operation that changes the disk, or after the script; what is then on the disk is said in
//! [`crate::faults::crash`]. What SQLite promises of that depends on the settings of the databases at that point and since
//! the first write that is not durable: the table stands in `promise`.
//!
//! # Check
//! The case runs once with its faults and logs what it does to the disk, and once without, for the state of each database
//! after each statement. Disks are made from the log; SQLite opens each as the next process would. Each must be well-formed
//! and in one of the states from the last that is durable to the one that the running statement commits. Equal disks are
//! opened once.
//!
//! A plan with faults during recovery has them in the first opening of each disk; afterwards it is opened undisturbed, and
//! the same must hold. Power may be lost again there.
//!
//! A case that plans no power loss, and meets no fault that it plans, has it after each of its statements, or the last ones
//! while fuzzing; on a device that claims what SQLite's VFS for Unix does, if that of the case claims nothing. Where a case
//! plans nothing at all, the oracle must be asked for by name.
//!
//! # Excuses
//! A database that was not sound at the start; whatever excuses damage without a power loss; no promise; a case with
//! several connections; a script that does something else with the other faults of its plan than without. A case of which
//! some points or disks are not judged, for no promise, for their number, or for a problem that [`super::integrity`] would
//! excuse, is said to be checked in part, and not to pass.

mod explore;
mod promise;
mod timeline;

use std::rc::Rc;

use rusqlite::ffi;

use super::excuse::{self, Symptom};
use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::Observation;
use crate::testcase::{Setting, TestCase};

use explore::Exploration;
use timeline::Timeline;

pub(super) struct PowerLoss;

impl Oracle for PowerLoss {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        match check(case, observation, ask) {
            Ok(verdict) => verdict,
            Err(reason) => Verdict::Skip(reason),
        }
    }
}

fn check(
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Result<Verdict, SkipReason> {
    if !case.operations.is_empty() {
        return Err(SkipReason::Excused("several connections"));
    }
    if !case.faults.loses_power() && !observation.trace.hits.is_empty() {
        return Err(SkipReason::NoSuchFault);
    }
    if !(ask.is_healthy_at_start() && ask.are_others_healthy_at_start()) {
        return Err(SkipReason::DamagedAtStart);
    }
    if observation.ended_early() {
        return Err(SkipReason::CheckCutShort);
    }
    if observation.integrity.as_ref().is_some_and(|problems| !problems.is_empty()) {
        return Err(SkipReason::Excused("integrity_check fails without a power loss"));
    }
    let mut case = case.clone();
    let log = match &observation.disk_log {
        Some(log) => Rc::clone(log),
        None => {
            if case.config.get(Setting::DeviceCharacteristics) == 0 {
                case.config.set(Setting::DeviceCharacteristics, ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE as u32);
            }
            ask.disk_log_of(&case)?
        }
    };
    if log.entries().is_empty() {
        return Err(SkipReason::NothingWritten);
    }
    if log.is_cut() {
        return Err(SkipReason::CheckCutShort);
    }
    let reference = ask.reference()?;
    if let Some(reason) = excuse::by_taint(Symptom::Structure, &case, &reference) {
        // A journal that is missing is a matter of the promise.
        if reason != SkipReason::Tainted("rolled-back-without-journal") {
            return Err(reason);
        }
    }
    let is_same = reference.trace.statements == observation.trace.statements;
    if !is_same || reference.views.len() != log.marks().len() {
        return Err(SkipReason::NotReproduced);
    }
    let timeline = Timeline::new(&reference.views, &log, ask.trusts_settings());
    let mut exploration = Exploration::new(&case, &log, &timeline, &reference, ask.has_few_variants());
    let wrong = exploration.run(ask);
    if let Some((at, wrong)) = wrong {
        return Ok(Verdict::Fail(Finding {
            signature: Signature::new("power_loss", wrong.kind, timeline.journal_at(at)),
            message: wrong.message,
        }));
    }
    if exploration.points == 0 {
        return Err(SkipReason::FaultNotMet);
    }
    if exploration.images == 0 {
        return Err(SkipReason::Excused("nothing promised"));
    }
    if exploration.left_out {
        return Err(SkipReason::PartlyChecked);
    }
    Ok(Verdict::Pass)
}
