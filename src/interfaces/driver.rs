//! Generates a case and runs it.

use arbitrary::Unstructured;

use super::caught::{Panic, catch};
use super::compare::Aspect;
use super::plan::{Plan, Problem, Source, Step};
use super::report::{Inconsistency, Minimized};
use super::shrink::minimize;

/// What makes the objects.
pub struct Makers<'m, A, R, T> {
    /// Makes the reference.
    pub reference: &'m mut dyn FnMut(&A) -> R,
    /// Makes the test object.
    pub test: &'m mut dyn FnMut(&A) -> T,
    /// Both as source text.
    pub source: Source,
    /// Whether they can be called again, which smaller cases need. If not, the objects were made by the caller.
    pub is_repeatable: bool,
}

/// A run without an inconsistency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Number of operations, at least 1.
    pub operations: usize,
}

/// Why a run is no pass.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// Something is inconsistent.
    #[error("{0}")]
    Inconsistent(Box<Inconsistency>),
    /// Nothing was run: no operations were asked for, there was no entropy, the generators refused, or both constructors
    /// panicked.
    #[error(
        "not a single operation was run: there was nothing to run, no entropy, no value from a generator, or no object"
    )]
    NothingRan,
}

/// Arguments and operations.
#[derive(Clone)]
pub(super) struct Case<A, O> {
    /// Arguments of the constructors.
    pub(super) arguments: A,
    /// The operations.
    pub(super) list: Vec<O>,
}

/// The case of a plan.
pub(super) type CaseOf<P> = Case<<P as Plan>::Arguments, <P as Plan>::Operation>;
/// What makes the objects of a plan.
pub(super) type MakersOf<'m, P> =
    Makers<'m, <P as Plan>::Arguments, <P as Plan>::Reference, <P as Plan>::Test>;

/// When it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Where the objects were made.
    Construction,
    /// In the operation with this place in the list, or in an invariant after it.
    Operation(usize),
    /// Where the objects were dropped.
    Drop,
}

/// An inconsistency.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) at: At,
    pub(super) problem: Problem,
}

/// What stays the same while a case is made smaller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The name of the method, or `(construction)`, `(drop)`.
    pub operation: &'static str,
    /// `value`, `success`, `code`, `invariant`, or who panicked.
    pub kind: &'static str,
    /// Which invariant, and where it panicked.
    pub detail: String,
}

impl Found {
    pub(super) fn signature<P: Plan>(&self, case: &CaseOf<P>) -> Signature {
        let operation = match self.at {
            At::Construction => "(construction)",
            At::Operation(at) => P::CALLS[P::nth(&case.list[at])].name,
            At::Drop => "(drop)",
        };
        let (kind, detail) = match &self.problem {
            Problem::Differ(differ) => match differ.aspect {
                Aspect::Value => ("value", String::new()),
                Aspect::Success => ("success", String::new()),
                Aspect::Code => ("code", String::new()),
            },
            Problem::TestPanicked(panic) => ("test panicked", panic.place.clone()),
            Problem::ReferencePanicked(panic) => ("reference panicked", panic.place.clone()),
            Problem::Violated(nth) => ("invariant", nth.to_string()),
            Problem::InvariantPanicked(nth, panic) => {
                ("invariant panicked", format!("{nth} {}", panic.place))
            }
        };
        Signature { operation, kind, detail }
    }
}

/// A case of up to `ops` operations: as many as the entropy gives.
fn generate<P: Plan>(entropy: &mut Unstructured<'_>, ops: usize) -> arbitrary::Result<CaseOf<P>> {
    let mut state = P::State::default();
    let mut calls: Vec<usize> = (0..P::CALLS.len()).collect();
    if entropy.arbitrary()? {
        let mut left = Vec::new();
        for call in &calls {
            if entropy.arbitrary()? {
                left.push(*call);
            }
        }
        calls = if left.is_empty() { calls } else { left };
    }
    let arguments = P::arguments(entropy, &mut state)?;
    let mut list = Vec::new();
    while list.len() < ops && !entropy.is_empty() {
        // Each turn takes a byte, so it ends even if a generator refuses all the time.
        let call = calls[usize::from(entropy.arbitrary::<u8>()?) % calls.len()];
        match P::operation(call, entropy, &mut state) {
            Ok(operation) => list.push(operation),
            Err(arbitrary::Error::NotEnoughData) => break,
            // The generator has no value here.
            Err(_) => {}
        }
    }
    Ok(Case { arguments, list })
}

