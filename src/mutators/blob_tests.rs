//! Blobs are found in databases that SQLite made, edited, and read again by SQLite.

use std::collections::BTreeMap;

use super::db_blobs::{self, Mode};
use super::tests::with_context;
use super::{Outcome, blob_jsonb};
use crate::dbfile::blob::{self, Part, fts3, fts5, json, jsonb, rtree};
use crate::dbfile::record::{self, Value};
use crate::dbfile::{Geometry, rows, schema};
use crate::engine::Code;
use crate::engine::sqlite::{Budget, Executor, Moment, ScriptProgram};
use crate::testcase::{OpenConfig, Script, TestCase};

/// Tables of each kind, with leaves, interior nodes, doclist indexes and tombstones.
const CONTENT: [&str; 4] = [
    "PRAGMA page_size=1024; CREATE VIRTUAL TABLE f5 USING fts5(x, y, prefix='1'); INSERT INTO f5(f5, rank) VALUES('pgsz', 64);
     WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<60) INSERT INTO f5 SELECT 'common w'||i||' w'||(i%5), 'tail '||(i%7) FROM c;
     INSERT INTO f5 VALUES('later segment','common');",
    "PRAGMA page_size=1024; CREATE VIRTUAL TABLE f5 USING fts5(x, content='', contentless_delete=1);
     WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO f5(rowid, x) SELECT i, 'common w'||i FROM c;
     DELETE FROM f5 WHERE rowid IN (3, 5, 20);",
    "PRAGMA page_size=512; CREATE VIRTUAL TABLE f4 USING fts4(x, y);
     WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<300) INSERT INTO f4 SELECT 'common word'||i||hex(i*7919), 'w'||(i%5) FROM c;
     INSERT INTO f4 VALUES('later segment','common'); INSERT INTO f4 VALUES('third segment','common w1');",
    "PRAGMA page_size=512; CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1, y0, y1, +note); CREATE VIRTUAL TABLE gp USING geopoly(name);
     WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO rt SELECT i, i, i+2, -i, i%5, 'n'||i FROM c;
     INSERT INTO gp(_shape, name) VALUES('[[0,0],[4,0],[4,4],[0,4],[0,0]]','sq'),(geopoly_regular(10,10,3,6),'hex');",
];

/// Statements that read deep into each.
const READS: [&[&str]; 4] = [
    &[
        "SELECT rowid, x FROM f5('common')",
        "SELECT rowid FROM f5('w* NOT w3')",
        "SELECT bm25(f5), rowid FROM f5('common + w1')",
        "SELECT rowid FROM f5('common') ORDER BY rowid DESC",
    ],
    &[
        "SELECT rowid FROM f5('common')",
        "SELECT rowid FROM f5('w*')",
        "INSERT INTO f5(f5) VALUES('optimize')",
    ],
    &[
        "SELECT docid FROM f4 WHERE f4 MATCH 'common'",
        "SELECT docid, x FROM f4 WHERE f4 MATCH 'word1* OR w1'",
        "SELECT docid FROM f4 WHERE f4 MATCH '\"later segment\"'",
        "INSERT INTO f4(f4) VALUES('optimize')",
    ],
    &[
        "SELECT id FROM rt WHERE x0>=5 AND x1<=20",
        "SELECT * FROM rt WHERE id=7",
        "DELETE FROM rt WHERE id%5=1",
        "SELECT name, geopoly_json(_shape) FROM gp WHERE geopoly_overlap(_shape,'[[0,0],[3,0],[3,3],[0,0]]')",
    ],
];

fn image(executor: &Executor, sql: &str) -> Vec<u8> {
    executor.files_after(&OpenConfig::default(), sql, Moment::Closed).unwrap().main().unwrap().to_vec()
}

/// Every blob of a shadow table: part, id, bytes, dimensions.
fn blobs(image: &[u8]) -> Vec<(Part, i64, Vec<u8>, usize)> {
    let geometry = Geometry::of(image);
    let mut found = Vec::new();
    for table in blob::shadow_tables(&schema::rows(image), &geometry) {
        for row in rows::of(image, &geometry, table.root, 9999) {
            for value in record::values(&row.read(image, &geometry)) {
                if let Value::Blob(blob) = value {
                    found.push((table.part, row.rowid.unwrap_or(0), blob, table.dimensions));
                }
            }
        }
    }
    found
}

