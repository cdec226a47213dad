//! Compares rows of tables with the entries of their indexes.

use super::Inspector;
use super::problem::Kind;
use super::schema::{Tables, is_index};
use super::values::{self, Columns};
use crate::dbfile::record::Value;
use crate::dbfile::schema::SchemaRow;

/// Rowids that a message names.
const SHOWN_MAX: usize = 10;

/// Rowids of a table, or those at the end of an index's entries, with the positions of their cells.
#[derive(Default)]
pub(super) struct Links {
    rowids: Vec<(i64, u32, usize)>,
    /// Entries that do not end with a rowid.
    others: Vec<(u32, usize)>,
}

impl Links {
    pub(super) fn add(&mut self, rowid: i64, page: u32, at: usize) {
        self.rowids.push((rowid, page, at));
    }

    /// Records an entry by its last value.
    pub(super) fn add_entry(&mut self, last: Option<&Value>, page: u32, at: usize) {
        match last {
            Some(Value::Integer(rowid)) => self.rowids.push((*rowid, page, at)),
            _ => self.others.push((page, at)),
        }
    }
}

impl Inspector<'_> {
    /// Compares each index with its table; `trees` are the numbers of the trees of `rows`.
    pub(super) fn indexes(&mut self, rows: &[SchemaRow], names: &Tables<'_>, trees: &[Option<usize>]) {
        for tree in &mut self.links {
            tree.rowids.sort_unstable();
        }
        for (row, tree) in rows.iter().zip(trees).filter(|(row, _)| is_index(row)) {
            let table = names.table_of(row).and_then(|(i, table)| Some((table, (*trees.get(i)?)?)));
            if let Some((tree, (table_row, table))) = tree.zip(table) {
                // A partial index has entries for some rows only.
                let is_partial = row.sql.to_ascii_uppercase().contains("WHERE");
                self.index(tree, table, is_partial);
                self.compare(tree, table, &values::columns(row, table_row));
            }
        }
    }

    fn index(&mut self, tree: usize, table: usize, is_partial: bool) {
        let (name, table_name) = (self.trees[tree].name.clone(), self.trees[table].name.clone());
        let (root, entries, rows) = (self.trees[tree].root, self.trees[tree].rows, self.trees[table].rows);
        if !is_partial && entries != rows {
            let what = format!("the index {name} has {entries} entries");
            let expected = format!("{rows}, as {table_name} has rows");
            self.problems.add(Kind::IndexEntry, root, 0, what, expected);
        }
        if !self.trees[table].has_rowids {
            return;
        }
        let (index, table) = (&self.links[tree], &self.links[table]);
        for &(page, at) in &index.others {
            let what = format!("an entry of the index {name} does not end with a rowid");
            self.problems.add(Kind::IndexEntry, page, at, what, format!("a rowid of {table_name}"));
        }
        let has =
            |links: &Links, rowid| links.rowids.binary_search_by_key(&rowid, |&(rowid, ..)| rowid).is_ok();
        for &(rowid, page, at) in index.rowids.iter().filter(|&&(rowid, ..)| !has(table, rowid)) {
            let what = format!("an entry of the index {name} is for rowid {rowid}");
            self.problems.add(Kind::IndexEntry, page, at, what, format!("a rowid that {table_name} has"));
        }
        let missing = table.rowids.iter().filter(|&&(rowid, ..)| !is_partial && !has(index, rowid));
        let missing: Vec<i64> = missing.map(|&(rowid, ..)| rowid).collect();
        if !missing.is_empty() {
            let shown: Vec<String> = missing.iter().take(SHOWN_MAX).map(i64::to_string).collect();
            let more = if missing.len() > SHOWN_MAX { ", …" } else { "" };
            let what = format!("the index {name} has no entry for rowid {}{more}", shown.join(", "));
            let expected = format!("an entry for each row of {table_name}");
            self.problems.add(Kind::IndexEntry, root, 0, what, expected);
        }
    }
    /// Compares the values of all entries of an index with those of their rows.
    fn compare(&mut self, tree: usize, table: usize, columns: &Columns) {
        if !self.trees[table].has_rowids || columns.iter().all(Option::is_none) {
            return;
        }
        let name = self.trees[tree].name.clone();
        let entries = std::mem::take(&mut self.links[tree].rowids);
        for &entry in &entries {
            let rows = &self.links[table].rowids;
            if let Ok(i) = rows.binary_search_by_key(&entry.0, |&(rowid, ..)| rowid) {
                let (_, page, at) = rows[i];
                self.compare_entry(&name, columns, entry, (page, at));
            }
        }
        self.links[tree].rowids = entries;
    }
}
