//! Reasons why no target can reach some code, where its callers do not show it.
//!
//! Everything not listed here is derived from the callers.

/// What a reason is about.
enum About {
    /// A source file of SQLite.
    Module(&'static str),
    /// Functions with this text in their names, in any letter case.
    Function(&'static str),
    /// Result codes that begin so.
    Code(&'static str),
}

const REASONS: [(About, &str); 21] = [
    (About::Module("os_unix.c"), "none: files are opened through our VFS, which keeps them in memory"),
    (About::Module("os_win.c"), "none: files are opened through our VFS, which keeps them in memory"),
    (About::Module("sqlite3session.c"), "none yet: needs a target that calls the session extension's API"),
    (About::Module("loadext.c"), "none: shared libraries are not loaded"),
    (About::Module("threads.c"), "none: worker threads are off, they would make runs differ"),
    (About::Module("mutex_noop.c"), "none: for builds without threads"),
    (About::Module("mutex_unix.c"), "none: no target runs threads"),
    (About::Module("btmutex.c"), "none yet: needs two connections with a shared cache"),
    (About::Module("mem1.c"), "none: memory comes from our allocator, which counts it"),
    (About::Module("notify.c"), "none yet: needs two connections with a shared cache"),
    (About::Function("preupdate"), "none yet: needs a target that sets a pre-update hook"),
    (About::Function("sharedcache"), "none yet: needs two connections with a shared cache"),
    (About::Function("benignmalloc"), "none yet: needs faults: memory that runs out"),
    (About::Code("SQLITE_IOERR"), "none yet: needs faults: files that fail"),
    (About::Code("SQLITE_CANTOPEN_"), "none yet: needs faults: files that cannot be opened"),
    (About::Code("SQLITE_BUSY"), "none yet: needs a second connection"),
    (About::Code("SQLITE_LOCKED"), "none yet: needs a second connection with a shared cache"),
    (About::Code("SQLITE_NOTICE"), "none: is passed to sqlite3_log() only"),
    (About::Code("SQLITE_WARNING"), "none: is passed to sqlite3_log() only"),
    (About::Code("SQLITE_OK_"), "none: not a result of a statement"),
    (About::Code("SQLITE_MISUSE"), "none: would be a bug of the target"),
];

/// Why no target reaches a function of a module.
pub(super) fn of_function(name: &str, module: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    find(|about| match about {
        About::Module(own) => *own == module,
        About::Function(part) => name.contains(part),
        About::Code(_) => false,
    })
}

/// Why no target sees a result code.
pub(super) fn of_code(name: &str) -> Option<&'static str> {
    find(|about| matches!(about, About::Code(begin) if name.starts_with(begin)))
}

fn find(is_about: impl Fn(&About) -> bool) -> Option<&'static str> {
    REASONS.iter().find(|(about, _)| is_about(about)).map(|(_, reason)| *reason)
}
