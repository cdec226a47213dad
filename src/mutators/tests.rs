//! The mutator contract, as properties over all mutators.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::sqlite::Executor;
use crate::generators::seeds;
use crate::sql::vocabulary::{Function, Vocabulary};
use crate::targets::{DB_SQL, TARGETS, Target};
use crate::testcase::{FileName, Script};

pub(super) fn vocabulary() -> Vocabulary {
    let function = |name: &str, arguments| Function { name: name.to_owned(), arguments, kind: 's' };
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    Vocabulary::new(
        [function("abs", Some(1)), function("max", None), function("substr", Some(3))],
        words(&["cache_size", "integrity_check"]),
        words(&["fts5"]),
        words(&["NOCASE"]),
    )
}

/// A stand-in for libFuzzer's mutator: changes, grows or shrinks bytes, depending on its arguments alone.
pub(super) fn byte_mutator(data: &mut [u8], size: usize, max_size: usize) -> usize {
    let sum: usize = data[..size].iter().map(|&byte| usize::from(byte)).sum();
    if size > 0 {
        data[sum % size] ^= 1 << (sum % 8);
    }
    match sum % 3 {
        0 => size.min(max_size),
        1 => (size + 1).min(max_size),
        _ => (size / 2).max(1).min(max_size),
    }
}

/// The adapter's mutant of an input.
pub(super) fn adapted(
    target: &Target,
    vocabulary: &Vocabulary,
    input: &[u8],
    max_size: usize,
    seed: u64,
) -> Vec<u8> {
    let mut data = input.to_vec();
    data.resize(input.len().max(max_size), 0);
    let weights = OperatorWeights::new(&target.weights, |_| false);
    let setup = adapter::Setup { decode: target.decode, weights };
    let mutation = adapter::mutate(&setup, vocabulary, &mut data, input.len(), max_size, seed, byte_mutator);
    data.truncate(mutation.size);
    data
}

/// Seeds, odd cases, and their mutants so far.
pub(super) fn cases() -> Vec<TestCase> {
    let executor = Executor::shared();
    let mut cases: Vec<TestCase> =
        seeds::db_sql().iter().map(|seed| seed.build(&executor).unwrap()).collect();
    cases.extend(seeds::sql().iter().take(20).map(|seed| seed.build(&executor).unwrap()));
    cases.push(TestCase::default());
    cases.push(TestCase::from_sql("\u{e9}(((;;'\"`[--"));
    cases.push(TestCase::from_database(b"SQLite format 3\0".to_vec()));
    cases.push(TestCase::from_database(vec![0xff; 5000]));
    let mut lies = TestCase::from_database(vec![0x0d; 1024]);
    lies.files.insert(FileName::wal(), vec![0x37; 100]);
    lies.files.insert(FileName::journal(), crate::dbfile::journal::MAGIC.to_vec());
    lies.sql = Script::new(vec![0xc3; 30]);
    cases.push(lies);
    cases
}

pub(super) fn with_context<R>(seed: u64, room: usize, action: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let (vocabulary, mut bytes) = (vocabulary(), byte_mutator);
    action(&mut Context::new(seed, &vocabulary, &mut bytes, 1 << 20, (1 << 20) + room))
}

/// Mutators are deterministic, report truthfully whether anything changed, grow a case only so far, and never panic.
#[test]
fn every_mutator_keeps_the_contract() {
    let mut pool = cases();
    let mut mutated: BTreeMap<&str, u32> = BTreeMap::new();
    for round in 0..4000_u64 {
        for (i, entry) in MUTATORS.iter().enumerate() {
            // Some need what few cases have: they get more attempts.
            if round >= 50 && mutated.get(entry.name).is_some_and(|&count| count >= 20) {
                continue;
            }
            let seed = round * 1000 + i as u64;
            let index = fastrand::Rng::with_seed(seed).usize(0..pool.len());
            let original = pool[index].clone();
            if !entry.mutator.can_mutate(&original) {
                continue;
            }
            let run = |room| {
                let mut case = original.clone();
                let outcome = with_context(seed, room, |context| entry.mutator.mutate(&mut case, context));
                (outcome, case)
            };
            let (outcome, case) = run(4096);
            assert_eq!(run(4096), (outcome, case.clone()), "{} is not deterministic", entry.name);
            assert_eq!(outcome == Outcome::Mutated, case != original, "{} {seed}: {outcome:?}", entry.name);
            let growth = case.encode().len().saturating_sub(original.encode().len());
            // Page rewrites fill in zeros; text would grow without bound.
            assert!(case.sql.len() <= original.sql.len() + 2 * 4096, "{} {seed}", entry.name);
            assert!(growth <= 80_000, "{} {seed} grows by {growth}", entry.name);
            if outcome == Outcome::Mutated {
                *mutated.entry(entry.name).or_default() += 1;
                if round % 8 == 0 && pool.len() < 600 {
                    pool.push(case);
                }
            }
        }
    }
    for entry in MUTATORS {
        let count = mutated.get(entry.name).copied().unwrap_or(0);
        assert!(count >= 12, "{} mutated only {count} times", entry.name);
    }
}

