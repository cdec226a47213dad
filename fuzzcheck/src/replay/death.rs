//! Interprets the end of a worker: which kind of crash, in which function.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tandem::stack::{OVERFLOW, blame, is_ignored};

use super::symbols::SIGNAL_PREFIX;

/// Why the parent ended a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kill {
    /// The case exceeded its CPU time.
    CpuTime,
    /// The case used little CPU time, but did not end.
    WallTime,
    /// The user interrupted.
    Interrupt,
}

/// The cause of a death.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// What happened, as in a signature: `SIGSEGV`, `asan-heap-buffer-overflow`, `hang`.
    pub kind: String,
    /// The function in which it happened, where that is known.
    pub function: Option<String>,
    /// The last output of the worker, for people.
    pub message: String,
    /// Who is to blame.
    pub fault: Fault,
}

/// Who is to blame for a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// SQLite, as far as can be told.
    Sqlite,
    /// Our own code.
    Harness,
    /// The worker's memory limit: our own code ran out of memory.
    MemoryLimit,
}

/// The kind of what asked for more memory than there is: no sanitizer's own.
const OUT_OF_MEMORY: &str = "out-of-memory";
/// Longest message in characters.
const MESSAGE_CHARS_MAX: usize = 3000;
/// Longest text of an assertion in a signature, in characters.
const ASSERTION_CHARS_MAX: usize = 80;

/// The cause of the death of a worker that ended with `status` and wrote `stderr`.
pub(super) fn classify(status: ExitStatus, stderr: &str, kill: Option<Kill>) -> Cause {
    let message = last_words(stderr, &status.to_string());
    let cause = |kind: &str, function: Option<String>| Cause {
        kind: kind.to_owned(),
        function,
        message: message.clone(),
        fault: Fault::Sqlite,
    };
    if let Some(kill) = kill {
        return cause(if kill == Kill::CpuTime { "timeout" } else { "blocked" }, loop_of(stderr));
    }
    if let Some((kind, function)) = told(stderr) {
        // With SQLite on the stack, it is what asks for the memory.
        let is_own = kind == OUT_OF_MEMORY && function.is_none() && told_signal(stderr).is_some();
        let fault = if is_own { Fault::MemoryLimit } else { Fault::Sqlite };
        return Cause { fault, ..cause(&kind, function) };
    }
    if panic_place(stderr).is_some() {
        return Cause { fault: Fault::Harness, ..cause("panic", None) };
    }
    // A sanitizer's handler may come after ours and end the process in another way.
    match told_signal(stderr).or(status.signal().map(signal_name)) {
        Some(signal) => cause(signal, blamed_function(stderr, false)),
        None => Cause { fault: Fault::Harness, ..cause("exit", None) },
    }
}

/// The fault that a process reports when it dies: its kind, and the function if known. `None` if there is only a
/// signal, an exit code or a panic.
pub(crate) fn told(text: &str) -> Option<(String, Option<String>)> {
    if has_overflowed(text) {
        return Some(("stack-overflow".to_owned(), blamed_function(text, true)));
    }
    let is_out_of_memory = text.contains("memory allocation of ") && text.contains(" failed");
    if is_out_of_memory || text.contains("hard rss limit exhausted") {
        return Some((OUT_OF_MEMORY.to_owned(), blamed_function(text, false)));
    }
    sanitizer(text).or_else(|| Some(("assert".to_owned(), Some(assertion(text)?)))).or_else(|| valgrind(text))
}

/// The signature of a fault: what ends a process is a crash, what does not end is a hang.
pub(crate) fn signature(kind: &str, function: Option<&str>) -> String {
    let class = if ["timeout", "blocked"].contains(&kind) { "hang" } else { "crash" };
    format!("{class}/{kind}/{}", function.unwrap_or("-"))
}

/// File and line of a panic.
pub(crate) fn panic_place(text: &str) -> Option<&str> {
    let place = text.split_once("panicked at ")?.1.split_ascii_whitespace().next()?.trim_end_matches(':');
    let mut parts = place.rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let end = file.len() + 1 + line.len();
    let start = file.rfind('/').map_or(0, |slash| slash + 1);
    place.get(start..end)
}

