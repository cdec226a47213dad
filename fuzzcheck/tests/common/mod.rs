//! What the tests of the program share.

pub mod campaign;
pub mod counting;
pub mod stage;

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tandem::TestCase;
use tandem::corpus::Corpus;
use tandem::engine::sqlite::{Executor, Moment};
use tandem::testcase::OpenConfig;
use tempfile::TempDir;

/// A rustc that knows its version, and "links" programs that do nothing.
pub const RUSTC: &str = "for word; do [ \"$last\" = -o ] && printf '#!/bin/sh\\n' >\"$word\" && chmod +x \"$word\"; last=$word; done\n\
    echo 'release: 1.95.0'; echo 'host: x86_64-unknown-linux-gnu'";
/// A compiler that makes of anything a program that does nothing.
pub const COMPILER: &str = "for word; do [ \"$last\" = -o ] && printf '#!/bin/sh\\n' >\"$word\" && chmod +x \"$word\"; last=$word; done";

/// What `.cargo/absent.c` needs of a sqlite3.h.
pub const HEADER: &str = "typedef long long sqlite3_int64; typedef struct sqlite3 sqlite3; typedef struct sqlite3_stmt sqlite3_stmt;\n\
    typedef struct sqlite3_value sqlite3_value; typedef struct sqlite3_index_info sqlite3_index_info;\n\
    #define SQLITE_MISUSE 21\n#define SQLITE_NOTFOUND 12\n#define SQLITE_OK 0\n#define SQLITE_UTF8 1\nint sqlite3_changes(sqlite3*); int sqlite3_total_changes(sqlite3*);\n\
    void sqlite3_free(void*);\n";

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Asserts the exit code; shows all if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts a usage or harness error: exit code 2, all of `words` on standard error, no panic.
    #[track_caller]
    pub fn expect_error(self, words: &[&str]) -> Self {
        let ran = self.expect(2);
        let missing = words.iter().find(|word| !ran.err.contains(**word));
        assert!(missing.is_none(), "`{}` is missing: {ran:#?}", missing.unwrap());
        assert!(!ran.err.contains("panicked"), "{ran:#?}");
        ran
    }

    /// Errors and cases of the last line of standard output, which scripts read.
    #[track_caller]
    pub fn summary(&self) -> (u64, u64) {
        let last = self.out.lines().last().unwrap_or_default();
        let number = |text: &str| text.parse::<u64>().ok();
        let parsed = (|| {
            let (errors, rest) = last.strip_prefix("fuzzcheck: ")?.split_once(" errors out of ")?;
            let (cases, seconds) = rest.split_once(" cases in ")?;
            let (whole, part) = seconds.strip_suffix(" seconds")?.split_once('.')?;
            let has_seconds = number(whole).is_some() && number(part).is_some();
            has_seconds.then_some((number(errors)?, number(cases)?))
        })();
        parsed.unwrap_or_else(|| panic!("the last line is no summary: {self:#?}"))
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// What stands behind `label` in the first line of standard output that begins with it.
    #[track_caller]
    pub fn after(&self, label: &str) -> &str {
        let found = self.out.lines().find_map(|line| line.trim_start().strip_prefix(label));
        found.unwrap_or_else(|| panic!("no `{label}`: {self:#?}")).trim()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The program, without what the environment may ask of it.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuzzcheck"));
    command.env_remove("TEST_FAILURE").env("TESTS", std::process::id().to_string());
    command
}

/// How a stand-in begins: `waits COMMAND...` until that succeeds, `while here` goes on for as long as its test does.
/// What began it may be killed in a test that is about what becomes of it then, so it does not look at that.
const BEGIN: &str = "#!/bin/sh\n\
    here() { [ -d \"$STAGE\" ] && kill -0 \"$TESTS\" 2>/dev/null; }\n\
    waits() { until \"$@\"; do here || exit 1; sleep 0.05; done; }\n";

/// A stand-in for a program, written for `sh`; `$STAGE` is the folder of its test.
pub fn stand_in(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = file(folder, name, format!("{BEGIN}{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

/// The program where valgrind is a script that runs what it is given as `"$@"`; `$STAGE` is the folder.
pub fn with_valgrind(folder: &Path, script: &str) -> Command {
    let without_flags = "while case \"$1\" in -*) true;; *) false;; esac; do shift; done; [ $# = 0 ] && exit";
    fs::create_dir(folder.join("bin")).expect("it can be made");
    stand_in(&folder.join("bin"), "valgrind", &format!("{without_flags}\n{script}"));
    let mut command = command();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.join("bin").display())).env("STAGE", folder);
    command
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    command.output().expect("the program can be started").into()
}

/// Runs the program.
pub fn fuzzcheck<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Ran {
    finish(command().args(args))
}

/// Runs the program with words and, behind them, paths.
pub fn fuzzcheck_on(words: &str, paths: &[&Path]) -> Ran {
    finish(command().args(words.split_whitespace()).args(paths))
}

/// How long something may take that comes within a second on an idle machine. That it comes is tested, not how soon.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is looked whether it has come.
const TURN: Duration = Duration::from_millis(1);

/// Waits until a process has done something; fails with what it printed if it ends, or does nothing, without that.
#[track_caller]
pub fn wait_until(mut child: Child, what: &str, is_done: impl FnMut() -> bool) -> Child {
    if let Some(status) = wait(&mut child, what, is_done) {
        let (out, err) = (so_far(child.stdout.take()), so_far(child.stderr.take()));
        panic!("{what}: it ended before, {status}: {out}\n{err}");
    }
    child
}

/// Kills a process some time after it has begun with something, wherever it is then; it may be through with all.
#[track_caller]
pub fn kill_behind(mut child: Child, behind: Duration, what: &str, has_begun: impl FnMut() -> bool) {
    match wait(&mut child, what, has_begun) {
        None => sleep(behind),
        Some(status) if status.success() => {}
        Some(_) => panic!("{what}: {:#?}", Ran::from(child.wait_with_output().expect("it is ours"))),
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}

/// Waits until something is done, or the process has ended without that: then how.
#[track_caller]
fn wait(child: &mut Child, what: &str, mut is_done: impl FnMut() -> bool) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        // Asked first: what it did last counts.
        let ended = child.try_wait().expect("it is ours");
        if is_done() {
            return None;
        }
        if ended.is_some() {
            return ended;
        }
        if began.elapsed() > PATIENCE {
            child.kill().ok();
            panic!("{what}: not yet: {}\n{}", so_far(child.stdout.take()), so_far(child.stderr.take()));
        }
        sleep(TURN);
    }
}

/// Waits for what is sure to come.
#[track_caller]
pub fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < PATIENCE, "{what}: not yet");
        sleep(TURN);
    }
}

