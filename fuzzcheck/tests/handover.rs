//! `fuzzcheck handover`: what it writes is executed, and is what the case is.
//!
//! A Rust test that it writes stands in this folder as an ordinary test (`handed_over_odd.rs`); one for each kind of
//! finding is seen to pass without its bug, and to fail with it, by `handed_over_red.rs`. Here they are compared with what is written now.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common;
use crate::common::{
    HEADER, Ran, file, finish, folder, fuzzcheck_on, names_in, project, read, shell_command, shell_rows,
};
use tandem::TestCase;
use tandem::engine::sqlite::{Executor, Moment};
use tandem::known::GEOPOLY_KEY;
use tandem::testcase::{FileName, OpenConfig, Setting};

const WRITING: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b);
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 300) INSERT INTO t SELECT x, hex(zeroblob(x)) FROM c;
    PRAGMA cache_size=1; UPDATE t SET b=b||a; DELETE FROM t WHERE a%3=0; SELECT count(*), sum(length(b)) FROM t;";
const CALLING: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t; SELECT 2;";
/// On the database of [`logged`]: what is only in the log, a failing statement before another on its line, settings.
const READING: &str = "SELECT a, b FROM t; bad; SELECT sum(a) FROM t;
    -- no command:
.quit
    ; INSERT INTO child VALUES(99); PRAGMA cache_size; SELECT count(*) FROM child; SELECT 6\n/\n3; PRAGMA integrity_check;
    SELECT length(zeroblob(1000001)); SELECT \"text\";";
/// The values that [`READING`] gives.
const READ: [&str; 8] = ["1|one", "2|two", "3", "7", "0", "2", "ok", "text"];

/// A case whose second row, and more, is only in its log, with foreign keys and a cache of seven pages.
fn logged(script: &str) -> TestCase {
    let setup =
        "PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,'one');
        CREATE TABLE child(a REFERENCES t); PRAGMA wal_checkpoint; INSERT INTO t VALUES(2,'two');";
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::PowerCut);
    let mut case = TestCase { files: files.expect("the script runs"), ..TestCase::from_sql(script) };
    // The index of the log is shared memory, and rebuilt.
    case.files.remove(&FileName::new("main.db-shm").expect("a name"));
    assert!(case.files.get("main.db-wal").is_some_and(|log| log.len() > 4096), "there is a log");
    case.config = OpenConfig::default().with(Setting::Toggles, 1).with(Setting::CachePages, 7);
    case
}

/// Writes a case, and hands it over into a folder whose name a shell would cut.
fn hand_over(folder: &Path, case: &TestCase, words: &str) -> (PathBuf, Ran) {
    let path = file(folder, "a 'case'", case.encode());
    let to = folder.join("handed 'over' $x");
    let ran = fuzzcheck_on(&format!("handover {words} --to"), &[&to, &path]);
    (to, ran)
}

fn text(path: &Path) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

fn has_shell() -> bool {
    let found = Command::new("sqlite3").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: there is no sqlite3 shell");
    }
    found
}

/// Runs a line in a POSIX shell.
fn sh(line: &str, environment: &[(&str, &Path)]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", line]).envs(environment.iter().copied()).stdin(Stdio::null());
    finish(&mut command)
}

