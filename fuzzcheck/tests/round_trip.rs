//! What goes out comes back in: export, import, show and seeds.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{
    blob, case_with_image, command, corpus_copy, file, finish, folder, fuzzcheck, fuzzcheck_on, list,
    names_in, project, read, shell_command, shell_rows, some_of_corpus,
};
use tandem::TestCase;
use tandem::testcase::{OpenConfig, Setting};

const TARGETS: [&str; 3] = ["db_file", "db_sql", "sql"];

#[test]
fn exported_cases_come_back_into_a_corpus_without_changing_it() {
    let folder = folder();
    for target in TARGETS {
        let corpus = some_of_corpus(folder.path(), target);
        let before = read(&corpus);
        let out = folder.path().join("out").join(target);
        fuzzcheck_on("corpus export --dir", &[&out, &corpus]).expect(0);
        assert_eq!(names_in(&out), [target], "a folder says what the cases in it are for");
        assert_eq!(names_in(&out.join(target)).len(), list(&[&corpus]).len());
        let ran = fuzzcheck_on("corpus import --into", &[&corpus, &out]).expect(0);
        assert!(ran.out.contains(": 0 of "), "{}", ran.out);
        assert_eq!(read(&corpus), before);
    }
}

#[test]
fn files_make_a_case() {
    let folder = folder();
    let place = |name: &str, content: &str| file(folder.path(), name, content);
    let image = place("some.db", "a database");
    let journal = place("some.db-journal", "a journal");
    let (other, script) = (place("diary.txt", "dear diary"), place("script.sql", "SELECT * FROM t;"));
    let to = folder.path().join("case");
    let words = format!("compose --to {} --sql {}", to.display(), script.display());
    let compose = |more: &[&Path]| fuzzcheck_on(&words, more);
    let ran = compose(&[&image, "--beside".as_ref(), &other]).expect(0);
    let case = TestCase::decode_strict(&read(&to)).expect("a case");
    assert!(ran.out.contains(&case.id().to_string()), "{ran:?}");
    let files: Vec<_> = case.files.iter().map(|(name, content)| (name.as_str(), content.to_vec())).collect();
    let expected =
        [("diary.txt", read(&other)), ("main.db", read(&image)), ("main.db-journal", read(&journal))];
    assert_eq!((files.as_slice(), case.sql.as_bytes()), (&expected[..], &read(&script)[..]));
    // Bad input names what is wrong, and leaves the case that is there.
    let before = read(&to);
    compose(&[&folder.path().join("none.db")]).expect_error(&["none.db"]);
    let odd = place("an odd name", "");
    compose(&[&image, "--beside".as_ref(), &odd]).expect_error(&["an odd name", "1 to 64"]);
    compose(&[&image, "--beside".as_ref(), &other, &other]).expect_error(&["diary.txt", "already"]);
    fuzzcheck_on("compose --to", &[&to]).expect_error(&["--sql"]);
    assert_eq!(read(&to), before);
}

#[test]
fn a_corpus_made_of_exported_cases_is_the_same_to_the_byte() {
    let folder = folder();
    let all = folder.path().join("all");
    let some = TARGETS.map(|target| some_of_corpus(folder.path(), target));
    fuzzcheck_on("corpus export --dir", &[&all, &some[0], &some[1], &some[2]]).expect(0);
    let import = |into: &str, from: &std::path::Path| {
        let into = folder.path().join(into);
        let words = "corpus import --kind regression --source here --signature s --into";
        fuzzcheck_on(words, &[&into, from]).expect(0);
        into
    };
    let first = import("first.db", &all);
    let again = folder.path().join("again");
    fuzzcheck_on("corpus export --dir", &[&again, &first]).expect(0);
    let second = import("second.db", &again);
    assert!(read(&first) == read(&second), "they differ");
    assert_eq!(list(&[&second]).len(), list(&[&all]).len());
}