/// The end of what was written, or what else is known.
fn last_words(stderr: &str, otherwise: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() {
        return otherwise.to_owned();
    }
    // Sanitizers say the most important first, everything else last.
    let valgrind = || VALGRIND.iter().find_map(|(words, _)| text.find(words));
    if let Some(at) = text.find("ERROR: ").or_else(|| text.find(": runtime error: ")).or_else(valgrind) {
        return text[at..].chars().take(MESSAGE_CHARS_MAX).collect();
    }
    let skip = text.chars().count().saturating_sub(MESSAGE_CHARS_MAX);
    text.chars().skip(skip).collect()
}

/// Class and function of a sanitizer's report.
fn sanitizer(stderr: &str) -> Option<(String, Option<String>)> {
    if let Some((_, report)) = stderr.split_once("ERROR: AddressSanitizer: ") {
        let class = report.split([' ', ':', '\n']).next().unwrap_or_default();
        // Too large for AddressSanitizer's allocator is too large for any.
        let kind = match class {
            "allocator" | "out" | "requested" | "allocation-size-too-big" => OUT_OF_MEMORY.to_owned(),
            _ => format!("asan-{class}"),
        };
        return Some((kind, blamed_function(report, false)));
    }
    let (_, report) = stderr.split_once(": runtime error: ")?;
    let words = report.split(['\n', ':']).next().unwrap_or_default().split(' ');
    let plain =
        words.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'));
    let class: Vec<&str> = plain.take(4).collect();
    Some((format!("ubsan-{}", class.join("-")), blamed_function(report, false)))
}

/// The functions of each stack in a report, innermost first.
fn stacks(report: &str) -> Vec<Vec<&str>> {
    let mut stacks = Vec::new();
    for line in report.lines() {
        let Some((number, rest)) =
            line.trim_start().strip_prefix('#').and_then(|line| line.split_once(" 0x"))
        else {
            continue;
        };
        if number == "0" || stacks.is_empty() {
            stacks.push(Vec::new());
        }
        // What is inlined from Rust has a name of its own, and a file that tells.
        if let (Some((_, place)), Some(stack)) = (rest.split_once(" in "), stacks.last_mut())
            && !line.contains(".rs:")
        {
            stack.extend(place.split([' ', '(']).next());
        }
    }
    stacks
}

/// The function that the first stack of a report is blamed on.
pub(crate) fn blamed_function(report: &str, is_overflow: bool) -> Option<String> {
    // A second stack shows who freed or allocated the memory.
    blame(stacks(report).into_iter().next()?, is_overflow)
}

/// What valgrind says, and what it is called in a signature.
const VALGRIND: [(&str, &str); 7] = [
    ("Invalid read of size", "invalid-read"),
    ("Invalid write of size", "invalid-write"),
    ("Invalid free()", "invalid-free"),
    ("Conditional jump or move depends on uninitialised", "uninitialised"),
    ("Use of uninitialised value", "uninitialised"),
    ("contains uninitialised byte", "uninitialised"),
    ("Source and destination overlap", "overlap"),
];

/// Class and function of a report of valgrind, whose lines begin with `==PID==`.
fn valgrind(stderr: &str) -> Option<(String, Option<String>)> {
    let mut lines =
        stderr.lines().filter_map(|line| line.strip_prefix("==")?.split_once("== ")).map(|(_, text)| text);
    let class = lines.find_map(|line| VALGRIND.iter().find(|(text, _)| line.contains(text)))?.1;
    let frames = lines.map_while(|line| {
        line.trim_start()
            .split_once(": ")
            .filter(|(at, _)| at.starts_with("at 0x") || at.starts_with("by 0x"))
    });
    let frames = frames.filter(|(_, place)| !place.contains(".rs:"));
    let functions = frames.filter_map(|(_, function)| function.split([' ', '(']).next());
    let function = functions.into_iter().find(|function| !is_ignored(function));
    Some((format!("valgrind-{class}"), function.map(str::to_owned)))
}

