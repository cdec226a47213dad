//! What a case showed in a build, and what was expected instead.

use tandem::engine::Code;

use super::Handed;
use crate::build::worker::Worker;
use crate::replay::FoundBug;
use crate::replay::protocol::{CaseDigest, CaseResult};

/// What a case showed in a build.
pub(crate) struct Seen {
    /// SQLite version.
    pub version: String,
    /// `sqlite3_sourceid()`.
    pub source_id: String,
    /// Name of the build.
    pub build: &'static str,
    /// Options of the build, without `SQLITE_`.
    pub compile_options: Vec<String>,
    /// The bugs, starting with the one that is handed over; empty if nothing was found.
    pub bugs: Vec<FoundBug>,
    /// What it did, if it ran to the end.
    digest: Option<CaseDigest>,
}

/// What is expected at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expectation {
    /// The run reaches its end.
    Ends,
    /// `PRAGMA integrity_check` says `ok` before the connection is closed.
    Integrity,
    /// It says so after the connection was closed and reopened.
    IntegrityAfterwards,
    /// The result code is not returned by the statement with this number or, if `None`, by any.
    NoCode(Code, Option<usize>),
    /// SQLite holds no memory afterwards.
    NoLeak,
    /// The connection can be closed.
    Closes,
}

impl Seen {
    /// What a worker reports about a case.
    pub(crate) fn new(worker: &Worker, result: CaseResult) -> Self {
        let bundled = tandem::engine::sqlite::version;
        Self {
            version: worker
                .configuration
                .sqlite
                .as_ref()
                .map_or_else(bundled, |sqlite| sqlite.title().to_owned()),
            source_id: worker.identity.source_id.clone(),
            build: worker.configuration.build.name(),
            compile_options: worker.identity.compile_options.clone(),
            bugs: result.bugs,
            digest: result.digest,
        }
    }

    /// The bug that is handed over.
    pub(crate) fn bug(&self) -> Option<&FoundBug> {
        self.bugs.first()
    }

    /// The signature in words, for readers unfamiliar with signatures.
    pub(super) fn title(&self) -> String {
        self.bug().map_or_else(|| "A case without a finding".to_owned(), |bug| title(&bug.signature))
    }

    /// The build in words.
    pub(super) fn build(&self) -> String {
        format!("SQLite {} ({}), {} build", self.version, self.source_id, self.build)
    }

    /// What should hold; the second part says what cannot be checked without Tandem.
    pub(super) fn expectation(&self, handed: &Handed) -> (Expectation, Option<&'static str>) {
        let Some(bug) = self.bug() else {
            return (Expectation::Ends, None);
        };
        let mut parts = bug.signature.splitn(3, '/');
        let (oracle, kind, detail) = (parts.next(), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        match oracle {
            Some("integrity") => (Expectation::Integrity, None),
            Some("format") => (
                Expectation::IntegrityAfterwards,
                Some("the file is judged by integrity_check, which may not see what Tandem's own reader saw"),
            ),
            Some("code") => match Code::by_name(kind) {
                Some(code) => (Expectation::NoCode(code, self.statement_with(code, detail, handed)), None),
                None => (Expectation::Ends, Some("the result code has no name here")),
            },
            Some("memory") if kind == "page-overrun" => {
                (Expectation::Ends, Some("the bytes behind a page are not looked at"))
            }
            Some("memory") => (Expectation::NoLeak, None),
            Some("close") => (Expectation::Closes, None),
            Some("files") => (Expectation::Ends, Some("whether a file stays open is not looked at")),
            Some("determinism" | "uninitialized") => {
                (Expectation::Ends, Some("one run is not compared with another"))
            }
            _ => (Expectation::Ends, None),
        }
    }

    /// The number of the first statement with this verb that returned the code.
    fn statement_with(&self, code: Code, verb: &str, handed: &Handed) -> Option<usize> {
        let mut statements = self.digest.iter().flat_map(|digest| &digest.statements);
        let found = statements.find(|found| {
            found.verb == verb && Code(found.code).name() == code.name() && !found.sql.is_empty()
        })?;
        handed.statement_at(found.sql.start)
    }
}

/// A signature in words; the signature itself if its kind has no description.
fn title(signature: &str) -> String {
    let parts: Vec<&str> = signature.splitn(3, '/').collect();
    let [oracle, kind, detail] = parts[..] else {
        return signature.to_owned();
    };
    let words = |text: &str| text.replace('-', " ");
    let is_verb = !detail.is_empty() && detail.bytes().all(|byte| byte.is_ascii_uppercase());
    let place = match detail {
        "-" | "" => String::new(),
        "after-close" => " after the connection was closed".to_owned(),
        verb if is_verb => format!(" at {verb}"),
        function => format!(" in {function}()"),
    };
    match (oracle, kind) {
        ("crash", "assert") => format!("Assertion fails{place}"),
        ("crash", "stack-overflow") => format!("Infinite recursion{place}"),
        ("crash", kind) => {
            let tools = [
                ("asan-", "AddressSanitizer: "),
                ("ubsan-", "Undefined behavior: "),
                ("valgrind-", "Valgrind: "),
            ];
            let tool = tools.iter().find_map(|(mark, tool)| Some((kind.strip_prefix(mark)?, *tool)));
            tool.map_or_else(|| format!("{kind}{place}"), |(class, tool)| format!("{tool}{class}{place}"))
        }
        ("hang", _) => format!("Does not terminate{place}"),
        ("integrity" | "format", kind) => {
            format!("A well-formed database is corrupted: {}{place}", words(kind))
        }
        ("code", kind) => format!("{kind}{place}, which should not be possible"),
        ("memory", "page-overrun") => format!("Something is written past a page{place}"),
        ("memory", _) => "Memory is not freed when the connection is closed".to_owned(),
        ("files", _) => "A file stays open when the connection is closed".to_owned(),
        ("close", kind) => format!("The connection cannot be closed: {kind}"),
        ("determinism", _) => "Two runs of the same case differ".to_owned(),
        ("uninitialized", _) => "What a case shows depends on memory that was never written".to_owned(),
        _ => signature.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_words() {
        let titles = [
            ("crash/asan-heap-buffer-overflow/f5", "AddressSanitizer: heap-buffer-overflow in f5()"),
            ("crash/assert/sqlite3Utf16to8", "Assertion fails in sqlite3Utf16to8()"),
            ("crash/SIGSEGV/SELECT", "SIGSEGV at SELECT"),
            ("crash/SIGSEGV/-", "SIGSEGV"),
            ("hang/timeout/SELECT", "Does not terminate at SELECT"),
            ("integrity/never-used/VACUUM", "A well-formed database is corrupted: never used at VACUUM"),
            ("code/SQLITE_CORRUPT/DELETE", "SQLITE_CORRUPT at DELETE, which should not be possible"),
            ("something else", "something else"),
            ("new/kind/x", "new/kind/x"),
        ];
        for (signature, words) in titles {
            assert_eq!(title(signature), words);
        }
    }
}
