//! The counts against the real engine.

use super::*;
use crate::engine::sqlite::Executor;
use crate::targets::{DB_SQL, SQL};

fn outcomes(case: &TestCase) -> Outcomes {
    let judged = DB_SQL.judge(&mut Executor::shared(), case);
    let mut outcomes = Outcomes::default();
    outcomes.note(case, &judged.observation);
    outcomes
}

fn of_sql(sql: &str) -> Outcomes {
    outcomes(&TestCase::from_sql(sql))
}

#[test]
fn a_statement_fails_in_the_parser_the_resolver_or_the_vm() {
    for sql in ["SELEC 1", "SELECT (1", "SELECT \u{1}", "SELECT 'x", "CREATE TABLE t(a", "SELECT 1 FROM;"] {
        let counts = of_sql(sql);
        assert_eq!((counts.statements, counts.parser, counts.resolver), (1, 1, 0), "{sql}: {counts:?}");
    }
    let unknown = ["SELECT a FROM nowhere", "SELECT nought", "SELECT abs()", "DROP TABLE nowhere"];
    let joined = "SELECT a FROM (SELECT 1 AS a), (SELECT 2 AS a)";
    for sql in unknown.into_iter().chain([joined]) {
        let counts = of_sql(sql);
        assert_eq!((counts.statements, counts.parser, counts.resolver), (1, 0, 1), "{sql}: {counts:?}");
    }
    let counts = of_sql(
        "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1); INSERT INTO t VALUES(1); SELECT abs(-9223372036854775808)",
    );
    assert_eq!((counts.prepared, counts.ran, counts.vm, counts.cut), (4, 2, 2, 0), "{counts:?}");
    let endless =
        of_sql("WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c");
    assert_eq!((endless.prepared, endless.cut, endless.vm), (1, 1, 0), "{endless:?}");
}

/// A message of another module that ends like the parser's, and an error in text that is not the statement.
#[test]
fn only_sqlites_own_parser_counts() {
    let fts = of_sql("CREATE VIRTUAL TABLE f USING fts5(a, b=); SELECT json('{')");
    assert_eq!((fts.parser, fts.resolver, fts.vm), (0, 0, 2), "{fts:?}");
    let mut utf16 = TestCase::from_sql("SELEC 1");
    utf16.config.set(crate::testcase::Setting::Utf16, 1);
    assert_eq!(outcomes(&utf16).parser, 1);
}

#[test]
fn every_statement_is_counted_in_one_place() {
    let executor = Executor::shared();
    let mut sum = Outcomes::default();
    for seed in crate::generators::seeds::sql() {
        let case = seed.build(&executor).unwrap();
        let judged = SQL.judge(&mut Executor::shared(), &case);
        sum.note(&case, &judged.observation);
    }
    assert!(sum.statements > 300, "{sum:?}");
    assert_eq!(sum.statements, sum.prepared + sum.parser + sum.resolver + sum.refused, "{sum:?}");
    assert_eq!(sum.prepared, sum.ran + sum.cut + sum.vm, "{sum:?}");
    let mut twice = sum.clone();
    twice.add(&sum);
    assert_eq!((twice.runs, twice.ran), (2 * sum.runs, 2 * sum.ran));
}

#[test]
fn a_database_opens_if_its_schema_can_be_read() {
    let files = Executor::shared().files_after(
        &Default::default(),
        "CREATE TABLE t(a)",
        crate::engine::sqlite::Moment::Closed,
    );
    let image = files.unwrap().main().unwrap().to_vec();
    let counts = |image: Vec<u8>, sql: &str| {
        let case = TestCase { sql: TestCase::from_sql(sql).sql, ..TestCase::from_database(image) };
        let counts = outcomes(&case);
        (counts.databases, counts.opened)
    };
    assert_eq!(counts(image.clone(), "SELECT * FROM t"), (1, 1));
    assert_eq!(counts(image.clone(), "SELEC"), (0, 0));
    assert_eq!(counts(vec![7; 4096], "SELECT * FROM t"), (1, 0));
    let mut damaged = image.clone();
    damaged[100] = 0xee;
    assert_eq!(counts(damaged, "BEGIN; SELECT * FROM t"), (1, 0));
    // The case damages a schema that could be read.
    let damage = "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage=99; \
                  PRAGMA writable_schema=RESET; SELECT * FROM t";
    assert_eq!(counts(image, damage), (1, 1));
    assert_eq!(of_sql("SELECT 1").databases, 0);
}

#[test]
fn the_file_holds_what_was_noted_and_credits_who_took_part() {
    let path = std::env::temp_dir().join(format!("tandem-stats-{}.json", std::process::id()));
    let mut recorder = Recorder::new(&path, "sql", "all").unwrap();
    let case = TestCase::from_sql("SELECT 1; SELEC");
    let observation = SQL.judge(&mut Executor::shared(), &case).observation;
    let news = |edges, features| News { edges, features };
    recorder.note(&case, &observation, &[], news(5, 9), news(5, 9));
    recorder.note(&case, &observation, &["one", "two"], news(1, 2), news(6, 11));
    recorder.note(&case, &observation, &["one"], news(0, 0), news(6, 11));
    assert_eq!(recorder.time_mutation(|| 3), 3);
    recorder.write().unwrap();
    let stats: Stats = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((stats.target.as_str(), stats.group.as_str()), ("sql", "all"));
    assert_eq!((stats.edges, stats.features), (6, 11));
    assert_eq!((stats.all.runs, stats.mutated.runs, stats.mutated.parser), (3, 2, 2));
    assert_eq!(stats.operators["one"], Yield { uses: 2, features: 2, edges: 1 });
    assert_eq!(stats.operators["two"], Yield { uses: 1, features: 2, edges: 1 });
    assert!(stats.cpu_ns > stats.mutation_ns);

    let mut sum = stats.clone();
    sum.add(&stats);
    assert_eq!((sum.edges, sum.all.runs, sum.operators["one"].uses), (6, 6, 4));
    assert!(Recorder::new(std::path::Path::new("/nonexistent/x"), "sql", "all").is_err());
}
