//! A bug report in Markdown.

use std::fmt::Write as _;

use tandem::dbfile::describe;
use tandem::testcase::escape;

use super::finding::Seen;
use super::{Form, Handed, settings_in_words};
use crate::bisecting::Tried;
use crate::replay::FoundBug;

/// Maximum size in bytes of a script shown in the report.
const SQL_BYTES_MAX: usize = 8 << 10;
/// Maximum size in bytes of a shell script in the report; a longer one stays a separate file.
const REPRO_BYTES_MAX: usize = 6 << 10;

/// What the report says besides the case.
pub(crate) struct Context<'a> {
    /// What the case showed.
    pub seen: &'a Seen,
    /// The command that reproduces it.
    pub command: &'a str,
    /// The form from [`super::posix`].
    pub repro: &'a [u8],
    /// Whether the files and the shell script are stored alongside the report.
    pub attachments: &'a [&'static str],
    /// Other releases.
    pub tried: &'a [Tried],
    /// The releases that show it, in words, if they were searched for.
    pub range: Option<&'a str>,
    /// Releases that could have been tried.
    pub untried: &'a [&'a str],
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        writeln!($out, $($arg)*).expect("writing to a String does not fail")
    };
}

/// Writes the report.
pub(crate) fn write(handed: &Handed, context: &Context<'_>) -> Form {
    let seen = context.seen;
    let mut text = format!("# {}\n\n", seen.title());
    build(seen, &mut text);
    finding(seen, &mut text);
    case(handed, context, &mut text);
    put!(text, "## Reproduce\n");
    put!(text, "With Tandem, in its working copy:\n");
    block("sh", context.command, &mut text);
    repro(context, &mut text);
    versions(context, &mut text);
    losses(handed, &mut text);
    Form { content: text.into_bytes(), losses: Vec::new() }
}

fn build(seen: &Seen, text: &mut String) {
    put!(text, "SQLite {}, {} build\n", seen.version, seen.build);
    put!(text, "Source id: `{}`\n", seen.source_id);
    put!(text, "<details><summary>Compile options</summary>\n");
    block("text", &seen.compile_options.join("\n"), text);
    put!(text, "</details>\n");
}

fn finding(seen: &Seen, text: &mut String) {
    if seen.bugs.is_empty() {
        put!(text, "**The case shows no finding in this build.**\n");
    }
    for (number, bug) in seen.bugs.iter().enumerate() {
        let what = if number == 0 { "Signature" } else { "Also" };
        put!(text, "{what}: `{}`\n", bug.signature);
        block("text", bug.message.trim(), text);
    }
}

fn case(handed: &Handed, context: &Context<'_>, text: &mut String) {
    put!(text, "## Case\n\nId: `{}`\n", handed.id);
    let script = handed.case.sql.as_bytes();
    if script.len() > SQL_BYTES_MAX {
        put!(text, "The script has {} bytes: see the attached files.\n", script.len());
    } else {
        let lines: Vec<String> = handed.statements().map(escape).collect();
        block("sql", &lines.join("\n"), text);
    }
    let settings: Vec<String> = settings_in_words(&handed.case.config)
        .into_iter()
        .chain(tandem::engine::sqlite::pragmas(&handed.case.config))
        .collect();
    if !settings.is_empty() {
        put!(text, "Settings:\n");
        settings.iter().for_each(|words| put!(text, "- `{words}`"));
        put!(text, "");
    }
    for (name, content) in handed.case.files.iter() {
        put!(text, "File `{name}`, {} bytes:\n", content.len());
        block("text", describe::summary(name.as_str(), content).trim_end(), text);
    }
    if !context.attachments.is_empty() {
        put!(text, "Attached: {}\n", context.attachments.join(", "));
    }
}

fn repro(context: &Context<'_>, text: &mut String) {
    let script = String::from_utf8_lossy(context.repro);
    if context.repro.len() <= REPRO_BYTES_MAX {
        put!(text, "With the sqlite3 shell, of a build that shows it (`SQLITE3=./sqlite3 sh repro.sh`):\n");
        block("sh", script.trim_end(), text);
    } else if context.attachments.iter().any(|name| name.contains("repro.sh")) {
        put!(text, "With the sqlite3 shell, of a build that shows it:\n");
        block("sh", "SQLITE3=./sqlite3 sh repro.sh", text);
    }
}

fn versions(context: &Context<'_>, text: &mut String) {
    let seen = context.seen;
    let signature = seen.bug().map(|bug| bug.signature.as_str());
    put!(text, "## Versions\n");
    if let Some(range) = context.range {
        put!(text, "It shows {range}.\n");
    }
    put!(text, "| SQLite | source id | shows it |\n|---|---|---|");
    let this = if signature.is_some() { "yes" } else { "no" };
    put!(text, "| {} (this build) | `{}` | {this} |", seen.version, seen.source_id);
    for tried in context.tried {
        match &tried.shown {
            Ok((source_id, bugs)) => {
                put!(text, "| {} | `{source_id}` | {} |", tried.version, verdict(signature, bugs))
            }
            Err(why) => put!(text, "| {} | | not tried: {} |", tried.version, one_line(why)),
        }
    }
    if !context.untried.is_empty() {
        put!(text, "\nNot tried: {}.", context.untried.join(", "));
    }
    put!(text, "");
}

/// Whether a release shows the bug.
fn verdict(signature: Option<&str>, bugs: &[FoundBug]) -> String {
    match bugs.first() {
        None => "no".to_owned(),
        Some(_) if bugs.iter().any(|bug| Some(bug.signature.as_str()) == signature) => "yes".to_owned(),
        Some(bug) => format!("another: `{}`", bug.signature),
    }
}

fn losses(handed: &Handed, text: &mut String) {
    if !handed.losses.is_empty() {
        put!(text, "## What the attached forms leave out\n");
        handed.losses.iter().for_each(|loss| put!(text, "- {loss}"));
    }
}

/// A table cell.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A code block, in a fence that does not occur in the code.
fn block(language: &str, code: &str, text: &mut String) {
    let mut fence = "```".to_owned();
    while code.contains(&fence) {
        fence.push('`');
    }
    put!(text, "{fence}{language}\n{code}\n{fence}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_cannot_end_its_block() {
        let mut text = String::new();
        block("sql", "SELECT '\n```\n````'", &mut text);
        assert_eq!(text, "`````sql\nSELECT '\n```\n````'\n`````\n\n");
        assert_eq!(one_line("a |\n b"), "a \\| b");
    }

    #[test]
    fn a_release_may_show_something_else() {
        let bug = |signature: &str| FoundBug { signature: signature.to_owned(), message: String::new() };
        assert_eq!(verdict(Some("a/b/c"), &[bug("x/y/z"), bug("a/b/c")]), "yes");
        assert_eq!(verdict(Some("a/b/c"), &[bug("x/y/z")]), "another: `x/y/z`");
        assert_eq!(verdict(None, &[]), "no");
    }
}
