//! Compares the inspection with SQLite's own, on sound and on damaged databases.

use std::cell::RefCell;
use std::path::Path;

use super::*;
use crate::corpus::Corpus;
use crate::dbfile::geometry::LOCK_BYTE;
use crate::engine::Value;
use crate::engine::sqlite::{Budget, Execution, Executor, Moment, Program};
use crate::generators::seeds;
use crate::testcase::{FileSet, OpenConfig, TestCase};

/// Runs `PRAGMA integrity_check` and keeps its result.
#[derive(Default)]
struct Check(RefCell<Option<String>>);

impl Program for Check {
    fn run(&self, _: &TestCase, execution: &mut Execution<'_>) {
        let rows = execution.query("PRAGMA integrity_check");
        let text = |value: Value| match value {
            Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            other => format!("{other:?}"),
        };
        let words: Option<Vec<String>> = rows.map(|rows| rows.into_iter().flatten().map(text).collect());
        *self.0.borrow_mut() = words.map(|words| words.join("; "));
    }
}

/// The result of SQLite's own check; `None` if it does not run.
fn verdict(executor: &mut Executor, image: &[u8], config: &OpenConfig) -> Option<String> {
    let check = Check::default();
    let case = TestCase { config: *config, ..TestCase::from_database(image) };
    executor.run(&case, &check, &Budget::UNLIMITED);
    check.0.into_inner()
}

fn is_sound(executor: &mut Executor, image: &[u8], config: &OpenConfig) -> bool {
    verdict(executor, image, config).as_deref() == Some("ok")
}

pub(super) fn database(sql: &str) -> Vec<u8> {
    let files = Executor::shared().files_after(&OpenConfig::default(), sql, Moment::Closed);
    files.unwrap().main().unwrap().to_vec()
}

/// Databases of every page size, with and without a pointer map, in each encoding, with long rows, deletions and all
/// kinds of trees.
fn made() -> Vec<Vec<u8>> {
    let rows = |n: u32, len: u32| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{n}) \
             INSERT INTO t SELECT i*3, hex(zeroblob((i*37)%{len})), i%7, i*0.5 FROM n; \
             INSERT INTO w SELECT c||'-'||a, b, a FROM t;"
        )
    };
    let mut all = Vec::new();
    for (i, page) in [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].into_iter().enumerate() {
        for vacuum in 0..3 {
            let encoding = ["UTF-8", "UTF-16le", "UTF-16be"][(i + vacuum) % 3];
            let filled = rows(150 + 20 * i as u32, 900);
            all.push(database(&format!(
                "PRAGMA page_size={page}; PRAGMA auto_vacuum={vacuum}; PRAGMA encoding='{encoding}'; \
                 CREATE TABLE t(a INTEGER PRIMARY KEY, b, c, d REAL); CREATE INDEX tb ON t(b, c); \
                 CREATE TABLE w(k PRIMARY KEY, b, a) WITHOUT ROWID; CREATE UNIQUE INDEX wa ON w(a); \
                 CREATE INDEX part ON t(d) WHERE c=3; CREATE INDEX ex ON t(length(b) DESC, b COLLATE nocase); \
                 CREATE TABLE \"without rowid\"(x UNIQUE, y TEXT DEFAULT 'WITHOUT ROWID'); \
                 INSERT INTO \"without rowid\" VALUES(1,2),(-0.0,1e300),(NULL,x'00'),('a',9e99),(2,3),(1.5,0); \
                 CREATE VIEW v AS SELECT * FROM t; CREATE TRIGGER r AFTER INSERT ON w BEGIN SELECT 1; END; \
                 {filled} DELETE FROM t WHERE a%5=0; DELETE FROM w WHERE a%2; UPDATE t SET b='short' WHERE c=1; \
                 ALTER TABLE t ADD COLUMN e DEFAULT 7; UPDATE t SET e=a WHERE c=2; \
                 CREATE TABLE gone(a); INSERT INTO gone SELECT b FROM t; DROP TABLE gone; ANALYZE;"
            )));
        }
    }
    all
}

fn shipped() -> Vec<TestCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let load = |name| Corpus::load(&folder.join(name)).unwrap();
    let corpora = ["db_file.db", "db_sql.db"].map(load);
    corpora.iter().flat_map(|corpus| corpus.iter()).map(|(_, entry)| TestCase::decode(&entry.body)).collect()
}

