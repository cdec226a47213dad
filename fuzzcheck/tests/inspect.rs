//! `fuzzcheck inspect`: what is there is told, a lie is named, and what is no such
//! file is refused.

use std::path::{Path, PathBuf};

use crate::common::{case_with_image, file, folder, fuzzcheck, fuzzcheck_on, image, list, names_in, project};
use tandem::TestCase;
use tandem::dbfile::{header, journal, wal};
use tandem::testcase::{FileName, dbsqlfuzz};

const SETUP: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX tb ON t(b); \
                     INSERT INTO t VALUES(1,'one'),(2,'two'),(3,zeroblob(9000)); \
                     CREATE TABLE gone(a); DROP TABLE gone;";

fn database() -> Vec<u8> {
    image(SETUP)
}

/// The database with one byte of a row changed, and the number of free pages.
fn damaged() -> Vec<u8> {
    let mut image = database();
    let at = image.windows(3).position(|three| three == b"two").expect("a row has it");
    image[at] = b'T';
    let free = header::FREELIST_COUNT.get(&image);
    header::FREELIST_COUNT.set(&mut image, free + 1);
    image
}

/// In WAL mode, with a log that changes the second page, and a case with both.
fn with_log() -> (Vec<u8>, Vec<u8>, TestCase) {
    let mut image = database();
    header::READ_VERSION.set(&mut image, 2);
    header::WRITE_VERSION.set(&mut image, 2);
    let pages = (image.len() / 4096) as u32;
    let log = wal::build(4096, [3, 4], &[(2, &image[4096..8192], 0), (1, &image[..4096], pages)]);
    let mut case = TestCase::from_database(image.clone());
    case.files.insert(FileName::wal(), log.clone());
    (image, log, case)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_sound_database_is_described_and_has_no_problem() {
    let folder = folder();
    let sound = file(folder.path(), "sound.db", database());
    let ran = fuzzcheck_on("inspect db", &[&sound]).expect(0);
    assert_eq!(ran.out.lines().last(), Some("fuzzcheck: 0 problems"));
    for words in
        ["page size", "table t, root page 2: CREATE TABLE t", "root of tb, leaf, 3 cells", "freelist trunk"]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let document = fuzzcheck_on("inspect db --json", &[&sound]).expect(0).json();
    assert_eq!(document["is_damaged"], false);
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(0));
    let trees: Vec<_> =
        document["trees"].as_array().expect("trees").iter().map(|tree| &tree["rows"]).collect();
    assert_eq!(trees, [2, 3, 3]);
    let overflow = |page: &&serde_json::Value| page["use"] == "overflow";
    assert_eq!(document["pages"].as_array().expect("pages").iter().filter(overflow).count(), 4);
}

#[test]
fn damage_is_told_with_its_place_and_what_was_expected() {
    let folder = folder();
    let path = file(folder.path(), "damaged.db", damaged());
    let ran = fuzzcheck_on("inspect db", &[&path]).expect(1);
    assert!(ran.out.contains(
        "page 1, byte 36 (file 0x24): the header claims 2 free pages; expected 1 [freelist-count]"
    ));
    assert!(
        ran.out
            .contains("has b = \"two\" for rowid 2; expected \"Two\", as in the row on page 2 [index-entry]")
    );
    assert!(ran.out.contains("freelist pages                     2  <- expected 1"), "{}", ran.out);
    assert_eq!(ran.out.lines().last(), Some("fuzzcheck: 2 problems"));
    let document = fuzzcheck_on("inspect db --json", &[&path]).expect(1).json();
    let kinds: Vec<_> =
        document["problems"].as_array().expect("problems").iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["freelist-count", "index-entry"]);
    assert_eq!(document["problems"][0]["offset"], 36);
}

#[test]
fn every_form_of_a_case_is_read() {
    let folder = folder();
    let case = case_with_image(SETUP, "SELECT 1;");
    let forms = [
        file(folder.path(), "envelope", case.encode()),
        file(folder.path(), "text", dbsqlfuzz::write(&case).text),
        file(folder.path(), "raw", database()),
    ];
    for path in &forms {
        let document = fuzzcheck_on("inspect db --json", &[path]).expect(0).json();
        assert_eq!(document["trees"].as_array().map(Vec::len), Some(3), "{}", path.display());
        let same = fuzzcheck_on("inspect diff", &[path, &forms[2]]).expect(0);
        assert_eq!(same.out.lines().last(), Some("fuzzcheck: not one byte differs"));
    }
    // An id of the corpora, or its beginning.
    let corpus = project().join("corpus/db_file.db");
    let id = list(&[&corpus])[0]["id"].as_str().expect("an id").to_owned();
    let ran = fuzzcheck(["inspect", "db", &id[..20], "--corpus", text(&corpus)]);
    assert!(ran.code != Some(2) && ran.out.contains("fuzzcheck: "), "{ran:#?}");
}

