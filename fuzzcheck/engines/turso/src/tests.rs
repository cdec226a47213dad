use tandem::difference::{Class, Comparison, Policy, compare};
use tandem::engine::Value;
use tandem::engine::transcript::RowsDigest;
use tandem::testcase::{FileName, WAL};

use super::*;

fn turso(plant: Option<Plant>) -> Turso {
    Turso::new(Executor::shared(), plant)
}

/// What comes of a case on both.
fn compare_case(case: &TestCase, plant: Option<Plant>) -> Comparison {
    let sqlite = Executor::shared().transcript(case, &Budget::UNLIMITED);
    let turso = turso(plant).transcript(case, &Budget::UNLIMITED);
    compare(case, &sqlite, &turso, &Policy::ENGINES)
}

fn compare_sql(sql: &str, plant: Option<Plant>) -> Comparison {
    compare_case(&TestCase::from_sql(sql), plant)
}

fn classes(comparison: &Comparison) -> Vec<Class> {
    comparison.differences.iter().filter(|one| one.is_finding()).map(|one| one.class).collect()
}

const SAMPLE: &str = "\
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c);
CREATE INDEX tb ON t(b);
INSERT INTO t VALUES(1, 'one', 1.5), (2, NULL, x'00ff'), (3, 'é', -9223372036854775808), (4, '', 1e300);
SELECT * FROM t ORDER BY a;
SELECT typeof(c), count(*), max(b) FROM t GROUP BY 1 ORDER BY 1;
BEGIN; UPDATE t SET b = 'two' WHERE a = 2; DELETE FROM t WHERE a = 4; COMMIT;
SELECT $int_42, $text_abc, :other;
CREATE VIEW v AS SELECT a, b FROM t WHERE a > 1; -- with a comment
SELECT * FROM v;
";

#[test]
fn a_healthy_sample_agrees_statement_for_statement() {
    let comparison = compare_sql(SAMPLE, None);
    assert!(comparison.differences.is_empty(), "{:#?}", comparison.differences);
    assert!(comparison.skipped.is_empty(), "{:?}", comparison.skipped);
    assert!(comparison.statements == 12 && comparison.is_end_compared, "{comparison:?}");
}

#[test]
fn every_planted_difference_is_seen_in_its_class() {
    let expected = [
        (Plant::ExtraRow, Class::Rows),
        (Plant::NoRows, Class::RowsAgainstNone),
        (Plant::Error, Class::Error),
        (Plant::LostTable, Class::Content),
        (Plant::Schema, Class::Schema),
        (Plant::Integrity, Class::Integrity),
    ];
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a, 'planted' FROM t;";
    assert_eq!(classes(&compare_sql(sql, None)), []);
    for (plant, class) in expected {
        assert_eq!(classes(&compare_sql(sql, Some(plant))), [class], "{plant:?}");
    }
    let names = Plant::ALL.map(|(name, plant)| Plant::by_name(name) == Some(plant));
    assert_eq!(names, [true; 7]);
}

#[test]
fn limit_without_an_order_is_a_warning_only() {
    let case =
        TestCase::from_sql("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2); SELECT a FROM t LIMIT 1;");
    let sqlite = Executor::shared().transcript(&case, &Budget::UNLIMITED);
    let mut turso = turso(None).transcript(&case, &Budget::UNLIMITED);
    assert_eq!(compare(&case, &sqlite, &turso, &Policy::ENGINES).differences, []);
    // It may as well take the other row.
    turso.statements[2].rows = RowsDigest::default();
    turso.statements[2].rows.add(&[Value::Integer(2)]);
    let comparison = compare(&case, &sqlite, &turso, &Policy::ENGINES);
    assert_eq!(comparison.differences.len(), 1, "{comparison:?}");
    assert_eq!(classes(&comparison), []);
}

#[test]
fn files_of_sqlite_are_read_and_those_of_turso_are_checked() {
    let sqlite = Executor::shared();
    let sql = "CREATE TABLE t(a, b UNIQUE); INSERT INTO t VALUES(1, 'x'), (2.5, zeroblob(9000)); PRAGMA user_version=7;";
    for (moment, mode) in [(Moment::Closed, "DELETE"), (Moment::PowerCut, "WAL")] {
        let sql = format!("PRAGMA journal_mode={mode}; {sql}");
        let mut case = TestCase::from_sql("SELECT * FROM t; DELETE FROM t WHERE a = 1; PRAGMA user_version;");
        case.files = sqlite.files_after(&OpenConfig::default(), &sql, moment).unwrap();
        assert_eq!(case.files.get(WAL).is_some_and(|log| !log.is_empty()), mode == "WAL");
        let comparison = compare_case(&case, None);
        assert!(comparison.differences.is_empty(), "{mode}: {:#?}", comparison.differences);
        assert!(comparison.statements == 3 && comparison.is_end_compared, "{mode}: {comparison:?}");
    }
}

