//! Several connections that take turns, and calls of SQLite's interface: operations and the switches between connections are
//! mutated with the script. Nothing fails on purpose; that is the matter of the target `faults`.

use twox_hash::XxHash3_64;

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::oracles::{Entry, Group};
use crate::testcase::{FaultPlan, TestCase};

pub(super) const TARGET: Target = Target {
    name: "api",
    about: "several connections that take turns, and calls of SQLite's interface",
    budget: Budget {
        vm_steps: 10_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 20_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 50_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode,
    seeds: seeds::api,
    program: &ScriptProgram,
    weights: Weights { sql: 22, database: 4, config: 4, operations: 66, joint: 4, ..Weights::NONE },
    judges,
};

/// The oracles that run a case again, one transaction after the other or with its rows: one case in so many has them.
const JUDGED_ONE_IN: u64 = 6;

fn decode(bytes: &[u8]) -> TestCase {
    TestCase { faults: FaultPlan::default(), ..TestCase::decode(bytes) }
}

fn judges(case: &TestCase, entry: &Entry) -> bool {
    match entry.group {
        Group::Turns if entry.name == "turns" => !case.operations.is_empty(),
        Group::Turns => {
            !case.operations.is_empty() && XxHash3_64::oneshot(&case.encode()).is_multiple_of(JUDGED_ONE_IN)
        }
        _ => super::usual(case, entry),
    }
}
