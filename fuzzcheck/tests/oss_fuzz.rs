//! `oss-fuzz check`: every check passes on a folder that is as it is to be, and each is seen to fail.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Ran, command, file, finish, folder, fuzzcheck_on, names_in, project, read};
use tandem::oracles::ORACLES;
use tempfile::TempDir;

/// A project with the target `one`, and an `$OUT` that is fine.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with(&[])
    }

    /// The target is built with these arguments for the compiler.
    fn with(arguments: &[&str]) -> Self {
        let stage = Self { folder: folder() };
        fs::create_dir_all(stage.path("project/fuzz")).unwrap();
        fs::create_dir(stage.out()).unwrap();
        file(&stage.path("project/fuzz"), "Cargo.toml", "[[bin]]\nname = \"one\"\npath = \"x\"\n");
        stage.compile("one", arguments);
        file(&stage.out(), "one.options", "[libfuzzer]\nmax_len = 1000000\n");
        file(&stage.out(), "one.dict", "\"SELECT\"\n\"abs\"\n");
        let cases = stage.path("cases");
        fs::create_dir(&cases).unwrap();
        file(&cases, "a.sql", "SELECT 1;");
        file(&cases, "b.sql", "SELECT 2;");
        fuzzcheck_on("corpus export --zip", &[&stage.out().join("one_seed_corpus.zip"), &cases]).expect(0);
        stage
    }

    fn compile(&self, name: &str, arguments: &[&str]) {
        // The options of SQLite, as its own table has them.
        let mut header = String::from("const char *const options[] = {");
        for option in tandem::engine::sqlite::compile_options() {
            if arguments.contains(&"-DLACKS_OPTION") && option == "ENABLE_GEOPOLY" {
                continue;
            }
            header += &format!("\"{option}\", ");
        }
        header += "};\n";
        // Where oracles panic; or where the first one does.
        let mut first = None;
        for name in ORACLES.iter().map(|entry| entry.name) {
            let name = format!("_RNvNtNtNtCs1_6tandem7oracles5raise{}{name}7finding", name.len());
            let first = first.get_or_insert_with(|| name.clone()).as_str();
            let is_merged = arguments.contains(&"-DMERGES_ORACLES") && first != name;
            header += &format!("void {name}(void)");
            header += &if is_merged {
                format!(" __attribute__((alias(\"{first}\")));\n")
            } else {
                "{}\n".to_owned()
            };
        }
        let header = file(self.folder.path(), "options.h", header);
        let source = project().join("fuzzcheck/tests/oss_fuzz_target.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O0", "-fno-stack-protector", "-w", "-o"]).arg(self.out().join(name));
        compiler.arg("-include").args([header, source]);
        let done = compiler.args(arguments).output().expect("there is a C compiler");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn out(&self) -> PathBuf {
        self.path("out")
    }

    fn check(&self, words: &str) -> Ran {
        let mut command = command();
        command.args(["oss-fuzz", "check"]).arg(self.out()).arg("--project").arg(self.path("project"));
        // What is set here is not what a target sees.
        finish(command.args(words.split_whitespace()).env("OUT", self.out()))
    }

    /// Asserts that this check fails and says so, and no other fails.
    #[track_caller]
    fn fails(&self, check: &str, words: &str) {
        let document = self.check("--json").expect(1).json();
        let checks = document["checks"].as_array().unwrap();
        let failed: Vec<_> = checks.iter().filter(|check| check["passed"] == false).collect();
        let names: Vec<_> = failed.iter().map(|check| check["name"].as_str().unwrap()).collect();
        assert_eq!(names, [check], "{failed:#?}");
        assert!(failed[0]["detail"].as_str().unwrap().contains(words), "{failed:#?}");
        assert_eq!(document["failed"], 1);
    }
}

#[track_caller]
fn a_target_with(argument: &str, check: &str, words: &str) {
    Stage::with(&[argument]).fails(check, words);
}

