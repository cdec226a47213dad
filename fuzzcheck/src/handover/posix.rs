//! A case as a shell script that writes its files, byte for byte, and runs the `sqlite3` shell on them: POSIX plus
//! `base64`, which nearly every system has.

use std::fmt::Write as _;

use super::finding::{Expectation, Seen};
use super::{CHECK, Form, Handed, bytes, shell};

macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        writeln!($out, $($arg)*).expect("writing to a String does not fail")
    };
}

/// The text before the files.
const BEGIN: &str = "\
set -eu
folder=$(mktemp -d)
trap 'rm -rf \"$folder\"' EXIT
trap 'exit 130' HUP INT TERM
shell=${SQLITE3:-sqlite3}
case $shell in */*) shell=$(cd \"$(dirname \"$shell\")\" && pwd)/$(basename \"$shell\") ;; esac
command -v \"$shell\" >/dev/null || { echo \"repro: $shell is not there: set SQLITE3\" >&2; exit 2; }
mkdir \"$folder/run\"
cd \"$folder/run\"
decode=-d
printf 'YQ==' | base64 -d >/dev/null 2>&1 || decode=-D
# put FILE BLOCK: writes standard input, in base64, at this block of 512 bytes.
put() { base64 \"$decode\" | dd of=\"$1\" bs=512 seek=\"$2\" conv=notrunc 2>/dev/null; }
# size FILE BYTES: what was not written up to there is zeros.
size() { dd if=/dev/null of=\"$1\" bs=1 seek=\"$2\" 2>/dev/null; }
";

/// The text before the script is run: `-safe` confines it to its folder, and is new in 3.37.0.
const GUARD: &str = "\
no() { echo \"repro: $1: read it, for then it may do whatever you may, and set UNSAFE=1\" >&2; exit 2; }
[ -z \"${UNSAFE:-}\" ] || guard=
[ -z \"$guard\" ] || \"$shell\" -safe -version >/dev/null 2>&1 || no \"$shell has no -safe, and nothing else guards you from the script\"
# own FILE: what is not the script's; without -safe the shell knows no nonce.
own() { if [ -n \"$guard\" ]; then cat \"$1\"; else sed '/^\\.nonce /d' \"$1\"; fi; }
";

/// Writes the script.
pub(crate) fn write(handed: &Handed, seen: &Seen) -> Form {
    let mut losses = handed.losses.clone();
    let (expectation, loss) = seen.expectation(handed);
    losses.extend(loss.map(str::to_owned));
    let mut settings = String::new();
    shell::settings(handed, &mut settings, &mut losses);
    let mut script = Vec::new();
    shell::script(handed, &mut script, &mut losses);
    let refused = shell::refused(handed);
    if let Some(words) = &refused {
        losses.push(format!("the script says {words}, which -safe refuses: it runs with UNSAFE=1 alone"));
    }
    let mut text = String::new();
    head(handed, seen, &losses, &mut text);
    text.push_str(BEGIN);
    guard(handed, refused.as_deref(), &mut text);
    for (name, content) in handed.case.files.iter() {
        file(name.as_str(), content, &mut text);
    }
    let check = if expectation == Expectation::Integrity { shell::check(handed) } else { String::new() };
    statements("settings.sql", settings.as_bytes(), &mut text);
    statements("case.sql", &script, &mut text);
    statements("check.sql", check.as_bytes(), &mut text);
    put!(text, "code=0");
    put!(
        text,
        "{{ own ../settings.sql; cat ../case.sql; own ../check.sql; }} | \"$shell\" $guard -batch main.db || code=$?"
    );
    if expectation == Expectation::IntegrityAfterwards {
        put!(text, "\"$shell\" $guard -batch main.db '{CHECK}' || code=$?");
    }
    put!(text, "[ \"$code\" -lt 128 ] || echo \"repro: $shell ended by signal $((code - 128))\" >&2");
    put!(text, "exit \"$code\"");
    Form { content: text.into_bytes(), losses }
}

/// Keeps the script away from the files and programs of whoever runs it.
fn guard(handed: &Handed, refused: Option<&str>, text: &mut String) {
    put!(text, "guard='-safe -nonce {}'", handed.id);
    text.push_str(GUARD);
    if let Some(words) = refused {
        put!(text, "[ -z \"$guard\" ] || no 'the script says {words}, at which -safe would end it'");
    }
}

fn head(handed: &Handed, seen: &Seen, losses: &[String], text: &mut String) {
    put!(text, "#!/bin/sh\n# {}", seen.title());
    put!(text, "# Seen in {}.", seen.build());
    put!(text, "# Case {}: its files are written into a temporary folder,", handed.id);
    put!(
        text,
        "# and its statements run there. Exits with the code of the sqlite3 shell; 128 and more is a crash."
    );
    put!(text, "#   sh repro.sh                       with the sqlite3 of PATH");
    put!(text, "#   SQLITE3=./sqlite3 sh repro.sh     with another");
    put!(text, "# With -safe, which keeps it from other files and from programs.");
    put!(text, "#   UNSAFE=1 sh repro.sh              without");
    losses.iter().for_each(|loss| put!(text, "# Left out: {loss}"));
}

fn file(name: &str, content: &[u8], text: &mut String) {
    put!(text, "size {name} 0");
    for range in bytes::blocks(content) {
        put!(text, "put {name} {} <<'END'", range.start / bytes::BLOCK_BYTES);
        text.push_str(&bytes::base64(&content[range]));
        put!(text, "END");
    }
    put!(text, "size {name} {}", content.len());
}

/// A file for the shell, in a folder without files of the case: those may have any name without a slash.
fn statements(name: &str, content: &[u8], text: &mut String) {
    let plain = std::str::from_utf8(content).ok().filter(|_| bytes::is_plain(content));
    let Some(plain) = plain else {
        put!(text, "base64 \"$decode\" >../{name} <<'END'\n{}END", bytes::base64(content));
        return;
    };
    let mut end = "END".to_owned();
    while plain.lines().any(|line| line == end) {
        end.push('_');
    }
    put!(text, "cat >../{name} <<'{end}'\n{plain}{end}");
}
