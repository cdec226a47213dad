//! `fuzzcheck doctor`: a healthy machine, and one check after another that fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common::stage::Stage;
use crate::common::{Ran, command, file, finish, folder, project};
use serde_json::Value;

/// What `doctor --json` says of one thing, in a command made by `change`. There is no compiler, and no package
/// of one: what they do would take longer than all the rest.
fn check(name: &str, change: impl FnOnce(&mut Command)) -> (Ran, Value) {
    let mut doctor = command();
    let bin = folder();
    let apt_cache = file(bin.path(), "apt-cache", "#!/bin/sh\n");
    fs::set_permissions(apt_cache, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = std::env::var("PATH").unwrap_or_default();
    doctor.args(["doctor", "--json"]).env("PATH", format!("{}:{path}", bin.path().display()));
    doctor.env("CC", "/nowhere/clang").env("CXX", "/nowhere/clang++");
    change(&mut doctor);
    let ran = finish(&mut doctor);
    let json = ran.json();
    let checks = json["checks"].as_array().expect("a list");
    let check =
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {ran:?}"));
    (ran, check.clone())
}

/// Asserts that a check reports an error and its fix.
#[track_caller]
fn assert_error(name: &str, found: &str, fix: &str, change: impl FnOnce(&mut Command)) {
    let (ran, check) = check(name, change);
    let ran = ran.expect(1);
    assert_eq!(
        (check["state"].as_str(), ran.json()["is_ok"].as_bool()),
        (Some("error"), Some(false)),
        "{check}"
    );
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    assert!(text("found").contains(found) && text("fix").contains(fix), "{check}");
}

/// A folder of programs before all others.
fn before(command: &mut Command, stage: &Stage) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", stage.path("bin").display()));
}

#[test]
fn a_compiler_that_is_not_there_is_named() {
    assert_error("clang", "/nowhere/clang", "install clang", |_| ());
    assert_error("c++", "/nowhere/clang++", "install g++", |_| ());
}

#[test]
fn a_compiler_without_its_runtimes_is_told_of() {
    let stage = Stage::new("");
    // It compiles, and links nothing.
    let script = "case \"$*\" in
        *--version*) echo 'clang version 19.1.7';;
        *' -c '*) exec cc $(printf '%s\\n' \"$@\" | grep -v sanitize);;
        *) echo 'no libclang_rt' >&2; exit 1;;
        esac";
    stage.program("clang-x", script);
    let set = |doctor: &mut Command| _ = doctor.env("CC", stage.path("bin/clang-x"));
    let (ran, check) = check("sanitizer runtime", set);
    let replaced = "clang version 19.1.7 replaces .cargo/cc, which adds the coverage counters";
    assert!(ran.out.contains(replaced), "{ran:?}");
    assert_eq!(check["state"], "warning", "{check}");
    assert!(check["found"].as_str().is_some_and(|found| found.contains("no libclang_rt")), "{check}");
    assert!(check["fix"].as_str().is_some_and(|fix| fix.contains("libclang-rt-19-dev")), "{check}");
}

#[test]
fn an_old_rust_and_a_missing_cargo_fuzz_are_named() {
    let stage = Stage::new("");
    stage.program(
        "rustc",
        "echo 'rustc 1.80.0'; echo 'release: 1.80.0'; echo 'host: x86_64-unknown-linux-gnu'",
    );
    assert_error("rust", "1.80.0 is too old", "rustup update", |doctor| before(doctor, &stage));
    let stage = Stage::new("");
    stage.program(
        "cargo",
        "[ \"$1\" != fuzz ] || { echo 'error: no such command: `fuzz`' >&2; exit 101; }; echo cargo 1.95.0",
    );
    let (_, check) = check("cargo-fuzz", |doctor| before(doctor, &stage));
    assert_eq!(
        (&check["state"], &check["fix"]),
        (&"warning".into(), &"cargo install cargo-fuzz --locked".into())
    );
}

