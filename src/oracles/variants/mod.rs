//! Wrong answers: scripts that must do the same under another set-up.
//!
//! The whole script runs again in another journal mode, with another cache, page size or encoding, or without query
//! optimizations. Each statement must succeed where it did before and return the same rows, typed and as a multiset; at
//! the end, schema and tables must be the same, and `integrity_check` must find nothing new. So what a statement does to
//! the database is checked as well as what it says, and so are triggers, savepoints and the pages that a transaction
//! writes early.
//!
//! # When nothing is said
//! * On a database that was damaged, after a taint, with several connections, or if any limit was met.
//! * Of a statement that shows the set-up (`PRAGMA`, `EXPLAIN`, `dbstat`); of the whole script if such an answer, or a
//!   random one, may have been stored ([`script`]).
//!
//! # Refutation
//! A difference is not reported if the script does something else already when SQLite's random numbers begin with
//! another seed: SQLite draws some for journals, so that rowids and `random()` depend on the set-up.
//!
//! # Which variants
//! The case decides with which variant to begin. The first [`FEW`] always run, and the rest while that is cheap, so
//! that small cases meet all and a fuzzer is not slowed down by the others.

mod cache;
mod compare;
mod copies;
mod encoding;
mod images;
mod journal;
mod plans;
mod recheck;
mod script;

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict, choice};
use crate::engine::{Asked, Observation, Taint};
use crate::testcase::{Script as Sql, Setting, TestCase};

pub(crate) use cache::CACHE;
pub(crate) use copies::Copies;
pub(crate) use encoding::ENCODING;
pub(crate) use journal::JOURNAL;
pub(crate) use plans::SCRIPT_PLANS;
pub(crate) use recheck::Recheck;

/// Variants that run whatever they cost.
const FEW: usize = 2;

/// What is needed of a run to compare it.
pub(super) const ASKED: Asked = Asked { has_values: true, has_end: true, ..Asked::NOTHING };

/// What a variant leaves as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The program of each statement, and so the order of its rows: `LIMIT` takes the same ones.
    Programs,
    /// What SQL says that the rows are.
    Answers,
    /// The rows, as they are stored, but not their implicit rowids.
    Rows,
}

/// Another set-up for a script.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variant {
    /// Its name, for signatures.
    pub name: &'static str,
    /// Pragmas that precede the script and replace those in it, by name and value.
    pub pragmas: Vec<(&'static str, &'static str)>,
    /// Query optimizations that are off besides those that the case switches off.
    pub optimizations_off: u32,
}

impl Variant {
    /// A variant by its pragmas alone.
    pub(crate) fn new(name: &'static str, pragmas: &[(&'static str, &'static str)]) -> Self {
        Self { name, pragmas: pragmas.to_vec(), optimizations_off: 0 }
    }

    /// The case under this set-up, and the length of what precedes its script.
    pub(crate) fn of(&self, case: &TestCase) -> (TestCase, usize) {
        let lines = self.pragmas.iter().map(|(name, value)| format!("PRAGMA {name}={value};"));
        let mut text = lines.collect::<String>().into_bytes();
        // No space in between: it would belong to the first statement of the script, which would begin before it.
        let before = text.len();
        text.extend(script::with_pragmas(case.sql.as_bytes(), &self.pragmas));
        let mut variant = TestCase { sql: Sql::new(text), ..case.clone() };
        let off = case.config.get(Setting::OptimizationsOff) | self.optimizations_off;
        variant.config.set(Setting::OptimizationsOff, off);
        (variant, before)
    }
}

