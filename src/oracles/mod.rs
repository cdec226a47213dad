//! What is checked on every case.
//!
//! An [`Oracle`] judges an [`Observation`] and says one of three things, which are never mixed up:
//! SQLite is wrong ([`Verdict::Fail`]), there is nothing to say ([`Verdict::Skip`], with its reason, so
//! that an oracle which always skips is seen), or all is well. Crashes, hangs and sanitizer reports end
//! the process and are found by whoever runs it (fuzzcheck, libFuzzer).
//!
//! # Refutation
//! Before SQLite is accused of damaging a database, in this order:
//! 1. Was the database well-formed at the start? (asked only now: it costs a connection)
//! 2. Did the script do what may damage a database by design ([`crate::engine::Taint`])?
//! 3. Is the problem one that a healthy SQLite can produce (a CHECK constraint that is not
//!    deterministic, a full-text index over a table that changed behind it)?
//!
//! # Adding one
//! A file with the type, a line in `oracles!`, and a line with a planted bug ([`crate::engine::plant`]) in the tests, which
//! see each oracle silent on good cases and red on its plant. An oracle that must run a variant of the case asks its
//! [`Environment`].

mod close;
mod code;
mod determinism;
mod environment;
mod files;
mod format;
pub(crate) mod integrity;
mod memory;
mod verdict;

pub use environment::{Environment, Spent};
pub use verdict::{Finding, Signature, SkipReason, Verdict};

use std::fmt;
use std::sync::OnceLock;

use crate::dbfile::schema;
use crate::engine::Observation;
use crate::engine::sqlite::{Budget, Executor, Program};
use crate::testcase::TestCase;

/// A property that every run must have.
pub trait Oracle: Sync {
    /// Judges a run of `case`; what it must know beyond that run, it may `ask`.
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict;
}

/// An oracle in the table.
pub struct Entry {
    /// Its name, `[a-z0-9_]+`: the first part of its signatures.
    pub name: &'static str,
    /// The oracle.
    pub oracle: &'static dyn Oracle,
    /// Panics with a finding, in a frame of its own: fuzzing services group crashes by the top frames of
    /// the stack and would take all oracles for one bug.
    pub raise: fn(&Finding) -> !,
    /// True for one that judges only where it is asked for by name, because it costs much.
    pub on_request: bool,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! oracles {
    ($($name:ident => $oracle:expr $(, $on_request:ident)?;)*) => {
        /// The oracles that are Tandem's own, in the order in which their findings count.
        pub const ORACLES: &[Entry] = &[$(Entry {
            name: stringify!($name),
            oracle: &$oracle,
            raise: raise::$name::finding,
            on_request: <[&str]>::len(&[$(stringify!($on_request)),*]) > 0,
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

/// Makes an oracle of another crate ready for [`crate::Registry::oracle`]: `oracle!(name => value)`, and for one that judges
/// only where it is asked for by its name, `oracle!(name => value, on_request)`.
#[macro_export]
macro_rules! oracle {
    ($name:ident => $oracle:expr $(, $on_request:ident)?) => {{
        mod $name {
            #[inline(never)]
            pub(super) fn finding(finding: &$crate::oracles::Finding) -> ! {
                // Else its code were that of another oracle, and the linker might make one function of both.
                ::std::hint::black_box(stringify!($name));
                panic!("{}", finding);
            }
        }
        static ENTRY: $crate::oracles::Entry = $crate::oracles::Entry {
            name: stringify!($name),
            oracle: &$oracle,
            raise: $name::finding,
            on_request: !<[&str]>::is_empty(&[$(stringify!($on_request)),*]),
        };
        &ENTRY
    }};
}

static ALL: OnceLock<Vec<&'static Entry>> = OnceLock::new();

/// The oracles of this process, in the order in which their findings count: [`ORACLES`], or those of its
/// [`crate::Registry`].
pub fn all() -> &'static [&'static Entry] {
    ALL.get_or_init(|| ORACLES.iter().collect())
}

/// Sets what [`all`] returns; false if it has returned something.
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
    determinism => determinism::Determinism, on_request;
}

/// What an oracle says of a run.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The oracle.
    pub oracle: &'static Entry,
    /// What it says.
    pub verdict: Verdict,
    /// What it asked for.
    pub spent: Spent,
}

/// What all oracles say of a run of `program` on `case` within `budget`, in the order of [`all`]; those that judge on
/// request, where they are `requested`.
pub fn judge(
    executor: &mut Executor,
    case: &TestCase,
    program: &dyn Program,
    budget: &Budget,
    observation: &Observation,
    requested: &[&str],
) -> Vec<Judgement> {
    let mut ask = Environment::new(executor, case, program, budget, observation);
    let judge = |oracle: &'static Entry| {
        let verdict = oracle.oracle.check(case, observation, &mut ask);
        Judgement { oracle, verdict, spent: ask.take_spent() }
    };
    those_that_judge(requested).map(judge).collect()
}

/// What all oracles say of a case that none of them can judge.
pub fn skip(reason: SkipReason, requested: &[&str]) -> Vec<Judgement> {
    let skip = |oracle: &'static Entry| Judgement {
        oracle,
        verdict: Verdict::Skip(reason),
        spent: Spent::default(),
    };
    those_that_judge(requested).map(skip).collect()
}

fn those_that_judge(requested: &[&str]) -> impl Iterator<Item = &'static Entry> {
    all().iter().copied().filter(|entry| !entry.on_request || requested.contains(&entry.name))
}

/// True if the schema or the script says `content=`: a full-text index over a table that may change behind
/// it, whose damage SQLite then reports rightly.
fn uses_external_content(case: &TestCase) -> bool {
    let says_so = |text: &str| text.to_ascii_lowercase().contains("content");
    let script = String::from_utf8_lossy(case.sql.as_bytes());
    says_so(&script)
        || case.files.main().is_some_and(|image| schema::rows(image).iter().any(|row| says_so(&row.sql)))
}

/// True if the case brings a database with virtual tables.
fn brings_virtual_tables(case: &TestCase) -> bool {
    case.files.main().is_some_and(|image| schema::rows(image).iter().any(schema::SchemaRow::is_virtual))
}

#[cfg(test)]
mod tests;
