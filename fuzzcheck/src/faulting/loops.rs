//! The loops of faults.

use clap::ValueEnum;
use tandem::TestCase;
use tandem::testcase::{Fault, FileRole, IoError, IoOperation, Lasts, Moment, Phase, Setting};

use crate::replay::Outcome;

/// log2 of the sectors that a power loss tears: the smallest that disks have, where the device of the case has no larger.
const SECTOR_LOG2: u8 = 9;
/// Disks per operation where something else fails while they are recovered, unless the command line says otherwise.
const IMAGES_COMPOUND: u32 = 4;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Each allocation.
    Oom,
    /// Each operation on a file.
    Io,
    /// Each write, as on a full disk.
    Full,
    /// Each use of the shared memory of a WAL.
    Shm,
    /// Each opening of a file.
    Cantopen,
    /// Each lock, as if somebody else had it.
    Busy,
    /// Each opening of a file for writing, and of shared memory.
    Readonly,
    /// The statement is interrupted each time that this is possible.
    Interrupt,
    /// Power is lost at each operation of the disk: of one that claims what SQLite's VFS for Unix does, and of that of the
    /// case.
    Crash,
    /// Power is lost, and then, while SQLite recovers, power again, each allocation, each operation on a file.
    Compound,
    /// All of these.
    All,
}

/// Faults that come in turn.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub name: String,
    kind: Kind,
    lasts: Lasts,
    /// Beside the loss of power.
    beside: Option<Fault>,
    is_by_site: bool,
    images: u32,
    seed: u64,
    /// The `SQLITE_IOCAP_` flags of the device, instead of those of the case.
    characteristics: Option<u32>,
}

/// What SQLite's VFS for Unix says of every device.
const POWERSAFE_OVERWRITE: u32 = 0x1000;

/// What the loops are made of.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub kinds: Vec<Kind>,
    pub once: bool,
    pub for_good: bool,
    /// Only the first allocation of each call site fails.
    pub is_by_site: bool,
    /// Disks per operation.
    pub images: u32,
    pub seed: u64,
}

impl Wanted {
    /// The loops.
    pub(crate) fn loops(&self) -> Vec<Loop> {
        let all = Kind::value_variants().iter().filter(|&&kind| kind != Kind::All);
        let wanted = |kind: &&Kind| self.kinds.contains(kind) || self.kinds.contains(&Kind::All);
        all.filter(wanted).flat_map(|&kind| self.loops_of(kind)).collect()
    }

    fn loops_of(&self, kind: Kind) -> Vec<Loop> {
        let name = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let one = |name: String, lasts, beside, images| {
            let is_by_site = self.is_by_site && kind == Kind::Oom;
            Loop { name, kind, lasts, beside, is_by_site, images, seed: self.seed, characteristics: None }
        };
        match kind {
            Kind::Crash => {
                let unix = one(format!("{name} unix"), Lasts::Once, None, self.images);
                let unix = Loop { characteristics: Some(POWERSAFE_OVERWRITE), ..unix };
                vec![unix, one(name, Lasts::Once, None, self.images)]
            }
            Kind::Compound => {
                let images = self.images.min(IMAGES_COMPOUND);
                let beside = during_recovery(images, self.seed);
                let beside = beside.into_iter();
                beside
                    .map(|(what, fault)| {
                        one(format!("{name} crash+{what}"), Lasts::Once, Some(fault), images)
                    })
                    .collect()
            }
            _ => {
                let ways = [(self.once, "once", Lasts::Once), (self.for_good, "for good", Lasts::ForGood)];
                let ways = ways.into_iter().filter(|(is_wanted, ..)| *is_wanted);
                ways.map(|(_, how, lasts)| one(format!("{name} {how}"), lasts, None, 0)).collect()
            }
        }
    }
}