#[test]
fn blobs_of_real_tables_are_read_and_written_back_the_same() {
    let executor = Executor::shared();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for sql in CONTENT {
        for (part, id, bytes, dimensions) in blobs(&image(&executor, sql)) {
            let mut see = |kind: String| *kinds.entry(kind).or_default() += 1;
            match part {
                Part::Fts5Data => {
                    let kind = fts5::Id::kind(id);
                    see(format!("{kind:?}"));
                    assert_eq!(fts5::Id::of(id).number(), id);
                    assert!(!fts5::fields(kind, &bytes).is_empty());
                    match kind {
                        fts5::Kind::Structure => {
                            assert_eq!(fts5::Structure::parse(&bytes).unwrap().emit(), bytes);
                        }
                        fts5::Kind::Leaf => {
                            let leaf = fts5::Leaf::parse(&bytes).unwrap();
                            assert_eq!(leaf.emit(), bytes);
                            for term in leaf.terms {
                                let docs = fts5::parse_doclist(&term.doclist).unwrap();
                                assert_eq!(fts5::emit_doclist(&docs), term.doclist);
                            }
                        }
                        _ => {}
                    }
                }
                Part::Fts3Segdir | Part::Fts3Segments => {
                    let node = fts3::Node::parse(&bytes).unwrap();
                    see(format!("Fts3 height {}", node.height));
                    assert_eq!(node.emit(), bytes);
                    for entry in node.terms {
                        let docs = fts3::parse_doclist(&entry.doclist).unwrap();
                        assert_eq!(fts3::emit_doclist(&docs), entry.doclist);
                    }
                }
                Part::RtreeNode => {
                    let node = rtree::Node::parse(&bytes, dimensions).unwrap();
                    see(format!("Rtree depth {}", node.depth));
                    assert_eq!(node.emit()[..], bytes[..]);
                }
                Part::GeopolyRowid => {
                    see("shape".to_owned());
                    assert_eq!(rtree::Shape::parse(&bytes).unwrap().emit(), bytes);
                }
                _ => {}
            }
        }
    }
    let kinds: Vec<&str> = kinds.keys().map(String::as_str).collect();
    let all = [
        "Averages",
        "DoclistIndex",
        "Fts3 height 0",
        "Fts3 height 1",
        "Leaf",
        "Rtree depth 0",
        "Rtree depth 1",
        "Structure",
        "Tombstones",
        "shape",
    ];
    assert_eq!(kinds, all);
}

/// The problems that `integrity_check` reports after a write, except those of virtual tables with their own data.
fn problems_outside(executor: &mut Executor, image: &[u8]) -> Vec<String> {
    let mut case = TestCase::from_database(image.to_vec());
    case.sql = Script::new("PRAGMA user_version=5");
    let found = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED).integrity;
    let of_module = [
        "fts5:",
        "inverted index",
        "FTS",
        "RTree",
        "Rtree",
        "rtree",
        "Node ",
        "Dimension ",
        "Mapping ",
        "%_",
    ];
    let is_outside = |line: &&str| !of_module.iter().any(|word| line.contains(word));
    let lines = found.map_or_else(
        || vec!["no answer".to_owned()],
        |problems| problems.into_iter().map(|problem| problem.text).collect(),
    );
    lines.iter().flat_map(|text| text.lines()).filter(is_outside).map(str::to_owned).collect()
}

