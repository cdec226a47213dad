//! Which of many operations fail.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::testcase::{Chance, Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Phase};

/// What failed because a fault was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hit {
    /// An allocation.
    Allocation,
    /// An operation on a file.
    Io(IoOperation, FileRole),
    /// A statement was interrupted.
    Interrupt,
    /// A bit on the disk.
    BitFlip,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocation => f.write_str("allocation"),
            Self::Io(operation, role) => write!(f, "{operation:?} of {role:?}"),
            Self::Interrupt => f.write_str("interrupt"),
            Self::BitFlip => f.write_str("bit flip"),
        }
    }
}

/// How often what failed.
pub type Hits = BTreeMap<Hit, u64>;

/// When a rule says that something fails.
#[derive(Debug, Clone)]
enum When {
    /// From the `nth` time on, as long as it lasts.
    From { nth: u32, lasts: Lasts },
    /// One in so many times.
    OneIn { count: u32, rng: fastrand::Rng },
}

/// A fault of a plan while it is armed.
#[derive(Debug, Clone)]
struct Rule<W> {
    what: W,
    when: When,
    /// How often what it is about has happened.
    seen: u32,
}

impl<W> Rule<W> {
    fn from(what: W, nth: u32, lasts: Lasts) -> Self {
        Self { what, when: When::From { nth, lasts }, seen: 0 }
    }

    fn one_in(what: W, count: u32, seed: u32) -> Self {
        Self { what, when: When::OneIn { count, rng: fastrand::Rng::with_seed(seed.into()) }, seen: 0 }
    }

    /// Whether it never fires again.
    fn is_spent(&self) -> bool {
        match self.when {
            When::From { nth, lasts: Lasts::Once } => self.seen >= nth.max(1),
            When::From { nth, lasts: Lasts::Times(times) } => {
                u64::from(self.seen) + 1 >= u64::from(nth.max(1)) + u64::from(times)
            }
            When::From { lasts: Lasts::ForGood, .. } => false,
            When::OneIn { count, .. } => count == 0,
        }
    }

    /// Counts what the rule is about; whether it fails.
    fn fires(&mut self) -> bool {
        self.seen = self.seen.saturating_add(1);
        match &mut self.when {
            When::From { nth, lasts } => match self.seen.checked_sub((*nth).max(1)) {
                None => false,
                Some(since) => match *lasts {
                    Lasts::Once => since == 0,
                    Lasts::Times(times) => since < times,
                    Lasts::ForGood => true,
                },
            },
            When::OneIn { count, rng } => *count > 0 && rng.u32(0..*count) == 0,
        }
    }
}

/// The armed faults of a kind.
#[derive(Debug, Clone)]
pub(crate) struct Rules<W>(Vec<Rule<W>>);

impl<W> Rules<W> {
    fn of(plan: &FaultPlan, phase: Phase, rule: impl Fn(&Fault) -> Option<Rule<W>>) -> Option<Self> {
        let rules: Vec<_> = plan.in_phase(phase).filter_map(rule).collect();
        (!rules.is_empty()).then_some(Self(rules))
    }

    /// Something happens; the first of the rules about it that says that it fails. All of them count it.
    pub(crate) fn first(&mut self, mut is_about: impl FnMut(&W) -> bool) -> Option<&W> {
        let mut first = None;
        for (at, rule) in self.0.iter_mut().enumerate() {
            if is_about(&rule.what) && rule.fires() {
                first = first.or(Some(at));
            }
        }
        first.map(|at| &self.0[at].what)
    }

    /// True if nothing fails any more.
    pub(crate) fn are_spent(&self) -> bool {
        self.0.iter().all(Rule::is_spent)
    }

    /// True if a rule is about something.
    pub(crate) fn any(&self, is_about: impl Fn(&W) -> bool) -> bool {
        self.0.iter().any(|rule| is_about(&rule.what))
    }
}

/// Allocations of any call site, or of one.
pub(crate) type Site = Option<u32>;

/// The allocations that fail.
pub(crate) fn allocations(plan: &FaultPlan, phase: Phase) -> Option<Rules<Site>> {
    Rules::of(plan, phase, |fault| match *fault {
        Fault::Allocation { nth, lasts, .. } => Some(Rule::from(None, nth, lasts)),
        Fault::AllocationAt { site, nth, lasts, .. } => Some(Rule::from(Some(site), nth, lasts)),
        Fault::Random { what: Chance::Allocation, one_in, seed, .. } => {
            Some(Rule::one_in(None, one_in, seed))
        }
        _ => None,
    })
}

/// True if no allocation fails.
pub(crate) fn is_without_allocations(plan: &FaultPlan) -> bool {
    [Phase::Run, Phase::Recovery].iter().all(|&phase| allocations(plan, phase).is_none())
}

