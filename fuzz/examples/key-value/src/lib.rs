//! An example of your own crate on Tandem: a target and an oracle for a layer over SQLite, here a small key-value store.
//!
//! * [`KEY_VALUE`] is the target. The bytes of a case are a workload: two bytes are an operation and its key. So every input is
//!   a case, and all mutators of Tandem work on it.
//! * [`Model`] is the oracle: at the end, the store must hold what a map holds after the same workload. It looks at the
//!   state that the case has reached, with statements of its own.
//! * [`registry`] is passed to the program (`src/main.rs`) and the fuzz target (`fuzz_targets/key_value.rs`).
//!
//! ```sh
//! cargo run -p key-value -- fuzz key_value --max-total-time-s 60
//! cargo run -p key-value -- run --target key_value fuzz/corpus/key_value
//! ```

use std::collections::BTreeMap;

use tandem::Registry;
use tandem::engine::sqlite::{Execution, Program};
use tandem::engine::{Observation, Value};
use tandem::generators::seeds::Seed;
use tandem::oracles::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use tandem::targets::{SQL, Target};
use tandem::testcase::TestCase;

/// What this crate adds to Tandem.
pub fn registry() -> Registry {
    Registry::default()
        .package(env!("CARGO_MANIFEST_DIR"))
        .target(&KEY_VALUE)
        .oracle(tandem::oracle!(key_value_model => Model))
}

/// Workloads for the store.
pub static KEY_VALUE: Target = Target {
    name: "key_value",
    about: "workloads of a key-value store",
    decode,
    seeds,
    program: &Store,
    ..SQL
};

/// The workload of a case is its script; it brings no database and no settings.
fn decode(bytes: &[u8]) -> TestCase {
    TestCase { sql: TestCase::decode(bytes).sql, ..TestCase::default() }
}

fn seeds() -> Vec<Seed> {
    let seed = |about: &'static str, script: &'static str| Seed {
        about: about.into(),
        script: script.into(),
        ..Seed::default()
    };
    vec![
        seed("puts", "aabacada"),
        seed("puts and deletes", "aabacadaebfbgbhb"),
        seed("transactions", "iaabacjaiaadkaae"),
    ]
}

/// An operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// Sets a key to the position of the operation in the workload.
    Put(u8),
    /// Removes a key.
    Delete(u8),
    Begin,
    Commit,
    RollBack,
}

fn workload(case: &TestCase) -> impl Iterator<Item = Operation> + '_ {
    case.sql.as_bytes().chunks_exact(2).map(|pair| match pair[0] % 12 {
        0..=4 => Operation::Put(pair[1]),
        5..=8 => Operation::Delete(pair[1]),
        9 => Operation::Begin,
        10 => Operation::Commit,
        _ => Operation::RollBack,
    })
}

/// The layer that is tested: each operation in SQL.
struct Store;

impl Program for Store {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        let mut run = |sql: &str| execution.run(sql.as_bytes(), 0..0);
        run("CREATE TABLE store(key INTEGER PRIMARY KEY, value INT) STRICT");
        let mut is_open = false;
        for (i, operation) in workload(case).enumerate() {
            match operation {
                Operation::Put(key) => {
                    run(&format!(
                        "INSERT INTO store VALUES({key}, {i}) ON CONFLICT DO UPDATE SET value = excluded.value"
                    ));
                }
                Operation::Delete(key) => run(&format!("DELETE FROM store WHERE key = {key}")),
                Operation::Begin if !is_open => run("BEGIN"),
                Operation::Commit if is_open => run("COMMIT"),
                Operation::RollBack if is_open => run("ROLLBACK"),
                _ => continue,
            }
            is_open = match operation {
                Operation::Begin => true,
                Operation::Commit | Operation::RollBack => false,
                _ => is_open,
            };
        }
    }
}

/// What the store must hold.
fn model(case: &TestCase) -> BTreeMap<u8, usize> {
    let (mut now, mut before) = (BTreeMap::new(), None);
    for (i, operation) in workload(case).enumerate() {
        match operation {
            Operation::Put(key) => drop(now.insert(key, i)),
            Operation::Delete(key) => drop(now.remove(&key)),
            Operation::Begin => drop(before.get_or_insert_with(|| now.clone())),
            Operation::Commit => before = None,
            Operation::RollBack => now = before.take().unwrap_or(now),
        }
    }
    now
}

/// The store holds what the model holds.
struct Model;

impl Oracle for Model {
    fn check(&self, case: &TestCase, run: &Observation, ask: &mut Environment<'_>) -> Verdict {
        if run.trace.statements.first().is_none_or(|first| !first.sql.is_empty()) {
            return Verdict::Skip(SkipReason::Excused("another target"));
        }
        // `planted`: what `--plant wrong-rows` looks for.
        let query = "SELECT key, value FROM store ORDER BY key -- planted".to_owned();
        let after = match ask.after(&[query]) {
            Ok(after) => after,
            Err(reason) => return Verdict::Skip(reason),
        };
        let held = after.last().map(|last| last.values.clone()).unwrap_or_default();
        let row = |(key, value): (u8, usize)| vec![Value::Integer(key.into()), Value::Integer(value as i64)];
        let expected: Vec<Vec<Value>> = model(case).into_iter().map(row).collect();
        if held == expected {
            return Verdict::Pass;
        }
        Verdict::Fail(Finding {
            signature: Signature::new("key_value_model", "content", "-"),
            message: format!("the store holds {held:?}, the model {expected:?}"),
        })
    }
}