/// Checks for each mode how many databases stay sound around the blobs, and how many reads SQLite refuses.
#[test]
fn edited_blobs_are_read_far_into() {
    let mut executor = Executor::shared();
    let edits =
        [db_blobs::edit_fts5_as, db_blobs::edit_fts5_as, db_blobs::edit_fts3_as, db_blobs::edit_rtree_as];
    for ((i, sql), mode) in CONTENT
        .iter()
        .enumerate()
        .flat_map(|content| [Mode::Consistent, Mode::Lie, Mode::Raw].map(|mode| (content, mode)))
    {
        let original = image(&executor, sql);
        let (mut edited, mut sound, mut read, mut refused) = (0, 0, 0, 0);
        for seed in 0..40 {
            let mut image = original.clone();
            let outcome = with_context(seed, 4096, |context| edits[i](&mut image, mode, context));
            if outcome == Outcome::Skipped {
                continue;
            }
            edited += 1;
            let problems = problems_outside(&mut executor, &image);
            let is_sound = problems.is_empty() && crate::dbfile::damage::first_damage(&image).is_none();
            if !is_sound {
                println!("{i} {mode:?} {seed}: {problems:?}");
            }
            sound += u32::from(is_sound);
            let mut case = TestCase::from_database(image);
            case.sql = Script::new(READS[i].join(";"));
            let run = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED);
            for statement in &run.trace.statements {
                read += 1;
                refused += u32::from(!matches!(statement.code(), Code::DONE | Code::ROW | Code::OK));
            }
        }
        println!("{i} {mode:?}: {edited} edited, {sound} sound, {refused} of {read} statements refused");
        assert!(edited >= 25, "{i} {mode:?}: {edited}");
        assert!(mode != Mode::Consistent || sound * 10 >= edited * 9, "{i}: {sound} of {edited}");
        assert!(refused * 2 < read, "{i} {mode:?}: {refused} of {read}");
    }
}

#[test]
fn json_of_every_table_becomes_other_jsonb() {
    let mut executor = Executor::shared();
    let original = image(
        &executor,
        "PRAGMA page_size=1024; CREATE TABLE t0(a, b); INSERT INTO t0 VALUES(1, x'0102');
         CREATE TABLE t1(j TEXT, b BLOB); INSERT INTO t1 VALUES('{\"a\":[1,2.5,true,null,\"x\\n\"]}', NULL),
         (NULL, jsonb('[1,{\"k\":\"v\",\"l\":[]},\"long text of more than eleven bytes\",-1e9]'));",
    );
    for mode in [Mode::Consistent, Mode::Lie, Mode::Raw] {
        let (mut edited, mut sound, mut valid) = (0, 0, 0);
        for seed in 0..75 {
            let mut image = original.clone();
            let outcome =
                with_context(seed, 8192, |context| blob_jsonb::edit_in_mode(&mut image, mode, context));
            if outcome == Outcome::Skipped {
                continue;
            }
            edited += 1;
            sound += u32::from(executor.is_healthy(&TestCase::from_database(image.clone())));
            let mut case = TestCase::from_database(image);
            case.sql = Script::new(
                "SELECT 1 FROM t1 WHERE typeof(b)='blob' AND json_valid(b, 4) OR typeof(j)='blob' AND json_valid(j, 4) LIMIT 1; SELECT json(b), json(j) FROM t1; SELECT * FROM t1, json_tree(t1.b)",
            );
            let run = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED);
            valid += u32::from(run.trace.statements[1].code() == Code::DONE);
        }
        println!("{mode:?}: {edited} edited, {sound} sound, {valid} valid");
        assert!(edited > 40 && sound * 10 >= edited * 9, "{mode:?}: {sound} of {edited}");
        assert!(mode != Mode::Consistent || valid * 2 > edited, "{valid} of {edited}");
        assert!(mode == Mode::Consistent || valid * 10 < edited * 9, "{valid} of {edited}");
    }
}

#[test]
fn text_becomes_the_jsonb_that_sqlite_makes_of_it() {
    let executor = Executor::shared();
    for text in [
        "[]",
        "{\"a\":[1,-2.5e3,true,false,null,\"x\"]}",
        "\"\\u0041\"",
        "[[[{}]]]",
        "[12345678901234567890]",
    ] {
        let image = image(&executor, &format!("CREATE TABLE t(b); INSERT INTO t VALUES(jsonb('{text}'));"));
        let geometry = Geometry::of(&image);
        let root = schema::rows(&image)[0].root_page(&geometry).unwrap();
        let row = &rows::of(&image, &geometry, root, 9)[0];
        let Value::Blob(expected) = &record::values(&row.read(&image, &geometry))[0] else {
            panic!("no blob");
        };
        assert_eq!(json::parse(text.as_bytes()).unwrap().emit(), *expected, "{text}");
        assert_eq!(jsonb::Element::parse(expected).unwrap().emit(), *expected);
    }
    assert_eq!(json::parse(b"[1,]"), None);
    assert_eq!(json::parse(b"{1"), None);
}
