//! Every oracle is silent on good cases and red on its planted bug.

use super::*;
use crate::engine::plant::{FunctionPlant, Plant};
use crate::engine::sqlite::{Executor, Moment, ScriptProgram};
use crate::engine::{Asked, Value};
use crate::faults::machine::DiskPlant;
use crate::targets::DB_SQL;
use crate::testcase::{FileName, OpenConfig, Script, Setting};

const WRITING: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b);
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 300) INSERT INTO t SELECT x, hex(zeroblob(x)) FROM c;
    PRAGMA cache_size=1; UPDATE t SET b=b||a; DELETE FROM t WHERE a%3=0; SELECT count(*), sum(length(b)) FROM t;";

/// The verdicts by name.
fn verdicts(case: &TestCase, plant: Option<Plant>) -> Vec<(&'static str, Verdict)> {
    let mut executor = Executor::shared();
    if let Some(plant) = plant {
        executor.plant(plant);
    }
    let all: Vec<&str> = ORACLES.iter().map(|entry| entry.name).collect();
    let judged = DB_SQL.judge_within(&mut executor, case, &DB_SQL.budget, &all);
    judged.judgements.into_iter().map(|said| (said.oracle.name, said.verdict)).collect()
}

fn failed(case: &TestCase, plant: Plant) -> Vec<String> {
    let verdicts = verdicts(case, Some(plant)).into_iter();
    let failed = verdicts.filter_map(|(name, verdict)| match verdict {
        Verdict::Fail(finding) => {
            assert!(finding.signature.as_str().starts_with(&format!("{name}/")), "{finding}");
            Some(name.to_owned())
        }
        _ => None,
    });
    failed.collect()
}

/// True for the oracles in [`answers`] and [`variants`].
fn is_of_answers(name: &str) -> bool {
    ORACLES.iter().any(|entry| entry.name == name && entry.group == Group::Answers)
}

/// True for the oracles that judge planned faults, or several connections: `fault_tests` and the tests of `targets::explore`
/// have their planted bugs.
fn is_of_faults(name: &str) -> bool {
    ORACLES.iter().any(|entry| entry.name == name && matches!(entry.group, Group::Faults | Group::Turns))
}

/// True if an oracle says what it must of a right run; those of answers and of faults have nothing to say of some scripts,
/// and that of bystanders where there are none.
fn is_right((name, verdict): &(&str, Verdict)) -> bool {
    let may_skip = is_of_answers(name) || is_of_faults(name) || *name == "bystanders";
    *verdict == Verdict::Pass || may_skip && matches!(verdict, Verdict::Skip(_))
}

#[test]
fn without_a_plant_all_pass() {
    for (name, verdict) in verdicts(&TestCase::from_sql(WRITING), None) {
        // The oracles of answers have scripts and plants of their own, and nothing to say of some statements.
        assert!(is_right(&(name, verdict.clone())), "{name}: {verdict:?}");
    }
}

#[test]
fn each_planted_bug_turns_its_oracle_red() {
    let writing = TestCase::from_sql(WRITING);
    let calling = TestCase::from_sql("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t;");
    let mut beside = writing.clone();
    beside.files.insert(FileName::new("diary.txt").unwrap(), b"dear diary".to_vec());
    let cases = [
        (&writing, Plant::Disk(DiskPlant::LostWrites), "integrity"),
        (&writing, Plant::Disk(DiskPlant::LostWrites), "code"),
        (&writing, Plant::Disk(DiskPlant::LostFreelist), "format"),
        (&writing, Plant::Disk(DiskPlant::WrongReads), "code"),
        (&writing, Plant::Disk(DiskPlant::LeakedHandle), "files"),
        (&writing, Plant::Disk(DiskPlant::LyingSync), "write_ahead"),
        (&beside, Plant::Disk(DiskPlant::GreedyDelete), "bystanders"),
        (&calling, Plant::Function(FunctionPlant::Leak), "memory"),
        (&calling, Plant::Function(FunctionPlant::InternalError), "code"),
        (&calling, Plant::UnfinishedStatement, "close"),
        (&calling, Plant::Function(FunctionPlant::Nondeterminism), "determinism"),
        (&calling, Plant::Function(FunctionPlant::PageOverwrite), "memory"),
        (&calling, Plant::Function(FunctionPlant::FreshPage), "uninitialized"),
        (&calling, Plant::Function(FunctionPlant::FreshMemory), "uninitialized"),
    ];
    let mut red: Vec<&str> = Vec::new();
    for (case, plant, oracle) in cases {
        let failed = failed(case, plant);
        assert!(failed.iter().any(|name| name == oracle), "{plant:?}: {oracle} in {failed:?}");
        red.push(oracle);
    }
    for entry in ORACLES.iter().filter(|entry| !is_of_answers(entry.name) && !is_of_faults(entry.name)) {
        assert!(red.contains(&entry.name), "no planted bug turns `{}` red", entry.name);
    }
}

