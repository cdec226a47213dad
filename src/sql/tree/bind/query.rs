//! Binds queries.

use smol_str::SmolStr;

use super::fit::resize_core;
use super::scope::{Source, UNNAMED};
use super::{Binder, alias_of, is_qualified};
use crate::sql::tree::{Kind, Node, Part};

impl Binder<'_> {
    /// Binds a query; returns the names of its result columns, empty if they are not known.
    pub(super) fn select(&mut self, node: &mut Node) -> Vec<SmolStr> {
        let (ctes, aliases) = (self.ctes.len(), std::mem::take(&mut self.aliases));
        let may_aggregate = std::mem::replace(&mut self.allows_aggregates, true);
        if let Some(with) = node.child_mut(Kind::With) {
            self.with(with);
        }
        let mut columns = Vec::new();
        let mut sources = Vec::new();
        if let Some(compound) = node.child_mut(Kind::Compound) {
            for (i, core) in compound.children_mut().filter(|node| node.kind == Kind::Core).enumerate() {
                let (names, from) = self.core(core);
                if i == 0 {
                    (columns, sources) = (names, from);
                } else if !columns.is_empty() && names.len() != columns.len() && !self.spares() {
                    resize_core(core, columns.len());
                }
            }
        }
        let is_compound = node.child(Kind::Compound).is_some_and(|compound| compound.parts.len() > 1);
        if let Some(terms) = node.child_mut(Kind::Order).and_then(|order| order.child_mut(Kind::Terms)) {
            self.fit_terms(terms, &columns, is_compound);
        }
        self.aliases.clone_from(&columns);
        self.scopes.enter(sources);
        self.order_and_limit(node);
        self.scopes.leave();
        self.aliases = aliases;
        self.allows_aggregates = may_aggregate;
        self.ctes.truncate(ctes);
        columns
    }

    /// Binds terms of an `ORDER BY` that are column numbers, and those of a compound, which must be columns.
    fn fit_terms(&mut self, terms: &mut Node, columns: &[SmolStr], is_compound: bool) {
        for expr in terms.children_mut().filter_map(|term| term.child_mut(Kind::Expr)) {
            let literal = expr.child(Kind::Literal).and_then(Node::as_text);
            let number = literal.and_then(|text| text.parse::<usize>().ok());
            let is_column = number.is_some_and(|number| (1..=columns.len()).contains(&number));
            if columns.is_empty() || is_column || number.is_none() && !is_compound || self.spares() {
                continue;
            }
            let number = self.rng.usize(1..=columns.len());
            expr.parts = vec![Part::Node(Node::text(Kind::Literal, number.to_string()))];
        }
    }

    pub(super) fn order_and_limit(&mut self, node: &mut Node) {
        for kind in [Kind::Order, Kind::Limit] {
            if let Some(clause) = node.child_mut(kind) {
                self.exprs_below(clause);
            }
        }
    }

    /// Binds common table expressions and adds them to the scope.
    pub(super) fn with(&mut self, node: &mut Node) {
        let is_recursive = matches!(node.parts.get(1), Some(Part::Text(_)));
        let Some(ctes) = node.child_mut(Kind::Ctes) else {
            return;
        };
        for cte in ctes.children_mut() {
            let name = cte.child(Kind::NewName).and_then(Node::as_text).unwrap_or_default().to_owned();
            let names = cte.child(Kind::ColumnNames).map(|names| names.children());
            let names: Vec<SmolStr> =
                names.into_iter().flatten().filter_map(Node::as_text).map(SmolStr::new).collect();
            if is_recursive {
                self.ctes.push(Source::query(&name, names.clone()));
            }
            let columns = match cte.child_mut(Kind::Select) {
                Some(query) => {
                    let columns = self.select(query);
                    self.fit_columns(query, &columns, names.len());
                    columns
                }
                None => Vec::new(),
            };
            if is_recursive {
                self.ctes.pop();
            }
            self.ctes.push(Source::query(&name, if names.is_empty() { columns } else { names }));
        }
    }

    /// Makes a query that returns `columns` return `count` of them, if given.
    pub(super) fn fit_columns(&mut self, query: &mut Node, columns: &[SmolStr], count: usize) {
        if count == 0 || columns.is_empty() || columns.len() == count || self.spares() {
            return;
        }
        if let Some(compound) = query.child_mut(Kind::Compound) {
            for core in compound.children_mut().filter(|node| node.kind == Kind::Core) {
                resize_core(core, count);
            }
        }
    }

    /// Binds a `SELECT` core or `VALUES`; returns its columns and its sources.
    fn core(&mut self, node: &mut Node) -> (Vec<SmolStr>, Vec<Source>) {
        self.scopes.enter(Vec::new());
        if let Some(from) = node.child_mut(Kind::From) {
            self.from(from);
        }
        let windows = std::mem::take(&mut self.windows);
        if let Some(definitions) = node.child(Kind::Windows) {
            let names = definitions.children().filter_map(|definition| definition.parts.first());
            self.windows.extend(names.filter_map(|part| match part {
                Part::Text(name) => Some(name.clone()),
                Part::Node(_) => None,
            }));
        }
        let columns = self.columns_and_rows(node);
        for (kind, may_aggregate) in
            [(Kind::Where, false), (Kind::Group, false), (Kind::Having, true), (Kind::Windows, true)]
        {
            if let Some(clause) = node.child_mut(kind) {
                self.allows_aggregates = may_aggregate;
                self.exprs_below(clause);
            }
        }
        let is_grouped = node.child(Kind::Group).is_some_and(|group| !group.is_absent());
        if let Some(having) = node.child_mut(Kind::Having).filter(|having| !having.is_absent() && !is_grouped)
            && !self.spares()
        {
            having.parts.clear();
        }
        self.allows_aggregates = true;
        self.windows = windows;
        (columns, self.scopes.leave())
    }

    fn columns_and_rows(&mut self, node: &mut Node) -> Vec<SmolStr> {
        self.allows_aggregates = true;
        if let Some(list) = node.child_mut(Kind::Columns) {
            return self.result_columns(list);
        }
        let Some(rows) = node.child_mut(Kind::Rows) else {
            return Vec::new();
        };
        let first = rows.children().next().and_then(|row| row.child(Kind::Exprs));
        let width = first.map_or(0, |exprs| exprs.parts.len());
        self.allows_aggregates = false;
        for row in rows.children_mut() {
            if let Some(exprs) = row.child_mut(Kind::Exprs) {
                if exprs.parts.len() != width && !self.spares() {
                    super::fit::resize_exprs(exprs, width);
                }
                self.exprs_below(exprs);
            }
        }
        (1..=width).map(|i| format!("column{i}").into()).collect()
    }

    /// Binds result columns; returns their names.
    pub(super) fn result_columns(&mut self, list: &mut Node) -> Vec<SmolStr> {
        let mut names = Vec::new();
        for column in list.children_mut() {
            let star = match column.parts.as_slice() {
                [Part::Text(star)] if star == "*" => Some(None),
                [Part::Text(table), .., Part::Text(star)] if star == "*" => Some(Some(table.clone())),
                _ => None,
            };
            match star {
                Some(table) => names.extend(self.star(column, table)),
                None => {
                    self.exprs_below(column);
                    let name = alias_of(column.child(Kind::Alias)).or_else(|| column_named(column));
                    names.push(name.unwrap_or_else(|| SmolStr::new_static(UNNAMED)));
                }
            }
        }
        names
    }

    /// `*` or `table.*`: the columns that it stands for.
    fn star(&mut self, column: &mut Node, table: Option<SmolStr>) -> Vec<SmolStr> {
        let sources = self.scopes.innermost().to_vec();
        if sources.is_empty() {
            if !self.spares() {
                *column = literal_column();
            }
            return vec![SmolStr::new_static(UNNAMED)];
        }
        let Some(table) = table else {
            return sources.iter().flat_map(|source| source.columns.iter().cloned()).collect();
        };
        if let Some(source) = sources.iter().find(|source| source.is_called(&table)) {
            return source.columns.to_vec();
        }
        let chosen = self.rng.usize(0..sources.len());
        if !self.spares() {
            column.parts[0] = Part::Text(sources[chosen].name.clone());
        }
        sources[chosen].columns.to_vec()
    }

    /// Binds the sources of a query, each in the scope of those before it.
    pub(super) fn from(&mut self, node: &mut Node) {
        let may_aggregate = std::mem::replace(&mut self.allows_aggregates, false);
        for child in node.children_mut() {
            match child.kind {
                Kind::TableRef => self.table_ref(child),
                Kind::JoinOn => match child.child_mut(Kind::ColumnNames) {
                    Some(_) => self.using(child),
                    None => self.exprs_below(child),
                },
                _ => {}
            }
        }
        self.allows_aggregates = may_aggregate;
    }

    fn table_ref(&mut self, node: &mut Node) {
        let alias = alias_of(node.child(Kind::Alias));
        if is_qualified(node, Kind::TableName) {
            let name = node.child(Kind::TableName).and_then(Node::as_text).unwrap_or_default();
            let columns =
                self.names.table(name).map_or_else(Default::default, |table| Source::of(table).columns);
            let source = Source { columns, ..Source::unknown(name) };
            self.scopes.add(source.named(alias));
        } else if let Some(name) = node.child_mut(Kind::TableName) {
            let source = self.table_name(name);
            if let Some(indexed) = node.child_mut(Kind::Indexed) {
                self.indexed(indexed, &source);
            }
            self.scopes.add(source.named(alias));
        } else if let Some(query) = node.child_mut(Kind::Select) {
            let columns = self.select(query);
            self.scopes.add(Source::query("", columns).named(alias));
        } else if let Some(name) = node.child(Kind::FunctionName).and_then(Node::as_text) {
            let source = Source::built_in(name).named(alias);
            if let Some(arguments) = node.child_mut(Kind::Exprs) {
                self.exprs_below(arguments);
            }
            self.scopes.add(source);
        } else {
            self.from(node);
        }
    }

    /// `USING (…)`: columns that both sides have, otherwise no constraint.
    fn using(&mut self, node: &mut Node) {
        let Some((last, before)) = self.scopes.innermost().split_last() else {
            return;
        };
        let on_both = |name: &str| last.has(name) && before.iter().any(|source| source.has(name));
        let common: Vec<SmolStr> = last.columns.iter().filter(|column| on_both(column)).cloned().collect();
        let names = node.child(Kind::ColumnNames);
        let fits =
            names.is_some_and(|names| names.children().all(|name| name.as_text().is_some_and(on_both)));
        if fits || self.spares() {
            return;
        }
        match self.pick(&common).cloned() {
            Some(name) => {
                if let Some(names) = node.child_mut(Kind::ColumnNames) {
                    names.parts = vec![Part::Node(Node::text(Kind::ColumnName, name))];
                }
            }
            None => node.parts.clear(),
        }
    }
}

/// The name of a result column that is just a column.
fn column_named(column: &Node) -> Option<SmolStr> {
    let reference = column.child(Kind::Expr)?.child(Kind::Column)?;
    match reference.parts.last()? {
        Part::Text(name) if is_name(name) => Some(name.clone()),
        _ => None,
    }
}

/// False for the literals that replace columns if there are none.
fn is_name(text: &str) -> bool {
    text != "NULL" && text.starts_with(|first: char| !first.is_ascii_digit() && first != '\'')
}

/// A result column for lack of anything better.
fn literal_column() -> Node {
    let literal = Node::text(Kind::Literal, "1");
    Node::new(Kind::ResultColumn, vec![Part::Node(Node::new(Kind::Expr, vec![Part::Node(literal)]))])
}
