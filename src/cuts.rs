//! Makes a list smaller as long as somebody says that what is left will do: the strategy of all that Tandem minimizes,
//! whatever its places are.
//!
//! # Strategy
//! All places at once, then halves, quarters and so on down to single ones (Zeller and Hildebrandt, *Simplifying and
//! Isolating Failure-Inducing Input*, TSE 2002). Where something went, the search goes on in the same place.
//!
//! # Invariants
//! * After a walk that cut nothing, no single place can go.
//! * This module knows neither what is cut nor who judges it.

use std::ops::Range;

/// What one attempt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What began at this place is gone, and what followed has moved up.
    Cut(usize),
    /// Nothing before this place can go.
    Passed(usize),
}

/// Something with places that may go.
pub trait Cuttable {
    /// Why a walk ends early.
    type Stop;

    /// Number of places that it has now.
    fn count(&self) -> usize;

    /// Tries to be without the `size` places from `start` on (fewer at the end), or without as many later ones.
    ///
    /// # Errors
    /// If the walk must end.
    fn step(&mut self, start: usize, size: usize) -> Result<Step, Self::Stop>;
}

/// Walks over all places: with pieces of every size, or, if they cannot go together, one by one.
///
/// # Errors
/// Those of [`Cuttable::step`].
pub fn cut<C: Cuttable>(list: &mut C, is_divisible: bool) -> Result<(), C::Stop> {
    let mut size = if is_divisible { list.count() } else { 1 };
    while size > 0 {
        let mut start = 0;
        while start < list.count() {
            start = match list.step(start, size)? {
                Step::Cut(place) => place,
                Step::Passed(next) => next,
            };
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    Ok(())
}

/// A list without the items at these places.
pub fn without<T: Clone>(list: &[T], places: &Range<usize>) -> Vec<T> {
    [&list[..places.start], &list[places.end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which some are needed.
    struct Numbers {
        list: Vec<u32>,
        needed: Vec<u32>,
        steps_left: usize,
    }

    impl Cuttable for Numbers {
        type Stop = ();

        fn count(&self) -> usize {
            self.list.len()
        }

        fn step(&mut self, start: usize, size: usize) -> Result<Step, ()> {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(())?;
            let end = (start + size).min(self.list.len());
            let shorter = without(&self.list, &(start..end));
            if self.needed.iter().all(|needed| shorter.contains(needed)) {
                self.list = shorter;
                return Ok(Step::Cut(start));
            }
            Ok(Step::Passed(end))
        }
    }

    fn numbers(needed: &[u32]) -> Numbers {
        Numbers { list: (0..1000).collect(), needed: needed.to_vec(), steps_left: 200 }
    }

    #[test]
    fn what_is_needed_is_left() {
        for needed in [&[][..], &[0], &[999], &[3, 500, 501]] {
            let mut all = numbers(needed);
            cut(&mut all, true).expect("far fewer steps than places");
            assert_eq!(all.list, needed);
        }
    }

    #[test]
    fn single_places_are_tried_one_by_one_until_somebody_stops() {
        let mut all = Numbers { steps_left: 1000, ..numbers(&[7]) };
        assert_eq!((cut(&mut all, false), all.list.as_slice()), (Ok(()), &[7][..]));
        let mut all = numbers(&[7]);
        assert_eq!((cut(&mut all, false), all.list.len()), (Err(()), 801));
    }
}
