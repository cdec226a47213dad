//! The first and the last release in which a case shows its bug.
//!
//! First, a release that shows the bug is searched. From there, both ends are bisected at the same time, as if a bug came
//! once and went once. Then the releases next to the ends are tried, too, and contradictions are reported: a bug
//! may be hidden in between, or another one may show instead.

mod releases;

pub(crate) use releases::{Bisected, Build, Other, Tried, run_in};

use std::collections::BTreeMap;

use anyhow::Result;

/// What a release shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// The bug.
    Bug,
    /// Something else, or nothing.
    Not,
    /// It could not be tried.
    Unknown,
}

/// What is known about releases, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Those that were tried.
    tried: BTreeMap<usize, Shows>,
}

/// The releases around one that shows the bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first that shows it.
    pub first: usize,
    /// The last that shows it.
    pub last: usize,
    /// The last one before it that does not; `None` if the first is the oldest that could be tried.
    pub before: Option<usize>,
    /// The first one behind it that does not.
    pub after: Option<usize>,
}

impl Found {
    /// The range, if any release shows the bug: the one around the first that was found, `anchor`.
    pub(crate) fn range(&self, anchor: usize) -> Range {
        let not = |shows: &Shows| *shows == Shows::Not;
        let before = self.tried.range(..anchor).rev().find(|(_, shows)| not(shows)).map(|(&at, _)| at);
        let after = self.tried.range(anchor..).find(|(_, shows)| not(shows)).map(|(&at, _)| at);
        let inner = before.map_or(0, |at| at + 1)..after.unwrap_or(usize::MAX);
        let mut showing =
            self.tried.range(inner).filter(|(_, shows)| **shows == Shows::Bug).map(|(&at, _)| at);
        let first = showing.next().unwrap_or(anchor);
        Range { first, last: showing.next_back().unwrap_or(first), before, after }
    }

    /// Releases outside of the range that show the bug all the same.
    pub(crate) fn strays(&self, range: Range) -> Vec<usize> {
        let outside = |at: usize| at < range.first || at > range.last;
        let showing = self.tried.iter().filter(|(_, shows)| **shows == Shows::Bug);
        showing.map(|(&at, _)| at).filter(|&at| outside(at)).collect()
    }

    /// The untried release within `from..to` that is nearest to the middle.
    fn middle(&self, from: usize, to: usize) -> Option<usize> {
        let middle = from + to.saturating_sub(from) / 2;
        let untried = (from..to).filter(|at| !self.tried.contains_key(at));
        untried.min_by_key(|&at| at.abs_diff(middle))
    }

    /// The releases to try next, at most one on each side of `anchor`; none where both ends are known.
    fn next(&self, anchor: usize, count: usize) -> Vec<usize> {
        let Range { first, last, before, after } = self.range(anchor);
        let lower = match before {
            Some(before) => self.middle(before + 1, first),
            // The oldest that can be tried.
            None => (0..first).find(|at| !self.tried.contains_key(at)),
        };
        let upper = match after {
            Some(after) => self.middle(last + 1, after),
            None => (last + 1..count).rev().find(|at| !self.tried.contains_key(at)),
        };
        [lower, upper].into_iter().flatten().collect()
    }
}

/// Tries some of `count` releases until one shows the bug and both ends are known. `try_them`
/// says what some of them show. `None` if none shows the bug.
///
/// # Errors
/// As `try_them`.
pub(crate) fn search(
    count: usize,
    hint: Option<usize>,
    mut try_them: impl FnMut(&[usize]) -> Result<Vec<Shows>>,
) -> Result<Option<(Found, Range)>> {
    let mut found = Found::default();
    let mut look = |found: &mut Found, batch: &[usize]| -> Result<()> {
        found.tried.extend(batch.iter().copied().zip(try_them(batch)?));
        Ok(())
    };
    let mut anchor = None;
    for batch in spread(count, hint).chunks(2) {
        look(&mut found, batch)?;
        anchor = batch.iter().copied().find(|at| found.tried[at] == Shows::Bug);
        if anchor.is_some() {
            break;
        }
    }
    let Some(anchor) = anchor else {
        return Ok(None);
    };
    loop {
        let next = found.next(anchor, count);
        if next.is_empty() {
            break;
        }
        look(&mut found, &next)?;
    }
    // Check the neighbors on both sides of both ends.
    let range = found.range(anchor);
    let near =
        [range.first.checked_sub(2), Some(range.first + 1), range.last.checked_sub(1), Some(range.last + 2)];
    let near = near.into_iter().flatten().filter(|&at| at < count && !found.tried.contains_key(&at));
    let near: Vec<usize> = near.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    for batch in near.chunks(2) {
        look(&mut found, batch)?;
    }
    // A neighbor within that does not show it makes the range a smaller one, whose ends are next to each other all the same.
    let range = found.range(anchor);
    Ok(Some((found, range)))
}

