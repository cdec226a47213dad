//! A case as a Rust test that needs `rusqlite` with its feature `bundled`, and nothing else.
//!
//! Statements go through `rusqlite::ffi`: a script is not necessarily UTF-8, what follows a statement on its
//! line matters, and each statement's code is checked. The parts that are the same for every case are in `rust/`.

use std::fmt::Write as _;

use tandem::engine::sqlite::{limits, pragmas, switches};
use tandem::testcase::Setting;

use super::finding::{Expectation, Seen};
use super::{Form, Handed, bytes};

const RUN: &str = include_str!("rust/run.txt");
const RUN_UTF16: &str = include_str!("rust/run_utf16.txt");
const FINISH: &str = include_str!("rust/finish.txt");
const BIND: &str = include_str!("rust/bind.txt");
const DECODE: &str = include_str!("rust/decode.txt");
const BUDGET: &str = include_str!("rust/budget.txt");
/// SQLite's build flags here, if Cargo's configuration sets them.
const FLAGS: Option<&str> = option_env!("LIBSQLITE3_FLAGS");
/// VM steps between two calls of the progress handler.
const STEPS_PER_TICK: u64 = 100;

macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        writeln!($out, $($arg)*).expect("writing to a String does not fail")
    };
}

/// Writes the file.
pub(crate) fn write(handed: &Handed, seen: &Seen) -> Form {
    let mut losses = handed.losses.clone();
    let (expectation, loss) = seen.expectation(handed);
    losses.extend(loss.map(str::to_owned));
    let script = Script::new(handed);
    let is_utf16 = handed.case.config.is_on(Setting::Utf16);
    let mut text = String::new();
    head(handed, seen, &losses, &mut text);
    imports(is_utf16, &mut text);
    budget(handed, &mut text);
    text.push_str(&script.constant);
    for (number, (name, content)) in handed.case.files.iter().enumerate() {
        put!(text, "\n/// The file `{name}`.\nconst FILE_{number}: &str = \"\n{}\";", bytes::hex(content));
    }
    let short = handed.id.short();
    put!(text, "\n#[test]\nfn case_{short}() {{\n    reproduce();\n}}");
    reproduce(handed, &script, &expectation, &mut text);
    open(handed, &mut text);
    text.push_str(if is_utf16 { RUN_UTF16 } else { RUN });
    let column = match is_utf16 {
        true => {
            "                    ffi::SQLITE_TEXT => {\n                        \
             sqlite3_column_text16(statement, column);\n                        \
             sqlite3_column_bytes16(statement, column);\n                    }"
        }
        false => "                    ffi::SQLITE_TEXT => _ = ffi::sqlite3_column_text(statement, column),",
    };
    let binds = handed.has_named_values();
    let finish = FINISH.replace("BIND", if binds { "        bind(statement);\n" } else { "" });
    text.push_str(&finish.replace("TEXT\n", &format!("{column}\n")));
    if binds {
        text.push_str(BIND);
    }
    if !handed.case.files.is_empty() || script.is_hex {
        text.push_str(DECODE);
    }
    text.push_str(BUDGET);
    Form { content: text.into_bytes(), losses }
}

/// The statements as a constant, and the expression that splits it into statements.
struct Script {
    constant: String,
    cut: String,
    is_hex: bool,
}

impl Script {
    fn new(handed: &Handed) -> Self {
        if handed.statements().all(bytes::is_plain) { Self::plain(handed) } else { Self::hex(handed) }
    }

    /// Verbatim in a raw string, the statements separated by a line that occurs in none of them.
    fn plain(handed: &Handed) -> Self {
        let statements: Vec<_> = handed.statements().map(String::from_utf8_lossy).collect();
        let mut line = "-- next".to_owned();
        while statements.iter().any(|statement| statement.contains(&line)) {
            line.push('.');
        }
        let text = statements.join(&format!("\n{line}\n"));
        let mut hashes = "#".to_owned();
        while text.contains(&format!("\"{hashes}")) {
            hashes.push('#');
        }
        let constant = format!(
            "\n/// The statements, a line `{line}` between each two.\nconst SCRIPT: &str = r{hashes}\"\n{text}\n\"{hashes};\n"
        );
        Self { constant, cut: format!("SCRIPT.split(\"\\n{line}\\n\").map(str::as_bytes)"), is_hex: false }
    }

