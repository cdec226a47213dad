//! What is wrong with an input is said with its name, ends with exit code 2, and loses nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common;
use crate::common::{
    command, corpus_copy, file, finish, folder, fuzzcheck, fuzzcheck_on, list, names_in, project, read,
};
use tandem::TestCase;
use tandem::corpus::fuzzdata;
use tandem::targets::TARGETS;

fn corpus() -> PathBuf {
    project().join("corpus")
}

/// Files that are no cases: what to say of each beside its name.
fn bad_files(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let case = common::case_with_image("CREATE TABLE t(a);", "SELECT * FROM t;").encode();
    let corpus = read(&corpus().join("db_sql.db"));
    let mut overwritten = corpus.clone();
    let middle = corpus.len() / 2;
    overwritten[middle..middle + 3000].fill(0xa5);
    let sparse = folder.join("sparse.sql");
    File::create(&sparse).and_then(|file| file.set_len(200 << 20)).expect("sparse files are cheap");
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    vec![
        (folder.join("missing.sql"), "No such file"),
        (folder.join("missing.db"), "No such file"),
        (file(folder, "empty.sql", ""), "empty"),
        (file(folder, "empty.db", ""), "not a SQLite database"),
        (file(folder, "text.db", "SELECT 1;"), "not a SQLite database"),
        (sparse, "209715200 bytes"),
        (file(folder, "cut.bin", &case[..case.len() - 9]), "truncated"),
        (file(folder, "version.bin", b"\x89TDM\x63"), "version 99"),
        (file(folder, "half.db", &corpus[..corpus.len() / 2]), "malformed"),
        (file(folder, "page.db", &corpus[..1500]), "malformed"),
        (file(folder, "overwritten.db", overwritten), "malformed"),
        (pipe, "neither a regular file nor a folder"),
        (PathBuf::from("/dev/zero"), "neither a regular file nor a folder"),
    ]
}

#[test]
fn what_is_no_case_is_named_by_every_subcommand() {
    let folder = folder();
    let out = folder.path().join("out");
    let into = folder.path().join("into.db");
    for (path, what) in bad_files(folder.path()) {
        let before = path.is_file().then(|| read(&path));
        let words = [path.to_str().expect("UTF-8"), what];
        fuzzcheck_on("run", &[&path]).expect_error(&words);
        fuzzcheck_on("corpus list", &[&path]).expect_error(&words);
        fuzzcheck_on("corpus export --dir", &[&out, &path]).expect_error(&words);
        fuzzcheck_on("corpus import --into", &[&into, &path]).expect_error(&words);
        assert!(!out.exists() && !into.exists(), "{}", path.display());
        assert_eq!(path.is_file().then(|| read(&path)), before);
    }
}

#[test]
fn in_a_folder_it_is_left_out_and_told_and_the_rest_is_done() {
    let folder = folder();
    let bad: Vec<(PathBuf, &str)> =
        bad_files(folder.path()).into_iter().filter(|(path, _)| path.starts_with(folder.path())).collect();
    let bad: Vec<&(PathBuf, &str)> = bad.iter().filter(|(path, _)| !path.ends_with("missing.sql")).collect();
    let bad = bad.iter().filter(|(path, _)| !path.ends_with("missing.db"));
    // A link that leads round in a circle, which is left out as well.
    std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).expect("links can be made");
    file(folder.path(), "good.sql", "SELECT 1;");
    let elsewhere = common::folder();
    let (out, into) = (elsewhere.path().join("out"), elsewhere.path().join("into.db"));
    let words: Vec<String> =
        bad.map(|(path, _)| path.display().to_string()).chain(["circle".into()]).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = fuzzcheck_on("run", &[folder.path()]).expect_error(&words);
    assert_eq!(ran.summary(), (0, 1));
    fuzzcheck_on("corpus list", &[folder.path()]).expect_error(&words);
    fuzzcheck_on("corpus export --target sql --dir", &[&out, folder.path()]).expect_error(&words);
    assert_eq!(names_in(&out), [TestCase::from_sql("SELECT 1;").id().to_string()]);
    fuzzcheck_on("corpus import --into", &[&into, folder.path()]).expect_error(&words);
    assert_eq!(list(&[&into]).len(), 1);
    fuzzcheck_on("show 00 --corpus", &[folder.path()]).expect_error(&words);
}

#[test]
fn what_a_fuzzer_kept_is_run_as_its_target_runs_it() {
    let folder = folder();
    let kept = folder.path().join("db_sql");
    fs::create_dir(&kept).expect("it can be made");
    let case = common::case_with_image("CREATE TABLE t(a);", "SELECT * FROM t;").encode();
    let cut = file(&kept, "cut", &case[..case.len() - 9]);
    for path in [&kept, &cut] {
        assert_eq!(fuzzcheck_on("run", &[path]).expect(0).summary(), (0, 1));
    }
    let elsewhere = file(folder.path(), "cut", read(&cut));
    assert_eq!(fuzzcheck_on("run --target sql", &[&elsewhere]).expect(0).summary(), (0, 1));
    fuzzcheck_on("run", &[&elsewhere]).expect_error(&["cut: ", "truncated", "named after a target"]);
    // An empty file is none of a fuzzer's.
    let empty = file(&kept, "empty", "");
    fuzzcheck_on("run --target sql", &[&empty]).expect_error(&["empty"]);
}