/// Runs a case: how many operations, and what is inconsistent.
pub(super) fn run<P: Plan>(case: &CaseOf<P>, makers: &mut MakersOf<'_, P>) -> (usize, Option<Found>) {
    let reference = catch(|| (makers.reference)(&case.arguments));
    let test = catch(|| (makers.test)(&case.arguments));
    let constructed = |problem| (0, Some(Found { at: At::Construction, problem }));
    let (mut reference, mut test) = match (reference, test) {
        (Ok(reference), Ok(test)) => (reference, test),
        (Err(_), Err(_)) => return (0, None),
        (Ok(_), Err(panic)) => return constructed(Problem::TestPanicked(panic)),
        (Err(panic), Ok(_)) => return constructed(Problem::ReferencePanicked(panic)),
    };
    let (mut ran, mut problem, mut is_over) = (0, None, false);
    while ran < case.list.len() && problem.is_none() && !is_over {
        match P::step(&case.list[ran], &mut reference, &mut test) {
            Ok(Step::On) => problem = violation::<P>(&mut test),
            Ok(Step::End) => is_over = true,
            Err(found) => problem = Some(found),
        }
        ran += 1;
    }
    let mut found = problem.map(|problem| Found { at: At::Operation(ran - 1), problem });
    let dropped: [Result<(), Panic>; 2] = [catch(|| drop(reference)), catch(|| drop(test))];
    if found.is_none() && !is_over {
        found = match dropped {
            [Ok(()), Err(panic)] => Some(Found { at: At::Drop, problem: Problem::TestPanicked(panic) }),
            [Err(panic), Ok(())] => Some(Found { at: At::Drop, problem: Problem::ReferencePanicked(panic) }),
            _ => None,
        };
    }
    (ran, found)
}

/// The first invariant that does not hold.
fn violation<P: Plan>(test: &mut P::Test) -> Option<Problem> {
    (0..P::INVARIANTS.len()).find_map(|nth| match catch(|| P::holds(nth, test)) {
        Ok(true) => None,
        Ok(false) => Some(Problem::Violated(nth)),
        Err(panic) => Some(Problem::InvariantPanicked(nth, panic)),
    })
}

/// Generates a case of up to `ops` operations and runs it on both objects.
///
/// # Errors
/// The first inconsistency; or that nothing was run.
pub fn fuzz<P: Plan>(
    mut makers: MakersOf<'_, P>,
    entropy: &mut Unstructured<'_>,
    ops: usize,
) -> Result<Ran, Failure> {
    let mut case = generate::<P>(entropy, ops).map_err(|_| Failure::NothingRan)?;
    if case.list.is_empty() {
        return Err(Failure::NothingRan);
    }
    let (operations, found) = run::<P>(&case, &mut makers);
    let Some(found) = found else {
        return if operations == 0 { Err(Failure::NothingRan) } else { Ok(Ran { operations }) };
    };
    case.list.truncate(operations);
    let (source, is_repeatable) = (makers.source, makers.is_repeatable);
    let signature = found.signature::<P>(&case);
    let minimized = match is_repeatable {
        false => Minimized::Given,
        true => match minimize::<P>(case.clone(), &signature, makers) {
            Some((case, found)) => Minimized::of::<P>(&case, &found, source),
            None => Minimized::Unrepeated,
        },
    };
    let report = Inconsistency::new::<P>(&case, &found, signature, is_repeatable, minimized);
    Err(Failure::Inconsistent(Box::new(report)))
}
