//! What a script may do, and which of its actions matter to the oracles.
//!
//! A case must not reach the host, other threads or real time, and must leave the process as it found it. Everything
//! else is allowed; some of it *taints* the run: damage to the database then does not prove a bug ([`Taint`]).

use std::collections::BTreeSet;

use rusqlite::ffi;

use crate::engine::Taint;
use crate::known;
use crate::sql;
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

/// What a request means depends on who asks and on what came before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// False for statements that SQLite prepares itself while it runs another, such as those of virtual tables.
    pub is_script: bool,
    /// The keyword with which the statement begins.
    pub verb: &'a str,
    /// What the script did before.
    pub taint: Taint,
    /// Names of virtual tables, lower case.
    pub virtual_tables: &'a BTreeSet<Vec<u8>>,
}

/// Statements and calls that write to the table that they name. Those that define something write to the schema, too, but
/// correctly.
const WRITING: [&str; 7] =
    ["INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "CHANGESET", crate::engine::RAW_CHANGESET];
/// Names of the schema as a table.
const SCHEMA_TABLES: [&[u8]; 4] =
    [b"sqlite_master", b"sqlite_schema", b"sqlite_temp_master", b"sqlite_temp_schema"];

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
            | ffi::SQLITE_CREATE_VTABLE
    )
}

/// True if a column is read that may hold an address of this process, which differs in every run: the operands of a
/// program, which show a virtual table by its address. It has to read as NULL.
pub(super) fn shows_address(request: &Request<'_>) -> bool {
    request.action == ffi::SQLITE_READ && request.first == Some(b"bytecode") && request.second == Some(b"p4")
}

/// Whether the request is allowed, and how it taints the run.
pub(super) fn judge(request: &Request<'_>, context: &Context<'_>) -> (bool, Taint) {
    let first = request.first.unwrap_or_default();
    match request.action {
        ffi::SQLITE_ATTACH => attach(request.first),
        ffi::SQLITE_FUNCTION => {
            let name = request.second.unwrap_or_default();
            (!DENIED_FUNCTIONS.iter().any(|denied| name.eq_ignore_ascii_case(denied.as_bytes())), Taint::NONE)
        }
        ffi::SQLITE_PRAGMA => pragma(first, request.second),
        // ANALYZE and REINDEX name each table, and leave its rows as they are.
        ffi::SQLITE_READ
        | ffi::SQLITE_ANALYZE
        | ffi::SQLITE_REINDEX
        | ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_CREATE_VTABLE => (true, Taint::NONE),
        ffi::SQLITE_ALTER_TABLE => (true, table_taint(request.second.unwrap_or_default(), context)),
        _ => (true, table_taint(first, context)),
    }
}

/// Whether a statement may damage the schema because `writable_schema` is on, where the authorizer cannot tell:
/// names that belong to SQLite are then allowed, and ALTER leaves what it cannot parse as it is.
pub(super) fn bends_schema(text: &[u8], verb: &str) -> bool {
    let is_reserved = |name: &[u8]| name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"));
    verb == "ALTER" || verb == "CREATE" && sql::words(text).any(is_reserved)
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

/// Whether `PRAGMA synchronous` of this value syncs for sure.
fn syncs(value: &[u8]) -> bool {
    let values = ["1", "2", "3", "NORMAL", "FULL", "EXTRA"];
    values.iter().any(|known| value.eq_ignore_ascii_case(known.as_bytes()))
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
        "journal_mode" if begins("off", value) => Taint::JOURNAL_OFF,
        "journal_mode" if begins("memory", value) => Taint::MEMORY_JOURNAL,
        "synchronous" if !syncs(value) => Taint::SYNC_OFF,
        "ignore_check_constraints" => Taint::UNCHECKED_ROWS,
        "case_sensitive_like" => Taint::LIKE,
        "schema_version" => Taint::SCHEMA_VERSION,
        "hard_heap_limit" | "soft_heap_limit" => Taint::HEAP_LIMIT,
        _ => Taint::NONE,
    };
    (true, taint)
}

/// Whether a mode begins like this: SQLite takes the first that does.
fn begins(mode: &str, value: &[u8]) -> bool {
    let start = mode.as_bytes().get(..value.len());
    !value.is_empty() && start.is_some_and(|start| start.eq_ignore_ascii_case(value))
}

