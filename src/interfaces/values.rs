//! Random values for arguments: a quarter of the numbers are at a boundary, half are small, so that they meet again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};

use super::{Agree, Literal};
use crate::engine;

/// Elements of a list and characters of a text, at most; most have far fewer.
pub const LENGTH_MAX: usize = 64;
/// Elements of a list and characters of a text that are left out one by one, at most.
const SINGLE_MAX: usize = 16;

/// A type of arguments.
#[diagnostic::on_unimplemented(
    message = "no values of the type `{Self}` can be generated",
    label = "an argument of this type",
    note = "name a generator, `#[gen({Self} = path)]` (in edition 2024 `#[r#gen(..)]`), with `fn path(&mut Unstructured<'_>) -> arbitrary::Result<{Self}>`",
    note = "for a type that implements `Arbitrary`, `tandem::interfaces::any` is one"
)]
pub trait Generate: Sized {
    /// A value.
    ///
    /// # Errors
    /// `NotEnoughData` where the entropy ends, which ends the case.
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self>;

    /// Simpler values, the simplest first. No value is reached from itself, so a search among them ends.
    fn simpler(&self) -> Vec<Self> {
        Vec::new()
    }
}

/// What a type parameter of an interface must be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a type parameter of an interface",
    note = "it must be `Generate`, `Literal`, `Agree`, `Clone`, `PartialEq` and `Debug`, as the types of the standard library are"
)]
pub trait Value: Generate + Literal + Agree + Clone + PartialEq + Debug {}

impl<T: Generate + Literal + Agree + Clone + PartialEq + Debug> Value for T {}

/// The generator of a type that implements [`Arbitrary`]: `#[gen(Type = tandem::interfaces::any)]`.
///
/// # Errors
/// Those of `Arbitrary`.
pub fn any<T: for<'a> Arbitrary<'a>>(entropy: &mut Unstructured<'_>) -> arbitrary::Result<T> {
    T::arbitrary(entropy)
}

/// The length of a list or text, at most [`LENGTH_MAX`]; every fourth one is more than 3.
///
/// # Errors
/// None today.
pub fn length(entropy: &mut Unstructured<'_>) -> arbitrary::Result<usize> {
    let byte = usize::from(entropy.arbitrary::<u8>()?);
    Ok(if byte % 4 == 3 { (byte / 4).min(LENGTH_MAX) } else { byte % 4 })
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Generate for $type {
            fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
                const MIDDLE: $type = <$type>::MAX / 2;
                const BOUNDARIES: [$type; 8] =
                    [<$type>::MIN, <$type>::MAX, 0, 1, <$type>::MIN + 1, <$type>::MAX - 1, MIDDLE, MIDDLE + 1];
                let byte = entropy.arbitrary::<u8>()?;
                Ok(match byte % 4 {
                    // Below zero where there is such a thing.
                    0 if byte / 4 % 16 == 15 => (0 as $type).checked_sub(1).unwrap_or(1),
                    0 => BOUNDARIES[usize::from(byte / 4 % 8)],
                    1 | 2 => (byte / 4 % 8) as $type,
                    _ => entropy.arbitrary()?,
                })
            }

            fn simpler(&self) -> Vec<Self> {
                let closer = if *self > 0 { self.checked_sub(1) } else { self.checked_add(1) };
                let mut all: Vec<Self> = [Some(0), Some(self / 2), closer].into_iter().flatten().collect();
                all.dedup();
                all.retain(|_| *self != 0);
                all
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl Generate for $type {
            fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
                const BOUNDARIES: [$type; 10] = [
                    0.0, -0.0, 1.0, -1.0, $type::MAX, $type::MIN, $type::MIN_POSITIVE, $type::INFINITY,
                    $type::NEG_INFINITY, $type::NAN,
                ];
                let byte = entropy.arbitrary::<u8>()?;
                Ok(match byte % 4 {
                    0 => BOUNDARIES[usize::from(byte / 4) % BOUNDARIES.len()],
                    1 | 2 => $type::from(byte / 4) / 4.0,
                    _ => entropy.arbitrary()?,
                })
            }

            fn simpler(&self) -> Vec<Self> {
                let is_simpler = |other: &$type| other.to_bits() != self.to_bits();
                let whole = self.trunc();
                let mut all = vec![0.0];
                if self.is_finite() && *self != 0.0 {
                    all.extend([whole, (whole / 2.0).trunc()]);
                }
                all.retain(|other| self.to_bits() != (0.0 as $type).to_bits() && is_simpler(other));
                all
            }
        }
    )*};
}
floats!(f32 f64);

impl Generate for bool {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        entropy.arbitrary()
    }

    fn simpler(&self) -> Vec<Self> {
        if *self { vec![false] } else { Vec::new() }
    }
}

impl Generate for () {
    fn generate(_: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(())
    }
}

