//! Makes the names and counts of a statement fit the schema that it runs on.
//!
//! After subtrees are replaced, few names still mean anything. [`Binder::statement`] walks the tree as SQLite's
//! resolver does, scope by scope, and replaces what does not resolve by something that does: tables by tables, columns
//! by columns in scope. It also makes column counts agree (compounds, INSERT, row values, subqueries) and calls fit
//! (number of arguments, aggregates and window functions where they are allowed). Whatever resolves is left alone, and
//! some errors are left on purpose ([`Binder::errors_percent`]): much of SQLite runs only for wrong statements.
//!
//! The idea is that of Squirrel's semantic instantiation (Zhong et al., CCS 2020) and of Griffin's metadata
//! substitution (Fu et al., ASE 2022).

mod define;
mod expr;
mod fit;
mod query;
mod scope;

use fastrand::Rng;
use smol_str::SmolStr;

use super::{Kind, Node, Part};
use crate::sql::vocabulary::Vocabulary;
use crate::sql::{Names, TableName};
use scope::{Scopes, Source};

/// Makes the names of statements fit a schema.
pub struct Binder<'a> {
    /// What exists.
    names: &'a Names,
    vocabulary: &'a Vocabulary,
    rng: &'a mut Rng,
    /// Errors that are left alone, of 100.
    errors_percent: u8,
    scopes: Scopes,
    /// Common table expressions in scope, the innermost last.
    ctes: Vec<Source>,
    /// Windows that the query names.
    windows: Vec<SmolStr>,
    /// Names of result columns, which may be used like columns.
    aliases: Vec<SmolStr>,
    /// Whether an aggregate or window function is allowed here.
    allows_aggregates: bool,
    is_trigger: bool,
    /// Whether a column may be qualified by its table.
    may_qualify: bool,
}

impl<'a> Binder<'a> {
    /// Binds to `names`; leaves `errors_percent` of the errors.
    pub fn new(names: &'a Names, vocabulary: &'a Vocabulary, rng: &'a mut Rng, errors_percent: u8) -> Self {
        Self {
            names,
            vocabulary,
            rng,
            errors_percent,
            scopes: Scopes::default(),
            ctes: Vec::new(),
            windows: Vec::new(),
            aliases: Vec::new(),
            allows_aggregates: false,
            is_trigger: false,
            may_qualify: true,
        }
    }

    /// Binds a statement.
    pub fn statement(&mut self, node: &mut Node) {
        let ctes = self.ctes.len();
        match node.kind {
            Kind::Select => {
                self.select(node);
            }
            Kind::Insert => self.insert(node),
            Kind::Update | Kind::Delete => self.update_or_delete(node),
            Kind::CreateTable => self.create_table(node),
            Kind::CreateIndex => self.create_index(node),
            Kind::CreateView => self.create_view(node),
            Kind::CreateTrigger => self.create_trigger(node),
            Kind::CreateVirtual => self.new_name(node),
            Kind::Alter => self.alter(node),
            Kind::Statement => self.other(node),
            _ => {}
        }
        self.ctes.truncate(ctes);
    }

    /// Binds a query; returns the names of its columns.
    pub fn query(&mut self, node: &mut Node) -> Vec<SmolStr> {
        self.select(node)
    }

    /// True for the errors that are left.
    fn spares(&mut self) -> bool {
        self.rng.u8(0..100) < self.errors_percent
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        if from.is_empty() { None } else { Some(&from[self.rng.usize(0..from.len())]) }
    }

    /// Statements without a kind of their own: EXPLAIN, DROP, ANALYZE and the like.
    fn other(&mut self, node: &mut Node) {
        let is_view = matches!(node.parts.first(), Some(Part::Text(verb)) if verb == "DROP VIEW");
        for child in node.children_mut() {
            match child.kind {
                kind if kind.is_statement() => self.statement(child),
                // ANALYZE and REINDEX accept indexes and collations as well.
                Kind::TableName if !self.is_index_or_collation(child) => {
                    self.table_name(child);
                }
                Kind::Target => {
                    self.target(child, |table| table.is_view == is_view);
                }
                Kind::IndexName => self.index_name(child, None),
                _ => {}
            }
        }
    }

    fn is_index_or_collation(&self, node: &Node) -> bool {
        let is_it = |name: &String| node.as_text().is_some_and(|text| crate::sql::same_name(name, text));
        self.names.indexes.iter().any(|index| is_it(&index.name))
            || self.vocabulary.collations.iter().any(is_it)
    }

    /// Binds the table that a statement changes, preferably one that `is_fit`; returns a source with its columns, if it
    /// is known.
    fn target(&mut self, node: &mut Node, is_fit: impl Fn(&TableName) -> bool) -> Source {
        let names = self.names;
        let name = node.as_text().unwrap_or_default().to_owned();
        let found = names.table(&name);
        let known = found.is_some_and(&is_fit) || found.is_none() && scope::is_built_in(&name, names);
        if !known && !self.spares() {
            let fitting: Vec<&TableName> = names.tables.iter().filter(|table| is_fit(table)).collect();
            if let Some(table) = self.pick(&fitting) {
                *node = Node::text(Kind::Target, table.name.as_str());
                return Source::of(table);
            }
        }
        found.map_or_else(|| Source::unknown(&name), Source::of)
    }

