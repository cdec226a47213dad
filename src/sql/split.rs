//! Splits a script into statements.
//!
//! The rule is that of `sqlite3_complete()` (<https://sqlite.org/c3ref/complete.html>), with which the `sqlite3` shell
//! and SQLite's fuzzers split a script: a statement ends at its first semicolon outside of quotes and comments, but
//! `CREATE [TEMP] TRIGGER` ends at the semicolon after `; END`.

use std::ops::Range;

use super::token::{self, is_space, is_word_byte};

/// The statements of `sql`, each with its semicolon; text after the last semicolon is the last statement. Together they
/// tile the text.
pub fn statements(sql: &[u8]) -> Statements<'_> {
    Statements { sql, at: 0 }
}

/// Iterator over the ranges of statements; see [`statements`].
#[derive(Debug, Clone)]
pub struct Statements<'a> {
    sql: &'a [u8],
    at: usize,
}

impl Iterator for Statements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.at >= self.sql.len() {
            return None;
        }
        let start = self.at;
        self.at = start + end_of_statement(&self.sql[start..]);
        Some(start..self.at)
    }
}

/// The position within a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only whitespace so far.
    Start,
    /// In a statement that ends at the next semicolon.
    Plain,
    /// After EXPLAIN.
    Explain,
    /// After CREATE, or CREATE TEMP.
    Create,
    /// In a trigger.
    Trigger,
    /// In a trigger, after a semicolon.
    TriggerSemicolon,
    /// In a trigger, after `; END`.
    TriggerEnd,
}

fn end_of_statement(sql: &[u8]) -> usize {
    let mut state = State::Start;
    let mut at = 0;
    while at < sql.len() {
        let (piece, length) = next_piece(&sql[at..]);
        at += length;
        state = match (piece, state) {
            (Piece::Blank, state) => state,
            (Piece::Semicolon, State::Trigger | State::TriggerSemicolon) => State::TriggerSemicolon,
            (Piece::Semicolon, _) => return at,
            (Piece::End, State::TriggerSemicolon) => State::TriggerEnd,
            (_, State::Trigger | State::TriggerSemicolon | State::TriggerEnd) => State::Trigger,
            (Piece::Explain, State::Start) => State::Explain,
            (Piece::Create, State::Start | State::Explain) => State::Create,
            (Piece::Other, State::Explain) => State::Explain,
            (Piece::Temp, State::Create) => State::Create,
            (Piece::Trigger, State::Create) => State::Trigger,
            _ => State::Plain,
        };
    }
    sql.len()
}

/// The tokens that matter, and the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Blank,
    Semicolon,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
    Other,
}

fn next_piece(sql: &[u8]) -> (Piece, usize) {
    let second = sql.get(1).copied();
    match sql[0] {
        b';' => (Piece::Semicolon, 1),
        byte if is_space(byte) => (Piece::Blank, 1),
        b'-' if second == Some(b'-') => (Piece::Blank, token::next_length(sql)),
        b'/' if second == Some(b'*') => (Piece::Blank, token::next_length(sql)),
        b'\'' | b'"' | b'`' | b'[' => (Piece::Other, token::next_length(sql)),
        byte if is_word_byte(byte) => {
            let length = sql.iter().position(|&b| !is_word_byte(b)).unwrap_or(sql.len());
            (word(&sql[..length]), length)
        }
        _ => (Piece::Other, 1),
    }
}

fn word(word: &[u8]) -> Piece {
    const WORDS: [(&[u8], Piece); 6] = [
        (b"EXPLAIN", Piece::Explain),
        (b"CREATE", Piece::Create),
        (b"TEMP", Piece::Temp),
        (b"TEMPORARY", Piece::Temp),
        (b"TRIGGER", Piece::Trigger),
        (b"END", Piece::End),
    ];
    let found = WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
    found.map_or(Piece::Other, |(_, piece)| *piece)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    fn split(sql: &str) -> Vec<&str> {
        statements(sql.as_bytes()).map(|range| &sql[range]).collect()
    }

    #[test]
    fn quotes_comments_and_triggers_keep_their_semicolons() {
        let trigger = "create temp trigger t after insert on x begin select ';'; /*;*/ delete from x; end;";
        let sql = format!("SELECT ';';-- a;b\nSELECT [;];{trigger}EXPLAIN QUERY PLAN SELECT 1; rest");
        let expected =
            ["SELECT ';';", "-- a;b\nSELECT [;];", trigger, "EXPLAIN QUERY PLAN SELECT 1;", " rest"];
        assert_eq!(split(&sql), expected);
        assert_eq!(split(";;"), [";", ";"]);
        assert!(split("").is_empty());
    }

    /// Compares the rule with the engine: a statement is complete, and none of its earlier semicolons completes it.
    #[test]
    fn agrees_with_sqlite3_complete() {
        let words = [
            "create",
            "temp",
            "temporary",
            "trigger",
            "end",
            "explain",
            "a",
            ";",
            ";",
            " ",
            "\n",
            "'",
            "\"",
            "`",
            "[",
            "]",
            "--",
            "/*",
            "*/",
            "/",
            "-",
            "'x'",
            "$",
            "\u{e9}",
        ];
        let complete = |sql: &[u8]| {
            let sql = CString::new(sql).unwrap();
            crate::engine::sqlite::is_complete(&sql)
        };
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let sql: String = (0..rng.usize(1..14)).map(|_| *rng.choice(&words).unwrap()).collect();
            let sql = sql.as_bytes();
            let mut at = 0;
            for range in statements(sql) {
                assert_eq!(range.start, at);
                at = range.end;
                let semicolons = range.clone().filter(|&i| sql[i] == b';').map(|i| i + 1);
                let first = semicolons.into_iter().find(|&end| complete(&sql[range.start..end]));
                let is_last = range.end == sql.len();
                assert!(
                    first == Some(range.end) || first.is_none() && is_last,
                    "{:?} cut at {} and not {first:?}",
                    String::from_utf8_lossy(sql),
                    range.end
                );
            }
            assert_eq!(at, sql.len());
        }
    }
}