#[test]
fn a_file_that_sqlite_finds_damaged_is_a_problem() {
    let case = TestCase::from_sql("CREATE TABLE t(a); INSERT INTO t VALUES(1);");
    let mut turso = turso(None);
    let disk = turso.disk(&case).unwrap();
    let connection = connect(&disk, &case.config).unwrap();
    let settings = Settings {
        vm_steps: u64::MAX,
        rows_max: 0,
        is_utf16: false,
        observer: None,
        plant: None,
        pragmas: &turso.pragmas,
    };
    let mut session = Session::new(connection, settings);
    session.run_script(case.sql.as_bytes());
    let mut end = end::read(&session).unwrap();
    assert_eq!(end::check_file(&session, &disk, &end, &mut turso.sqlite), [""; 0]);
    end.tables[0].rows.count += 1;
    let problems = end::check_file(&session, &disk, &end, &mut turso.sqlite);
    assert_eq!(problems, ["SQLite reads other rows from the table t"]);
}

#[test]
fn what_turso_lacks_is_skipped_with_the_reason() {
    let sql = "CREATE VIRTUAL TABLE f USING fts5(a); SELECT 1;";
    let comparison = compare_sql(sql, None);
    assert!(comparison.differences.is_empty() && comparison.statements == 0, "{comparison:?}");
    assert_eq!(comparison.skipped.values().sum::<u64>(), 1, "{comparison:?}");
    let record =
        turso(None).transcript(&TestCase::from_sql("VACUUM INTO '/tmp/tandem-turso.db'"), &Budget::UNLIMITED);
    assert!(record.statements[0].explain_fails && record.statements[0].message.contains("host"));
    assert!(!std::path::Path::new("/tmp/tandem-turso.db").exists());
}

#[test]
fn text_comes_back_as_the_case_asks_for() {
    let mut case = TestCase::from_sql("SELECT 'aé', hex('é'), 1;");
    case.config.set(Setting::Utf16, 1);
    let comparison = compare_case(&case, None);
    assert!(comparison.differences.is_empty() && comparison.statements == 1, "{comparison:#?}");
}

#[test]
fn autoincrement_leaves_the_same_objects() {
    let comparison =
        compare_sql("CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES(5);", None);
    assert!(comparison.differences.is_empty() && comparison.is_end_compared, "{comparison:#?}");
}

#[test]
fn a_run_ends_with_its_budget() {
    let endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c; SELECT 1;";
    let budget = Budget { vm_steps: 100_000, ..Budget::UNLIMITED };
    let transcript = turso(None).transcript(&TestCase::from_sql(endless), &budget);
    assert!(transcript.is_cut_short && transcript.end.is_none(), "{transcript:?}");
    assert_eq!(transcript.statements.len(), 1);

    let mut case = TestCase::from_sql("VALUES(1), (2), (3); SELECT 1;");
    case.config.set(Setting::RowsMax, 2);
    let transcript = turso(None).transcript(&case, &Budget::UNLIMITED);
    assert!(transcript.is_cut_short && transcript.statements.len() == 1, "{transcript:?}");
    assert_eq!(transcript.statements[0].rows.count, 2);
}

#[test]
fn a_database_that_does_not_open_fails_the_first_statement() {
    let mut case = TestCase::from_sql("SELECT 1; SELECT 2;");
    case.files.insert(FileName::main(), b"this is not a database, by its first bytes".repeat(100));
    let transcript = turso(None).transcript(&case, &Budget::UNLIMITED);
    assert_eq!(transcript.statements.len(), 2);
    assert_eq!(transcript.statements[0].sql, 0..9);
    assert!(!transcript.statements[0].message.is_empty() && transcript.end.is_none());
}

#[test]
fn the_version_is_that_of_the_lock() {
    let identity = turso(None).identity();
    assert!(identity.starts_with("Turso 0.") && identity.len() < 20, "{identity}");
}