#[test]
fn a_damaged_database_and_what_damages_by_design_excuse() {
    // It shows whatever else is written before.
    let plant = Plant::Disk(DiskPlant::LostFreelist);
    // What writes to the schema, or rolls back without a journal, is to blame for anything that follows.
    let written =
        "CREATE TABLE x(a); PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql=sql WHERE name='x';";
    let rolled_back = "PRAGMA journal_mode=OFF; CREATE TABLE x(a); BEGIN; INSERT INTO x VALUES(1); ROLLBACK;";
    for begin in [written, rolled_back] {
        let case = TestCase::from_sql(format!("{begin} {WRITING}"));
        assert!(failed(&case, plant).is_empty(), "{begin}");
        let is_tainted =
            |(_, verdict): &(_, Verdict)| matches!(verdict, Verdict::Skip(SkipReason::Tainted(_)));
        assert!(verdicts(&case, Some(plant)).iter().any(is_tainted));
    }
    // What merely might have done so is not, and neither is a limit, a heap limit, LIKE, or an attached file.
    for begin in [
        "PRAGMA writable_schema=1;",
        "PRAGMA journal_mode=OFF;",
        "PRAGMA schema_version=9;",
        "PRAGMA case_sensitive_like=1;",
        "PRAGMA ignore_check_constraints=1;",
        "PRAGMA soft_heap_limit=30000000;",
        "ATTACH 'other.db' AS other;",
        "CREATE TABLE my_data(a); INSERT INTO my_data VALUES(1);",
        "CREATE VIRTUAL TABLE f USING fts5(content);",
    ] {
        let case = TestCase::from_sql(format!("{begin} {WRITING}"));
        assert!(verdicts(&case, None).iter().all(is_right), "{begin}");
        assert!(!failed(&case, plant).is_empty(), "{begin}");
    }
    let mut limited = TestCase::from_sql(WRITING);
    limited.config.set(Setting::LimitAttached, 3);
    assert!(!failed(&limited, plant).is_empty());
    // What a virtual table cannot read under a limit it calls damage.
    for (limit, value) in
        [(Setting::LimitVariableNumber, 2), (Setting::LimitLength, 40), (Setting::LimitSqlLength, 60)]
    {
        for module in ["fts5(a, b, c)", "fts4(a, b, c)", "rtree(a, b, c)"] {
            let sql = format!(
                "CREATE VIRTUAL TABLE f USING {module}; INSERT INTO f VALUES(1, 2, 3); SELECT * FROM f; DROP TABLE f;"
            );
            let mut limited = TestCase::from_sql(sql);
            limited.config.set(limit, value);
            let all = verdicts(&limited, None);
            assert!(
                all.iter().all(|(_, verdict)| !matches!(verdict, Verdict::Fail(_))),
                "{limit:?} {module}: {all:?}"
            );
        }
    }

    let setup =
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b); INSERT INTO t VALUES(1,2),(3,4);";
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::Closed).unwrap();
    let mut damaged =
        TestCase { files, sql: Script::new("UPDATE t SET b=b+1; SELECT * FROM t"), ..Default::default() };
    damaged.files.edit(&FileName::main(), |image| {
        let last = image.len() - 3;
        image[last] ^= 0x55;
    });
    for (name, verdict) in verdicts(&damaged, None) {
        assert!(!matches!(verdict, Verdict::Fail(_)), "{name}: {verdict:?}");
    }
}

