//! Which oracles judge, as the command line names them.

use std::fmt;
use std::str::FromStr;

use tandem::TestCase;
use tandem::oracles::{self, Entry};
use tandem::targets::Target;

/// Stands for all oracles.
const ALL: &str = "all";
/// Stands for those that judge unless others are named: all but the expensive ones.
const USUAL: &str = "usual";

/// The oracles that judge. Whatever they are, a crash or a hang is a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oracles(Vec<String>);

impl Oracles {
    /// All of them.
    pub fn all() -> Self {
        Self(vec![ALL.to_owned()])
    }

    /// Those that judge unless others are named, and the one that a signature is from: what shows that bug again.
    pub fn for_signature(signature: &str) -> Self {
        let name = signature.split('/').next().unwrap_or_default();
        let is_it = |entry: &&&Entry| entry.name == name && !entry.is_usual();
        let requested = oracles::all().iter().find(is_it).map(|entry| entry.name.to_owned());
        Self(std::iter::once(USUAL.to_owned()).chain(requested).collect())
    }

    /// Those for a signature, or all if it is not known yet.
    pub fn for_bug(signature: Option<&str>) -> Self {
        signature.map_or_else(Self::all, Self::for_signature)
    }

    /// Whether an oracle judges a case of a target.
    pub fn judges(&self, entry: &Entry, target: &Target, case: &TestCase) -> bool {
        self.0
            .iter()
            .any(|name| name == ALL || name == USUAL && target.asks(case, entry) || name == entry.name)
    }

    /// Whether they are named, each of them: somebody wants what they say.
    pub fn are_named(&self) -> bool {
        self.0.iter().all(|name| name != ALL && name != USUAL)
    }

    /// The argument that selects them; none for the usual ones.
    pub fn argument(&self) -> Option<String> {
        (*self != Self::default()).then(|| format!("--oracles={self}"))
    }
}

impl Default for Oracles {
    fn default() -> Self {
        Self(vec![USUAL.to_owned()])
    }
}

impl fmt::Display for Oracles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl FromStr for Oracles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || oracles::all().iter().map(|entry| entry.name).chain([ALL, USUAL]);
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        match names.iter().find(|name| known().all(|other| other != name.as_str())) {
            None => Ok(Self(names)),
            Some(name) => {
                let known: Vec<&str> = known().collect();
                Err(format!("no oracle is named `{name}`: there are {}", known.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracles_are_those_that_are_named() {
        let judging = |chosen: &Oracles| -> Vec<&str> {
            let (target, case) = (&tandem::targets::SQL, TestCase::default());
            let judge = oracles::all().iter().filter(|entry| chosen.judges(entry, target, &case));
            judge.map(|entry| entry.name).collect()
        };
        let read = |text: &str| text.parse::<Oracles>().expect(text);
        let usual = judging(&Oracles::default());
        assert!(!usual.contains(&"determinism") && usual.contains(&"code"));
        assert_eq!(judging(&read("all")).len(), oracles::all().len());
        assert_eq!(judging(&read("memory,determinism")), ["memory", "determinism"]);
        assert_eq!(judging(&read("usual,determinism")).len(), usual.len() + 1);
        let error = read_error("code,magic");
        assert!(
            error.contains("`magic`") && error.contains("code") && error.contains("determinism"),
            "{error}"
        );
        assert!(read_error("").contains("``"));
        // What a bug needs, and how it is given to `run`.
        let bug = Oracles::for_signature("determinism/trace/second-run");
        assert_eq!(bug.argument().as_deref(), Some("--oracles=usual,determinism"));
        assert_eq!(Oracles::for_signature("code/SQLITE_CORRUPT/SELECT"), Oracles::default());
        assert_eq!(Oracles::for_signature("crash/SIGABRT/f").argument(), None);
    }

    fn read_error(text: &str) -> String {
        text.parse::<Oracles>().expect_err(text)
    }
}