/// All releases, in the order in which one is looked for that shows the bug: the hint, the newest, the oldest, then
/// always in the middle of the widest gap.
fn spread(count: usize, hint: Option<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for at in hint.into_iter().chain((count > 0).then(|| count - 1)).chain((count > 0).then_some(0)) {
        if !order.contains(&at) {
            order.push(at);
        }
    }
    while order.len() < count {
        let mut known = order.clone();
        known.sort_unstable();
        let gap = known.windows(2).max_by_key(|pair| (pair[1] - pair[0], std::cmp::Reverse(pair[0])));
        let Some(&[from, to]) = gap else { break };
        order.push(from + (to - from) / 2);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search over 42 releases finds out, of which `shows` tells; and how many it tried.
    fn searched(hint: Option<usize>, shows: impl Fn(usize) -> Shows) -> (Option<(Found, Range)>, usize) {
        let mut tried = Vec::new();
        let found = search(42, hint, |batch| {
            assert!(!batch.is_empty() && batch.len() <= 2, "{batch:?}");
            tried.extend(batch.to_vec());
            Ok(batch.iter().map(|&at| shows(at)).collect())
        });
        let mut once = tried.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), tried.len(), "none is tried twice");
        (found.unwrap(), tried.len())
    }

    fn within(range: std::ops::RangeInclusive<usize>) -> impl Fn(usize) -> Shows {
        move |at| if range.contains(&at) { Shows::Bug } else { Shows::Not }
    }

    #[test]
    fn both_ends_are_found_wherever_they_lie() {
        for first in 0..42 {
            for last in first..42 {
                let (found, tried) = searched(Some(last), within(first..=last));
                let (found, range) = found.unwrap();
                let expected = Range {
                    first,
                    last,
                    before: first.checked_sub(1),
                    after: Some(last + 1).filter(|&at| at < 42),
                };
                assert_eq!(range, expected);
                assert!(found.strays(range).is_empty());
                assert!(tried <= 19, "{tried} of 42 for {first}..={last}");
                assert_eq!(searched(None, within(first..=last)).0.map(|(_, range)| range), Some(expected));
            }
        }
        assert_eq!(searched(None, |_| Shows::Not), (None, 42));
    }

    #[test]
    fn releases_that_cannot_be_tried_widen_the_ends_and_strays_are_told() {
        let shows = |at: usize| if at % 3 == 1 { Shows::Unknown } else { within(8..=20)(at) };
        let (_, range) = searched(Some(11), shows).0.unwrap();
        assert_eq!(range, Range { first: 8, last: 20, before: Some(6), after: Some(21) });
        // It was there before, and was hidden for a while.
        let shows = |at: usize| if at == 5 { Shows::Bug } else { within(7..=20)(at) };
        let (found, range) = searched(Some(11), shows).0.unwrap();
        assert_eq!((range.first, range.before, found.strays(range)), (7, Some(6), vec![5]));
    }

    #[test]
    fn one_that_shows_it_is_looked_for_all_over() {
        assert_eq!(spread(9, Some(3))[..4], [3, 8, 0, 5]);
        let mut all = spread(42, None);
        assert_eq!(all[..3], [41, 0, 20]);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..42));
        assert!(spread(0, None).is_empty());
    }
}
