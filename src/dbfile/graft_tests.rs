//! Grafts between page sizes, encodings and vacuum modes.

use super::*;
use crate::dbfile::damage;
use crate::dbfile::geometry::LOCK_BYTE;
use crate::engine::sqlite::{Executor, Moment};
use crate::testcase::{OpenConfig, TestCase};

#[test]
fn a_sound_table_in_a_sound_database_leaves_it_sound() {
    let executor = Executor::shared();
    let image = |sql: &str| {
        executor.files_after(&OpenConfig::default(), sql, Moment::Closed).unwrap().main().unwrap().to_vec()
    };
    let settings = [
        "PRAGMA page_size=512;",
        "PRAGMA page_size=8192;",
        "PRAGMA page_size=65536;",
        "PRAGMA page_size=512; PRAGMA auto_vacuum=FULL;",
        "PRAGMA page_size=1024; PRAGMA encoding='UTF-16le';",
    ];
    let sources = settings.map(|setting| {
        image(&format!("{setting} CREATE TABLE s1(a, b, c UNIQUE); CREATE INDEX s1b ON s1(b, a);
            WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<90) INSERT INTO s1 SELECT i, 'b'||(i%7), hex(zeroblob(i*5)) FROM c;
            CREATE TABLE s2(k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO s2 SELECT c, a FROM s1;"))
    });
    let targets = settings.map(|setting| {
        image(&format!("{setting} CREATE TABLE t1(x); INSERT INTO t1 VALUES(zeroblob(2000)),(zeroblob(9000)); DELETE FROM t1 WHERE length(x)>3000; CREATE INDEX t1x ON t1(x);"))
    });
    for (i, source) in sources.iter().enumerate() {
        for ((j, target), how) in targets.iter().enumerate().flat_map(|t| [(t, How::Rows), (t, How::Pages)]) {
            let mut image = target.clone();
            let mut space = Space::new(&mut image, 3000);
            graft(&mut space, source, &schema::rows(source), how, 1 << 20).unwrap();
            let found = damage::assess(&image, LOCK_BYTE);
            assert_eq!(found, damage::Assessment::Sound, "{i} in {j} by {how:?}");
            assert!(executor.is_healthy(&TestCase::from_database(image.clone())), "{i} in {j} by {how:?}");
            assert_eq!(schema::rows(&image).len(), 2 + 4);
            // More than there is room for: nothing is copied.
            assert_eq!(
                graft(&mut Space::new(&mut image, 3000), source, &schema::rows(source), how, 10),
                None
            );
        }
    }
}