#[test]
fn what_is_fine_passes_and_is_left_as_it_was() {
    let stage = Stage::new();
    let before = names_in(&stage.out());
    let ran = stage.check("").expect(0);
    assert!(ran.out.ends_with("fuzzcheck: 0 problems in 16 checks\n"), "{ran:#?}");
    assert!(!ran.out.contains("FAILED"), "{ran:#?}");
    for words in
        ["80000 counters", "calls: 1000 asan", "2 seeds", "2 run, the slowest in 1 s", "2 words", "1 targets"]
    {
        assert!(ran.out.contains(words), "{words}: {ran:#?}");
    }
    let document = stage.check("--json --fast").expect(0).json();
    assert_eq!((&document["passed"], &document["version"]), (&16.into(), &1.into()));
    let checks = document["checks"].as_array().unwrap();
    let run = checks.iter().find(|check| check["name"] == "seeds run").unwrap();
    assert!(run["detail"].as_str().unwrap().starts_with("1 run"), "{run}");
    assert_eq!(names_in(&stage.out()), before);
}

#[test]
fn a_target_that_is_built_wrongly_is_found() {
    a_target_with("-DCALLS=900", "sanitizer", "900 asan");
    a_target_with("-DMSAN", "sanitizer", "MemorySanitizer");
    a_target_with("-DDFSAN", "sanitizer", "DataFlowSanitizer");
    a_target_with("-DUBSAN", "sanitizer", "undefined-behavior");
    a_target_with("-DMERGES_ORACLES", "frames", "memory, files, code");
    let ran = Stage::with(&["-s"]).check("").expect(1);
    assert!(
        ran.out.contains("AddressSanitizer, or stripped") && ran.out.contains("memory, files"),
        "{ran:#?}"
    );
    a_target_with("-DLACKS_OPTION", "SQLite", "without ENABLE_GEOPOLY:");
    a_target_with("-DCOUNTERS=69999", "counters", "-fsanitize=fuzzer-no-link");
    let stage = Stage::with(&[]);
    let ran = stage.check("--sanitizer none").expect(1);
    assert!(ran.out.contains("compiled with AddressSanitizer"), "{ran:#?}");
    let ran = stage.check("--sanitizer coverage").expect(1);
    assert!(ran.out.contains("0 counters for llvm-cov") && ran.out.contains("left no counts"), "{ran:#?}");
}

#[test]
fn a_library_that_is_not_there_is_found() {
    let stage = Stage::new();
    let source = file(stage.folder.path(), "other.c", "int other(void) { return 0; }");
    let library = stage.path("libother.so");
    let made = Command::new("cc").args(["-shared", "-o"]).args([&library, &source]).status().unwrap();
    assert!(made.success());
    let path = format!("-Wl,-rpath,{}", stage.folder.path().display());
    stage.compile("one", &["-DLIBRARY", library.to_str().unwrap(), &path]);
    stage.fails("libraries", "libother.so");
}

#[test]
fn a_target_that_behaves_wrongly_is_found() {
    a_target_with("-DNOT_DONE", "start", "Done 4 runs");
    a_target_with("-DWRITES_BESIDE", "read-only", "state");
    a_target_with("-DWRITES_CWD", "read-only", "state");
    a_target_with("-DSEEDS_ITSELF", "outside", "was empty");
    a_target_with("-DFORGETS_WORD", "dictionary", "reads 1 of 2");
    a_target_with("-DFORGETS_SEED", "seeds run", "there are 2");
    a_target_with("-DCRASHES_ON_SEED", "seeds run", "exit 77");
    a_target_with("-DSLOWEST=25", "seeds run", "slowest in 25 s");
    a_target_with("-DMEMORY=2560", "seeds run", "2560 MB");
    for (argument, words) in [
        ("-DUNINSTRUMENTED", "not instrumented"),
        ("-DWANTS_OUT", "where is OUT?"),
        ("-DWANTS_CWD", "not here"),
        ("-DREADS_STDIN", "nothing to read"),
    ] {
        let ran = Stage::with(&[argument]).check("").expect(1);
        let line =
            ran.out.lines().find(|line| line.starts_with("FAILED one        start")).unwrap_or_default();
        assert!(line.contains(words), "{ran:#?}");
    }
}

