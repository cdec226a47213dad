//! `fuzzcheck simulate`: a seed is the same to the byte, every class of verdict is planted and seen, and what is left can be
//! used.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::common::{Ran, command, file, finish, folder};

/// A profile of queries alone, behind these statements.
fn profile(folder: &Path, setup: &str) -> PathBuf {
    let weights =
        ["select = 1.0", "insert = 0.0", "update = 0.0", "delete = 0.0", "ddl = 0.0", "transaction = 0.0"];
    let weights = weights.join("\n");
    let text = format!("setup = [{setup}]\nstatements = 6\nrows = 2\n[weights]\nupkeep = 0.0\n{weights}\n");
    file(folder, "planted.toml", text)
}

/// Queries that plants know.
const QUERIES: &str = "\"CREATE TABLE p(a, b)\", \"INSERT INTO p VALUES(1, 2)\", \"SELECT a AS planted FROM p\", \
     \"SELECT a AS planted FROM p WHERE a > 5\"";
/// A table that they know.
const WRITTEN: &str = "\"CREATE TABLE planted(a, b)\", \"CREATE INDEX i ON planted(a)\", \"INSERT INTO planted VALUES(1, 2)\", \
     \"SELECT a FROM planted\"";

fn simulate(words: &str, to: &Path) -> Ran {
    let mut command = command();
    command.arg("simulate").args(words.split_whitespace()).arg("--to").arg(to);
    finish(&mut command)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_seed_gives_the_same_to_the_byte() {
    let folder = folder();
    let [a, b] = ["to-a", "to-b"].map(|name| folder.path().join(name));
    let first = simulate("--seed 7 -n 40 --verbose", &a).expect(0);
    let second = simulate("--seed 7 -n 40 --verbose", &b).expect(0);
    let same = |ran: &Ran, to: &Path| ran.out.replace(to.to_str().unwrap(), "TO");
    assert_eq!(same(&first, &a), same(&second, &b));
    for name in ["test.sql", "schema.json", "coverage.txt", "a.sql", "b.sql"] {
        assert_eq!(read(&a.join(name)), read(&b.join(name)), "{name}");
    }
    // The line that repeats it does.
    let words = first.after("repeat").strip_prefix("cargo fuzzcheck simulate ").unwrap().to_owned();
    let again = simulate(&format!("{words} --verbose"), &folder.path().join("c")).expect(0);
    assert_eq!(same(&again, &folder.path().join("c")), same(&first, &a));
    assert_ne!(simulate("--seed 8 -n 40 --verbose", &b).expect(0).out, second.out);
    // Bytes choose as a seed does, and are named in the line that repeats it.
    let bytes = file(folder.path(), "bytes", (0..=255).cycle().take(5_000).collect::<Vec<u8>>());
    let words = format!("--entropy {} -n 10 --verbose", bytes.display());
    let chosen = simulate(&words, &a).expect(0);
    assert_eq!(same(&chosen, &a), same(&simulate(&words, &b).expect(0), &b));
    assert!(!chosen.out.contains("\nseed"), "{}", chosen.out);
    assert!(chosen.after("repeat").contains(&format!("--entropy={}", bytes.display())), "{}", chosen.out);
    let others = file(folder.path(), "others", vec![7; 5_000]);
    let other = simulate(&format!("--entropy {} -n 10 --verbose", others.display()), &b).expect(0);
    assert_ne!(read(&a.join("test.sql")), read(&b.join("test.sql")), "{}", other.out);
}

/// Each class of verdict, by what is planted in the second engine.
#[test]
fn every_class_of_verdict_has_a_plant_that_turns_it_red() {
    let folder = folder();
    let plants = [
        (QUERIES, "--plant-b wrong-rows", "differential/rows/SELECT"),
        (QUERIES, "--plant-b wrong-rows", "differential/rows-against-none/SELECT"),
        (QUERIES, "--plant-b wrong-code", "differential/error/SELECT-success-SQLITE_CORRUPT-"),
        (WRITTEN, "--plant-b lost-rows", "differential/rows-against-none/SELECT"),
        (WRITTEN, "--plant-b other-schema", "differential/schema/none-table"),
    ];
    for (setup, words, signature) in plants {
        let to = folder.path().join("to");
        let profile = profile(folder.path(), setup);
        let words = format!(
            "bundled bundled --seed 3 --profile {} {words} --minimize-s 20 --json",
            profile.display()
        );
        let found = simulate(&words, &to).expect(1).json();
        let signatures: Vec<&str> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["signature"].as_str().unwrap())
            .collect();
        assert!(signatures.iter().any(|it| it.starts_with(signature)), "{words}: {found:#}");
        assert!(found["verdicts"]["failed"].as_u64() > Some(0), "{found:#}");
    }
    // Without one, all is well.
    let profile = profile(folder.path(), WRITTEN);
    let words = format!("bundled bundled --seed 3 --profile {} --json", profile.display());
    let sound = simulate(&words, &folder.path().join("sound")).expect(0).json();
    assert_eq!(
        (&sound["verdicts"]["failed"], &sound["verdicts"]["warning"]),
        (&0.into(), &0.into()),
        "{sound:#}"
    );
}

