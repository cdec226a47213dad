//! What the definition of a virtual table says, from its tokens.

use super::token::{Token, TokenKind, tokenize};

/// A virtual table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualTable {
    /// Its name, lower case, without quotes.
    pub name: Vec<u8>,
    /// True for a full-text table that indexes another table, or nothing that it keeps (`content=`): that table may
    /// change without it.
    pub has_external_content: bool,
}

impl VirtualTable {
    /// The virtual table that a statement defines, if it does so.
    pub fn of(statement: &[u8]) -> Option<Self> {
        let tokens: Vec<Token> =
            tokenize(statement).into_iter().filter(|token| !token.kind.is_blank()).collect();
        let text = |at: usize| tokens.get(at).map_or(&b""[..], |token| &statement[token.range.clone()]);
        let is = |at: usize, word: &[u8]| text(at).eq_ignore_ascii_case(word);
        if !(is(0, b"CREATE") && is(1, b"VIRTUAL") && is(2, b"TABLE")) {
            return None;
        }
        let using = (4..tokens.len()).find(|&at| is(at, b"USING"))?;
        let name = text(using - 1);
        let is_bare = tokens[using - 1].kind == TokenKind::Word;
        let name = if is_bare { name } else { name.get(1..name.len() - 1)? };
        let is_full_text = text(using + 1).get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"fts"));
        let is_option =
            |at: usize| is(at, b"content") && is(at + 1, b"=") && (is(at - 1, b"(") || is(at - 1, b","));
        Some(Self {
            name: name.to_ascii_lowercase(),
            has_external_content: is_full_text && (using + 2..tokens.len()).any(is_option),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_are_read_from_the_tokens() {
        let of = |sql: &str| {
            let table = VirtualTable::of(sql.as_bytes())?;
            Some((String::from_utf8(table.name).unwrap(), table.has_external_content))
        };
        let table = |name: &str, has| Some((name.to_owned(), has));
        assert_eq!(of("create virtual table if not exists F using fts5(a, content='t')"), table("f", true));
        assert_eq!(of("CREATE VIRTUAL TABLE main.\"a b\" USING FTS4(content = \"\", x)"), table("a b", true));
        assert_eq!(of("CREATE VIRTUAL TABLE f USING fts5(content, tokenize='x')"), table("f", false));
        assert_eq!(
            of("CREATE VIRTUAL TABLE f USING fts5(a, content_rowid=b) -- content=t"),
            table("f", false)
        );
        assert_eq!(of("CREATE VIRTUAL TABLE r USING rtree(a,b,c)"), table("r", false));
        assert_eq!(of("CREATE VIRTUAL TABLE r USING"), table("r", false));
        assert_eq!(of("CREATE TABLE f(content=1)"), None);
        assert_eq!(of("CREATE VIRTUAL TABLE"), None);
    }
}