/// What fails while SQLite recovers.
fn during_recovery(images: u32, seed: u64) -> [(&'static str, Fault); 3] {
    let (lasts, phase) = (Lasts::Once, Phase::Recovery);
    let (operation, role, error) = (IoOperation::Any, None, IoError::Failed);
    let at = Moment::Each { from: 1, count: u32::MAX, images };
    [
        ("crash", Fault::PowerLoss { at, seed, sector_log2: SECTOR_LOG2, phase }),
        ("oom", Fault::Allocation { nth: 0, lasts, phase }),
        ("io", Fault::Io { nth: 0, operation, role, error, lasts, phase }),
    ]
}

impl Loop {
    /// The faults of a turn, counted from 1.
    pub(crate) fn faults(&self, nth: u32) -> Vec<Fault> {
        let (lasts, phase) = (self.lasts, Phase::Run);
        let io = |error, role| Fault::Io { operation: IoOperation::Any, role, error, nth, lasts, phase };
        let fault = match self.kind {
            Kind::Oom if self.is_by_site => Fault::AllocationAt { site: nth, nth: 1, lasts, phase },
            Kind::Oom => Fault::Allocation { nth, lasts, phase },
            Kind::Io => io(IoError::Failed, None),
            Kind::Full => io(IoError::Full, None),
            Kind::Shm => io(IoError::Failed, Some(FileRole::SharedMemory)),
            Kind::Cantopen => io(IoError::CantOpen, None),
            Kind::Busy => io(IoError::Busy, None),
            Kind::Readonly => io(IoError::ReadOnly, None),
            Kind::Interrupt => Fault::Interrupt { nth, lasts, phase },
            Kind::Crash | Kind::Compound | Kind::All => {
                let at = Moment::Each { from: nth, count: 1, images: self.images };
                Fault::PowerLoss { at, seed: self.seed, sector_log2: SECTOR_LOG2, phase }
            }
        };
        std::iter::once(fault).chain(self.beside).collect()
    }

    /// The case as it runs in this loop, without faults.
    pub(crate) fn on_its_device(&self, case: &TestCase) -> TestCase {
        let mut case = case.clone();
        if let Some(characteristics) = self.characteristics {
            case.config.set(Setting::DeviceCharacteristics, characteristics);
        }
        case
    }

    /// Whether it would be the same as another one, for a case that runs on that device anyway.
    pub(crate) fn is_double(&self, case: &TestCase) -> bool {
        self.characteristics == Some(case.config.get(Setting::DeviceCharacteristics))
    }

    /// Whether its turns are operations of the disk before which power is lost.
    pub(crate) fn loses_power(&self) -> bool {
        matches!(self.kind, Kind::Crash | Kind::Compound)
    }

    /// The oracle whose judgement the loop is about.
    pub(crate) fn oracle(&self) -> &'static str {
        if self.loses_power() { "power_loss" } else { "fault" }
    }

    /// Whether the case ended without having met the fault of this turn.
    pub(crate) fn is_behind_the_last(&self, nth: u32, outcome: &Outcome) -> bool {
        let result = &outcome.result;
        if !result.bugs.is_empty() || outcome.harness_error.is_some() {
            return false;
        }
        if self.loses_power() {
            // Power may also be lost when all is done.
            return u64::from(nth) > result.disk_operations + 1;
        }
        result.hits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_loops() {
        let wanted = |kinds: &[Kind], for_good| Wanted {
            kinds: kinds.to_vec(),
            once: true,
            for_good,
            is_by_site: false,
            images: 10,
            seed: 1,
        };
        let names =
            |wanted: Wanted| -> Vec<String> { wanted.loops().into_iter().map(|one| one.name).collect() };
        assert_eq!(
            names(wanted(&[Kind::Oom, Kind::Crash], true)),
            ["oom once", "oom for good", "crash unix", "crash"]
        );
        assert_eq!(names(wanted(&[Kind::Compound], false)).len(), 3);
        assert_eq!(names(wanted(&[Kind::All], true)).len(), 2 * 8 + 2 + 3);
        let sites = Wanted { is_by_site: true, ..wanted(&[Kind::Oom], false) };
        assert!(matches!(sites.loops()[0].faults(7)[..], [Fault::AllocationAt { site: 7, nth: 1, .. }]));
    }
}
