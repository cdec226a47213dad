//! A case in a corpus, and what is said of it.

use super::versions::VersionRange;
use crate::testcase::TestCase;

/// Why a case is in the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Written by hand, or made from what was.
    Seed,
    /// Found by fuzzing: it reaches code that no other case does.
    Interesting,
    /// Once showed a bug that is fixed.
    Regression,
    /// Shows a bug that is not fixed.
    Known,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Seed, Self::Interesting, Self::Regression, Self::Known];

    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Interesting => "interesting",
            Self::Regression => "regression",
            Self::Known => "known",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether a case of this kind shows or showed a bug.
    pub fn is_bug(self) -> bool {
        matches!(self, Self::Regression | Self::Known)
    }
}

/// What is said of the bug that a case shows or showed, beside its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// What it is called: lower-case words with hyphens, one case per name and target.
    pub name: Option<String>,
    /// Where it was reported: a URL.
    pub link: Option<String>,
    /// The versions of SQLite that have it; `None` if that is not known.
    pub versions: Option<VersionRange>,
    /// Why it is known and not reported or not fixed, in words.
    pub reason: Option<String>,
    /// The build of SQLite that shows it, as `fuzzcheck` names it.
    pub build: Option<String>,
}

impl Details {
    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A case in a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The target that it is for.
    pub target: String,
    /// Why it is in the corpus.
    pub kind: Kind,
    /// The finding that it shows or showed.
    pub signature: Option<String>,
    /// Where it came from, in words.
    pub source: String,
    /// The encoded case.
    pub body: Vec<u8>,
    /// What is said of its bug.
    pub details: Details,
}

impl Entry {
    /// An entry of this case.
    pub fn new(target: &str, kind: Kind, source: &str, case: &TestCase) -> Self {
        Self {
            target: target.to_owned(),
            kind,
            signature: None,
            source: source.to_owned(),
            body: case.encode(),
            details: Details::default(),
        }
    }
}
