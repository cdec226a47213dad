//! Other builds of SQLite, with stand-ins for cargo, valgrind and the compilers. `releases.rs` and `.ci/run` build real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{HEADER, Ran, command, file, finish, folder, project, read, stand_in};
use tempfile::TempDir;

/// A folder of programs that stand before all others.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: folder() };
        fs::create_dir(stage.path("bin")).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        stand_in(&self.path("bin"), name, script);
    }

    /// A command that finds the stand-ins first.
    fn on(&self, mut command: Command, words: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("STAGE", self.folder.path()).args(words.split_whitespace());
        command
    }

    fn fuzzcheck(&self, words: &str, path: &Path) -> Ran {
        finish(self.on(command(), words).arg(path).arg("--no-install"))
    }

    /// A folder that passes for an amalgamation.
    fn amalgamation(&self, version: &str, source_id: &str) -> PathBuf {
        let folder = self.path(version);
        fs::create_dir_all(&folder).unwrap();
        let code = format!("/* sqlite3_error_offset( */\n#define SQLITE_SOURCE_ID \"{source_id}\"\n");
        file(&folder, "sqlite3.c", code);
        file(&folder, "sqlite3.h", format!("#define SQLITE_VERSION \"{version}\"\n{HEADER}"));
        folder
    }
}

/// Runs what it is given, behind its own flags.
const VALGRIND: &str = r#"while case "$1" in -*) true;; *) false;; esac; do shift; done; exec "$@""#;
const SCRIPTS: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t; SELECT 2;";

#[test]
fn builds_that_agree_are_clean_and_one_that_differs_is_found() {
    let stage = Stage::new();
    stage.program("valgrind", VALGRIND);
    let words = "compare builds --builds release,valgrind --valgrind-every 40 --json";
    let ran = stage.fuzzcheck(words, &project().join("corpus/sql.db")).expect(0).json();
    let (first, other) = (&ran["builds"][0], &ran["builds"][1]);
    assert_eq!((&first["build"], &other["build"]), (&"release".into(), &"valgrind".into()));
    let cases = first["cases"].as_u64().unwrap();
    assert!(cases > 700 && other["cases"] == cases.div_ceil(40) && other["equal"] == other["cases"], "{ran}");

    let case = file(stage.folder.path(), "case.sql", SCRIPTS);
    let words = "compare builds --builds release,valgrind --valgrind-every 1";
    let ran = stage.fuzzcheck(&format!("{words} --plant leak"), &case).expect(1);
    assert!(ran.out.contains("valgrind differs from release") && ran.out.contains("planted()"), "{ran:?}");
    assert!(ran.out.contains("valgrind: memory/leak/"), "{ran:?}");
    assert!(ran.out.contains("--build=valgrind"), "the command that replays it names the build: {ran:?}");

    let endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) FROM r;";
    let endless = file(stage.folder.path(), "endless.sql", endless);
    let ran = stage.fuzzcheck(words, &endless).expect(0);
    for build in ["release", "valgrind"] {
        let line =
            format!("{build}: cut short, for `run` with another limit: 1 by VM steps (--limit-vm-steps)");
        assert!(ran.out.contains(&line), "{ran:?}");
    }

    stage.fuzzcheck("compare builds --builds release", &case).expect_error(&["at least two builds"]);
    stage
        .fuzzcheck("compare builds --builds release,coverage", &case)
        .expect_error(&["not judged", "coverage"]);
    stage.fuzzcheck("compare builds --builds release,valgrind", &stage.path("none")).expect_error(&["none"]);
    stage.program("valgrind", "exit 1");
    stage.fuzzcheck(words, &case).expect_error(&["worker"]);
}

#[test]
fn what_valgrind_says_is_a_finding() {
    let stage = Stage::new();
    stage.program(
        "valgrind",
        "[ \"$1\" = --version ] && exit; echo '==7== Invalid read of size 4' >&2\n\
         echo '==7==    at 0x1: sqlite3VdbeExec (sqlite3.c:1)' >&2; kill -9 $$",
    );
    let case = file(stage.folder.path(), "case.sql", "SELECT 1;");
    // It ends before its first case, which is no case's fault.
    stage.fuzzcheck("run --build valgrind", &case).expect_error(&["before its first case", "Invalid read"]);
}

/// A folder that goes when it is dropped.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_program_without_a_record_of_its_link_is_told_so() {
    let stage = Stage::new();
    let case = file(stage.folder.path(), "case.sql", "SELECT 1;");
    let alone = stage.path("alone");
    fs::copy(env!("CARGO_BIN_EXE_fuzzcheck"), &alone).unwrap();
    let other = stage.amalgamation("3.33.0", "2020-08-14 other");
    let mut command = stage.on(Command::new(&alone), "run --no-install --sqlite");
    finish(command.arg(&other).arg(&case)).expect_error(&["alone.link", "cargo fuzzcheck"]);
}