#[test]
fn a_target_that_is_blind_is_named() {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let host = String::from_utf8(host).expect("UTF-8");
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let built = folder();
    let release = built.path().join(host).join("release");
    fs::create_dir_all(&release).expect("it can be made");
    let target = |script: &str| {
        let path = file(&release, "sql", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    let set = |doctor: &mut Command| _ = doctor.env("CARGO_TARGET_DIR", built.path());
    target("echo 'INFO: Loaded 1 modules   (1204 inline 8-bit counters): 1204 [0x5, 0x6),' >&2");
    assert_error("instrumentation", "1204 coverage counters", "cargo fuzz build", set);
    target("echo 'tandem: SQLite in this target has no coverage counters' >&2; exit 2");
    assert_error("instrumentation", "it does not start: tandem: SQLite", "cargo fuzz build", set);
    target("echo 'INFO: Loaded 1 modules   (77070 inline 8-bit counters): 77070 [0x5, 0x6),' >&2");
    let (_, check) = check("instrumentation", set);
    assert_eq!((&check["state"], &check["found"]), (&"ok".into(), &"coverage counters: sql 77070".into()));
}

#[test]
fn what_the_kernel_says_is_read_where_it_is_asked_to() {
    let root = folder();
    let kernel = root.path().join("proc/sys/kernel");
    fs::create_dir_all(&kernel).expect("it can be made");
    file(&kernel, "core_pattern", "|/usr/share/apport/apport -p%p\n");
    let (_, check) = check("core files", |doctor| _ = doctor.arg("--root").arg(root.path()));
    assert_eq!(check["state"], "warning");
    assert_eq!(check["found"], "each crash is piped through /usr/share/apport/apport, which is slow");
    let vm = root.path().join("proc/sys/vm");
    fs::create_dir_all(&vm).expect("it can be made");
    file(&vm, "overcommit_memory", "2\n");
    let found = "AddressSanitizer cannot map its shadow";
    assert_error("overcommit", found, "sysctl", |doctor| _ = doctor.arg("--root").arg(root.path()));
}

#[test]
fn a_case_that_does_something_else_each_time_is_noticed() {
    let (_, check) = check("double run", |_| ());
    assert_eq!(check["state"], "ok", "{check}");
    let cases =
        check["found"].as_str().and_then(|found| found.split(' ').next()).and_then(|n| n.parse::<u32>().ok());
    assert!(cases.is_some_and(|cases| cases >= 15), "{check}");
    assert_error("double run", "determinism/", "run --oracles determinism", |doctor| {
        _ = doctor.args(["--plant", "nondeterminism"])
    });
}

#[test]
fn without_cases_nothing_is_proven() {
    let empty = folder();
    fs::create_dir(empty.path().join("corpus")).expect("it can be made");
    assert_error("double run", "no cases", "", |doctor| _ = doctor.arg("--project").arg(empty.path()));
}

#[test]
fn bad_arguments_are_refused() {
    let doctor = |words: &[&str]| finish(command().arg("doctor").args(words));
    doctor(&["--plant", "nope"]).expect_error(&["no planted bug is named `nope`"]);
    doctor(&["--project", "/nowhere"]).expect_error(&["/nowhere"]);
    doctor(&["more"]).expect(2);
}

#[test]
fn a_line_for_each_check_and_the_sum_at_the_end() {
    let ran = finish(command().args(["doctor", "--root"]).arg(Path::new("/nowhere")).current_dir(project()));
    let last = ran.out.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("fuzzcheck: fuzzing ") && last.contains(": 16 checks, "), "{ran:?}");
    let words = ["ok", "warning", "error", "        "];
    assert!(
        ran.out.lines().rev().skip(1).all(|line| words.iter().any(|word| line.starts_with(word))),
        "{ran:?}"
    );
    assert_eq!(ran.code == Some(0), last.starts_with("fuzzcheck: fuzzing works here"), "{ran:?}");
}
