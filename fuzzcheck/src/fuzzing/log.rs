//! What libFuzzer prints (<https://llvm.org/docs/LibFuzzer.html#output>).

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::replay::death;

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

/// The signature of the finding with which a run ended, from all that it printed.
pub(crate) fn signature(text: &str) -> String {
    if let Some(signature) = oracle(text) {
        return signature;
    }
    if death::has_overflowed(text) {
        let function = death::culprit(text, true);
        return format!("crash/stack-overflow/{}", function.as_deref().unwrap_or("-"));
    }
    if let Some((kind, function)) = death::sanitizer(text) {
        return format!("crash/{kind}/{}", function.as_deref().unwrap_or("-"));
    }
    if let Some(assertion) = death::assertion(text) {
        return format!("crash/assert/{assertion}");
    }
    if let Some(place) = panic_place(text) {
        return format!("crash/panic/{place}");
    }
    let Some((_, report)) = text.split_once("ERROR: libFuzzer: ") else {
        return "crash/unknown/-".to_owned();
    };
    let what = report.split(['\n', '(', ';']).next().unwrap_or_default();
    let what: Vec<&str> = what.split_ascii_whitespace().take_while(|&word| word != "after").collect();
    // Our own handler speaks before libFuzzer's.
    let function = death::culprit(report, false).or_else(|| death::culprit(text, false));
    let what = what.join("-").to_ascii_lowercase();
    // What `run` says of it.
    let what = death::told_signal(text).filter(|_| what == "deadly-signal").unwrap_or(&what);
    format!("crash/{what}/{}", function.as_deref().unwrap_or("-"))
}

/// The line after `panicked at src/oracles/…`, up to its message: `integrity/wrong-count/DELETE: …`.
fn oracle(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !(line.contains("panicked at ") && is_oracle(line)));
    lines.next()?;
    lines.next()?.split(": ").next().map(str::to_owned)
}

fn is_oracle(line: &str) -> bool {
    line.contains("src/oracles/")
}

/// File and line of any other panic.
fn panic_place(text: &str) -> Option<&str> {
    let place = text.split_once("panicked at ")?.1.split_ascii_whitespace().next()?.trim_end_matches(':');
    let mut parts = place.rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let end = file.len() + 1 + line.len();
    let start = file.rfind('/').map_or(0, |slash| slash + 1);
    place.get(start..end)
}

#[cfg(test)]
mod tests {
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
        let oracle = "\nthread '<unnamed>' (7) panicked at src/oracles/mod.rs:72:5:\n\
            code/SQLITE_CORRUPT/VACUUM: impossible result: (x)\n==1== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(signature(oracle), "code/SQLITE_CORRUPT/VACUUM");
        let asan = "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x6\n    #0 0x5 in sqlite3Step a.c\n";
        assert_eq!(signature(asan), "crash/asan-heap-use-after-free/sqlite3Step");
        let assert = "sql: sqlite3.c:7: int step(Vdbe *): Assertion `p' failed.\n==9== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(signature(assert), "crash/assert/step: p");
        let timeout = "==9== ERROR: libFuzzer: timeout after 60 seconds\n    #0 0x5 in __sanitizer_print (x)\n\
                           #1 0x5 in balance_nonroot sqlite3.c:1:2\n";
        assert_eq!(signature(timeout), "crash/timeout/balance_nonroot");
        let signal = "#2 INITED exec/s: 0\ntandem: signal 11\n    #0 0x5 in whereLoop sqlite3.c:1:2\n==9== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(super::signature(signal), "crash/SIGSEGV/whereLoop");
        let memory = "==9== ERROR: libFuzzer: out-of-memory (used: 2049Mb; limit: 2048Mb)\n";
        assert_eq!(signature(memory), "crash/out-of-memory/-");
        let panic = "thread 'main' panicked at /a/src/dbfile/cell.rs:7:9:\nindex out of bounds\n";
        assert_eq!(signature(panic), "crash/panic/cell.rs:7");
        assert_eq!(signature("Killed"), "crash/unknown/-");
    }
}
