//! The ways to build SQLite, each of which finds different bugs.

use clap::ValueEnum;

/// A way to build and run SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum BuildKind {
    /// No sanitizer: the fastest.
    Release,
    /// AddressSanitizer.
    Asan,
    /// AddressSanitizer and SQLITE_DEBUG: SQLite's assertions.
    Debug,
    /// The undefined-behavior sanitizer.
    Ubsan,
    /// SQLITE_DEBUG and SQLITE_MEMDEBUG: SQLite's own guards around allocations and their types.
    Memdebug,
    /// AddressSanitizer, and SQLite without the limits on memory and printf of `.cargo/config.toml`, which keep cases
    /// fast and hide what lies beyond them.
    Unlimited,
    /// Counts lines and branches.
    Coverage,
    /// The release build under valgrind: memory that is read before it is written. Very slow.
    Valgrind,
}

impl BuildKind {
    /// The builds in which cases are judged, the default first; coverage is for counting.
    pub const JUDGING: [Self; 7] = [
        Self::Release,
        Self::Asan,
        Self::Debug,
        Self::Ubsan,
        Self::Memdebug,
        Self::Unlimited,
        Self::Valgrind,
    ];

    /// The builds that can be fuzzed, the default first: valgrind is too slow.
    pub const FUZZED: [Self; 6] =
        [Self::Asan, Self::Release, Self::Debug, Self::Ubsan, Self::Memdebug, Self::Unlimited];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Asan => "asan",
            Self::Debug => "debug",
            Self::Ubsan => "ubsan",
            Self::Memdebug => "memdebug",
            Self::Unlimited => "unlimited",
            Self::Coverage => "coverage",
            Self::Valgrind => "valgrind",
        }
    }

    /// What `TANDEM_BUILD` is for `.cargo/cc`: valgrind runs the release build.
    pub(crate) fn built_as(self) -> Self {
        if self == Self::Valgrind { Self::Release } else { self }
    }

    /// Whether the harness, too, is built with AddressSanitizer, whose runtime Rust then links.
    pub(crate) fn has_address_sanitizer(self) -> bool {
        matches!(self, Self::Asan | Self::Debug | Self::Unlimited)
    }

    /// Whether clang links the program, for the runtime of its own sanitizer or counters.
    pub(crate) fn is_linked_by_clang(self) -> bool {
        matches!(self, Self::Ubsan | Self::Coverage)
    }

    /// Whether a worker's address space may be limited: shadow memory alone takes terabytes of it.
    pub(crate) fn limits_address_space(self) -> bool {
        !self.has_address_sanitizer() && self != Self::Valgrind
    }

    /// How many times as long as in the release build a case may run.
    pub(crate) fn slowness(self) -> u64 {
        match self {
            Self::Release => 1,
            Self::Coverage | Self::Ubsan => 3,
            Self::Asan | Self::Unlimited => 5,
            Self::Debug | Self::Memdebug => 20,
            Self::Valgrind => 100,
        }
    }

    /// The build that reports findings with this signature: only one has that sanitizer or those assertions.
    pub(crate) fn that_reports(signature: &str) -> Self {
        let kinds = [
            ("crash/asan-", Self::Asan),
            ("crash/ubsan-", Self::Ubsan),
            ("crash/valgrind-", Self::Valgrind),
            ("crash/assert/", Self::Debug),
        ];
        let found = kinds.into_iter().find(|(begin, _)| signature.starts_with(begin));
        found.map_or(Self::Release, |(_, build)| build)
    }

    /// Whether SQLite itself behaves differently, with its own pragmas, EXPLAIN columns and sizes.
    pub(crate) fn changes_semantics(self) -> bool {
        matches!(self, Self::Debug | Self::Memdebug)
    }

    /// The environment of its programs. Sanitizers report in full and stop at the first error;
    /// leaks are for the memory oracle, and function names for the parent, which is faster.
    pub(crate) fn environment(self) -> &'static [(&'static str, &'static str)] {
        const ASAN: &str = "symbolize=0:detect_leaks=0:detect_odr_violation=0:malloc_context_size=12:quarantine_size_mb=16:\
                            allocator_may_return_null=1:max_allocation_size_mb=1024:hard_rss_limit_mb=4096";
        match self {
            Self::Asan | Self::Debug | Self::Unlimited => &[("ASAN_OPTIONS", ASAN)],
            Self::Ubsan => &[("UBSAN_OPTIONS", "symbolize=0:print_stacktrace=1:halt_on_error=1")],
            _ => &[],
        }
    }

    /// The command that its programs run under.
    pub(crate) fn prefix(self) -> &'static [&'static str] {
        match self {
            // The first error ends the worker, as a sanitizer's does.
            Self::Valgrind => &["valgrind", "--quiet", "--error-exitcode=99", "--exit-on-first-error=yes"],
            _ => &[],
        }
    }
}

impl std::fmt::Display for BuildKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for build in BuildKind::value_variants() {
            assert_eq!(BuildKind::from_str(build.name(), false), Ok(*build));
            assert!(BuildKind::JUDGING.contains(build) || *build == BuildKind::Coverage);
        }
    }

    #[test]
    fn signatures_tell_of_their_build() {
        assert_eq!(BuildKind::that_reports("crash/assert/sqlite3Step"), BuildKind::Debug);
        assert_eq!(BuildKind::that_reports("crash/ubsan-shift/f"), BuildKind::Ubsan);
        assert_eq!(BuildKind::that_reports("code/SQLITE_CORRUPT/SELECT"), BuildKind::Release);
    }
}