/// An amalgamation without functions: the linker would take the bundled ones.
#[test]
fn an_sqlite_that_is_not_what_was_asked_for_is_refused() {
    let stage = Stage::new();
    let case = file(stage.folder.path(), "case.sql", "SELECT 1;");
    let other = stage.amalgamation("3.33.0", "2020-08-14 other");
    let ran = stage.fuzzcheck(&format!("run --sqlite {}", other.display()), &case);
    let ran = ran.expect_error(&["contains SQLite", ", not 2020-08-14 other"]);
    assert!(ran.err.contains("SQLite 3.33.0 has no sqlite3_stmt_isexplain"), "{}", ran.err);
    // Its own stand-in for API that is there is not missed.
    assert!(!ran.err.contains("no sqlite3_error_offset"), "{}", ran.err);
    let place = ran.err.split(" in /").find(|rest| rest.contains("target/builds")).expect("it says where");
    drop(Removed(PathBuf::from(format!("/{}", place.lines().next().unwrap()))));
}

#[test]
fn what_is_no_amalgamation_is_refused_by_name() {
    let stage = Stage::new();
    let case = file(stage.folder.path(), "case.sql", "SELECT 1;");
    let run = |words: &str| stage.fuzzcheck(&format!("run {words}"), &case);
    run("--sqlite /nonexistent/dir").expect_error(&["/nonexistent/dir"]);
    let empty = stage.path("bin");
    run(&format!("--sqlite {}", empty.display())).expect_error(&["sqlite3.c and sqlite3.h in one folder"]);
    let old = stage.amalgamation("3.25.3", "2018");
    run(&format!("--sqlite {}", old.display())).expect_error(&["3.25.3 is older than 3.26.0"]);
    run("--sqlite-version 3.99.0").expect_error(&["no crate is known to bundle SQLite 3.99.0", "3.31.1"]);
    run("--sqlite-flags=DSQLITE_X").expect_error(&["DSQLITE_X", "not a C compiler flag"]);
    run("--build fast").expect_error(&["fast", "release", "ubsan"]);
    run("--init f").expect_error(&["--extra-c"]);
    run("--init f --extra-c nowhere.c --jobs 1").expect_error(&["nowhere.c"]);
    let mut command = stage.on(command(), "run --no-install");
    let ran = finish(command.env("TANDEM_SQLITE", "/nonexistent/other").arg(&case));
    ran.expect_error(&["TANDEM_SQLITE", "/nonexistent/other"]);
}

/// `.cargo/cc` as the build script of libsqlite3-sys calls it, with compilers that tell what they were given.
fn wrapper(stage: &Stage, words: &str, environment: &[(&str, &str)]) -> Ran {
    for compiler in ["cc", "clang", "clang-22", "clang-23"] {
        stage.program(compiler, &format!("echo \"{compiler} $*\" >>\"$STAGE/compiled\"; while [ $# -gt 1 ]; do [ \"$1\" = -o ] && : >\"$2\"; shift; done"));
    }
    let mut command = stage.on(Command::new(project().join(".cargo/cc")), words);
    for name in ["TANDEM_BUILD", "TANDEM_SQLITE", "TANDEM_EXTRA_C", "TANDEM_EXTRA_INIT", "CARGO_CFG_FUZZING"]
    {
        command.env_remove(name);
    }
    command.env("CARGO_PKG_NAME", "libsqlite3-sys").env("OUT_DIR", stage.folder.path());
    finish(command.envs(environment.iter().copied()))
}