#[test]
fn a_crash_a_broken_file_and_what_one_does_not_know_are_told_apart() {
    let folder = folder();
    let profile = |name: &str, setup: &str| {
        file(folder.path(), name, format!("setup = [{setup}]\nstatements = 5\n")).display().to_string()
    };
    let to = folder.path().join("to");
    let calls = profile("calls.toml", "\"SELECT planted()\"");
    let died = simulate(&format!("bundled bundled --profile {calls} --plant-b abort --seed 1 --json"), &to)
        .expect(1);
    let document = died.json();
    assert_eq!(document["findings"][0]["signature"], "differential/death/b-SIGABRT-sqlite3VdbeExec:Function");
    // The statement is left out, and the rest is compared.
    let verdicts = &document["verdicts"];
    assert!(
        verdicts["not_reached"] == 0 && verdicts["failed"] == 1 && verdicts["pass"].as_u64() > Some(5),
        "{document:#}"
    );
    let script = read(&to.join("test.sql"));
    assert!(
        script.contains("FAILED differential/death/b-SIGABRT-sqlite3VdbeExec:Function\nSELECT planted();"),
        "{script}"
    );
    assert!(["a.sql", "b.sql"].iter().all(|name| read(&to.join(name)).contains("CREATE TABLE")));
    // Known to one of them only.
    let unknown =
        simulate(&format!("bundled bundled --profile {calls} --plant-b leak --seed 1 --json"), &to).expect(0);
    let document = unknown.json();
    assert_eq!(document["verdicts"]["reasons"]["skipped: unknown to one of the engines"], 1, "{document:#}");
    assert_eq!(document["verdicts"]["not_reached"], 0, "{document:#}");
    // A file that is damaged at the end.
    let writes = profile(
        "writes.toml",
        "\"CREATE TABLE w(a INTEGER PRIMARY KEY, b)\", \"INSERT INTO w SELECT value, hex(zeroblob(200)) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40]')\", \
         \"DELETE FROM w WHERE a > 3\"",
    );
    let damaged =
        simulate(&format!("bundled bundled --profile {writes} --plant-b lost-freelist --seed 1 --json"), &to)
            .expect(1);
    assert!(damaged.out.contains("differential/integrity/only-b"), "{}", damaged.out);
}

#[test]
fn what_sql_leaves_open_is_a_warning() {
    let folder = folder();
    let setup = "setup = [\"CREATE TABLE o(a)\", \"INSERT INTO o VALUES(1),(2)\", \"SELECT (SELECT a FROM o) AS planted FROM o\"]\nstatements = 3\n";
    let profile = file(folder.path(), "open.toml", setup);
    let words =
        format!("bundled bundled --seed 1 --profile {} --plant-b wrong-rows --json", profile.display());
    let document = simulate(&words, &folder.path().join("to")).expect(0).json();
    assert_eq!(document["verdicts"]["warning"], 1, "{document:#}");
}

#[test]
fn what_is_left_can_be_loaded_and_run() {
    let folder = folder();
    let profile = profile(folder.path(), QUERIES);
    let to = folder.path().join("to");
    let words =
        format!("bundled bundled --seed 3 --profile {} --plant-b wrong-rows --keep-files", profile.display());
    let found = simulate(&words, &to).expect(1);
    let script = read(&to.join("test.sql"));
    assert!(script.contains(": FAILED differential/rows/SELECT\nSELECT a AS planted FROM p;"), "{script}");
    let schema: serde_json::Value = serde_json::from_str(&read(&to.join("schema.json"))).unwrap();
    assert!(schema.as_array().unwrap().iter().any(|object| object["name"] == "p"), "{schema}");
    let text = read(&to.join("coverage.txt"));
    assert!(
        text.contains("(not hit)")
            && text.lines().any(|line| line.contains("SELECT") && !line.contains("not hit"))
    );
    let smaller = read(&to.join("minimized-differential-rows-SELECT.sql"));
    assert!(smaller.contains("planted") && smaller.len() < 200, "{smaller}");
    assert!(found.out.contains(smaller.trim()), "{}", found.out);
    for side in ["a", "b"] {
        let again = Connection::open_in_memory().unwrap();
        again.execute_batch(&read(&to.join(format!("{side}.sql")))).unwrap();
        let kept = Connection::open(to.join(format!("{side}.db"))).unwrap();
        let count = |db: &Connection| -> i64 {
            db.query_row("SELECT (SELECT count(*) FROM p) + (SELECT count(*) FROM t0)", [], |row| row.get(0))
                .unwrap()
        };
        assert!(count(&again) > 0 && count(&again) == count(&kept), "{side}");
    }
}