/// See [`Scriptwise::examine`].
type Examine =
    fn(&Scriptwise, &Variant, &Observation, &mut Environment<'_>) -> Result<&'static str, SkipReason>;

/// An oracle that compares a script with its variants.
pub(crate) struct Scriptwise {
    /// The oracle's name.
    pub name: &'static str,
    /// What its variants leave as it was.
    pub keeps: Keeps,
    /// The variants that a case has.
    ///
    /// # Errors
    /// Why it has none.
    pub variants: fn(&TestCase, &Observation) -> Result<Vec<Variant>, &'static str>,
    /// What else may tell a difference from a bug, and names the bug more closely: given the variant that differs, it
    /// returns the kind for the signature.
    ///
    /// # Errors
    /// Why the difference is no bug.
    pub examine: Examine,
}

/// What a script did that another set-up may answer differently.
const UNSTEADY_TAINTS: [Taint; 4] =
    [Taint::HEAP_LIMIT, Taint::LIMITS, Taint::JOURNAL_OFF, Taint::WRITABLE_SCHEMA];

/// Why nothing can be said of a run that did such a thing: how much memory a plan takes, what is rolled back without a
/// journal, and what becomes of SQLite's own tables if they can be written, is nothing that SQL says.
fn unsteady(taint: Taint) -> Option<SkipReason> {
    let (_, name) = taint.members().find(|(taint, _)| UNSTEADY_TAINTS.contains(taint))?;
    Some(SkipReason::Tainted(name))
}

impl Oracle for Scriptwise {
    fn check(&self, case: &TestCase, _observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        self.judge(case, ask).unwrap_or_else(Verdict::Skip)
    }
}

impl Scriptwise {
    fn judge(&self, case: &TestCase, ask: &mut Environment<'_>) -> Result<Verdict, SkipReason> {
        if let Some(reason) = ask.why_no_answers() {
            return Err(reason);
        }
        let own = ask.with_rows()?;
        let is_whole = own.cut_short.is_empty() && own.end.is_some();
        if !is_whole {
            return Err(SkipReason::CheckCutShort);
        }
        if let Some(reason) = unsteady(own.taint) {
            return Err(reason);
        }
        let variants = (self.variants)(case, &own).map_err(SkipReason::Excused)?;
        script::compared(case, &own, self.keeps).map_err(SkipReason::Excused)?;
        let start = hash(case);
        let mut reason = Some(SkipReason::Excused("no variant"));
        for at in 0..variants.len() {
            if at >= FEW && !ask.is_cheap_so_far() {
                break;
            }
            let variant = &variants[(start + at) % variants.len()];
            match self.difference(variant, case, &own, ask) {
                Ok(None) => reason = None,
                Ok(Some((detail, message))) => {
                    let kind = self.refute(variant, case, &own, ask)?;
                    let signature = Signature::new(self.name, kind, &detail);
                    return Ok(Verdict::Fail(Finding { signature, message }));
                }
                Err(SkipReason::BudgetUsedUp) => break,
                Err(other) => reason = reason.map(|_| other),
            }
        }
        reason.map_or(Ok(Verdict::Pass), Err)
    }

    /// How a variant differs: for the signature, and for people.
    pub(crate) fn difference(
        &self,
        variant: &Variant,
        case: &TestCase,
        own: &Observation,
        ask: &mut Environment<'_>,
    ) -> Result<Option<(String, String)>, SkipReason> {
        let (changed, before) = variant.of(case);
        let other = ask.run(&changed, ASKED)?;
        if !other.cut_short.is_empty() || other.open_failed.is_some() {
            return Err(SkipReason::CheckCutShort);
        }
        let compared = script::compared(case, own, self.keeps).map_err(SkipReason::Excused)?;
        let difference = compare::difference(own, &other, before, &compared, self.keeps, case);
        match difference {
            compare::Said::Same { is_trivial } => {
                ask.count_check(is_trivial);
                Ok(None)
            }
            compare::Said::Nothing(reason) => Err(SkipReason::Excused(reason)),
            compare::Said::Differs(detail, message) => {
                ask.count_check(false);
                Ok(Some((detail, format!("with {}: {message}", variant.name))))
            }
        }
    }

    /// Gives SQLite the benefit of the doubt; returns the kind of the bug.
    fn refute(
        &self,
        variant: &Variant,
        case: &TestCase,
        own: &Observation,
        ask: &mut Environment<'_>,
    ) -> Result<&'static str, SkipReason> {
        let seed = case.config.get(Setting::RandomSeed) ^ 0x5555;
        let reseeded = TestCase { config: case.config.with(Setting::RandomSeed, seed), ..case.clone() };
        if self.difference(&Variant::default(), &reseeded, own, ask)?.is_some() {
            return Err(SkipReason::NotReproduced);
        }
        (self.examine)(self, variant, own, ask)
    }
}

/// The name of the variant is the kind.
fn by_name(
    _: &Scriptwise,
    variant: &Variant,
    _: &Observation,
    _: &mut Environment<'_>,
) -> Result<&'static str, SkipReason> {
    Ok(variant.name)
}

/// With which variant a case begins.
fn hash(case: &TestCase) -> usize {
    choice(0, case.sql.as_bytes())
}

/// True if the case starts without a database.
fn starts_empty(case: &TestCase) -> bool {
    case.files.is_empty() && !case.config.is_on(Setting::RichSchema)
}

#[cfg(test)]
mod tests;
