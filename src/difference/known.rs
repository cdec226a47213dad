//! Intended differences between versions of SQLite, each with the release that introduced it, and why.
//!
//! An entry applies only between a version before that release and one since, and describes as narrowly as it can which
//! difference it explains. Entries that fired, and those that apply and did not, are reported: an entry that never
//! fires does not belong here.

use super::{Class, Difference};
use crate::sql::{Token, TokenKind, bare, tokenize};

/// A version: major, minor, patch.
pub type Version = (u32, u32, u32);

/// A change of behaviour.
pub struct KnownDifference {
    /// Its name.
    pub name: &'static str,
    /// What changed.
    pub reason: &'static str,
    /// Where that is documented.
    pub link: &'static str,
    /// The first version that has it.
    pub since: Version,
    /// Whether it explains a difference; sides are given oldest first.
    explains: fn(&Difference) -> bool,
}

/// All known differences.
pub const KNOWN_DIFFERENCES: [KnownDifference; 17] = [
    KnownDifference {
        name: "json-tree-id",
        reason: "JSON is stored as JSONB, which changes how json_tree() and json_each() number and show elements",
        link: "https://sqlite.org/releaselog/3_45_0.html",
        since: (3, 45, 0),
        explains: |difference| has_rows(difference) && says(difference, &["json_tree", "json_each"]),
    },
    KnownDifference {
        name: "strftime-weeks",
        reason: "strftime() knows %G, %g, %U and %V",
        link: "https://sqlite.org/releaselog/3_46_0.html",
        since: (3, 46, 0),
        explains: |difference| {
            let has_week = ["%G", "%g", "%U", "%V"].iter().any(|format| difference.sql.contains(format));
            has_rows(difference) && says(difference, &["strftime"]) && has_week
        },
    },
    KnownDifference {
        name: "jsonb",
        reason: "JSONB and its functions, and the second argument of json_valid()",
        link: "https://sqlite.org/releaselog/3_45_0.html",
        since: (3, 45, 0),
        explains: |difference| {
            let is_new = |word: &str| word.starts_with("jsonb") || word == "json_valid";
            refuses(difference, OLD) && words(difference).iter().any(|word| is_new(word))
        },
    },
    KnownDifference {
        name: "json-pretty",
        reason: "new function json_pretty()",
        link: "https://sqlite.org/releaselog/3_46_0.html",
        since: (3, 46, 0),
        explains: |difference| lacks(difference, &["json_pretty"]),
    },
    KnownDifference {
        name: "digit-separator",
        reason: "underscores between the digits of a number; what follows one without a space is part of it",
        link: "https://sqlite.org/releaselog/3_46_0.html",
        since: (3, 46, 0),
        explains: |difference| {
            let lower = difference.sql.to_ascii_lowercase();
            let mut runs = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let is_separated = |run: &str| run.starts_with(|c: char| c.is_ascii_digit()) && run.contains('_');
            let is_stuck = |run: &str| {
                run.strip_prefix("0x").is_some_and(|rest| rest.contains(|c: char| !c.is_ascii_hexdigit()))
            };
            let (has_separator, has_hex) = (runs.clone().any(is_separated), runs.any(is_stuck));
            refuses(difference, OLD) && has_separator || refuses(difference, NEW) && has_hex
        },
    },
    KnownDifference {
        name: "aggregate-in-values",
        reason: "VALUES with several rows runs as a query, in which aggregates are allowed",
        link: "https://sqlite.org/releaselog/3_46_0.html",
        since: (3, 46, 0),
        explains: |difference| {
            let aggregates = ["count", "sum", "total", "avg", "min", "max", "group_concat"];
            lacks(difference, &aggregates) && says(difference, &["values"])
        },
    },
    KnownDifference {
        name: "unistr",
        reason: "new functions unistr() and unistr_quote()",
        link: "https://sqlite.org/releaselog/3_50_0.html",
        since: (3, 50, 0),
        explains: |difference| lacks(difference, &["unistr", "unistr_quote"]),
    },
    KnownDifference {
        name: "percentile",
        reason: "the percentile extension became a part of the amalgamation",
        link: "https://sqlite.org/releaselog/3_51_0.html",
        since: (3, 51, 0),
        explains: |difference| {
            lacks(difference, &["median", "percentile", "percentile_cont", "percentile_disc"])
        },
    },
    KnownDifference {
        name: "json-float-digits",
        reason: "JSON shows a floating-point number with 17 digits instead of 15",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| difference.class == Class::Digits && says_json(difference),
    },
    KnownDifference {
        name: "json-float-text",
        reason: "the text of a floating-point number in JSONB, and what is computed from it, depends on its digits",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| has_rows(difference) && has_float(difference) && says_json(difference),
    },
    KnownDifference {
        name: "float-digits",
        reason: "conversions between floating-point numbers and text were rewritten, with 17 digits instead of 15",
        link: "https://sqlite.org/floatingpoint.html",
        since: (3, 52, 0),
        explains: |difference| difference.class == Class::Digits,
    },
    KnownDifference {
        name: "float-text",
        reason: "anything computed from the text of a floating-point number, such as its length, depends on its digits",
        link: "https://sqlite.org/floatingpoint.html",
        since: (3, 52, 0),
        explains: |difference| has_rows(difference) && has_float(difference) && uses_text(difference),
    },
    KnownDifference {
        name: "temp-trigger-on-main",
        reason: "the body of a TEMP trigger may name tables of other databases, with an alias",
        link: "https://sqlite.org/releaselog/3_53_0.html",
        since: (3, 53, 0),
        explains: |difference| {
            let names_more = difference.sql.contains('.') || says(difference, &["as"]);
            fails_only_in(difference, OLD) && says(difference, &["trigger"]) && names_more
        },
    },
    KnownDifference {
        name: "printf-empty",
        reason: "printf() with nothing to print returns an empty text instead of NULL",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| {
            let with_text = |row: &String| row.replace("NULL", "''");
            let shown = difference.sides.each_ref().map(|side| side.shown.iter().map(with_text));
            let [old, new] = shown;
            let is_seen = difference.sides[OLD].shown != difference.sides[NEW].shown;
            has_rows(difference) && says(difference, &["printf", "format"]) && is_seen && old.eq(new)
        },
    },
    KnownDifference {
        name: "fts3-snippet-column",
        reason: "snippet() of FTS3 and FTS4 returns an empty text for a missing column",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| {
            let is_empty = difference.sides[NEW].shown.iter().any(|row| row.contains("''"));
            has_rows(difference) && says(difference, &["snippet"]) && is_empty
        },
    },
    KnownDifference {
        name: "no-utf-8",
        reason: "functions count and convert texts that are not UTF-8, or contain noncharacters, differently",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| {
            has_rows(difference) && difference.sql.contains(['\u{fffd}', '\u{fffe}', '\u{ffff}'])
        },
    },
    KnownDifference {
        name: "rowid-is-no-column",
        reason: "ALTER TABLE refuses to add, drop or rename a column named like a rowid",
        link: "https://sqlite.org/releaselog/3_54_0.html",
        since: (3, 54, 0),
        explains: |difference| {
            fails_only_in(difference, NEW)
                && says(difference, &["alter"])
                && says(difference, &["rowid", "oid", "_rowid_"])
        },
    },
];