#[test]
fn a_page_is_shown_byte_by_byte() {
    let folder = folder();
    let path = file(folder.path(), "damaged.db", damaged());
    let ran = fuzzcheck_on("inspect db --page 2", &[&path]).expect(0);
    for words in [
        "type 13: TableLeaf",
        "rowid 2 payload 6 bytes: NULL, \"Two\"",
        "column 1: \"Two\"",
        "54 77 6f",
        "first overflow page",
        "zeros",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    fuzzcheck_on("inspect db --page 1", &[&path]).expect(1);
    let document = fuzzcheck_on("inspect db --json --page 3", &[&path]).expect(1).json();
    assert_eq!(document["cells"].as_array().map(Vec::len), Some(3));
    assert_eq!(document["hex"].as_str().map(str::len), Some(2 * 4096));
    assert_eq!(document["problems"][0]["kind"], "index-entry");
    fuzzcheck_on("inspect db --page 99", &[&path]).expect_error(&["no page 99", "the file has "]);
    fuzzcheck_on("inspect db --page 0", &[&path]).expect_error(&["--page"]);
}

#[test]
fn the_difference_of_two_databases_is_the_lie() {
    let folder = folder();
    let (a, b) = (file(folder.path(), "a.db", database()), file(folder.path(), "b.db", damaged()));
    let ran = fuzzcheck_on("inspect diff", &[&a, &b]).expect(1);
    assert!(ran.out.contains("header  36  freelist pages: 1 -> 2\n"), "{}", ran.out);
    assert!(ran.out.contains("column b: \"two\" -> \"Two\"\n"), "{}", ran.out);
    let last = "fuzzcheck: 1 header fields, 0 rows of the schema, 2 pages, 1 rows differ";
    assert_eq!(ran.out.lines().last(), Some(last));
    let document = fuzzcheck_on("inspect diff --json", &[&a, &b]).expect(1).json();
    assert_eq!(document["trees"][0]["changed"][0]["key"], "2");
    assert_eq!(document["header"][0]["at"], 36);
    let more = image(&format!(
        "{SETUP} INSERT INTO t VALUES(7,'new'); DELETE FROM t WHERE a=1; CREATE VIEW v AS SELECT 1;"
    ));
    let more = file(folder.path(), "more.db", more);
    let ran = fuzzcheck_on("inspect diff", &[&a, &more]).expect(1);
    for words in ["only in B: NULL, \"new\"", "t: row 1 ", "only in A: NULL, \"one\"", "only B has view v"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    fuzzcheck_on("inspect diff", &[&a]).expect_error(&["--help"]);
    fuzzcheck_on("inspect diff", &[&a, &folder.path().join("missing.db")]).expect_error(&["missing.db"]);
}

#[test]
fn a_log_is_followed_up_to_where_sqlite_stops() {
    let folder = folder();
    let (image, log, case) = with_log();
    let database = file(folder.path(), "x.db", &image);
    let path = file(folder.path(), "x.db-wal", &log);
    let case = file(folder.path(), "case", case.encode());
    for named in [&path, &database, &case] {
        let ran = fuzzcheck_on("inspect wal", &[named]).expect(0);
        assert!(ran.out.contains("frame 2 at 4152: page 1, commit: "), "{}", ran.out);
        assert!(ran.out.contains("of 2 frames 2 are valid; SQLite recovers 2"), "{}", ran.out);
    }
    let mut wrong = log.clone();
    wrong[4152 + 100] ^= 1;
    let wrong = file(folder.path(), "wrong-wal", &wrong);
    let ran = fuzzcheck_on("inspect wal", &[&wrong]).expect(1);
    assert!(
        ran.out.contains("frame 2 has a wrong checksum") && ran.out.contains("SQLite recovers 0"),
        "{}",
        ran.out
    );
    let document = fuzzcheck_on("inspect wal --json", &[&wrong]).expect(1).json();
    assert_eq!((&document["stop"], &document["valid_frames"]), (&"checksum".into(), &1.into()));
    let cut = file(folder.path(), "cut-wal", &log[..log.len() - 9]);
    assert!(fuzzcheck_on("inspect wal", &[&cut]).expect(1).out.contains("frame 2 is cut"));
    let empty = file(folder.path(), "empty-wal", "");
    assert!(fuzzcheck_on("inspect wal", &[&empty]).expect(0).out.contains("empty file"));
    let none = file(folder.path(), "none-wal", "no log, but long enough for the header of one");
    assert!(fuzzcheck_on("inspect wal", &[&none]).expect(1).out.contains("the magic is 0x6e6f206c"));
    // The database with it, as SQLite recovers it.
    let ran = fuzzcheck_on("inspect db --recovered", &[&database]).expect(0);
    assert!(!ran.out.contains("lies beside it"), "{}", ran.out);
    assert!(fuzzcheck_on("inspect db", &[&database]).expect(0).out.contains("a WAL lies beside it"));
    fuzzcheck_on("inspect db --recovered", &[&wrong]).expect_error(&["no database"]);
}

#[test]
fn a_journal_is_followed_up_to_where_sqlite_stops() {
    let folder = folder();
    let image = database();
    let built = journal::build(4096, 9, 5, &[(1, &image[..4096]), (2, &image[4096..8192])]);
    let path = file(folder.path(), "x-journal", &built);
    let ran = fuzzcheck_on("inspect journal", &[&path]).expect(0);
    assert!(
        ran.out.contains("header at 0: 2 records, nonce 0x00000005, the database had 9 pages"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("SQLite restores 2 pages"), "{}", ran.out);
    let mut wrong = built.clone();
    wrong[512 + 4 + 4096 + 3] ^= 1;
    let wrong = file(folder.path(), "wrong-journal", &wrong);
    let document = fuzzcheck_on("inspect journal --json", &[&wrong]).expect(1).json();
    let fates = document["groups"][0]["records"].as_array().expect("records").clone();
    assert_eq!((&fates[0]["fate"], &fates[1]["fate"]), (&"checksum".into(), &"not-reached".into()));
    let over = file(folder.path(), "over-journal", [0; 600]);
    assert!(fuzzcheck_on("inspect journal", &[&over]).expect(0).out.contains("not hot"));
    let empty = file(folder.path(), "empty-journal", "");
    assert!(fuzzcheck_on("inspect journal", &[&empty]).expect(0).out.contains("not hot: it is empty"));
    let mut case = TestCase::from_database(image);
    case.files.insert(FileName::journal(), built);
    let case = file(folder.path(), "case", case.encode());
    assert!(fuzzcheck_on("inspect journal", &[&case]).expect(0).out.contains("main.db-journal: journal of "));
    fuzzcheck_on("inspect wal", &[&case]).expect_error(&["no file `main.db-wal`", "main.db-journal"]);
}

#[test]
fn what_is_no_such_file_is_refused_and_told() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let sql = file(folder.path(), "a.sql", "SELECT 1;");
    let sound = file(folder.path(), "sound.db", database());
    let cut = file(folder.path(), "cut.bin", &case_with_image(SETUP, "").encode()[..200]);
    let bad: [(PathBuf, &str); 4] = [
        (path("missing.db"), "not a file"),
        (folder.path().to_owned(), "this is a folder"),
        (PathBuf::from("/dev/zero"), "not a regular file"),
        (cut, "truncated"),
    ];
    for command in ["inspect db", "inspect wal", "inspect journal"] {
        for (path, words) in &bad {
            fuzzcheck_on(command, &[path]).expect_error(&[text(path), words]);
        }
        fuzzcheck_on(command, &[]).expect_error(&["--help"]);
        fuzzcheck_on(&format!("{command} --raw"), &[&path("missing.db")]).expect_error(&["no such file"]);
    }
    fuzzcheck_on("inspect db", &[&sql]).expect_error(&["a.sql", "no database", "--raw"]);
    fuzzcheck_on("inspect wal", &[&sql]).expect_error(&["a.sql", "no WAL", "--raw"]);
    fuzzcheck_on("inspect wal", &[&sound]).expect_error(&["no WAL beside it"]);
    fuzzcheck_on("inspect db --file x.db", &[&sound]).expect_error(&["leave out --file"]);
    fuzzcheck_on("inspect db --recovered", &[&sound]).expect_error(&["leave out --recovered"]);
    let (_, _, case) = with_log();
    let case = file(folder.path(), "case", case.encode());
    fuzzcheck_on("inspect db --file x.db", &[&case])
        .expect_error(&["no file `x.db`", "main.db, main.db-wal"]);
    fuzzcheck_on("inspect db --file main.db-wal", &[&case])
        .expect_error(&["is not a database", "fuzzcheck inspect wal"]);
    // Any bytes can be looked at, and an empty file is an empty database.
    let ran = fuzzcheck_on("inspect db --raw", &[&sql]).expect(1);
    assert!(ran.out.contains("the file has 9 bytes; expected a header of 100 bytes"), "{}", ran.out);
    let empty = file(folder.path(), "empty.db", "");
    assert!(fuzzcheck_on("inspect db", &[&empty]).expect(0).out.contains("an empty database to SQLite"));
    let truncated = file(folder.path(), "truncated.db", &database()[..5000]);
    let ran = fuzzcheck_on("inspect db", &[&truncated]).expect(1);
    assert!(ran.out.contains("[cut-page]") && ran.out.contains("[file-size]"), "{}", ran.out);
    let before = names_in(folder.path());
    assert!(before.iter().all(|name| !name.starts_with(".fuzzcheck")), "{before:?}");
}