fn busy_timeout_is_short(value: &[u8]) -> bool {
    let number = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<u64>().ok());
    number.is_some_and(|ms| ms <= BUSY_TIMEOUT_MS_MAX)
}

fn table_taint(table: &[u8], context: &Context<'_>) -> Taint {
    let is_schema = || SCHEMA_TABLES.iter().any(|name| table.eq_ignore_ascii_case(name));
    if table.eq_ignore_ascii_case(b"sqlite_dbpage") {
        Taint::DBPAGE
    } else if !context.is_script {
        Taint::NONE
    } else if known::is_shadow_table(table, context.virtual_tables) {
        Taint::SHADOW_TABLE
    } else if context.taint.contains(Taint::WRITABLE_SCHEMA) && WRITING.contains(&context.verb) && is_schema()
    {
        Taint::SCHEMA_WRITTEN
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
        judge_by(&Request { action, first: leak(first), second: leak(second) }, "INSERT", Taint::NONE)
    }

    fn judge_by(request: &Request<'_>, verb: &str, taint: Taint) -> (bool, Taint) {
        let virtual_tables = BTreeSet::from([b"ft".to_vec()]);
        judge(request, &Context { is_script: true, verb, taint, virtual_tables: &virtual_tables })
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
        assert_eq!(pragma("journal_mode", Some("Memory")), Taint::MEMORY_JOURNAL);
        assert_eq!(pragma("journal_mode", Some("m")), Taint::MEMORY_JOURNAL);
        assert_eq!(pragma("journal_mode", Some("Of")), Taint::JOURNAL_OFF);
        assert_eq!(pragma("journal_mode", Some("offline")), Taint::NONE);
        assert_eq!(pragma("synchronous", Some("extra")), Taint::NONE);
        assert_eq!(
            ["off", "0", "no", "7"].map(|value| pragma("synchronous", Some(value))),
            [Taint::SYNC_OFF; 4]
        );
        assert_eq!(ask(ffi::SQLITE_INSERT, Some("sqlite_dbpage"), None).1, Taint::DBPAGE);
        assert_eq!(ask(ffi::SQLITE_UPDATE, Some("ft_segdir"), None).1, Taint::SHADOW_TABLE);
        assert_eq!(ask(ffi::SQLITE_ALTER_TABLE, Some("main"), Some("ft_data")).1, Taint::SHADOW_TABLE);
        assert_eq!(ask(ffi::SQLITE_UPDATE, Some("my_data"), None).1, Taint::NONE, "an ordinary table");
        assert_eq!(ask(ffi::SQLITE_ANALYZE, Some("ft_segdir"), Some("main")).1, Taint::NONE);
        assert_eq!(ask(ffi::SQLITE_REINDEX, Some("ft_segdir"), Some("main")).1, Taint::NONE);
        let own = Request { action: ffi::SQLITE_DELETE, first: Some(b"ft_idx"), second: None };
        let virtual_tables = BTreeSet::from([b"ft".to_vec()]);
        let context =
            Context { is_script: false, verb: "INSERT", taint: Taint::NONE, virtual_tables: &virtual_tables };
        assert_eq!(judge(&own, &context).1, Taint::NONE);
    }

    #[test]
    fn the_schema_is_written_only_by_statements_that_say_so_while_the_switch_is_on() {
        let request = Request { action: ffi::SQLITE_INSERT, first: Some(b"SQLITE_Master"), second: None };
        let on = Taint::WRITABLE_SCHEMA;
        assert_eq!(judge_by(&request, "INSERT", on).1, Taint::SCHEMA_WRITTEN);
        assert_eq!(judge_by(&request, "CREATE", on).1, Taint::NONE);
        assert_eq!(judge_by(&request, "INSERT", Taint::NONE).1, Taint::NONE);
        assert!(bends_schema(b"CREATE TABLE \"Sqlite_x\"(a)", "CREATE"));
        assert!(!bends_schema(b"CREATE TABLE x(a) -- sqlite_x", "CREATE"));
        assert!(bends_schema(b"ALTER TABLE x RENAME TO y", "ALTER"));
    }
}