/// The side of the older version, and of the newer.
const OLD: usize = 0;
const NEW: usize = 1;

/// True if one side fails with `SQLITE_ERROR`, as if rejected by the parser or the resolver, and the other does not
/// fail.
fn fails_only_in(difference: &Difference, side: usize) -> bool {
    difference.class == Class::Error && difference.sides[side].code == rusqlite::ffi::SQLITE_ERROR
}

/// True if both returned rows. What a table holds at the end is no such difference: the words of the whole script say
/// nothing about it.
fn has_rows(difference: &Difference) -> bool {
    difference.class == Class::Rows
}

/// True if the statement contains a floating-point number: one with a point or an exponent, or too large for an
/// integer.
fn has_float(difference: &Difference) -> bool {
    let text = difference.sql.as_bytes();
    let is_float = |token: &Token| {
        let number = &text[token.range.clone()];
        let has_mark = number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        token.kind == TokenKind::Number && (has_mark || number.len() > INTEGER_DIGITS)
    };
    tokenize(text).iter().any(is_float) || says(difference, &MAKE_FLOATS)
}

/// What yields a floating-point number from any other: averages and ranks, conversions, the clock, and functions of
/// [mathematics](https://sqlite.org/lang_mathfunc.html).
const MAKE_FLOATS: [&str; 36] = [
    "avg",
    "total",
    "median",
    "percentile",
    "percentile_cont",
    "percent_rank",
    "cume_dist",
    "round",
    "real",
    "julianday",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "degrees",
    "exp",
    "ln",
    "log",
    "log10",
    "log2",
    "mod",
    "pi",
    "pow",
    "power",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "ceil",
];

