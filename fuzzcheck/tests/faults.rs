//! `fuzzcheck faults`: the loops end by themselves, find what is planted, and go on where they were interrupted.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::common::{Ran, command, file, folder, fuzzcheck, fuzzcheck_on, press, project, wait_until};
use tandem::TestCase;

const SCRIPT: &str = "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1), (2); UPDATE t SET a = a + 10;";
const CALLING: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t;";

fn document(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// A loop of a document.
fn of<'d>(document: &'d serde_json::Value, name: &str) -> &'d serde_json::Value {
    let loops = document["loops"].as_array().expect("loops");
    loops.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {document}"))
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn everything_fails_in_turn_and_nothing_is_found() {
    let folder = folder();
    let case = file(folder.path(), "case.sql", SCRIPT);
    let ran = fuzzcheck_on("faults --images 4 --json", &[&case]).expect(0);
    let document = document(&ran);
    assert_eq!(document["found"].as_array().map(Vec::len), Some(0), "{document}");
    for one in document["loops"].as_array().expect("loops") {
        let name = one["name"].as_str().expect("a name");
        assert_eq!(one["is_done"], true, "{name}");
        // Without a WAL there is no shared memory.
        let has_none = name.starts_with("shm");
        assert_eq!(number(&one["turns"]) == 0, has_none, "{name}: {one}");
        let judged = number(&one["passed"]);
        let all = number(&one["turns"]) + u64::from(name.contains("crash"));
        assert!(has_none || judged > 0 && judged <= all, "{name}: {one}");
    }
    let oom = of(&document, "oom once");
    assert_eq!(number(&oom["hits"]["allocation"]), number(&oom["turns"]), "each fails once");
    assert!(number(&of(&document, "oom for good")["hits"]["allocation"]) > number(&oom["turns"]));
    let few =
        self::document(&fuzzcheck_on("faults --kind oom,io --once --sample 9 --json", &[&case]).expect(0));
    let sample = of(&few, "sample");
    assert_eq!((number(&sample["turns"]), few["found"].as_array().map(Vec::len)), (18, Some(0)));
    assert!(number(&sample["passed"]) > 0 && number(&sample["hits"]["allocation"]) > 0, "{sample}");
    let text = fuzzcheck_on("faults --kind oom --sites --once", &[&case]).expect(0);
    assert!(text.out.contains("oom once") && text.out.contains("fuzzcheck: 0 bugs in"), "{text:?}");
}

#[test]
fn what_is_planted_is_found_saved_and_replayed() {
    let folder = folder();
    let case = file(folder.path(), "case.sql", CALLING);
    let saved = folder.path().join("saved");
    let words = |kind: &str, plant: &str| {
        format!("faults --once --kind {kind} --json --plant {plant} --save-dir {}", saved.display())
    };
    for (kind, plant, signature) in [
        ("oom", "leak-on-error", "memory/leak/"),
        ("oom", "ignored-failure", "fault/other-rows/allocation-SELECT"),
        ("crash", "late-sync", "write_ahead/"),
    ] {
        let ran = fuzzcheck_on(&words(kind, plant), &[&case]);
        if plant == "late-sync" {
            // It shows without a power loss, too.
            ran.expect_error(&["it shows write_ahead/journal/before-sync without a fault"]);
            continue;
        }
        let document = document(&ran.expect(1));
        let found = &document["found"][0];
        assert!(found["signature"].as_str().is_some_and(|text| text.starts_with(signature)), "{document}");
        let path = found["saved"].as_str().expect("a path");
        let replay =
            format!("run --plant {plant} --oracles usual,fault,power_loss --save-dir {}", saved.display());
        let again = fuzzcheck_on(&replay, &[path.as_ref()]).expect(1);
        assert!(again.out.contains(signature), "{again:?}");
        let planned = TestCase::decode_strict(&std::fs::read(path).expect("it was saved")).expect("a case");
        assert_eq!(planned.faults.faults().len(), 1);
        let shown = fuzzcheck_on("show", &[path.as_ref()]).expect(0);
        assert!(shown.out.contains("-- fault: allocation "), "{shown:?}");
    }
}

#[test]
fn a_plan_of_three_faults_of_which_one_counts_is_minimized_to_that() {
    use tandem::testcase::{Fault, FaultPlan, FileRole, IoError, IoOperation, Lasts, Phase};
    let folder = folder();
    let case = file(folder.path(), "case.sql", CALLING);
    let saved = folder.path().join("saved");
    let words =
        format!("faults --once --kind oom --json --plant leak-on-error --save-dir {}", saved.display());
    let document = document(&fuzzcheck_on(&words, &[&case]).expect(1));
    let path = document["found"][0]["saved"].as_str().expect("a path").to_owned();
    let found = TestCase::decode_strict(&std::fs::read(path).expect("it was saved")).expect("a case");
    let (phase, lasts) = (Phase::Run, Lasts::Once);
    let others = [
        Fault::Io {
            operation: IoOperation::Read,
            role: Some(FileRole::Wal),
            error: IoError::Failed,
            nth: 9,
            lasts,
            phase,
        },
        Fault::Interrupt { nth: 90_000, lasts, phase },
    ];
    let faults = FaultPlan::new(others.into_iter().chain(found.faults.faults().iter().copied()));
    let planned = TestCase { faults, ..found };
    let planned = file(folder.path(), "planned", planned.encode());
    let to = folder.path().join("smaller");
    let words = format!("minimize --plant leak-on-error --minimize faults --to {}", to.display());
    fuzzcheck_on(&words, &[&planned]).expect(0);
    let smaller = TestCase::decode_strict(&std::fs::read(&to).expect("it was written")).expect("a case");
    assert!(matches!(smaller.faults.faults(), [Fault::Allocation { .. }]), "{:?}", smaller.faults);
}

