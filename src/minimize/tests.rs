//! The driver with judges that need no engine; the passes on real cases.

use super::*;
use crate::engine::sqlite::Executor;
use crate::testcase::{
    Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, MAIN_DB, Operation, Operations, Phase, Setting,
};

/// Keeps what a function of the case says.
struct Says<F> {
    says: F,
    width: usize,
    notes: usize,
}

impl<F: FnMut(&TestCase) -> bool> Judge for Says<F> {
    type Error = std::convert::Infallible;

    fn first(&mut self, candidates: &[TestCase]) -> Result<Answer, Self::Error> {
        Ok(candidates.iter().position(&mut self.says).map_or(Answer::Lost, Answer::Kept))
    }

    fn width(&self) -> usize {
        self.width
    }

    fn note(&mut self, case: &TestCase, _: &'static str) -> Result<(), Self::Error> {
        assert!((self.says)(case), "what is noted shows the bug");
        self.notes += 1;
        Ok(())
    }
}

fn says(case: TestCase, parts: &[Part], width: usize, says: impl FnMut(&TestCase) -> bool) -> Minimized {
    let mut judge = Says { says, width, notes: 0 };
    let done = minimize(case, parts, 20_000, &mut judge).unwrap();
    assert_eq!(judge.notes as u64, done.accepted);
    done
}

fn contains(case: &TestCase, words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(case.sql.as_bytes()).to_ascii_lowercase();
    words.iter().all(|word| text.contains(word))
}

#[test]
fn a_script_is_cut_down_to_what_the_judge_wants() {
    let script = "CREATE TABLE one(a, b, c); CREATE TABLE two(d PRIMARY KEY, e TEXT);\n-- a comment\n\
        INSERT INTO one VALUES(1, 2, 3), (4, 5, 'six and more'), (7, 8, x'0102030405');\n\
        SELECT a, max(b) FROM one LEFT JOIN two ON a = d WHERE c IS NOT NULL AND b BETWEEN 17 AND 2000 GROUP BY a;\n\
        SELECT 'tail';";
    let case = TestCase::from_sql(script);
    let done = says(case.clone(), &Part::ALL, 3, |case| contains(case, &["max(", "left join"]));
    let text = String::from_utf8_lossy(done.case.sql.as_bytes()).into_owned();
    assert_eq!(done.end, End::Minimal);
    assert!(text.len() < 60 && !text.contains("one") && !text.contains(';'), "{text}");
    // The same whatever the width.
    let alone = says(case.clone(), &Part::ALL, 1, |case| contains(case, &["max(", "left join"]));
    assert_eq!((alone.case, alone.attempts), (done.case, done.attempts));
    let nothing = says(case.clone(), &Part::ALL, 1, |_| true);
    assert_eq!(nothing.case, TestCase::default());
    let all = says(case.clone(), &Part::ALL, 1, |_| false);
    assert_eq!((all.case, all.accepted), (case, 0));
}

#[test]
fn only_the_parts_that_are_asked_for_change() {
    let mut case = TestCase::from_sql("SELECT 1; SELECT 2;");
    case.config.set(Setting::CachePages, 7);
    case.config.set(Setting::OptimizationsOff, 0b111);
    let is_kept = |case: &TestCase| case.config.get(Setting::OptimizationsOff) & 2 == 2;
    let done = says(case.clone(), &[Part::Settings], 1, is_kept);
    assert!(done.case.sql == case.sql);
    assert_eq!(
        done.case.config.changed().map(|(spec, value)| (spec.setting, value)).collect::<Vec<_>>(),
        [(Setting::OptimizationsOff, 2)]
    );
}

