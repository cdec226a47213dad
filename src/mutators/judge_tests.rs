//! What database mutators make is no finding: the oracles see that the file was not sound before SQLite
//! touched it, or SQLite copes.

use super::tests::{cases, with_context};
use super::*;
use crate::engine::sqlite::Executor;
use crate::oracles::Verdict;
use crate::targets::{DB_SQL, TARGETS, Target};

/// Cases of each mutator.
const CASES: u64 = 40;

#[test]
fn edited_databases_are_no_findings() {
    let count = std::env::var("TANDEM_JUDGED").map_or(CASES, |text| text.parse().expect("a number"));
    let mut executor = Executor::shared();
    let cases = cases();
    let db_file = TARGETS.iter().find(|target| target.name == "db_file").unwrap();
    let targets: [&Target; 2] = [&DB_SQL, db_file];
    let families = [Family::Page, Family::Record, Family::Schema, Family::File, Family::Joint];
    let mut findings = Vec::new();
    for (i, entry) in MUTATORS.iter().enumerate().filter(|(_, entry)| {
        std::env::var("ONLY").map_or(true, |only| entry.name == only) && families.contains(&entry.family)
    }) {
        let mut judged = 0;
        for seed in 0..20 * count {
            let mut rng = fastrand::Rng::with_seed(seed * 100 + i as u64);
            let mut case = cases[rng.usize(0..cases.len())].clone();
            let edits = rng.u8(1..3);
            let edit = |round: u8, case: &mut TestCase| {
                with_context(seed * 7 + u64::from(round), 4096, |context| {
                    entry.mutator.can_mutate(case) && entry.mutator.mutate(case, context) == Outcome::Mutated
                })
            };
            if !(0..edits).any(|round| edit(round, &mut case)) {
                continue;
            }
            let target = targets[rng.usize(0..2)];
            for verdict in target.judge(&mut executor, &case).verdicts {
                if let Verdict::Fail(finding) = verdict {
                    println!(
                        "{} {seed} {}: {} {}",
                        entry.name, target.name, finding.signature, finding.message
                    );
                    if std::env::var("DBG").is_ok() {
                        std::fs::write(
                            format!("/tmp/finding_{}_{seed}.db", entry.name),
                            case.files.main().unwrap(),
                        )
                        .unwrap();
                        println!(
                            "{:?} {:?}",
                            case.files.iter().map(|(n, c)| (n.to_string(), c.len())).collect::<Vec<_>>(),
                            String::from_utf8_lossy(case.sql.as_bytes())
                        );
                    }
                    findings.push((entry.name, seed));
                }
            }
            judged += 1;
            if judged == count {
                break;
            }
        }
    }
    assert!(findings.is_empty(), "{findings:?}");
}