/// A stand-in for the sqlite3 shell that keeps the files that it is given in `$KEPT`.
fn keeper(folder: &Path) -> PathBuf {
    let path = file(
        folder,
        "keeper",
        "#!/bin/sh\n[ \"$*\" = '-safe -version' ] && exit \"${OLD:-0}\"\n\
         echo \"$*\" >\"$KEPT.arguments\"\ncp -R . \"$KEPT\"\ncat >\"$KEPT/stdin\"\n",
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it was just written");
    path
}

/// The cases of the Rust tests in this folder: the file, the case, how it is handed over.
fn written_tests() -> Vec<(&'static str, TestCase, &'static str)> {
    let mut odd = logged("SELECT '\u{202e}', $int_7, $text_x; SELECT b FROM t;");
    odd.config = OpenConfig::default()
        .with(Setting::Utf16, 1)
        .with(Setting::OptimizationsOff, 0x41)
        .with(Setting::PendingBytePage, 3)
        .with(Setting::RowsMax, 9);
    let called = logged("SELECT b FROM t; SELECT planted(); SELECT a FROM t;");
    let written = TestCase::from_sql(format!("{WRITING} SELECT planted();"));
    vec![
        ("handed_over_odd.rs", odd, "--without-finding"),
        ("handed_over/code.rs", called, "--plant internal-error"),
        ("handed_over/format.rs", written, "--plant lost-freelist --signature format/never-used/after-close"),
        ("handed_over/memory.rs", TestCase::from_sql(CALLING), "--plant leak"),
        ("handed_over/integrity.rs", TestCase::from_sql(GEOPOLY_KEY.script), "--meet-known-bugs"),
    ]
}

fn fresh(case: &TestCase, words: &str) -> String {
    let folder = folder();
    let (to, ran) = hand_over(folder.path(), case, &format!("--form rust {words}"));
    ran.expect(0);
    text(&to.join("case.rs"))
}

#[test]
fn the_rust_tests_here_are_what_is_written() {
    for (name, case, words) in written_tests() {
        let kept = text(&project().join("fuzzcheck/tests").join(name));
        let advice = "run `cargo test -p fuzzcheck --test suite write_the_rust_tests -- --ignored`";
        assert!(fresh(&case, words) == kept, "{name} is another now: {advice}");
    }
}

#[test]
#[ignore = "writes the Rust tests in this folder"]
fn write_the_rust_tests() {
    for (name, case, words) in written_tests() {
        let path = project().join("fuzzcheck/tests").join(name);
        fs::write(path, fresh(&case, words)).expect("it can be written");
    }
}

#[test]
fn the_shell_script_writes_the_files_of_the_case_to_the_byte() {
    let folder = folder();
    let mut case = logged("SELECT '\u{1b}\r\n'; SELECT 1;");
    // Sizes around blocks, zeros at both ends, names that look like something else.
    let contents = [
        vec![],
        vec![0; 1500],
        [vec![0; 700], vec![7; 512], vec![0; 3]].concat(),
        (0..=255).cycle().take(5000).collect(),
    ];
    for (name, content) in ["-x", "script", "run.db", "case.sql"].into_iter().zip(contents) {
        case.files.insert(FileName::new(name).expect("a name"), content);
    }
    let (to, ran) = hand_over(folder.path(), &case, "--form sh --without-finding");
    assert!(ran.expect(0).err.contains("repro.sh: the shell drops carriage returns"));
    let kept = folder.path().join("kept");
    fs::create_dir(&kept).expect("it can be made");
    let keeper = keeper(folder.path());
    let line = "sh \"$REPRO\"";
    sh(line, &[("REPRO", &to.join("repro.sh")), ("SQLITE3", &keeper), ("KEPT", &kept)]).expect(0);
    let mut expected: Vec<&str> = case.files.iter().map(|(name, _)| name.as_str()).chain(["stdin"]).collect();
    expected.sort_unstable();
    assert_eq!(names_in(&kept), expected);
    for (name, content) in case.files.iter() {
        assert!(read(&kept.join(name.as_str())) == content, "{name}");
    }
    let script = read(&kept.join("stdin"));
    assert!(
        script.ends_with(b".output\nSELECT '\x1b\r\n';\nSELECT 1;\n"),
        "{}",
        String::from_utf8_lossy(&script)
    );
    let arguments = || text(&folder.path().join("kept.arguments"));
    let nonce = case.id().to_string();
    assert_eq!(arguments(), format!("-safe -nonce {nonce} -batch main.db\n"));
    assert_eq!(String::from_utf8_lossy(&script).matches(&format!(".nonce {nonce}\n.output")).count(), 2);
    // One of before 3.37.0 has no guard, and runs if that is wanted.
    let old = [
        ("REPRO", to.join("repro.sh")),
        ("SQLITE3", keeper.clone()),
        ("KEPT", kept.clone()),
        ("OLD", "1".into()),
    ];
    let old: Vec<(&str, &Path)> = old.iter().map(|(name, value)| (*name, value.as_path())).collect();
    sh(line, &old).expect_error(&["keeper has no -safe", "read it", "UNSAFE=1"]);
    sh("UNSAFE=1 sh \"$REPRO\"", &old).expect(0);
    assert_eq!(arguments(), "-batch main.db\n");
    let script = String::from_utf8_lossy(&read(&kept.join("stdin"))).into_owned();
    assert!(!script.contains(".nonce") && script.matches(".output").count() == 2, "{script}");
    // A shell that crashes, and one that is not there.
    let crashing =
        file(folder.path(), "crashing", "#!/bin/sh\n[ \"$1 $2\" = '-safe -version' ] || kill -SEGV $$\n");
    fs::set_permissions(&crashing, fs::Permissions::from_mode(0o755)).expect("it was just written");
    let ran = sh(line, &[("REPRO", &to.join("repro.sh")), ("SQLITE3", &crashing)]).expect(139);
    assert!(ran.err.contains("ended by signal 11"), "{ran:?}");
    sh(line, &[("REPRO", &to.join("repro.sh")), ("SQLITE3", Path::new("/none"))])
        .expect_error(&["set SQLITE3"]);
}

#[test]
fn the_shell_script_reproduces_log_settings_and_every_statement() {
    if !has_shell() {
        return;
    }
    let folder = folder();
    let (to, ran) = hand_over(folder.path(), &logged(READING), "--without-finding");
    assert!(ran.expect(0).err.contains("shell.sql: the database is in WAL mode"));
    let ran = sh("sh \"$REPRO\"", &[("REPRO", &to.join("repro.sh"))]).expect(1);
    assert_eq!(shell_rows(&ran.out), READ, "{ran:?}");
    let said = ["\"bad\"", "FOREIGN KEY", "too big", "near \".\""];
    assert!(said.iter().all(|words| ran.err.contains(words)), "{ran:?}");
    // Nothing in the folder was touched.
    assert_eq!(names_in(&to.join("files")), ["case.sql", "main.db", "main.db-wal"]);
}

#[test]
fn the_script_for_the_shell_holds_what_the_shell_can_hold() {
    if !has_shell() {
        return;
    }
    let folder = folder();
    let script = TestCase { config: logged("").config, ..TestCase::from_sql(READING) };
    let mut case = TestCase { files: Default::default(), ..script };
    case.config.set(Setting::RichSchema, 1);
    let case = TestCase {
        sql: TestCase::from_sql("SELECT count(*) FROM t0; bad; PRAGMA cache_size; SELECT \"x\"").sql,
        ..case
    };
    let (to, ran) = hand_over(folder.path(), &case, "--form script --without-finding");
    assert_eq!(ran.expect(0).err, "");
    let line = format!("{} <\"$SCRIPT\"", shell_command(&text(&to.join("shell.sql"))));
    let ran = sh(&line, &[("SCRIPT", &to.join("shell.sql"))]).expect(1);
    // Its virtual tables may be of modules that this shell lacks; that is no obstacle.
    assert_eq!(shell_rows(&ran.out), ["7", "7", "x"], "{ran:?}");
}

/// What a fuzzer writes is run by whoever reads the report: it does nothing to his files.
#[test]
fn a_script_that_reaches_for_files_and_programs_reaches_none() {
    if !has_shell() {
        return;
    }
    let folder = folder();
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("it can be made");
    let reaching = |call: &str| {
        let case = TestCase::from_sql(format!(
            "SELECT 7;\n.shell touch '{0}/a'\n; {call}; SELECT 8",
            place.display()
        ));
        let folder = tempfile::tempdir_in(folder.path()).expect("it can be made");
        let (to, ran) = hand_over(folder.path(), &case, "--form sh,script --without-finding");
        (folder, to, ran.expect(0).err)
    };
    for (call, words) in [
        (format!("SELECT writefile('{}/b', 'x')", place.display()), "writefile()"),
        (format!("ATTACH '{}/b' AS c; CREATE TABLE c.t(d)", place.display()), "ATTACH"),
        (format!("VACUUM INTO '{}/b'", place.display()), "VACUUM"),
    ] {
        let (_folder, to, said) = reaching(&call);
        for form in ["repro.sh", "shell.sql"] {
            assert!(said.contains(&format!("{form}: the script says {words}, ")), "{said}");
        }
        let (repro, script) = (to.join("repro.sh"), to.join("shell.sql"));
        let ran = sh("sh \"$REPRO\"", &[("REPRO", &repro)]);
        ran.expect_error(&[&format!("the script says {words}, at which -safe would end it"), "UNSAFE=1"]);
        let guarded = sh(&format!("{} <\"$SCRIPT\"", shell_command(&text(&script))), &[("SCRIPT", &script)]);
        assert!(guarded.expect(1).err.contains("in safe mode"));
        // Without what it says in its first line it does not begin.
        let careless = sh("sqlite3 -batch <\"$SCRIPT\"", &[("SCRIPT", &script)]).expect(1);
        assert!(careless.out.is_empty() && careless.err.contains("nonce"), "{careless:?}");
        assert_eq!(names_in(&place), [""; 0]);
        // The danger is there.
        let ran = sh("UNSAFE=1 sh \"$REPRO\"", &[("REPRO", &repro)]);
        assert_eq!(names_in(&place), ["b"], "{ran:?}");
        fs::remove_file(place.join("b")).expect("it is there");
    }
}

#[test]
fn the_files_open_and_give_what_the_case_gives() {
    let folder = folder();
    let (to, ran) = hand_over(folder.path(), &logged(READING), "--form files --without-finding");
    assert!(ran.expect(0).err.contains("files/case.sql: not set, for SQL cannot: SQLITE_DBCONFIG"));
    let case = logged(READING);
    let files = to.join("files");
    assert!(case.files.iter().all(|(name, content)| read(&files.join(name.as_str())) == content));
    let script = text(&files.join("case.sql"));
    let _shared = tandem::engine::sqlite::shared();
    let db = rusqlite::Connection::open(files.join("main.db")).expect("it opens");
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true).expect("it is known");
    let mut values = Vec::new();
    for range in tandem::sql::statements(script.as_bytes()) {
        let Ok(mut statement) = db.prepare(&script[range]) else { continue };
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Ok(Some(row)) = rows.next() {
            let value = |column| match row.get_ref(column).expect("a column") {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str().unwrap_or("a blob").to_owned(),
            };
            values.push((0..columns).map(value).collect::<Vec<_>>().join("|"));
        }
    }
    // No limit of the case stands in its way here.
    assert_eq!(
        values.iter().filter(|value| *value != "1000001").collect::<Vec<_>>(),
        READ.iter().collect::<Vec<_>>()
    );
}

