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
//! A file with the type, a line in `oracles!`, a planted bug in [`crate::engine::plant`], and tests:
//! silent on good cases, red on the planted bug.

mod close;
mod code;
mod files;
mod format;
pub(crate) mod integrity;
mod memory;
mod verdict;

pub use verdict::{Finding, Signature, SkipReason, Verdict};

use crate::dbfile::schema;
use crate::engine::Observation;
use crate::testcase::TestCase;

/// A property that every run must have.
pub trait Oracle: Sync {
    /// Judges a run of `case`.
    fn check(&self, case: &TestCase, observation: &Observation) -> Verdict;
}

/// An oracle in the table.
pub struct Entry {
    /// Its name: the first part of its signatures.
    pub name: &'static str,
    /// The oracle.
    pub oracle: &'static dyn Oracle,
    /// Panics with a finding, in a frame of its own: fuzzing services group crashes by the top frames of
    /// the stack and would take all oracles for one bug.
    pub raise: fn(&Finding) -> !,
}

macro_rules! oracles {
    ($($name:ident => $oracle:expr;)*) => {
        /// All oracles, in the order in which their findings count.
        pub const ORACLES: &[Entry] = &[$(Entry {
            name: stringify!($name),
            oracle: &$oracle,
            raise: raise::$name::finding,
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

oracles! {
    close => close::Close;
    memory => memory::Memory;
    files => files::Files;
    code => code::ImpossibleCode;
    integrity => integrity::Integrity;
    format => format::Format;
}

/// The verdicts of all oracles, in the order of [`ORACLES`].
pub fn judge(case: &TestCase, observation: &Observation) -> Vec<Verdict> {
    ORACLES.iter().map(|entry| entry.oracle.check(case, observation)).collect()
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
