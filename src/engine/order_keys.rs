//! The keys by which the rows of a result are ordered, as far as they are among its columns.
//!
//! Rows with equal keys may come in any order, but the keys themselves may not: the sequence of the keys is the same on every
//! correct engine. Only the leading terms of an `ORDER BY` are considered that are the number of a column or the name of
//! exactly one.

use twox_hash::XxHash3_64;

use super::Value;
use crate::sql::{Token, TokenKind, bare, keyword, tokenize};

/// A term of `ORDER BY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// The number of a column, from 1.
    Number(usize),
    /// A name, without quotes.
    Name(String),
}

/// The columns that are keys, in order: of the query `text` with columns of these names. None if there are none, or if
/// the first is not among the columns.
pub fn key_columns(text: &[u8], names: &[String]) -> Vec<usize> {
    let column = |term: Term| match term {
        Term::Number(number) => (1..=names.len()).contains(&number).then(|| number - 1),
        Term::Name(name) => {
            let mut found = (0..names.len()).filter(|&index| names[index].eq_ignore_ascii_case(&name));
            found.next().filter(|_| found.next().is_none())
        }
    };
    terms(text).into_iter().map_while(column).collect()
}

/// The leading terms of the `ORDER BY` for all rows.
fn terms(text: &[u8]) -> Vec<Term> {
    let tokens: Vec<Token> = tokenize(text).into_iter().filter(|token| !token.kind.is_blank()).collect();
    let piece = |token: &Token| &text[token.range.clone()];
    let mut depth = 0_usize;
    let mut begin = None;
    for (index, token) in tokens.iter().enumerate() {
        match piece(token) {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            word if depth == 0 && keyword(word) == Some("ORDER") => begin = Some(index + 2),
            _ => {}
        }
    }
    let mut rest = begin.and_then(|begin| tokens.get(begin..)).unwrap_or_default();
    let mut terms = Vec::new();
    while let [first, after @ ..] = rest {
        // What may follow a key that is only a name or a number.
        let is_of_term = |token: &&Token| {
            let word = String::from_utf8_lossy(piece(token)).to_ascii_uppercase();
            ["ASC", "DESC", "NULLS", "FIRST", "LAST"].contains(&word.as_str())
        };
        let collate = match after {
            [word, _, ..] if piece(word).eq_ignore_ascii_case(b"COLLATE") => 2,
            _ => 0,
        };
        let length = collate + after[collate..].iter().take_while(is_of_term).count();
        let next = after.get(length).map(|token| (piece(token), keyword(piece(token))));
        let is_end = next.is_none_or(|(piece, word)| piece == b";" || word == Some("LIMIT"));
        let is_more = next.is_some_and(|(piece, _)| piece == b",");
        match term(first, piece(first)) {
            Some(term) if is_end || is_more => terms.push(term),
            _ => break,
        }
        rest = if is_more { &after[length + 1..] } else { &[] };
    }
    terms
}

fn term(token: &Token, piece: &[u8]) -> Option<Term> {
    let text = String::from_utf8_lossy(piece);
    match token.kind {
        TokenKind::Number => text.parse().ok().map(Term::Number),
        TokenKind::QuotedName => Some(Term::Name(bare(&text).to_owned())),
        TokenKind::Word if keyword(piece).is_none() => Some(Term::Name(text.into_owned())),
        _ => None,
    }
}

/// A digest of the keys of rows, in order. Keys that a built-in collation may take for equal count as equal.
pub fn add_key(digest: u64, row: &[Value], columns: &[usize]) -> u64 {
    let mut bytes = Vec::new();
    for value in columns.iter().filter_map(|&column| row.get(column)) {
        match value {
            Value::Null => bytes.push(0),
            // Numbers are compared by value.
            Value::Integer(_) | Value::Real(_) => {
                let number = match value {
                    Value::Integer(number) => *number as f64,
                    Value::Real(number) => *number,
                    _ => 0.0,
                };
                bytes.push(1);
                bytes.extend((number + 0.0).to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                bytes.push(2);
                bytes.extend(text.to_ascii_lowercase().trim_ascii_end());
                bytes.push(0);
            }
            Value::Blob(blob) => {
                bytes.push(3);
                bytes.extend((blob.len() as u64).to_le_bytes());
                bytes.extend(blob);
            }
        }
    }
    XxHash3_64::oneshot_with_seed(digest, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_columns_by_number_or_name_as_far_as_that_is_clear() {
        let names = ["a", "b", "max(c)", "b"].map(str::to_owned);
        let columns = |order: &str| key_columns(format!("SELECT 1 FROM t {order}").as_bytes(), &names);
        assert_eq!(columns("ORDER BY a"), [0]);
        assert_eq!(columns("ORDER BY 2 DESC, \"A\" COLLATE nocase ASC NULLS LAST LIMIT 3;"), [1, 0]);
        assert_eq!(columns("ORDER BY 3, a + 1, 2"), [2]);
        for unclear in ["", "ORDER BY b", "ORDER BY t.a", "ORDER BY max(c)", "ORDER BY 9", "ORDER BY x"] {
            assert_eq!(columns(unclear), [0; 0], "{unclear}");
        }
        assert_eq!(columns("WHERE a IN (SELECT 1 ORDER BY a)"), [0; 0]);
        assert_eq!(columns("WHERE a IN (SELECT 1 ORDER BY a) ORDER BY 1"), [0]);
    }

    #[test]
    fn equal_keys_are_equal_under_any_collation() {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let key = |value: Value| add_key(0, &[Value::Null, value], &[1]);
        assert_eq!(key(text("Ab ")), key(text("aB")));
        assert_eq!(key(Value::Integer(1)), key(Value::Real(1.0)));
        assert_eq!(key(Value::Real(-0.0)), key(Value::Integer(0)));
        assert_ne!(key(text("1")), key(Value::Integer(1)));
        assert_ne!(key(text("a")), key(text("b")));
    }
}