fn seed_cases() -> Vec<TestCase> {
    let executor = Executor::shared();
    seeds::db_file().into_iter().map(|seed| seed.build(&executor).unwrap()).collect()
}

/// A database whose mode involves no other file.
fn stands_alone(files: &FileSet) -> bool {
    files.len() == 1 && files.main().is_some_and(|image| !image.is_empty())
}

#[test]
fn databases_that_sqlite_made_have_no_problem() {
    let mut executor = Executor::shared();
    for (i, image) in made().iter().enumerate() {
        assert_eq!(verdict(&mut executor, image, &OpenConfig::default()).as_deref(), Some("ok"), "{i}");
        let found = inspect(image, LOCK_BYTE);
        assert_eq!(found.problems, [], "{i}");
        assert!(found.trees.len() >= 8 && found.trees[1].rows > 100 && !found.has_unread_records);
        assert!(found.pages.iter().all(|page| page.used_as != PageUse::Unused));
    }
}

#[test]
fn what_sqlite_finds_sound_in_seeds_and_corpora_has_no_damage() {
    let mut executor = Executor::shared();
    let (mut sound, mut damaged, mut recognised) = (0, 0, 0);
    for case in seed_cases().into_iter().chain(shipped()).filter(|case| stands_alone(&case.files)) {
        let image = case.files.main().unwrap();
        let found = inspect(image, case.config.lock_byte());
        if is_sound(&mut executor, image, &case.config) {
            sound += 1;
            let damage: Vec<_> = found.damage().filter(|it| !is_beyond_sqlite(it, &found)).collect();
            assert!(damage.is_empty(), "{}: {damage:#?}", case.id());
        } else {
            damaged += 1;
            recognised += u32::from(found.damage().next().is_some());
        }
    }
    assert!(sound > 250 && damaged > 1000, "{sound} sound, {damaged} damaged");
    assert!(recognised * 20 > damaged * 18, "{recognised} of {damaged} damaged databases were recognised");
}

/// If there is a view or virtual table, `integrity_check` may skip pages outside of trees, as described in
/// [`crate::dbfile::damage`]. Nor does it check the end of a page that it does not read entirely.
fn is_beyond_sqlite(problem: &Problem, found: &Inspection) -> bool {
    use Kind::{
        CutPage, FreelistCount, FreelistTrunk, LargestRoot, PageNumber, PointerMap, SecondReference, Unused,
    };
    let space = [FreelistCount, FreelistTrunk, LargestRoot, PageNumber, PointerMap, SecondReference, Unused];
    let is_of_space = space.contains(&problem.kind) && !problem.what.contains("as a child");
    let has_rootless_table =
        found.schema.iter().any(|row| matches!(row.kind.as_str(), "table" | "view") && row.root == 0);
    problem.kind == CutPage || is_of_space && has_rootless_table
}

#[test]
fn no_bytes_make_it_panic_and_what_sqlite_finds_sound_is() {
    let mut executor = Executor::shared();
    let images = made();
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut sound, mut damaged, mut missed) = (0, 0, 0);
    for round in 0..400 {
        let mut image = images[rng.usize(..12)].clone();
        for _ in 0..rng.usize(1..4) {
            // Mostly headers of the file and of pages, which break the most.
            let page = rng.usize(..image.len() / 512) * 512;
            let at = page + if rng.bool() { rng.usize(..512) } else { rng.usize(..12) };
            image[at] = if rng.bool() { rng.u8(..) } else { image[at] ^ 1 << rng.u8(..8) };
        }
        if rng.u8(..10) == 0 {
            image.truncate(rng.usize(..image.len()));
        }
        let found = inspect(&image, LOCK_BYTE);
        for number in 0..3 {
            dump(&image, &found, number * 5 + 1);
        }
        let words = verdict(&mut executor, &image, &OpenConfig::default());
        if words.as_deref() == Some("ok") {
            sound += 1;
            let damage: Vec<_> = found.damage().filter(|it| !is_beyond_sqlite(it, &found)).collect();
            assert!(damage.is_empty(), "{round}: {damage:#?}");
        } else {
            damaged += 1;
            missed += u32::from(found.damage().next().is_none());
        }
    }
    assert!(sound > 30 && damaged > 150, "{sound} sound, {damaged} damaged");
    assert!(missed * 20 < damaged, "{missed} of {damaged} damaged databases were not recognised");
}
