//! What is checked on every case.
//!
//! An [`Oracle`] judges an [`Observation`] and returns one of three verdicts, which are kept apart: SQLite is wrong
//! ([`Verdict::Fail`]), nothing can be said ([`Verdict::Skip`], with its reason, so that an oracle that always skips is
//! noticed), or all is well. Crashes, hangs and sanitizer reports end the process; whoever runs it (fuzzcheck,
//! libFuzzer) notices them.
//!
//! # Refutation
//! Before SQLite is accused of damaging a database, in this order:
//! 1. Was the database well-formed at the start? (Asked only now, because it takes a connection.)
//! 2. Did the script do something that may do this very damage by design (`excuse`)?
//! 3. Is the problem one that a healthy SQLite can have (a CHECK constraint that is not deterministic, a full-text index
//!    over a table that changed without it)?
//!
//! # Adding an oracle
//! Add a file with the type, a line in `oracles!`, and a line with a planted bug ([`crate::engine::plant`]) in the
//! tests, which check that each oracle is silent on good cases and red on its plant. An oracle that must run a variant
//! of the case asks its [`Environment`].

pub mod answers;
mod bystanders;
mod close;
mod code;
mod determinism;
mod environment;
pub(crate) mod excuse;
mod fault;
mod files;
mod format;
pub(crate) mod integrity;
mod memory;
mod power_loss;
mod turns;
mod uninitialized;
mod variants;
mod verdict;
mod write_ahead;

pub use environment::{Environment, Spent};
pub use verdict::{Finding, Signature, SkipReason, Verdict};

use std::fmt;
use std::sync::OnceLock;

use crate::engine::Observation;
use crate::engine::sqlite::{Budget, Executor, Program};
use crate::testcase::{Setting, TestCase};

/// A property that every run must have.
pub trait Oracle: Sync {
    /// Judges a run of `case`; it may `ask` for what it must know beyond that run.
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict;

    /// What it checks, if that is single statements.
    #[doc(hidden)]
    fn of_statements(&self) -> Option<&answers::Statementwise> {
        None
    }
}

/// An oracle in the table.
pub struct Entry {
    /// Its name, `[a-z0-9_]+`: the first part of its signatures.
    pub name: &'static str,
    /// The oracle.
    pub oracle: &'static dyn Oracle,
    /// Panics with a finding, in a frame of its own: fuzzing services group crashes by the top frames of the stack and
    /// would otherwise take all oracles for one bug.
    pub raise: fn(&Finding) -> !,
    /// Which cases it judges if nobody asks for it by name.
    pub group: Group,
}

/// A number that follows from a text and `start`: which of several ways to check a case is taken.
pub(crate) fn choice(start: usize, text: &[u8]) -> usize {
    text.iter().fold(start, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}

/// Which cases an oracle judges if nobody asks for it by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// All.
    Always,
    /// None, because it is expensive.
    OnRequest,
    /// Some of those of the target `answers`: it asks SQLite the same thing in two ways.
    Answers,
    /// Those that plan faults.
    Faults,
    /// Those of several connections.
    Turns,
}

impl Entry {
    /// Whether it judges every case.
    pub fn is_usual(&self) -> bool {
        self.group == Group::Always
    }

    /// Whether it judges a case for what the case is, whatever runs on it: all cases, those that plan faults, or those of
    /// several connections.
    pub fn judges_usually(&self, case: &TestCase) -> bool {
        match self.group {
            Group::Always => true,
            Group::Faults => !case.faults.is_empty(),
            Group::Turns => !case.operations.is_empty(),
            Group::OnRequest | Group::Answers => false,
        }
    }

    /// Whether a case names it ([`Setting::Oracle`]).
    pub fn is_named_by(&self, case: &TestCase) -> bool {
        let number = case.config.get(Setting::Oracle) as usize;
        number > 0 && NUMBERED.get(number - 1) == Some(&self.name)
    }
}

/// The oracles that a case can name, by [`Setting::Oracle`] minus one. Cases hold the number, so nothing here moves.
pub const NUMBERED: [&str; 24] = [
    "plans",
    "norec",
    "materialized",
    "order",
    "row",
    "join",
    "window",
    "pivot",
    "tlp",
    "eet",
    "constant",
    "bound",
    "json",
    "journal",
    "cache",
    "encoding",
    "script_plans",
    "copies",
    "atomicity",
    "change",
    "property",
    "recheck",
    "session",
    "indexes",
];

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The [`Group`] of a line in the table.
#[doc(hidden)]
#[macro_export]
macro_rules! oracle_group {
    () => {
        $crate::oracles::Group::Always
    };
    (on_request) => {
        $crate::oracles::Group::OnRequest
    };
    (answers) => {
        $crate::oracles::Group::Answers
    };
    (faults) => {
        $crate::oracles::Group::Faults
    };
    (turns) => {
        $crate::oracles::Group::Turns
    };
}