#[test]
fn attempts_are_bounded_and_a_judge_may_stop() {
    let case = TestCase::from_sql("SELECT 1; SELECT 2; SELECT 3;");
    let mut judge = Says { says: |_: &TestCase| false, width: 1, notes: 0 };
    let done = minimize(case.clone(), &Part::ALL, 3, &mut judge).unwrap();
    assert_eq!((done.end, done.attempts), (End::Attempts, 3));
    struct Stops;
    impl Judge for Stops {
        type Error = std::convert::Infallible;
        fn first(&mut self, _: &[TestCase]) -> Result<Answer, Self::Error> {
            Ok(Answer::Stop)
        }
        fn width(&self) -> usize {
            1
        }
        fn note(&mut self, _: &TestCase, _: &'static str) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    assert_eq!(minimize(case, &Part::ALL, 99, &mut Stops).unwrap().end, End::Stopped);
}

/// A database with three tables, an index and a view.
fn database() -> TestCase {
    let script = "CREATE TABLE big(id INTEGER PRIMARY KEY, txt TEXT, n); CREATE INDEX bi ON big(txt);
        CREATE TABLE other(x, y); CREATE VIEW v AS SELECT x FROM other; CREATE TABLE target(k, v);
        INSERT INTO big WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<300)
            SELECT i, 'some text that fills pages ' || i, i * 7 FROM c;
        INSERT INTO other VALUES(1, 2), (3, 4); INSERT INTO target VALUES('needle', 42), ('hay', 43);";
    let files =
        Executor::shared().files_after(&Default::default(), script, crate::engine::sqlite::Moment::Closed);
    TestCase { files: files.unwrap(), ..TestCase::from_sql("SELECT * FROM target;") }
}

#[test]
fn a_healthy_database_becomes_sql() {
    let done = says(database(), &Part::ALL, 1, |case| {
        contains(case, &["select * from target"])
            && (case.files.main().is_some() || contains(case, &["needle"]))
    });
    assert!(done.case.files.is_empty());
    let text = String::from_utf8_lossy(done.case.sql.as_bytes()).into_owned();
    assert!(text.len() < 80, "{text}");
}

#[test]
fn a_database_is_reduced_to_the_page_that_matters() {
    use crate::dbfile::{Geometry, record, rows, schema};
    let case = database();
    assert!(Geometry::of(case.files.main().unwrap()).pages > 8);
    // The bug needs the row in a b-tree that the schema knows.
    let has_needle = |case: &TestCase| {
        let image = case.files.get(MAIN_DB).unwrap_or_default();
        let geometry = Geometry::of(image);
        schema::rows(image).iter().filter_map(|row| row.root_page(&geometry)).any(|root| {
            rows::in_order(image, &geometry, root, 1000).iter().any(|row| {
                record::values(&row.read(image, &geometry)).contains(&record::Value::Text(b"needle".to_vec()))
            })
        })
    };
    let done = says(case, &[Part::Db], 4, has_needle);
    let image = done.case.files.main().unwrap();
    let geometry = Geometry::of(image);
    let filled =
        (2..=geometry.pages).filter(|&page| geometry.page(image, page).iter().any(|&byte| byte != 0));
    assert_eq!(filled.count(), 1);
    assert!(geometry.pages <= 2 && schema::rows(image).len() == 1, "{} pages", geometry.pages);
}

#[test]
fn logs_lose_frames_and_records() {
    use crate::dbfile::{journal, wal};
    use crate::testcase::FileName;
    let page = vec![7; 512];
    let frames: Vec<(u32, &[u8], u32)> = (1..=9).map(|number| (number, page.as_slice(), number)).collect();
    let records: Vec<(u32, &[u8])> = (1..=9).map(|number| (number, page.as_slice())).collect();
    let mut case = TestCase::default();
    case.files.insert(FileName::wal(), wal::build(512, [1, 2], &frames));
    case.files.insert(FileName::journal(), journal::build(512, 9, 5, &records));
    let done = says(case, &[Part::Db], 2, |case| {
        let log = case.files.get("main.db-wal").unwrap_or_default();
        let frames = wal::frames(log);
        let records = journal::records(case.files.get("main.db-journal").unwrap_or_default());
        wal::valid_frames(log) == frames.len()
            && frames.iter().any(|frame| frame.page == 5)
            && records.iter().any(|record| record.page == 3)
    });
    let log = done.case.files.get("main.db-wal").unwrap();
    assert_eq!((wal::frames(log).len(), wal::valid_frames(log)), (1, 1));
    assert_eq!(journal::records(done.case.files.get("main.db-journal").unwrap()).len(), 1);
}

#[test]
fn faults_and_schedules_that_do_not_count_go() {
    let fault = |nth, lasts| Fault::Io {
        operation: IoOperation::Write,
        role: Some(FileRole::Journal),
        error: IoError::Full,
        nth,
        lasts,
        phase: Phase::Run,
    };
    let case = TestCase {
        faults: FaultPlan::new([fault(1, Lasts::Once), fault(2, Lasts::ForGood), fault(3, Lasts::Times(4))]),
        schedule: "1.5:1,1.6:0,1.9:1".parse().unwrap(),
        ..TestCase::from_sql("SELECT 1")
    };
    let has = |case: &TestCase| {
        case.faults.faults().iter().any(|fault| matches!(fault, Fault::Io { nth: 2, .. }))
            && case.schedule.at(0, 6) == Some(0)
    };
    let done = says(case, &[Part::Faults], 2, has).case;
    let Fault::Io { role: None, lasts: Lasts::Once, nth: 2, .. } = done.faults.faults()[0] else {
        panic!("{done:?}");
    };
    assert_eq!((done.faults.faults().len(), done.schedule.to_string()), (1, "1.6:0".to_owned()));
}

#[test]
fn a_fault_comes_earlier_in_a_smaller_case() {
    let script = "SELECT 1; SELECT 2; SELECT 3; SELECT 4";
    let faults = FaultPlan::new([Fault::Allocation { nth: 4, lasts: Lasts::Once, phase: Phase::Run }]);
    let case = TestCase { faults, ..TestCase::from_sql(script) };
    // The last allocation of all must fail.
    let has = |case: &TestCase| {
        let statements = case.sql.as_bytes().split(|&byte| byte == b';').count() as u32;
        let is_it =
            |fault: &Fault| matches!(fault, Fault::Allocation { nth, .. } if *nth == 0 || *nth == statements);
        contains(case, &["select 4"]) && case.faults.faults().iter().any(is_it)
    };
    let done = says(case, &[Part::Sql], 3, has).case;
    assert_eq!(done.sql.as_bytes().trim_ascii(), b"SELECT 4");
    assert!(matches!(done.faults.faults(), [Fault::Allocation { nth: 1, .. }]), "{:?}", done.faults);
}

#[test]
fn operations_are_cut_down_with_their_statements() {
    let sql =
        "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT 7; INSERT INTO t VALUES(2); SELECT a FROM t";
    let run = |connection| Operation::Run { connection };
    let case = TestCase {
        operations: Operations::new([
            run(0),
            Operation::PassTime { milliseconds: 90 },
            run(2),
            run(0),
            Operation::Prepare { connection: 2, statement: 1 },
            Operation::Step { statement: 1, rows: 8 },
            Operation::PowerCut,
            run(0),
        ]),
        ..TestCase::from_sql(sql)
    };
    // Of the statements, one has to run on another connection than 0, and power has to be cut behind it.
    let shows = |case: &TestCase| {
        let text = format!("{case:?}");
        let insert = text.find("connection 1 runs\nINSERT");
        insert.is_some() && insert < text.find("power is cut")
            || text.contains("connection 2 runs\nINSERT") && text.contains("power is cut")
    };
    let done = says(case, &Part::ALL, 3, shows).case;
    assert_eq!(done.operations.list(), [run(1), Operation::PowerCut], "{done:?}");
    assert!(done.sql.as_bytes().len() < 12, "{done:?}");
}