#[test]
fn nothing_to_run_is_an_error_that_says_where_it_looked() {
    let folder = folder();
    let place = folder.path().to_str().expect("UTF-8");
    fuzzcheck_on("run", &[folder.path()]).expect_error(&[place, "no case"]);
    fuzzcheck_on("corpus import", &[folder.path()]).expect_error(&[place, "no case"]);
    fuzzcheck_on("corpus export --dir", &[&folder.path().join("out"), folder.path()])
        .expect_error(&[place, "no case"]);
    fuzzcheck_on("run --case nosuchid", &[&corpus()]).expect_error(&["nosuchid", "no case"]);
    fuzzcheck_on("run --skip 100000", &[&corpus()]).expect_error(&["--skip 100000", "no case"]);
    fuzzcheck_on("run --json --skip 100000", &[&corpus()]).expect_error(&["no case"]);
    fuzzcheck(["show", "nosuchid"]).expect_error(&["nosuchid"]);
    fuzzcheck_on("corpus export --case nosuchid --dir", &[&folder.path().join("out")])
        .expect_error(&["--case"]);
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn wrong_arguments_are_told() {
    let every: Vec<&str> = TARGETS.iter().map(|target| target.name).chain(["nope"]).collect();
    for words in ["run --target nope", "corpus export --target nope --dir x", "corpus import --target nope x"]
    {
        fuzzcheck_on(words, &[]).expect_error(&every);
    }
    fuzzcheck(["run", "--plant", "nope"]).expect_error(&["nope", "abort", "hang"]);
    let wrong = [
        "--bogus",
        "run --bogus",
        "run --jobs 0",
        "run --timeout-ms 0",
        "corpus export x",
        "corpus import",
        "show",
    ];
    for words in wrong {
        fuzzcheck_on(words, &[]).expect_error(&["--help"]);
    }
    // What is no verb is no path either.
    fuzzcheck(["minimise"]).expect_error(&["'minimise'", "'minimize'", "--help"]);
    fuzzcheck(["corpus"]).expect_error(&["merge", "Usage: fuzzcheck corpus"]);
    fuzzcheck(["run", "--worker-memory-mib", "1"]).expect_error(&["the worker ends before its first case"]);
}

/// On its own: `fuzz` is its own world.
#[test]
fn fuzz_names_the_targets_where_there_is_none_of_that_name() {
    let every: Vec<&str> = TARGETS.iter().map(|target| target.name).chain(["nope"]).collect();
    fuzzcheck(["fuzz", "nope", "--no-install"]).expect_error(&every);
}

#[test]
fn a_damaged_corpus_is_not_written_to() {
    let folder = folder();
    let case = file(folder.path(), "new.sql", "SELECT 'new';");
    let whole = read(&corpus_copy(folder.path(), "db_sql"));
    let mut half = whole.clone();
    half.truncate(whole.len() / 2);
    let mut overwritten = whole.clone();
    overwritten[whole.len() / 2..][..2000].fill(0);
    for damaged in [half, overwritten] {
        let path = file(folder.path(), "db_sql.db", &damaged);
        let words = [path.to_str().expect("UTF-8"), "git restore"];
        fuzzcheck_on("corpus import --into", &[&path, &case]).expect_error(&words);
        fuzzcheck_on("corpus seed --into", &[folder.path()]).expect_error(&words);
        assert!(read(&path) == damaged, "the file was changed");
        fs::remove_file(folder.path().join("db_file.db")).ok();
        assert_eq!(names_in(folder.path()), ["db_sql.db", "new.sql"]);
    }
}

/// Whatever happens to some bytes: an import refuses, or it keeps every case that was there.
#[test]
fn no_damage_makes_an_import_lose_cases() {
    let folder = folder();
    let case = file(folder.path(), "new.sql", "SELECT 'new';");
    let whole = read(&corpus_copy(folder.path(), "sql"));
    let cases = list(&[&folder.path().join("sql.db")]).len();
    for at in (0..whole.len() - 8).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        // From the start of a page on, where its count of cells lies, and anywhere else.
        let at = if at % 2 == 0 { at / 1024 * 1024 + 3 } else { at };
        damaged[at..at + 2].fill(0);
        let path = file(folder.path(), "sql.db", &damaged);
        let ran = fuzzcheck_on("corpus import --into", &[&path, &case]);
        if ran.code == Some(0) {
            assert_eq!(list(&[&path]).len(), cases + 1, "byte {at}");
        } else {
            ran.expect_error(&[path.to_str().expect("UTF-8")]);
            assert!(read(&path) == damaged, "byte {at}: the file was changed");
        }
    }
}

/// Paths at which nobody can write, not even root.
fn unwritable(folder: &Path) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/proc/nosuch"), file(folder, "a-file", "")];
    if !rustix::process::getuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        let locked = folder.join("locked");
        fs::create_dir(&locked).expect("it can be made");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("it is ours");
        places.push(locked);
    }
    places
}

