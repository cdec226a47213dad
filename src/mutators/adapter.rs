//! Converts between libFuzzer's byte buffers and cases.
//!
//! # libFuzzer's contract (`FuzzerMutate.cpp`)
//! * Return a size from 1 to `max_size`; anything beyond is cut off silently, which breaks an envelope.
//! * Same data and seed: same result.
//! * `max_size < size` requests a smaller input.
//! * With a custom mutator in place, libFuzzer's dictionary and comparison hints work only through the
//!   byte mutator that it provides.

use super::{Context, OperatorWeights, Outcome, crossover as cross};
use crate::sql::vocabulary::Vocabulary;
use crate::testcase::TestCase;

/// The name under which libFuzzer's own mutation of an encoded case is counted.
pub const RAW: &str = "raw";
/// The name under which a crossover is counted.
pub const CROSSOVER: &str = "crossover";

/// How inputs are read and how often each operator is used.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Reads any bytes as a case.
    pub decode: fn(&[u8]) -> TestCase,
    /// Weights of the operators.
    pub weights: OperatorWeights,
}

/// What [`mutate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Size of the new input in bytes.
    pub size: usize,
    /// The operators that took part, in order; [`RAW`] for none of ours.
    pub operators: Vec<&'static str>,
}

/// Maximum number of mutations tried until one fits.
const ATTEMPTS_MAX: u64 = 16;
/// Percentage of libFuzzer's crossover requests that are granted. It would spend half of its turns on them; this
/// leaves about a sixth: 0.5 · 0.2 / (0.5 + 0.5 · 0.2).
const CROSSOVER_PERCENT: u8 = 20;
/// Percentage of mutations of the encoding itself: other engines' inputs look like their results.
const RAW_PERCENT: u8 = 1;

/// Mutates `data[..size]` in place to at most `max_size` bytes; the new size is 0 only if `max_size` is.
pub fn mutate(
    setup: &Setup,
    vocabulary: &Vocabulary,
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u64,
    mut byte_mutator: impl FnMut(&mut [u8], usize, usize) -> usize,
) -> Mutation {
    let original = data[..size].to_vec();
    let case = (setup.decode)(&original);
    for attempt in 0..ATTEMPTS_MAX {
        let seed = seed.wrapping_add(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut context = Context::new(seed, vocabulary, &mut byte_mutator, size, max_size);
        if context.chance(RAW_PERCENT) {
            break;
        }
        let mut new = case.clone();
        if super::mutate(&mut new, &setup.weights, &mut context) == Outcome::Skipped {
            continue;
        }
        let encoded = new.encode();
        if encoded.len() <= max_size && encoded != original {
            data[..encoded.len()].copy_from_slice(&encoded);
            return Mutation { size: encoded.len(), operators: context.mutators_used().to_vec() };
        }
    }
    let size = raw(data, &original, max_size, seed, byte_mutator);
    Mutation { size, operators: vec![RAW] }
}

/// The last resort: libFuzzer's own mutation of the raw bytes.
fn raw(
    data: &mut [u8],
    original: &[u8],
    max_size: usize,
    seed: u64,
    mut byte_mutator: impl FnMut(&mut [u8], usize, usize) -> usize,
) -> usize {
    let kept = original.len().min(max_size);
    data[..kept].copy_from_slice(&original[..kept]);
    let new_size = byte_mutator(data, kept, max_size).min(max_size);
    if new_size > 0 || max_size == 0 {
        return new_size;
    }
    // A digit is a case as good as any other.
    data[0] = b'0' + (seed % 10) as u8;
    1
}

/// Writes a mixture of two inputs to `out` and returns its size; 0 tells libFuzzer to do
/// something else.
pub fn crossover(
    decode: fn(&[u8]) -> TestCase,
    vocabulary: &Vocabulary,
    first: &[u8],
    second: &[u8],
    out: &mut [u8],
    seed: u64,
) -> usize {
    let mut no_bytes = |_: &mut [u8], size: usize, _: usize| size;
    let mut context = Context::new(seed, vocabulary, &mut no_bytes, first.len(), out.len());
    if !context.chance(CROSSOVER_PERCENT) {
        return 0;
    }
    let (a, b) = (decode(first), decode(second));
    let encoded = cross::mix(&a, &b, &mut context).encode();
    if encoded.len() > out.len() || encoded == first {
        return 0;
    }
    out[..encoded.len()].copy_from_slice(&encoded);
    encoded.len()
}