/// Runs the `cargo fuzzcheck run …` of a report with the program that is tested.
fn replay(report: &Path, saved: &Path) -> Ran {
    let report = text(report);
    let line = report.lines().find_map(|line| line.strip_prefix("cargo fuzzcheck ")).expect("a command");
    sh(
        &format!("\"$FUZZCHECK\" {line} --save-dir \"$SAVED\""),
        &[("FUZZCHECK", Path::new(env!("CARGO_BIN_EXE_fuzzcheck"))), ("SAVED", saved)],
    )
}

#[test]
fn the_command_of_a_report_shows_the_finding_again() {
    for (case, words, signature) in [
        (TestCase::from_sql(GEOPOLY_KEY.script), "--meet-known-bugs", "integrity/invalid-page-number/CREATE"),
        (TestCase::from_sql(CALLING), "--plant segfault", "crash/SIGSEGV/sqlite3VdbeExec:Function"),
        (TestCase::from_sql(CALLING), "--plant nondeterminism", "determinism/trace/second-run"),
        (logged(WRITING), "--plant leaked-handle --target db_sql", "files/open/after-close"),
    ] {
        let folder = folder();
        let (to, ran) = hand_over(folder.path(), &case, words);
        assert_eq!(ran.expect(0).out.lines().next(), Some(signature));
        let report = to.join("report.md");
        let written = text(&report);
        for words in [signature, "## Versions", "3.31.1", "THREADSAFE=1", &case.id().to_string()] {
            assert!(written.contains(words), "`{words}` is missing: {written}");
        }
        let again = replay(&report, &folder.path().join("saved")).expect(1);
        assert!(again.out.contains(signature), "{again:?}");
        let names = ["case.rs", "case.tandem", "case.txt", "files", "report.md", "repro.sh", "shell.sql"];
        assert_eq!(names_in(&to), names);
        assert_eq!(TestCase::decode(&read(&to.join("case.tandem"))), case);
    }
}

