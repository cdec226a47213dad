//! Chains of mutations, judged by all oracles under every target, without a sanitizer or coverage and therefore several
//! times faster: whatever they find is a false positive or a bug in SQLite.
//!
//! Ignored by plain `cargo test`:
//! ```text
//! cargo test --release --lib hunt -- --ignored --nocapture
//! ```
//! Chains start from the seeds and from what fuzzing left in `fuzz/corpus`. `TANDEM_HUNT=N` judges N cases of each
//! target instead of 200,000, `TANDEM_HUNT_SEED=S` sets the random seed, `TANDEM_HUNT_TARGET` selects one target. The first
//! cases of each signature are kept in `target/hunt`, and so is the running one, as `running-TARGET`: if the process dies,
//! that is the case to blame. Cases that take longer than two seconds are printed, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use super::tests::byte_mutator;
use super::*;
use crate::engine::sqlite::Executor;
use crate::sql::vocabulary::Vocabulary;
use crate::targets::{TARGETS, Target};

/// Cases of each target.
const CASES: u64 = 200_000;
/// Mutations from a seed to the case.
const CHAIN_MAX: u64 = 20;
/// Bytes by which a seed may grow in a chain.
const ROOM: usize = 1 << 16;
/// Chains do not start from larger cases.
const CASE_BYTES_MAX: usize = 1 << 16;
/// A case that takes longer counts as slow.
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

/// The seeds of a target and its corpus, ordered by name.
fn pool(target: &Target, executor: &Executor, root: &Path) -> Vec<TestCase> {
    let mut pool: Vec<TestCase> = (target.seeds)().iter().map(|seed| seed.build(executor).unwrap()).collect();
    let folder = fs::read_dir(root.join("fuzz/corpus").join(target.name));
    let mut files: Vec<PathBuf> = folder.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bodies = files.iter().filter_map(|path| fs::read(path).ok());
    pool.extend(bodies.filter(|body| body.len() <= CASE_BYTES_MAX).map(|body| (target.decode)(&body)));
    pool
}

fn hunt_in(target: &Target, executor: &mut Executor, found: &mut BTreeMap<String, u64>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/hunt");
    fs::create_dir_all(&folder).unwrap();
    let vocabulary = executor.vocabulary();
    let seeds = pool(target, executor, root);
    println!("{}: {} cases to begin with", target.name, seeds.len());
    let weights = OperatorWeights::new(&target.weights, |_| false);
    let first = number("TANDEM_HUNT_SEED", 0);
    for seed in first..first + number("TANDEM_HUNT", CASES) {
        if seed % 20_000 == 19_999 {
            println!("{}: {} cases", target.name, seed + 1 - first);
        }
        let case = grown(&seeds, &weights, &vocabulary, seed);
        fs::write(folder.join(format!("running-{}", target.name)), case.encode()).unwrap();
        let start = Instant::now();
        let judged = target.judge(executor, &case);
        if start.elapsed() > SLOW {
            println!("{} {seed} is slow: {:?}", target.name, start.elapsed());
            fs::write(folder.join(format!("{}-slow-{seed}", target.name)), case.encode()).unwrap();
        }
        for (_, finding) in judged.findings() {
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
