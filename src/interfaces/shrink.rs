//! Makes a case with an inconsistency smaller.

use super::driver::{Case, CaseOf, Found, MakersOf, Signature, run};
use super::plan::Plan;
use crate::cuts::{self, Cuttable};

/// Cases that are run to make one smaller, at most.
const ATTEMPTS_MAX: usize = 5_000;

/// A smaller case with the same signature; `None` if even this one does not show it again.
pub(super) fn minimize<P: Plan>(
    case: CaseOf<P>,
    signature: &Signature,
    mut makers: MakersOf<'_, P>,
) -> Option<(CaseOf<P>, Found)> {
    let found = run::<P>(&case, &mut makers).1.filter(|found| found.signature::<P>(&case) == *signature)?;
    let mut search = Search::<P> { case, found, signature, makers, attempts: 0, accepted: 0 };
    loop {
        let accepted = search.accepted;
        if search.round().is_err() || search.accepted == accepted {
            return Some((search.case, search.found));
        }
    }
}

struct Search<'s, 'm, P: Plan> {
    case: CaseOf<P>,
    found: Found,
    signature: &'s Signature,
    makers: MakersOf<'m, P>,
    attempts: usize,
    accepted: usize,
}

/// The attempts are used up.
struct Exhausted;

impl<P: Plan> Search<'_, '_, P> {
    /// Cuts, then makes arguments simpler: one alone, or in all operations that have it.
    fn round(&mut self) -> Result<(), Exhausted> {
        cuts::cut(self, true)?;
        while self
            .takes_one(P::simpler_arguments(&self.case.arguments), |case, simple| case.arguments = simple)?
        {
        }
        let mut at = 0;
        while at < self.case.list.len() {
            let alone: Vec<_> =
                P::simpler(&self.case.list[at]).into_iter().map(|simple| vec![(at, simple)]).collect();
            let together: Vec<_> = alone.iter().filter_map(|change| self.everywhere(&change[0])).collect();
            let is_simpler =
                self.takes_one(alone.into_iter().chain(together).collect(), |case, change| {
                    change.into_iter().for_each(|(at, simple)| case.list[at] = simple);
                })?;
            at += usize::from(!is_simpler);
        }
        Ok(())
    }

    /// A change of an argument made in every operation that has the same one, as the ids of things have to be changed;
    /// `None` if no other has. Arguments are the same if their source text is.
    fn everywhere(&self, change: &(usize, P::Operation)) -> Option<Vec<(usize, P::Operation)>> {
        let difference = |own: &P::Operation, other: &P::Operation| -> Option<(String, String)> {
            let mut pairs = P::literals(own).into_iter().zip(P::literals(other));
            pairs.find(|(own, other)| own != other)
        };
        let wanted = difference(&self.case.list[change.0], &change.1)?;
        let mut changes = vec![change.clone()];
        for (at, own) in self.case.list.iter().enumerate().filter(|(at, _)| *at != change.0) {
            let same =
                P::simpler(own).into_iter().find(|other| difference(own, other).as_ref() == Some(&wanted));
            changes.extend(same.map(|same| (at, same)));
        }
        (changes.len() > 1).then_some(changes)
    }

    /// Whether one of these was put into the case.
    fn takes_one<V>(&mut self, values: Vec<V>, put: impl Fn(&mut CaseOf<P>, V)) -> Result<bool, Exhausted> {
        for value in values {
            let mut candidate = Case { arguments: self.case.arguments.clone(), list: self.case.list.clone() };
            put(&mut candidate, value);
            if self.takes(candidate)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this became the case: if it shows the same. What follows the inconsistency goes, too.
    fn takes(&mut self, mut candidate: CaseOf<P>) -> Result<bool, Exhausted> {
        if self.attempts == ATTEMPTS_MAX {
            return Err(Exhausted);
        }
        self.attempts += 1;
        let (ran, Some(found)) = run::<P>(&candidate, &mut self.makers) else { return Ok(false) };
        if found.signature::<P>(&candidate) != *self.signature {
            return Ok(false);
        }
        candidate.list.truncate(ran);
        (self.case, self.found) = (candidate, found);
        self.accepted += 1;
        Ok(true)
    }
}

impl<P: Plan> Cuttable for Search<'_, '_, P> {
    type Stop = Exhausted;

    fn count(&self) -> usize {
        self.case.list.len()
    }

    fn step(&mut self, start: usize, size: usize) -> Result<cuts::Step, Exhausted> {
        let end = (start + size).min(self.case.list.len());
        let list = cuts::without(&self.case.list, &(start..end));
        let arguments = self.case.arguments.clone();
        Ok(match self.takes(Case { arguments, list })? {
            true => cuts::Step::Cut(start),
            false => cuts::Step::Passed(end),
        })
    }
}
