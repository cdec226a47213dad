//! Every target runs on what fuzzing makes of its seeds.

use super::*;
use crate::engine::sqlite::Moment;
use crate::engine::{Code, StatementTrace};
use crate::generators::seeds;
use crate::mutators::{self, Context};
use crate::sql::vocabulary::Vocabulary;
use crate::testcase::{FileName, OpenConfig, Script};

#[test]
fn mutated_seeds_run_without_findings_and_twice_the_same() {
    for target in TARGETS {
        let mut executor = Executor::shared();
        let vocabulary = executor.vocabulary();
        let seeds = (target.seeds)();
        let cases: Vec<TestCase> = seeds.iter().map(|seed| seed.build(&executor).unwrap()).collect();
        let (mut passed, mut prepared) = (0, 0);
        for seed in 0..300 {
            let mut case = cases[seed as usize % cases.len()].clone();
            mutate(&mut case, target, &vocabulary, seed);
            let judged = target.judge(&mut executor, &case);
            if let Some((_, finding)) = judged.findings().next() {
                panic!("{} {seed}: {finding}\n{case:?}", target.name);
            }
            passed += judged.judgements.iter().filter(|said| said.verdict == Verdict::Pass).count();
            prepared += u32::from(!judged.observation.trace.statements.is_empty());
            if seed % 10 == 0 {
                let again = target.judge(&mut executor, &case);
                let difference = judged.observation.trace.difference(&again.observation.trace);
                assert_eq!(difference, None, "{} {seed}", target.name);
            }
        }
        assert!(passed > 900 && prepared > 270, "{}: {passed} {prepared}", target.name);
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
    for seed in seeds::db_file() {
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

/// The codes of the statements of a case that nobody has anything to say of.
#[track_caller]
fn judge_all(case: &TestCase) -> Vec<Code> {
    let budget = Budget { vm_steps: 1_000_000, alloc_bytes: 1 << 30, ..DB_SQL.budget };
    let judged = DB_SQL.judge_within(&mut Executor::shared(), case, &budget, &[]);
    let taint = judged.observation.taint;
    let is_right =
        |verdict: &Verdict| matches!(verdict, Verdict::Pass | Verdict::Skip(SkipReason::NoBystander));
    assert!(judged.judgements.iter().all(|said| is_right(&said.verdict)), "{:?}", judged.judgements);
    assert!(taint.is_none() && !judged.observation.trace.is_cut_short, "{taint:?}");
    judged.observation.trace.statements.iter().map(StatementTrace::code).collect()
}

/// What creates a table of this name with everything that has a long text, and what changes all of that.
fn long_schema(encoding: &str, name: &[u8]) -> [Vec<u8>; 2] {
    let column = |i| format!("\"column {i} of a wide table\" TEXT DEFAULT '{i}' CHECK(1)");
    let columns = (0..900).map(column).collect::<Vec<_>>().join(",\n");
    let long = "long".repeat(5000);
    let table = format!("PRAGMA encoding='{encoding}'; CREATE TABLE @(a INTEGER PRIMARY KEY,\n{columns});");
    let others = format!(
        "CREATE INDEX i ON @(\"column 7 of a wide table\" /* {columns} */); CREATE VIEW v AS SELECT a, '{long}' FROM @;
         CREATE TRIGGER r AFTER INSERT ON @ BEGIN SELECT '{long}'; END; INSERT INTO @ DEFAULT VALUES;"
    );
    let changes = "VACUUM; ALTER TABLE @ ADD COLUMN y; ALTER TABLE @ RENAME COLUMN y TO z; VACUUM; REINDEX;
        INSERT INTO @(z) VALUES(1); SELECT * FROM v; ALTER TABLE @ RENAME TO other; SELECT * FROM v; VACUUM";
    // In UTF-16 SQLite knows what was no UTF-8 by what became of it.
    let known =
        if encoding == "UTF-8" { name.to_vec() } else { String::from_utf8_lossy(name).into_owned().into() };
    let with_name = |text: &str, name: &[u8]| {
        let parts: Vec<&[u8]> = text.split('@').map(str::as_bytes).collect();
        parts.join(&[b"\"", name, b"\""].concat()[..])
    };
    [[with_name(&table, name), with_name(&others, &known)].concat(), with_name(changes, &known)]
}

#[test]
fn long_schema_texts_are_kept_as_they_are() {
    // The bytes that are no UTF-8 become three each where SQLite makes UTF-16 of them and UTF-8 again.
    for name in [b"plain".to_vec(), vec![0xff; 400], vec![0xff; 3000]] {
        for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
            let [made, changed] = long_schema(encoding, &name);
            let at_once = TestCase::from_sql([&made[..], &changed[..]].concat());
            let files =
                Executor::shared().files_after(&OpenConfig::default(), &made, Moment::Closed).unwrap();
            for case in [at_once, TestCase { files, ..TestCase::from_sql(changed) }] {
                let codes = judge_all(&case);
                assert!(codes.iter().all(|code| code.is_success()), "{encoding}: {codes:?}");
            }
        }
    }
}