/// Operations that fail, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    operation: IoOperation,
    role: Option<FileRole>,
    pub(crate) error: IoError,
}

impl Failing {
    /// Whether it is about an operation on a file.
    pub(crate) fn is_about(&self, operation: IoOperation, role: FileRole) -> bool {
        (self.operation == operation || self.operation == IoOperation::Any)
            && self.role.is_none_or(|own| own == role)
            && self.error.fits(operation)
    }
}

/// The file operations that fail.
pub(crate) fn io(plan: &FaultPlan, phase: Phase) -> Option<Rules<Failing>> {
    Rules::of(plan, phase, |fault| match *fault {
        Fault::Io { operation, role, error, nth, lasts, .. } => {
            Some(Rule::from(Failing { operation, role, error }, nth, lasts))
        }
        Fault::Random { what: Chance::Io { operation, role, error }, one_in, seed, .. } => {
            Some(Rule::one_in(Failing { operation, role, error }, one_in, seed))
        }
        _ => None,
    })
}

/// The interrupts.
pub(crate) fn interrupts(plan: &FaultPlan, phase: Phase) -> Option<Rules<()>> {
    Rules::of(plan, phase, |fault| match *fault {
        Fault::Interrupt { nth, lasts, .. } => Some(Rule::from((), nth, lasts)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times that fail; nothing fails after rules that are spent.
    fn fired(faults: &[Fault], times: usize) -> Vec<usize> {
        let mut rules = allocations(&FaultPlan::new(faults.iter().copied()), Phase::Run).unwrap();
        let mut fires = |_: &usize| (rules.are_spent(), rules.first(|_| true).is_some());
        let all: Vec<_> = (1..=times).map(|time| (time, fires(&time))).collect();
        assert!(!all.iter().any(|(_, (are_spent, fires))| *are_spent && *fires));
        let last = all.iter().rposition(|(_, (_, fires))| *fires).unwrap_or(0);
        let is_finite = !faults.iter().any(|fault| {
            matches!(fault, Fault::Random { .. } | Fault::Allocation { lasts: Lasts::ForGood, .. })
        });
        assert!(!is_finite || all[last + 1..].iter().all(|(_, (are_spent, _))| *are_spent));
        all.into_iter().filter(|(_, (_, fires))| *fires).map(|(time, _)| time).collect()
    }

    fn allocation(nth: u32, lasts: Lasts) -> Fault {
        Fault::Allocation { nth, lasts, phase: Phase::Run }
    }

    #[test]
    fn a_fault_lasts_as_long_as_planned() {
        assert_eq!(fired(&[allocation(3, Lasts::Once)], 6), [3]);
        assert_eq!(fired(&[allocation(3, Lasts::Times(2))], 6), [3, 4]);
        assert_eq!(fired(&[allocation(3, Lasts::ForGood)], 6), [3, 4, 5, 6]);
        assert_eq!(fired(&[allocation(2, Lasts::Once), allocation(5, Lasts::Once)], 6), [2, 5]);
    }

    #[test]
    fn what_fails_at_random_follows_its_seed() {
        let random = |seed| [Fault::Random { what: Chance::Allocation, one_in: 4, seed, phase: Phase::Run }];
        let some = fired(&random(1), 400);
        assert_eq!(some, fired(&random(1), 400));
        assert_ne!(some, fired(&random(2), 400));
        assert!((50..150).contains(&some.len()), "{}", some.len());
    }

    #[test]
    fn an_operation_is_counted_where_it_can_fail_like_that() {
        let plan = |operation, role, error| {
            let (nth, lasts, phase) = (2, Lasts::Once, Phase::Run);
            FaultPlan::new([Fault::Io { operation, role, error, nth, lasts, phase }])
        };
        let seen = [
            (IoOperation::Read, FileRole::Database),
            (IoOperation::Write, FileRole::Journal),
            (IoOperation::Write, FileRole::Database),
            (IoOperation::Open, FileRole::Journal),
            (IoOperation::Write, FileRole::Journal),
        ];
        let nth = |plan: FaultPlan| {
            let mut rules = io(&plan, Phase::Run).unwrap();
            seen.iter().position(|&(operation, role)| {
                rules.first(|failing| failing.is_about(operation, role)).is_some()
            })
        };
        assert_eq!(nth(plan(IoOperation::Any, None, IoError::Failed)), Some(1));
        assert_eq!(nth(plan(IoOperation::Any, None, IoError::Full)), Some(2));
        assert_eq!(nth(plan(IoOperation::Write, Some(FileRole::Journal), IoError::Full)), Some(4));
        assert_eq!(nth(plan(IoOperation::Any, None, IoError::CantOpen)), None);
        assert!(io(&plan(IoOperation::Any, None, IoError::Failed), Phase::Recovery).is_none());
    }
}
