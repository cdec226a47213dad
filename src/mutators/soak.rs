//! Runs every mutation step millions of times, to see that none panics or grows a case without bound.
//!
//! Ignored by plain `cargo test`, because it takes most of an hour:
//! ```text
//! CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
//!     cargo test --release --lib --target-dir target/checked soak -- --ignored --nocapture
//! ```
//! `TANDEM_SOAK=N` runs each step N times instead of 10 million.

use std::sync::Mutex;

use super::tests::{adapted, byte_mutator, cases, vocabulary};
use super::*;
use crate::sql::vocabulary::Vocabulary;
use crate::targets::{DB_SQL, TARGETS};

const EXECUTIONS: u64 = 10_000_000;
/// Larger cases are left to the other tests: they spend most of their time on copying.
const CASE_BYTES_MAX: usize = 24 << 10;
const ROOM: usize = 4096;

/// The cases to mutate; some mutants are mutated again, and as many of the first cases come back, since mutators that
/// only delete would otherwise run out of things to delete.
struct Pool {
    first: Vec<TestCase>,
    cases: Vec<TestCase>,
    rng: fastrand::Rng,
}

impl Pool {
    fn new(seed: u64, cases: &[TestCase]) -> Self {
        let small = cases.iter().filter(|case| case.files.total_bytes() <= CASE_BYTES_MAX);
        let first: Vec<TestCase> = small.cloned().collect();
        Self { cases: first.clone(), first, rng: fastrand::Rng::with_seed(seed) }
    }

    fn draw(&mut self) -> TestCase {
        self.cases[self.rng.usize(0..self.cases.len())].clone()
    }

    fn put(&mut self, case: TestCase) {
        let is_small =
            case.files.total_bytes() <= CASE_BYTES_MAX && case.sql.as_bytes().len() <= CASE_BYTES_MAX;
        let at = self.rng.usize(0..self.cases.len());
        match self.rng.u8(..) {
            0..16 if is_small => self.cases[at] = case,
            16..32 => self.cases[at].clone_from(&self.first[at]),
            _ => {}
        }
    }
}

/// Runs one mutator until it had `count` cases that it can mutate, or gives up; returns how many it had.
fn one_mutator(entry: &Entry, pool: &mut Pool, vocabulary: &Vocabulary, count: u64) -> u64 {
    let mut done = 0;
    let mut bytes = byte_mutator;
    for seed in 0..2 * count {
        let mut case = pool.draw();
        if !entry.mutator.can_mutate(&case) {
            continue;
        }
        let before = case.files.total_bytes() + case.sql.as_bytes().len();
        let mut context = Context::new(seed, vocabulary, &mut bytes, before, before + ROOM);
        if entry.mutator.mutate(&mut case, &mut context) == Outcome::Mutated {
            pool.put(case);
        }
        done += 1;
        if done == count {
            break;
        }
    }
    done
}

fn adapter_step(pool: &mut Pool, vocabulary: &Vocabulary, count: u64) -> u64 {
    for seed in 0..count {
        let input = pool.draw().encode();
        let target = TARGETS[seed as usize % TARGETS.len()];
        // Every fourth time it has to shrink.
        let max_size = if seed % 4 == 0 { input.len().div_ceil(2) } else { input.len() + ROOM };
        let output = adapted(target, vocabulary, &input, max_size, seed);
        let size = output.len();
        assert!((1..=max_size).contains(&size), "{size} not in 1..={max_size} with seed {seed}");
        pool.put(TestCase::decode(&output));
    }
    count
}

fn crossover_step(pool: &mut Pool, vocabulary: &Vocabulary, count: u64) -> u64 {
    for seed in 0..count {
        let (first, second) = (pool.draw().encode(), pool.draw().encode());
        let mut out = vec![0; first.len() + second.len()];
        let size = adapter::crossover(DB_SQL.decode, vocabulary, &first, &second, &mut out, seed);
        assert!(size <= out.len(), "{size} over {} with seed {seed}", out.len());
        if size > 0 {
            pool.put(TestCase::decode(&out[..size]));
        }
    }
    count
}

#[test]
#[ignore = "takes most of an hour; see the module"]
fn soak() {
    let count = std::env::var("TANDEM_SOAK").map_or(EXECUTIONS, |text| text.parse().expect("a number"));
    let (seeds, vocabulary) = (cases(), vocabulary());
    let steps = Mutex::new(0..MUTATORS.len() + 2);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(step) = steps.lock().unwrap().next() else {
                        break;
                    };
                    let mut pool = Pool::new(step as u64, &seeds);
                    let start = std::time::Instant::now();
                    let (name, done) = match MUTATORS.get(step) {
                        Some(entry) => (entry.name, one_mutator(entry, &mut pool, &vocabulary, count)),
                        None if step == MUTATORS.len() => {
                            ("mutate", adapter_step(&mut pool, &vocabulary, count))
                        }
                        None => ("crossover", crossover_step(&mut pool, &vocabulary, count)),
                    };
                    // The time includes copying the case, as in fuzzing.
                    let micros = start.elapsed().as_micros() as f64 / done.max(1) as f64;
                    println!("{name}: {done} executions of {micros:.1} µs");
                    assert_eq!(done, count, "{name} had not enough to do");
                }
            });
        }
    });
}
