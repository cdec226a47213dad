//! Rows stored here, read and checked by SQLite.

use super::*;
use crate::dbfile::record::{self, Value};
use crate::dbfile::{header, schema, space};
use crate::engine::sqlite::{Executor, Moment};
use crate::testcase::{OpenConfig, TestCase};

/// What distinguishes the databases of these tests.
const VARIANTS: [&str; 7] = [
    "PRAGMA page_size=512;",
    "PRAGMA page_size=4096;",
    "PRAGMA page_size=65536;",
    "PRAGMA page_size=512; PRAGMA auto_vacuum=FULL;",
    "PRAGMA page_size=1024; PRAGMA auto_vacuum=INCREMENTAL;",
    "PRAGMA page_size=512; PRAGMA encoding='UTF-16le';",
    "PRAGMA page_size=1024; PRAGMA encoding='UTF-16be';",
];

/// A table of some levels with overflow chains, an index, free pages, and a table of keys.
const CONTENT: &str = "
    CREATE TABLE t1(a INTEGER PRIMARY KEY, k, b); CREATE INDEX i1 ON t1(k); CREATE TABLE t2(x, y, PRIMARY KEY(x)) WITHOUT ROWID;
    WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<150) INSERT INTO t1 SELECT i*5, i%9, hex(zeroblob(i*7%60)) FROM c;
    INSERT INTO t1 VALUES(2000, 'long', hex(zeroblob(3000))),(2001, 'gone', zeroblob(9000)); DELETE FROM t1 WHERE a=2001;
    WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<60) INSERT INTO t2 SELECT 'key'||i, zeroblob(i) FROM c;";

fn image(executor: &Executor, variant: &str) -> Vec<u8> {
    let sql = format!("{variant}{CONTENT}");
    let files = executor.files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
    files.main().unwrap().to_vec()
}

fn root(image: &[u8], name: &str) -> u32 {
    let rows = schema::rows(image);
    rows.iter().find(|row| row.name == name).unwrap().root_page(&Geometry::of(image)).unwrap()
}

fn assert_healthy(executor: &Executor, image: &[u8], about: &str) {
    let damage = crate::dbfile::damage::first_damage(image);
    assert_eq!(damage, None, "{about}");
    assert!(executor.is_healthy(&TestCase::from_database(image.to_vec())), "{about}");
}

fn length(rng: &mut fastrand::Rng, image: &[u8]) -> usize {
    let usable = Geometry::of(image).usable_bytes;
    match rng.u8(0..4) {
        0 => rng.usize(0..40),
        1 => usable - 50 + rng.usize(0..40),
        2 => rng.usize(0..3 * usable),
        _ => rng.usize(0..700),
    }
}

#[test]
fn stored_rows_leave_the_database_sound() {
    let executor = Executor::shared();
    for variant in VARIANTS {
        let mut image = image(&executor, variant);
        let mut rng = fastrand::Rng::with_seed(5);
        for round in 0..40 {
            let name = if round % 3 == 2 { "t2" } else { "t1" };
            let root = root(&image, name);
            let geometry = Geometry::of(&image);
            let all = of(&image, &geometry, root, usize::MAX);
            let row = &all[rng.usize(0..all.len())];
            let mut values = record::values(&row.read(&image, &geometry));
            *values.last_mut().unwrap() = Value::Blob(vec![7; length(&mut rng, &image)]);
            let record = record::encode(&values);
            let mut space = Space::new(&mut image, 1000);
            replace(&mut space, row, row.rowid, &record).unwrap();
            assert_healthy(&executor, &image, &format!("{variant} {round} {name}"));
            let geometry = Geometry::of(&image);
            let read = of(&image, &geometry, root, usize::MAX);
            assert_eq!(read.len(), all.len());
            assert!(read.iter().any(|row| row.read(&image, &geometry) == record), "{variant} {round}");
        }
    }
}

