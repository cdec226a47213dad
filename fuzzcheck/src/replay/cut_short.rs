//! Cases that a limit cut short: they passed only as far as they ran.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem::engine::Limit;

/// Cases that one limit cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CutShort {
    /// The limit, in words.
    pub limit: String,
    /// The option of `run` that lifts it.
    pub lifted_by: String,
    /// How many cases.
    pub cases: u64,
}

impl CutShort {
    /// By each limit, from the limits that each case met.
    pub fn by_limit<'l>(cases: impl IntoIterator<Item = &'l BTreeSet<Limit>>) -> Vec<Self> {
        let mut counts: BTreeMap<Limit, u64> = BTreeMap::new();
        cases.into_iter().flatten().for_each(|limit| *counts.entry(*limit).or_default() += 1);
        let of = |(limit, cases)| {
            let (words, flag) = about(limit);
            Self { limit: words.to_owned(), lifted_by: flag.to_owned(), cases }
        };
        counts.into_iter().map(of).collect()
    }

    /// Adds the counts of other cases.
    pub(crate) fn add(all: &mut Vec<Self>, others: Vec<Self>) {
        for other in others {
            match all.iter_mut().find(|one| one.limit == other.limit) {
                Some(one) => one.cases += other.cases,
                None => all.push(other),
            }
        }
    }
}

/// All of them in words: `9 by VM steps (--limit-vm-steps), 3 by rows (--limit-rows)`.
pub(crate) fn in_words(all: &[CutShort]) -> String {
    let one = |CutShort { limit, lifted_by, cases }: &CutShort| format!("{cases} by {limit} ({lifted_by})");
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The same for a command that has no options for limits.
pub(crate) fn for_run(all: &[CutShort]) -> String {
    format!("cut short, for `run` with another limit: {}", in_words(all))
}

/// A limit in words, and the option that lifts it.
fn about(limit: Limit) -> (&'static str, &'static str) {
    match limit {
        Limit::VmSteps => ("VM steps", "--limit-vm-steps"),
        Limit::AllocBytes => ("allocated bytes", "--limit-alloc-bytes"),
        Limit::HeapBytes => ("heap bytes", "--limit-heap-bytes"),
        Limit::DiskBytes => ("disk bytes", "--limit-disk-bytes"),
        Limit::LengthBytes => ("bytes of a value", "--limit-length-bytes"),
        Limit::Rows => ("rows", "--limit-rows"),
        Limit::Memory => ("memory of the worker", "--worker-memory-mib"),
        Limit::Sqlite => ("sqlite3_limit()", "--sqlite-limits"),
    }
}