/// Whether a stack has overflowed, by our own handler's word, Rust's or AddressSanitizer's.
fn has_overflowed(stderr: &str) -> bool {
    stderr.contains(OVERFLOW)
        || stderr.contains("has overflowed its stack")
        || stderr.contains("ERROR: AddressSanitizer: stack-overflow")
}

/// Function and text of a failed `assert()`, which the C library tells as
/// `program: file:line: function: Assertion …`; since 2.38 the function comes with its parameters.
fn assertion(stderr: &str) -> Option<String> {
    let line = stderr.lines().find(|line| line.contains(": Assertion `"))?;
    let (before, text) = line.split_once(": Assertion `")?;
    let function = before.rsplit(": ").next()?.split('(').next()?;
    let function = function.split([' ', '*']).rfind(|word| !word.is_empty())?;
    let text = text.rsplit_once("' failed").map_or(text, |(text, _)| text);
    let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("{function}: {}", text.chars().take(ASSERTION_CHARS_MAX).collect::<String>()))
}

/// The function that went round while the process was asked several times where it is: the innermost that was
/// there each time.
fn loop_of(stderr: &str) -> Option<String> {
    let stacks = stacks(stderr);
    let first = stacks.first()?.clone();
    let mut stacks = stacks.into_iter();
    let mut common = stacks.next()?;
    for stack in stacks {
        let same =
            common.iter().rev().zip(stack.iter().rev()).take_while(|(one, other)| name(one) == name(other));
        let same = same.count();
        common.drain(..common.len() - same);
        // Where the opcode differs, the loop is that of the statement.
        if let (Some(one), Some(other)) = (common.first_mut(), stack.get(stack.len() - same))
            && one != other
        {
            *one = name(one);
        }
    }
    // Stacks of a recursion that are too deep to be seen to their ends have none in common.
    if common.is_empty() { blame(first, true) } else { blame(common, false) }
}

/// A function without the opcode behind it.
fn name(function: &str) -> &str {
    function.split(':').next().unwrap_or(function)
}