#[test]
fn the_set_of_targets_is_the_projects() {
    // In a folder below, too: that is where OSS-Fuzz's own script looks.
    let stage = Stage::new();
    fs::create_dir(stage.out().join("below")).unwrap();
    fs::copy(stage.out().join("one"), stage.out().join("below/one")).unwrap();
    stage.fails("targets", "below/one is not a [[bin]]");
    let stage = Stage::new();
    file(&stage.path("project/fuzz"), "Cargo.toml", "[[bin]]\nname = \"one\"\n\n[[bin]]\nname = \"two\"\n");
    stage.fails("targets", "two is not there");
    // The replay program, say: it links the targets' code.
    let stage = Stage::new();
    let script = file(&stage.out(), "replay.sh", "#!/bin/sh\n# LLVMFuzzerTestOneInput\nexit 1\n");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = stage.check("").expect(1);
    for words in ["replay.sh is not a [[bin]]", "`replay.sh`: OSS-Fuzz takes", "not an ELF program"] {
        assert!(ran.out.contains(words), "{words}: {ran:#?}");
    }
}

#[test]
fn files_beside_a_target_are_read() {
    let stage = Stage::new();
    let out = stage.out();
    file(&out, "one.options", "[libfuzzer]\nmax_length = 3\n");
    stage.fails("options", "line 2: `max_length`");
    file(&out, "one.options", "[libfuzzer]\nmax_len = 10\n");
    stage.fails("seeds", "cuts it off");
    file(&out, "one.options", "[libfuzzer]\ndict = two.dict\n");
    stage.fails("dictionary", "two.dict is not there");
    fs::remove_file(out.join("one.options")).unwrap();
    file(&out, "one.dict", "\"SELECT\"\nabs\n");
    stage.fails("dictionary", "line 2: `abs`");
    file(&out, "one.dict", "# none\n");
    stage.fails("dictionary", "no entries");
    fs::remove_file(out.join("one.dict")).unwrap();
    stage.check("").expect(0);
    file(&out, "one_seed_corpus.zip", "no zip");
    stage.fails("seeds", "one_seed_corpus.zip");
    fs::remove_file(out.join("one_seed_corpus.zip")).unwrap();
    stage.fails("seeds", "is missing");
}

#[test]
fn a_folder_without_targets_proves_nothing() {
    let stage = Stage::new();
    fs::remove_file(stage.out().join("one")).unwrap();
    stage.check("").expect_error(&["no fuzz target", "fuzz/build.sh"]);
    fs::remove_dir_all(stage.out()).unwrap();
    stage.check("").expect_error(&["out", "No such file"]);
    file(stage.folder.path(), "out", "");
    stage.check("").expect_error(&["not a folder"]);
    let stage = Stage::new();
    file(&stage.path("project/fuzz"), "Cargo.toml", "");
    stage.check("").expect_error(&["Cargo.toml", "no [[bin]]"]);
}

