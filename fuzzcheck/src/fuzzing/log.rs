//! What libFuzzer prints (<https://llvm.org/docs/LibFuzzer.html#output>).

use std::path::{Path, PathBuf};

use serde::Serialize;
use tandem::oracles;

use crate::replay::death;

/// The signature of what ended a run without a word, as the kernel does.
pub(crate) const UNKNOWN: &str = "crash/unknown/-";

/// A status line: `#512 NEW cov: 9 ft: 12 corp: 3/45b lim: 6 exec/s: 7 rss: 8Mb …`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    /// Executions since the process began.
    pub executions: u64,
    /// Edges that were reached.
    pub edges: u64,
    /// Features: edges with how often, comparisons.
    pub features: u64,
    /// Cases in the corpus.
    pub corpus_cases: u64,
}

impl Status {
    /// Reads a line; `None` for one of another kind.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix('#')?.split_ascii_whitespace();
        let mut status = Self { executions: words.next()?.parse().ok()?, ..Self::default() };
        let words: Vec<&str> = words.collect();
        let after = |name: &str| {
            let at = words.iter().position(|&word| word == name)?;
            words.get(at + 1)?.split('/').next()?.parse().ok()
        };
        status.edges = after("cov:")?;
        status.features = after("ft:")?;
        status.corpus_cases = after("corp:").unwrap_or(0);
        Some(status)
    }
}

/// The count in `stat::number_of_executed_units: N`, which is exact where the last status line is old.
pub(crate) fn executed_units(line: &str) -> Option<u64> {
    line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok()
}

/// The file in `artifact_prefix='…'; Test unit written to FILE`.
pub(crate) fn artifact(line: &str) -> Option<PathBuf> {
    line.split_once("Test unit written to ").map(|(_, path)| PathBuf::from(path.trim()))
}

/// Whether the file is a finding; libFuzzer also keeps cases that were merely slow.
pub(crate) fn is_finding(artifact: &Path) -> bool {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    ["crash-", "oom-", "timeout-", "leak-"].iter().any(|kind| name.starts_with(kind))
}

/// What ended a run that left an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A finding, with its signature.
    Finding(String),
    /// A bug in this harness, which is no finding; in words.
    Harness(String),
}

/// The message for a case in which the harness failed.
pub(crate) fn harness_error(what: &str) -> String {
    format!("the target failed, which is a bug in Tandem and not in SQLite: {what}; the case is kept")
}

/// What ended a run, from all that it printed.
pub(crate) fn ending(text: &str) -> Ending {
    if let Some(signature) = oracle(text) {
        return Ending::Finding(signature);
    }
    if let Some((kind, function)) = death::told(text) {
        return Ending::Finding(death::signature(&kind, function.as_deref()));
    }
    if let Some(place) = death::panic_place(text) {
        return Ending::Harness(format!("panicked at {place}"));
    }
    let Some((_, report)) = text.split_once("ERROR: libFuzzer: ") else {
        return Ending::Finding(UNKNOWN.to_owned());
    };
    let what = report.split(['\n', '(', ';']).next().unwrap_or_default();
    if what.trim() == "fuzz target exited" {
        return Ending::Harness(what.trim().to_owned());
    }
    let what: Vec<&str> = what.split_ascii_whitespace().take_while(|&word| word != "after").collect();
    // Our own handler runs before libFuzzer's.
    let function = death::blamed_function(report, false).or_else(|| death::blamed_function(text, false));
    let what = what.join("-").to_ascii_lowercase();
    // What `run` says of it.
    let what = death::told_signal(text).filter(|_| what == "deadly-signal").unwrap_or(&what);
    Ending::Finding(death::signature(what, function.as_deref()))
}

