//! The executor on the real engine.

use super::*;
use crate::dbfile::{Geometry, header, journal, wal};
use crate::engine::{Code, Limit, Observation, Taint};
use crate::faults::machine::Machine;
use crate::faults::vfs::Vfs;
use crate::testcase::{FileName, MAIN_DB, OpenConfig, Script, Setting, TestCase};

const BUDGET: Budget = Budget {
    vm_steps: 20_000,
    alloc_bytes: 64 << 20,
    heap_bytes: 50_000_000,
    disk_bytes: 8 << 20,
    length_bytes: 1_000_000,
    rows: None,
    has_small_limits: true,
    has_few_variants: false,
};

fn run(case: &TestCase) -> Observation {
    Executor::shared().run(case, &ScriptProgram, &BUDGET)
}

fn run_sql(sql: &str) -> Observation {
    run(&TestCase::from_sql(sql))
}

/// The rows of a query on the files of `case`, as SQLite shows them.
fn query(case: &TestCase, sql: &str) -> Vec<String> {
    let mut with_query = case.clone();
    with_query.sql = Script::new(sql);
    struct Query(std::cell::RefCell<Vec<String>>);
    impl Program for Query {
        fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
            let text = String::from_utf8_lossy(case.sql.as_bytes()).into_owned();
            let rows = execution.query(&text).unwrap_or_default();
            self.0.borrow_mut().extend(rows.iter().map(|row| format!("{row:?}")));
        }
    }
    let query = Query(Default::default());
    Executor::shared().run(&with_query, &query, &BUDGET);
    query.0.into_inner()
}

/// A case with the files that a script leaves.
fn files_after(sql: &str, moment: Moment) -> TestCase {
    let files = Executor::shared().files_after(&OpenConfig::default(), sql, moment);
    TestCase { files: files.unwrap(), ..TestCase::default() }
}

#[test]
fn statements_are_traced_one_by_one() {
    let observation =
        run_sql("CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); -- c\nSELECT * FROM t; SELEC; SELECT 3");
    let statements = &observation.trace.statements;
    let verbs: Vec<&str> = statements.iter().map(|statement| statement.verb).collect();
    assert_eq!(verbs, ["CREATE", "INSERT", "SELECT", "-", "SELECT"]);
    assert_eq!(statements.iter().map(|s| s.rows).collect::<Vec<_>>(), [0, 0, 2, 0, 1]);
    assert_eq!(statements[3].code(), Code(1));
    assert!(statements.iter().take(3).all(|s| s.code() == Code::DONE));
    assert_eq!(
        &"CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);"[statements[1].sql.clone()],
        " INSERT INTO t VALUES(1),(2);"
    );
    assert_eq!(observation.close, Some(Code::OK));
    assert_eq!((observation.leaked, observation.open_files), ((0, 0), 0));
    assert_eq!(observation.integrity, Some(vec![]));
    assert_eq!(observation.trace.files[0].name, MAIN_DB);
}

#[test]
fn the_same_case_gives_the_same_trace_whatever_ran_before() {
    let sql = "CREATE TABLE t(a, b);\
        INSERT INTO t SELECT random(), randomblob(9) FROM (VALUES(1),(2),(3));\
        SELECT *, datetime('now','localtime'), strftime('%s') FROM t; VACUUM; SELECT rowid FROM t ORDER BY a;\
        CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a b c'); PRAGMA journal_mode=WAL; INSERT INTO t VALUES(1,2)";
    let mut executor = Executor::shared();
    let case = TestCase::from_sql(sql);
    let first = executor.run(&case, &ScriptProgram, &BUDGET).trace;
    let odd = TestCase::from_sql(
        "PRAGMA hard_heap_limit=20000; PRAGMA soft_heap_limit=10000; SELECT random(); PRAGMA temp_store_directory='/x';",
    );
    executor.run(&odd, &ScriptProgram, &BUDGET);
    let second = executor.run(&case, &ScriptProgram, &BUDGET).trace;
    assert_eq!(first.difference(&second), None);
    assert!(first.statements.iter().all(|s| s.code() == Code::DONE), "{first:?}");

    let mut seeded = case.clone();
    seeded.config.set(Setting::RandomSeed, 2);
    assert!(executor.run(&seeded, &ScriptProgram, &BUDGET).trace.difference(&first).is_some());
}