/// What a process has printed; what it began may still hold the pipe.
fn so_far(pipe: Option<impl Read + AsFd>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        rustix::fs::fcntl_setfl(&pipe, rustix::fs::OFlags::NONBLOCK).expect("it is a pipe");
        pipe.read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends what a terminal sends for Ctrl-C.
pub fn press(child: &Child) {
    let group = Pid::from_child(child);
    kill_process_group(group, Signal::INT).expect("it is ours");
    // As `timeout` does, which sends it to the process and to its group: that is one Ctrl-C.
    sleep(TURN);
    kill_process(group, Signal::INT).ok();
}

/// Runs a command that the kernel kills, as SIGKILL would, when it has written so many KiB to one file.
#[track_caller]
pub fn killed_at_kib(kib: u64, command: &Command) {
    let mut shell = Command::new("sh");
    // Blocks of 512 bytes; and no core.
    shell.arg("-c").arg(format!("ulimit -c 0; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kib));
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.output().expect("there is a shell");
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(Signal::XFSZ.as_raw()), "{:#?}", Ran::from(output));
}

/// The working copy.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the working copy exists")
}

/// An empty folder that goes when it is dropped.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// A file with this content.
pub fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a temporary file can be written");
    path
}

/// A copy of a shipped corpus database.
pub fn corpus_copy(folder: &Path, target: &str) -> PathBuf {
    let name = format!("{target}.db");
    file(folder, &name, read(&project().join("corpus").join(&name)))
}