/// Everything that is hard to write as SQL.
const CONTENT: &str = "CREATE TABLE t(a, b TEXT, c AS (a + 1) STORED, \"od\"\"d\" BLOB); CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID;
    INSERT INTO t(rowid, a, b, \"od\"\"d\") VALUES(7, 1, 'it''s', x'00ff'), (-3, 9e999, CAST(x'610062' AS TEXT), NULL), (9, 0.1, NULL, 'x');
    INSERT INTO w VALUES('a', 1.0), ('b', -0.5); CREATE VIEW v AS SELECT * FROM t; CREATE INDEX i ON t(a);
    CREATE TRIGGER g AFTER INSERT ON w BEGIN DELETE FROM t; END; CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two'), ('three');";

#[test]
fn a_database_is_gone_on_from_and_dumped_whole() {
    let folder = folder();
    let path = folder.path().join("mine.db");
    Connection::open(&path).unwrap().execute_batch(CONTENT).unwrap();
    let before = fs::read(&path).unwrap();
    let profile = profile(folder.path(), "");
    let to = folder.path().join("to");
    let words = format!("--from {} --profile {} --seed 1", path.display(), profile.display());
    simulate(&words, &to).expect(0);
    assert_eq!(fs::read(&path).unwrap(), before, "it is only read");
    let script = read(&to.join("a.sql"));
    assert!(
        script.contains("'it''s'") && script.contains("9e999") && !script.contains("f_content"),
        "{script}"
    );
    let again = Connection::open_in_memory().unwrap();
    again.execute_batch(&script).unwrap_or_else(|error| panic!("{error}: {script}"));
    let mine = Connection::open(&path).unwrap();
    for query in [
        "SELECT group_concat(rowid || quote(a) || quote(b) || quote(c) || quote(\"od\"\"d\"), ';') FROM t",
        "SELECT group_concat(quote(a) || quote(b), ';') FROM w",
        "SELECT group_concat(rowid || x, ';') FROM f WHERE f MATCH 'three'",
        "SELECT group_concat(type || name || sql, ';') FROM (SELECT * FROM sqlite_master WHERE name NOT LIKE 'f\\_%' ESCAPE '\\' AND sql NOT NULL ORDER BY name)",
    ] {
        let all = |db: &Connection| -> String { db.query_row(query, [], |row| row.get(0)).unwrap() };
        assert_eq!(all(&again), all(&mine), "{query}");
    }
}

#[test]
fn a_script_is_probed_statement_by_statement() {
    let folder = folder();
    let text = "CREATE TABLE p(a); INSERT INTO p VALUES(1);\nSELECT a AS planted FROM p; SELECT a FROM p;";
    let script = file(folder.path(), "mine.sql", text);
    let words = ["simulate", "probe", script.to_str().unwrap(), "bundled", "bundled"];
    let same = finish(command().args(words)).expect(0);
    assert!(same.out.contains("\nsame         SELECT a AS planted FROM p"), "{}", same.out);
    let parted = finish(command().args(words).args(["--plant-b", "wrong-rows"])).expect(1);
    assert!(parted.out.contains("\ndifferent    differential/rows/SELECT"), "{}", parted.out);
    assert!(parted.out.contains("\nsame         SELECT a FROM p"), "{}", parted.out);
}

#[test]
fn oracles_judge_on_either_engine() {
    let folder = folder();
    let calls = file(folder.path(), "calls.toml", "setup = [\"SELECT planted()\"]\nstatements = 5\n");
    let words =
        format!("bundled bundled --profile {} --seed 1 --oracles memory --minimize-s 20", calls.display());
    let found = simulate(&format!("{words} --plant-b leak"), &folder.path().join("to")).expect(1);
    assert!(found.out.contains("\nmemory/leak/sqlite3VdbeExec"), "{}", found.out);
    let sound = simulate(&words, &folder.path().join("sound")).expect(0);
    assert!(sound.out.contains("oracle      memory: 2 passed, 0 failed"), "{}", sound.out);
    // What none of them judges is no pass.
    let none = words.replace("memory", "window").replace("statements = 5", "statements = 1");
    let queries = profile(folder.path(), "");
    let none = none.replace(&calls.display().to_string(), &queries.display().to_string());
    let none = format!("{none} --focus values");
    simulate(&none, &folder.path().join("none")).expect_error(&["--oracles: nothing was judged", "window"]);
}

#[test]
fn a_loop_stops_or_collects_and_files_one_issue_per_signature() {
    let folder = folder();
    let profile = profile(folder.path(), QUERIES);
    let (report, issues) = (folder.path().join("report.md"), folder.path().join("issues"));
    let told = folder.path().join("told.json");
    let run = |collects: bool, token: Option<&str>| {
        let mut command = command();
        command.args([
            "simulate",
            "loop",
            "3",
            "bundled",
            "bundled",
            "--seed",
            "1",
            "--minimize-s",
            "5",
            "--profile",
        ]);
        command.arg(&profile).args(["--plant-b", "wrong-code"]);
        if collects {
            command.arg("--report").arg(&report).arg("--issues").arg(&issues).env("LOG_TO_STDOUT", "1");
            command.arg("--notify-cmd").arg(format!("cat > '{}'", told.display()));
        }
        command.env_remove("ISSUE_TOKEN").env_remove("GITHUB_TOKEN");
        command.envs(token.map(|token| ("ISSUE_TOKEN", token)));
        finish(&mut command)
    };
    let first = run(false, None).expect(1);
    assert!(first.out.contains("\nfuzzcheck: 1 differences out of 1 simulations"), "{}", first.out);
    let dry = run(true, None).expect(1);
    assert!(dry.err.contains("dry run") && !told.exists(), "{}", dry.err);
    assert!(dry.out.contains("\nfuzzcheck: 1 differences out of 3 simulations"), "{}", dry.out);
    let logged = |ran: &Ran| ran.out.lines().any(|line| line.starts_with("3 simulations: "));
    assert!(logged(&dry) && !first.out.contains("1 simulations: "), "{}", dry.out);
    let text = read(&report);
    assert!(text.contains("In 3 simulations") && text.contains("(not hit)"), "{text}");
    let issue = fs::read_dir(&issues).unwrap().next().unwrap().unwrap().path();
    assert!(read(&issue).contains("Simulations that showed it: 3\n"), "{}", read(&issue));
    // Another night counts on; where there is a token, a new one is told.
    run(true, None).expect(1);
    assert!(read(&issue).contains("Simulations that showed it: 6\n"), "{}", read(&issue));
    assert_eq!(fs::read_dir(&issues).unwrap().count(), 1);
    fs::remove_file(&issue).unwrap();
    run(true, Some("secret")).expect(1);
    let notice: serde_json::Value = serde_json::from_str(&read(&told)).unwrap();
    assert_eq!((&notice["event"], &notice["path"]), (&"new-issue".into(), &issue.to_str().unwrap().into()));
}

#[test]
fn wrong_words_are_named() {
    let folder = folder();
    let to = folder.path().join("to");
    let odd = file(folder.path(), "odd.toml", "tabels = 3\n");
    let empty = file(folder.path(), "empty", "");
    let text = file(folder.path(), "text.db", "no database");
    let trials: [(String, &[&str]); 10] = [
        ("nothing".to_owned(), &["`nothing` is no configuration"]),
        ("turso:unoptimized".to_owned(), &["turso has no optimizations"]),
        ("--profile none".to_owned(), &["no profile is named `none`", "balanced"]),
        (format!("--profile {}", odd.display()), &["odd.toml", "tabels", "statements"]),
        ("--weight select.windw=2".to_owned(), &["select.windw", "select.window"]),
        ("--weight select".to_owned(), &["CLASS=WEIGHT"]),
        ("--focus windw".to_owned(), &["windw", "select.window"]),
        (format!("--entropy {}", empty.display()), &["empty", "it is empty"]),
        (format!("--from {}", text.display()), &["text.db", "not a SQLite database"]),
        ("--plant-a none".to_owned(), &["no planted bug is named `none`"]),
    ];
    for (words, expected) in trials {
        simulate(&words, &to).expect_error(expected);
    }
    finish(command().args(["simulate", "probe", "missing.sql"])).expect_error(&["missing.sql"]);
    let bytes = file(folder.path(), "bytes", "0123456789");
    let words = ["simulate", "loop", "2", "--entropy"];
    finish(command().args(words).arg(bytes)).expect_error(&["--entropy", "one simulation"]);
    let (report, own) = (to.join("report.md"), env!("CARGO_BIN_EXE_fuzzcheck"));
    let words = ["simulate", "loop", "1", own, "bundled", "--bisect", "--report"];
    finish(command().args(words).arg(&report)).expect_error(&["--bisect", own, "has no releases"]);
    let schema = finish(command().args(["simulate", "--profile-schema"])).expect(0).json();
    assert!(schema["properties"]["journal_mode"].is_object(), "{schema}");
}
