//! What a script may do, and which of its actions matter to the oracles.
//!
//! A case must not reach the host, other threads or real time, and must leave the process as it found it. Everything
//! else is allowed; some of it *taints* the run: damage to the database then does not prove a bug ([`Taint`]).

use rusqlite::ffi;

use crate::engine::Taint;
use crate::known;
use crate::sql::vocabulary::{DENIED_FUNCTIONS, is_denied_pragma};

/// Longest busy timeout that a script may set, in milliseconds, as in SQLite's fuzzcheck.
const BUSY_TIMEOUT_MS_MAX: u64 = 100;

/// What SQLite asks its authorizer (<https://sqlite.org/c3ref/c_alter_table.html>).
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// `SQLITE_ATTACH` and so on.
    pub action: i32,
    /// First argument.
    pub first: Option<&'a [u8]>,
    /// Second argument.
    pub second: Option<&'a [u8]>,
}

/// True for actions that [`judge`] or [`shows_address`] examines.
pub(super) fn is_of_interest(action: i32) -> bool {
    matches!(
        action,
        ffi::SQLITE_READ
            | ffi::SQLITE_ATTACH
            | ffi::SQLITE_FUNCTION
            | ffi::SQLITE_PRAGMA
            | ffi::SQLITE_INSERT
            | ffi::SQLITE_UPDATE
            | ffi::SQLITE_DELETE
            | ffi::SQLITE_DROP_TABLE
            | ffi::SQLITE_ALTER_TABLE
            | ffi::SQLITE_CREATE_INDEX
            | ffi::SQLITE_CREATE_TRIGGER
    )
}

/// True if a column is read that may hold an address of this process, which differs in every run: the operands of a
/// program, which show a virtual table by its address. It has to read as NULL.
pub(super) fn shows_address(request: &Request<'_>) -> bool {
    request.action == ffi::SQLITE_READ && request.first == Some(b"bytecode") && request.second == Some(b"p4")
}

/// Whether the request is allowed, and how it taints the run. `is_script` is false for statements that SQLite prepares
/// itself while it runs another, such as those of virtual tables.
pub(super) fn judge(request: &Request<'_>, is_script: bool) -> (bool, Taint) {
    let first = request.first.unwrap_or_default();
    match request.action {
        ffi::SQLITE_ATTACH => attach(request.first),
        ffi::SQLITE_FUNCTION => {
            let name = request.second.unwrap_or_default();
            (!DENIED_FUNCTIONS.iter().any(|denied| name.eq_ignore_ascii_case(denied.as_bytes())), Taint::NONE)
        }
        ffi::SQLITE_PRAGMA => pragma(first, request.second),
        ffi::SQLITE_READ | ffi::SQLITE_CREATE_INDEX | ffi::SQLITE_CREATE_TRIGGER => (true, Taint::NONE),
        ffi::SQLITE_ALTER_TABLE => (true, table_taint(request.second.unwrap_or_default(), is_script)),
        _ => (true, table_taint(first, is_script)),
    }
}

/// Allows memory (`:memory:` and the memdb VFS) and bare names on the simulated disk. A name that is not a literal is
/// unknown here and denied; so are URIs, which may name another VFS, and files that belong to another database.
fn attach(name: Option<&[u8]>) -> (bool, Taint) {
    let Some(name) = name else {
        return (false, Taint::NONE);
    };
    if name.is_empty() || name == b":memory:" {
        return (true, Taint::NONE);
    }
    let is_plain = |name: &[u8]| name.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    if let Some(rest) = name.strip_prefix(b"file:") {
        let memory = rest.strip_suffix(b"?vfs=memdb").map(|path| path.strip_prefix(b"/").unwrap_or(path));
        return (memory.is_some_and(is_plain), Taint::NONE);
    }
    (is_plain(name), Taint::ATTACHED_FILE)
}

