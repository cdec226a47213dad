use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::Code;
use crate::engine::sqlite::Executor;
use crate::targets::SQL;
use crate::testcase::RICH_SCHEMA;
use crate::testcase::{Script, Setting, TestCase};

/// True for what can be the name of a rule, unlike other text in braces.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

#[test]
fn every_rule_that_is_named_is_there_and_used() {
    let rules: BTreeSet<&str> = grammar::RULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(rules.len(), grammar::RULES.len());
    let special = ["literal", "function", "pragma_name"];
    let mut used: BTreeSet<&str> = ["statement"].into();
    for (name, alternatives) in grammar::RULES {
        assert!(!alternatives.is_empty(), "{name}");
        for alternative in *alternatives {
            let words = alternative.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            for (word, _) in words.filter(|(word, _)| is_name(word)) {
                assert!(
                    rules.contains(word) || special.contains(&word),
                    "{name}: {{{word}}} in {alternative}"
                );
                used.insert(word);
            }
        }
    }
    for rule in rules {
        assert!(used.contains(rule), "nothing uses {rule}");
    }
}

#[test]
fn any_bytes_give_a_statement_and_the_same_bytes_the_same_one() {
    let (names, vocabulary) = (Names::of(RICH_SCHEMA.as_bytes()), Executor::shared().vocabulary());
    let mut rng = Rng::with_seed(4);
    let mut seen = BTreeSet::new();
    for _ in 0..3000 {
        let bytes: Vec<u8> = (0..rng.usize(0..120)).map(|_| rng.u8(..)).collect();
        let generate = || {
            let mut bytes = Unstructured::new(&bytes);
            Statements::new(&names, &vocabulary, &mut bytes, Validity::MIXED).statement()
        };
        let statement = generate();
        assert_eq!(generate(), statement);
        assert!(statement.ends_with(';') && statement.len() < 4 * BYTES_MAX, "{statement}");
        seen.insert(statement);
    }
    assert!(seen.len() > 2000, "{}", seen.len());
}

/// Shares of statements that prepare, by intended validity.
fn outcomes(validity: Validity) -> BTreeMap<&'static str, u32> {
    let mut executor = Executor::shared();
    let vocabulary = executor.vocabulary();
    let mut counts = BTreeMap::new();
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let mut names = Names::of(RICH_SCHEMA.as_bytes());
        let mut script = String::new();
        for _ in 0..4 {
            let statement = Statements::new(&names, &vocabulary, &mut rng, validity).statement();
            names.add(statement.as_bytes());
            script += &statement;
            script.push('\n');
        }
        let mut case = TestCase { sql: Script::new(script.clone()), ..TestCase::default() };
        case.config.set(Setting::RichSchema, 1);
        for statement in SQL.judge(&mut executor, &case).observation.trace.statements {
            let outcome = match (statement.prepare, statement.step) {
                (Code::OK, Code::OK | Code::DONE | Code::ROW) => "run",
                (Code::OK, _) => "fail while running",
                _ => "fail to prepare",
            };
            *counts.entry(outcome).or_default() += 1;
        }
    }
    counts
}

#[test]
fn valid_statements_prepare_and_invalid_ones_do_not() {
    let share = |counts: &BTreeMap<&str, u32>, outcome| {
        100 * counts.get(outcome).copied().unwrap_or(0) / counts.values().sum::<u32>()
    };
    let valid = outcomes(Validity::VALID);
    let mixed = outcomes(Validity::MIXED);
    let wrong = outcomes(Validity { unbound_percent: 60, broken_percent: 60 });
    assert!(share(&valid, "fail to prepare") < 12, "{valid:?}");
    assert!(share(&mixed, "fail to prepare") > share(&valid, "fail to prepare") + 4, "{mixed:?} {valid:?}");
    assert!(share(&wrong, "fail to prepare") > 50, "{wrong:?}");
    assert!(share(&valid, "fail while running") >= 5, "{valid:?}");
}

#[test]
fn a_schema_has_what_was_asked_for() {
    let (names, vocabulary) = (Names::default(), Executor::shared().vocabulary());
    for seed in 0..50 {
        let mut rng = Rng::with_seed(seed);
        let script = Statements::new(&names, &vocabulary, &mut rng, Validity::VALID).schema(3);
        let made = Names::of(script.as_bytes());
        assert!(!made.tables.is_empty(), "{script}");
    }
}
