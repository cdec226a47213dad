//! When two returned values are the same.
//!
//! # Rules
//! * `Result`: both or none succeed. What succeeded is compared; errors are not, or with `error = code` by their
//!   [code](super::ErrorCode).
//! * Rows of SQL values (`Vec<Vec<Value>>`, of Tandem's or rusqlite's) and [`Rows`] are multisets: SQL promises no order.
//! * NaN is NaN.
//! * Everything else is compared with `==`.
//!
//! Types that need another rule than `==` implement [`Agree`]; [`agree!`](crate::agree) takes it where there is one, and
//! `==` where there is none. The macro and the source text in its reports both use `agree!`, so a test that was pasted
//! says what the report said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};

use crate::engine;

/// Bytes of a value that a report shows, at most.
const SHOWN_BYTES_MAX: usize = 10_000;

/// In what two values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// In themselves.
    Value,
    /// One is an error, the other is none.
    Success,
    /// Both are errors, with different codes.
    Code,
}

/// Two values that are not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// In what they differ.
    pub aspect: Aspect,
    /// What the reference returned, as `Debug` has it, or its code; at most 10,000 bytes.
    pub reference: String,
    /// What the test object returned.
    pub test: String,
}

impl Disagreement {
    pub(super) fn new(aspect: Aspect, reference: &dyn Debug, test: &dyn Debug) -> Self {
        Self { aspect, reference: shown(reference), test: shown(test) }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  reference: {}\n  test:      {}", self.reference, self.test)
    }
}

fn shown(value: &dyn Debug) -> String {
    let mut text = format!("{value:?}");
    if text.len() > SHOWN_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
        text.push('…');
    }
    text
}

/// Types that are compared otherwise than with `==`, and those that they may be made of.
pub trait Agree<Other: ?Sized = Self> {
    /// Whether it is a value in a row of SQL.
    const IS_CELL: bool = false;
    /// Whether it is a row of SQL, of which a list is a multiset.
    const IS_ROW: bool = false;

    /// Whether they are the same.
    fn agrees(&self, other: &Other) -> bool;
}

