use std::sync::LazyLock;

use super::*;
use crate::engine::sqlite::Executor;
use crate::mutators::Mutator as _;
use crate::sql::vocabulary::Vocabulary;
use crate::testcase::RICH_SCHEMA;

fn with_context<R>(seed: u64, action: impl FnOnce(&mut Context<'_>) -> R) -> R {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Executor::shared().vocabulary());
    let mut bytes = |data: &mut [u8], size: usize, _: usize| {
        data[..size].reverse();
        size
    };
    action(&mut Context::new(seed, &VOCABULARY, &mut bytes, 1 << 20, (1 << 20) + 4096))
}

fn mutants(mutator: &dyn crate::mutators::Mutator, script: &str) -> Vec<String> {
    (0..200)
        .filter_map(|seed| {
            let mut case = TestCase::from_sql(script);
            let outcome = with_context(seed, |context| mutator.mutate(&mut case, context));
            (outcome == Outcome::Mutated).then(|| String::from_utf8(case.sql.as_bytes().to_vec()).unwrap())
        })
        .collect()
}

const SCRIPT: &str = "CREATE TABLE t(a, b); CREATE TABLE u(c INTEGER PRIMARY KEY, d);
    SELECT a, sum(b) FROM t JOIN u ON a = c WHERE a > 'x' ORDER BY b; INSERT INTO t VALUES(1, 2);";

#[test]
fn each_edit_does_what_it_says() {
    let expectations: [(&dyn crate::mutators::Mutator, &[&str]); 8] = [
        (&Exchange, &["SELECT"]),
        (&Clause, &["GROUP BY", "LIMIT", "DISTINCT", "RETURNING", "ON CONFLICT", "OVER", "STRICT"]),
        (&List, &["1, 2", "a, b"]),
        (&Wrap, &["CAST", "EXISTS", "NOT", "IS NULL", "CASE", "IN ("]),
        (&Literal, &["+", "-", "e"]),
        (&Function, &["json", "substr", "("]),
        (&Join, &["LEFT JOIN", "FULL JOIN", "NATURAL", "RIGHT JOIN", "AS j"]),
        (
            &Embed,
            &["CREATE VIEW", "MATERIALIZED", "EXPLAIN", "UNION ALL", "EXISTS", "CREATE TRIGGER", "VALUES"],
        ),
    ];
    for (mutator, words) in expectations {
        let mutants = mutants(mutator, SCRIPT);
        assert!(mutants.len() > 60, "{words:?}: {}", mutants.len());
        for word in words {
            assert!(mutants.iter().any(|mutant| mutant.contains(word)), "no {word} in {:#?}", &mutants[..20]);
        }
    }
}

#[test]
fn other_statements_stay_byte_for_byte() {
    let script = "SELECT 1 -- one\n; SELEC broken ;\n\n  SELECT a+1 FROM t; select '\u{e9}' ";
    for mutant in mutants(&Literal, script) {
        assert!(mutant.contains("SELEC broken ;\n\n  "), "{mutant:?}");
        let kept = ["SELECT 1 -- one\n;", "SELECT a+1 FROM t;", "select '\u{e9}' "]
            .iter()
            .filter(|part| mutant.contains(**part));
        assert!(kept.count() >= 2, "{mutant:?}");
    }
}

#[test]
fn names_of_the_image_are_known() {
    let image = Executor::shared()
        .files_after(
            &crate::testcase::OpenConfig::default(),
            "CREATE TABLE only_there(q, r);",
            crate::engine::sqlite::Moment::Closed,
        )
        .unwrap();
    let mut found = 0;
    for seed in 0..100 {
        let mut case = TestCase {
            files: image.clone(),
            ..TestCase::from_sql("SELECT nowhere FROM lost WHERE gone = 1")
        };
        with_context(seed, |context| Rebind.mutate(&mut case, context));
        found += u32::from(String::from_utf8_lossy(case.sql.as_bytes()).contains("only_there"));
    }
    assert!(found > 80, "{found}");
}

#[test]
fn repair_binds_a_script_and_leaves_a_sound_one() {
    let sound = "CREATE TABLE t(a, b);\nINSERT INTO t VALUES(1, 2);\nSELECT b FROM t;";
    let broken = "CREATE TABLE t(a, b);\nINSERT INTO x VALUES(1, 2, 3);\nSELECT q FROM t2;\nSELEC;";
    let mut repaired = 0;
    for seed in 0..100 {
        let mut case = TestCase::from_sql(sound);
        assert_eq!(with_context(seed, |context| repair(&mut case, context)), Outcome::Skipped);
        let mut case = TestCase::from_sql(broken);
        // Some statements are repaired at a time.
        let outcomes: Vec<Outcome> = (0..6)
            .map(|round| with_context(6 * seed + round, |context| repair(&mut case, context)))
            .collect();
        if outcomes.contains(&Outcome::Mutated) {
            let text = String::from_utf8_lossy(case.sql.as_bytes()).into_owned();
            repaired += u32::from(text.contains("INSERT INTO t VALUES (1, 2)") && text.contains(" FROM t;"));
        }
    }
    assert!(repaired > 80, "{repaired}");
}

#[test]
fn mutants_of_sound_statements_mostly_prepare() {
    let mutators: [&dyn crate::mutators::Mutator; 9] =
        [&Exchange, &Clause, &List, &Wrap, &Literal, &Function, &Join, &Embed, &Rebind];
    let mut executor = Executor::shared();
    let (mut good, mut all) = (0, 0);
    for seed in 0..180_u64 {
        let script = RICH_SCHEMA.to_owned() + "SELECT a, b FROM t0 WHERE c > 1 ORDER BY e; SELECT k, sum(n) FROM t1 GROUP BY k;
            UPDATE t0 SET b = 'x' WHERE a = 2; INSERT INTO t2(a, s) VALUES(1, 'z'); SELECT * FROM t0 LEFT JOIN t2 ON t0.a = t2.a;";
        let mut case = TestCase::from_sql(script);
        with_context(seed, |context| mutators[seed as usize % mutators.len()].mutate(&mut case, context));
        let before = crate::sql::statements(RICH_SCHEMA.as_bytes()).count() - 1;
        for statement in
            crate::targets::SQL.judge(&mut executor, &case).observation.trace.statements.iter().skip(before)
        {
            all += 1;
            good += u32::from(statement.prepare == crate::engine::Code::OK);
        }
    }
    assert!(good * 100 > all * 85, "{good} of {all}");
}
