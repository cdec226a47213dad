//! A tokenizer with SQLite's rules (<https://sqlite.org/lang_keywords.html>,
//! <https://sqlite.org/lang_expr.html#literal_values_constants_>).
//!
//! Invariant: the tokens of a text, spaces and comments included, are non-empty and tile it.

use std::ops::Range;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Whitespace.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// Keyword or bare identifier.
    Word,
    /// Identifier in `"…"`, `` `…` `` or `[…]`.
    QuotedName,
    /// String literal `'…'`.
    Text,
    /// Blob literal `x'…'`.
    Blob,
    /// Integer or floating-point literal, hexadecimal ones included.
    Number,
    /// `?`, `?1`, `:a`, `@a`, `$a`.
    Variable,
    /// Operator or punctuation.
    Operator,
    /// A byte that starts no token.
    Illegal,
}

impl TokenKind {
    /// True for whitespace and comments.
    pub fn is_blank(self) -> bool {
        matches!(self, Self::Space | Self::Comment)
    }
}

/// A token and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its kind.
    pub kind: TokenKind,
    /// Its byte range in the text.
    pub range: Range<usize>,
}

/// The tokens of `sql`, in order.
pub fn tokenize(sql: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(sql.len() / 4);
    let mut start = 0;
    while start < sql.len() {
        let (kind, length) = next(&sql[start..]);
        tokens.push(Token { kind, range: start..start + length });
        start += length;
    }
    tokens
}

/// The words and quoted names of `sql`, without their quotes: what may be a name or a keyword there. SQLite takes a
/// string for a name where only a name can stand, so strings are among them.
pub fn words(sql: &[u8]) -> impl Iterator<Item = &[u8]> {
    tokenize(sql).into_iter().filter_map(move |token| match token.kind {
        TokenKind::Word => Some(&sql[token.range]),
        // An unterminated one lacks the second quote.
        TokenKind::QuotedName | TokenKind::Text => sql.get(token.range.start + 1..token.range.end - 1),
        _ => None,
    })
}

/// True for bytes that may be part of a word.
pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// True for SQLite's whitespace.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Kind and length of the token at the start of `sql`, if it is not empty.
pub fn first(sql: &[u8]) -> Option<(TokenKind, usize)> {
    (!sql.is_empty()).then(|| next(sql))
}

/// Length of the token at the start of `sql`, which is not empty.
pub(super) fn next_length(sql: &[u8]) -> usize {
    next(sql).1
}

/// Kind and length of the token at the start of `sql`, which is not empty.
fn next(sql: &[u8]) -> (TokenKind, usize) {
    let second = sql.get(1).copied().unwrap_or(0);
    match sql[0] {
        byte if is_space(byte) => (TokenKind::Space, run(sql, is_space)),
        b'-' if second == b'-' => (TokenKind::Comment, line(sql)),
        b'/' if second == b'*' => (TokenKind::Comment, block(sql)),
        quote @ b'\'' => (TokenKind::Text, quoted(sql, 0, quote)),
        quote @ (b'"' | b'`') => (TokenKind::QuotedName, quoted(sql, 0, quote)),
        b'[' => (TokenKind::QuotedName, bracketed(sql)),
        b'x' | b'X' if second == b'\'' => (TokenKind::Blob, quoted(sql, 1, b'\'')),
        b'0'..=b'9' => (TokenKind::Number, number(sql)),
        b'.' if second.is_ascii_digit() => (TokenKind::Number, number(sql)),
        b'?' => (TokenKind::Variable, 1 + run(&sql[1..], |b| b.is_ascii_digit())),
        b':' | b'@' | b'#' | b'$' if is_word_byte(second) => {
            (TokenKind::Variable, 1 + run(&sql[1..], is_word_byte))
        }
        byte if is_word_byte(byte) && byte != b'$' => (TokenKind::Word, run(sql, is_word_byte)),
        _ => operator(sql),
    }
}

fn operator(sql: &[u8]) -> (TokenKind, usize) {
    const LONG: [&[u8]; 10] = [b"->>", b"->", b"||", b"<<", b">>", b"<=", b">=", b"<>", b"!=", b"=="];
    if let Some(found) = LONG.iter().find(|operator| sql.starts_with(operator)) {
        return (TokenKind::Operator, found.len());
    }
    let known = b"-+*/%=<>&|~,;().";
    let kind = if known.contains(&sql[0]) { TokenKind::Operator } else { TokenKind::Illegal };
    (kind, 1)
}

