//! What stands between libFuzzer's calls: who made the input that runs.

use super::*;
use crate::mutators::{Family, MUTATORS};
use crate::targets::SQL;
use crate::targets::stats::Stats;

struct ThisTarget;

impl TargetType for ThisTarget {
    const TARGET: &'static Target = &SQL;
}

/// Does `work` with a target of this group; what it counted.
fn counted(name: &str, group: Group, work: impl FnOnce()) -> Stats {
    let path = std::env::temp_dir().join(format!("tandem-fuzz-{name}-{}.json", std::process::id()));
    let recorder = Recorder::new(&path, SQL.name, &group.to_string()).unwrap();
    let state = State::new(&SQL, Executor::shared(), group);
    STATE.set(Some(State { recorder: Some(recorder), ..state }));
    work();
    with_state(|state| state.recorder.as_mut().unwrap().write()).unwrap();
    let stats = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    stats
}

fn run_text(text: &[u8]) {
    run::<ThisTarget>(&Input { case: (SQL.decode)(text), target: PhantomData });
}

fn flip(data: &mut [u8], size: usize, _max_size: usize) -> usize {
    data[0] ^= 1;
    size
}

/// Mutates a script once and runs the result.
fn mutate_and_run(seed: u32) {
    let mut data =
        b"CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'); SELECT a FROM t WHERE b > 2;".to_vec();
    let size = data.len();
    data.resize(4096, 0);
    let size = mutate::<ThisTarget>(&mut data, size, 4096, seed, flip);
    run_text(&data[..size]);
}

#[test]
fn the_operators_of_the_last_mutation_are_counted_and_given_inputs_credit_nobody() {
    let stats = counted("all", Group::All, || {
        run_text(b"SELECT 1;");
        // libFuzzer may throw a mutation away and ask again: nothing ran.
        let mut data = [b' '; 64];
        mutate::<ThisTarget>(&mut data, 64, 64, 1, flip);
        (0..50).for_each(mutate_and_run);
        run_text(b"SELECT 2;");
    });
    assert_eq!((stats.all.runs, stats.mutated.runs), (52, 50));
    let uses: u64 = stats.operators.values().map(|operator| operator.uses).sum();
    assert!((50..=200).contains(&uses) && stats.operators.len() > 5, "{stats:?}");
    assert!(stats.operators.values().all(|operator| operator.uses <= 50), "each once in a mutation");
    assert!(stats.mutation_ns > 0);
    with_state(|state| {
        state.made_by(&["a", "b", "a"]);
        assert_eq!(state.operators, ["a", "b"]);
    });
}

#[test]
fn libfuzzers_arm_has_its_mutator_alone() {
    let stats = counted("libfuzzer", Group::LibFuzzer, || {
        let mut data = *b"SELECT 1;";
        assert_eq!(mutate::<ThisTarget>(&mut data, 9, 9, 1, flip), 9);
        assert_eq!(&data, b"RELECT 1;");
        run_text(&data);
        let crossed =
            (0..100).map(|seed| crossover::<ThisTarget>(b"SELECT 1;", b"SELECT 2;", &mut [0; 99], seed));
        assert_eq!(crossed.sum::<usize>(), 0);
    });
    assert_eq!(stats.operators.keys().collect::<Vec<_>>(), [RAW]);
    assert_eq!(stats.operators[RAW].uses, 1);
}

#[test]
fn what_a_group_does_without_is_not_applied_and_crossover_does_elsewhere() {
    let without = counted("without", Group::Without(Family::Token), || {
        let mut crossed = 0;
        for seed in 0..100 {
            mutate_and_run(seed);
            let size = crossover::<ThisTarget>(b"SELECT 1; SELECT 3;", b"SELECT 2;", &mut [0; 99], seed);
            crossed += usize::from(size > 0);
            run_text(b"SELECT 1;");
        }
        assert!(crossed > 5, "{crossed}");
    });
    let is_token =
        |name: &str| MUTATORS.iter().any(|entry| entry.name == name && entry.family == Family::Token);
    assert!(without.operators.keys().all(|name| !is_token(name)), "{without:?}");
    assert!(without.operators[CROSSOVER].uses > 5);
    let stats = counted("crossover", Group::WithoutCrossover, || {
        let crossed =
            (0..100).map(|seed| crossover::<ThisTarget>(b"SELECT 1;", b"SELECT 2;", &mut [0; 99], seed));
        assert_eq!(crossed.sum::<usize>(), 0);
    });
    assert!(stats.operators.is_empty());
}

#[test]
fn a_finding_that_has_been_met_often_enough_is_kept_in_no_corpus_and_another_ends_the_run() {
    let run_with = |met: &[&str]| {
        let mut executor = Executor::shared();
        executor.plant(Plant::by_name("by-name").unwrap());
        let met = met.iter().map(|signature| (*signature).to_owned()).collect();
        STATE.set(Some(State { met, ..State::new(&SQL, executor, Group::All) }));
        let input =
            Input { case: TestCase::from_sql("SELECT planted('internal-error')"), target: PhantomData };
        let ran = std::panic::catch_unwind(|| run::<ThisTarget>(&input));
        STATE.set(None);
        ran.map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
    };
    let message = run_with(&[]).unwrap_err();
    let (signature, _) = message.split_once(": ").expect("a signature, and words");
    assert_eq!(run_with(&["close/other/-", signature]), Ok(false));
    assert!(run_with(&["close/other/-"]).is_err());
}
