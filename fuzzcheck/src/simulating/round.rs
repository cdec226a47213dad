//! The verdicts of one comparison of a script, and what to leave out of the next.

use std::collections::BTreeSet;
use std::ops::Range;

use tandem::difference::known::{self, Version};
use tandem::difference::{Comparison, Difference, Said, UNKNOWN};
use tandem::generators::simulation::Simulation;

use super::{Outcome, Verdict};

/// The steps to leave out, with the queries that show what they did.
pub(super) fn with_checks(
    simulation: &Simulation,
    mut parting: BTreeSet<usize>,
    outcome: &mut Outcome,
) -> BTreeSet<usize> {
    for (check, step) in simulation.steps.iter().enumerate() {
        // A query that has shown what its statement did stays what it was.
        if step.checks.is_some_and(|write| parting.contains(&write))
            && parting.insert(check)
            && outcome.steps[check] == Verdict::NotReached
        {
            outcome.steps[check] = Verdict::Skipped("the statement before it is left out".to_owned());
        }
    }
    parting.retain(|step| !outcome.left_out.contains(step));
    parting
}

/// One comparison of a script without some of its steps.
pub(super) struct Round<'r> {
    pub(super) comparison: &'r Comparison,
    pub(super) places: &'r [(usize, Range<usize>)],
    pub(super) versions: Option<[Version; 2]>,
}

impl Round<'_> {
    /// Notes its verdicts; the steps without which the rest can be compared, none if all was.
    pub(super) fn judge(&self, simulation: &Simulation, outcome: &mut Outcome) -> BTreeSet<usize> {
        let mut parting = BTreeSet::new();
        // The last that was not the same in front of those that were not compared.
        let mut last_other = None;
        let mut is_behind = false;
        let mut marked = 0;
        for mark in &self.comparison.marks {
            let Some(step) = self.step_at(&mark.sql) else { continue };
            marked += 1;
            let verdict = match &mark.said {
                Said::Same => Verdict::Pass,
                Said::Skipped(reason) => Verdict::Skipped(reason.clone()),
                Said::Differs(index) => self.verdict(&self.comparison.differences[*index], outcome),
                Said::Behind => {
                    is_behind = true;
                    continue;
                }
            };
            if mark.said == Said::Skipped(UNKNOWN.to_owned()) {
                parting.insert(step);
            } else if verdict != Verdict::Pass && !is_behind {
                last_other = Some(step);
            }
            // The write did something else, though it said the same.
            if let (Some(write), Verdict::Failed(_)) = (simulation.steps[step].checks, &verdict) {
                parting.extend([write, step]);
            }
            outcome.steps[step] = verdict;
        }
        if !self.comparison.is_end_compared && parting.is_empty() {
            match (last_other, self.places.get(marked)) {
                // Cut short, or not run by one of them.
                (_, Some((step, _))) if !is_behind => {
                    let reasons: Vec<&str> = self.comparison.skipped.keys().map(String::as_str).collect();
                    outcome.steps[*step] = Verdict::Skipped(reasons.join(", "));
                    parting.insert(*step);
                }
                (Some(step), _) => _ = parting.insert(step),
                _ => {}
            }
        }
        self.judge_end(outcome);
        with_checks(simulation, parting, outcome)
    }

    fn judge_end(&self, outcome: &mut Outcome) {
        let at_the_end: Vec<Verdict> =
            self.comparison.at_the_end().map(|difference| self.verdict(difference, outcome)).collect();
        let is_compared = self.comparison.is_end_compared;
        outcome.end = match (is_compared, at_the_end.is_empty()) {
            (true, true) => vec![Verdict::Pass],
            (false, true) => vec![Verdict::NotReached],
            (_, false) => at_the_end,
        };
    }

    /// The verdict of a difference, which is noted if nothing explains it.
    fn verdict(&self, difference: &Difference, outcome: &mut Outcome) -> Verdict {
        if let Some(known) = self.versions.and_then(|versions| known::explain(difference, versions)) {
            return Verdict::Skipped(format!("known difference: {}", known.name));
        }
        if let Some(reason) = &difference.warning {
            return Verdict::Warning(reason.clone());
        }
        let signature = difference.signature().to_string();
        outcome.add(signature.clone(), &difference.message, &outcome.case.clone(), None);
        Verdict::Failed(signature)
    }

    /// The step whose text is in this part of the script.
    fn step_at(&self, range: &Range<usize>) -> Option<usize> {
        let at = self.places.partition_point(|(_, place)| place.end <= range.start);
        let (step, place) = self.places.get(at)?;
        (place.start < range.end.max(range.start + 1)).then_some(*step)
    }
}
