//! What the macro writes for a trait: a [`Plan`], which the [driver](super::driver) carries out.

use arbitrary::Unstructured;

use super::caught::{Panic, catch};
use super::compare::Disagreement;

/// A method, for reports.
#[derive(Debug)]
pub struct Call {
    /// Its name.
    pub name: &'static str,
    /// Whether it takes `&mut self`.
    pub is_mut: bool,
    /// Whether it returns something.
    pub returns: bool,
    /// How [`agree!`](crate::agree) compares what it returns: its further arguments, each behind a comma.
    pub rules: &'static str,
}

/// Source text of what makes the objects.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The function that makes the reference.
    pub reference: &'static str,
    /// The function that makes the test object.
    pub test: &'static str,
    /// The type arguments of the trait, such as `<u8>`; empty if it has none, or if they are the caller's.
    pub types: &'static str,
}

/// An interface: its operations, how they are generated, run and compared.
pub trait Plan {
    /// Arguments of both constructors, a tuple.
    type Arguments: Clone;
    /// A method with its arguments.
    type Operation: Clone;
    /// The states of the generators, a tuple.
    type State: Default;
    /// The reference; `()` if only invariants are checked.
    type Reference;
    /// The object that is tested.
    type Test;

    /// The name of the trait.
    const INTERFACE: &'static str;
    /// Its methods, of which there are 1 to 256.
    const CALLS: &'static [Call];
    /// The source text of each invariant, of `self` and of `it`.
    const INVARIANTS: &'static [(&'static str, &'static str)];

    /// Arguments for the constructors.
    ///
    /// # Errors
    /// Those of generators.
    fn arguments(
        entropy: &mut Unstructured<'_>,
        state: &mut Self::State,
    ) -> arbitrary::Result<Self::Arguments>;

    /// An operation of the method with this place in [`Plan::CALLS`].
    ///
    /// # Errors
    /// Those of generators.
    fn operation(
        nth: usize,
        entropy: &mut Unstructured<'_>,
        state: &mut Self::State,
    ) -> arbitrary::Result<Self::Operation>;

    /// The place of its method in [`Plan::CALLS`].
    fn nth(operation: &Self::Operation) -> usize;

    /// Its arguments as source text.
    fn literals(operation: &Self::Operation) -> Vec<String>;

    /// The same for the constructors.
    fn argument_literals(arguments: &Self::Arguments) -> Vec<String>;

    /// Operations with one simpler argument.
    fn simpler(operation: &Self::Operation) -> Vec<Self::Operation>;

    /// The same for the constructors.
    fn simpler_arguments(arguments: &Self::Arguments) -> Vec<Self::Arguments>;

    /// Runs an operation.
    ///
    /// # Errors
    /// What is inconsistent.
    fn step(
        operation: &Self::Operation,
        reference: &mut Self::Reference,
        test: &mut Self::Test,
    ) -> Result<Step, Problem>;

    /// Whether an invariant holds.
    fn holds(nth: usize, test: &mut Self::Test) -> bool;
}

/// What an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next one.
    On,
    /// The end: it panicked on both sides, which may have left anything behind.
    End,
}

/// What is inconsistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Returned values.
    Differ(Disagreement),
    /// Only the test object panicked.
    TestPanicked(Panic),
    /// Only the reference did.
    ReferencePanicked(Panic),
    /// This invariant does not hold.
    Violated(usize),
    /// This invariant panicked.
    InvariantPanicked(usize, Panic),
}

/// Runs an operation on both sides, and compares.
///
/// # Errors
/// What is inconsistent.
pub fn step<A, B>(
    reference: impl FnOnce() -> A,
    test: impl FnOnce() -> B,
    compare: impl FnOnce(&A, &B) -> Result<(), Disagreement>,
) -> Result<Step, Problem> {
    match (catch(reference), catch(test)) {
        (Ok(reference), Ok(test)) => compare(&reference, &test).map(|()| Step::On).map_err(Problem::Differ),
        (Err(_), Err(_)) => Ok(Step::End),
        (Ok(_), Err(panic)) => Err(Problem::TestPanicked(panic)),
        (Err(panic), Ok(_)) => Err(Problem::ReferencePanicked(panic)),
    }
}

/// Runs an operation on the test object alone.
///
/// # Errors
/// Its panic.
pub fn alone<B>(test: impl FnOnce() -> B) -> Result<Step, Problem> {
    catch(test).map(|_| Step::On).map_err(Problem::TestPanicked)
}
