//! Compares the column values in index entries with the rows themselves.

use super::Inspector;
use super::entry;
use super::problem::Kind;
use crate::dbfile::page::BtreePage;
use crate::dbfile::record::{self, Value};
use crate::dbfile::schema::SchemaRow;
use crate::dbfile::{describe, header, index, tree};
use crate::sql::{Names, Token, TokenKind, same_name, tokenize};

/// Tables with more columns are skipped: [`Names`] does not have them all.
const COLUMNS_MAX: usize = 60;

/// The position of each column of an index in the table, and its name; none for an expression.
pub(super) type Columns = Vec<Option<(usize, String)>>;

/// The columns of an index, from its SQL and that of its table; empty if that is not clear.
pub(super) fn columns(row: &SchemaRow, table: &SchemaRow) -> Columns {
    let Some(table) = Names::of(table.sql.as_bytes()).tables.pop() else {
        return Columns::new();
    };
    if !table.generated.is_empty() || table.columns.len() > COLUMNS_MAX {
        return Columns::new();
    }
    let place = |name: &str| table.columns.iter().position(|column| same_name(column, name));
    let tokens: Vec<Token> =
        tokenize(row.sql.as_bytes()).into_iter().filter(|token| !token.kind.is_blank()).collect();
    let text = |i: usize| tokens.get(i).map_or("", |token: &Token| &row.sql[token.range.clone()]);
    let Some(open) = (0..tokens.len()).find(|&i| text(i) == "(") else {
        return Columns::new();
    };
    let (mut columns, mut depth, mut is_first) = (Columns::new(), 0, false);
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match text(i) {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," => {}
            _ if !is_first || depth != 1 => {}
            name => {
                let is_name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedName);
                let ends = [",", ")", "COLLATE", "ASC", "DESC"];
                let is_alone = ends.iter().any(|end| text(i + 1).eq_ignore_ascii_case(end));
                let found = place(name).filter(|_| is_name && is_alone);
                columns.push(found.map(|at| (at, name.to_owned())));
            }
        }
        if depth == 0 {
            break;
        }
        is_first = depth == 1 && matches!(text(i), "(" | ",");
        // An expression in parentheses is a column of the index, too.
        if is_first && text(i + 1) == "(" {
            columns.push(None);
            is_first = false;
        }
    }
    columns
}

impl Inspector<'_> {
    /// Compares the entry at a position with the row of its rowid.
    pub(super) fn compare_entry(
        &mut self,
        name: &str,
        columns: &Columns,
        entry: (i64, u32, usize),
        row: (u32, usize),
    ) {
        let (rowid, page, at) = entry;
        let (Some(of_index), Some(of_table)) = (self.values_at(page, at), self.values_at(row.0, row.1))
        else {
            return;
        };
        let encoding = header::ENCODING.get(self.image);
        for (i, column) in columns.iter().enumerate() {
            let Some((place, column)) = column else { continue };
            let (Some(found), Some(stored)) = (of_index.get(i), of_table.get(*place)) else { continue };
            // The alias of the rowid is stored as NULL.
            let is_alias = *stored == Value::Null && *found == Value::Integer(rowid);
            if index::compare(found, stored).is_ne() && !is_alias {
                let what = format!(
                    "the index {name} has {column} = {} for rowid {rowid}",
                    describe::value(found, encoding)
                );
                let expected =
                    format!("{}, as in the row on page {}", describe::value(stored, encoding), row.0);
                self.problems.add(Kind::IndexEntry, page, at, what, expected);
            }
        }
    }

    /// The values of the cell at a position, unless too much was read.
    fn values_at(&mut self, page: u32, at: usize) -> Option<Vec<Value>> {
        let payload = BtreePage::parse(self.image, &self.geometry, page)?.cell(at)?.payload?;
        let length = usize::try_from(payload.total).ok()?.min(tree::PAYLOAD_BYTES_MAX);
        self.link_bytes_left = self.link_bytes_left.saturating_sub(length);
        if self.link_bytes_left == 0 {
            return None;
        }
        let bytes = tree::payload(self.image, &self.geometry, page, at, &payload);
        // A broken chain is a problem of its own.
        (bytes.len() == length).then(|| entry::key(&bytes, &record::leading_columns(&bytes, COLUMNS_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_off_the_sql() {
        let row = |sql: &str| SchemaRow {
            page: 1,
            offset: 0,
            rowid: 1,
            kind: String::new(),
            name: String::new(),
            table: String::new(),
            root: 2,
            sql: sql.to_owned(),
            is_typed: true,
        };
        let places = |index: &str, table: &str| -> Vec<Option<usize>> {
            columns(&row(index), &row(table)).into_iter().map(|column| Some(column?.0)).collect()
        };
        let table = "CREATE TABLE t(a INTEGER PRIMARY KEY, b DEFAULT(1,2), \"c d\" TEXT, UNIQUE(b))";
        assert_eq!(places("CREATE INDEX i ON t(\"C D\" COLLATE nocase DESC, a)", table), [Some(2), Some(0)]);
        let odd = "CREATE INDEX i ON t(b+1, (a), length(b), b, 'b', rowid) WHERE (a) > 1";
        assert_eq!(places(odd, table), [None, None, None, Some(1), None, None]);
        assert_eq!(places("", table), []);
        assert_eq!(places("CREATE INDEX i ON t(a)", "CREATE TABLE t(a, b AS (a))"), []);
    }
}
