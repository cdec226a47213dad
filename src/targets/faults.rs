//! Scripts on healthy databases, in which things fail as the plan of the case says.
//!
//! A case is compared with itself without its plan, so what would keep the two from being comparable is taken from it:
//! `writable_schema`, operations on other connections, limits. What is left of a database file is what a seed brought.

use twox_hash::XxHash3_64;

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::oracles::{Entry, Group};
use crate::testcase::{Setting, TestCase};

pub(super) const TARGET: Target = Target {
    name: "faults",
    about: "scripts in which memory, files, locks and power fail",
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
    seeds: seeds::faults,
    program: &ScriptProgram,
    weights: Weights { sql: 40, config: 8, faults: 52, ..Weights::NONE },
    judges,
};

/// The oracles of faults run the case again, without its plan: one case in so many has them, so that this target is no
/// slower than `db_sql`. What this costs is told, with an empty folder EMPTY, by
/// `BEGIN=EMPTY .ci/paired 7 target/HOST/release/{db_sql,faults} -runs=2500 -seed=5{} {folder}`.
const JUDGED_ONE_IN: u64 = 24;
/// The same of those that lose power, of which a run that is not judged shows nothing.
const POWER_LOSS_JUDGED_ONE_IN: u64 = 8;

/// Settings that are left as the case has them.
const KEPT: [Setting; 9] = [
    Setting::Toggles,
    Setting::CachePages,
    Setting::CacheSpill,
    Setting::ExclusiveLocking,
    Setting::TempStore,
    Setting::SectorLog2,
    Setting::DeviceCharacteristics,
    Setting::RandomSeed,
    Setting::RichSchema,
];

fn decode(bytes: &[u8]) -> TestCase {
    let read = TestCase::decode(bytes);
    let config = super::comparable(&read.config, &KEPT);
    TestCase { sql: read.sql, faults: read.faults, config, ..TestCase::default() }
}

fn judges(case: &TestCase, entry: &Entry) -> bool {
    match entry.group {
        Group::Faults => {
            let one_in = if case.faults.loses_power() { POWER_LOSS_JUDGED_ONE_IN } else { JUDGED_ONE_IN };
            // Whatever is mutated, another one may be chosen.
            XxHash3_64::oneshot(&case.encode()).is_multiple_of(one_in)
        }
        _ => super::usual(case, entry),
    }
}
