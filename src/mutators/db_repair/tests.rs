use super::*;
use crate::dbfile::record::Value;
use crate::dbfile::schema::encode;
use crate::engine::Code;
use crate::engine::sqlite::{Executor, Moment};
use crate::mutators::{MUTATORS, OperatorWeights};
use crate::targets::DB_SQL;
use crate::testcase::OpenConfig;

fn with_context<R>(seed: u64, action: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let vocabulary = Executor::shared().vocabulary();
    let mut bytes = |_: &mut [u8], size: usize, _: usize| size;
    action(&mut Context::new(seed, &vocabulary, &mut bytes, 1 << 20, 2 << 20))
}

fn database() -> TestCase {
    let setup = "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); CREATE VIEW v AS SELECT a FROM t;
        CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END; INSERT INTO t VALUES(1, 2);";
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::Closed).unwrap();
    TestCase { files, ..TestCase::from_sql("SELECT * FROM sqlite_schema;") }
}

fn opens(executor: &mut Executor, case: &TestCase) -> bool {
    DB_SQL.judge(executor, case).observation.trace.statements[0].prepare == Code::OK
}

#[test]
fn a_sound_database_is_left_alone() {
    let image = database().files.main().unwrap().to_vec();
    assert!(!is_unreadable(&image));
    let mut repaired = image.clone();
    assert_eq!(with_context(1, |context| repair(&mut repaired, context)), Outcome::Skipped);
    assert_eq!(repaired, image);
}

#[test]
fn each_defect_is_seen_and_repaired() {
    type Damage = fn(&mut Vec<u8>);
    let set_sql = |image: &mut Vec<u8>, index: usize, sql: &str| {
        let row = schema::rows(image)[index].clone();
        let sql = Value::Text(encode(sql, 1));
        with_context(0, |context| {
            atomically(image, context, |space, _| rewrite(space, &row, |values| values[SQL] = sql))
        });
    };
    let damages: [Damage; 8] = [
        |image| image[3] = b'x',
        |image| image[16..18].copy_from_slice(&[0x11, 0x11]),
        |image| image[18..20].copy_from_slice(&[9, 9]),
        |image| image[21] = 1,
        |image| header::SCHEMA_FORMAT.set(image, 77),
        |image| image[100] = 2,
        |image| image[108..110].copy_from_slice(&[0xff, 0xff]),
        |image| image[103..105].copy_from_slice(&[0xff, 0xff]),
    ];
    let sound = database();
    let mut executor = Executor::shared();
    let mut check = |image: Vec<u8>, what: &str| {
        let mut case = sound.clone();
        case.files.insert(FileName::main(), image.clone());
        assert!(!opens(&mut executor, &case), "{what} does no harm");
        assert!(is_unreadable(&image), "{what} is not seen");
        let mut repaired = image;
        assert_eq!(with_context(2, |context| repair(&mut repaired, context)), Outcome::Mutated, "{what}");
        case.files.insert(FileName::main(), repaired);
        assert!(opens(&mut executor, &case), "{what} is not repaired");
    };
    for (i, damage) in damages.iter().enumerate() {
        let mut image = sound.files.main().unwrap().to_vec();
        damage(&mut image);
        check(image, &format!("damage {i}"));
    }
    let sqls = [(0, "CREATE TABLE t("), (1, "CREATE INDEX i ON t(zz)"), (2, "CREATE VIEW"), (3, "SELECT 1")];
    for (row, sql) in sqls {
        let mut image = sound.files.main().unwrap().to_vec();
        set_sql(&mut image, row, sql);
        check(image, sql);
    }
}

#[test]
fn most_mutants_of_mutants_open() {
    let mut executor = Executor::shared();
    let vocabulary = executor.vocabulary();
    let weights = OperatorWeights::new(&DB_SQL.weights, |_| false);
    let mut pool = vec![database()];
    let (mut open, mut all) = (0, 0);
    for seed in 0..600_u64 {
        let mut case = pool[seed as usize * 31 % pool.len()].clone();
        let mut bytes = |_: &mut [u8], size: usize, _: usize| size;
        let mut context = Context::new(seed, &vocabulary, &mut bytes, 1 << 20, (1 << 20) + 4096);
        crate::mutators::mutate(&mut case, &weights, &mut context);
        let mut probe = TestCase::from_sql("SELECT * FROM sqlite_schema;");
        probe.files = case.files.clone();
        all += 1;
        open += u32::from(opens(&mut executor, &probe));
        pool.push(case);
    }
    assert!(open * 100 > all * 60, "{open} of {all} open with {} mutators", MUTATORS.len());
}
