//! The macro [`agree!`](crate::agree), by which returned values are compared, and what it needs.
//!
//! It knows the types only where it is expanded. Which way a type is compared is found by method resolution: the better way
//! needs one reference less.

use std::convert::Infallible;
use std::fmt::Debug;

use super::codes::ErrorCode;
use super::compare::{Agree, Aspect, Disagreement};

/// Two errors, of which it counts only that both are.
///
/// # Errors
/// None.
pub fn both_fail<E, F>(_: &E, _: &F) -> Result<(), Disagreement> {
    Ok(())
}

/// Two errors that must have the same code.
///
/// # Errors
/// If they have not.
pub fn same_code<E: ErrorCode, F: ErrorCode>(reference: &E, test: &F) -> Result<(), Disagreement> {
    let (reference, test) = (reference.code(), test.code());
    if reference == test { Ok(()) } else { Err(Disagreement { aspect: Aspect::Code, reference, test }) }
}

/// Two values that must be the same to a function.
///
/// # Errors
/// If they are not.
pub fn with<T: Debug + ?Sized, U: Debug + ?Sized>(
    reference: &T,
    test: &U,
    is_same: impl FnOnce(&T, &U) -> bool,
) -> Result<(), Disagreement> {
    // A `dyn Debug` has to be sized: references are.
    if is_same(reference, test) { Ok(()) } else { Err(Disagreement::new(Aspect::Value, &reference, &test)) }
}

/// One that succeeded and one that failed.
pub fn success<T: Debug, E: Debug, U: Debug, F: Debug>(
    reference: Result<&T, &E>,
    test: Result<&U, &F>,
) -> Disagreement {
    Disagreement::new(Aspect::Success, &reference, &test)
}

/// A returned value that [`agree!`](crate::agree) takes apart.
pub struct Split<'a, A: ?Sized>(pub &'a A);

/// A `Result`: found first, as this needs no further reference.
pub trait ResultSplit<'a, T, E> {
    /// What it returned, or its error.
    ///
    /// # Errors
    /// Its error.
    fn split(&self) -> Result<&'a T, &'a E>;
}

impl<'a, T, E> ResultSplit<'a, T, E> for Split<'a, Result<T, E>> {
    fn split(&self) -> Result<&'a T, &'a E> {
        self.0.as_ref()
    }
}

/// Everything else.
pub trait AnySplit<'a, A: ?Sized> {
    /// The value.
    ///
    /// # Errors
    /// None.
    fn split(&self) -> Result<&'a A, &'a Infallible>;
}

impl<'a, A: ?Sized> AnySplit<'a, A> for &Split<'a, A> {
    fn split(&self) -> Result<&'a A, &'a Infallible> {
        Ok(self.0)
    }
}

/// Two values that [`agree!`](crate::agree) compares.
pub struct Pair<'a, A: ?Sized, B: ?Sized>(pub &'a A, pub &'a B);

/// By [`Agree`]: found first.
pub trait ByAgree {
    /// Compares them.
    ///
    /// # Errors
    /// If they differ.
    fn compare(&self) -> Result<(), Disagreement>;
}

impl<A: Agree<B> + Debug + ?Sized, B: Debug + ?Sized> ByAgree for Pair<'_, A, B> {
    fn compare(&self) -> Result<(), Disagreement> {
        with(self.0, self.1, A::agrees)
    }
}

/// By `==`.
pub trait ByEquality<A: ?Sized, B: ?Sized> {
    /// Compares them.
    ///
    /// # Errors
    /// If they differ.
    fn compare(&self) -> Result<(), Disagreement>
    where
        A: PartialEq<B> + Debug,
        B: Debug;
}

impl<A: ?Sized, B: ?Sized> ByEquality<A, B> for &Pair<'_, A, B> {
    fn compare(&self) -> Result<(), Disagreement>
    where
        A: PartialEq<B> + Debug,
        B: Debug,
    {
        with(self.0, self.1, A::eq)
    }
}

/// `Result<(), Disagreement>`: whether two returned values are the same, by the [rules](crate::interfaces::compare) of
/// interfaces. `agree!(reference, test)`, then as needed `, code` (errors must have the same [`ErrorCode`]) and `, values =
/// path` (what succeeded is compared by a function); or `, whole = path` (so is everything, errors included).
#[macro_export]
macro_rules! agree {
    (@ values, $reference:ident, $test:ident) => {
        (&Pair($reference, $test)).compare()
    };
    (@ values, $reference:ident, $test:ident, $values:expr) => {
        $crate::interfaces::agree::with($reference, $test, $values)
    };
    (@ $errors:ident, $reference:expr, $test:expr $(, $values:expr)?) => {
        match (&$reference, &$test) {
            (reference, test) => {
                #[allow(unused_imports)]
                use $crate::interfaces::agree::{
                    AnySplit as _, ByAgree as _, ByEquality as _, Pair, ResultSplit as _, Split,
                };
                match ((&Split(reference)).split(), (&Split(test)).split()) {
                    (::core::result::Result::Ok(reference), ::core::result::Result::Ok(test)) => {
                        $crate::agree!(@ values, reference, test $(, $values)?)
                    }
                    (::core::result::Result::Err(reference), ::core::result::Result::Err(test)) => {
                        $crate::interfaces::agree::$errors(reference, test)
                    }
                    (reference, test) => {
                        ::core::result::Result::Err($crate::interfaces::agree::success(reference, test))
                    }
                }
            }
        }
    };
    ($reference:expr, $test:expr $(, values = $values:expr)?) => {
        $crate::agree!(@ both_fail, $reference, $test $(, $values)?)
    };
    ($reference:expr, $test:expr, code $(, values = $values:expr)?) => {
        $crate::agree!(@ same_code, $reference, $test $(, $values)?)
    };
    ($reference:expr, $test:expr, whole = $whole:expr) => {
        $crate::interfaces::agree::with(&$reference, &$test, $whole)
    };
}

/// Panics if two returned values are not the same; the arguments are those of [`agree!`](crate::agree).
#[macro_export]
macro_rules! assert_agree {
    ($($arguments:tt)*) => {
        if let ::core::result::Result::Err(disagreement) = $crate::agree!($($arguments)*) {
            panic!("they differ:\n{disagreement}");
        }
    };
}
