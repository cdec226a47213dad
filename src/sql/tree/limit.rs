//! `LIMIT a, b` is `LIMIT b OFFSET a`: `sqlite3-parser` takes the two for the same and loses which came first.

use std::borrow::Cow;
use std::ops::Range;

use crate::sql::keyword;
use crate::sql::token::{self, Token, TokenKind};

/// What may follow the clause within its statement, besides a closing bracket.
const ENDS: [&str; 3] = ["ON", "RETURNING", "OFFSET"];

/// The statement, which has these tokens, with `OFFSET` in each `LIMIT` that has a comma.
pub(super) fn with_offsets(statement: &[u8], mut tokens: Vec<Token>) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(statement);
    // From the last to the first: one within another begins after it.
    let mut end = usize::MAX;
    loop {
        tokens.retain(|token| !token.kind.is_blank());
        let last = tokens.iter().rposition(|token| token.range.start < end && is_word(&text, token, "LIMIT"));
        let Some(at) = last else {
            return text;
        };
        end = tokens[at].range.start;
        if let Some((offset, count)) = operands(&text, &tokens[at + 1..]) {
            let clause = [&text[count.clone()], &text[offset.clone()]].join(&b" OFFSET "[..]);
            text = Cow::Owned([&text[..offset.start], &clause, &text[count.end..]].concat());
            tokens = token::tokenize(&text);
        }
    }
}

/// Where the two operands are, if there is a comma between them.
fn operands(text: &[u8], tokens: &[Token]) -> Option<(Range<usize>, Range<usize>)> {
    let (mut depth, mut comma, mut end) = (0_u32, None, tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        match &text[token.range.clone()] {
            b"(" => depth += 1,
            b")" if depth > 0 => depth -= 1,
            b"," if depth == 0 => comma = Some(at),
            _ if depth > 0 => {}
            word if matches!(word, b")" | b";") || ENDS.iter().any(|end| is_word(text, token, end)) => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let range = |of: &[Token]| Some(of.first()?.range.start..of.last()?.range.end);
    let comma = comma?;
    Some((range(&tokens[..comma])?, range(&tokens[comma + 1..end])?))
}

fn is_word(text: &[u8], token: &Token, word: &str) -> bool {
    token.kind == TokenKind::Word && keyword(&text[token.range.clone()]) == Some(word)
}
