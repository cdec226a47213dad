//! Which mutators a target uses: the groups of a comparison, all in one program.

use std::fmt;
use std::str::FromStr;

use super::Target;
use crate::mutators::adapter::CROSSOVER;
use crate::mutators::{Family, OperatorWeights};

/// A choice of mutators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// All operators; those that bring new coverage are applied more often.
    #[default]
    All,
    /// All operators, with the weights of the table throughout.
    Fixed,
    /// None of ours: libFuzzer's byte mutator on the input as it is, and its own crossover.
    LibFuzzer,
    /// As [`Group::All`], but without a family of operators.
    Without(Family),
    /// As [`Group::All`], but without crossover.
    WithoutCrossover,
}

/// Prefix of the name of what is switched off.
const WITHOUT: &str = "without:";

impl Group {
    /// The groups that make a difference for a target, the baseline first.
    pub fn of_target(target: &Target) -> Vec<Self> {
        let weights = OperatorWeights::new(&target.weights, |_| false);
        let families = Family::ALL.into_iter().filter(|&family| weights.has(family)).map(Self::Without);
        [Self::LibFuzzer, Self::All, Self::Fixed]
            .into_iter()
            .chain(families)
            .chain([Self::WithoutCrossover])
            .collect()
    }

    /// Whether operators that bring new coverage are applied more often.
    pub fn is_adaptive(self) -> bool {
        !matches!(self, Self::LibFuzzer | Self::Fixed)
    }

    /// Whether our crossover is used.
    pub fn crosses_over(self) -> bool {
        !matches!(self, Self::LibFuzzer | Self::WithoutCrossover)
    }

    /// The weights of the table, without what this group leaves out.
    pub fn weights(self, target: &Target) -> OperatorWeights {
        OperatorWeights::new(&target.weights, |family| self == Self::Without(family))
    }
}

impl fmt::Display for Group {
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

/// An unknown name of a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no group is named `{name}`; there are {}", known())]
pub struct UnknownGroup {
    name: String,
}

fn known() -> String {
    every().map(|group| group.to_string()).collect::<Vec<_>>().join(", ")
}

fn every() -> impl Iterator<Item = Group> {
    let families = Family::ALL.into_iter().map(Group::Without);
    [Group::All, Group::Fixed, Group::LibFuzzer, Group::WithoutCrossover].into_iter().chain(families)
}

impl FromStr for Group {
    type Err = UnknownGroup;

    fn from_str(name: &str) -> Result<Self, UnknownGroup> {
        every().find(|group| group.to_string() == name).ok_or_else(|| UnknownGroup { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::{DB_FILE, DB_SQL};

    #[test]
    fn names_are_read_as_they_are_written() {
        every().for_each(|group| assert_eq!(group.to_string().parse(), Ok(group)));
        assert_eq!("without:token".parse(), Ok(Group::Without(Family::Token)));
        let message = "without:nothing".parse::<Group>().unwrap_err().to_string();
        assert!(message.contains("`without:nothing`") && message.contains("without:crossover"), "{message}");
    }

    #[test]
    fn a_family_that_a_target_never_uses_is_no_arm_of_it() {
        assert!(Group::of_target(&DB_SQL).contains(&Group::Without(Family::Token)));
        assert!(!Group::of_target(&DB_FILE).contains(&Group::Without(Family::Token)));
        assert_eq!(Group::of_target(&DB_FILE)[0], Group::LibFuzzer);
    }

    #[test]
    fn a_group_switches_off_what_it_says() {
        assert!(!Group::Without(Family::Page).weights(&DB_SQL).has(Family::Page));
        assert_eq!(Group::Fixed.weights(&DB_SQL), Group::All.weights(&DB_SQL));
        assert!(Group::Without(Family::Page).crosses_over() && !Group::WithoutCrossover.crosses_over());
        assert!(!Group::LibFuzzer.crosses_over());
        assert!(
            Group::All.is_adaptive()
                && Group::Without(Family::Page).is_adaptive()
                && !Group::Fixed.is_adaptive()
        );
    }
}