#[test]
fn inserted_and_removed_rows_leave_the_database_sound() {
    let executor = Executor::shared();
    for variant in VARIANTS {
        let mut image = image(&executor, &format!("{variant} CREATE TABLE t3(a INTEGER PRIMARY KEY, b);"));
        let mut rng = fastrand::Rng::with_seed(6);
        let root = root(&image, "t3");
        for round in 0..120 {
            let rowid = rng.i64(-500..500);
            let record =
                record::encode(&[Value::Null, Value::Text(vec![b'x'; length(&mut rng, &image) & !1])]);
            let mut space = Space::new(&mut image, 1000);
            insert(&mut space, root, rowid, &record).unwrap();
            if round % 3 == 0 {
                let all = of(space.image, &space.geometry, root, usize::MAX);
                let row = all[rng.usize(0..all.len())].clone();
                remove(&mut space, &row);
            }
            if round % 10 == 9 {
                assert_healthy(&executor, &image, &format!("{variant} {round}"));
            }
        }
        let geometry = Geometry::of(&image);
        let rowids: Vec<_> = in_order(&image, &geometry, root, 9999).iter().map(|row| row.rowid).collect();
        assert!(rowids.len() > 50 && rowids.is_sorted());
    }
}

#[test]
fn a_tree_is_filled_level_by_level() {
    let executor = Executor::shared();
    for variant in VARIANTS {
        let mut image = image(&executor, variant);
        let geometry = Geometry::of(&image);
        for name in ["t1", "i1", "t2"] {
            let root = root(&image, name);
            let old = in_order(&image, &geometry, root, usize::MAX);
            let copies: Vec<_> = old.iter().map(|row| (row.rowid, row.read(&image, &geometry))).collect();
            let mut space = Space::new(&mut image, 5000);
            fill(&mut space, root, &copies).unwrap();
            let read: Vec<_> = in_order(&image, &Geometry::of(&image), root, usize::MAX);
            let read: Vec<_> =
                read.iter().map(|row| (row.rowid, row.read(&image, &Geometry::of(&image)))).collect();
            assert_eq!(read, copies, "{variant} {name}");
        }
        space::repair(&mut image);
        assert_healthy(&executor, &image, variant);
        assert!(header::FREELIST_COUNT.get(&image) > 0 || geometry.page_bytes > 4096);
    }
}

#[test]
fn repair_finds_freelist_and_pointer_map_again() {
    let executor = Executor::shared();
    for variant in VARIANTS {
        let mut image = image(&executor, variant);
        header::FREELIST_COUNT.set(&mut image, 77);
        header::FREELIST_TRUNK.set(&mut image, 0);
        header::PAGE_COUNT.set(&mut image, 1);
        let geometry = Geometry::of(&image);
        if pointer_map::is_present(&image) {
            geometry.page_mut(&mut image, 2).fill(9);
        }
        space::repair(&mut image);
        assert_healthy(&executor, &image, variant);
    }
}

#[test]
fn any_bytes_are_survived() {
    let executor = Executor::shared();
    let sound = image(&executor, VARIANTS[3]);
    let mut rng = fastrand::Rng::with_seed(8);
    for _ in 0..3000 {
        let mut image = sound.clone();
        for _ in 0..rng.usize(1..200) {
            let at = rng.usize(20..image.len());
            image[at] = rng.u8(..);
        }
        let geometry = Geometry::of(&image);
        let root = rng.u32(0..=geometry.pages + 1);
        let all = in_order(&image, &geometry, root, 100);
        let mut space = Space::new(&mut image, 20);
        let payload = vec![1; rng.usize(0..2000)];
        insert(&mut space, root, rng.i64(..), &payload);
        if let Some(row) = all.first() {
            replace(&mut space, row, row.rowid, &payload);
            remove(&mut space, row);
        }
        if rng.u8(0..10) == 0 {
            space::repair(&mut image);
        }
    }
}