#[test]
fn wal_mode_works_with_its_shared_memory() {
    let case =
        files_after("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(7);", Moment::PowerCut);
    assert!(header::is_wal(case.files.main().unwrap()));
    let log = case.files.get("main.db-wal").unwrap();
    assert!(wal::valid_frames(log) >= 2, "{}", wal::valid_frames(log));
    assert_eq!(query(&case, "SELECT a FROM t"), ["[Integer(7)]"]);
    let mut without_log = case.clone();
    without_log.files.remove(&FileName::wal());
    assert_eq!(query(&without_log, "SELECT count(*) FROM sqlite_schema"), ["[Integer(0)]"]);
    // Written through the log, checkpointed when the connection closes: the log is gone.
    let observation = run(&TestCase { sql: Script::new("INSERT INTO t VALUES(8)"), ..case });
    let names: Vec<&str> = observation.trace.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, [MAIN_DB]);
}

#[test]
fn a_hot_journal_is_rolled_back() {
    let sql = "PRAGMA page_size=512; CREATE TABLE t(a, b); \
        WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 90) INSERT INTO t SELECT x, hex(zeroblob(90)) FROM r; \
        PRAGMA cache_size=2; BEGIN; UPDATE t SET a=-a; DELETE FROM t WHERE a%3=0;";
    let case = files_after(sql, Moment::PowerCut);
    let records = journal::records(case.files.get("main.db-journal").unwrap());
    assert!(!records.is_empty());
    assert_eq!(query(&case, "SELECT count(*), min(a) FROM t"), ["[Integer(90), Integer(1)]"]);
    let mut without_journal = case.clone();
    without_journal.files.remove(&FileName::journal());
    assert_ne!(query(&without_journal, "SELECT count(*), min(a) FROM t"), ["[Integer(90), Integer(1)]"]);
}

#[test]
fn a_budget_of_steps_or_bytes_ends_the_run() {
    let endless =
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT count(*) FROM r; SELECT 1";
    let observation = run_sql(endless);
    assert!(observation.trace.is_cut_short);
    assert_eq!(observation.trace.statements.len(), 1);
    assert_eq!(observation.trace.statements[0].code(), Code(9));
    assert!(observation.trace.vm_steps().abs_diff(BUDGET.vm_steps) < 400, "{}", observation.trace.vm_steps());

    let greedy = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 900) SELECT max(hex(zeroblob(400000))) FROM r";
    let observation = run_sql(greedy);
    assert!(observation.trace.is_cut_short && observation.trace.vm_steps() < BUDGET.vm_steps / 2);
}

#[test]
fn a_run_tells_which_limits_cut_it_short() {
    const ENDLESS: &str =
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 4000) SELECT x FROM r";
    const GREEDY: &str = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 90) SELECT max(hex(zeroblob(400000))) FROM r";
    const WRITES: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(900000)),(zeroblob(900000))";
    let free = Budget { rows: Some(0), ..Budget::UNLIMITED };
    let trials: [(Limit, &str, Budget); 6] = [
        (Limit::VmSteps, ENDLESS, Budget { vm_steps: 20_000, ..free }),
        (Limit::AllocBytes, GREEDY, Budget { alloc_bytes: 8 << 20, ..free }),
        (Limit::HeapBytes, GREEDY, Budget { heap_bytes: 1 << 20, ..free }),
        (Limit::DiskBytes, WRITES, Budget { disk_bytes: 1 << 20, ..free }),
        (Limit::LengthBytes, GREEDY, Budget { length_bytes: 500_000, ..free }),
        (Limit::Rows, ENDLESS, Budget { rows: Some(7), ..free }),
    ];
    for (limit, sql, budget) in trials {
        let cut_short = |budget| {
            Executor::shared()
                .run(&TestCase::from_sql(sql), &ScriptProgram, budget)
                .cut_short
                .into_iter()
                .collect()
        };
        let (with, without): (Vec<Limit>, Vec<Limit>) = (cut_short(&budget), cut_short(&free));
        assert_eq!((with, without), (vec![limit], vec![]), "{sql}");
    }
}

#[test]
fn what_a_case_refuses_itself_is_no_limit_of_the_run() {
    let mut case = TestCase::from_sql(
        "SELECT hex(zeroblob(900)); PRAGMA hard_heap_limit=90000; SELECT zeroblob(500000)",
    );
    case.config.set(Setting::LimitLength, 1000);
    let observation = run(&case);
    assert_eq!(observation.trace.statements[0].code().0, 18, "SQLITE_TOOBIG");
    assert!(observation.cut_short.is_empty(), "{:?}", observation.cut_short);
}