#[test]
fn seeds_are_zipped_without_known_bugs_and_always_the_same() {
    let folder = folder();
    let corpus = project().join("corpus/sql.db");
    let (first, second) = (folder.path().join("first.zip"), folder.path().join("second.zip"));
    fuzzcheck_on("corpus export --zip", &[&first, &corpus]).expect(0);
    fuzzcheck_on("corpus export --zip", &[&second, &corpus]).expect(0);
    assert_eq!(read(&first), read(&second));
    // A folder, a full disk: named, and nothing is left.
    fuzzcheck_on("corpus export --zip", &[folder.path(), &corpus]).expect_error(&["not a regular file"]);
    fuzzcheck_on("corpus export --zip", &[&folder.path().join("no/x.zip"), &corpus])
        .expect_error(&["no/x.zip"]);
    fuzzcheck_on("corpus export --zip", &[&corpus, &corpus]).expect_error(&["corpus database"]);
    assert_eq!(names_in(folder.path()), ["first.zip", "second.zip"]);

    let known = folder.path().join("known.db");
    let case = file(folder.path(), "known.sql", "SELECT 1;");
    let words = "corpus import --kind known --target sql --signature crash/planted --into";
    fuzzcheck_on(words, &[&known, &case]).expect(0);
    let zip = folder.path().join("none.zip");
    fuzzcheck_on("corpus export --zip", &[&zip, &known]).expect_error(&["none.zip", "known bugs"]);
    assert!(!zip.exists());
}

#[test]
fn the_dictionary_has_the_words_of_this_sqlite() {
    let folder = folder();
    let path = folder.path().join("sql.dict");
    let ran = fuzzcheck_on("oss-fuzz dictionary --to", &[&path]).expect(0);
    let text = String::from_utf8(read(&path)).unwrap();
    for word in ["SELECT", "json_extract", "wal_checkpoint", "fts5", "NOCASE", "group_concat"] {
        assert!(text.contains(&format!("\n\"{word}\"\n")), "{word}");
    }
    assert!(!text.contains("load_extension"), "it reaches the host");
    let words = text.lines().filter(|line| line.starts_with('"')).count();
    assert!(words > 300 && ran.out.contains(&format!("{words} words")), "{ran:#?}");
    assert_eq!(fuzzcheck_on("oss-fuzz dictionary", &[]).expect(0).out, text);
    fuzzcheck_on("oss-fuzz dictionary --to", &[folder.path()]).expect_error(&["not a regular file"]);
}