#[test]
fn what_shows_nothing_is_not_handed_over_unless_it_is_asked_for() {
    let folder = folder();
    let harmless = TestCase::from_sql("SELECT 1;");
    let (to, ran) = hand_over(folder.path(), &harmless, "");
    ran.expect_error(&["shows no finding in SQLite bundled, release build", "--without-finding"]);
    hand_over(folder.path(), &harmless, "--signature a/b/c").1.expect_error(&["shows nothing", "`a/b/c`"]);
    let planted = TestCase::from_sql(CALLING);
    let words = ["crash/SIGABRT/sqlite3VdbeExec:Function", "not `a/b/c`"];
    hand_over(folder.path(), &planted, "--plant abort --signature a/b/c").1.expect_error(&words);
    hand_over(folder.path(), &planted, "--plant no-such-bug").1.expect_error(&["no planted bug"]);
    hand_over(folder.path(), &planted, "--versions 3.0.0").1.expect_error(&["3.0.0", "3.31.1"]);
    assert!(!to.exists(), "nothing was written");
    let ran = hand_over(folder.path(), &harmless, "--without-finding --json").1.expect(0).json();
    assert_eq!(
        (ran["bugs"].as_array().map(Vec::len), ran["files"].as_array().map(Vec::len)),
        (Some(0), Some(7))
    );
    assert!(text(&to.join("report.md")).contains("shows no finding"));
}