#[test]
fn attached_and_temporary_databases_are_judged_and_excuse_only_themselves() {
    let plant = Plant::Disk(DiskPlant::LostWrites);
    let attached = WRITING.replace("TABLE t(", "TABLE x.t(").replace("INDEX i", "INDEX x.i");
    let case = TestCase::from_sql(format!("ATTACH 'other.db' AS x; {attached}"));
    assert!(verdicts(&case, None).iter().all(is_right));
    let verdicts_there = verdicts(&case, Some(plant));
    let names_it = |(_, verdict): &(_, Verdict)| match verdict {
        Verdict::Fail(finding) => finding.message.contains("x: "),
        _ => false,
    };
    assert!(verdicts_there.iter().any(names_it), "{verdicts_there:?}");
    let freelist = failed(&case, Plant::Disk(DiskPlant::LostFreelist));
    assert!(freelist.iter().any(|name| name == "format"), "{freelist:?}");

    // A file that is damaged is excused, and what else is attached or main is not.
    let mut brings = TestCase::from_sql(format!("ATTACH 'bad.db' AS bad; SELECT * FROM bad.t; {WRITING}"));
    let sql = "CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1),(2)";
    let files = Executor::shared().files_after(&OpenConfig::default(), sql, Moment::Closed).unwrap();
    let mut content = files.main().unwrap().to_vec();
    let last = content.len() - 3;
    content[last] ^= 0x55;
    brings.files.insert(FileName::new("bad.db").unwrap(), content);
    for (name, verdict) in verdicts(&brings, None) {
        assert!(!matches!(verdict, Verdict::Fail(_)), "{name}: {verdict:?}");
    }
    let freelist = failed(&brings, Plant::Disk(DiskPlant::LostFreelist));
    assert!(freelist.iter().any(|name| name == "format"), "{freelist:?}");
}

#[test]
fn a_virtual_table_excuses_only_the_statements_that_use_it() {
    let setup = "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES('x');";
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::Closed).unwrap();
    let lost = |before: &str| {
        let sql = Script::new(format!("{before} {WRITING}"));
        let case = TestCase { files: files.clone(), sql, ..TestCase::default() };
        assert!(verdicts(&case, None).iter().all(is_right));
        failed(&case, Plant::Disk(DiskPlant::LostWrites))
    };
    // Which of the writes are lost depends on how many came before.
    let lost: Vec<String> = ["", "PRAGMA user_version=1;", "CREATE TABLE x(a);"].map(lost).concat();
    assert!(lost.iter().any(|name| name == "code"), "{lost:?}");

    // The user changes what the index is about, and writes to the index himself.
    let external = "CREATE TABLE t(a); CREATE VIRTUAL TABLE f USING fts5(a, content='t'); INSERT INTO f(f) VALUES('rebuild');
        INSERT INTO t VALUES('x'); INSERT INTO f(f, rank) VALUES('integrity-check', 1);";
    let shadow =
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES('x y'); UPDATE f_data SET block=x'00';
        SELECT * FROM f WHERE f MATCH 'x';";
    for (script, oracle) in [(external, "code"), (shadow, "integrity")] {
        let skipped =
            |(name, verdict): &(&str, Verdict)| *name == oracle && matches!(verdict, Verdict::Skip(_));
        let verdicts = verdicts(&TestCase::from_sql(script), None);
        assert!(verdicts.iter().any(skipped), "{script}: {verdicts:?}");
        assert!(verdicts.iter().all(|(_, verdict)| !matches!(verdict, Verdict::Fail(_))), "{verdicts:?}");
    }
}

#[test]
fn a_database_may_have_any_name() {
    let mut script = b"ATTACH ':memory:' AS \"q\"\"\xff\"; CREATE TABLE t(a);".to_vec();
    script.extend(WRITING.replace("t(", "u(").replace(" t", " u").into_bytes());
    let case = TestCase { sql: Script::new(script), ..TestCase::default() };
    assert!(verdicts(&case, None).iter().all(is_right));
}

#[test]
fn a_finding_panics_in_a_frame_of_its_oracle() {
    let finding = Finding { signature: Signature::new("memory", "leak", "x"), message: "m".to_owned() };
    let entry = ORACLES.iter().find(|entry| entry.name == "memory").unwrap();
    let raise = entry.raise;
    let panic = std::panic::catch_unwind(|| raise(&finding)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "memory/leak/x: m");
    let functions: std::collections::BTreeSet<usize> =
        ORACLES.iter().map(|entry| entry.raise as usize).collect();
    assert!(functions.len() == ORACLES.len() || cfg!(not(debug_assertions)));
}

/// An oracle that asks whether the table has as many rows as its script inserted, in the state that it reached and in a
/// variant without the deletion.
struct Asks;

