//! Values as Rust source text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::engine;

/// A type whose values can be written as source text.
pub trait Literal {
    /// An expression of this value, and of this type where an argument of it is expected.
    fn literal(&self) -> String;
}

macro_rules! by_debug {
    ($($type:ty)*) => {$(
        impl Literal for $type {
            fn literal(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}
by_debug!(() bool char str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl Literal for $type {
            fn literal(&self) -> String {
                let name = stringify!($type);
                if self.is_nan() {
                    format!("{name}::NAN")
                } else if self.is_infinite() {
                    format!("{name}::{}INFINITY", if *self > 0.0 { "" } else { "NEG_" })
                } else {
                    format!("{self:?}")
                }
            }
        }
    )*};
}
floats!(f32 f64);

impl Literal for String {
    fn literal(&self) -> String {
        if self.is_empty() { "String::new()".to_owned() } else { format!("{self:?}.to_owned()") }
    }
}

impl<T: Literal> Literal for Vec<T> {
    fn literal(&self) -> String {
        format!("vec!{}", self.as_slice().literal())
    }
}

impl<T: Literal> Literal for [T] {
    fn literal(&self) -> String {
        listed(self, Literal::literal)
    }
}

/// A list in brackets, each element as `literal` has it.
pub fn listed<T>(list: &[T], literal: impl FnMut(&T) -> String) -> String {
    format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(", "))
}

impl<T: Literal, const N: usize> Literal for [T; N] {
    fn literal(&self) -> String {
        self.as_slice().literal()
    }
}

impl<T: Literal> Literal for Option<T> {
    fn literal(&self) -> String {
        self.as_ref().map_or_else(|| "None".to_owned(), |value| format!("Some({})", value.literal()))
    }
}

impl<T: Literal> Literal for Box<T> {
    fn literal(&self) -> String {
        format!("Box::new({})", T::literal(self))
    }
}

impl<T: Literal> Literal for BTreeSet<T> {
    fn literal(&self) -> String {
        format!(
            "std::collections::BTreeSet::from({})",
            listed(&Vec::from_iter(self), |value| value.literal())
        )
    }
}

impl<K: Literal, V: Literal> Literal for BTreeMap<K, V> {
    fn literal(&self) -> String {
        let pair = |(key, value): &(&K, &V)| format!("({}, {})", key.literal(), value.literal());
        format!("std::collections::BTreeMap::from({})", listed(&Vec::from_iter(self), pair))
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt)+))*) => {$(
        impl<$($name: Literal),+> Literal for ($($name,)+) {
            fn literal(&self) -> String {
                tuple(&[$(self.$at.literal()),+])
            }
        }
    )*};
}
tuples! { (A 0) (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) (A 0 B 1 C 2 D 3 E 4) (A 0 B 1 C 2 D 3 E 4 F 5) }

/// A tuple of these elements.
pub fn tuple(elements: &[String]) -> String {
    format!("({}{})", elements.join(", "), if elements.len() == 1 { "," } else { "" })
}

impl Literal for engine::Value {
    fn literal(&self) -> String {
        let inner = match self {
            Self::Null => return "tandem::engine::Value::Null".to_owned(),
            Self::Integer(number) => format!("Integer({})", number.literal()),
            Self::Real(number) => format!("Real({})", number.literal()),
            Self::Text(text) => format!("Text({})", text.literal()),
            Self::Blob(bytes) => format!("Blob({})", bytes.literal()),
        };
        format!("tandem::engine::Value::{inner}")
    }
}

impl Literal for rusqlite::types::Value {
    fn literal(&self) -> String {
        let inner = match self {
            Self::Null => return "rusqlite::types::Value::Null".to_owned(),
            Self::Integer(number) => format!("Integer({})", number.literal()),
            Self::Real(number) => format!("Real({})", number.literal()),
            Self::Text(text) => format!("Text({})", text.literal()),
            Self::Blob(bytes) => format!("Blob({})", bytes.literal()),
        };
        format!("rusqlite::types::Value::{inner}")
    }
}

/// A value whose source text the macro asks for: that of [`Literal`], or else what `Debug` says, which is Rust for a
/// plain struct or enum.
pub struct Text<'a, T: ?Sized>(pub &'a T);

/// Values with a [`Literal`]: found first, as this needs no further reference.
pub trait ByLiteral {
    /// The source text.
    fn text(&self) -> String;
}

impl<T: Literal + ?Sized> ByLiteral for Text<'_, T> {
    fn text(&self) -> String {
        self.0.literal()
    }
}

/// All others.
pub trait ByDebug<T: ?Sized> {
    /// The source text.
    fn text(&self) -> String
    where
        T: Debug;
}

impl<T: ?Sized> ByDebug<T> for &Text<'_, T> {
    fn text(&self) -> String
    where
        T: Debug,
    {
        format!("{:?}", self.0)
    }
}
