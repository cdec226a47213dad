use super::*;
use crate::testcase::{OpenConfig, Setting};

const SYMPTOMS: [Symptom; 7] = [Memory, SchemaText, Virtual, Constraint, IndexEntry, Structure, Answer];

/// The symptoms that are excused in a case with this script that was tainted like this.
fn excused(script: &str, taint: Taint) -> Vec<Symptom> {
    let observation = Observation { taint, ..Observation::default() };
    let case = TestCase::from_sql(script);
    SYMPTOMS.into_iter().filter(|symptom| by_taint(*symptom, &case, &observation).is_some()).collect()
}

#[test]
fn each_row_excuses_its_symptoms_and_no_other() {
    for taint in [Taint::SCHEMA_WRITTEN, Taint::DBPAGE, Taint::ROLLED_BACK, Taint::POWER_CUT] {
        assert_eq!(excused("", taint), ANY_DAMAGE, "{taint:?}");
    }
    for taint in [Taint::WRITABLE_SCHEMA, Taint::JOURNAL_OFF, Taint::ATTACHED_FILE, Taint::LIMITS] {
        assert_eq!(excused("", taint), [], "{taint:?}");
    }
    assert_eq!(excused("", Taint::SHADOW_TABLE), [Virtual, Answer]);
    assert_eq!(excused("", Taint::UNCHECKED_ROWS), [Constraint, Answer]);
    assert_eq!(excused("", Taint::HEAP_LIMIT), [Memory]);
}

#[test]
fn like_excuses_only_where_something_stored_depends_on_it() {
    for script in [
        "CREATE INDEX i ON t(a LIKE 'x')",
        "CREATE TABLE t(a, b AS (\"like\"('x', a)))",
        "ALTER TABLE t ADD COLUMN b CHECK(b LIKE 'x')",
    ] {
        assert_eq!(excused(script, Taint::LIKE), [Constraint, IndexEntry, Answer], "{script}");
    }
    for script in
        ["CREATE INDEX i ON t(likely(a)) -- like", "SELECT 1 LIKE 2", "CREATE VIEW v AS SELECT 1 LIKE 2"]
    {
        assert_eq!(excused(script, Taint::LIKE), [], "{script}");
    }
}

#[test]
fn a_schema_version_matters_only_to_a_second_connection() {
    let with = |attached: &[&str]| {
        let attached = attached.iter().map(|&name| name.to_owned()).collect();
        let observation = Observation { taint: Taint::SCHEMA_VERSION, attached, ..Observation::default() };
        by_taint(Structure, &TestCase::default(), &observation).is_some()
    };
    assert!(!with(&[]) && !with(&["a.db", "b.db"]));
    assert!(with(&["main.db"]) && with(&["a.db", "a.db"]));
}

#[test]
fn limits_excuse_what_needs_more_and_no_damage() {
    let mut observation = Observation { taint: Taint::LIMITS, ..Observation::default() };
    let limited =
        |observation: &Observation| SYMPTOMS.map(|symptom| by_limits(symptom, observation).is_some());
    assert_eq!(limited(&observation), [false, true, true, false, false, false, false]);
    let problem = crate::engine::Problem {
        database: "main".to_owned(),
        file: MAIN_DB.to_owned(),
        text: "malformed database schema".to_owned(),
        is_refusal: true,
    };
    observation.integrity = Some(vec![problem]);
    assert_eq!(limited(&observation), [false; 7], "it cannot be read without limits either");

    for limit in [Setting::LimitVdbeOp, Setting::LimitLength] {
        let mut config = OpenConfig::default();
        config.set(limit, 50);
        let case = TestCase { config, ..TestCase::default() };
        assert!(by_taint(Memory, &case, &observation).is_some());
        assert!(by_taint(Structure, &case, &observation).is_none());
    }
}

#[test]
fn a_statement_uses_what_it_names_or_what_is_behind_its_views() {
    let uses = |script: &str, verb: &str, text: &str| {
        let case = TestCase::from_sql(script);
        may_use(verb, text.as_bytes(), &case, &virtual_tables(&case))
    };
    let table = "CREATE VIRTUAL TABLE f USING fts5(a); CREATE TABLE t(a);";
    assert!(uses(table, "SELECT", "SELECT * FROM \"F\""));
    assert!(!uses(table, "SELECT", "SELECT * FROM t -- f"));
    assert!(uses(table, "COMMIT", "COMMIT"));
    assert!(!uses("CREATE TABLE t(a)", "COMMIT", "COMMIT"));
    assert!(uses(&format!("{table} CREATE VIEW v AS SELECT * FROM f"), "SELECT", "SELECT * FROM v"));
}