macro_rules! by_equality {
    ($($type:ty)*) => {$(
        impl Agree for $type {
            fn agrees(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}
by_equality!(() bool char str String u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! floats {
    ($($type:ty)*) => {$(
        impl Agree for $type {
            fn agrees(&self, other: &Self) -> bool {
                self == other || self.is_nan() && other.is_nan()
            }
        }
    )*};
}
floats!(f32 f64);

macro_rules! cells {
    ($($type:ty)*) => {$(
        impl Agree for $type {
            const IS_CELL: bool = true;

            fn agrees(&self, other: &Self) -> bool {
                match (self, other) {
                    (Self::Real(own), Self::Real(other)) => own.agrees(other),
                    _ => self == other,
                }
            }
        }
    )*};
}
cells!(engine::Value rusqlite::types::Value);

impl<T: Agree<U>, U> Agree<[U]> for [T] {
    const IS_ROW: bool = T::IS_CELL;

    fn agrees(&self, other: &[U]) -> bool {
        if T::IS_ROW {
            return is_permutation(self, other, T::agrees);
        }
        self.len() == other.len() && self.iter().zip(other).all(|(own, other)| own.agrees(other))
    }
}

impl<T: Agree<U>, U> Agree<Vec<U>> for Vec<T> {
    const IS_ROW: bool = T::IS_CELL;

    fn agrees(&self, other: &Vec<U>) -> bool {
        self.as_slice().agrees(other.as_slice())
    }
}

impl<T: Agree<U>, U, const N: usize> Agree<[U; N]> for [T; N] {
    const IS_ROW: bool = T::IS_CELL;

    fn agrees(&self, other: &[U; N]) -> bool {
        self.as_slice().agrees(other.as_slice())
    }
}

impl<T: Agree<U> + ?Sized, U: ?Sized> Agree<&U> for &T {
    const IS_CELL: bool = T::IS_CELL;
    const IS_ROW: bool = T::IS_ROW;

    fn agrees(&self, other: &&U) -> bool {
        T::agrees(self, other)
    }
}

impl<T: Agree<U> + ?Sized, U: ?Sized> Agree<Box<U>> for Box<T> {
    fn agrees(&self, other: &Box<U>) -> bool {
        T::agrees(self, other)
    }
}

impl<T: Agree<U>, U> Agree<Option<U>> for Option<T> {
    fn agrees(&self, other: &Option<U>) -> bool {
        options(self, other, T::agrees)
    }
}

impl<T: Agree<U>, U, E, F> Agree<Result<U, F>> for Result<T, E> {
    fn agrees(&self, other: &Result<U, F>) -> bool {
        match (self, other) {
            (Ok(own), Ok(other)) => own.agrees(other),
            (own, other) => own.is_ok() == other.is_ok(),
        }
    }
}

impl<T: Agree + Ord> Agree for BTreeSet<T> {
    fn agrees(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(own, other)| own.agrees(other))
    }
}

impl<K: Agree + Ord, V: Agree> Agree for BTreeMap<K, V> {
    fn agrees(&self, other: &Self) -> bool {
        let mut pairs = self.iter().zip(other);
        self.len() == other.len() && pairs.all(|(own, other)| own.0.agrees(other.0) && own.1.agrees(other.1))
    }
}

macro_rules! tuples {
    ($(($($name:ident $other:ident $at:tt)+))*) => {$(
        impl<$($name: Agree<$other>, $other),+> Agree<($($other,)+)> for ($($name,)+) {
            fn agrees(&self, other: &($($other,)+)) -> bool {
                $(self.$at.agrees(&other.$at))&&+
            }
        }
    )*};
}
tuples! {
    (A P 0) (A P 0 B Q 1) (A P 0 B Q 1 C R 2) (A P 0 B Q 1 C R 2 D S 3) (A P 0 B Q 1 C R 2 D S 3 E T 4)
    (A P 0 B Q 1 C R 2 D S 3 E T 4 F U 5)
}

/// A list in an order that does not count, such as the rows of a query without `ORDER BY`.
#[derive(Debug, Clone, Default)]
pub struct Rows<T>(pub Vec<T>);

impl<T: PartialEq> PartialEq for Rows<T> {
    fn eq(&self, other: &Self) -> bool {
        is_permutation(&self.0, &other.0, T::eq)
    }
}

impl<T: Agree<U>, U> Agree<Rows<U>> for Rows<T> {
    fn agrees(&self, other: &Rows<U>) -> bool {
        is_permutation(&self.0, &other.0, T::agrees)
    }
}

/// Whether each element of one list has one of its own in the other. Quadratic: rows have no common order.
fn is_permutation<T, U>(one: &[T], other: &[U], is_same: impl Fn(&T, &U) -> bool) -> bool {
    let mut rest: Vec<&U> = other.iter().collect();
    one.len() == other.len()
        && one.iter().all(|own| {
            let at = rest.iter().position(|other| is_same(own, other));
            at.map(|at| rest.remove(at)).is_some()
        })
}

/// Both are `None`, or both are not and the same. For what `#[compare]` names inside an `Option`.
pub fn options<T, U>(one: &Option<T>, other: &Option<U>, is_same: impl Fn(&T, &U) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_same(one, other),
        (one, other) => one.is_some() == other.is_some(),
    }
}

/// As many, and the same in each place. For what `#[compare]` names inside a `Vec`.
pub fn lists<T, U>(one: &[T], other: &[U], is_same: impl Fn(&T, &U) -> bool) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
}

/// Whether two values are the same to a function. For what `#[compare]` names inside a `Box` or a tuple.
pub fn by<T: ?Sized, U: ?Sized>(one: &T, other: &U, is_same: impl FnOnce(&T, &U) -> bool) -> bool {
    is_same(one, other)
}
