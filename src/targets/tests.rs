//! Every target runs on what fuzzing makes of its seeds.

use super::*;
use crate::generators::seeds;
use crate::mutators::{self, Context};
use crate::sql::vocabulary::Vocabulary;
use crate::testcase::{FileName, Script};

#[test]
fn a_thousand_mutated_seeds_run_without_findings_and_twice_the_same() {
    for target in TARGETS {
        let mut executor = Executor::shared();
        let vocabulary = executor.vocabulary();
        let seeds = seeds::of_target(target.name);
        let cases: Vec<TestCase> = seeds.iter().map(|seed| seed.build(&executor).unwrap()).collect();
        let (mut passed, mut prepared) = (0, 0);
        for seed in 0..1000 {
            let mut case = cases[seed as usize % cases.len()].clone();
            mutate(&mut case, target, &vocabulary, seed);
            let judged = target.judge(&mut executor, &case);
            for verdict in &judged.verdicts {
                assert!(
                    !matches!(verdict, Verdict::Fail(_)),
                    "{} {seed}: {verdict:?}\n{case:?}",
                    target.name
                );
                passed += u32::from(*verdict == Verdict::Pass);
            }
            prepared += u32::from(!judged.observation.trace.statements.is_empty());
            if seed % 10 == 0 {
                let again = target.judge(&mut executor, &case);
                let difference = judged.observation.trace.difference(&again.observation.trace);
                assert_eq!(difference, None, "{} {seed}", target.name);
            }
        }
        assert!(passed > 3000 && prepared > 900, "{}: {passed} {prepared}", target.name);
    }
}

fn mutate(case: &mut TestCase, target: &Target, vocabulary: &Vocabulary, seed: u64) {
    let mut flip = |data: &mut [u8], size: usize, _: usize| {
        data[..size].iter_mut().step_by(5).for_each(|byte| *byte ^= 0x21);
        size
    };
    let mut context = Context::new(seed, vocabulary, &mut flip, 1 << 20, 1 << 21);
    mutators::mutate(case, &mutators::OperatorWeights::new(&target.weights, |_| false), &mut context);
}

#[test]
fn the_battery_reaches_every_table_and_leaves_a_sound_file() {
    let mut executor = Executor::shared();
    for seed in seeds::of_target("db_file") {
        let case = seed.build(&executor).unwrap();
        let judged = DB_FILE.judge(&mut executor, &case);
        let trace = &judged.observation.trace;
        assert!(trace.statements.len() > 20, "{}: {} statements", seed.about, trace.statements.len());
        let succeeded = trace.statements.iter().filter(|statement| statement.code().is_success()).count();
        assert!(succeeded * 2 > trace.statements.len(), "{}: {succeeded} succeed", seed.about);
    }
}

#[test]
fn the_script_of_a_case_means_nothing_to_the_battery() {
    let mut executor = Executor::shared();
    let mut case = TestCase::from_sql("SELECT 1");
    let first = DB_FILE.judge(&mut executor, &case).observation.trace;
    case.sql = Script::new("DROP TABLE x; SELECT 2; SELECT 3");
    assert_eq!(DB_FILE.judge(&mut executor, &case).observation.trace.difference(&first), None);
    case.files.insert(FileName::main(), b"SQLite format 3\0".to_vec());
    assert!(DB_FILE.judge(&mut executor, &case).observation.trace.difference(&first).is_some());
}
