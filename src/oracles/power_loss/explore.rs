//! Goes through the disks that a power loss may leave.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::ffi;
use twox_hash::XxHash3_64;

use super::super::{Environment, integrity};
use super::promise::Wholeness;
use super::timeline::{Allowed, Timeline, Wrong};
use crate::engine::Observation;
use crate::engine::sqlite::{Disturbed, Recovered};
use crate::faults::crash::{Damage, Device, Files, Model, seeds};
use crate::faults::disk::log::{Entry, Log};
use crate::testcase::{Fault, FaultPlan, Moment, Phase, Setting, TestCase};

/// Disks that are opened for one case, and while fuzzing.
const IMAGES_MAX: u32 = 100_000;
const IMAGES_MAX_FUZZING: u32 = 8;
/// Points of a case that plans no power loss: the ends of its last statements.
const POINTS_UNPLANNED: usize = 24;
const IMAGES_UNPLANNED: u32 = 4;
/// How often a recovery is disturbed by one fault that is each in turn.
const DISTURBANCES_MAX: u32 = 5_000;
/// log2 of the largest sector.
const SECTOR_LOG2_MAX: u8 = 16;

/// Points of a log, with the damages to try at each.
struct Search {
    points: Vec<usize>,
    damages: Damages,
    sector_log2: u8,
}

enum Damages {
    One(Damage),
    Many { images: u32, seed: u64 },
}

impl Search {
    /// That of a planned power loss.
    fn planned(fault: &Fault, log: &Log) -> Option<Self> {
        let &Fault::PowerLoss { at, seed, sector_log2, .. } = fault else {
            return None;
        };
        let entries = log.entries();
        let nth_sync = |nth: u32| {
            let syncs = (0..entries.len()).filter(|&at| matches!(entries[at], Entry::Sync { .. }));
            syncs.into_iter().nth((nth.max(1) - 1) as usize).unwrap_or(entries.len())
        };
        let before = |nth: u32| (nth.max(1) as usize - 1).min(entries.len());
        let (points, damages) = match at {
            Moment::Operation(nth) => (vec![before(nth)], Damages::One(Damage(seed))),
            Moment::Sync(nth) => (vec![nth_sync(nth)], Damages::One(Damage(seed))),
            Moment::Each { from, count, images } => {
                let from = from.max(1) as usize - 1;
                let end = from.saturating_add(count as usize).min(entries.len() + 1);
                ((from..end).collect(), Damages::Many { images, seed })
            }
        };
        Some(Self { points, damages, sector_log2 })
    }

    /// Those of a point.
    fn damages(&self, model: &Model<'_>) -> Vec<Damage> {
        match self.damages {
            Damages::One(damage) => vec![damage],
            Damages::Many { images, seed } => {
                let seed = seed ^ (model.at() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                seeds(model.pending().len(), model.pending_metadata(), images as usize, seed)
            }
        }
    }

    /// At the ends of statements, of which the last say most where only a few disks are made.
    fn unplanned(log: &Log, images_max: u32) -> Self {
        let marks = log.marks();
        let mut points = marks.to_vec();
        points.dedup();
        let count = POINTS_UNPLANNED.min(images_max as usize);
        points.drain(..points.len().saturating_sub(count));
        let images = IMAGES_UNPLANNED.min(images_max / count as u32).max(1);
        let damages = Damages::Many { images, seed: 1 };
        Self { points, damages, sector_log2: SECTOR_LOG2_MAX }
    }
}

/// See the module.
pub(super) struct Exploration<'a> {
    case: &'a TestCase,
    log: &'a Log,
    timeline: &'a Timeline<'a>,
    /// The run without the faults.
    reference: &'a Observation,
    images_max: u32,
    /// Points at which power was lost.
    pub points: usize,
    /// Disks that were judged.
    pub images: u32,
    /// Whether something that was planned was not judged, or not all of it: nothing is promised at a point, there are too
    /// many disks, integrity_check does not run to its end, or what it says is excused.
    pub left_out: bool,
    /// What was recovered from each disk, by its hash.
    seen: HashMap<u64, Rc<Vec<Recovered>>>,
    /// The faults during recovery.
    disturbances: Vec<Fault>,
}

impl<'a> Exploration<'a> {
    pub(super) fn new(
        case: &'a TestCase,
        log: &'a Log,
        timeline: &'a Timeline<'a>,
        reference: &'a Observation,
        has_few_variants: bool,
    ) -> Self {
        let images_max = if has_few_variants { IMAGES_MAX_FUZZING } else { IMAGES_MAX };
        let disturbances = case.faults.in_phase(Phase::Recovery).copied().collect();
        Self {
            case,
            log,
            timeline,
            reference,
            images_max,
            points: 0,
            images: 0,
            left_out: false,
            seen: HashMap::new(),
            disturbances,
        }
    }

    /// The first disk that is not as promised, with its point.
    pub(super) fn run(&mut self, ask: &mut Environment<'_>) -> Option<(usize, Wrong)> {
        let planned =
            self.case.faults.in_phase(Phase::Run).filter_map(|fault| Search::planned(fault, self.log));
        let mut searches: Vec<Search> = planned.collect();
        if searches.is_empty() {
            searches.push(Search::unplanned(self.log, self.images_max));
        }
        for search in searches {
            let mut model = Model::new(self.log);
            for &point in &search.points {
                model.advance(point);
                self.points += 1;
                if let Some(wrong) = self.point(&model, &search, ask) {
                    return Some((point, wrong));
                }
            }
        }
        None
    }

