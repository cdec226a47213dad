//! The schema's rows, and what their SQL says about the trees that they name.

use std::collections::{HashMap, HashSet};

use super::Inspector;
use super::problem::Kind;
use super::space::At;
use super::walk::Plan;
use crate::dbfile::page::BtreePage;
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{header, record};
use crate::sql::Names;

/// Column of the root page in `sqlite_schema`.
const ROOT_COLUMN: usize = 3;

impl Inspector<'_> {
    /// Walks the trees of the schema and of its rows.
    pub(super) fn trees(&mut self) {
        let rows = schema::rows(self.image);
        let names = Tables::of(&rows);
        let plan =
            Plan { name: "sqlite_schema".to_owned(), has_rowids: true, has_plain_keys: false, links: false };
        self.tree(plan, 1, At { page: 1, at: 0 });
        let mut trees = Vec::new();
        for row in &rows {
            trees.push(self.object(row, &names));
        }
        if self.has_map {
            self.roots(&rows);
        }
        self.indexes(&rows, &names, &trees);
        self.schema = rows;
    }

    /// Walks the tree of a row, if it has one, and returns its number.
    fn object(&mut self, row: &SchemaRow, names: &Tables<'_>) -> Option<usize> {
        let at = At { page: row.page, at: self.root_at(row) };
        if !row.is_consistent() {
            let what = format!("type, name and table of the row of `{}` do not agree with its SQL", row.name);
            self.problems.add(
                Kind::SchemaRow,
                row.page,
                row.offset,
                what,
                "a row as SQLite writes it".to_owned(),
            );
        }
        let has_btree = has_btree(row);
        if has_btree == Some(false) {
            if row.root != 0 {
                let what = format!("{} {} has the root page {}", row.kind, row.name, row.root);
                self.problems.add(Kind::RootPage, at.page, at.at, what, "0: it has no b-tree".to_owned());
            }
            return None;
        }
        let Some(root) = row.root_page(&self.geometry) else {
            // With unclear SQL, the object may have no tree.
            if has_btree == Some(true) || row.root != 0 {
                let what = format!("{} {} has the root page {}", row.kind, row.name, row.root);
                self.problems.add(Kind::RootPage, at.page, at.at, what, format!("2 to {}", self.pages));
            }
            return None;
        };
        let of_page = BtreePage::parse(self.image, &self.geometry, root).map(|page| page.kind.is_table());
        let of_sql = has_btree.map(|_| is_rowid_table(row));
        let plan = Plan {
            name: row.name.clone(),
            has_rowids: of_sql.or(of_page).unwrap_or(true),
            has_plain_keys: has_btree.is_some() && has_plain_keys(row, names),
            links: has_btree.is_some() && has_links(row, names),
        };
        Some(self.tree(plan, root, at))
    }

    /// Where the root page of a row is stored in its page: in its record, or at its cell if that part is on an overflow
    /// page.
    fn root_at(&self, row: &SchemaRow) -> usize {
        let page = BtreePage::parse(self.image, &self.geometry, row.page);
        let place = page.and_then(|page| {
            let payload = page.cell(row.offset)?.payload?;
            let start = row.offset + payload.start;
            let local = page.bytes.get(start..start.checked_add(payload.local)?)?;
            let columns = record::leading_columns(local, ROOT_COLUMN + 1);
            Some(start + columns.get(ROOT_COLUMN)?.content.start)
        });
        place.unwrap_or(row.offset)
    }

    /// In a database with a pointer map, the largest root is the one in the header, and the roots precede all other
    /// pages.
    fn roots(&mut self, rows: &[SchemaRow]) {
        let roots = rows.iter().filter(|row| has_btree(row) == Some(true)).map(|row| row.root);
        let mut roots: Vec<i64> = roots.collect();
        roots.sort_unstable();
        let largest = roots.last().copied().unwrap_or(1).max(1);
        let claimed = header::LARGEST_ROOT.get(self.image);
        let at = header::LARGEST_ROOT.at;
        if largest != i64::from(claimed) {
            let what = format!("the header claims that {claimed} is the largest root page");
            self.problems.add(Kind::LargestRoot, 1, at, what, largest.to_string());
        }
        let ordinary =
            (3..=self.pages).filter(|&page| page != self.lock_byte_page && self.map_of(page) != page);
        let gap = ordinary.zip(&roots).find(|&(page, &root)| i64::from(page) != root);
        if let Some((page, root)) = gap {
            let what = format!("page {page} is no root page, but {root} is");
            let expected = "root pages before all others; VACUUM fails otherwise".to_owned();
            self.problems.add(Kind::RootOrder, 1, at, what, expected);
        }
    }
}

/// As [`SchemaRow::has_btree`], but root page 0 means that there is none.
pub(super) fn has_btree(row: &SchemaRow) -> Option<bool> {
    match row.root {
        0 => SchemaRow { root: 1, ..row.clone() }.has_btree(),
        _ => row.has_btree(),
    }
}

/// True if the SQL is that of a table that is not WITHOUT ROWID.
fn is_rowid_table(row: &SchemaRow) -> bool {
    let names = Names::of(row.sql.as_bytes());
    names.tables.last().is_some_and(|table| !table.is_view && table.has_rowid)
}

/// The tables of a schema by name, in lower case.
pub(super) struct Tables<'r> {
    rows: HashMap<String, (usize, &'r SchemaRow)>,
    /// Those that have an index.
    indexed: HashSet<String>,
}

impl<'r> Tables<'r> {
    fn of(rows: &'r [SchemaRow]) -> Self {
        let tables = rows.iter().enumerate().filter(|(_, row)| row.is_table());
        let indexes = rows.iter().filter(|row| is_index(row));
        Self {
            rows: tables.map(|(i, row)| (row.name.to_ascii_lowercase(), (i, row))).collect(),
            indexed: indexes.map(|row| row.table.to_ascii_lowercase()).collect(),
        }
    }

    /// The table that a row belongs to, and its index among the rows.
    pub(super) fn table_of(&self, row: &SchemaRow) -> Option<(usize, &'r SchemaRow)> {
        self.rows.get(&row.table.to_ascii_lowercase()).copied()
    }
}

/// True for an index as SQLite writes it.
pub(super) fn is_index(row: &SchemaRow) -> bool {
    row.kind == "index" && row.is_consistent()
}

/// True if the keys of the tree are ordered by their bytes: no other collation, nothing descending.
fn has_plain_keys(row: &SchemaRow, names: &Tables<'_>) -> bool {
    let is_plain = |row: &SchemaRow| {
        let sql = row.sql.to_ascii_uppercase();
        !sql.contains("COLLATE") && !sql.contains("DESC")
    };
    is_plain(row) && names.table_of(row).is_some_and(|(_, table)| is_plain(table))
}

/// True for an index whose rows can be looked up in its table, and for that table.
fn has_links(row: &SchemaRow, names: &Tables<'_>) -> bool {
    if row.is_table() {
        return names.indexed.contains(&row.name.to_ascii_lowercase());
    }
    is_index(row) && names.table_of(row).is_some_and(|(_, table)| table.is_consistent())
}
