//! Which mutations a target uses: the arms of a comparison, all in one program.

use std::fmt;
use std::str::FromStr;

use super::Target;
use crate::mutators::adapter::CROSSOVER;
use crate::mutators::{Family, OperatorWeights};

/// A choice of mutations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// All operators; those that bring new coverage get more turns.
    #[default]
    All,
    /// All operators, with the weights of the table throughout.
    Fixed,
    /// None of ours: libFuzzer's byte mutator on the input as it is, and its own crossover.
    LibFuzzer,
    /// As [`Arm::All`], but for a family of operators.
    Without(Family),
    /// As [`Arm::All`], but for crossover.
    WithoutCrossover,
}

/// What stands before the name of what is switched off.
const WITHOUT: &str = "without:";

impl Arm {
    /// The arms that tell something of a target, the one to compare with first.
    pub fn of_target(target: &Target) -> Vec<Self> {
        let weights = OperatorWeights::new(&target.weights, |_| false);
        let families = Family::ALL.into_iter().filter(|&family| weights.has(family)).map(Self::Without);
        [Self::LibFuzzer, Self::All, Self::Fixed]
            .into_iter()
            .chain(families)
            .chain([Self::WithoutCrossover])
            .collect()
    }

    /// Whether operators that bring new coverage get more turns.
    pub fn is_adaptive(self) -> bool {
        !matches!(self, Self::LibFuzzer | Self::Fixed)
    }

    /// Whether cases are crossed over by us.
    pub fn crosses_over(self) -> bool {
        !matches!(self, Self::LibFuzzer | Self::WithoutCrossover)
    }

    /// The weights of the table with what this arm leaves out switched off.
    pub fn weights(self, target: &Target) -> OperatorWeights {
        OperatorWeights::new(&target.weights, |family| self == Self::Without(family))
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Fixed => f.write_str("fixed"),
            Self::LibFuzzer => f.write_str("libfuzzer"),
            Self::Without(family) => write!(f, "{WITHOUT}{}", family.name()),
            Self::WithoutCrossover => write!(f, "{WITHOUT}{CROSSOVER}"),
        }
    }
}

/// The name of no arm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no arm is named `{name}`; there are {}", known())]
pub struct UnknownArm {
    name: String,
}

fn known() -> String {
    every().map(|arm| arm.to_string()).collect::<Vec<_>>().join(", ")
}

fn every() -> impl Iterator<Item = Arm> {
    let families = Family::ALL.into_iter().map(Arm::Without);
    [Arm::All, Arm::Fixed, Arm::LibFuzzer, Arm::WithoutCrossover].into_iter().chain(families)
}

impl FromStr for Arm {
    type Err = UnknownArm;

    fn from_str(name: &str) -> Result<Self, UnknownArm> {
        every().find(|arm| arm.to_string() == name).ok_or_else(|| UnknownArm { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::{DB_FILE, DB_SQL};

    #[test]
    fn names_are_read_as_they_are_written() {
        every().for_each(|arm| assert_eq!(arm.to_string().parse(), Ok(arm)));
        assert_eq!("without:token".parse(), Ok(Arm::Without(Family::Token)));
        let message = "without:nothing".parse::<Arm>().unwrap_err().to_string();
        assert!(message.contains("`without:nothing`") && message.contains("without:crossover"), "{message}");
    }

    #[test]
    fn a_family_that_a_target_never_uses_is_no_arm_of_it() {
        assert!(Arm::of_target(&DB_SQL).contains(&Arm::Without(Family::Token)));
        assert!(!Arm::of_target(&DB_FILE).contains(&Arm::Without(Family::Token)));
        assert_eq!(Arm::of_target(&DB_FILE)[0], Arm::LibFuzzer);
    }

    #[test]
    fn an_arm_switches_off_what_it_says() {
        assert!(!Arm::Without(Family::Page).weights(&DB_SQL).has(Family::Page));
        assert_eq!(Arm::Fixed.weights(&DB_SQL), Arm::All.weights(&DB_SQL));
        assert!(Arm::Without(Family::Page).crosses_over() && !Arm::WithoutCrossover.crosses_over());
        assert!(!Arm::LibFuzzer.crosses_over());
        assert!(
            Arm::All.is_adaptive() && Arm::Without(Family::Page).is_adaptive() && !Arm::Fixed.is_adaptive()
        );
    }
}
