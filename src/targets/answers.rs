//! Scripts on healthy databases, judged by the oracles of wrong answers.
//!
//! A case starts from an empty database or the rich schema, and what would keep an oracle from judging it is taken from
//! its settings: the rest of the time goes to cases that can be judged. All oracles on one case would take most of that
//! time, so only some cases have them, chosen by the text: of the mutants of any case, some are judged. `fuzzcheck run
//! --oracles all` asks all of them of each.

use twox_hash::XxHash3_64;

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::oracles::{Entry, Group};
use crate::testcase::{Setting, TestCase, ossfuzz};

pub(super) const TARGET: Target = Target {
    name: "answers",
    about: "SQL text whose answers are asked for in several ways",
    budget: Budget {
        vm_steps: 20_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 20_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 50_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode,
    seeds: seeds::answers,
    program: &ScriptProgram,
    weights: Weights { sql: 95, config: 5, ..Weights::NONE },
    judges,
};

/// The oracles of single statements share a run, which costs as much as the case: one case in so many has it, and all of
/// them then judge it, but for [`RARE`]. Their speed, against a target that asks no such oracle, is told by
/// `BEGIN=EMPTY .ci/paired 7 target/HOST/release/{db_sql,answers} -runs=2500 -seed=5{} {folder}`.
const STATEMENTS_ONE_IN: u64 = 30;
/// It makes statistics and indexes for each query, for more than all others together: one of so many of these cases.
const RARE: (&str, u64) = ("indexes", 4);
/// An oracle that runs the whole script again, several times, judges one case in so many.
const SCRIPTS_ONE_IN: u64 = 480;

/// Settings that are left as the case has them.
const KEPT: [Setting; 12] = [
    Setting::Toggles,
    Setting::OptimizationsOff,
    Setting::CachePages,
    Setting::CacheSpill,
    Setting::CellSizeCheck,
    Setting::ExclusiveLocking,
    Setting::TempStore,
    Setting::SectorLog2,
    Setting::DeviceCharacteristics,
    Setting::RandomSeed,
    Setting::RichSchema,
    Setting::Oracle,
];

fn decode(bytes: &[u8]) -> TestCase {
    let read = ossfuzz::decode(bytes);
    let config = super::comparable(&read.config, &KEPT);
    TestCase { sql: read.sql, config, ..TestCase::default() }
}

fn judges(case: &TestCase, entry: &Entry) -> bool {
    let text = case.sql.as_bytes();
    match entry.group {
        Group::Always => true,
        Group::OnRequest | Group::Faults | Group::Turns => false,
        Group::Answers if entry.oracle.of_statements().is_some() => {
            let one_in = if entry.name == RARE.0 { STATEMENTS_ONE_IN * RARE.1 } else { STATEMENTS_ONE_IN };
            XxHash3_64::oneshot(text).is_multiple_of(one_in)
        }
        Group::Answers => {
            let seed = XxHash3_64::oneshot(entry.name.as_bytes());
            XxHash3_64::oneshot_with_seed(seed, text).is_multiple_of(SCRIPTS_ONE_IN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::ORACLES;
    use crate::testcase::TOGGLE_NAMES;

    #[test]
    fn every_oracle_of_answers_judges_some_cases_and_not_all() {
        let scripts =
            seeds::answers().into_iter().flat_map(|seed| (0..60).map(move |i| format!("{}{i}", seed.script)));
        let cases: Vec<TestCase> = scripts.map(TestCase::from_sql).collect();
        for entry in ORACLES {
            let count = cases.iter().filter(|case| judges(case, entry)).count();
            match entry.group {
                Group::Always => assert_eq!(count, cases.len(), "{}", entry.name),
                Group::OnRequest | Group::Faults | Group::Turns => assert_eq!(count, 0, "{}", entry.name),
                Group::Answers => assert!(count > 0 && count < cases.len(), "{}: {count}", entry.name),
            }
        }
    }

    #[test]
    fn what_keeps_oracles_from_judging_is_taken_away() {
        let mut case = TestCase::from_sql("SELECT 1");
        case.config.set(Setting::Toggles, u32::MAX);
        case.config.set(Setting::LimitLength, 100);
        case.config.set(Setting::CachePages, 7);
        case.files.insert(crate::testcase::FileName::main(), vec![1; 512]);
        let read = decode(&case.encode());
        assert!(read.files.is_empty());
        assert_eq!((read.config.get(Setting::LimitLength), read.config.get(Setting::CachePages)), (0, 7));
        let writable = 1 << TOGGLE_NAMES.iter().position(|&name| name == "WRITABLE_SCHEMA").unwrap();
        assert_eq!(read.config.get(Setting::Toggles) & writable, 0);
        assert_eq!(decode(&read.encode()), read);
    }
}
