//! The worker as `fuzzcheck compare engines` uses it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use fuzzcheck::NamedCase;
use fuzzcheck::differential::{Build, DifferentialReport, pool};
use fuzzcheck::replay::Options;

fn build(plant: Option<&str>) -> Build {
    let options = Options {
        plant: plant.map(str::to_owned),
        timeout_ms: 20_000,
        worker_memory_mib: 2048,
        ..Options::default()
    };
    Build { program: program(), options, is_unoptimized: false }
}

/// Cargo has built it for this test. `CARGO_BIN_EXE_tandem-turso` would say where, but a shell drops variables with
/// a hyphen in their name, and cargo's rustc-wrapper here is one.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("tandem-turso")
}

/// Two workers, of which the second has the plant, over a file with a script.
fn differential(sql: &str, plant: Option<&str>) -> DifferentialReport {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), sql).unwrap();
    let cases = fuzzcheck::open(&[file.path().to_owned()], None).unwrap().cases;
    let cases: Vec<NamedCase> = cases.collect();
    assert_eq!(cases.len(), 1);
    let stop = AtomicBool::new(false);
    pool::compare_all(&[build(None), build(plant)], 1, cases.into_iter(), &stop, |_| {}).unwrap()
}

const SQL: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a, 'planted' FROM t;";

#[test]
fn a_worker_serves_cases() {
    let report = differential(SQL, None);
    assert!(report.identities[0].starts_with("Turso "), "{:?}", report.identities);
    assert_eq!((report.statements, report.ends, report.findings.len()), (3, 1, 0));
}

#[test]
fn a_panic_is_a_difference_with_its_place() {
    let report = differential(SQL, Some("turso-panic"));
    let signatures: Vec<&String> = report.findings.keys().collect();
    assert_eq!(signatures.len(), 1);
    assert!(signatures[0].starts_with("differential/panic/b-plant.rs-"), "{signatures:?}");
}
