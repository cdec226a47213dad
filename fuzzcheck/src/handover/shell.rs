//! A case as a script for the `sqlite3` shell (<https://sqlite.org/cli.html>): settings as dot-commands, the database
//! inline, then the SQL.

use std::ffi::CString;
use std::fmt::Write as _;

use tandem::dbfile::{Geometry, header};
use tandem::engine::sqlite::{is_complete, limits, pragmas, switches};
use tandem::sql::{self, token};
use tandem::testcase::{FileName, Setting};

use super::finding::{Expectation, Seen};
use super::{Form, Handed};

/// Switches unknown to shells before 3.42: they are named only if a case inverts them.
const NEW_SWITCHES: [&str; 2] = ["STMT_SCANSTATUS", "REVERSE_SCANORDER"];
/// SQLite's limits unless it is built otherwise: the shell prints each one it is told to set.
const USUAL_LIMITS: [(&str, i32); 6] = [
    ("column", 2_000),
    ("compound_select", 500),
    ("function_arg", 1_000),
    ("attached", 10),
    ("variable_number", 32_766),
    ("trigger_depth", 1_000),
];
/// VM steps between two calls of the progress handler.
const STEPS_PER_TICK: u64 = 100;

/// The functions that make a shell running with `-safe` exit.
const UNSAFE_FUNCTIONS: [&str; 7] =
    ["edit", "fts3_tokenizer", "load_extension", "readfile", "writefile", "zipfile", "zipfile_cds"];

macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        writeln!($out, $($arg)*).expect("writing to a String does not fail")
    };
}

/// Writes the script.
///
/// `seen` is what the case showed, for the check after it.
pub(crate) fn write(handed: &Handed, seen: Option<&Seen>) -> Form {
    let files = &handed.case.files;
    let mut losses = handed.losses.clone();
    let id = handed.id;
    let mut text = format!("-- case {id}; run: sqlite3 -safe -nonce {id} -batch < this file\n");
    text.push_str("-- A shell that is started without the nonce ends here: without -safe, SQL reaches files and programs.\n");
    put!(text, ".bail on\n.nonce {id}\n.bail off");
    if let Some(words) = refused(handed) {
        losses.push(format!("the script says {words}, at which -safe ends the shell"));
    }
    if let Some(image) = files.main() {
        losses.extend(image_losses(image));
        hexdb(image, &mut text);
    }
    let others = files.iter().filter(|(name, _)| **name != FileName::main());
    losses.extend(others.map(|(name, _)| format!("the file {name} is left out: a script has one database")));
    settings(handed, &mut text, &mut losses);
    let mut content = text.into_bytes();
    script(handed, &mut content, &mut losses);
    if seen.is_some_and(|seen| seen.expectation(handed).0 == Expectation::Integrity) {
        content.extend_from_slice(check(handed).as_bytes());
    }
    Form { content, losses }
}

/// What in the script makes a shell running with `-safe`, which denies access to files and programs, exit.
pub(super) fn refused(handed: &Handed) -> Option<String> {
    handed.statements().find_map(|statement| {
        let tokens = token::tokenize(statement).into_iter().filter(|token| !token.kind.is_blank());
        let words: Vec<String> = tokens
            .map(|token| sql::bare(&String::from_utf8_lossy(&statement[token.range])).to_owned())
            .collect();
        let is = |word: &String, name: &str| word.eq_ignore_ascii_case(name);
        let explained =
            words.iter().find(|word| !["EXPLAIN", "QUERY", "PLAN"].iter().any(|name| is(word, name)));
        // VACUUM attaches the database it builds.
        let command =
            ["ATTACH", "VACUUM"].into_iter().find(|name| explained.is_some_and(|word| is(word, name)));
        let called = words.windows(2).filter(|pair| pair[1] == "(");
        let mut function =
            called.filter_map(|pair| UNSAFE_FUNCTIONS.into_iter().find(|name| is(&pair[0], name)));
        command.map(str::to_owned).or_else(|| Some(format!("{}()", function.next()?)))
    })
}

