//! What a mutator may use.

use std::ops::Range;

use crate::sql::vocabulary::Vocabulary;

/// Bytes that one edit may add.
const GROWTH_BYTES_MAX: usize = 16 << 10;

/// libFuzzer's own mutator, or a stand-in: changes `data[..size]` in place to at most `max_size` bytes
/// and returns the new size.
pub type ByteMutator<'a> = &'a mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// Randomness, words and limits of one mutation.
pub struct Context<'a> {
    /// The only source of randomness.
    pub rng: fastrand::Rng,
    /// The words of the running build.
    pub vocabulary: &'a Vocabulary,
    byte_mutator: ByteMutator<'a>,
    size: usize,
    size_max: usize,
    used: Vec<&'static str>,
}

impl<'a> Context<'a> {
    /// For a case whose encoding has `size` bytes and may have `size_max` afterwards.
    pub fn new(
        seed: u64,
        vocabulary: &'a Vocabulary,
        byte_mutator: ByteMutator<'a>,
        size: usize,
        size_max: usize,
    ) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { rng, vocabulary, byte_mutator, size, size_max, used: Vec::new() }
    }

    /// True if the case must become smaller: libFuzzer minimises a crash this way.
    pub fn is_shrinking(&self) -> bool {
        self.size_max < self.size
    }

    /// Bytes that an edit may add.
    pub fn room(&self) -> usize {
        self.size_max.saturating_sub(self.size).min(GROWTH_BYTES_MAX)
    }

    /// The mutators that took part, in order.
    pub fn mutators_used(&self) -> &[&'static str] {
        &self.used
    }

    pub(super) fn used(&mut self, name: &'static str) {
        self.used.push(name);
    }

    /// Changes `bytes` with libFuzzer's own mutations, which use its dictionary and the operands of
    /// comparisons; `bytes` grow by at most `room`.
    pub fn mutate_bytes(&mut self, bytes: &mut Vec<u8>, room: usize) {
        let size = bytes.len();
        let size_max = size + room.min(self.room());
        bytes.resize(size_max, 0);
        let new_size = (self.byte_mutator)(bytes, size, size_max).min(size_max);
        bytes.truncate(new_size);
    }

    /// True with a probability of `percent` in 100.
    pub fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// A random element; `None` if the slice is empty.
    pub fn pick<'s, T>(&mut self, from: &'s [T]) -> Option<&'s T> {
        if from.is_empty() { None } else { Some(&from[self.rng.usize(0..from.len())]) }
    }

    /// A range of one to `length_max` elements within `0..count`; `None` if there are none.
    pub fn range(&mut self, count: usize, length_max: usize) -> Option<Range<usize>> {
        if count == 0 {
            return None;
        }
        let start = self.rng.usize(0..count);
        let length = self.rng.usize(1..=length_max.max(1)).min(count - start);
        Some(start..start + length)
    }

    /// A number that is likely to be at a boundary of a field of `width` bytes, near `old`, or random.
    pub fn number(&mut self, old: u64, width: usize) -> u64 {
        let bits = 8 * width.clamp(1, 8) as u32;
        let all = u64::MAX >> (64 - bits);
        let value = match self.rng.u8(0..10) {
            0 => 0,
            1 => 1,
            2 => all,
            3 => all >> 1,
            4 => (all >> 1) + 1,
            5 => old.wrapping_add(1),
            6 => old.wrapping_sub(1),
            7 => old ^ 1 << self.rng.u32(0..bits),
            8 => self.rng.u64(0..256),
            _ => self.rng.u64(..),
        };
        value & all
    }
}
