//! Prefers operators that bring new coverage.
//!
//! Strategy: every [`EPOCH_MUTATIONS`] mutations the weights are recomputed, as a product of three. The table
//! says what is sensible. The recent yield of an operator, relative to that of all, says what pays at this
//! stage of a campaign ([`YIELD_PERCENT`] bounds it: what pays little now may pay later, which is never found out
//! without trying). Chance is the third ([`SWARM_PERCENT`], swarm testing): if all runs mix everything equally,
//! an operator that hides the effect of another always does so.
//!
//! Randomness comes from the seed of the first mutation, which libFuzzer draws: the same `-seed` gives the same weights.

use crate::mutators::{MUTATORS, OperatorWeights};

/// Mutations with the same weights.
pub const EPOCH_MUTATIONS: u64 = 1024;
/// By how much the yield of an operator changes its weight.
pub const YIELD_PERCENT: std::ops::RangeInclusive<u64> = 33..=300;
/// What chance makes of a weight.
pub const SWARM_PERCENT: [u32; 5] = [25, 50, 100, 100, 200];

/// Maximum features of a run that count: a single case that opens up a module says little about the operator.
const FEATURES_MAX: u64 = 64;
/// Uses with an average yield that every operator is assumed to have had: a few uses decide nothing.
const PRIOR_USES: u64 = 32 * UNIT;
/// Each epoch forgets this part of the history.
const FORGETTING: u64 = 8;
/// What a use and a feature count as, so that forgetting a part of them leaves something.
const UNIT: u64 = 64;

/// The recent history of an operator.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    uses: u64,
    features: u64,
}

/// Weights that follow the yield of operators.
#[derive(Debug, Clone)]
pub struct Adaptive {
    base: OperatorWeights,
    recent: [Recent; MUTATORS.len()],
    mutations: u64,
    rng: Option<fastrand::Rng>,
}

impl Adaptive {
    /// Begins with weights.
    pub fn new(base: OperatorWeights) -> Self {
        Self { base, recent: [Recent::default(); MUTATORS.len()], mutations: 0, rng: None }
    }

    /// To be called before each mutation with its seed; returns the new weights when an epoch begins.
    pub fn next_mutation(&mut self, seed: u64) -> Option<OperatorWeights> {
        let is_first = self.mutations.is_multiple_of(EPOCH_MUTATIONS);
        self.mutations += 1;
        if !is_first {
            return None;
        }
        let rng = self.rng.get_or_insert_with(|| fastrand::Rng::with_seed(seed));
        let swarm = [(); MUTATORS.len()].map(|()| SWARM_PERCENT[rng.usize(0..SWARM_PERCENT.len())]);
        let weights = self.base.scaled(|index| self.yield_percent(index) * swarm[index] / 100);
        for recent in &mut self.recent {
            recent.uses -= recent.uses / FORGETTING;
            recent.features -= recent.features / FORGETTING;
        }
        Some(weights)
    }

    /// Records that these operators made an input, and how many features it brought.
    pub fn credit(&mut self, operators: &[&'static str], features: u64) {
        for (recent, _) in
            self.recent.iter_mut().zip(MUTATORS).filter(|(_, entry)| operators.contains(&entry.name))
        {
            recent.uses += UNIT;
            recent.features += UNIT * features.min(FEATURES_MAX);
        }
    }

    /// Features per use of an operator as a percentage of the average, within bounds.
    fn yield_percent(&self, index: usize) -> u32 {
        let uses: u64 = self.recent.iter().map(|recent| recent.uses).sum();
        let features: u64 = self.recent.iter().map(|recent| recent.features).sum();
        if uses == 0 || features == 0 {
            return 100;
        }
        let average = |uses_of: u64| u128::from(uses_of) * u128::from(features);
        let Recent { uses: own_uses, features: own_features } = self.recent[index];
        let own = u128::from(own_features) * u128::from(uses) + average(PRIOR_USES);
        let percent = 100 * own / average(own_uses + PRIOR_USES);
        let percent = u64::try_from(percent).unwrap_or(u64::MAX);
        percent.clamp(*YIELD_PERCENT.start(), *YIELD_PERCENT.end()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::SQL;

    const RICH: usize = 4;
    const DEAD: usize = 5;

    fn base() -> OperatorWeights {
        OperatorWeights::new(&SQL.weights, |_| false)
    }

    /// The sums of the weights over epochs, to even out chance.
    fn weights_over(adaptive: &mut Adaptive, epochs: u64, features: impl Fn(usize) -> u64) -> Vec<u64> {
        let mut sums = vec![0; MUTATORS.len()];
        for mutation in 0..epochs * EPOCH_MUTATIONS {
            if let Some(weights) = adaptive.next_mutation(7) {
                sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += u64::from(weights.of(i)));
            }
            let index = mutation as usize % 12;
            adaptive.credit(&[MUTATORS[index].name], features(index));
        }
        sums
    }

    #[test]
    fn what_yields_gets_more_turns_and_what_is_dead_fewer_but_some() {
        let base = base();
        let mut adaptive = Adaptive::new(base.clone());
        let planted = |index| match index {
            RICH => 60,
            DEAD => 0,
            _ => 5,
        };
        let sums = weights_over(&mut adaptive, 200, planted);
        let ratio = |index: usize| sums[index] as f64 / 200.0 / f64::from(base.of(index));
        assert!(ratio(RICH) > 2.0 && ratio(DEAD) < 0.5 && ratio(DEAD) > 0.1, "{sums:?}");
        assert_eq!((adaptive.yield_percent(RICH), adaptive.yield_percent(DEAD)), (300, 33));

        // What paid once and pays no more is forgotten.
        weights_over(&mut adaptive, 60, |index| if index == DEAD { 60 } else { 1 });
        assert!(adaptive.yield_percent(RICH) < 50 && adaptive.yield_percent(DEAD) == 300);
    }

    #[test]
    fn without_news_only_chance_changes_weights() {
        let base = base();
        let mut adaptive = Adaptive::new(base.clone());
        let sums = weights_over(&mut adaptive, 400, |_| 0);
        for (index, sum) in sums.into_iter().enumerate() {
            let ratio = sum as f64 / 400.0 / f64::from(base.of(index).max(1));
            assert!(base.of(index) == 0 && sum == 0 || (0.8..1.1).contains(&ratio), "{index}: {ratio}");
        }
        // Few uses decide little, however rich.
        adaptive = Adaptive::new(base);
        adaptive.credit(&[MUTATORS[RICH].name], 64);
        adaptive.credit(&[MUTATORS[DEAD].name], 0);
        assert!((100..110).contains(&adaptive.yield_percent(RICH)));
    }

    #[test]
    fn the_same_seed_gives_the_same_weights_and_one_run_counts_only_so_much() {
        let first = |seed| Adaptive::new(base()).next_mutation(seed).unwrap();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
        let mut adaptive = Adaptive::new(base());
        assert!(adaptive.next_mutation(1).is_some() && adaptive.next_mutation(1).is_none());
        adaptive.credit(&[MUTATORS[RICH].name, "raw"], 1_000_000);
        assert_eq!(adaptive.recent[RICH].features, FEATURES_MAX * UNIT);
    }
}