/// Silences the shell up to the next `.output`. With `-safe` that takes the nonce that the shell was started with; it is
/// the case's hash, so the case's script cannot contain it.
fn silence(handed: &Handed, text: &mut String) {
    put!(text, ".nonce {}\n.output /dev/null", handed.id);
}

/// Ends [`silence`].
fn speak(handed: &Handed, text: &mut String) {
    put!(text, ".nonce {}\n.output", handed.id);
}

/// The check of a database after its script, without limits.
pub(super) fn check(handed: &Handed) -> String {
    let mut text = String::from(".progress 0\n");
    silence(handed, &mut text);
    for limit in ["length 1000000000", "sql_length 1000000000", "expr_depth 1000", "vdbe_op 250000000"] {
        put!(text, ".limit {limit}");
    }
    speak(handed, &mut text);
    put!(text, "PRAGMA integrity_check;");
    text
}

/// What is lost when a database is held in memory.
fn image_losses(image: &[u8]) -> Vec<String> {
    let mut losses = Vec::new();
    if header::is_wal(image) {
        losses.push("the database is in WAL mode, and one in memory cannot be opened so".to_owned());
    }
    if !image.len().is_multiple_of(Geometry::of(image).page_bytes) {
        losses.push("the last page is cut, and the shell makes it whole with zeros".to_owned());
    }
    losses
}

/// `.open --hexdb`: sixteen bytes per line, without lines of zeros.
fn hexdb(image: &[u8], text: &mut String) {
    let page_bytes = Geometry::of(image).page_bytes;
    put!(text, ".open --hexdb\n| size {} pagesize {page_bytes} filename main.db", image.len());
    for (index, page) in image.chunks(page_bytes).enumerate() {
        put!(text, "| page {} offset {}", index + 1, index * page_bytes);
        for (row, bytes) in page.chunks(16).enumerate() {
            if bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            // The shell reads only lines of sixteen bytes.
            let digits: String = (0..16).map(|i| format!(" {:02x}", bytes.get(i).unwrap_or(&0))).collect();
            put!(text, "| {:6}:{digits}", row * 16);
        }
    }
    text.push_str("| end main.db\n");
}

/// All settings made before the script: the shell's defaults are not ours, and they differ between its versions.
pub(super) fn settings(handed: &Handed, text: &mut String, losses: &mut Vec<String>) {
    let config = &handed.case.config;
    // The shell prints what it has set; up to 3.40, it prints the limits anyway.
    silence(handed, text);
    let toggles = config.get(Setting::Toggles);
    for (name, on) in switches(config) {
        let bit = tandem::testcase::TOGGLE_NAMES.iter().position(|known| *known == name);
        let is_inverted = bit.is_some_and(|bit| toggles >> bit & 1 == 1);
        if is_inverted || !NEW_SWITCHES.contains(&name) {
            put!(text, ".dbconfig {} {}", name.to_ascii_lowercase(), if on { "on" } else { "off" });
        }
    }
    for (name, value) in limits(config, &handed.budget).filter(|limit| !USUAL_LIMITS.contains(limit)) {
        put!(text, ".limit {name} {value}");
    }
    put!(text, ".testctrl prng_seed {}", config.get(Setting::RandomSeed));
    if config.get(Setting::PendingBytePage) != 0 {
        put!(text, ".testctrl pending_byte {}", config.lock_byte());
    }
    if config.get(Setting::OptimizationsOff) != 0 {
        put!(text, ".testctrl optimizations {:#x}", config.get(Setting::OptimizationsOff));
    }
    if handed.budget.heap_bytes > 0 {
        put!(text, "PRAGMA hard_heap_limit={};", handed.budget.heap_bytes);
    }
    pragmas(config).for_each(|pragma| put!(text, "{pragma};"));
    let ticks = handed.budget.vm_steps / STEPS_PER_TICK;
    put!(text, ".progress {STEPS_PER_TICK} --limit {ticks} --quiet");
    speak(handed, text);
    if config.is_on(Setting::Utf16) {
        losses.push("statements are UTF-8, and were UTF-16: the shell knows no other".to_owned());
    }
    if config.get(Setting::RowsMax) != 0 {
        losses.push(format!("the run does not end after {} rows", config.get(Setting::RowsMax)));
    }
    if handed.has_named_values() {
        losses.push("parameters such as $int_1 are not bound, and are NULL".to_owned());
    }
}

