//! One change at a time, made by SQLite or by hand, and the reported difference.

use super::*;
use crate::dbfile::geometry::LOCK_BYTE;
use crate::dbfile::inspect::{PageUse, inspect};
use crate::engine::sqlite::{Executor, Moment};
use crate::testcase::OpenConfig;

const BASE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX tb ON t(b); \
                    CREATE TABLE w(x, k, l, PRIMARY KEY(k, l)) WITHOUT ROWID; \
                    INSERT INTO t VALUES(1,'one',1.5),(2,'two',x'02'),(-3,NULL,zeroblob(9000)); \
                    INSERT INTO w VALUES('v','k',1),('w','k',2);";

fn image(sql: &str) -> Vec<u8> {
    let files =
        Executor::shared().files_after(&OpenConfig::default(), &format!("{BASE}{sql}"), Moment::Closed);
    files.unwrap().main().unwrap().to_vec()
}

fn compare(a: &[u8], b: &[u8]) -> Diff {
    let [in_a, in_b] = [a, b].map(|image| inspect(image, LOCK_BYTE));
    diff(Side { image: a, inspection: &in_a }, Side { image: b, inspection: &in_b })
}

/// A tree in which rows differ.
type Rows = (String, Vec<String>, Vec<String>, Vec<String>);

/// What differs in the rows: name, keys only in A, keys only in B, changed keys with their columns.
fn rows(diff: &Diff) -> Vec<Rows> {
    let keys = |rows: &[RowOf]| rows.iter().map(|row| row.key.clone()).collect();
    let change = |change: &RowChange| {
        let columns = change.columns.iter().map(|column| {
            let show = |value: &Option<String>| value.clone().unwrap_or_default();
            format!("{} {} {}", column.column, show(&column.a), show(&column.b))
        });
        format!("{}: {}", change.key, columns.collect::<Vec<_>>().join("; "))
    };
    let of_tree = |tree: &TreeDiff| {
        let changed = tree.changed.iter().map(change).collect();
        (tree.name.clone(), keys(&tree.only_a), keys(&tree.only_b), changed)
    };
    diff.trees.iter().map(of_tree).collect()
}

#[test]
fn equal_databases_differ_in_nothing() {
    let base = image("");
    let diff = compare(&base, &base);
    assert!(diff.is_equal && diff.header.is_empty() && diff.schema.is_empty());
    assert!(diff.pages.is_empty() && diff.trees.is_empty());
}

#[test]
fn rows_are_matched_by_rowid_and_by_key() {
    let none = Vec::<String>::new;
    let owned = |text: &str| vec![text.to_owned()];
    let differs = |sql: &str| rows(&compare(&image(""), &image(sql)));
    assert_eq!(
        differs("UPDATE t SET c=7 WHERE a=2"),
        [("t".to_owned(), none(), none(), owned("2: c x'02' 7"))]
    );
    assert_eq!(
        differs("UPDATE w SET x='z' WHERE l=2"),
        [("w".to_owned(), none(), none(), owned("\"k\", 2: 2 \"w\" \"z\""))]
    );
    assert_eq!(
        differs("DELETE FROM t WHERE a=-3"),
        [("t".to_owned(), owned("-3"), none(), none()), ("tb".to_owned(), owned("NULL, -3"), none(), none())]
    );
    assert_eq!(
        differs("INSERT INTO w VALUES(1, 'k', 3)"),
        [("w".to_owned(), none(), owned("\"k\", 3"), none())]
    );
}

#[test]
fn one_lie_is_one_difference() {
    let base = image("");
    let mut lie = base.clone();
    let at = base.windows(3).rposition(|three| three == b"one").unwrap();
    lie[at] = b'O';
    let diff = compare(&base, &lie);
    assert!(!diff.is_equal && diff.header.is_empty() && diff.schema.is_empty());
    let places: Vec<_> = diff.pages.iter().map(|page| (page.number, page.ranges.clone())).collect();
    assert_eq!(places, [((at / 4096) as u32 + 1, vec![Range { at: at % 4096, length: 1 }])]);
    assert_eq!(rows(&diff).len(), 1);
    // In the part of a long value that is not shown.
    let mut deep = base.clone();
    let mut overflow = inspect(&base, LOCK_BYTE).pages.into_iter();
    let overflow =
        overflow.rfind(|page| matches!(page.used_as, PageUse::Overflow { .. })).map(|page| page.number);
    deep[(overflow.unwrap() as usize - 1) * 4096 + 4] = 9;
    let changed = &compare(&base, &deep).trees[0].changed[0];
    assert!(changed.columns[0].a == changed.columns[0].b && changed.columns[0].first_byte > Some(4000));
    lie = base.clone();
    header::USER_VERSION.set(&mut lie, 9);
    let diff = compare(&base, &lie);
    assert_eq!(diff.header, [FieldDiff { name: "user version", at: 60, a: 0, b: 9 }]);
    assert!(rows(&diff).is_empty() && diff.pages.len() == 1);
}

#[test]
fn schema_and_sizes() {
    let base = image("");
    let other = compare(&base, &image("DROP INDEX tb; CREATE VIEW v AS SELECT 1; ALTER TABLE t ADD d"));
    let sides = |row: &SchemaDiff| {
        let name = |row: &Option<SchemaReport>| row.as_ref().map_or(String::new(), |row| row.name.clone());
        (name(&row.a), name(&row.b))
    };
    let found: Vec<_> = other.schema.iter().map(sides).collect();
    let expected = [("tb", ""), ("t", "t"), ("", "v")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(found, expected);
    let small = compare(&base, &image("PRAGMA page_size=512; VACUUM"));
    assert_eq!((small.page_bytes, small.pages.len()), ([4096, 512], 0));
    assert!(rows(&small).is_empty());
}

#[test]
fn no_bytes_make_it_panic() {
    let base = image("");
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..1000 {
        let mut other = base.clone();
        for _ in 0..rng.usize(1..6) {
            let within = if rng.bool() { 120 } else { 4096 };
            let at = rng.usize(..other.len() / 4096) * 4096 + rng.usize(..within);
            other[at] = rng.u8(..);
        }
        other.truncate(rng.usize(other.len() / 2..=other.len()));
        let diff = compare(&base, &other);
        assert_eq!(diff.is_equal, base == other);
    }
}
