//! Which function a stack is named after.
//!
//! ClusterFuzz groups crashes by their three topmost frames, and ignores those of libraries
//! (<https://google.github.io/clusterfuzz/reference/glossary/>: crash state). In SQLite, callers would split one bug
//! into several: what `sqlite3ExprCode` trips over may come from anywhere. So a single function is blamed here. If that
//! is a mere helper, which copies a value or frees memory, the name also has its first caller that is not a helper.

/// Prefixes of functions that are ignored: of sanitizers, the internals of the C library, Rust and this harness.
const NOT_SQLITE: [&str; 15] = [
    "__",
    "_GI_",
    "_start",
    "core::",
    "alloc::",
    "std::",
    "<",
    "_<",
    "_ZN",
    "_R",
    "tandem::",
    "fuzzer::",
    "fuzzcheck::",
    "backtrace::",
    "rust_fuzzer",
];

/// Functions of the C library in which faults show up; they are ignored, too.
const C_LIBRARY: [&str; 20] = [
    "main", "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp", "strncmp", "strchr",
    "strcpy", "strspn", "strcspn", "malloc", "calloc", "realloc", "free", "abort", "raise", "gsignal",
];

/// Prefixes of functions that help all others: memory, values, text, numbers, hashes, walks.
const HELPERS: [&str; 33] = [
    "sqlite3_free",
    "sqlite3_malloc",
    "sqlite3_realloc",
    "sqlite3_msize",
    "sqlite3Malloc",
    "sqlite3Realloc",
    "sqlite3Db",
    "mallocWithAlarm",
    "measureAllocationSize",
    "dbMallocRawFinish",
    "dbReallocFinish",
    "sqlite3VdbeMem",
    "vdbeMem",
    "sqlite3ValueFree",
    "sqlite3ValueText",
    "valueToText",
    "sqlite3VdbeSerial",
    "serialGet",
    "sqlite3GetVarint",
    "sqlite3PutVarint",
    "sqlite3Get4byte",
    "sqlite3Put4byte",
    "sqlite3Strlen30",
    "sqlite3StrICmp",
    "sqlite3_str",
    "sqlite3_snprintf",
    "sqlite3Utf8Read",
    "sqlite3HashFind",
    "findElementWithHash",
    "sqlite3Walk",
    "walkExpr",
    "binCollFunc",
    "nocaseCollatingFunc",
];

/// Frames of an overflowed stack that are looked at, at most.
const OVERFLOW_FRAMES_MAX: usize = 120;

/// Whether a function is never blamed: it belongs to the sanitizer, the C library, Rust or the harness.
pub fn is_ignored(function: &str) -> bool {
    // With only line tables, an inlined Rust function has no path before its name, but it may have type arguments.
    function.contains('<')
        || C_LIBRARY.contains(&function)
        || NOT_SQLITE.iter().any(|known| function.starts_with(known))
}

/// What a stack is named after: a function, or `helper<function`. `functions` are innermost first, inlined ones
/// included; `None` if all of them are ignored.
///
/// A stack may overflow anywhere in the cycle of calls that fills it, so such a stack is named after the function of the
/// cycle that comes first in the alphabet.
pub fn blame<'f>(functions: impl IntoIterator<Item = &'f str>, is_overflow: bool) -> Option<String> {
    let mut functions = functions.into_iter().filter(|function| !is_ignored(function));
    if is_overflow {
        return cycle(&functions.take(OVERFLOW_FRAMES_MAX).collect::<Vec<_>>());
    }
    let first = functions.next()?;
    if !is_helper(first) {
        return Some(first.to_owned());
    }
    match functions.find(|function| !is_helper(function)) {
        Some(caller) => Some(format!("{first}<{caller}")),
        None => Some(first.to_owned()),
    }
}

/// What an allocation is named after: the innermost function that did not make it on behalf of another. `functions` as for [`blame`].
pub fn blame_allocation<'f>(functions: impl IntoIterator<Item = &'f str>) -> Option<String> {
    let mut functions = functions.into_iter().filter(|function| !is_ignored(function));
    functions.find(|function| !is_helper(function)).map(str::to_owned)
}

fn is_helper(function: &str) -> bool {
    HELPERS.iter().any(|known| function.starts_with(known))
}

/// Of the functions that occur about as often as the most frequent one, the first in the alphabet.
fn cycle(functions: &[&str]) -> Option<String> {
    let count = |function: &str| functions.iter().filter(|&&other| other == function).count();
    let most = functions.iter().map(|function| count(function)).max()?;
    let members = functions.iter().filter(|function| 2 * count(function) > most);
    members.min().map(|function| (*function).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_after_the_function_at_fault() {
        let stack = ["__asan_memcpy", "core::ptr::read", "sqlite3VdbeExec:Column", "sqlite3Step"];
        assert_eq!(blame(stack, false).as_deref(), Some("sqlite3VdbeExec:Column"));
        let stack = ["sqlite3VdbeMemRelease", "sqlite3ValueFree", "whereClear", "sqlite3Select"];
        assert_eq!(blame(stack, false).as_deref(), Some("sqlite3VdbeMemRelease<whereClear"));
        assert_eq!(blame(["sqlite3_free", "tandem::run"], false).as_deref(), Some("sqlite3_free"));
        assert_eq!(blame(["raise", "abort", "tandem::run"], false), None);
        let stack = ["from_elem<alloc::alloc::Global>", "sqlite3VdbeExec:Function", "sqlite3Step"];
        assert_eq!(blame(stack, false).as_deref(), Some("sqlite3VdbeExec:Function"));
        // Not the C library's, though they sound like it.
        for own in ["freeSpace", "memjrnlRead", "strftimeFunc", "mallocSomething"] {
            assert_eq!(
                blame(["___interceptor_strlen", "__memcpy_avx_unaligned", own], false).as_deref(),
                Some(own)
            );
        }
    }

    #[test]
    fn an_allocation_is_named_after_who_asked_for_it() {
        let stack = [
            "tandem::faults::alloc::allocate",
            "mallocWithAlarm",
            "sqlite3DbStrDup",
            "sqlite3Fts3Open",
            "main",
        ];
        assert_eq!(blame_allocation(stack).as_deref(), Some("sqlite3Fts3Open"));
        assert_eq!(blame_allocation(["sqlite3Malloc", "tandem::run"]), None);
    }

    #[test]
    fn an_overflow_has_one_name_wherever_it_ends() {
        let cycle = ["exprA", "walkB", "selectC"];
        let names: Vec<_> = (0..3)
            .map(|start| {
                let frames = (0..60).map(|i| cycle[(start + i) % 3]).chain(["main"]);
                blame(["memset"].into_iter().chain(frames), true)
            })
            .collect();
        assert_eq!(names, vec![Some("exprA".to_owned()); 3]);
    }
}
