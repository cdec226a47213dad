//! The names that a script or a schema defines, from its tokens.
//!
//! It uses no parser: a script under fuzzing is rarely all valid, and names that are only probably right are just as
//! useful. A table's columns are the first words of the parts between its parentheses.

use super::keywords::keyword;
use super::token::{Token, TokenKind, tokenize};

/// How many names of a kind are collected at most.
const NAMES_MAX: usize = 64;

/// A table, virtual table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Its name as written, quotes included.
    pub name: String,
    /// Its columns, likewise; empty if the definition does not list them.
    pub columns: Vec<String>,
    /// The module of a virtual table, lower case.
    pub module: Option<String>,
    /// A view.
    pub is_view: bool,
    /// False for WITHOUT ROWID tables and views.
    pub has_rowid: bool,
    /// Its columns that cannot be written to: generated ones.
    pub generated: Vec<String>,
    /// For a view: whether INSERT, UPDATE and DELETE have an INSTEAD OF trigger.
    pub instead_of: [bool; 3],
}

impl TableName {
    /// True if `name` refers to it, apart from quotes and case.
    pub fn is_called(&self, name: &str) -> bool {
        same_name(&self.name, name)
    }
}

/// An index and the table that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexName {
    /// Its name as written.
    pub name: String,
    /// The table's, likewise.
    pub table: String,
}

/// A name without its quotes.
pub fn bare(name: &str) -> &str {
    let quoted = |open: char, close: char| name.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let quotes = [('"', '"'), ('`', '`'), ('[', ']'), ('\'', '\'')];
    quotes.into_iter().find_map(|(open, close)| quoted(open, close)).unwrap_or(name)
}

/// Quotes a name with `quote`, which is doubled inside. `"` is for names, `'` for text and where SQLite accepts either.
pub fn quoted(name: &str, quote: char) -> String {
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

/// A name as a person writes it: quoted only if necessary.
pub fn readable(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && super::keyword(name.as_bytes()).is_none();
    if is_plain { name.to_owned() } else { quoted(name, '"') }
}

/// True if both names are the same, apart from quotes and case.
pub fn same_name(a: &str, b: &str) -> bool {
    bare(a).eq_ignore_ascii_case(bare(b))
}

/// Names by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Tables and views.
    pub tables: Vec<TableName>,
    /// Indexes.
    pub indexes: Vec<IndexName>,
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

    /// The table or view of this name; the last one if there are several.
    pub fn table(&self, name: &str) -> Option<&TableName> {
        self.tables.iter().rev().find(|table| table.is_called(name))
    }

    /// Applies the statements of `sql` to the names: definitions add to them, ALTER and DROP change them.
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
        if words.is(0, "CREATE") {
            self.create(words);
        } else if words.is(0, "DROP") {
            let at = if words.is(2, "IF") { 4 } else { 2 };
            let name = words.text(if words.text(at + 1) == "." { at + 2 } else { at });
            self.tables.retain(|table| !(table.is_called(name) && table.is_view == words.is(1, "VIEW")));
            self.indexes.retain(|index| !same_name(&index.name, name) && !same_name(&index.table, name));
        } else if words.is(0, "ALTER") {
            self.alter(words);
        }
    }

    fn create(&mut self, words: &Words<'_>) {
        let mut at = 1;
        while ["TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL"].iter().any(|word| words.is(at, word)) {
            at += 1;
        }
        let kind = words.text(at).to_ascii_uppercase();
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
        match kind.as_str() {
            "TABLE" | "VIEW" => {
                let mut table = table(name, words, at + 1);
                table.is_view = kind == "VIEW";
                table.has_rowid &= !table.is_view;
                if table.columns.is_empty() && table.module.is_none() {
                    table.columns = super::tree::result_columns(words.text, self);
                }
                self.tables.push(table);
            }
            "INDEX" => {
                let table = words.text(at + 2).to_owned();
                self.indexes.push(IndexName { name, table });
            }
            "TRIGGER" if self.triggers.len() < NAMES_MAX => {
                self.triggers.push(name);
                self.note_trigger(words, at + 1);
            }
            _ => {}
        }
    }

    /// `INSTEAD OF event … ON view` from `at` on.
    fn note_trigger(&mut self, words: &Words<'_>, at: usize) {
        let on = (at..words.tokens.len()).find(|&i| words.is(i, "ON"));
        let Some(on) = on.filter(|_| words.is(at, "INSTEAD")) else {
            return;
        };
        let event = ["INSERT", "UPDATE", "DELETE"].iter().position(|event| words.is(at + 2, event));
        let view = self.tables.iter_mut().rev().find(|table| table.is_called(words.text(on + 1)));
        if let (Some(view), Some(event)) = (view, event) {
            view.instead_of[event] = true;
        }
    }

    /// `ALTER TABLE name …`, with or without a schema before the name.
    fn alter(&mut self, words: &Words<'_>) {
        let at = if words.text(3) == "." { 4 } else { 2 };
        let Some(table) = self.tables.iter_mut().rev().find(|table| table.is_called(words.text(at))) else {
            return;
        };
        let word = |i: usize| words.text(at + i);
        let skip = usize::from(word(2).eq_ignore_ascii_case("COLUMN"));
        let named = word(2 + skip).to_owned();
        match word(1).to_ascii_uppercase().as_str() {
            "RENAME" if word(2).eq_ignore_ascii_case("TO") => table.name = word(3).to_owned(),
            "RENAME" => {
                let new = word(4 + skip).to_owned();
                let renamed = table.columns.iter_mut().find(|column| same_name(column, &named));
                if let Some(column) = renamed.filter(|_| !new.is_empty()) {
                    *column = new;
                }
            }
            "ADD" if !named.is_empty() && table.columns.len() < NAMES_MAX => table.columns.push(named),
            "DROP" => table.columns.retain(|column| !same_name(column, &named)),
            _ => {}
        }
    }
}

