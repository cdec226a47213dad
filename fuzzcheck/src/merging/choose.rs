//! Chooses the cases to keep: a pure function of the measured features.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use tandem::testcase::CaseId;

use super::features::Features;

/// The chosen cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The chosen candidates.
    pub cases: BTreeSet<CaseId>,
    /// What they reach together with the cases that are kept anyway.
    pub features: BTreeSet<u32>,
}

/// Of `candidates`, those that add a feature to the cases before them: first those that are kept anyway, then the
/// candidates, smallest first, by identity where two are of one size. `max` of them at most: those that add most.
///
/// Chosen cases are chosen again, whichever other candidates are there the next time: a case that was not chosen
/// added nothing, and without it all others add the same.
pub(crate) fn choose(
    features: &Features,
    kept: &[CaseId],
    candidates: &[(usize, CaseId)],
    max: Option<usize>,
) -> Choice {
    let base: BTreeSet<u32> = kept.iter().flat_map(|id| features.of(id)).collect();
    let mut reached = base.clone();
    let mut ordered = candidates.to_vec();
    ordered.sort_unstable();
    let mut chosen = Vec::new();
    for (bytes, id) in ordered {
        let added = features.of(&id).filter(|&feature| reached.insert(feature)).count();
        if added > 0 {
            chosen.push((Reverse(added), bytes, id));
        }
    }
    if let Some(max) = max.filter(|&max| max < chosen.len()) {
        chosen.sort_unstable();
        chosen.truncate(max);
        reached = base;
        reached.extend(chosen.iter().flat_map(|(.., id)| features.of(id)));
    }
    Choice { cases: chosen.into_iter().map(|(.., id)| id).collect(), features: reached }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> CaseId {
        CaseId::from_bytes([byte; 32])
    }

    fn measured(cases: &[(u8, &[u32])]) -> Features {
        let mut features = Features::new([0; 32]);
        for (case, set) in cases {
            features.insert(id(*case), &set.iter().copied().collect());
        }
        features
    }

    #[test]
    fn small_cases_that_add_something_are_left() {
        let features =
            measured(&[(1, &[1, 2]), (2, &[2]), (3, &[2, 3]), (4, &[3]), (5, &[1, 2, 3, 4]), (6, &[3])]);
        // 1 is kept anyway; 4 and 6 are alike and of one size.
        let candidates = [(50, id(5)), (10, id(6)), (10, id(4)), (20, id(3)), (5, id(2)), (1, id(9))];
        let choice = choose(&features, &[id(1)], &candidates, None);
        assert_eq!(choice.cases, BTreeSet::from([id(4), id(5)]));
        assert_eq!(choice.features, BTreeSet::from([1, 2, 3, 4]));
        // Nothing that was not measured is left, and nothing twice.
        assert!(choose(&features, &[id(1), id(5)], &candidates, None).cases.is_empty());
    }

    #[test]
    fn a_choice_of_what_was_chosen_is_the_same() {
        let mut random = 1u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        for _ in 0..50 {
            let sets: Vec<Vec<u32>> = (0..60).map(|_| (0..5).map(|_| next(120)).collect()).collect();
            let cases: Vec<(u8, &[u32])> = (0..).zip(sets.iter().map(Vec::as_slice)).collect();
            let features = measured(&cases);
            let all: Vec<(usize, CaseId)> = (5..60).map(|case| (next(30) as usize, id(case))).collect();
            let kept: Vec<CaseId> = (0..5).map(id).collect();
            for max in [None, Some(9)] {
                let first = choose(&features, &kept, &all, max);
                let rest: Vec<_> =
                    all.iter().filter(|(_, case)| first.cases.contains(case)).copied().collect();
                assert_eq!(choose(&features, &kept, &rest, max), first);
                assert_eq!(
                    choose(&features, &kept, &all.iter().rev().copied().collect::<Vec<_>>(), max),
                    first
                );
                assert!(max.is_none_or(|max| first.cases.len() == max));
            }
        }
    }

    #[test]
    fn of_too_many_those_that_add_most_are_left() {
        let features = measured(&[(1, &[1]), (2, &[2, 3, 4]), (3, &[5, 6])]);
        let all = [(1, id(1)), (2, id(2)), (3, id(3))];
        assert_eq!(choose(&features, &[], &all, Some(2)).cases, BTreeSet::from([id(2), id(3)]));
        let one = choose(&features, &[], &all, Some(1));
        assert_eq!((one.cases, one.features), (BTreeSet::from([id(2)]), BTreeSet::from([2, 3, 4])));
        assert!(choose(&features, &[], &all, Some(0)).cases.is_empty());
    }
}