    /// As digits, for statements that cannot appear in a source file.
    fn hex(handed: &Handed) -> Self {
        let statements: Vec<String> = handed.statements().map(bytes::hex).collect();
        let text = statements.join(";\n");
        let constant = format!(
            "\n/// The statements as `decode` reads them, a semicolon between each two; `case.sql` has them as they are.\n\
             const SCRIPT: &str = \"\n{text}\";\n"
        );
        Self { constant, cut: "SCRIPT.split(';').map(decode)".to_owned(), is_hex: true }
    }
}

fn head(handed: &Handed, seen: &Seen, losses: &[String], text: &mut String) {
    put!(text, "//! {}.\n//!", seen.title());
    put!(text, "//! Seen in {}.", seen.build());
    if let Some(bug) = seen.bug() {
        put!(text, "//! Signature: `{}`.", bug.signature);
    }
    put!(text, "//! Written by Tandem from its case {}.\n//!", handed.id);
    put!(
        text,
        "//! Put it into `tests/` of a package with the development dependency `rusqlite`, feature `bundled`."
    );
    if let Some(flags) = FLAGS {
        put!(text, "//! SQLite was built with these flags, which some cases need:\n//! ```sh");
        let flags = flags.split_whitespace().collect::<Vec<_>>().join(" ");
        put!(text, "//! LIBSQLITE3_FLAGS=\"{flags}\" cargo test\n//! ```");
    }
    if seen.build != "release" {
        put!(text, "//! What the {} build sees, another build may not show.", seen.build);
    }
    losses.iter().for_each(|loss| put!(text, "//! Left out: {loss}."));
}

fn imports(is_utf16: bool, text: &mut String) {
    let unsigned = if is_utf16 { "c_uint, " } else { "" };
    put!(text, "\nuse std::ffi::{{c_int, {unsigned}c_void}};");
    put!(text, "use std::sync::atomic::{{AtomicI64, Ordering}};\nuse std::{{env, fs, process, ptr}};\n");
    put!(text, "use rusqlite::config::DbConfig;\nuse rusqlite::{{Connection, ffi}};");
}

fn budget(handed: &Handed, text: &mut String) {
    let ticks = handed.budget.vm_steps / STEPS_PER_TICK;
    let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
    put!(
        text,
        "\n/// Calls of the progress handler, one per {STEPS_PER_TICK} VM steps, that are left for all statements."
    );
    put!(text, "static TICKS_LEFT: AtomicI64 = AtomicI64::new({ticks});\n/// Rows that may still come.");
    let rows = match handed.case.config.get(Setting::RowsMax) {
        0 => "i64::MAX".to_owned(),
        rows => rows.to_string(),
    };
    put!(text, "static ROWS_LEFT: AtomicI64 = AtomicI64::new({rows});");
}