impl Oracle for Asks {
    fn check(&self, case: &TestCase, _: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let after = match ask.after(&["SELECT count(*) FROM planted_t".to_owned()]) {
            Ok(after) => after,
            Err(reason) => return Verdict::Skip(reason),
        };
        let script = String::from_utf8_lossy(case.sql.as_bytes()).replace("DELETE", "SELECT * ");
        let variant =
            TestCase { sql: Script::new(script + "; SELECT count(*) FROM planted_t"), ..case.clone() };
        let asked = Asked { has_values: true, ..Asked::default() };
        let run = ask.run(&variant, asked).unwrap();
        let counts = [after.last(), run.trace.statements.last()].map(|last| last.unwrap().values.clone());
        match counts == [2, 3].map(|count| vec![vec![Value::Integer(count)]]) {
            true => Verdict::Pass,
            false => Verdict::Fail(Finding {
                signature: Signature::new("asks", "rows", "-"),
                message: format!("{counts:?}"),
            }),
        }
    }
}

/// The verdict of `oracle` on a script, and what it asked for.
fn asked(oracle: &dyn Oracle, script: &str, plant: Option<Plant>, budget: &Budget) -> (Verdict, Spent) {
    let (case, mut executor) = (TestCase::from_sql(script), Executor::shared());
    plant.into_iter().for_each(|plant| executor.plant(plant));
    let observation = executor.run(&case, &ScriptProgram, budget);
    let mut ask = Environment::new(&mut executor, &case, &ScriptProgram, budget, &observation);
    let verdict = oracle.check(&case, &observation, &mut ask);
    (verdict, ask.take_spent())
}

#[test]
fn an_oracle_may_run_variants_and_statements_after_the_script() {
    let script = "CREATE TABLE planted_t(a); INSERT INTO planted_t VALUES(1),(2),(3); DELETE FROM planted_t WHERE a = 2";
    let (verdict, spent) = asked(&Asks, script, None, &DB_SQL.budget);
    assert_eq!((verdict, spent.runs, spent.refused), (Verdict::Pass, 2, 0));
    assert!(spent.vm_steps > 10, "{spent:?}");
    // A planted extra row.
    let (verdict, _) = asked(&Asks, script, Some(Plant::WrongRows), &DB_SQL.budget);
    assert!(matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
    // The same again, and no more than the case itself may do.
    assert_eq!(asked(&Asks, script, None, &DB_SQL.budget), asked(&Asks, script, None, &DB_SQL.budget));
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c";
    assert_eq!(asked(&Asks, endless, None, &DB_SQL.budget).0, Verdict::Skip(SkipReason::CheckCutShort));
    let differs = Some(Plant::Function(FunctionPlant::Nondeterminism));
    let skipped = asked(&Asks, "SELECT planted()", differs, &DB_SQL.budget).0;
    assert_eq!(skipped, Verdict::Skip(SkipReason::NotReproduced));
}

/// Asks endlessly.
struct Insatiable;

impl Oracle for Insatiable {
    fn check(&self, case: &TestCase, _: &Observation, ask: &mut Environment<'_>) -> Verdict {
        while ask.run(case, Asked::default()).is_ok() {}
        Verdict::Skip(SkipReason::BudgetUsedUp)
    }
}

#[test]
fn what_an_oracle_may_ask_is_bounded_in_runs_and_steps() {
    let (_, spent) = asked(&Insatiable, "SELECT 1", None, &DB_SQL.budget);
    assert_eq!((spent.runs, spent.refused), (32, 1));
    let counting =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 3000) SELECT count(*) FROM c";
    let (_, spent) = asked(&Insatiable, counting, None, &DB_SQL.budget);
    assert!(spent.runs < 32 && spent.vm_steps < 9 * DB_SQL.budget.vm_steps, "{spent:?}");
}

/// What takes a run is asked for only if a verdict depends on it.
#[test]
fn health_at_the_start_is_asked_only_where_it_matters() {
    let runs = |case: &TestCase, plant: Option<Plant>| {
        let mut executor = Executor::shared();
        plant.into_iter().for_each(|plant| executor.plant(plant));
        let judged = DB_SQL.judge(&mut executor, case);
        judged.judgements.iter().map(|said| said.spent.runs).sum::<u32>()
    };
    let plant = Some(Plant::Disk(DiskPlant::LostWrites));
    let files = Executor::shared().files_after(&OpenConfig::default(), WRITING, Moment::Closed).unwrap();
    let sql = Script::new("PRAGMA cache_size=1; UPDATE t SET b=b||a; DELETE FROM t WHERE a%7=0;");
    let brings = TestCase { files, sql, ..TestCase::default() };
    assert_eq!((runs(&brings, None), runs(&brings, plant)), (0, 1));
    // What SQLite makes on an empty disk needs no run.
    assert_eq!(runs(&TestCase::from_sql(WRITING), plant), 0);
}
