//! Ctrl-C and worse.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::{
    Ran, command, corpus_copy, file, finish, folder, fuzzcheck_on, kill_behind, list, names_in, press, read,
    wait_until, with_valgrind,
};
use tandem::TestCase;
use tandem::corpus::fuzzdata;

/// Starts the program in a process group of its own, as a shell does.
fn start(words: &str, paths: &[&Path]) -> Child {
    let mut command = command();
    command.args(words.split(' ')).args(paths).process_group(0);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// True if a process has a child.
fn has_child(parent: u32) -> bool {
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let mut stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.any(|stat| {
        let parent_of =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        parent_of == Some(parent)
    })
}

/// Interrupts it once a worker is there.
fn interrupt(child: Child) -> Ran {
    let id = child.id();
    let child = wait_until(child, "a worker is there", || has_child(id));
    press(&child);
    child.wait_with_output().expect("it ends").into()
}

fn many_scripts(folder: &Path, count: usize) -> std::path::PathBuf {
    let path = folder.join("many.db");
    let scripts: Vec<TestCase> =
        (0..count).map(|i| TestCase::from_sql(format!("SELECT {i}, '{}';", "x".repeat(200)))).collect();
    fuzzdata::write(&path, &scripts).expect("it can be written");
    path
}

#[test]
fn ctrl_c_ends_a_run_without_taking_its_workers_for_crashed() {
    let folder = folder();
    // It does not come to its end: one of the cases hangs.
    many_scripts(folder.path(), 4_000);
    file(folder.path(), "hang.sql", "SELECT planted();");
    let child = start("run --jobs 2 --plant hang --timeout-ms 60000", &[folder.path()]);
    let ran = interrupt(child).expect_error(&["interrupted"]);
    assert!(ran.err.trim_end().lines().last().is_some_and(|line| line.contains("interrupted")), "{ran:?}");
    assert!(!ran.out.contains("crash/") && !ran.out.contains("hang/"), "{ran:?}");
    if !ran.out.is_empty() {
        let (errors, cases) = ran.summary();
        assert!(errors == 0 && cases <= 4_000, "{ran:?}");
    }
}

/// The case would hang for a minute and then be a finding: that the run ends without one shows that it
/// was not waited for.
#[test]
fn ctrl_c_does_not_wait_for_a_case_that_hangs() {
    let folder = folder();
    let case = file(folder.path(), "hang.sql", "SELECT planted();");
    let save = folder.path().join("saved");
    let child = start("run --jobs 1 --plant hang --timeout-ms 60000 --save-dir", &[&save, &case]);
    let ran = interrupt(child).expect_error(&["interrupted"]);
    assert!(!ran.out.contains("hang/") && !save.exists(), "{ran:?}");
}

#[test]
fn sigkill_in_the_middle_of_an_import_loses_nothing() {
    let folder = folder();
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("it can be made");
    let corpus = corpus_copy(&place, "sql");
    let (before, cases) = (read(&corpus), list(&[&corpus]).len());
    let many = many_scripts(folder.path(), 4_000);
    // As soon as something is written, and a little later each time.
    for round in 0..6 {
        let child = start("corpus import --into", &[&corpus, &many]);
        let behind = Duration::from_millis(round * 10);
        kill_behind(child, behind, "it writes", || names_in(&place).len() >= 2);
        let now = list(&[&corpus]).len();
        assert!(now == cases || now == cases + 4_000, "{now} cases");
        assert!(now != cases || read(&corpus) == before);
        // What it left behind is no case, no obstacle, and goes here so that the next round sees its own.
        assert_eq!(list(&[&place]).len(), now);
        for name in names_in(&place).iter().filter(|name| *name != "sql.db") {
            assert!(name.starts_with('.'), "{name}");
            fs::remove_file(place.join(name)).expect("it is there");
        }
        fs::write(&corpus, &before).expect("it can be written");
    }
    fuzzcheck_on("corpus import --into", &[&corpus, &many]).expect(0);
    assert_eq!((list(&[&corpus]).len(), names_in(&place).len()), (cases + 4_000, 1));
}

/// When something smaller is there, the next worker does not begin before the signal has come, so that much is left.
#[test]
fn ctrl_c_in_minimize_keeps_the_best_case() {
    let folder = folder();
    let script = "CREATE TABLE a(b); INSERT INTO a VALUES(1), (2); SELECT 1; SELECT 2; SELECT 3;
        SELECT b, planted() FROM a LEFT JOIN (SELECT 1 AS c) ON b = c WHERE b > 0 ORDER BY b; SELECT 4;";
    let case = file(folder.path(), "case.sql", script);
    let whole = TestCase::from_sql(script).encode().len();
    let to = folder.path().join("smaller");
    let waits = format!(
        "[ -e \"$STAGE/smaller\" ] && [ $(wc -c <\"$STAGE/smaller\") -lt {whole} ] && {{\n\
         : >\"$STAGE/waits\"; waits [ -e \"$STAGE/go\" ]; }}\nexec \"$@\""
    );
    let mut command = with_valgrind(folder.path(), &waits);
    command.args("minimize --build valgrind --jobs 1 --plant segfault --to".split(' ')).arg(&to).arg(&case);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let child = wait_until(child, "a worker waits", || folder.path().join("waits").exists());
    press(&child);
    file(folder.path(), "go", "");
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    let ran = ran.expect_error(&["interrupted", "the best case so far is", "smaller"]);
    let best = TestCase::decode_strict(&read(&to)).expect("it is whole");
    assert!(best.sql.as_bytes().len() < script.len(), "{ran:?}");
    // The same command goes on, and ends.
    let again = finish(&mut command).expect(0);
    assert!(again.out.contains("crash/SIGSEGV/sqlite3VdbeExec:Function"), "{again:?}");
}