/// `fuzz/build.sh` in a project of its own, with a cargo that builds nothing.
fn build(before: impl FnOnce(&mut Command, &Path)) -> (TempDir, Ran) {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    for name in ["bin", "out", "project/fuzz"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    for name in ["build.sh", "Cargo.toml", "target.options"] {
        fs::copy(project().join("fuzz").join(name), path("project/fuzz").join(name)).unwrap();
    }
    let script = "#!/bin/sh\necho \"$* RUSTFLAGS=${RUSTFLAGS-unset} CC=${CC-unset} AWAY=${TANDEM_AWAY-unset} PROFILE=${LLVM_PROFILE_FILE-unset}\" >>\"$LOG\"\n\
                  [ \"$1\" != run ] || exit 0\n\
                  for folder in debug \"$(rustc -vV | sed -n 's/^host: //p')/release\"; do\n\
                  mkdir -p \"$CARGO_TARGET_DIR/$folder\"\n\
                  for target in db_sql sql db_file answers faults recovery api; do touch \"$CARGO_TARGET_DIR/$folder/$target\"; done\ndone\n";
    let cargo = file(&path("bin"), "cargo", script);
    fs::set_permissions(cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(path("project/fuzz/build.sh"));
    let places = format!("{}:{}", path("bin").display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", places).env("LOG", path("log")).env("OUT", path("out")).env("WORK", path("work"));
    for name in
        ["CC", "CFLAGS", "LLVM_PROFILE_FILE", "RUSTFLAGS", "SANITIZER", "FUZZING_ENGINE", "CARGO_TARGET_DIR"]
    {
        command.env_remove(name);
    }
    before(&mut command, folder.path());
    let ran = finish(&mut command);
    (folder, ran)
}

#[test]
fn build_sh_copies_the_targets_and_nothing_else() {
    for (sanitizer, words) in [
        ("address", "fuzz build --sanitizer address RUSTFLAGS=-Zsanitizer=address CC=unset AWAY=1"),
        ("none", "fuzz build --sanitizer none RUSTFLAGS= CC=unset AWAY=1"),
        (
            "coverage",
            "build --locked --manifest-path fuzz/Cargo.toml --bins RUSTFLAGS=-Zsanitizer=coverage --remap",
        ),
    ] {
        let flags = format!("-Zsanitizer={sanitizer}");
        let (folder, ran) = build(|command, _| {
            command.env("SANITIZER", sanitizer).env("RUSTFLAGS", flags);
        });
        ran.expect(0);
        let mut wanted = Vec::new();
        for target in ["answers", "api", "db_file", "db_sql", "faults", "recovery", "sql"] {
            wanted.extend([target.to_owned(), format!("{target}.options")]);
        }
        assert_eq!(names_in(&folder.path().join("out")), wanted);
        let log = String::from_utf8(read(&folder.path().join("log"))).unwrap();
        assert!(log.starts_with(words), "{log}");
        // What runs during the build is not built as what is fuzzed.
        let helpers: Vec<&str> = log.lines().skip(1).collect();
        assert_eq!(helpers.len(), 14, "two for each target: {log}");
        assert!(helpers.iter().all(|line| line.contains("RUSTFLAGS=unset CC=unset AWAY=unset")), "{log}");
        let leaves_counts = log.lines().next().unwrap().contains("PROFILE=unset");
        assert_eq!(leaves_counts, sanitizer != "coverage", "{log}");
        assert!(
            log.contains("-- corpus export corpus/sql.db --zip")
                && log.contains("-- oss-fuzz dictionary --to"),
            "{log}"
        );
    }
}

#[test]
fn build_sh_refuses_what_rust_does_not_have() {
    let refuses = |name: &str, value: &str, words: &[&str]| {
        let (folder, ran) = build(|command, _| {
            command.env(name, value);
        });
        ran.expect_error(words);
        assert!(names_in(&folder.path().join("out")).is_empty());
    };
    for engine in ["afl", "honggfuzz", "centipede", "none"] {
        refuses("FUZZING_ENGINE", engine, &["FUZZING_ENGINE=", engine, "libfuzzer alone"]);
    }
    for sanitizer in ["memory", "undefined", "introspector"] {
        refuses("SANITIZER", sanitizer, &["SANITIZER=", sanitizer, "address, coverage and none"]);
    }
    refuses("CC", "clang", &["-fsanitize=fuzzer-no-link", "blind"]);
    refuses("OUT", "", &["OUT is not set"]);
    refuses("OUT", "/nonexistent", &["OUT=/nonexistent"]);
    build(|command, _| {
        command.env("CC", "clang").env("SANITIZER", "coverage");
    })
    .1
    .expect_error(&["-fcoverage-mapping"]);
    build(|command, _| {
        command.env("CC", "clang").env("CFLAGS", "-O1 -fsanitize=fuzzer-no-link");
    })
    .1
    .expect(0);
    // A project that names no targets.
    build(|_, folder| {
        file(&folder.join("project/fuzz"), "Cargo.toml", "");
    })
    .1
    .expect_error(&["names no targets"]);
}

#[test]
fn both_services_call_the_one_script() {
    for (place, variable) in [("fuzz/oss-fuzz", "SRC"), (".clusterfuzzlite", "SRC")] {
        let folder = folder();
        fs::create_dir_all(folder.path().join("sqlite-tandem/fuzz")).unwrap();
        let script =
            file(&folder.path().join("sqlite-tandem/fuzz"), "build.sh", "#!/bin/sh\necho built\nexit 7\n");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        // As it is copied, away from the project.
        let own = folder.path().join("build.sh");
        symlink(project().join(place).join("build.sh"), &own).unwrap();
        let ran = finish(
            Command::new("bash").arg("-eux").arg(own).env(variable, folder.path()).env_remove("TANDEM"),
        );
        assert_eq!(ran.expect(7).out, "built\n");
    }
}
