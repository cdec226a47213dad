//! Compares what two runs left.

use super::doubt::Doubts;
use super::open::Place;
use super::statement::sql_text;
use super::{Class, Comparison, Difference, Policy, Side};
use crate::engine::Transcript;
use crate::engine::transcript::{EndState, TableDigest};
use crate::known;
use crate::oracles::integrity;
use crate::sql::VirtualTable;
use crate::testcase::TestCase;

/// Modules whose tables hold what was inserted; others show the file, or the build.
const STORING_MODULES: [&str; 6] = ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"];

/// Compares schema, content and soundness.
pub(super) fn compare(
    case: &TestCase,
    a: &Transcript,
    b: &Transcript,
    policy: &Policy,
    doubts: &Doubts,
    comparison: &mut Comparison,
) {
    let (Some(a), Some(b)) = (&a.end, &b.end) else {
        comparison.skip("the end state could not be read");
        return;
    };
    comparison.is_end_compared = true;
    compare_integrity(case, a, b, comparison);
    if !compare_schema(a, b, policy, comparison) {
        return;
    }
    for table in &a.tables {
        let Some(other) = b.tables.iter().find(|other| other.name == table.name) else {
            comparison.skip("a table that one engine cannot read");
            continue;
        };
        let sql = a.schema.iter().find(|[kind, name, ..]| kind == "table" && *name == table.name);
        let sql = sql.map_or("", |[.., sql]| sql.as_str());
        if !is_comparable(&table.name, sql, a) {
            comparison.skip("an internal table of the engine");
            continue;
        }
        if let Some(difference) = content(case, table, other, doubts) {
            let place = if table.rows.is_same_multiset(&other.rows) { Place::Rowids } else { Place::Table };
            let doubt = doubts.of_name(&table.name);
            let is_refutable =
                difference.warning.is_some() && doubt.tells.is_none() && !doubt.is_beyond_reversal;
            comparison.add_apart(difference, is_refutable.then(|| place(table.name.clone())));
        }
    }
}

fn compare_integrity(case: &TestCase, a: &EndState, b: &EndState, comparison: &mut Comparison) {
    // One of them may rightly report what the other does not.
    let unexcused = |problems: &Option<Vec<String>>| {
        let unexcused = |problem: &&String| integrity::excuse_of(problem, case).is_none();
        Some(problems.as_ref()?.iter().filter(unexcused).cloned().collect::<Vec<String>>())
    };
    let (in_a, in_b) = (unexcused(&a.integrity), unexcused(&b.integrity));
    let (Some(in_a), Some(in_b)) = (&in_a, &in_b) else {
        comparison.skip("integrity_check did not finish");
        return;
    };
    if in_a.is_empty() != in_b.is_empty() {
        let sides = [in_a, in_b].map(|problems| Side { shown: problems.clone(), ..Side::default() });
        let shown = |problems: &[String]| match problems {
            [] => "ok".to_owned(),
            _ => problems.join("; "),
        };
        comparison.add(
            Difference {
                class: Class::Integrity,
                detail: if in_a.is_empty() { "only-b" } else { "only-a" }.to_owned(),
                warning: None,
                sql: String::new(),
                sides,
                message: format!("integrity_check at the end\nA: {}\nB: {}", shown(in_a), shown(in_b)),
            },
            None,
        );
    }
}

/// True if both have the same objects.
fn compare_schema(a: &EndState, b: &EndState, policy: &Policy, comparison: &mut Comparison) -> bool {
    let rows = |state: &EndState| -> Vec<String> {
        let compared = |[kind, name, table, sql]: &[String; 4]| {
            let text = if policy.compares_schema_text { sql } else { "" };
            format!("{kind} {name} on {table}: {text}")
        };
        let mut rows: Vec<String> = state
            .schema
            .iter()
            // PRAGMA optimize makes statistics if it finds them worthwhile.
            .filter(|[_, name, ..]| !name.starts_with("sqlite_stat"))
            .filter(|[_, name, ..]| policy.compares_schema_text || !name.starts_with("sqlite_"))
            .map(compared)
            .collect();
        rows.sort();
        rows
    };
    let (rows_a, rows_b) = (rows(a), rows(b));
    if rows_a == rows_b {
        return true;
    }
    let only = |rows: &[String], others: &[String]| -> Vec<String> {
        rows.iter().filter(|row| !others.contains(row)).take(5).cloned().collect()
    };
    let shown = [only(&rows_a, &rows_b), only(&rows_b, &rows_a)];
    let message =
        format!("different objects in the schema\nA: {}\nB: {}", shown[0].join("; "), shown[1].join("; "));
    let kind = |rows: &[String]| {
        rows.first().map_or("none", |row| row.split(' ').next().unwrap_or_default()).to_owned()
    };
    comparison.add(
        Difference {
            class: Class::Schema,
            detail: format!("{}-{}", kind(&shown[0]), kind(&shown[1])),
            warning: None,
            sql: String::new(),
            sides: shown.map(|shown| Side { shown, ..Side::default() }),
            message,
        },
        None,
    );
    false
}

/// Whether the content of a table is the user's, and not internal data of the engine: statistics, and the shadow tables
/// of virtual tables, whose format depends on the version.
fn is_comparable(name: &str, sql: &str, state: &EndState) -> bool {
    let lower = sql.to_ascii_lowercase();
    if name.to_ascii_lowercase().starts_with("sqlite_stat") {
        return false;
    }
    if let Some(table) = VirtualTable::of(sql.as_bytes()) {
        let module = lower.split_once(" using").map_or("", |(_, rest)| rest.trim_start());
        let end = module.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(module.len());
        return STORING_MODULES.contains(&&module[..end]) && !table.has_external_content;
    }
    let tables = state.schema.iter().filter_map(|[.., sql]| VirtualTable::of(sql.as_bytes()));
    !known::is_shadow_table(name.as_bytes(), &tables.map(|table| table.name).collect())
}

fn content(case: &TestCase, a: &TableDigest, b: &TableDigest, doubts: &Doubts) -> Option<Difference> {
    let has_same_rows = a.rows.is_same_multiset(&b.rows);
    let has_same_rowids = match (&a.with_rowid, &b.with_rowid) {
        (Some(a), Some(b)) => a.is_same_multiset(b),
        _ => true,
    };
    if has_same_rows && has_same_rowids {
        return None;
    }
    let doubt = doubts.of_name(&a.name);
    let warning = doubt.tells.or(doubt.order).or_else(|| {
        // Which row gets which rowid depends on the order in which they were inserted.
        has_same_rows.then_some("the same rows with different rowids")
    });
    let is_in_digits = !has_same_rows && a.rows.is_same_but_for_digits(&b.rows);
    Some(Difference {
        class: if is_in_digits { Class::Digits } else { Class::Content },
        detail: if is_in_digits {
            "content"
        } else if a.rows.count == b.rows.count {
            "values"
        } else {
            "rows"
        }
        .to_owned(),
        warning: warning.map(str::to_owned),
        sql: sql_text(case.sql.as_bytes()),
        sides: [Side::default(), Side::default()],
        message: format!(
            "content of the table `{}` at the end: {} rows in A, {} rows in B",
            a.name, a.rows.count, b.rows.count
        ),
    })
}
