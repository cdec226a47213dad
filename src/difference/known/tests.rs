//! Each entry explains its own difference, and nothing else.

use super::*;
use crate::difference::Side;

fn difference(class: Class, sql: &str, codes: [i32; 2], shown: [&str; 2]) -> Difference {
    let side = |i: usize| Side { code: codes[i], shown: vec![shown[i].to_owned()], ..Side::default() };
    Difference {
        class,
        detail: String::new(),
        warning: None,
        sql: sql.to_owned(),
        sides: [side(0), side(1)],
        message: String::new(),
    }
}

/// A difference that each entry explains, older side first, and a similar one that it does not.
fn examples() -> Vec<(&'static str, Difference, Difference)> {
    let error = |sql, codes| difference(Class::Error, sql, codes, ["", ""]);
    let rows = |sql, shown| difference(Class::Rows, sql, [101, 101], shown);
    let (old, new) = ([1, 101], [101, 1]);
    let trigger = "CREATE TEMP TRIGGER x INSERT ON t BEGIN DELETE FROM main.t; END";
    vec![
        (
            "json-tree-id",
            rows("SELECT id FROM json_tree(a)", ["1", "2"]),
            rows("SELECT id FROM t", ["1", "2"]),
        ),
        (
            "strftime-weeks",
            rows("SELECT strftime('%G')", ["NULL", "'2024'"]),
            rows("SELECT strftime('%Y')", ["'2023'", "'2024'"]),
        ),
        ("jsonb", error("SELECT jsonb_set(a)", old), error("SELECT jsonb_set(a)", new)),
        ("json-pretty", error("SELECT json_pretty(a)", old), error("SELECT json_nice(a)", old)),
        ("digit-separator", error("SELECT 1_000", old), error("SELECT 1000 FROM t_1", old)),
        ("digit-separator", error("SELECT 0x1FOR", new), error("SELECT 0x1F", new)),
        ("aggregate-in-values", error("VALUES(1),(total(2))", old), error("SELECT total(2) FROM t", old)),
        ("unistr", error("SELECT unistr('a')", old), error("SELECT unistr('a')", new)),
        ("percentile", error("SELECT median(a) FROM t", old), error("SELECT middle(a) FROM t", old)),
        (
            "float-digits",
            difference(Class::Digits, "SELECT 1.1", [101, 101], ["", ""]),
            rows("SELECT 1.1", ["1.1", "2.2"]),
        ),
        (
            "float-text",
            rows("SELECT octet_length(cos(a))", ["9", "8"]),
            rows("SELECT octet_length(abs(a))", ["9", "8"]),
        ),
        ("float-text", rows("SELECT length(1e99)", ["9", "8"]), rows("SELECT length(19)", ["9", "8"])),
        (
            "json-float-digits",
            difference(Class::Digits, "SELECT json_array(a)", [101, 101], ["", ""]),
            rows("SELECT json_array(a)", ["'[1]'", "'[2]'"]),
        ),
        (
            "json-float-text",
            rows("SELECT jsonb_array(1e15)", ["x'00'", "x'01'"]),
            rows("SELECT jsonb_array(1)", ["x'00'", "x'01'"]),
        ),
        ("temp-trigger-on-main", error(trigger, old), error(trigger, new)),
        ("printf-empty", rows("SELECT printf(x)", ["NULL", "''"]), rows("SELECT printf(x)", ["NULL", "'a'"])),
        (
            "fts3-snippet-column",
            rows("SELECT snippet(f,a,b,c,9)", ["'x'", "''"]),
            rows("SELECT snippet(f)", ["'x'", "'y'"]),
        ),
        ("no-utf-8", rows("SELECT substr('\u{fffd}',1)", ["1", "2"]), rows("SELECT 1", ["1", "2"])),
        (
            "rowid-is-no-column",
            error("ALTER TABLE t ADD COLUMN \"OID\"", new),
            error("ALTER TABLE t ADD COLUMN a", new),
        ),
    ]
}

#[test]
fn each_entry_explains_its_own_between_its_versions_and_nothing_beside() {
    let (old, new) = ((3, 26, 0), (3, 99, 0));
    let examples = examples();
    let names: std::collections::BTreeSet<&str> = examples.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), KNOWN_DIFFERENCES.len());
    for (name, explained, beside) in examples {
        let entry = KNOWN_DIFFERENCES.iter().find(|entry| entry.name == name).expect(name);
        let found = |difference: &Difference, versions| explain(difference, versions).map(|it| it.name);
        assert_eq!(found(&explained, [old, new]), Some(name));
        assert_eq!(found(&beside, [old, new]), None, "{name}");
        // The words of a script say nothing about what its tables hold.
        let content = Difference { class: Class::Content, ..explained.clone() };
        assert_eq!(found(&content, [old, new]), None, "{name}");
        // The newer may be the first.
        let mut turned = explained.clone();
        turned.sides.reverse();
        assert_eq!(found(&turned, [new, old]), Some(name));
        assert_eq!(found(&explained, [entry.since, new]), None, "{name}: both have it");
        assert_eq!(found(&explained, [old, old]), None, "{name}: neither has it");
        assert!(entry.link.starts_with("https://sqlite.org/") && !entry.reason.is_empty());
    }
}

/// Where the rows that are shown are the same, the difference is among others, and nothing is known of it.
#[test]
fn rows_that_are_not_shown_are_not_explained() {
    let same = difference(Class::Rows, "SELECT printf(x)", [101, 101], ["'a'", "'a'"]);
    assert!(explain(&same, [(3, 53, 1), (3, 54, 0)]).is_none());
}

#[test]
fn versions_are_read_from_identities() {
    assert_eq!(version_of("SQLite 3.54.1, 2026-10-16 14:45:20 555e"), Some((3, 54, 1)));
    assert_eq!(version_of("SQLite 3.8, x"), Some((3, 8, 0)));
    assert_eq!(version_of("turso_core 0.9"), None);
}