#[test]
fn from_corpus_to_corpus_a_case_keeps_all_that_is_said_of_it() {
    let folder = folder();
    for target in TARGETS {
        let shipped = project().join("corpus").join(format!("{target}.db"));
        let copy = folder.path().join(format!("{target}-copy.db"));
        fuzzcheck_on("corpus import --into", &[&copy, &shipped]).expect(0);
        assert!(read(&copy) == read(&shipped), "{target}");
    }
}

#[test]
fn a_case_shows_the_same_by_file_and_by_id() {
    let folder = folder();
    let id = list(&[&project().join("corpus/db_sql.db")])[3]["id"].as_str().expect("an id").to_owned();
    let out = folder.path().join("case.bin");
    fuzzcheck(["corpus", "export", "--case", &id, "--file", out.to_str().expect("UTF-8")]).expect(0);
    let corpus = project().join("corpus/db_sql.db");
    for form in ["", "--script", "--dbsqlfuzz"] {
        let by_id = fuzzcheck_on(&format!("show {id} {form} --corpus"), &[&corpus]).expect(0);
        let by_file = fuzzcheck_on(&format!("show {form}"), &[&out]).expect(0);
        assert_eq!(by_id.out, by_file.out, "{form}");
        assert!(!by_id.out.is_empty());
    }
    assert!(fuzzcheck(["show", &id[..16]]).expect(0).out.contains(&id));

    // A case that stands in two corpora is still one, and others may stand between.
    let corpora = ["one", "two"].map(|name| {
        let inner = folder.path().join(name);
        std::fs::create_dir(&inner).expect("it can be made");
        corpus_copy(&inner, "db_sql")
    });
    let mut show = command();
    show.args(["show", &id]).arg("--corpus").arg(&corpora[0]).arg("--corpus").arg(&corpora[1]);
    assert!(finish(&mut show).expect(0).out.contains(&id));
}

#[test]
fn a_script_runs_in_the_sqlite3_shell() {
    if Command::new("sqlite3").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no sqlite3 shell");
        return;
    }
    let folder = folder();
    let setup =
        "PRAGMA page_size=1024; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b);
        WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 200)
        INSERT INTO t SELECT x, 'row '||x FROM c;";
    let script = "SELECT count(*), sum(a) FROM t; SELECT b FROM t WHERE b='row 77'; PRAGMA integrity_check;
        PRAGMA foreign_keys; PRAGMA cache_size";
    let mut case = case_with_image(setup, script);
    case.config = OpenConfig::default().with(Setting::Toggles, 1).with(Setting::CachePages, 123);
    let path = file(folder.path(), "case", case.encode());
    let shown = fuzzcheck_on("show --script", &[&path]).expect(0);
    let input = file(folder.path(), "script.sql", &shown.out);
    let input = std::fs::File::open(input).expect("it was written");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {}", shell_command(&shown.out))]);
    let shell = shell.current_dir(folder.path()).stdin(input).output();
    let shell = shell.expect("the shell starts");
    let (out, err) = (String::from_utf8_lossy(&shell.stdout), String::from_utf8_lossy(&shell.stderr));
    assert!(err.is_empty(), "{err}\n{}", shown.out);
    assert_eq!(shell_rows(&out), ["200|20100", "row 77", "ok", "1", "123"], "{}", shown.out);
}

#[test]
fn dbsqlfuzz_text_reads_back_as_the_same_case() {
    let folder = folder();
    let whole =
        case_with_image("CREATE TABLE t(a); INSERT INTO t VALUES('x');", "SELECT * FROM t; -- \u{e9}");
    let path = file(folder.path(), "case", whole.encode());
    let shown = fuzzcheck_on("show --dbsqlfuzz", &[&path]).expect(0);
    assert_eq!(shown.err, "", "nothing is lost");
    assert_eq!(TestCase::decode(shown.out.as_bytes()), whole);
    let text = file(folder.path(), "text", &shown.out);
    assert_eq!(fuzzcheck_on("show", &[&text]).expect(0).out, fuzzcheck_on("show", &[&path]).expect(0).out);

    // What it cannot carry is said.
    let mut more = whole;
    more.config.set(Setting::CachePages, 7);
    let path = file(folder.path(), "more", more.encode());
    assert!(fuzzcheck_on("show --dbsqlfuzz", &[&path]).expect(0).err.contains("settings"));
}