/// A part of a shipped corpus database: what holds of a case is seen with fewer of them.
pub fn some_of_corpus(folder: &Path, target: &str) -> PathBuf {
    let name = format!("{target}.db");
    let mut corpus = Corpus::load(&project().join("corpus").join(&name)).expect("it is a corpus");
    let mut count = 0;
    corpus.retain(|_| {
        count += 1;
        count % 10 == 1
    });
    let path = folder.join(name);
    corpus.save(&path).expect("it can be written");
    path
}

/// The content of a file.
#[track_caller]
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a folder, sorted, hidden ones included: to see that no temporary file is left.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder exists");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("it can be read").file_name();
    let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The cases that `corpus list` shows.
#[track_caller]
pub fn list(paths: &[&Path]) -> Vec<serde_json::Value> {
    let rows = fuzzcheck_on("corpus list --json", paths).expect(0).json();
    rows.as_array().expect("a list of cases").clone()
}

/// The database that a script leaves.
pub fn image(setup: &str) -> Vec<u8> {
    let files = Executor::shared().files_after(&OpenConfig::default(), setup, Moment::Closed);
    files.expect("the script runs").main().expect("the script makes a database").to_vec()
}

/// A case with a database and a script.
pub fn case_with_image(setup: &str, script: &str) -> TestCase {
    let sql = TestCase::from_sql(script).sql;
    TestCase { sql, ..TestCase::from_database(image(setup)) }
}

/// Bytes as a literal of SQL.
pub fn blob(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}

/// How a script for the sqlite3 shell says that it is run.
#[track_caller]
pub fn shell_command(script: &str) -> &str {
    let line =
        script.lines().next().and_then(|line| line.split_once("; run: ")?.1.strip_suffix(" < this file"));
    line.unwrap_or_else(|| panic!("it does not say how it is run: {script}"))
}

/// The lines that the sqlite3 shell printed, without the limits that it says it has set.
pub fn shell_rows(out: &str) -> Vec<&str> {
    let limits = ["length", "sql_length", "expr_depth", "vdbe_op", "like_pattern_length"];
    let is_row = |line: &&str| !limits.iter().any(|name| line.trim().starts_with(&format!("{name} ")));
    out.lines().filter(is_row).collect()
}

/// A process that runs a shell script, in the name of a test that has this folder.
fn shell(folder: &Path, script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("STAGE", folder).env("TESTS", std::process::id().to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("there is a shell")
}

#[test]
#[should_panic(expected = "it comes: it ended before, exit status: 3: its words")]
fn a_wait_ends_with_its_process() {
    wait_until(shell(Path::new("/"), "echo its words; exit 3"), "it comes", || false).wait().ok();
}

#[test]
#[should_panic(expected = "its last words")]
fn a_process_that_fails_before_it_is_killed_is_told() {
    kill_behind(shell(Path::new("/"), "echo its last words; exit 3"), TURN, "it comes", || false);
}

#[test]
fn a_stand_in_ends_with_its_test() {
    let folder = folder();
    for script in ["echo >begun; waits false", "echo >begun; while here; do :; done; exit 1"] {
        let inner = tempfile::tempdir_in(folder.path()).expect("it can be made");
        let program = stand_in(inner.path(), "program", script);
        let text = format!("cd '{}'; exec '{}'", inner.path().display(), program.display());
        let child = shell(inner.path(), &text);
        let mut child = wait_until(child, "it begins", || inner.path().join("begun").exists());
        drop(inner);
        assert_eq!(child.wait().expect("it ends").code(), Some(1));
    }
    // And with all tests, where they are killed.
    let program = stand_in(folder.path(), "program", "waits false");
    let mut gone = shell(folder.path(), "");
    gone.wait().expect("it ends");
    let mut command = Command::new(program);
    let ran = finish(command.env("STAGE", folder.path()).env("TESTS", gone.id().to_string()));
    ran.expect(1);
}