/// The name of the first signal of a stack of our own that ended the process.
pub(crate) fn told_signal(text: &str) -> Option<&'static str> {
    let told = text.lines().filter_map(|line| line.strip_prefix(SIGNAL_PREFIX)?.trim().parse().ok());
    told.map(signal_name).find(|name| *name != "signal")
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        _ => "signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_signal(signal: i32, stderr: &str) -> Cause {
        classify(ExitStatus::from_raw(signal), stderr, None)
    }

    #[test]
    fn causes_are_told_apart() {
        let short = |cause: Cause| (cause.kind, cause.function, cause.fault == Fault::Harness);
        assert_eq!(short(by_signal(11, "")), ("SIGSEGV".to_owned(), None, false));
        let asan = "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6\n\
            READ of size 1\n    #0 0x55 in __asan_memcpy (x+1)\n    #1 0x55 in read<u8> /x/mod.rs:1:2\n    \
            #2 0x56 in sqlite3VdbeExec /x/sqlite3.c:9:3\n\nfreed by:\n    #0 0x1 in sqlite3Other a.c\n";
        let expected = ("asan-heap-buffer-overflow".to_owned(), Some("sqlite3VdbeExec".to_owned()), false);
        assert_eq!(short(by_signal(6, asan)), expected);
        let ubsan = "sqlite3.c:5:3: runtime error: signed integer overflow: 1 + 2 cannot be represented\n    #0 0x1 in exprDup x.c\n";
        assert_eq!(
            short(by_signal(6, ubsan)),
            ("ubsan-signed-integer-overflow".to_owned(), Some("exprDup".to_owned()), false)
        );
        let assert = "fuzzcheck: sqlite3.c:77: pagerFixMaplimit: Assertion `pPager' failed.\n";
        assert_eq!(
            short(by_signal(6, assert)),
            ("assert".to_owned(), Some("pagerFixMaplimit: pPager".to_owned()), false)
        );
        let with_parameters = "x: sqlite3.c:7: u8 *getPage(Pager *): Assertion `p' failed.\n";
        assert_eq!(by_signal(6, with_parameters).function.as_deref(), Some("getPage: p"));
        let valgrind = "==9== Conditional jump or move depends on uninitialised value(s)\n\
            ==9==    at 0x48: memcmp (vg_replace.c:1)\n==9==    by 0x12: vdbeRecordCompareString (sqlite3.c:9)\n==9== \n";
        let expected =
            ("valgrind-uninitialised".to_owned(), Some("vdbeRecordCompareString".to_owned()), false);
        assert_eq!(short(classify(ExitStatus::from_raw(99 << 8), valgrind, None)), expected);
        assert_eq!(by_signal(6, "memory allocation of 99 bytes failed").kind, "out-of-memory");
        assert_eq!(
            by_signal(6, "thread 'main' has overflowed its stack\nfatal runtime error: stack overflow").kind,
            "stack-overflow"
        );
        let panic = by_signal(6, "thread 'main' panicked at src/x.rs:1:2:\nno");
        assert_eq!(panic.fault, Fault::Harness);
        let starved = |stack: &str| {
            by_signal(6, &format!("memory allocation of 9 bytes failed\ntandem: signal 6\n{stack}")).fault
        };
        assert_eq!(starved("    #0 0x5 in sqlite3Step x.c:1\n"), Fault::Sqlite);
        assert_eq!(starved(""), Fault::MemoryLimit);
        let large =
            "==7==ERROR: AddressSanitizer: requested allocation size 0x7fffffff\n    #0 0x55 in f x.c:1\n";
        assert_eq!(short(by_signal(6, large)), ("out-of-memory".to_owned(), Some("f".to_owned()), false));
        // UBSan's handler comes behind ours, and exits.
        let told = classify(ExitStatus::from_raw(1 << 8), "tandem: signal 11\n    #0 0x5 in f x.c:1\n", None);
        assert_eq!(short(told), ("SIGSEGV".to_owned(), Some("f".to_owned()), false));
        assert_eq!(classify(ExitStatus::from_raw(2 << 8), "", None).fault, Fault::Harness);
        assert_eq!(classify(ExitStatus::from_raw(9), "", Some(Kill::CpuTime)).kind, "timeout");
    }

    #[test]
    fn a_hang_is_named_after_what_goes_round() {
        let stack = |functions: &[&str]| -> String {
            let frame =
                |(number, function): (usize, &&str)| format!("    #{number} 0x1 in {function} a.c:1\n");
            functions.iter().enumerate().map(frame).collect()
        };
        let text = [
            stack(&["memcpy", "readCell", "walkList", "sqlite3VdbeExec:Next", "sqlite3Step"]),
            stack(&["walkList", "sqlite3VdbeExec:Next", "sqlite3Step"]),
            stack(&["checkCell", "walkList", "sqlite3VdbeExec:Next", "sqlite3Step"]),
        ];
        let hang = |text: &str| classify(ExitStatus::from_raw(9), text, Some(Kill::CpuTime)).function;
        assert_eq!(hang(&text.concat()).as_deref(), Some("walkList"));
        // A loop of opcodes is the statement's.
        let other = stack(&["sqlite3VdbeExec:Column", "sqlite3Step"]);
        assert_eq!(hang(&[&text[0], &other[..]].concat()).as_deref(), Some("sqlite3VdbeExec"));
        assert_eq!(hang(""), None);
        // Deeper than what is taken of it, so that no two of the stacks meet.
        let deep = ["exprB", "exprA", "listC"];
        let turned = |by: usize| stack(&(0..60).map(|at| deep[(at + by) % 3]).collect::<Vec<_>>());
        let other = stack(&["memcpy", "elsewhere"]);
        assert_eq!(hang(&[turned(0), turned(1), other].concat()).as_deref(), Some("exprA"));
    }
}