    /// Binds the name of a table that is read; returns its source.
    fn table_name(&mut self, node: &mut Node) -> Source {
        let name = node.as_text().unwrap_or_default().to_owned();
        if let Some(cte) = self.ctes.iter().rev().find(|cte| cte.is_called(&name)) {
            return cte.clone();
        }
        let names = self.names;
        if let Some(table) = names.table(&name) {
            return Source::of(table);
        }
        if scope::is_built_in(&name, names) || self.vocabulary.modules.contains(&name) {
            return Source::built_in(&name);
        }
        if self.spares() {
            return Source::unknown(&name);
        }
        let cte = if self.chance(30) { self.rng.choice(&self.ctes).cloned() } else { None };
        let source = cte.or_else(|| self.pick(&names.tables).map(Source::of));
        let Some(source) = source.or_else(|| self.rng.choice(&self.ctes).cloned()) else {
            *node = Node::text(node.kind, "sqlite_schema");
            return Source::built_in("sqlite_schema");
        };
        *node = Node::text(node.kind, source.name.as_str());
        source
    }

    /// Binds the name of an index, of `table` if given.
    fn index_name(&mut self, node: &mut Node, table: Option<&Source>) {
        let name = node.as_text().unwrap_or_default().to_owned();
        let belongs = |index: &&crate::sql::IndexName| table.is_none_or(|table| table.is_table(&index.table));
        let fitting: Vec<_> = self.names.indexes.iter().filter(belongs).collect();
        if fitting.iter().any(|index| crate::sql::same_name(&index.name, &name)) || self.spares() {
            return;
        }
        if let Some(index) = self.pick(&fitting) {
            *node = Node::text(Kind::IndexName, index.name.as_str());
        }
    }

    /// Binds `INDEXED BY` to an index of `table`, or removes it.
    fn indexed(&mut self, node: &mut Node, table: &Source) {
        let has_index = self.names.indexes.iter().any(|index| table.is_table(&index.table));
        if node.child(Kind::IndexName).is_some() && !has_index && !self.spares() {
            node.parts.clear();
        }
        if let Some(index) = node.child_mut(Kind::IndexName) {
            self.index_name(index, Some(table));
        }
    }

    /// Gives what is created here a name of its own.
    fn new_name(&mut self, node: &mut Node) {
        let names = self.names;
        let is_elsewhere = is_qualified(node, Kind::NewName);
        let Some(child) = node.child_mut(Kind::NewName).filter(|_| !is_elsewhere) else {
            return;
        };
        let is_taken = |name: &str| {
            names.table(name).is_some()
                || names.indexes.iter().any(|index| crate::sql::same_name(&index.name, name))
                || names.triggers.iter().any(|trigger| crate::sql::same_name(trigger, name))
        };
        if !is_taken(child.as_text().unwrap_or_default()) || self.spares() {
            return;
        }
        let first = self.rng.u32(0..12);
        if let Some(free) = (first..first + 200).map(|i| format!("n{i}")).find(|name| !is_taken(name)) {
            *child = Node::text(Kind::NewName, free);
        }
    }

    /// Binds the name of a column of `table`, preferably one that is not among `taken`.
    fn column_name(&mut self, node: &mut Node, table: &Source, taken: &[SmolStr]) {
        let name = node.as_text().unwrap_or_default().to_owned();
        let is_taken = |name: &str| taken.iter().any(|other| crate::sql::same_name(other, name));
        if table.has(&name) && !is_taken(&name) || self.spares() {
            return;
        }
        let free: Vec<&SmolStr> = table.columns.iter().filter(|column| !is_taken(column)).collect();
        if let Some(column) = self.pick(&free) {
            *node = Node::text(node.kind, column.as_str());
        }
    }

    /// Binds a list of columns of `table`.
    fn column_names(&mut self, node: &mut Node, table: &Source) {
        let mut taken = Vec::new();
        if !table.is_open
            && !table.columns.is_empty()
            && node.parts.len() > table.columns.len()
            && !self.spares()
        {
            node.parts.truncate(table.columns.len());
        }
        for child in node.children_mut() {
            self.column_name(child, table, &taken);
            taken.extend(child.as_text().map(SmolStr::new));
        }
    }
}

/// True if the name of `kind` below is qualified by a schema; what is in other schemas is not known here.
fn is_qualified(node: &Node, kind: Kind) -> bool {
    let at = node.parts.iter().position(|part| matches!(part, Part::Node(node) if node.kind == kind));
    let before = at.and_then(|at| at.checked_sub(1)).and_then(|at| node.parts.get(at));
    matches!(before, Some(Part::Text(dot)) if dot == ".")
}

/// The alias in an [`Kind::Alias`] node.
fn alias_of(node: Option<&Node>) -> Option<SmolStr> {
    match node?.parts.last()? {
        Part::Text(name) => Some(name.clone()),
        Part::Node(_) => None,
    }
}
