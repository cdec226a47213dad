//! One name for a target everywhere: in the table of targets, the binaries, the corpus databases, the
//! README.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::common::{file, folder, fuzzcheck_on, list, names_in, project, read};
use tandem::targets::TARGETS;

/// The fewest cases that a shipped corpus begins with.
const SEEDS_MIN: usize = 60;

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|target| target.name.to_owned()).collect()
}

/// The names in a folder that end like this, without their end.
fn stems(folder: &Path, end: &str) -> BTreeSet<String> {
    names_in(folder).iter().filter_map(|name| Some(name.strip_suffix(end)?.to_owned())).collect()
}

#[test]
fn every_target_has_a_binary() {
    let manifest = String::from_utf8(read(&project().join("fuzz/Cargo.toml"))).expect("UTF-8");
    let binaries = manifest.split("[[bin]]").skip(1);
    let value = |section: &str, key: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
        line.unwrap_or_else(|| panic!("`{key}` is missing: {section}")).trim().trim_matches('"').to_owned()
    };
    let names: BTreeSet<String> = binaries
        .map(|section| {
            let name = value(section, "name");
            assert_eq!(value(section, "path"), format!("fuzz_targets/{name}.rs"));
            name
        })
        .collect();
    assert_eq!(names, targets());
    assert_eq!(stems(&project().join("fuzz/fuzz_targets"), ".rs"), targets());
}

#[test]
fn every_target_has_a_corpus_with_enough_seeds() {
    let corpus = project().join("corpus");
    assert_eq!(stems(&corpus, ".db"), targets());
    for target in targets() {
        let rows = list(&[&corpus.join(format!("{target}.db"))]);
        assert!(rows.iter().all(|row| row["target"] == target.as_str()), "{target}: a case of another");
        let seeds = rows.iter().filter(|row| row["kind"] == "seed").count();
        assert!(seeds >= SEEDS_MIN, "{target}: {seeds} seeds");
    }
}

#[test]
fn a_file_is_for_the_target_after_which_its_folder_is_named() {
    let folder = folder();
    for target in targets() {
        let inner = folder.path().join(&target);
        std::fs::create_dir(&inner).expect("it can be made");
        let rows = list(&[&file(&inner, "case", "SELECT 1;")]);
        assert_eq!(rows[0]["target"], target.as_str());
        // Folders further up have names of their own.
        let deeper = inner.join("deeper");
        std::fs::create_dir(&deeper).expect("it can be made");
        assert_eq!(list(&[&file(&deeper, "case", "SELECT 1;")])[0]["target"], "sql");
    }
    let target = fuzzcheck_on("run --target nope", &[folder.path()]).expect(2);
    targets().iter().for_each(|name| assert!(target.err.contains(name.as_str()), "{target:?}"));
}

/// The crates of the harness that are listed in `.cargo/rustc` are those that the targets are built from: one that
/// is forgotten there carries coverage counters that no one asked for.
#[test]
fn every_crate_of_the_harness_is_listed_as_such() {
    const INSTRUMENTED: [&str; 4] = ["fallible-streaming-iterator", "hashlink", "libsqlite3-sys", "rusqlite"];
    // `no-proc-macro`: macros run in the compiler, which is built without counters.
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
    let tree =
        tree.args(["--package", "sqlite-tandem-fuzz"]).current_dir(project()).output().expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let mut built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    INSTRUMENTED.iter().for_each(|name| assert!(built.remove(name), "{name} is no dependency any more"));

    let script = String::from_utf8(read(&project().join(".cargo/rustc"))).expect("UTF-8");
    let list = script.split("in\n").nth(2).and_then(|rest| rest.split(')').next()).expect("a list of crates");
    let mut listed: BTreeSet<&str> =
        list.split(['|', '\\', ' ', '\n']).filter(|name| !name.is_empty()).collect();
    // The package of the targets themselves, whatever it is called.
    assert!(listed.remove("a-target*") && built.remove("sqlite-tandem-fuzz"));
    assert_eq!(listed, built);
}

/// Who waits asks whether what he waits for can still come: that is done in one place.
#[test]
fn tests_wait_with_the_helpers_alone() {
    let mut grep = Command::new("grep");
    grep.args(["-rnE", r"\bsleep\b|while :|while true;|Instant::now|\.elapsed\(", "fuzzcheck/tests"]);
    grep.args(["--include=*.rs", "--exclude=mod.rs", "--exclude=layout.rs"]).current_dir(project());
    let found = String::from_utf8(grep.output().expect("grep is there").stdout).expect("UTF-8");
    assert_eq!(found, "");
}

/// What is built otherwise for fuzzing, replay does not see: nothing is but what reads the coverage counters.
#[test]
fn replay_is_built_as_fuzzing_is() {
    let mut grep = Command::new("grep");
    grep.args(["-rlE", r"cfg.*\(.*\bfuzzing\b", "src"]).current_dir(project());
    let found = String::from_utf8(grep.output().expect("grep is there").stdout).expect("UTF-8");
    assert_eq!(found.trim_end(), "src/engine/sqlite/instrumentation.rs");
}

/// The Turso engine is a workspace of its own, which CI builds last: a dependency that its lock file lacks is noticed here.
#[test]
fn the_lock_file_of_the_turso_engine_has_every_dependency() {
    let text = |path: &str| String::from_utf8(read(&project().join(path))).expect("UTF-8");
    let lock = text("fuzzcheck/engines/turso/Cargo.lock");
    for manifest in ["Cargo.toml", "fuzzcheck/Cargo.toml"] {
        let manifest_text = text(manifest);
        let section = manifest_text.split("\n[dependencies]\n").nth(1).expect("dependencies");
        let section = section.split("\n[").next().expect("a first part");
        // Optional ones are in features that the engine does not ask for.
        let lines = section.lines().filter(|line| !line.contains("optional = true"));
        let names: Vec<&str> = lines.filter_map(|line| line.split([' ', '.']).next()).collect();
        let names = names.into_iter().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
        for name in names {
            let package = format!("\nname = \"{name}\"\n");
            assert!(
                lock.contains(&package),
                "{name} of {manifest}: run cargo metadata in fuzzcheck/engines/turso"
            );
        }
    }
}