/// The table whose definition continues at `at`, after its name.
fn table(name: String, words: &Words<'_>, mut at: usize) -> TableName {
    let mut module = None;
    if words.is(at, "USING") {
        module = Some(words.text(at + 1).to_ascii_lowercase());
        at += 2;
    }
    let mut columns = Vec::new();
    let mut generated = Vec::new();
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
                "AS" | "as" if depth == 1 && words.text(at + 1) == "(" => {
                    generated.extend(columns.last().cloned())
                }
                // An auxiliary column of an R-Tree.
                "+" if depth == 1 => {
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
    if module.as_deref() == Some("geopoly") {
        columns.insert(0, "_shape".to_owned());
    }
    let rest = |word: &str| (at..words.tokens.len()).any(|i| words.is(i, word));
    let has_rowid = !rest("WITHOUT");
    TableName { name, columns, module, is_view: false, has_rowid, generated, instead_of: [false; 3] }
}

fn is_table_constraint(word: &str) -> bool {
    ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// A statement's tokens without whitespace.
struct Words<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
}

impl<'a> Words<'a> {
    /// The token's text; empty past the end, and if it is not UTF-8.
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
    fn a_name_has_quotes_where_it_needs_them() {
        let all = [("t_1", "t_1"), ("a b", "\"a b\""), ("order", "\"order\""), ("1", "\"1\""), ("", "\"\"")];
        for (name, written) in all {
            assert_eq!(readable(name), written);
            assert_eq!(bare(written), name);
        }
        assert_eq!([quoted("a\"b'", '"'), quoted("a\"b'", '\'')], ["\"a\"\"b'\"", "'a\"b'''"]);
    }

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
        assert_eq!(names.indexes, [IndexName { name: "i1".to_owned(), table: "t1".to_owned() }]);
        assert_eq!(names.triggers, ["tr"]);
        assert_eq!(names.tables[1..].iter().map(|table| table.is_view).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn drop_and_alter_change_what_is_there() {
        let names = Names::of(
            b"CREATE TABLE t1(a, b AS (a + 1), c, PRIMARY KEY(a)) WITHOUT ROWID; CREATE INDEX i ON t1(a);
              CREATE TABLE t2(x); CREATE VIEW v AS SELECT 1; DROP VIEW IF EXISTS v; DROP TABLE main.t2;
              ALTER TABLE \"T1\" RENAME TO u; ALTER TABLE u RENAME COLUMN c TO d; ALTER TABLE main.u RENAME d TO e;
              ALTER TABLE u ADD COLUMN f; ALTER TABLE u DROP a; ALTER TABLE missing RENAME TO x; DROP INDEX i;",
        );
        let table = names.table("[U]").unwrap();
        assert_eq!(table.columns, ["b", "e", "f"]);
        assert_eq!(table.generated, ["b"]);
        assert_eq!((table.has_rowid, names.tables.len()), (false, 1));
        assert!(names.indexes.is_empty());
    }
}