#[test]
fn the_disk_of_a_case_is_its_own_and_ends_somewhere() {
    let observation = run_sql(
        "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(900000)); INSERT INTO t SELECT a FROM t,(VALUES(1),(2),(3),(4),(5),(6),(7),(8),(9),(10))",
    );
    assert_eq!(observation.trace.statements[2].code().primary(), 13, "SQLITE_FULL");
    assert_eq!(observation.integrity, Some(vec![]));
    let host = run_sql(
        "ATTACH '/tmp/tandem-test.db' AS x; ATTACH 'file:y?vfs=unix' AS y; ATTACH 'z.db' AS z; CREATE TABLE z.t(a)",
    );
    let codes: Vec<i32> = host.trace.statements.iter().map(|s| s.code().primary()).collect();
    assert_eq!(codes, [23, 23, 101, 101]);
    let files: Vec<(&str, usize)> =
        host.trace.files.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
    assert_eq!(files, [(MAIN_DB, 0), ("z.db", 8192)]);
    assert_eq!(host.taint, Taint::ATTACHED_FILE);
}

#[test]
fn settings_reach_the_connection() {
    let rows = |setting, value, sql| {
        let mut case = TestCase::from_sql("");
        case.config.set(setting, value);
        query(&case, sql)
    };
    assert_eq!(rows(Setting::Toggles, 1, "PRAGMA foreign_keys"), ["[Integer(1)]"]);
    assert_eq!(rows(Setting::Toggles, 0, "PRAGMA foreign_keys"), ["[Integer(0)]"]);
    assert_eq!(rows(Setting::CachePages, 7, "PRAGMA cache_size"), ["[Integer(7)]"]);
    assert_eq!(rows(Setting::CacheSpill, 0, "PRAGMA cache_spill"), ["[Integer(0)]"]);
    assert_eq!(rows(Setting::CellSizeCheck, 1, "PRAGMA cell_size_check"), ["[Integer(1)]"]);
    assert_eq!(rows(Setting::TempStore, 2, "PRAGMA temp_store"), ["[Integer(2)]"]);
    assert_eq!(
        rows(Setting::ExclusiveLocking, 1, "PRAGMA locking_mode"),
        [format!("[Text({:?})]", b"exclusive")]
    );
    assert!(rows(Setting::LimitColumn, 2, "SELECT 1,2,3").is_empty());
    assert!(!rows(Setting::RichSchema, 1, "SELECT * FROM t0").is_empty());
    assert!(!rows(Setting::OptimizationsOff, u32::MAX, "EXPLAIN SELECT 1").is_empty());
}

#[test]
fn row_limit_and_utf16_change_how_statements_run() {
    let mut case = TestCase::from_sql("VALUES('a'),('b'),('\u{e9}'); SELECT 1;");
    let plain = run(&case).trace;
    case.config.set(Setting::RowsMax, 2);
    let limited = run(&case).trace;
    assert_eq!((plain.statements[0].rows, limited.statements[0].rows), (3, 2));
    assert_eq!((plain.statements.len(), limited.statements.len()), (2, 1));
    case.config = Default::default();
    case.config.set(Setting::Utf16, 1);
    let wide = run(&case).trace;
    assert_eq!(wide.statements.iter().map(|s| s.rows).collect::<Vec<_>>(), [3, 1]);
    assert_ne!(wide.statements[0].row_digest, plain.statements[0].row_digest);
}

#[test]
fn the_lock_byte_page_can_be_moved_into_reach() {
    let sql = "PRAGMA page_size=512; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(90000));";
    let mut case = TestCase::from_sql(sql);
    let ordinary = run(&case).trace.files[0].bytes;
    case.config.set(Setting::PendingBytePage, 1);
    let moved = run(&case);
    assert_eq!(moved.trace.files[0].bytes, ordinary + 512, "one page is left out");
    assert_eq!(moved.integrity, Some(vec![]));
}

#[test]
fn a_schema_of_which_an_interrupted_run_read_a_part_is_no_damage() {
    // So many that reading the schema takes more steps than one tick of the budget.
    let tables: String = (0..30).map(|i| format!("CREATE TABLE t{i}(a);")).collect();
    let mut case = files_after(&tables, Moment::Closed);
    case.sql = Script::new("PRAGMA writable_schema=1; VACUUM; DELETE FROM t0");
    let runs = (1..).map(|ticks| {
        let budget = Budget { vm_steps: 100 * ticks, ..BUDGET };
        Executor::shared().run(&case, &ScriptProgram, &budget)
    });
    let cut: Vec<Observation> = runs.take_while(Observation::ended_early).collect();
    let last = cut.last().and_then(|run| run.trace.statements.last());
    assert_eq!(last.map(|last| last.verb), Some("DELETE"), "it reads the schema that VACUUM made");
    assert!(cut.iter().all(|run| run.integrity.as_ref().is_none_or(Vec::is_empty)));
}