/// The statements, each starting on a new line: the shell drops whatever follows a failed one on its line.
pub(super) fn script(handed: &Handed, out: &mut Vec<u8>, losses: &mut Vec<String>) {
    let mut loses_returns = false;
    for statement in handed.statements() {
        let (blanks, statement) = statement.split_at(blank_bytes(statement));
        out.extend_from_slice(blanks);
        // At the beginning of a line, after nothing but comments, it would be a shell command.
        if statement.starts_with(b".") || statement.starts_with(b"#") {
            out.push(b' ');
        }
        loses_returns |= super::contains(statement, b"\r\n");
        let lines: Vec<&[u8]> = statement.split(|&byte| byte == b'\n').collect();
        for (number, line) in lines.iter().enumerate() {
            let is_end = number + 1 < lines.len() && ends_for_shell(&lines[..number], line);
            out.extend_from_slice(line);
            out.push(if is_end { b' ' } else { b'\n' });
        }
    }
    if loses_returns {
        losses.push("the shell drops carriage returns at the end of a line".to_owned());
    }
}

/// Length in bytes of the blanks and comments at the start of a statement.
fn blank_bytes(statement: &[u8]) -> usize {
    let mut at = 0;
    while let Some((_, length)) = token::first(&statement[at..]).filter(|(kind, _)| kind.is_blank()) {
        at += length;
    }
    at
}

/// Whether the shell takes this line for the end of the statement begun on the lines before: a `/` or `go` alone,
/// outside quotes and comments.
fn ends_for_shell(before: &[&[u8]], line: &[u8]) -> bool {
    let word = line.trim_ascii();
    let begun = [before.join(&b'\n').as_slice(), b"\n;"].concat();
    (word == b"/" || word.eq_ignore_ascii_case(b"go"))
        && CString::new(begun).is_ok_and(|begun| is_complete(&begun))
}

#[cfg(test)]
mod tests {
    use tandem::TestCase;
    use tandem::targets::SQL;

    use super::*;
    use crate::source::NamedCase;

    fn handed(sql: &str) -> Handed {
        let case = TestCase::from_sql(sql);
        let name = String::new();
        Handed::new(&NamedCase { name, target: &SQL, case, heap_bytes: None, provenance: None }).unwrap()
    }

    #[test]
    fn statements_begin_lines_and_are_no_commands() {
        let text = |sql: &str| {
            let (mut out, mut losses) = (Vec::new(), Vec::new());
            script(&handed(sql), &mut out, &mut losses);
            (String::from_utf8(out).unwrap(), losses.len())
        };
        assert_eq!(
            text("SELECT 1; ; bad; -- c\n SELECT 2"),
            ("SELECT 1;\n;\nbad;\n-- c\n SELECT 2\n".to_owned(), 0)
        );
        assert_eq!(text("SELECT 1;\n.shell x\n;#"), ("SELECT 1;\n .shell x\n;\n #\n".to_owned(), 0));
        assert_eq!(text("-- c\n.quit\n;").0, "-- c\n .quit\n;\n");
        assert_eq!(text("SELECT 6\n/\n3;").0, "SELECT 6\n/ 3;\n");
        assert_eq!(text("SELECT '\n/\n', 1\nGo\n;").0, "SELECT '\n/\n', 1\nGo ;\n");
        assert_eq!(text("SELECT '\r\n'").1, 1);
    }

    #[test]
    fn what_a_safe_shell_refuses_is_told_from_words_that_look_like_it() {
        for (sql, words) in [
            ("SELECT 1; explain query plan /**/ VACUUM", "VACUUM"),
            ("Attach 'x' AS y", "ATTACH"),
            ("SELECT 1, \"readfile\" ('x')", "readfile()"),
            ("SELECT Load_Extension('x')", "load_extension()"),
        ] {
            assert_eq!(refused(&handed(sql)).as_deref(), Some(words), "{sql}");
        }
        assert_eq!(refused(&handed("SELECT 'attach', edit FROM vacuum; DETACH x; REINDEX readfile")), None);
    }
}
