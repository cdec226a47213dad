//! The sum of all comparisons.

use std::collections::BTreeMap;

use tandem::difference::known::{self, KnownDifference, Version, version_of};
use tandem::difference::{Comparison, Difference};

use super::Checked;

/// A finding: a difference that nothing explains, and one of its cases.
#[derive(Clone)]
pub struct Found {
    /// Which difference it is.
    pub signature: String,
    /// Cases that show it.
    pub cases: u64,
    /// The smallest of them.
    pub example: Checked,
    /// What differs there.
    pub difference: Difference,
    /// The first cases that show it, with what differs there: a signature may stand for several bugs.
    pub also: Vec<(String, String)>,
}

/// How many cases of a finding are listed.
const ALSO_MAX: usize = 50;

/// A difference that is most likely harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// Cases that show it.
    pub cases: u64,
    /// The name of the first.
    pub example: String,
}

/// The report of a comparison.
pub struct DifferentialReport {
    /// Name and version of both engines.
    pub identities: [String; 2],
    /// Cases that both ran.
    pub cases: u64,
    /// Cases of which something was compared.
    pub compared_cases: u64,
    /// Statements whose results were compared.
    pub statements: u64,
    /// Cases whose final state was compared.
    pub ends: u64,
    /// What was not compared, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Findings by signature.
    pub findings: BTreeMap<String, Found>,
    /// Warnings by signature and reason.
    pub warnings: BTreeMap<(String, String), Warned>,
    /// How often each known difference fired that applies to these versions; it may be never.
    pub known: Vec<(&'static KnownDifference, u64)>,
    /// The versions, if both are SQLite.
    versions: Option<[Version; 2]>,
}

impl DifferentialReport {
    /// An empty report on two engines.
    pub fn new(identities: [String; 2]) -> Self {
        let versions = match identities.each_ref().map(|identity| version_of(identity)) {
            [Some(a), Some(b)] => Some([a, b]),
            _ => None,
        };
        let applicable = versions.into_iter().flat_map(known::applicable);
        Self {
            identities,
            cases: 0,
            compared_cases: 0,
            statements: 0,
            ends: 0,
            skipped: BTreeMap::new(),
            findings: BTreeMap::new(),
            warnings: BTreeMap::new(),
            known: applicable.map(|known| (known, 0)).collect(),
            versions,
        }
    }

    /// Adds a case; what it shows that none before it did.
    pub fn add(&mut self, mut checked: Checked) -> Vec<Found> {
        let comparison = std::mem::take(&mut checked.comparison);
        self.count(&comparison);
        let mut new = Vec::new();
        for difference in comparison.differences {
            let signature = difference.signature().to_string();
            if let Some(known) = self.versions.and_then(|versions| known::explain(&difference, versions)) {
                let entry = self.known.iter_mut().find(|(entry, _)| entry.name == known.name);
                entry.expect("it applies").1 += 1;
            } else if let Some(reason) = &difference.warning {
                let entry = self.warnings.entry((signature, reason.clone()));
                entry.or_insert_with(|| Warned { cases: 0, example: checked.name.clone() }).cases += 1;
            } else if let Some(found) = self.findings.get_mut(&signature) {
                found.cases += 1;
                if found.also.len() < ALSO_MAX {
                    found.also.push((checked.name.clone(), difference.message.clone()));
                }
                if checked.body.len() < found.example.body.len() {
                    (found.example, found.difference) = (checked.clone(), difference);
                }
            } else {
                let also = vec![(checked.name.clone(), difference.message.clone())];
                let found = Found { signature, cases: 1, example: checked.clone(), difference, also };
                self.findings.insert(found.signature.clone(), found.clone());
                new.push(found);
            }
        }
        new
    }

    fn count(&mut self, comparison: &Comparison) {
        self.cases += 1;
        self.compared_cases += u64::from(comparison.statements > 0 || comparison.is_end_compared);
        self.statements += comparison.statements;
        self.ends += u64::from(comparison.is_end_compared);
        for (reason, count) in &comparison.skipped {
            *self.skipped.entry(reason.clone()).or_default() += count;
        }
    }

    /// The known differences that apply to these versions and did not show.
    pub fn silent(&self) -> impl Iterator<Item = &'static KnownDifference> {
        self.known.iter().filter(|(_, fired)| *fired == 0).map(|(known, _)| *known)
    }
}

#[cfg(test)]
mod tests {
    use tandem::difference::{Class, Side};
    use tandem::targets::SQL;

    use super::*;

    fn checked(name: &str, sql: &str, codes: [i32; 2], bytes: usize) -> Checked {
        let sides = codes.map(|code| Side { code, ..Side::default() });
        let difference = Difference {
            class: Class::Error,
            detail: "SELECT".to_owned(),
            warning: None,
            sql: sql.to_owned(),
            sides,
            message: String::new(),
        };
        let mut comparison = Comparison::default();
        comparison.statements = 1;
        comparison.differences.push(difference);
        Checked { name: name.to_owned(), target: &SQL, body: vec![0; bytes], heap_bytes: None, comparison }
    }

    fn report() -> DifferentialReport {
        DifferentialReport::new(["SQLite 3.54.1, x".to_owned(), "SQLite 3.49.1, y".to_owned()])
    }

    #[test]
    fn a_known_difference_is_no_finding_and_one_that_does_not_show_is_named() {
        let mut report = report();
        let silent =
            |report: &DifferentialReport| report.silent().map(|known| known.name).collect::<Vec<_>>();
        assert_eq!(silent(&report).len(), report.known.len());
        assert!(silent(&report).contains(&"unistr"));
        assert!(report.add(checked("a", "SELECT unistr('x')", [101, 1], 9)).is_empty());
        assert!(report.findings.is_empty());
        assert!(!silent(&report).contains(&"unistr") && silent(&report).contains(&"percentile"));
        // The other way round it is none.
        assert_eq!(report.add(checked("b", "SELECT unistr('x')", [1, 101], 9)).len(), 1);
        let equal = DifferentialReport::new(["SQLite 3.54.1, x".to_owned(), "SQLite 3.54.1, x".to_owned()]);
        assert_eq!(equal.known.len(), 0);
    }

    #[test]
    fn a_finding_is_told_once_and_keeps_its_smallest_case() {
        let mut report = report();
        assert_eq!(report.add(checked("long", "SELECT 1", [101, 1], 9)).len(), 1);
        assert!(report.add(checked("short", "SELECT 1", [101, 1], 3)).is_empty());
        assert!(report.add(checked("longer", "SELECT 1", [101, 1], 12)).is_empty());
        let found = report.findings.values().next().expect("one");
        assert_eq!((found.cases, found.example.name.as_str()), (3, "short"));
        assert_eq!(found.also.len(), 3);
        assert_eq!((report.cases, report.statements), (3, 3));
    }
}
