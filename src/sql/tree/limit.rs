//! `LIMIT a, b` is `LIMIT b OFFSET a`: `sqlite3-parser` takes the two for the same and loses which came first.

use std::borrow::Cow;
use std::ops::Range;

use crate::sql::keyword;
use crate::sql::token::{self, Token, TokenKind};

/// What may follow the clause within its statement, besides a closing bracket.
const ENDS: [&str; 3] = ["ON", "RETURNING", "OFFSET"];

/// The statement with `OFFSET` in each `LIMIT` that has a comma.
pub(super) fn with_offsets(statement: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(statement);
    // From the last to the first: one within another begins after it.
    let mut end = usize::MAX;
    loop {
        let tokens = token::tokenize(&text);
        let last = tokens.iter().rposition(|token| token.range.start < end && is_word(&text, token, "LIMIT"));
        let Some(at) = last else {
            return text;
        };
        end = tokens[at].range.start;
        if let Some((offset, count)) = operands(&text, &tokens[at + 1..]) {
            let (before, after) = (&text[..offset.start], &text[count.end..]);
            let clause = [&text[count.clone()], &text[offset.clone()]].join(&b" OFFSET "[..]);
            text = Cow::Owned([before, b" ", &clause, b" ", after].concat());
        }
    }
}

/// Where the two operands are, if there is a comma between them.
fn operands(text: &[u8], tokens: &[Token]) -> Option<(Range<usize>, Range<usize>)> {
    let (start, mut depth, mut comma, mut end) = (tokens.first()?.range.start, 0_u32, None, text.len());
    for token in tokens {
        match &text[token.range.clone()] {
            b"(" => depth += 1,
            b")" if depth > 0 => depth -= 1,
            b"," if depth == 0 => comma = Some(token.range.clone()),
            _ if depth > 0 => {}
            word if matches!(word, b")" | b";") || ENDS.iter().any(|end| is_word(text, token, end)) => {
                end = token.range.start;
                break;
            }
            _ => {}
        }
    }
    let comma = comma?;
    Some((start..comma.start, comma.end..end))
}

fn is_word(text: &[u8], token: &Token, word: &str) -> bool {
    token.kind == TokenKind::Word && keyword(&text[token.range.clone()]) == Some(word)
}