/// Digits of the largest integer, minus one.
const INTEGER_DIGITS: usize = 18;

/// True if the statement calls a function of JSON that makes JSON.
fn says_json(difference: &Difference) -> bool {
    words(difference).iter().any(|word| word.starts_with("json"))
}

/// True if the statement converts values to texts.
fn uses_text(difference: &Difference) -> bool {
    let functions = [
        "trim",
        "ltrim",
        "rtrim",
        "length",
        "octet_length",
        "substr",
        "substring",
        "quote",
        "hex",
        "instr",
        "replace",
        "upper",
        "lower",
        "printf",
        "format",
        "cast",
        "like",
        "glob",
        "concat",
        "unicode",
    ];
    difference.sql.contains("||") || says(difference, &functions)
}

/// As [`fails_only_in`], but the other side may fail, too, for a reason that comes later.
fn refuses(difference: &Difference, side: usize) -> bool {
    matches!(difference.class, Class::Error | Class::Code)
        && difference.sides[side].code == rusqlite::ffi::SQLITE_ERROR
}

/// True if the older side rejects a statement that names one of these functions.
fn lacks(difference: &Difference, functions: &[&str]) -> bool {
    refuses(difference, OLD) && says(difference, functions)
}

/// Words and names in the statement, in lower case and without quotes.
fn words(difference: &Difference) -> Vec<String> {
    let text = difference.sql.as_bytes();
    let word = |token: Token| {
        let word = String::from_utf8_lossy(&text[token.range]).to_ascii_lowercase();
        bare(&word).to_owned()
    };
    tokenize(text).into_iter().map(word).collect()
}

/// True if the statement has one of these words.
fn says(difference: &Difference, sought: &[&str]) -> bool {
    words(difference).iter().any(|word| sought.contains(&word.as_str()))
}

impl KnownDifference {
    /// Whether the two versions are on different sides of the change.
    pub fn applies(&self, versions: [Version; 2]) -> bool {
        (versions[0] < self.since) != (versions[1] < self.since)
    }
}

/// The entries that apply to two versions.
pub fn applicable(versions: [Version; 2]) -> impl Iterator<Item = &'static KnownDifference> {
    KNOWN_DIFFERENCES.iter().filter(move |known| known.applies(versions))
}

/// The entry that explains a difference between these versions.
pub fn explain(difference: &Difference, versions: [Version; 2]) -> Option<&'static KnownDifference> {
    let mut ordered = difference.clone();
    if versions[0] > versions[1] {
        ordered.sides.reverse();
    }
    applicable(versions).find(|known| (known.explains)(&ordered))
}

/// The version in the identity of an engine, as in `SQLite 3.54.1, 2026-…`; `None` for another engine.
pub fn version_of(identity: &str) -> Option<Version> {
    let version = identity.strip_prefix("SQLite ")?.split(',').next()?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests;