fn run(sql: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    sql.iter().position(|&byte| !belongs(byte)).unwrap_or(sql.len())
}

/// Up to, but not including, the end of the line.
fn line(sql: &[u8]) -> usize {
    run(sql, |byte| byte != b'\n')
}

/// A block comment; an unterminated one extends to the end.
fn block(sql: &[u8]) -> usize {
    let end = sql[2..].windows(2).position(|pair| pair == b"*/");
    end.map_or(sql.len(), |i| i + 4)
}

/// Length of a quoted token whose opening quote is at `open`; it includes doubled quotes, and an unterminated one
/// extends to the end.
fn quoted(sql: &[u8], open: usize, quote: u8) -> usize {
    let mut i = open + 1;
    while i < sql.len() {
        if sql[i] == quote {
            if sql.get(i + 1) != Some(&quote) {
                return i + 1;
            }
            i += 1;
        }
        i += 1;
    }
    sql.len()
}

fn bracketed(sql: &[u8]) -> usize {
    let end = sql.iter().position(|&byte| byte == b']');
    end.map_or(sql.len(), |i| i + 1)
}

fn number(sql: &[u8]) -> usize {
    let digits = |at: usize| run(&sql[at..], |b| b.is_ascii_digit() || b == b'_');
    if sql[0] == b'0' && matches!(sql.get(1), Some(b'x' | b'X')) {
        let hex = run(&sql[2..], |b| b.is_ascii_hexdigit() || b == b'_');
        if hex > 0 {
            return 2 + hex;
        }
    }
    let mut end = digits(0);
    if sql.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(sql.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(sql.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        if sql.get(exponent).is_some_and(u8::is_ascii_digit) {
            end = exponent + digits(exponent);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(sql: &str) -> Vec<(TokenKind, &str)> {
        tokenize(sql.as_bytes())
            .into_iter()
            .filter(|token| token.kind != TokenKind::Space)
            .map(|token| (token.kind, &sql[token.range]))
            .collect()
    }

    #[test]
    fn every_kind_is_told_apart() {
        use TokenKind::*;
        let sql = "SELECT 'it''s',x'0f',\"a\"\"b\",`c`,[d e],1.5e-3,0xFFu,.5,1_000,?1,:a,$b,@c--x\n/*y*/a->>'$'||b!=c\\";
        let expected = [
            (Word, "SELECT"),
            (Text, "'it''s'"),
            (Operator, ","),
            (Blob, "x'0f'"),
            (Operator, ","),
            (QuotedName, "\"a\"\"b\""),
            (Operator, ","),
            (QuotedName, "`c`"),
            (Operator, ","),
            (QuotedName, "[d e]"),
            (Operator, ","),
            (Number, "1.5e-3"),
            (Operator, ","),
            (Number, "0xFF"),
            (Word, "u"),
            (Operator, ","),
            (Number, ".5"),
            (Operator, ","),
            (Number, "1_000"),
            (Operator, ","),
            (Variable, "?1"),
            (Operator, ","),
            (Variable, ":a"),
            (Operator, ","),
            (Variable, "$b"),
            (Operator, ","),
            (Variable, "@c"),
            (Comment, "--x"),
            (Comment, "/*y*/"),
            (Word, "a"),
            (Operator, "->>"),
            (Text, "'$'"),
            (Operator, "||"),
            (Word, "b"),
            (Operator, "!="),
            (Word, "c"),
            (Illegal, "\\"),
        ];
        assert_eq!(kinds(sql), expected);
    }

    #[test]
    fn words_have_no_quotes_and_are_in_no_comment() {
        let sql = b"SELECT \"a b\", [c], 'd', x'00', 5 -- e\n /* f */ + g \"";
        assert_eq!(words(sql).collect::<Vec<_>>(), [&b"SELECT"[..], b"a b", b"c", b"d", b"g"]);
    }

    #[test]
    fn tokens_tile_any_bytes() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let alphabet = b"aX0'\"`[]-/*\n \t.e+?:$@#;,()|<>=!\\\x80\xff";
            let sql: Vec<u8> = (0..rng.usize(0..24)).map(|_| *rng.choice(alphabet).unwrap()).collect();
            let mut at = 0;
            for token in tokenize(&sql) {
                assert_eq!(token.range.start, at);
                assert!(token.range.end > at);
                at = token.range.end;
            }
            assert_eq!(at, sql.len());
        }
    }
}