fn pragma(name: &[u8], value: Option<&[u8]>) -> (bool, Taint) {
    let name = name.to_ascii_lowercase();
    let name = std::str::from_utf8(&name).unwrap_or_default();
    if is_denied_pragma(name) {
        return (false, Taint::NONE);
    }
    let Some(value) = value else {
        return (true, Taint::NONE);
    };
    let taint = match name {
        "busy_timeout" => return (busy_timeout_is_short(value), Taint::NONE),
        "writable_schema" => Taint::WRITABLE_SCHEMA,
        "journal_mode" if value.eq_ignore_ascii_case(b"off") => Taint::JOURNAL_OFF,
        "ignore_check_constraints" | "case_sensitive_like" => Taint::MEANING,
        "schema_version" => Taint::SCHEMA_VERSION,
        "hard_heap_limit" | "soft_heap_limit" => Taint::HEAP_LIMIT,
        _ => Taint::NONE,
    };
    (true, taint)
}

fn busy_timeout_is_short(value: &[u8]) -> bool {
    let number = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<u64>().ok());
    number.is_some_and(|ms| ms <= BUSY_TIMEOUT_MS_MAX)
}

fn table_taint(table: &[u8], is_script: bool) -> Taint {
    if table.eq_ignore_ascii_case(b"sqlite_dbpage") {
        Taint::DBPAGE
    } else if is_script && known::is_shadow_name(table) {
        Taint::SHADOW_TABLE
    } else {
        Taint::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(action: i32, first: Option<&str>, second: Option<&str>) -> (bool, Taint) {
        let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
        let leak = |text: Option<&str>| bytes(text.map(|text| &*text.to_owned().leak()));
        judge(&Request { action, first: leak(first), second: leak(second) }, true)
    }

    #[test]
    fn nothing_that_reaches_the_host_is_allowed() {
        let attach = |name| ask(ffi::SQLITE_ATTACH, name, None);
        for name in [None, Some("/etc/passwd"), Some("../x"), Some("file:x"), Some("file:x?vfs=unix")] {
            assert!(!attach(name).0, "{name:?}");
        }
        for name in ["main.db-wal", "file:/a/b?vfs=memdb", "file:a?vfs=unix?vfs=memdb"] {
            assert!(!attach(Some(name)).0, "{name}");
        }
        for name in ["", ":memory:", "file:/x1?vfs=memdb"] {
            assert_eq!(attach(Some(name)), (true, Taint::NONE), "{name}");
        }
        assert_eq!(attach(Some("aux.db")), (true, Taint::ATTACHED_FILE));
        assert!(!ask(ffi::SQLITE_FUNCTION, None, Some("LOAD_extension")).0);
        for pragma in ["temp_store_directory", "VDBE_TRACE", "parser_trace"] {
            assert!(!ask(ffi::SQLITE_PRAGMA, Some(pragma), Some("1")).0, "{pragma}");
        }
        assert!(!ask(ffi::SQLITE_PRAGMA, Some("busy_timeout"), Some("101")).0);
        assert!(ask(ffi::SQLITE_PRAGMA, Some("busy_timeout"), Some("100")).0);
    }

    #[test]
    fn what_makes_damage_no_bug_is_noted() {
        let pragma = |name, value| ask(ffi::SQLITE_PRAGMA, Some(name), value).1;
        assert_eq!(pragma("Writable_Schema", Some("1")), Taint::WRITABLE_SCHEMA);
        assert_eq!(pragma("writable_schema", None), Taint::NONE);
        assert_eq!(pragma("journal_mode", Some("OFF")), Taint::JOURNAL_OFF);
        assert_eq!(pragma("journal_mode", Some("wal")), Taint::NONE);
        assert_eq!(ask(ffi::SQLITE_INSERT, Some("sqlite_dbpage"), None).1, Taint::DBPAGE);
        assert_eq!(ask(ffi::SQLITE_UPDATE, Some("ft_segdir"), None).1, Taint::SHADOW_TABLE);
        assert_eq!(ask(ffi::SQLITE_ALTER_TABLE, Some("main"), Some("ft_data")).1, Taint::SHADOW_TABLE);
        let own = Request { action: ffi::SQLITE_DELETE, first: Some(b"ft_idx"), second: None };
        assert_eq!(judge(&own, false).1, Taint::NONE);
    }
}