/// The line after `panicked at …`, up to its message: `integrity/wrong-count/DELETE: …`. What panics by mistake, an oracle
/// or anything else, does not begin with an oracle's name and two more parts.
fn oracle(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains("panicked at "));
    lines.next()?;
    let (signature, _) = lines.next()?.split_once(": ")?;
    let mut parts = signature.splitn(3, '/');
    let name = parts.next()?;
    let is_signature = parts.count() == 2 && oracles::all().iter().any(|entry| entry.name == name);
    is_signature.then(|| signature.to_owned())
}

#[cfg(test)]
mod tests {
    use tandem::stack::OVERFLOW;

    use super::*;

    #[test]
    fn status_lines_are_read() {
        let line = "#1024\tpulse  cov: 27190 ft: 89225 corp: 685/1818Kb lim: 1000000 exec/s: 102 rss: 427Mb";
        let expected = Status { executions: 1024, edges: 27190, features: 89225, corpus_cases: 685 };
        assert_eq!(Status::parse(line), Some(expected));
        assert_eq!(Status::parse("#2 INITED exec/s: 0"), None);
        assert_eq!(Status::parse("INFO: Seed: 1"), None);
        assert_eq!(executed_units("stat::number_of_executed_units: 77"), Some(77));
        let file = artifact("artifact_prefix='a/'; Test unit written to a/crash-01").unwrap();
        assert!(is_finding(&file) && !is_finding(Path::new("a/slow-unit-01")));
    }

    #[test]
    fn findings_have_stable_signatures() {
        let signature = |text: &str| match ending(text) {
            Ending::Finding(signature) => signature,
            Ending::Harness(what) => panic!("{what}"),
        };
        let oracle = "\nthread '<unnamed>' (7) panicked at src/oracles/mod.rs:72:5:\n\
            code/SQLITE_CORRUPT/VACUUM: impossible result: (x)\n==1== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(signature(oracle), "code/SQLITE_CORRUPT/VACUUM");
        let asan = "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x6\n    #0 0x5 in sqlite3Step a.c\n";
        assert_eq!(signature(asan), "crash/asan-heap-use-after-free/sqlite3Step");
        let assert = "sql: sqlite3.c:7: int step(Vdbe *): Assertion `p' failed.\n==9== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(signature(assert), "crash/assert/step: p");
        let timeout = "==9== ERROR: libFuzzer: timeout after 60 seconds\n    #0 0x5 in __sanitizer_print (x)\n\
                           #1 0x5 in balance_nonroot sqlite3.c:1:2\n";
        assert_eq!(signature(timeout), "hang/timeout/balance_nonroot");
        let signal = "#2 INITED exec/s: 0\ntandem: signal 11\n    #0 0x5 in whereLoop sqlite3.c:1:2\n==9== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(ending(signal), Ending::Finding("crash/SIGSEGV/whereLoop".to_owned()));
        let memory = "==9== ERROR: libFuzzer: out-of-memory (used: 2049Mb; limit: 2048Mb)\n";
        assert_eq!(signature(memory), "crash/out-of-memory/-");
        let overflow = format!(
            "{}\ntandem: signal 11\n{}==9== ERROR: libFuzzer: deadly signal\n",
            OVERFLOW,
            "    #0 0x5 in f a.c:1:2\n".repeat(3)
        );
        assert_eq!(signature(&overflow), "crash/stack-overflow/f");
        assert_eq!(signature("Killed"), UNKNOWN);
    }

    #[test]
    fn what_this_harness_does_wrong_is_no_finding() {
        let harness = |what: &str| Ending::Harness(what.to_owned());
        let panic = "thread 'main' panicked at /a/src/dbfile/cell.rs:7:9:\nindex out of bounds\n==1== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(ending(panic), harness("panicked at cell.rs:7"));
        let in_oracle = "thread 'main' panicked at /a/src/oracles/format.rs:7:9:\nindex/out/of bounds: 3\n";
        assert_eq!(ending(in_oracle), harness("panicked at format.rs:7"));
        assert_eq!(ending("==9== ERROR: libFuzzer: fuzz target exited\n"), harness("fuzz target exited"));
    }
}