/// Characters on which text goes wrong: NUL, quotes, wildcards, white space, longer and shorter in the other case,
/// without a glyph, of two UTF-16 units, the last one.
const ODD: [char; 16] = [
    '\0',
    '\'',
    '"',
    '\\',
    '%',
    '_',
    ' ',
    '\n',
    'A',
    'ß',
    'İ',
    '\u{301}',
    '\u{feff}',
    '\u{ffff}',
    '🦀',
    char::MAX,
];

impl Generate for char {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let byte = entropy.arbitrary::<u8>()?;
        Ok(match byte % 4 {
            0 => ODD[usize::from(byte / 4) % ODD.len()],
            1 | 2 => char::from(b'a' + byte / 4 % 4),
            _ => entropy.arbitrary()?,
        })
    }

    fn simpler(&self) -> Vec<Self> {
        if *self == 'a' { Vec::new() } else { vec!['a'] }
    }
}

impl Generate for String {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        (0..length(entropy)?).map(|_| char::generate(entropy)).collect()
    }

    fn simpler(&self) -> Vec<Self> {
        let letters: Vec<char> = self.chars().collect();
        letters.simpler().into_iter().map(|letters| letters.into_iter().collect()).collect()
    }
}

impl<T: Generate + Clone> Generate for Vec<T> {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        (0..length(entropy)?).map(|_| T::generate(entropy)).collect()
    }

    fn simpler(&self) -> Vec<Self> {
        let (first, second) = self.split_at(self.len() / 2);
        let mut all = vec![Vec::new(), first.to_vec(), second.to_vec()];
        let single = 0..self.len().min(SINGLE_MAX);
        all.extend(single.clone().map(|at| crate::cuts::without(self, &(at..at + 1))));
        all.retain(|shorter| shorter.len() < self.len());
        for at in single {
            all.extend(self[at].simpler().into_iter().map(|simple| {
                let mut list = self.clone();
                list[at] = simple;
                list
            }));
        }
        all
    }
}

impl<T: Generate> Generate for Option<T> {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(if entropy.arbitrary()? { Some(T::generate(entropy)?) } else { None })
    }

    fn simpler(&self) -> Vec<Self> {
        let Some(value) = self else { return Vec::new() };
        [None].into_iter().chain(value.simpler().into_iter().map(Some)).collect()
    }
}

impl<T: Generate> Generate for Box<T> {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        T::generate(entropy).map(Box::new)
    }

    fn simpler(&self) -> Vec<Self> {
        T::simpler(self).into_iter().map(Box::new).collect()
    }
}

impl<T: Generate + Clone, const N: usize> Generate for [T; N] {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let list: arbitrary::Result<Vec<T>> = (0..N).map(|_| T::generate(entropy)).collect();
        Ok(list?.try_into().unwrap_or_else(|_| unreachable!("there are N")))
    }

    fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (at, value) in self.iter().enumerate() {
            for simple in value.simpler() {
                let mut list = self.clone();
                list[at] = simple;
                all.push(list);
            }
        }
        all
    }
}

impl<T: Generate + Clone + Ord> Generate for BTreeSet<T> {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Vec::generate(entropy)?.into_iter().collect())
    }

    fn simpler(&self) -> Vec<Self> {
        let list: Vec<T> = self.iter().cloned().collect();
        list.simpler().into_iter().map(|list| list.into_iter().collect()).collect()
    }
}

impl<K: Generate + Clone + Ord, V: Generate + Clone> Generate for BTreeMap<K, V> {
    fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Vec::generate(entropy)?.into_iter().collect())
    }

    fn simpler(&self) -> Vec<Self> {
        let list: Vec<(K, V)> = self.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        list.simpler().into_iter().map(|list| list.into_iter().collect()).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt)+))*) => {$(
        impl<$($name: Generate + Clone),+> Generate for ($($name,)+) {
            fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
                Ok(($($name::generate(entropy)?,)+))
            }

            fn simpler(&self) -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend(self.$at.simpler().into_iter().map(|simple| {
                    let mut other = self.clone();
                    other.$at = simple;
                    other
                }));)+
                all
            }
        }
    )*};
}
tuples! { (A 0) (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) (A 0 B 1 C 2 D 3 E 4) (A 0 B 1 C 2 D 3 E 4 F 5) }

macro_rules! values_of_sql {
    ($type:ty, $text:expr) => {
        impl Generate for $type {
            fn generate(entropy: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
                Ok(match entropy.arbitrary::<u8>()? % 5 {
                    0 => Self::Null,
                    1 => Self::Integer(i64::generate(entropy)?),
                    // SQLite stores no NaN: it makes NULL of it.
                    2 => {
                        Self::Real(Some(f64::generate(entropy)?).filter(|real| !real.is_nan()).unwrap_or(0.5))
                    }
                    3 => Self::Text($text(String::generate(entropy)?)),
                    _ => Self::Blob(Vec::generate(entropy)?),
                })
            }

            fn simpler(&self) -> Vec<Self> {
                if *self == Self::Null { Vec::new() } else { vec![Self::Null] }
            }
        }
    };
}
values_of_sql!(engine::Value, String::into_bytes);
values_of_sql!(rusqlite::types::Value, std::convert::identity);
