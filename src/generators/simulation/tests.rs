//! The same choices give the same script, whatever they come from; what is asked for comes up, and nothing else.

use std::collections::BTreeSet;

use super::*;
use crate::engine::sqlite::{Budget, Executor, Moment, ScriptProgram};

fn plan(statements: u32) -> Plan {
    Plan { statements, ..Plan::default() }
}

fn of_seed(plan: &Plan, seed: u64) -> Simulation {
    Simulation::new(plan, &mut from_seed(seed))
}

/// Statements that are no part of the beginning, and not there to compare.
fn own(simulation: &Simulation) -> impl Iterator<Item = &Step> {
    simulation.steps.iter().filter(|step| !["setup", "end"].contains(&step.class) && step.checks.is_none())
}

#[test]
fn a_seed_is_a_script_and_another_seed_another_one() {
    let (a, again, b) = (of_seed(&plan(60), 7), of_seed(&plan(60), 7), of_seed(&plan(60), 8));
    assert_eq!((&a.steps, &a.schema, &a.coverage), (&again.steps, &again.schema, &again.coverage));
    assert_ne!(a.steps, b.steps);
    assert_eq!(own(&a).count(), 60);
}

#[test]
fn bytes_drive_the_same_generator_and_end() {
    let bytes: Vec<u8> = (0..4000_u32).map(|i| (i * 37 % 251) as u8).collect();
    let of = |bytes: &[u8]| Simulation::new(&plan(40), &mut from_bytes(bytes)).steps;
    assert_eq!(of(&bytes), of(&bytes));
    assert_ne!(of(&bytes), of(&bytes[100..]));
    assert!(!of(&[]).is_empty());
}

/// What was true while it was made is true when it runs: nothing is refused, and little fails.
#[test]
fn the_script_runs_as_it_was_tried_out() {
    let simulation = of_seed(&plan(300), 3);
    let (case, places) = simulation.case_without(&BTreeSet::new());
    assert_eq!(places.len(), simulation.steps.len());
    let budget = Budget { has_small_limits: false, ..Budget::UNLIMITED };
    let trace = Executor::shared().run(&case, &ScriptProgram, &budget).trace;
    assert_eq!(trace.statements.len(), simulation.steps.len());
    let failing = trace.statements.iter().filter(|statement| !statement.code().is_success());
    assert!(trace.statements.iter().all(|statement| statement.prepare.is_success()));
    assert!(failing.count() * 4 < trace.statements.len());
}

#[test]
fn what_is_left_out_is_no_part_of_the_script() {
    let simulation = of_seed(&plan(20), 5);
    let left_out = BTreeSet::from([0, 3]);
    let (case, places) = simulation.case_without(&left_out);
    assert_eq!(places.len(), simulation.steps.len() - 2);
    for (step, place) in places {
        let text = case.sql.as_bytes()[place].to_vec();
        assert_eq!(String::from_utf8(text).unwrap(), simulation.steps[step].sql);
    }
}

#[test]
fn every_class_comes_up_where_it_is_asked_for() {
    for class in &CLASSES {
        let mut weights = Weights::default();
        weights.focus(class.name).unwrap();
        let found = (0..4).any(|seed| {
            let simulation = of_seed(&Plan { weights: weights.clone(), ..plan(60) }, seed);
            own(&simulation).filter(|step| step.class == class.name).count() >= 5
        });
        assert!(found, "{}", class.name);
    }
    let mut weights = Weights::default();
    assert!(weights.focus("windows").unwrap_err().contains("select.window"));
    ["select", "insert", "update", "delete", "transaction", "upkeep"]
        .into_iter()
        .for_each(|group| weights.set(group, 0.0).unwrap());
    let simulation = of_seed(&Plan { weights, ..plan(30) }, 1);
    assert!(own(&simulation).all(|step| step.class.starts_with("ddl.")));
}

#[test]
fn behind_a_write_stand_its_rows_and_behind_a_definition_the_schema() {
    let simulation = of_seed(&plan(200), 11);
    for (index, step) in simulation.steps.iter().enumerate() {
        if let Some(of) = step.checks {
            assert_eq!(of, index - 1, "{}", step.sql);
            let expected = if simulation.steps[of].class.starts_with("ddl.") {
                "sqlite_master"
            } else {
                "SELECT * FROM"
            };
            assert!(step.sql.contains(expected), "{}", step.sql);
        }
    }
    let checks = simulation.steps.iter().filter(|step| step.checks.is_some()).count();
    let writes = own(&simulation).filter(|step| {
        ["insert", "update", "delete", "ddl"].iter().any(|group| step.class.starts_with(group))
    });
    assert_eq!(checks, writes.count());
}

#[test]
fn a_database_is_gone_on_from() {
    let files = Executor::shared().files_after(
        &Default::default(),
        "CREATE TABLE mine(x, y); INSERT INTO mine VALUES(1, 2);",
        Moment::Closed,
    );
    let image = files.unwrap().main().unwrap().to_vec();
    let simulation = of_seed(&Plan { image: Some(image), ..plan(20) }, 2);
    assert!(simulation.schema.iter().any(|[_, name, ..]| name == "mine"));
    assert!(simulation.steps.iter().any(|step| step.sql.contains("mine")));
    assert!(simulation.case_without(&BTreeSet::new()).0.files.main().is_some());
}

#[test]
fn coverage_says_what_came_up_and_where_and_what_did_not() {
    let mut coverage = Coverage::default();
    coverage
        .add("select.simple", "SELECT a + 1, (SELECT 2) FROM t WHERE b IN (SELECT c FROM u) ORDER BY abs(a)");
    let text = coverage.to_string();
    let line = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).split_whitespace().next_back().unwrap().to_owned()
    };
    assert_eq!(
        [line("select.simple"), line("binary in result column"), line("in query in WHERE")],
        ["1", "1", "1"]
    );
    assert_eq!([line("call in ORDER BY"), line("scalar subquery in result column")], ["1", "1"]);
    assert_eq!([line("insert.values"), line("window in HAVING"), line("LIMIT")], ["hit)", "hit)", "hit)"]);
    let once = coverage.clone();
    coverage.merge(&once);
    assert!(
        coverage
            .to_string()
            .lines()
            .any(|line| line.contains("binary in result column") && line.ends_with(" 2"))
    );
}
