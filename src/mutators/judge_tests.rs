//! What database mutators produce is no finding: the oracles notice that the file was damaged before SQLite
//! touched it, or SQLite copes. `TANDEM_JUDGED=N` judges N cases of each mutator.

use super::tests::{cases, with_context};
use super::*;
use crate::engine::sqlite::Executor;
use crate::targets::{DB_SQL, TARGETS, Target};

/// Cases of each mutator.
const CASES: u64 = 12;

/// Runs a case under one of two targets alternately, and panics if an oracle finds something.
struct Judge {
    executor: Executor,
    targets: [&'static Target; 2],
}

impl Judge {
    fn new() -> Self {
        let db_file = TARGETS.iter().find(|target| target.name == "db_file").unwrap();
        Self { executor: Executor::shared(), targets: [&DB_SQL, db_file] }
    }

    fn judge(&mut self, case: &TestCase, seed: u64, about: &str) {
        let target = self.targets[seed as usize % 2];
        if let Some((_, finding)) = target.judge(&mut self.executor, case).findings().next() {
            panic!("{about} {seed} {}: {finding}\n{case:?}", target.name);
        }
    }
}

fn count() -> u64 {
    std::env::var("TANDEM_JUDGED").map_or(CASES, |text| text.parse().expect("a number"))
}

#[test]
fn edited_databases_are_no_findings() {
    let (mut judge, cases) = (Judge::new(), cases());
    let families = [Family::Page, Family::Record, Family::Schema, Family::File, Family::Joint];
    for (i, entry) in MUTATORS.iter().enumerate().filter(|(_, entry)| families.contains(&entry.family)) {
        let mut judged = 0;
        for seed in 0..20 * count() {
            let mut rng = fastrand::Rng::with_seed(seed * 100 + i as u64);
            let mut case = cases[rng.usize(0..cases.len())].clone();
            let mut edit = |round: u64| {
                with_context(seed * 7 + round, 4096, |context| {
                    entry.mutator.can_mutate(&case)
                        && entry.mutator.mutate(&mut case, context) == Outcome::Mutated
                })
            };
            let edits = (0..rng.u64(1..3)).filter(|&round| edit(round)).count();
            if edits > 0 {
                judge.judge(&case, seed, entry.name);
                judged += 1;
            }
            if judged == count() {
                break;
            }
        }
    }
}

#[test]
fn crossed_cases_are_no_findings() {
    let (mut judge, cases) = (Judge::new(), cases());
    for seed in 0..10 * count() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (first, second) = (&cases[rng.usize(0..cases.len())], &cases[rng.usize(0..cases.len())]);
        let case = with_context(seed, 1 << 14, |context| crossover::mix(first, second, context));
        judge.judge(&case, seed, "crossover");
    }
}
