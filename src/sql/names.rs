//! The names that a script or a schema defines, read off its tokens.
//!
//! No parser: a script under fuzzing is rarely all valid, and names that are only probably right serve
//! as well. A table's columns are the first words of the parts between its parentheses.

use super::keywords::keyword;
use super::token::{Token, TokenKind, tokenize};

/// Most names of a kind that are collected.
const NAMES_MAX: usize = 64;

/// A table, virtual table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Its name as the text has it, quotes included.
    pub name: String,
    /// Its columns, likewise; empty where the definition does not list them.
    pub columns: Vec<String>,
    /// The module of a virtual table, lower case.
    pub module: Option<String>,
}

/// Names by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Tables and views.
    pub tables: Vec<TableName>,
    /// Indexes.
    pub indexes: Vec<String>,
    /// Triggers.
    pub triggers: Vec<String>,
}

impl Names {
    /// The names that `sql` defines.
    pub fn of(sql: &[u8]) -> Self {
        let mut names = Self::default();
        names.add(sql);
        names
    }

    /// Adds the names that `sql` defines.
    pub fn add(&mut self, sql: &[u8]) {
        for range in super::statements(sql) {
            let text = &sql[range];
            let tokens: Vec<Token> =
                tokenize(text).into_iter().filter(|token| !token.kind.is_blank()).collect();
            let words = Words { text, tokens: &tokens };
            self.add_statement(&words);
        }
    }

    /// True if no table is known.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    fn add_statement(&mut self, words: &Words<'_>) {
        if !words.is(0, "CREATE") {
            return;
        }
        let mut at = 1;
        while ["TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL"].iter().any(|word| words.is(at, word)) {
            at += 1;
        }
        let kind = words.text(at);
        at += 1;
        if words.is(at, "IF") {
            at += 3; // IF NOT EXISTS
        }
        if words.text(at + 1) == "." {
            at += 2; // schema.
        }
        let name = words.text(at).to_owned();
        if name.is_empty() || self.tables.len() >= NAMES_MAX || self.indexes.len() >= NAMES_MAX {
            return;
        }
        match kind.to_ascii_uppercase().as_str() {
            "TABLE" | "VIEW" => self.tables.push(table(name, words, at + 1)),
            "INDEX" => self.indexes.push(name),
            "TRIGGER" if self.triggers.len() < NAMES_MAX => self.triggers.push(name),
            _ => {}
        }
    }
}

/// The table whose definition goes on at `at`, behind its name.
fn table(name: String, words: &Words<'_>, mut at: usize) -> TableName {
    let mut module = None;
    if words.is(at, "USING") {
        module = Some(words.text(at + 1).to_ascii_lowercase());
        at += 2;
    }
    let mut columns = Vec::new();
    if words.text(at) == "(" {
        let (mut depth, mut is_first) = (0, false);
        while at < words.tokens.len() && columns.len() < NAMES_MAX {
            match words.text(at) {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," if depth == 1 => {
                    is_first = true;
                    at += 1;
                    continue;
                }
                word if depth == 1 && (is_first || columns.is_empty()) => {
                    let is_name = matches!(words.tokens[at].kind, TokenKind::Word | TokenKind::QuotedName);
                    if is_name && !is_table_constraint(word) && words.text(at + 1) != "=" {
                        columns.push(word.to_owned());
                    }
                    is_first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
            at += 1;
        }
    }
    TableName { name, columns, module }
}

fn is_table_constraint(word: &str) -> bool {
    ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// A statement's tokens without blanks.
struct Words<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
}

impl<'a> Words<'a> {
    /// The token's text; empty behind the end, and where it is not UTF-8.
    fn text(&self, index: usize) -> &'a str {
        let range = self.tokens.get(index).map(|token| token.range.clone());
        range.and_then(|range| std::str::from_utf8(&self.text[range]).ok()).unwrap_or_default()
    }

    fn is(&self, index: usize, word: &str) -> bool {
        self.text(index).eq_ignore_ascii_case(word) && keyword(word.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_script_defines() {
        let names = Names::of(
            b"CREATE TABLE t1(a INTEGER PRIMARY KEY, \"b c\" TEXT CHECK(a>(1)), d, UNIQUE(a,d), FOREIGN KEY(d) REFERENCES x);
              CREATE TEMP VIEW IF NOT EXISTS main.v(x, y) AS SELECT 1, 2;
              create virtual table f using FTS5(x, y, content='z');
              CREATE UNIQUE INDEX i1 ON t1(a); CREATE TRIGGER tr AFTER INSERT ON t1 BEGIN SELECT 1; END;
              SELECT 1; CREATE TABLE",
        );
        let tables: Vec<(&str, Vec<&str>)> = names
            .tables
            .iter()
            .map(|table| (table.name.as_str(), table.columns.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(tables, [("t1", vec!["a", "\"b c\"", "d"]), ("v", vec!["x", "y"]), ("f", vec!["x", "y"])]);
        assert_eq!(names.tables[2].module.as_deref(), Some("fts5"));
        assert_eq!((names.indexes, names.triggers), (vec!["i1".to_owned()], vec!["tr".to_owned()]));
    }
}