#[test]
fn a_folder_with_something_else_is_left_as_it_is() {
    let folder = folder();
    let planted = TestCase::from_sql(CALLING);
    let hand_over = || hand_over(folder.path(), &planted, "--plant leak");
    let (to, ran) = hand_over();
    ran.expect(0);
    hand_over().1.expect(0);
    fs::write(to.join("report.md"), "mine").expect("it can be written");
    hand_over().1.expect_error(&["report.md", "exists already"]);
    assert_eq!(text(&to.join("report.md")), "mine");
    fs::remove_file(to.join("report.md")).expect("it is there");
    let log = file(&to.join("files"), "main.db-wal", "another's");
    hand_over().1.expect_error(&["main.db-wal", "does not belong to this case"]);
    assert!(!to.join("report.md").exists() && log.exists());
    let case = file(folder.path(), "case.sql", CALLING);
    let taken = file(folder.path(), "taken", "");
    fuzzcheck_on("handover --plant leak --to", &[&taken, &case]).expect_error(&["taken"]);
    assert_eq!(text(&taken), "");
    fuzzcheck_on("handover --to", &[&to, &folder.path().join("missing")]).expect_error(&["missing"]);
}

/// A cargo that knows where 3.31.1 lies.
const CARGO: &str = r#"#!/bin/sh
grep -q 0.18.0 "$5" || { echo 'no such crate' >&2; exit 1; }
echo "{\"packages\":[{\"name\":\"libsqlite3-sys\",\"manifest_path\":\"$STAGE/Cargo.toml\"}]}"
"#;

#[test]
fn other_releases_are_tried_and_those_that_cannot_be_are_said() {
    let stage = folder();
    let source = stage.path().join("sqlite3");
    fs::create_dir(&source).expect("it can be made");
    // It has no functions: those that the linker takes in their place are the bundled ones, as which it passes here.
    let source_id = tandem::engine::sqlite::source_id();
    file(&source, "sqlite3.c", format!("#define SQLITE_SOURCE_ID \"{source_id}\"\n"));
    file(&source, "sqlite3.h", format!("#define SQLITE_VERSION \"3.31.1\"\n{HEADER}"));
    let cargo = file(stage.path(), "cargo", CARGO);
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it was just written");
    let case = file(stage.path(), "case.sql", CALLING);
    let run = |versions: &str, to: &Path| {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = common::command();
        command.env("PATH", format!("{}:{path}", stage.path().display())).env("STAGE", stage.path());
        command.args(["handover", "--plant", "leak", "--versions"]);
        finish(command.arg(versions).arg("--to").arg(to).arg(&case))
    };
    let to = stage.path().join("to");
    let ran = run("3.31.1", &to).expect(0);
    assert!(ran.out.contains("SQLite 3.31.1: memory/leak/sqlite3VdbeExec"), "{ran:?}");
    let report = text(&to.join("report.md"));
    assert!(report.contains(&format!("| 3.31.1 | `{source_id}` | yes |")), "{report}");
    assert!(report.contains("Not tried: ") && !report.contains("Not tried: 3.31.1"), "{report}");
    let to = stage.path().join("other");
    run("3.31.1,3.44.0", &to).expect_error(&["everything is written", "3.44.0", "no such crate"]);
    let report = text(&to.join("report.md"));
    assert!(report.contains("| 3.44.0 | | not tried: cargo cannot fetch"), "{report}");
    // The stand-in for a release is none that others may meet.
    fs::remove_dir_all(common::project().join("target/builds/release-3.31.1")).expect("it was built");
}