macro_rules! oracles {
    ($($name:ident => $oracle:expr $(, $group:ident)?;)*) => {
        /// Tandem's own oracles, in order of priority of their findings.
        pub const ORACLES: &[Entry] = &[$(Entry {
            name: stringify!($name),
            oracle: &$oracle,
            raise: raise::$name::finding,
            group: oracle_group!($($group)?),
        }),*];

        /// A panicking function for each oracle.
        mod raise {
            $(pub(super) mod $name {
                use crate::oracles::Finding;

                #[inline(never)]
                pub(in crate::oracles) fn finding(finding: &Finding) -> ! {
                    panic!("{}", finding);
                }
            })*
        }
    };
}

/// Prepares an oracle of another crate for [`crate::Registry::oracle`]: `oracle!(name => value)`, or
/// `oracle!(name => value, on_request)` for one that judges only if it is asked for by name.
#[macro_export]
macro_rules! oracle {
    ($name:ident => $oracle:expr $(, $group:ident)?) => {{
        mod $name {
            #[inline(never)]
            pub(super) fn finding(finding: &$crate::oracles::Finding) -> ! {
                // Otherwise the linker might merge this function with an identical one of another oracle.
                ::std::hint::black_box(stringify!($name));
                panic!("{}", finding);
            }
        }
        static ENTRY: $crate::oracles::Entry = $crate::oracles::Entry {
            name: stringify!($name),
            oracle: &$oracle,
            raise: $name::finding,
            group: $crate::oracle_group!($($group)?),
        };
        &ENTRY
    }};
}

static ALL: OnceLock<Vec<&'static Entry>> = OnceLock::new();

/// The oracles of this process, in order of priority of their findings: [`ORACLES`], or those of its
/// [`crate::Registry`].
pub fn all() -> &'static [&'static Entry] {
    ALL.get_or_init(|| ORACLES.iter().collect())
}

/// Sets what [`all`] returns; false if it was called before.
pub(crate) fn set_all(oracles: Vec<&'static Entry>) -> bool {
    ALL.set(oracles).is_ok()
}

oracles! {
    close => close::Close;
    memory => memory::Memory;
    files => files::Files;
    code => code::ImpossibleCode;
    integrity => integrity::Integrity;
    format => format::Format;
    write_ahead => write_ahead::WriteAhead;
    bystanders => bystanders::Bystanders;
    fault => fault::Outcome, faults;
    power_loss => power_loss::PowerLoss, faults;
    turns => turns::Turns, turns;
    histories => turns::Histories, turns;
    serial => turns::Serial, turns;
    determinism => determinism::Determinism, on_request;
    uninitialized => uninitialized::Uninitialized, on_request;
    plans => answers::PLANS, answers;
    norec => answers::NOREC, answers;
    materialized => answers::MATERIALIZED, answers;
    indexes => answers::INDEXES, answers;
    order => answers::ORDER, answers;
    row => answers::ROW, answers;
    join => answers::JOIN, answers;
    window => answers::WINDOW, answers;
    pivot => answers::PIVOT, answers;
    tlp => answers::TLP, answers;
    eet => answers::EET, answers;
    constant => answers::CONSTANT, answers;
    bound => answers::BOUND, answers;
    json => answers::JSON, answers;
    journal => variants::JOURNAL, answers;
    cache => variants::CACHE, answers;
    encoding => variants::ENCODING, answers;
    script_plans => variants::SCRIPT_PLANS, answers;
    copies => variants::Copies, answers;
    recheck => variants::Recheck, answers;
    atomicity => answers::ATOMICITY, answers;
    change => answers::CHANGE, answers;
    property => answers::PROPERTY, answers;
    session => answers::SESSION, answers;
}

/// The judgement of an oracle on a run.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The oracle.
    pub oracle: &'static Entry,
    /// Its verdict.
    pub verdict: Verdict,
    /// What it asked for.
    pub spent: Spent,
}

/// The judgements of all oracles on a run of `program` on `case` within `budget`, in the order of [`all`]; those that
/// `judges` says yes to.
pub fn judge(
    executor: &mut Executor,
    case: &TestCase,
    program: &dyn Program,
    budget: &Budget,
    observation: &Observation,
    judges: &dyn Fn(&Entry) -> bool,
) -> Vec<Judgement> {
    let mut ask = Environment::new(executor, case, program, budget, observation);
    ask.statementwise = those_that(judges).filter_map(|entry| entry.oracle.of_statements()).collect();
    let judge = |oracle: &'static Entry| {
        // What is asked in two ways would meet the faults in two ways.
        let verdict = match oracle.group {
            Group::Answers if !case.faults.is_empty() => Verdict::Skip(SkipReason::Excused("planned faults")),
            _ => oracle.oracle.check(case, observation, &mut ask),
        };
        Judgement { oracle, verdict, spent: ask.take_spent() }
    };
    those_that(judges).map(judge).collect()
}

/// The judgements of all oracles on a case that none of them can judge.
pub fn skip(reason: SkipReason, judges: &dyn Fn(&Entry) -> bool) -> Vec<Judgement> {
    let skip = |oracle: &'static Entry| Judgement {
        oracle,
        verdict: Verdict::Skip(reason),
        spent: Spent::default(),
    };
    those_that(judges).map(skip).collect()
}

fn those_that(judges: &dyn Fn(&Entry) -> bool) -> impl Iterator<Item = &'static Entry> {
    all().iter().copied().filter(move |entry| judges(entry))
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