/// Whether the database of a case is sound before it runs.
fn is_healthy_at_start(case: &TestCase) -> bool {
    let observation = run(case);
    Executor::shared().is_healthy_at_start(case, &BUDGET, &observation)
}

#[test]
fn an_entry_that_is_overwritten_is_damage_at_the_start() {
    let healthy =
        files_after("CREATE TABLE t(a); INSERT INTO t VALUES(1); CREATE INDEX i ON t(a);", Moment::Closed);
    assert!(is_healthy_at_start(&TestCase { sql: Script::new("DELETE FROM t"), ..healthy.clone() }));

    // An index entry is overwritten: well-formed pages, wrong content.
    let mut damaged = healthy.clone();
    damaged.files.edit(&FileName::main(), |image| {
        let geometry = Geometry::of(image);
        let page = geometry.page_mut(image, 3);
        let last = page.len() - 2;
        page[last] ^= 8;
    });
    damaged.sql = Script::new("INSERT INTO t VALUES(2)");
    assert!(!is_healthy_at_start(&damaged));
    assert!(!run(&damaged).integrity.unwrap().is_empty());
}

#[test]
fn isolation_of_names_in_the_vocabulary() {
    let words = Executor::shared().vocabulary();
    let function = |name: &str| words.functions.iter().filter(|f| f.name == name).count();
    assert!(function("substr") == 2 && function("json_each") == 0 && function("load_extension") == 0);
    assert!(words.pragmas.iter().any(|name| name == "integrity_check"));
    for module in
        ["fts3", "fts4", "fts5", "rtree", "geopoly", "dbstat", "sqlite_dbpage", "bytecode", "sqlite_stmt"]
    {
        assert!(words.modules.iter().any(|name| name == module), "{module} in {:?}", words.modules);
    }
    assert!(words.words().len() > 250);
    let options = compile_options();
    for option in [
        "ENABLE_SESSION",
        "ENABLE_PREUPDATE_HOOK",
        "ENABLE_NORMALIZE",
        "ENABLE_UNKNOWN_SQL_FUNCTION",
        "ENABLE_STAT4",
        "ENABLE_OFFSET_SQL_FUNC",
        "ENABLE_MATH_FUNCTIONS",
        "DEFAULT_LOOKASIDE=0,0",
    ] {
        assert!(options.iter().any(|known| known == option), "{option} in {options:?}");
    }
}

#[test]
fn records_that_are_wider_than_the_schema_says_are_not_healthy() {
    let executor = Executor::shared();
    let healthy = |edit: &str| {
        let sql = format!(
            "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 2), (3, 4); CREATE INDEX i ON t(a, b); \
             CREATE TABLE u(a, b, v AS (a)); INSERT INTO u VALUES(1, 2); ALTER TABLE u ADD COLUMN c; \
             CREATE TABLE w(a, b, PRIMARY KEY(b, b COLLATE nocase)) WITHOUT ROWID; \
             INSERT INTO w VALUES(1, 2); ALTER TABLE w ADD COLUMN c; PRAGMA writable_schema=ON; {edit}"
        );
        let files = executor.files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
        executor.is_healthy(&TestCase { files, ..TestCase::default() })
    };
    assert!(healthy("UPDATE sqlite_schema SET sql='CREATE INDEX i ON t(a,b)' WHERE name='i'"));
    // `integrity_check` finds nothing wrong with these.
    assert!(!healthy("UPDATE sqlite_schema SET sql='CREATE INDEX i ON t(a)' WHERE name='i'"));
    assert!(!healthy("UPDATE sqlite_schema SET sql='CREATE TABLE u(a)' WHERE name='u'"));
    assert!(!healthy("UPDATE sqlite_schema SET sql='CREATE TABLE u(a, v AS (a), w AS (a))' WHERE name='u'"));
}