    fn point(&mut self, model: &Model<'_>, search: &Search, ask: &mut Environment<'_>) -> Option<Wrong> {
        let allowed = self.timeline.allowed(model);
        if allowed.wholeness == Wholeness::No {
            self.left_out = true;
            return None;
        }
        let device = self.device(search, &allowed);
        let pending = model.pending().len();
        for damage in search.damages(model) {
            if self.is_full() {
                return None;
            }
            let files = ask.time_image(|| model.image(damage, &device));
            if let Some(mut wrong) = self.disk(&files, &allowed, ask) {
                wrong.message = format!(
                    "{}; power lost before operation {} of the disk, in statement {}, which left {} (seed {})",
                    wrong.message,
                    model.at() + 1,
                    self.timeline.statement_at(model.at()),
                    damage.in_words(pending),
                    damage.0,
                );
                return Some(wrong);
            }
        }
        None
    }

    fn device(&self, search: &Search, allowed: &Allowed) -> Device {
        let config = &self.case.config;
        let sector_log2 = (config.get(Setting::SectorLog2) as u8).min(search.sector_log2).max(9);
        // SQLite fills sectors up, so that no later write damages what is durable. A log that the case brings was written on
        // another device.
        let brings_log = self.case.files.iter().any(|(name, _)| name.as_str().contains('-'));
        let safe = if brings_log { ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE as u32 } else { 0 };
        Device {
            sector_bytes: 1 << sector_log2,
            characteristics: config.get(Setting::DeviceCharacteristics) | safe,
            has_ordered_journals: allowed.wholeness == Wholeness::OnOrderedDisk,
        }
    }

    /// What is wrong with a disk, opened undisturbed and with each of the disturbances.
    fn disk(&mut self, files: &Files, allowed: &Allowed, ask: &mut Environment<'_>) -> Option<Wrong> {
        if let Some(wrong) = self.undisturbed(files, allowed, ask) {
            return Some(wrong);
        }
        for fault in self.disturbances.clone() {
            if let Some(mut wrong) = self.disturbed(files, fault, allowed, ask) {
                wrong.message = format!("{}, and during recovery: {fault}", wrong.message);
                return Some(wrong);
            }
        }
        None
    }

    fn undisturbed(&mut self, files: &Files, allowed: &Allowed, ask: &mut Environment<'_>) -> Option<Wrong> {
        self.images += 1;
        let hash = hash(files);
        let is_new = !self.seen.contains_key(&hash);
        ask.count_check(!is_new);
        let recovered = match self.seen.get(&hash) {
            Some(recovered) => Rc::clone(recovered),
            None => {
                let recovered = Rc::new(ask.recover(&self.case.config, files));
                self.seen.insert(hash, Rc::clone(&recovered));
                recovered
            }
        };
        let wrong = self.timeline.wrong(&recovered, allowed);
        let is_excused = wrong.as_ref().is_some_and(|wrong| self.is_excused(wrong));
        self.left_out |= is_excused || recovered.iter().any(|one| one.problems.is_none());
        wrong.filter(|_| !is_excused)
    }

    /// Whether no more disks may be opened for the case.
    fn is_full(&mut self) -> bool {
        let is_full = self.images >= self.images_max;
        self.left_out |= is_full;
        is_full
    }

    /// Whether SQLite may say this of the database without a power loss.
    fn is_excused(&self, wrong: &Wrong) -> bool {
        let Some(problem) = &wrong.problem else {
            return false;
        };
        integrity::is_excused(problem, self.case, self.reference)
    }

    fn disturbed(
        &mut self,
        files: &Files,
        fault: Fault,
        allowed: &Allowed,
        ask: &mut Environment<'_>,
    ) -> Option<Wrong> {
        if let Fault::PowerLoss { at, seed, sector_log2, .. } = fault {
            let Disturbed { log, .. } = ask.disturb_recovery(&self.case.config, files, &FaultPlan::default());
            let run = Fault::PowerLoss { at, seed, sector_log2, phase: Phase::Run };
            let search = Search::planned(&run, &log)?;
            return self.again(&log, &search, allowed, ask);
        }
        let each = |nth: u32| match fault {
            Fault::Allocation { nth: 0, lasts, phase } => Some(Fault::Allocation { nth, lasts, phase }),
            Fault::Io { nth: 0, operation, role, error, lasts, phase } => {
                Some(Fault::Io { nth, operation, role, error, lasts, phase })
            }
            other => (nth == 1).then_some(other),
        };
        for fault in (1..=DISTURBANCES_MAX).map_while(each) {
            if self.is_full() {
                return None;
            }
            let Disturbed { files, hits, leaked, .. } =
                ask.disturb_recovery(&self.case.config, files, &FaultPlan::new([fault]));
            if hits.is_empty() {
                return None;
            }
            if leaked != (0, 0) {
                let message = format!("{} bytes in {} allocations are not freed", leaked.0, leaked.1);
                return Some(Wrong { kind: "leak", message, problem: None });
            }
            if let Some(wrong) = self.undisturbed(&files, allowed, ask) {
                return Some(wrong);
            }
        }
        // Each in turn has not come to its end.
        self.left_out |= each(2).is_some();
        None
    }

    /// Power lost during recovery, too.
    fn again(
        &mut self,
        log: &Log,
        search: &Search,
        allowed: &Allowed,
        ask: &mut Environment<'_>,
    ) -> Option<Wrong> {
        let device = self.device(search, allowed);
        let mut model = Model::new(log);
        for &point in &search.points {
            model.advance(point);
            for damage in search.damages(&model) {
                if self.is_full() {
                    return None;
                }
                if let Some(wrong) = self.undisturbed(&model.image(damage, &device), allowed, ask) {
                    return Some(wrong);
                }
            }
        }
        None
    }
}

fn hash(files: &Files) -> u64 {
    files.iter().fold(0, |hash, (name, content)| {
        let hash = XxHash3_64::oneshot_with_seed(hash, name);
        XxHash3_64::oneshot_with_seed(hash, content)
    })
}