#[test]
fn the_compiler_wrapper_does_what_each_build_needs() {
    let stage = Stage::new();
    let sessions = "-DSQLITE_ENABLE_SESSION -DSQLITE_ENABLE_PREUPDATE_HOOK";
    let compile = &format!("-O2 -DX=1 {sessions} -o sqlite3.o -c sqlite3/sqlite3.c");
    let compiled = || {
        let text = String::from_utf8(read(&stage.path("compiled"))).unwrap();
        fs::remove_file(stage.path("compiled")).unwrap();
        text
    };
    let ran = wrapper(&stage, compile, &[]).expect(0);
    assert!(ran.out.contains("cargo:rerun-if-env-changed=TANDEM_SQLITE"), "{ran:?}");
    assert_eq!(compiled(), format!("cc {compile} -g1\n"));
    // A build of neither kind has the bundled SQLite, whatever is set.
    let sqlite = stage.amalgamation("3.40.0", "x");
    let set = ("TANDEM_SQLITE", sqlite.to_str().unwrap());
    wrapper(&stage, compile, &[set]).expect(0);
    assert_eq!(compiled(), format!("cc {compile} -g1\n"));
    // What it lacks is made up for.
    for lacking in
        ["-O2 -c sqlite3/sqlite3.c", &format!("{sessions} -USQLITE_ENABLE_SESSION -c sqlite3/sqlite3.c")]
    {
        let ran = wrapper(&stage, lacking, &[set]).expect(0);
        let text = compiled();
        assert!(text.contains("absent.c") && text.contains("-c sqlite3/sqlite3.c"), "{text}");
        assert!(ran.out.contains("cargo:rustc-link-lib=static=tandem_extra"), "{ran:?}");
    }

    let ran = wrapper(&stage, compile, &[set, ("TANDEM_BUILD", "release")]).expect(0);
    let text = compiled();
    assert!(
        text.contains("absent.c") && text.contains(&format!("-c {}/sqlite3.c", sqlite.display())),
        "{text}"
    );
    assert!(!text.contains(" sqlite3/sqlite3.c"), "{text}");
    assert!(ran.out.contains("cargo:rustc-link-lib=static=tandem_extra"), "{ran:?}");
    assert!(ran.out.contains(&format!("cargo:rerun-if-changed={}/sqlite3.c", sqlite.display())), "{ran:?}");

    let extra = file(stage.folder.path(), "ext.c", "");
    let environment = [
        ("TANDEM_BUILD", "debug"),
        ("TANDEM_EXTRA_C", extra.to_str().unwrap()),
        ("TANDEM_EXTRA_INIT", "ext_init"),
    ];
    wrapper(&stage, compile, &environment).expect(0);
    let text = compiled();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("clang-23") && lines[0].contains("ext.c") && lines[0].contains("-DX=1"),
        "{text}"
    );
    assert!(lines[1].contains("-DTANDEM_EXTRA_INIT=ext_init"), "{text}");
    let last = lines.last().unwrap();
    assert!(
        last.contains("-DSQLITE_DEBUG") && last.contains("-DSQLITE_EXTRA_INIT=tandem_extra_init"),
        "{text}"
    );

    wrapper(&stage, compile, &[("CARGO_CFG_FUZZING", ""), ("TANDEM_BUILD", "ubsan")]).expect(0);
    let text = compiled();
    assert!(text.contains("-fsanitize=fuzzer-no-link") && text.contains("-fsanitize=undefined"), "{text}");
    let refused = wrapper(&stage, compile, &[("TANDEM_BUILD", "fast")]).expect(1);
    assert!(refused.err.contains("TANDEM_BUILD=fast"), "{refused:?}");
    let missing = [("TANDEM_BUILD", "release"), ("TANDEM_SQLITE", "/nonexistent")];
    assert!(wrapper(&stage, compile, &missing).expect(1).err.contains("no sqlite3.c"));
    let missing = [("TANDEM_BUILD", "release"), ("TANDEM_EXTRA_C", "/nonexistent/x.c")];
    assert!(wrapper(&stage, compile, &missing).expect(1).err.contains("/nonexistent/x.c"));
}

#[test]
fn a_stand_in_for_api_gives_way_to_the_real_one() {
    let stage = Stage::new();
    file(stage.folder.path(), "sqlite3.h", HEADER);
    let code = "#include \"sqlite3.h\"\nint sqlite3_changes(sqlite3 *db) { return 3; }\n\
        int sqlite3_total_changes(sqlite3 *db) { return 4; }\nint sqlite3_error_offset(sqlite3 *db) { return 42; }\n\
        void sqlite3_free(void *block) { (void)block; }\n";
    let main = "#include \"sqlite3.h\"\nint sqlite3_error_offset(sqlite3*); sqlite3_int64 sqlite3_changes64(sqlite3*);\n\
        int main(void) { return sqlite3_error_offset(0) == 42 && sqlite3_changes64(0) == 3 ? 0 : 1; }\n";
    let code = file(stage.folder.path(), "sqlite3.c", code);
    let main = file(stage.folder.path(), "main.c", main);
    let program = stage.path("program");
    for absent_first in [true, false] {
        let mut files = vec![project().join(".cargo/absent.c"), code.clone()];
        if !absent_first {
            files.reverse();
        }
        let mut cc = Command::new("cc");
        cc.arg("-I").arg(stage.folder.path()).arg(&main).args(&files).arg("-o").arg(&program);
        assert!(cc.status().unwrap().success());
        assert!(Command::new(&program).status().unwrap().success(), "absent.c first: {absent_first}");
    }
}