#[test]
fn the_adapter_returns_sizes_that_libfuzzer_accepts() {
    let vocabulary = vocabulary();
    let mut rng = fastrand::Rng::with_seed(11);
    let inputs: Vec<Vec<u8>> = cases().iter().map(TestCase::encode).collect();
    let (mut changed, mut shrunk, mut same_form) = (0, 0, 0);
    for round in 0..1200 {
        let target = TARGETS[round % TARGETS.len()];
        let input = match round % 10 {
            0 => (0..rng.usize(0..50)).map(|_| rng.u8(..)).collect(),
            _ => inputs[rng.usize(0..inputs.len())].clone(),
        };
        let max_size = if round % 4 == 0 { rng.usize(1..=input.len().max(1)) } else { input.len() + 3000 };
        let seed = rng.u64(..);
        let run = || adapted(target, &vocabulary, &input, max_size, seed);
        let output = run();
        assert_eq!(run(), output, "not deterministic");
        assert!((1..=max_size).contains(&output.len()), "{} not in 1..={max_size}", output.len());
        changed += u32::from(output != input);
        if max_size < input.len() {
            shrunk += u32::from(output.len() <= max_size);
        } else {
            same_form += u32::from(TestCase::decode_strict(&output).is_ok());
        }
    }
    assert!(changed > 1170 && shrunk > 150 && same_form > 840, "{changed} {shrunk} {same_form}");
}

#[test]
fn shrinking_makes_cases_smaller() {
    let vocabulary = vocabulary();
    for case in cases().into_iter().filter(|case| case.encode().len() > 40).step_by(4) {
        let mut data = case.encode();
        for seed in 0..60 {
            let max_size = (data.len() - 1).max(1);
            data = adapted(&DB_SQL, &vocabulary, &data, max_size, seed);
            assert!(data.len() <= max_size);
        }
        assert!(data.len() + 40 < case.encode().len(), "{} to {}", case.encode().len(), data.len());
    }
}

#[test]
fn crossover_mixes_both_and_is_asked_for_a_fifth_of_the_time() {
    let inputs: Vec<Vec<u8>> = cases().iter().map(TestCase::encode).collect();
    let vocabulary = vocabulary();
    let (mut mixed, mut kinds) = (0, BTreeSet::new());
    for seed in 0..1000_u64 {
        let first = &inputs[seed as usize * 31 % inputs.len()];
        let second = &inputs[seed as usize * 17 % inputs.len()];
        let run = || {
            let mut out = vec![0; first.len() + second.len() + 100];
            let size = adapter::crossover(DB_SQL.decode, &vocabulary, first, second, &mut out, seed);
            out.truncate(size);
            out
        };
        let out = run();
        assert_eq!(run(), out);
        if !out.is_empty() {
            mixed += 1;
            let (old, new) = (TestCase::decode(first), TestCase::decode_strict(&out).unwrap());
            kinds.insert((old.sql != new.sql, old.files != new.files, old.config != new.config));
        }
        // No room: nothing is written.
        assert!(adapter::crossover(DB_SQL.decode, &vocabulary, first, second, &mut [0; 3], seed) <= 3);
    }
    assert!((125..225).contains(&mixed), "{mixed}");
    assert!(kinds.len() >= 3, "{kinds:?}");
}

#[test]
fn consistent_edits_leave_pages_that_sqlite_reads() {
    let executor = Executor::shared();
    let cases: Vec<TestCase> = seeds::db_file().iter().map(|seed| seed.build(&executor).unwrap()).collect();
    // How many of 100 databases each leaves sound: an edited rowid or schema row may well be wrong in its place, and a
    // well-formed page may not match its neighbours.
    let names = [
        ("db_record_value", 80),
        ("db_row_store", 95),
        ("db_row_insert", 95),
        ("db_row_remove", 95),
        ("db_statistics", 95),
        ("db_schema_sql", 90),
        ("db_table_copy", 95),
    ];
    for (name, least) in names {
        let entry = MUTATORS.iter().find(|entry| entry.name == name).unwrap();
        let (mut edited, mut sound) = (0, 0);
        for seed in 0..240 {
            let mut case = cases[seed as usize % cases.len()].clone();
            if case.files.len() > 1
                || with_context(seed, 4096, |context| entry.mutator.mutate(&mut case, context))
                    == Outcome::Skipped
            {
                continue;
            }
            edited += 1;
            let image = case.files.main().unwrap();
            sound += u32::from(crate::dbfile::damage::first_damage(image).is_none());
        }
        println!("{name}: {sound} of {edited} sound");
        assert!(edited >= 4 && sound * 100 >= edited * least, "{name}: {sound} of {edited}");
    }
}