#[test]
fn a_fuzzdata_database_of_the_corpora_runs_as_many_cases() {
    let folder = folder();
    let data = folder.path().join("fuzzdata.db");
    let corpora = folder.path().join("corpora");
    std::fs::create_dir(&corpora).expect("it can be made");
    for target in TARGETS {
        some_of_corpus(&corpora, target);
    }
    let ran = fuzzcheck_on("corpus export --fuzzdata", &[&data, &corpora]).expect(0);
    let cases = list(&[&corpora]).len() as u64;
    assert!(ran.out.contains(&format!(": {cases} cases, ")), "{}", ran.out);
    assert_eq!(list(&[&data]).len() as u64, cases);
    assert_eq!(fuzzcheck_on("run --every 20", &[&data]).expect(0).summary(), (0, cases.div_ceil(20)));
    let first = read(&data);
    fuzzcheck_on("corpus export --fuzzdata", &[&data, &corpora]).expect(0);
    assert_eq!(read(&data), first, "the same cases, the same bytes");
    assert_eq!(names_in(folder.path()), ["corpora", "fuzzdata.db"]);
}

#[test]
fn export_chooses_by_target_name_and_id() {
    let folder = folder();
    let out = folder.path().join("out");
    fuzzcheck_on("corpus export --target sql --dir", &[&out]).expect(0);
    let expected = list(&[&project().join("corpus/sql.db")]).len();
    assert_eq!(names_in(&out).len(), expected, "without a folder per target: there is one");
    // By its id, although it is not in the file's name.
    let case = file(folder.path(), "mine.sql", "SELECT 'mine';");
    let id = TestCase::from_sql("SELECT 'mine';").id().to_string();
    let one = folder.path().join("one");
    fuzzcheck_on(&format!("corpus export --case {} --file", &id[..12]), &[&one, &case]).expect(0);
    assert_eq!(TestCase::decode(&read(&one)).id().to_string(), id);
}

#[test]
fn seeds_writes_the_committed_corpora_again() {
    let folder = folder();
    for target in TARGETS {
        corpus_copy(folder.path(), target);
    }
    let fresh = folder.path().join("fresh");
    fuzzcheck_on("corpus seed --into", &[folder.path()]).expect(0);
    fuzzcheck_on("corpus seed --into", &[&fresh]).expect(0);
    for target in TARGETS.map(|target| format!("{target}.db")) {
        let committed = project().join("corpus").join(&target);
        let is_same = read(&folder.path().join(&target)) == read(&committed);
        assert!(is_same, "{target}: run `cargo fuzzcheck corpus seed`");
        let seeds = |path: &Path| {
            let rows = list(&[path]).into_iter().filter(|row| row["kind"] == "seed");
            rows.map(|row| row["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(seeds(&fresh.join(&target)), seeds(&committed));
    }
}

#[test]
fn a_fresh_import_is_seen_everywhere() {
    let folder = folder();
    let case = file(folder.path(), "new.sql", format!("SELECT {};", blob(b"new")));
    let into = folder.path().join("own.db");
    for expected in [": 1 of 1 cases are new; 1 in all", ": 0 of 1 cases are new; 1 in all"] {
        let ran = fuzzcheck_on(
            "corpus import --kind known --signature code/X/Y --source mine --into",
            &[&into, &case],
        );
        assert!(ran.expect(0).out.contains(expected));
    }
    let rows = list(&[&into]);
    assert_eq!((rows.len(), &rows[0]["kind"], &rows[0]["source"]), (1, &"known".into(), &"mine".into()));
    assert_eq!(rows[0]["signature"], "code/X/Y");
    assert_eq!(fuzzcheck_on("run", &[&into]).expect(0).summary(), (0, 1));
}
