//! The meaning of names at a point of a statement.

use std::rc::Rc;

use smol_str::SmolStr;

use crate::sql::{Names, TableName, bare, same_name};

/// The name of a result column that has none.
pub const UNNAMED: &str = "_";

/// A table, subquery or the like whose columns can be named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Its name: the alias if it has one.
    pub name: SmolStr,
    /// The name of the table, if it is one.
    pub table: Option<SmolStr>,
    /// Its columns.
    pub columns: Rc<[SmolStr]>,
    /// Whether it has a rowid.
    pub has_rowid: bool,
    /// Whether it may have columns that are not known here.
    pub is_open: bool,
    /// A virtual table.
    pub is_virtual: bool,
    /// Its columns that cannot be written to.
    pub generated: Rc<[SmolStr]>,
}

impl Source {
    /// A table of the schema.
    pub fn of(table: &TableName) -> Self {
        let is_virtual = table.module.is_some();
        Self {
            name: table.name.as_str().into(),
            table: Some(table.name.as_str().into()),
            columns: table.columns.iter().map(SmolStr::from).collect(),
            has_rowid: table.has_rowid,
            is_open: is_virtual || table.columns.is_empty(),
            is_virtual,
            generated: table.generated.iter().map(SmolStr::from).collect(),
        }
    }

    /// A subquery or the like with these columns.
    pub fn query(name: &str, columns: Vec<SmolStr>) -> Self {
        let is_open = columns.is_empty();
        Self { name: name.into(), columns: columns.into(), is_open, ..Self::default() }
    }

    /// Something of which only the name is known.
    pub fn unknown(name: &str) -> Self {
        Self { name: name.into(), table: Some(name.into()), is_open: true, ..Self::default() }
    }

    /// A table that exists without being defined.
    pub fn built_in(name: &str) -> Self {
        let columns: &[&str] = match bare(name).to_ascii_lowercase().as_str() {
            "sqlite_schema" | "sqlite_master" | "sqlite_temp_schema" | "sqlite_temp_master" => {
                &["type", "name", "tbl_name", "rootpage", "sql"]
            }
            "sqlite_sequence" => &["name", "seq"],
            "sqlite_stat1" => &["tbl", "idx", "stat"],
            "sqlite_stat4" => &["tbl", "idx", "neq", "nlt", "ndlt", "sample"],
            "json_each" | "json_tree" => &["key", "value", "type", "atom", "id", "parent", "fullkey", "path"],
            _ => &[],
        };
        let columns = columns.iter().map(|name| SmolStr::new_static(name)).collect();
        Self { has_rowid: true, columns, ..Self::unknown(name) }
    }

    /// The same under an alias.
    pub fn named(mut self, alias: Option<SmolStr>) -> Self {
        if let Some(alias) = alias {
            self.name = alias;
        }
        self
    }

    /// True if `name` refers to it.
    pub fn is_called(&self, name: &str) -> bool {
        same_name(&self.name, name)
    }

    /// True if it is the table of this name.
    pub fn is_table(&self, name: &str) -> bool {
        self.table.as_ref().is_some_and(|table| same_name(table, name))
    }

    /// True if it has a column of this name, as far as is known.
    pub fn has(&self, column: &str) -> bool {
        self.is_open && !is_placeholder(column) || self.lists(column)
    }

    /// Its columns that have a name.
    pub fn named_columns(&self) -> impl Iterator<Item = &SmolStr> {
        self.columns.iter().filter(|column| *column != UNNAMED)
    }

    /// What an INSERT or UPDATE may write: the source without generated columns.
    pub fn writable(&self) -> Self {
        if self.generated.is_empty() {
            return self.clone();
        }
        let is_generated = |column: &SmolStr| self.generated.contains(column);
        let columns = self.columns.iter().filter(|column| !is_generated(column)).cloned().collect();
        Self { columns, ..self.clone() }
    }

    /// True if it certainly has a column of this name.
    pub fn lists(&self, column: &str) -> bool {
        self.columns.iter().any(|own| same_name(own, column)) || self.has_rowid && is_rowid(column)
    }
}

/// True for names that a generator leaves for the binder to replace: `_c` and the like.
pub fn is_placeholder(name: &str) -> bool {
    name.len() == 2 && name.starts_with('_')
}

/// True for the names of the rowid.
fn is_rowid(name: &str) -> bool {
    ["rowid", "oid", "_rowid_"].iter().any(|known| same_name(known, name))
}

/// True for tables that need no known definition: those of SQLite, eponymous ones, shadow tables.
pub fn is_built_in(name: &str, names: &Names) -> bool {
    let name = bare(name).to_ascii_lowercase();
    let is_shadow = || {
        name.rsplit_once('_')
            .is_some_and(|(owner, _)| names.table(owner).is_some_and(|table| table.module.is_some()))
    };
    name.starts_with("sqlite_") || name.starts_with("pragma_") || is_shadow()
}

/// The sources in scope, a list per query, the innermost last.
#[derive(Debug, Default)]
pub struct Scopes(Vec<Vec<Source>>);

impl Scopes {
    /// Enters a query.
    pub fn enter(&mut self, sources: Vec<Source>) {
        self.0.push(sources);
    }

    /// Leaves a query; returns its sources.
    pub fn leave(&mut self) -> Vec<Source> {
        self.0.pop().unwrap_or_default()
    }

    /// Adds a source to the innermost query.
    pub fn add(&mut self, source: Source) {
        if let Some(scope) = self.0.last_mut() {
            scope.push(source);
        }
    }

    /// The sources of the innermost query.
    pub fn innermost(&self) -> &[Source] {
        self.0.last().map_or(&[], Vec::as_slice)
    }

    /// All queries, the innermost first.
    pub fn outward(&self) -> impl Iterator<Item = &[Source]> {
        self.0.iter().rev().map(Vec::as_slice)
    }
}
