//! Tokens, whether the statement parses or not; then literals, names and white space as a person would write them.

use std::ops::Range;

use super::{Part, Pass, with_sql};
use crate::sql::{self, Token, TokenKind};
use crate::testcase::TestCase;

/// Maximum number of tokens in a script whose tokens are tried one by one.
const TOKENS_MAX: usize = 2000;

/// Tokens.
pub(super) struct Tokens;

/// Those that are not blank.
fn words(text: &[u8]) -> Vec<Token> {
    sql::tokenize(text).into_iter().filter(|token| !token.kind.is_blank()).collect()
}

impl Pass for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        let count = words(case.sql.as_bytes()).len();
        if count <= TOKENS_MAX { count } else { 0 }
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let text = case.sql.as_bytes();
        let words = words(text);
        let (first, last) = (words.get(places.start)?, words.get(places.end - 1)?);
        let new = [&text[..first.range.start], b" ", &text[last.range.end..]].concat();
        Some(with_sql(case, new))
    }
}

/// Simplifies literals.
pub(super) struct Literals;

/// The simpler literals that a literal may become, simplest first.
fn simpler(token: &Token, text: &[u8]) -> Vec<Vec<u8>> {
    let literal = &text[token.range.clone()];
    let mut all: Vec<Vec<u8>> = match token.kind {
        TokenKind::Number => [&b"0"[..], b"1", b"2", b"10"].map(<[u8]>::to_vec).to_vec(),
        TokenKind::Text => {
            let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
            let half = &inner[..inner.len() / 2];
            vec![b"''".to_vec(), b"'a'".to_vec(), [b"'", half, b"'"].concat()]
        }
        TokenKind::Blob => {
            let digits = literal.get(2..literal.len().saturating_sub(1)).unwrap_or_default();
            let half = &digits[..digits.len() / 4 * 2];
            vec![b"x''".to_vec(), [b"x'", half, b"'"].concat()]
        }
        _ => Vec::new(),
    };
    let at = all.iter().position(|simple| simple == literal);
    all.truncate(at.unwrap_or(all.len()));
    all.retain(|simple| simple.len() <= literal.len() && simple != literal);
    all
}

/// Each literal with each possible replacement.
fn literals(text: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let tokens = sql::tokenize(text);
    let each = tokens
        .iter()
        .flat_map(|token| simpler(token, text).into_iter().map(move |simple| (token.range.clone(), simple)));
    each.collect()
}

impl Pass for Literals {
    fn name(&self) -> &'static str {
        "literals"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        literals(case.sql.as_bytes()).len()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let text = case.sql.as_bytes();
        let (range, simple) = literals(text).into_iter().nth(at.start)?;
        Some(with_sql(case, [&text[..range.start], &simple, &text[range.end..]].concat()))
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// Shortens names, everywhere at once.
pub(super) struct Names;

/// Names that are neither keywords nor short, each once.
fn long_names(text: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for token in sql::tokenize(text) {
        let word = &text[token.range.clone()];
        let is_name = match token.kind {
            TokenKind::Word => sql::keyword(word).is_none() && word.len() > 2,
            TokenKind::QuotedName => true,
            _ => false,
        };
        if is_name && !names.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            names.push(word.to_vec());
        }
    }
    names
}

/// A short name that the script does not use.
fn free_name(text: &[u8]) -> Vec<u8> {
    let tokens = sql::tokenize(text);
    let is_taken =
        |name: &[u8]| tokens.iter().any(|token| text[token.range.clone()].eq_ignore_ascii_case(name));
    let letters = (b'a'..=b'z').map(|letter| vec![letter]);
    let numbered = (b'a'..=b'z').flat_map(|letter| (b'0'..=b'9').map(move |digit| vec![letter, digit]));
    letters.chain(numbered).find(|name| !is_taken(name)).unwrap_or_else(|| b"zz".to_vec())
}

impl Pass for Names {
    fn name(&self) -> &'static str {
        "names"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        long_names(case.sql.as_bytes()).len()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let text = case.sql.as_bytes();
        let old = long_names(text).into_iter().nth(at.start)?;
        let new = free_name(text);
        let mut out = Vec::with_capacity(text.len());
        for token in sql::tokenize(text) {
            let word = &text[token.range];
            out.extend_from_slice(if word.eq_ignore_ascii_case(&old) { &new } else { word });
        }
        Some(with_sql(case, out))
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// Comments and superfluous white space.
pub(super) struct Blanks;

/// One statement per line, a single space where one is required.
fn tidy(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for range in sql::statements(text) {
        let statement = &text[range];
        let mut is_blank = false;
        let start = out.len();
        for token in sql::tokenize(statement) {
            if token.kind.is_blank() {
                is_blank = true;
                continue;
            }
            let word = &statement[token.range];
            let is_glued =
                |byte: u8| !(byte.is_ascii_alphanumeric() || b"_$'\"`[]".contains(&byte) || byte >= 128);
            let needs_space = out.len() > start
                && is_blank
                && !(word == b";" || word == b"," || word == b")" || out.last() == Some(&b'('))
                && !(is_glued(word[0]) && out.last().is_some_and(|&last| is_glued(last)) && word == b"(");
            if needs_space {
                out.push(b' ');
            }
            out.extend_from_slice(word);
            is_blank = false;
        }
        if out.len() > start {
            out.push(b'\n');
        }
    }
    out
}

impl Pass for Blanks {
    fn name(&self) -> &'static str {
        "white space"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        usize::from(tidy(case.sql.as_bytes()) != case.sql.as_bytes())
    }

    fn without(&self, case: &TestCase, _: Range<usize>) -> Option<TestCase> {
        Some(with_sql(case, tidy(case.sql.as_bytes())))
    }
}