#[test]
fn where_nothing_can_be_written_the_place_is_named() {
    let folder = folder();
    let case = file(folder.path(), "case.sql", "SELECT planted();");
    for place in unwritable(folder.path()) {
        let words = [place.to_str().expect("UTF-8")];
        let (inner, database) = (place.join("x"), place.join("x.db"));
        fuzzcheck_on("corpus import --into", &[&database, &case]).expect_error(&words);
        fuzzcheck_on("corpus export --dir", &[&inner, &case]).expect_error(&words);
        fuzzcheck_on("corpus export --file", &[&inner, &case]).expect_error(&words);
        fuzzcheck_on("corpus export --fuzzdata", &[&database, &case]).expect_error(&words);
        fuzzcheck_on("corpus seed --into", &[&inner]).expect_error(&words);
        // The finding is told all the same.
        let ran =
            fuzzcheck_on("run --plant internal-error --save-dir", &[&inner, &case]).expect_error(&words);
        assert_eq!(ran.summary(), (1, 1));
        assert!(ran.out.starts_with("code/SQLITE_INTERNAL/SELECT\n"), "{ran:?}");
    }
}

#[test]
fn a_full_standard_output_is_an_error_and_no_panic() {
    let folder = folder();
    let (out, into) = (folder.path().join("out"), folder.path().join("into.db"));
    let case = file(folder.path(), "case.sql", "SELECT 1;");
    let calls: [(&str, Vec<&Path>); 8] = [
        ("run", vec![&case]),
        ("run --json", vec![&case]),
        ("corpus list", vec![&case]),
        ("corpus list --json", vec![&case]),
        ("show", vec![&case]),
        ("corpus export --dir", vec![&out, &case]),
        ("corpus import --into", vec![&into, &case]),
        ("corpus seed --into", vec![&out]),
    ];
    for (words, paths) in calls {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut command = command();
        let ran = command.args(words.split(' ')).args(paths).stdout(full).stderr(Stdio::piped());
        let ran = ran.spawn().and_then(|child| child.wait_with_output()).expect("it starts");
        common::Ran::from(ran).expect_error(&["standard output", "No space left"]);
    }
}

#[test]
fn devices_and_corpora_are_not_replaced() {
    let folder = folder();
    let case = file(folder.path(), "case.sql", "SELECT 1;");
    // A pipe stands for /dev/null and the like, which a test had better not lose.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    let words = [pipe.to_str().expect("UTF-8"), "not a regular file"];
    fuzzcheck_on("corpus import --into", &[&pipe, &case]).expect_error(&words);
    fuzzcheck_on("corpus export --fuzzdata", &[&pipe, &case]).expect_error(&words);
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || read(&pipe)
    });
    fuzzcheck_on("corpus export --file", &[&pipe, &case]).expect(0);
    assert_eq!(reader.join().expect("it ends"), TestCase::from_sql("SELECT 1;").encode());
    assert!(!pipe.is_file());

    let corpus = corpus_copy(folder.path(), "sql");
    let before = read(&corpus);
    let words = [corpus.to_str().expect("UTF-8"), "refusing to overwrite"];
    fuzzcheck_on("corpus export --file", &[&corpus, &case]).expect_error(&words);
    fuzzcheck_on("corpus export --fuzzdata", &[&corpus, &case]).expect_error(&words);
    assert!(read(&corpus) == before, "the corpus was changed");
}

/// Runs the program where a file may have so few bytes that none of the files below fits.
fn on_a_full_disk(words: &str, paths: &[&Path]) -> common::Ran {
    let script = "ulimit -f 4 && trap '' XFSZ && exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_fuzzcheck")]);
    finish(command.args(words.split(' ')).args(paths))
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = folder();
    let long = file(folder.path(), "long.sql", format!("SELECT planted(), '{}';", "x".repeat(20_000)));
    let names = ["db_sql.db", "old.bin", "old-fuzzdata.db"];
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("it can be made");
    let corpus = corpus_copy(&place, "db_sql");
    let old = file(&place, names[1], "old");
    let data = place.join(names[2]);
    fuzzdata::write(&data, [&TestCase::from_sql("SELECT 1")]).expect("it can be written");
    let before: Vec<Vec<u8>> = [&corpus, &old, &data].map(|path| read(path)).into();
    let calls: [(&str, Vec<&Path>); 6] = [
        ("corpus import --into", vec![&corpus, &long]),
        ("corpus export --file", vec![&old, &long]),
        ("corpus export --fuzzdata", vec![&data, &long]),
        ("corpus export --target sql --dir", vec![&place, &long]),
        ("corpus seed --into", vec![&place]),
        ("run --plant internal-error --save-dir", vec![&place, &long]),
    ];
    for (words, paths) in calls {
        on_a_full_disk(words, &paths).expect_error(&[place.to_str().expect("UTF-8")]);
        let after: Vec<Vec<u8>> = [&corpus, &old, &data].map(|path| read(path)).into();
        assert!(after == before, "{words}: something was changed");
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(names_in(&place), expected, "{words}");
    }
}