fn reproduce(handed: &Handed, script: &Script, expectation: &Expectation, text: &mut String) {
    put!(text, "\n/// Runs the case and asserts what should hold.\npub fn reproduce() {{");
    put!(
        text,
        "    let folder = env::temp_dir().join(format!(\"sqlite-{}-{{}}\", process::id()));",
        handed.id.short()
    );
    put!(text, "    fs::create_dir(&folder).expect(\"a temporary folder can be made\");");
    put!(text, "    // The script, too, may name files, and does so without a path.");
    put!(text, "    env::set_current_dir(&folder).expect(\"it was just made\");");
    for (number, (name, _)) in handed.case.files.iter().enumerate() {
        put!(
            text,
            "    fs::write({:?}, decode(FILE_{number})).expect(\"a file can be written\");",
            name.as_str()
        );
    }
    let leaks = *expectation == Expectation::NoLeak;
    if leaks {
        put!(text, "    // What SQLite keeps for good it has after a first connection.\n    drop(open());");
        put!(text, "    TICKS_LEFT.store({}, Ordering::Relaxed);", handed.budget.vm_steps / STEPS_PER_TICK);
        put!(
            text,
            "    // SAFETY: it takes no arguments.\n    let before = unsafe {{ ffi::sqlite3_memory_used() }};"
        );
    }
    put!(text, "    let db = open();");
    let sql = if script.is_hex { "&sql" } else { "sql" };
    match expectation {
        Expectation::NoCode(code, statement) => {
            put!(text, "    for (number, sql) in {}.enumerate() {{", script.cut);
            put!(text, "        let codes = run(&db, {sql});");
            let is_it = statement.map_or(String::new(), |number| format!("number == {number} && "));
            put!(text, "        let is_impossible = {is_it}codes.contains(&{});", code.0);
            put!(text, "        assert!(!is_impossible, \"statement {{number}} gives {code}\");\n    }}");
        }
        _ => put!(text, "    for sql in {} {{\n        run(&db, {sql});\n    }}", script.cut),
    }
    if *expectation == Expectation::Integrity {
        put!(text, "    assert_integrity(&db);");
    }
    put!(text, "    db.close().expect(\"the connection can be closed\");");
    if *expectation == Expectation::IntegrityAfterwards {
        put!(text, "    assert_integrity(&open());");
    }
    if leaks {
        put!(text, "    // SAFETY: as above.\n    let after = unsafe {{ ffi::sqlite3_memory_used() }};");
        put!(text, "    assert_eq!(before, after, \"SQLite holds memory\");");
    }
    put!(text, "    env::set_current_dir(env::temp_dir()).expect(\"it is there\");");
    put!(text, "    fs::remove_dir_all(&folder).ok();\n}}");
    if matches!(expectation, Expectation::Integrity | Expectation::IntegrityAfterwards) {
        put!(text, "\nfn assert_integrity(db: &Connection) {{");
        put!(
            text,
            "    // SAFETY: the connection is open. The check is no part of the run, and nothing limits it."
        );
        put!(text, "    unsafe {{");
        put!(text, "        ffi::sqlite3_progress_handler(db.handle(), 0, None, ptr::null_mut());");
        put!(text, "        ffi::sqlite3_hard_heap_limit64(0);");
        put!(text, "        for limit in ffi::SQLITE_LIMIT_LENGTH..ffi::SQLITE_LIMIT_WORKER_THREADS {{");
        put!(text, "            ffi::sqlite3_limit(db.handle(), limit, c_int::MAX);\n        }}\n    }}");
        put!(
            text,
            "    let problems: Vec<String> = db\n        .prepare(\"PRAGMA main.integrity_check(8)\")"
        );
        put!(text, "        .and_then(|mut check| check.query_map([], |row| row.get(0))?.collect())");
        put!(text, "        .expect(\"the check runs\");\n    assert_eq!(problems, [\"ok\"]);\n}}");
    }
}

fn open(handed: &Handed, text: &mut String) {
    let config = &handed.case.config;
    put!(text, "\n/// A connection as the case has it.\nfn open() -> Connection {{");
    put!(text, "    // SAFETY: no connection is open, and the arguments are those of these controls.");
    put!(text, "    unsafe {{\n        let no_schema = ptr::null_mut::<ffi::sqlite3>();");
    let seed = config.get(Setting::RandomSeed) as i32;
    put!(
        text,
        "        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, {seed} as c_int, no_schema);"
    );
    if config.get(Setting::PendingBytePage) != 0 {
        let at = config.lock_byte();
        put!(text, "        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PENDING_BYTE, {at} as c_int);");
    }
    put!(text, "        ffi::sqlite3_hard_heap_limit64({});\n    }}", handed.budget.heap_bytes);
    put!(text, "    let db = Connection::open(\"main.db\").expect(\"a connection can be opened\");");
    put!(text, "    db.busy_timeout(std::time::Duration::ZERO).ok();");
    put!(text, "    let switches = [");
    for (name, on) in switches(config) {
        put!(text, "        (DbConfig::SQLITE_DBCONFIG_{name}, {on}),");
    }
    put!(
        text,
        "    ];\n    for (switch, on) in switches {{\n        db.set_db_config(switch, on).ok();\n    }}"
    );
    put!(text, "    let limits = [");
    for (name, value) in limits(config, &handed.budget) {
        put!(text, "        (ffi::SQLITE_LIMIT_{}, {value}),", name.to_ascii_uppercase());
    }
    put!(
        text,
        "    ];\n    // SAFETY: the connection is open, and the handler needs no data.\n    unsafe {{"
    );
    put!(
        text,
        "        for (limit, value) in limits {{\n            ffi::sqlite3_limit(db.handle(), limit, value);\n        }}"
    );
    put!(
        text,
        "        ffi::sqlite3_progress_handler(db.handle(), {STEPS_PER_TICK}, Some(on_progress), ptr::null_mut());"
    );
    if config.get(Setting::OptimizationsOff) != 0 {
        let mask = config.get(Setting::OptimizationsOff);
        put!(
            text,
            "        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_OPTIMIZATIONS, db.handle(), {mask:#x}_u32);"
        );
    }
    put!(text, "    }}");
    for pragma in pragmas(config) {
        put!(text, "    db.query_row({pragma:?}, [], |_| Ok(())).ok();");
    }
    put!(text, "    db\n}}");
}