#[test]
fn a_partial_index_with_an_entry_too_many_is_not_healthy() {
    let of_another = |definition: &str| {
        let sql = format!(
            "CREATE TABLE t(a, \"b c\"); CREATE TABLE u(a, \"b c\"); INSERT INTO u VALUES(1, 2), (0, 5), (3, 4); {definition}; \
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET tbl_name='t', sql=replace(sql, 'u(', 't(') WHERE name='i';"
        );
        let files = Executor::shared().files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
        let case = TestCase { files, sql: Script::new("SELECT a FROM t WHERE a"), ..TestCase::default() };
        (is_healthy_at_start(&case), run(&case).trace.statements[0].code())
    };
    // SQLite notices this one only where it is asked for a row.
    let (is_healthy, code) = of_another("CREATE INDEX i ON u(\"b c\") WHERE a");
    assert!(!is_healthy && code.0 == rusqlite::ffi::SQLITE_CORRUPT, "{code}");
    assert!(of_another("CREATE INDEX i ON u(a) WHERE a > 5").0);
    let own = |sql: &str| is_healthy_at_start(&files_after(sql, Moment::Closed));
    const ROWS: &str = "INSERT INTO t SELECT value % 7, 'x' || value FROM json_each('[1,2,3,4,5,6,7,8,9]');";
    for index in [
        "CREATE INDEX i ON t(a) WHERE b IN ('x1', 'x9')",
        "CREATE UNIQUE INDEX i ON t(abs(a), b) where(a>2) -- all",
    ] {
        assert!(own(&format!("CREATE TABLE t(a, b);{ROWS}{index}")), "{index}");
        assert!(own(&format!("CREATE TABLE t(a, b PRIMARY KEY) WITHOUT ROWID;{ROWS}{index}")), "{index}");
    }
}

#[test]
fn a_row_with_more_bytes_than_its_columns_is_not_healthy() {
    let mut damaged = files_after("CREATE TABLE t(a); INSERT INTO t VALUES('one')", Moment::Closed);
    assert!(Executor::shared().is_healthy(&damaged));
    damaged.files.edit(&FileName::main(), |image| {
        let geometry = Geometry::of(image);
        let page = geometry.page_mut(image, 2);
        let text = page.len() - 4;
        // The text of three bytes becomes one of two, which the column is, and what follows it is none.
        assert_eq!(page[text], 13 + 2 * 3);
        page[text] = 13 + 2 * 2;
    });
    damaged.sql = Script::new("ALTER TABLE t ADD COLUMN b; SELECT * FROM t");
    assert!(!is_healthy_at_start(&damaged));
}

#[test]
fn every_statement_of_the_rich_schema_works() {
    let files =
        Executor::shared().files_after(&OpenConfig::default(), crate::testcase::RICH_SCHEMA, Moment::Closed);
    assert_eq!(files.err(), None);
}

#[test]
fn cases_go_through_the_vfs_that_is_named() {
    let other = Vfs::register(false);
    other.install(Machine::new(1 << 20));
    let mut executor = Executor::shared();
    assert!(executor.open_through("no-such-vfs").unwrap_err().contains("no-such-vfs"));
    executor.open_through(other.name().to_str().unwrap()).unwrap();
    let case = TestCase::from_sql("CREATE TABLE t(a)");
    let trace = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED).trace;
    assert_eq!(trace.statements[0].step, Code::DONE);
    assert!(trace.files.is_empty(), "none is on the disk of its own");
    assert!(other.machine().disk.content(b"main.db").is_some());
}

#[test]
fn printf_cuts_no_text_that_may_be_and_asks_for_no_more() {
    let most = Setting::LimitLength.spec().max - 2;
    let whole = run_sql(&format!("SELECT 1 WHERE length(printf('%*s', {most}, 'x')) = {most}"));
    assert_eq!(
        whole.trace.statements[0].rows, 1,
        "SQLITE_PRINTF_PRECISION_LIMIT is too low: .cargo/config.toml"
    );
    for format in ["%.*d", "%.*f", "%.*c", "%*d", "%0*d", "%,*d", "%*s", "%-*s", "%!*s", "%*q"] {
        let refused =
            run_sql(&format!("SELECT printf('{format}', 2147483647, '1'), 1 FROM (VALUES(1),(2),(3))"));
        assert_eq!(refused.trace.statements[0].code().primary(), 18, "{format}");
        assert!(refused.heap_peak.1 <= i64::from(most) * 2, "{format}: {:?}", refused.heap_peak);
    }
}

#[test]
fn a_page_is_an_allocation_of_its_own() {
    let sql = "PRAGMA page_size=4096; CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT * FROM t";
    let largest = run_sql(sql).heap_peak.1;
    assert!((4096..4 * 4096).contains(&largest), "{largest} bytes at once: pages come from a block");
}
