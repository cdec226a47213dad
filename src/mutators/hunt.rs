//! Chains of mutations, judged by all oracles under every target, without a sanitizer or coverage and so at a
//! multiple of the speed: what comes out is a false positive, or a bug of SQLite.
//!
//! Ignored by plain `cargo test`:
//! ```text
//! cargo test --release --lib hunt -- --ignored --nocapture
//! ```
//! `TANDEM_HUNT=N` judges N cases of each target instead of 200,000, `TANDEM_HUNT_SEED=S` begins with another
//! one. The first case of each signature is in `target/hunt`, and so is the one that runs, as `running`: where
//! the process ends, that is why. Cases that take longer than two seconds are printed, too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use super::tests::byte_mutator;
use super::*;
use crate::engine::sqlite::Executor;
use crate::generators::seeds;
use crate::oracles::Verdict;
use crate::sql::vocabulary::Vocabulary;
use crate::targets::{TARGETS, Target};

/// Cases of each target.
const CASES: u64 = 200_000;
/// Mutations from a seed to the case.
const CHAIN_MAX: u64 = 20;
/// Bytes by which a chain may let its seed grow.
const ROOM: usize = 1 << 16;
/// A case that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A seed of the target after a chain of mutations and crossovers.
fn grown(seeds: &[TestCase], weights: &OperatorWeights, vocabulary: &Vocabulary, seed: u64) -> TestCase {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut case = seeds[rng.usize(0..seeds.len())].clone();
    let mut bytes = byte_mutator;
    let room = case.encode().len() + ROOM;
    for _ in 0..rng.u64(1..=CHAIN_MAX) {
        let size = case.encode().len().min(room);
        let mut context = Context::new(rng.u64(..), vocabulary, &mut bytes, size, room);
        if context.chance(5) {
            case = crossover::mix(&case, &seeds[rng.usize(0..seeds.len())], &mut context);
        } else {
            mutate(&mut case, weights, &mut context);
        }
    }
    case
}

fn hunt_in(target: &Target, executor: &mut Executor, found: &mut BTreeMap<String, u64>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/hunt");
    fs::create_dir_all(&folder).unwrap();
    let vocabulary = executor.vocabulary();
    let seeds = seeds::of_target(target.name);
    let seeds: Vec<TestCase> = seeds.iter().map(|seed| seed.build(executor).unwrap()).collect();
    let weights = OperatorWeights::new(&target.weights, |_| false);
    let first = number("TANDEM_HUNT_SEED", 0);
    for seed in first..first + number("TANDEM_HUNT", CASES) {
        let case = grown(&seeds, &weights, &vocabulary, seed);
        fs::write(folder.join("running"), case.encode()).unwrap();
        let start = Instant::now();
        let judged = target.judge(executor, &case);
        if start.elapsed() > SLOW {
            println!("{} {seed} is slow: {:?}", target.name, start.elapsed());
            fs::write(folder.join(format!("{}-slow-{seed}", target.name)), case.encode()).unwrap();
        }
        for verdict in judged.verdicts {
            let Verdict::Fail(finding) = verdict else {
                continue;
            };
            let count = found.entry(format!("{} {}", target.name, finding.signature)).or_default();
            *count += 1;
            if *count <= 3 {
                println!("{} {seed} {finding}", target.name);
                let name = finding.signature.as_str().replace('/', "-");
                fs::write(folder.join(format!("{}-{name}-{seed}", target.name)), case.encode()).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "takes minutes; see the module"]
fn hunt() {
    let mut executor = Executor::shared();
    let mut found = BTreeMap::new();
    let only = env::var("TANDEM_HUNT_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_ref().is_none_or(|only| only == target.name)) {
        hunt_in(target, &mut executor, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}