#[test]
fn a_case_that_gets_smaller_keeps_its_fault() {
    use tandem::testcase::Fault;
    let folder = folder();
    let script =
        format!("CREATE TABLE u(b); INSERT INTO u VALUES(1), (2); SELECT * FROM u; {CALLING} DROP TABLE u;");
    let case = file(folder.path(), "case.sql", script);
    let saved = folder.path().join("saved");
    let words =
        format!("faults --once --kind oom --json --plant ignored-failure --save-dir {}", saved.display());
    let document = document(&fuzzcheck_on(&words, &[&case]).expect(1));
    let path = document["found"][0]["saved"].as_str().expect("a path");
    let nth = |path: &std::path::Path| {
        let case = TestCase::decode_strict(&std::fs::read(path).expect("it is there")).expect("a case");
        let [Fault::Allocation { nth, .. }] = case.faults.faults() else { panic!("{case:?}") };
        (*nth, case.sql.as_bytes().len())
    };
    let to = folder.path().join("smaller");
    let words = format!("minimize --plant ignored-failure --to {}", to.display());
    fuzzcheck_on(&words, &[path.as_ref()]).expect(0);
    let ((before, long), (after, short)) = (nth(path.as_ref()), nth(&to));
    assert!(0 < after && after < before && 2 * short < long, "{before} {long}, {after} {short}");
    let replay = "run --plant ignored-failure --oracles usual,fault";
    assert!(fuzzcheck_on(replay, &[&to]).expect(1).out.contains("fault/other-rows/allocation-SELECT"));
}

#[test]
fn an_interrupted_run_goes_on() {
    let folder = folder();
    // Long enough that it can be interrupted, and a case of its own, so that no state of it is there before.
    let rows = "INSERT INTO t(b) SELECT b || a FROM t;".repeat(6);
    let script = format!(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES('x{}'); {rows}",
        std::process::id()
    );
    let case = file(folder.path(), "case.sql", &script);
    let case = case.to_str().expect("UTF-8");
    let words = ["faults", case, "--kind", "oom,interrupt", "--json"];
    let id = TestCase::from_sql(script.as_str()).id();
    let state = project().join("target/faults").join(format!("{}.json", id.short()));
    let mut command = command();
    // As a shell starts it.
    command.args(words).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn();
    let child = wait_until(child.expect("it starts"), "the first state", || state.exists());
    press(&child);
    let ended = Ran::from(child.wait_with_output().expect("it ends"));
    // It may have been faster than the signal.
    let was_interrupted = ended.err.contains("interrupted: the same command goes on");
    assert!(was_interrupted || ended.out.contains("\"is_done\": true"), "{ended:?}");
    let rest = document(&fuzzcheck(words).expect(0));
    let whole = document(&fuzzcheck(words.into_iter().chain(["--fresh"])).expect(0));
    for name in ["oom once", "oom for good", "interrupt once", "interrupt for good"] {
        assert_eq!(of(&rest, name)["turns"], of(&whole, name)["turns"], "{name}");
        assert_eq!(of(&rest, name)["hits"], of(&whole, name)["hits"], "{name}");
    }
}

#[test]
fn what_cannot_be_run_with_faults_is_told() {
    let folder = folder();
    let case = |name: &str, script: &str| file(folder.path(), name, script);
    let broken = case("broken.sql", CALLING);
    let ran = fuzzcheck_on("faults --kind oom --plant internal-error", &[&broken]);
    ran.expect_error(&["broken.sql", "code/SQLITE_INTERNAL/SELECT", "without a fault"]);
    let long = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c) SELECT count(*) FROM c;";
    let ran = fuzzcheck_on("faults --kind oom", &[&case("long.sql", long)]);
    ran.expect_error(&["long.sql", "it is cut short", "raise that limit"]);
    let ran = fuzzcheck_on("faults --kind crash", &[&case("reads.sql", "SELECT 1;")]);
    ran.expect_error(&["no turn was judged"]);
    fuzzcheck(["faults", "no-such-case"]).expect_error(&["no-such-case"]);
    fuzzcheck_on("faults --kind everything", &[&broken]).expect_error(&["everything", "oom"]);
    fuzzcheck_on("faults --kind oom --plant nonsense", &[&broken]).expect_error(&["nonsense"]);
}
