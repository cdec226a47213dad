//! The verdicts of oracles.

use std::fmt;

use crate::engine::sqlite::can_inject;
use crate::testcase::TestCase;

/// The outcome of one oracle on one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The property holds.
    Pass,
    /// The property says nothing about this run, or its failure is excused: the run is not judged.
    Skip(SkipReason),
    /// The property does not hold.
    Fail(Finding),
}

/// Why an oracle says nothing about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The script wrote nothing, so there is nothing to check.
    NothingWritten,
    /// The database was damaged before the first statement.
    DamagedAtStart,
    /// The database at the start was not known to be entirely sound.
    StartNotSound,
    /// The check itself ran out of its budget.
    CheckCutShort,
    /// Nothing wrong was found, but not everything could be checked.
    PartlyChecked,
    /// The script did something after which damage is not a bug; the name of the taint.
    Tainted(&'static str),
    /// SQLite may have this problem without a bug.
    Excused(&'static str),
    /// The oracle's budget was used up ([`super::Environment`]).
    BudgetUsedUp,
    /// The case behaved differently when it ran again for the check.
    NotReproduced,
    /// The case plans faults that this build cannot inject, as its SQLite has an allocator of its own.
    FaultsNotInjected,
    /// The case plans none of the faults that the oracle is about.
    NoSuchFault,
    /// No planned fault was met.
    FaultNotMet,
    /// The case has no file that belongs to no database.
    NoBystander,
    /// The case plans faults, which are not the same in two engines.
    FaultsNotCompared,
    /// The case runs on one connection.
    OneConnection,
    /// It writes to none of the tables of histories.
    NoHistory,
    /// The case has a schedule, whose points are not the same in two engines.
    ScheduleNotCompared,
}

impl SkipReason {
    /// Why a case is not run at all: it asks for what this build does not do.
    pub fn of_case(case: &TestCase) -> Option<Self> {
        (!can_inject(&case.faults)).then_some(Self::FaultsNotInjected)
    }

    /// The same for a comparison with another engine: faults and switches are counted from call to call, and no two engines
    /// make the same ones.
    pub fn of_comparison(case: &TestCase) -> Option<Self> {
        if !case.faults.is_empty() {
            Some(Self::FaultsNotCompared)
        } else if !case.schedule.is_empty() {
            Some(Self::ScheduleNotCompared)
        } else {
            Self::of_case(case)
        }
    }

    /// True if the case gave the oracle nothing to judge, whatever SQLite did.
    pub fn has_nothing_to_judge(self) -> bool {
        matches!(
            self,
            Self::DamagedAtStart
                | Self::NothingWritten
                | Self::NoSuchFault
                | Self::FaultNotMet
                | Self::NoBystander
                | Self::OneConnection
                | Self::NoHistory
        )
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingWritten => f.write_str("nothing written"),
            Self::DamagedAtStart => f.write_str("damaged at start"),
            Self::StartNotSound => f.write_str("not known to be sound at start"),
            Self::CheckCutShort => f.write_str("check cut short"),
            Self::PartlyChecked => f.write_str("not all of it could be checked"),
            Self::Tainted(taint) => write!(f, "tainted: {taint}"),
            Self::Excused(excuse) => write!(f, "excused: {excuse}"),
            Self::BudgetUsedUp => f.write_str("oracle's budget used up"),
            Self::NotReproduced => f.write_str("different when run again"),
            Self::FaultsNotInjected => f.write_str("this build cannot inject its faults"),
            Self::NoSuchFault => f.write_str("no such fault planned"),
            Self::FaultNotMet => f.write_str("no planned fault was met"),
            Self::NoBystander => f.write_str("no other file"),
            Self::FaultsNotCompared => f.write_str("planned faults"),
            Self::OneConnection => f.write_str("one connection"),
            Self::NoHistory => f.write_str("no history"),
            Self::ScheduleNotCompared => f.write_str("a schedule"),
        }
    }
}

/// A stable name of a bug: `oracle/kind/detail`. It is the same for the same bug in two cases; it contains no
/// addresses, numbers or names of the case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(String);

impl Signature {
    /// From these three parts.
    pub fn new(oracle: &str, kind: &str, detail: &str) -> Self {
        Self(format!("{oracle}/{kind}/{detail}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which bug it is.
    pub signature: Signature,
    /// What happened, for a person.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.signature, self.message)
    }
}
