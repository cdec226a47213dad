//! How often each operator is chosen.

use std::array;

use super::{Family, MUTATORS, Part, Weights};

/// The approximate sum of all weights: large enough that even a share of a thousandth can be scaled up and down.
const SCALE: u64 = 1 << 20;

/// A weight for each entry of [`MUTATORS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorWeights([u32; MUTATORS.len()]);

impl OperatorWeights {
    /// The table's weights, with the parts of the case weighted as a target asks. A family that `is_off` gets nothing;
    /// its share goes to the other families of its part, or to the other parts if it has none.
    pub fn new(weights: &Weights, is_off: impl Fn(Family) -> bool) -> Self {
        let sum = |part: Part| -> u64 {
            let members =
                MUTATORS.iter().filter(|entry| entry.family.part() == part && !is_off(entry.family));
            members.map(|entry| u64::from(entry.weight)).sum()
        };
        let parts: u64 =
            Part::ALL.into_iter().filter(|&part| sum(part) > 0).map(|part| u64::from(weights.of(part))).sum();
        Self(array::from_fn(|i| {
            let entry = &MUTATORS[i];
            if is_off(entry.family) || parts == 0 {
                return 0;
            }
            let part = entry.family.part();
            let share = SCALE * u64::from(weights.of(part)) * u64::from(entry.weight);
            u32::try_from(share / (sum(part) * parts)).expect("a share of SCALE")
        }))
    }

    /// The weight of the operator at `index` in [`MUTATORS`].
    pub fn of(&self, index: usize) -> u32 {
        self.0[index]
    }

    /// True if the family is ever chosen.
    pub fn has(&self, family: Family) -> bool {
        MUTATORS.iter().zip(self.0).any(|(entry, weight)| entry.family == family && weight > 0)
    }

    /// These weights, each scaled by a factor in percent. A nonzero weight stays nonzero.
    #[must_use]
    pub fn scaled(&self, percent: impl Fn(usize) -> u32) -> Self {
        Self(array::from_fn(|i| {
            let scaled = u64::from(self.0[i]) * u64::from(percent(i)) / 100;
            u32::try_from(scaled).unwrap_or(u32::MAX / MUTATORS.len() as u32).max(self.0[i].min(1))
        }))
    }

    /// Draws the index of an operator; `None` if no operator has a weight.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Option<usize> {
        let total: u32 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        let mut point = rng.u32(0..total);
        self.0.iter().position(|&weight| {
            let is_it = point < weight;
            point = point.saturating_sub(weight);
            is_it
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::{DB_SQL, SQL, TARGETS};

    fn share(weights: &OperatorWeights, belongs: impl Fn(Family) -> bool) -> f64 {
        let sum = |belongs: &dyn Fn(Family) -> bool| -> u32 {
            let members = MUTATORS.iter().zip(weights.0).filter(|(entry, _)| belongs(entry.family));
            members.map(|(_, weight)| weight).sum()
        };
        f64::from(sum(&belongs)) / f64::from(sum(&|_| true))
    }

    #[test]
    fn a_target_weighs_the_parts_and_the_table_their_members() {
        for target in TARGETS {
            let weights = OperatorWeights::new(&target.weights, |_| false);
            let all: u32 = Part::ALL.into_iter().map(|part| target.weights.of(part)).sum();
            for part in Part::ALL {
                let wanted = f64::from(target.weights.of(part)) / f64::from(all);
                let got = share(&weights, |family| family.part() == part);
                assert!((got - wanted).abs() < 0.001, "{} {part:?}: {got} for {wanted}", target.name);
            }
        }
        let weights = OperatorWeights::new(&DB_SQL.weights, |_| false);
        let of = |name| weights.of(MUTATORS.iter().position(|entry| entry.name == name).unwrap());
        assert!(of("sql_statement_delete").abs_diff(3 * of("sql_statement_duplicate") / 2) <= 2);
    }

    #[test]
    fn what_is_switched_off_leaves_its_share_to_its_part_or_to_all() {
        let off = |family: Family| family == Family::Token;
        let weights = OperatorWeights::new(&DB_SQL.weights, off);
        assert!(!weights.has(Family::Token) && weights.has(Family::Statement));
        let sql = f64::from(DB_SQL.weights.sql) / 100.0;
        assert!((share(&weights, |family| family.part() == Part::Sql) - sql).abs() < 0.001);
        let whole_part = OperatorWeights::new(&DB_SQL.weights, |family| family == Family::Joint);
        assert!((share(&whole_part, |family| family.part() == Part::Sql) - sql / 0.9).abs() < 0.001);
        let mut rng = fastrand::Rng::with_seed(1);
        let drawn = (0..2000).map(|_| weights.draw(&mut rng).unwrap());
        assert!(drawn.into_iter().all(|index| MUTATORS[index].family != Family::Token));
        assert_eq!(OperatorWeights::new(&SQL.weights, |_| true).draw(&mut rng), None);
    }

    #[test]
    fn draws_follow_the_weights_and_scaling_switches_nothing_on_or_off() {
        let base = OperatorWeights::new(&SQL.weights, |_| false);
        let scaled = base.scaled(|index| if index == 4 { 300 } else { 0 });
        for (index, entry) in MUTATORS.iter().enumerate() {
            assert_eq!(base.of(index) == 0, scaled.of(index) == 0, "{}", entry.name);
        }
        assert_eq!(scaled.of(4), 3 * base.of(4));
        let mut rng = fastrand::Rng::with_seed(2);
        let drawn = (0..1000).filter(|_| scaled.draw(&mut rng) == Some(4)).count();
        assert!(drawn > 990, "{drawn}");
    }
}
