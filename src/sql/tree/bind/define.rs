//! Binds statements that modify and define.

use smol_str::SmolStr;

use super::scope::Source;
use super::{Binder, alias_of, is_qualified};
use crate::sql::TableName;
use crate::sql::tree::{Kind, Node, Part};

impl Binder<'_> {
    pub(super) fn insert(&mut self, node: &mut Node) {
        self.with_of(node);
        let table = self.target_of(node, |table| !table.is_view || table.instead_of[0]);
        let writable = table.writable();
        let mut count = writable.columns.len();
        if let Some(names) = node.child_mut(Kind::ColumnNames) {
            self.column_names(names, &writable);
            count = names.parts.len();
        }
        if let Some(query) = node.child_mut(Kind::Select) {
            let columns = self.select(query);
            self.fit_columns(query, &columns, count);
        }
        let excluded = Source { name: SmolStr::new_static("excluded"), ..table.clone() };
        // A bare name is the table's.
        self.scopes.enter(vec![excluded]);
        self.scopes.enter(vec![table]);
        let is_virtual = self.scopes.innermost().iter().any(|table| table.is_virtual);
        if let Some(upsert) = node.child_mut(Kind::Upsert) {
            self.fit_upsert(upsert, is_virtual);
            self.assignments_and_terms(upsert);
        }
        let table = self.scopes.leave().swap_remove(0);
        self.scopes.leave();
        self.returning(node, table);
    }

    /// `UPDATE`, or `DELETE`, which has fewer parts.
    pub(super) fn update_or_delete(&mut self, node: &mut Node) {
        self.with_of(node);
        let event = if node.kind == Kind::Delete { 2 } else { 1 };
        let table = self.target_of(node, |table| !table.is_view || table.instead_of[event]);
        self.scopes.enter(vec![table.clone()]);
        if let Some(indexed) = node.child_mut(Kind::Indexed) {
            self.indexed(indexed, &table);
        }
        if let Some(from) = node.child_mut(Kind::From) {
            self.from(from);
        }
        if let Some(sets) = node.child_mut(Kind::Sets) {
            self.sets(sets, &table.writable());
        }
        self.condition(node, Kind::Where);
        self.order_and_limit(node);
        self.scopes.leave();
        self.returning(node, table);
    }

    fn with_of(&mut self, node: &mut Node) {
        if let Some(with) = node.child_mut(Kind::With) {
            self.with(with);
        }
    }

    fn condition(&mut self, node: &mut Node, kind: Kind) {
        if let Some(clause) = node.child_mut(kind) {
            self.exprs_below(clause);
        }
    }

    fn returning(&mut self, node: &mut Node, table: Source) {
        let is_refused = table.is_virtual && node.kind != Kind::Insert && !self.spares();
        if let Some(clause) = node.child_mut(Kind::Returning).filter(|_| is_refused) {
            clause.parts.clear();
        }
        self.scopes.enter(vec![table]);
        if let Some(columns) = node.child_mut(Kind::Returning).and_then(|node| node.child_mut(Kind::Columns))
        {
            self.result_columns(columns);
        }
        self.scopes.leave();
    }

    /// The table that a statement modifies, under its alias.
    fn target_of(&mut self, node: &mut Node, is_fit: impl Fn(&TableName) -> bool) -> Source {
        let alias = alias_of(node.child(Kind::Alias));
        let is_elsewhere = is_qualified(node, Kind::Target);
        match node.child_mut(Kind::Target) {
            Some(target) if is_elsewhere => {
                Source::unknown(target.as_text().unwrap_or_default()).named(alias)
            }
            Some(target) => self.target(target, is_fit).named(alias),
            None => Source::unknown(""),
        }
    }

    fn sets(&mut self, node: &mut Node, table: &Source) {
        for set in node.children_mut() {
            let mut count = 1;
            for child in set.children_mut() {
                match child.kind {
                    Kind::ColumnName => self.column_name(child, table, &[]),
                    Kind::ColumnNames => {
                        self.column_names(child, table);
                        count = child.parts.len();
                    }
                    Kind::Expr => self.expr(child, count),
                    _ => {}
                }
            }
        }
    }

    /// Virtual tables have no upsert. Which columns are unique is not known here, so a target that names columns is
    /// usually wrong; one that names none is right.
    fn fit_upsert(&mut self, node: &mut Node, is_virtual: bool) {
        if self.spares() {
            return;
        }
        if is_virtual {
            node.parts.clear();
        }
        if self.chance(60) {
            let mut is_target = false;
            node.parts.retain(|part| {
                let is_open = matches!(part, Part::Text(text) if text == "(");
                let is_verb =
                    matches!(part, Part::Text(text) if text.starts_with("DO") || text.starts_with("ON"));
                is_target = (is_target || is_open) && !is_verb;
                !is_target
            });
        }
    }

    /// `ON CONFLICT` clauses, in the scope of the table and of `excluded`.
    fn assignments_and_terms(&mut self, node: &mut Node) {
        let table = self.scopes.innermost().first().cloned().unwrap_or_default();
        for child in node.children_mut() {
            match child.kind {
                Kind::Sets => self.sets(child, &table),
                _ => self.exprs_below(child),
            }
        }
    }

    pub(super) fn create_index(&mut self, node: &mut Node) {
        self.new_name(node);
        let table = self.target_of(node, |table| !table.is_view && table.module.is_none());
        self.scopes.enter(vec![Source { has_rowid: false, ..table }]);
        self.may_qualify = false;
        for kind in [Kind::Terms, Kind::Where] {
            self.condition(node, kind);
        }
        self.may_qualify = true;
        self.scopes.leave();
    }

    pub(super) fn create_view(&mut self, node: &mut Node) {
        self.new_name(node);
        let count = node.child(Kind::ColumnNames).map_or(0, |names| names.parts.len());
        if let Some(query) = node.child_mut(Kind::Select) {
            let columns = self.select(query);
            self.fit_columns(query, &columns, count);
        }
    }

    pub(super) fn create_table(&mut self, node: &mut Node) {
        self.new_name(node);
        let name = node.child(Kind::NewName).and_then(Node::as_text).unwrap_or_default().to_owned();
        if let Some(query) = node.child_mut(Kind::Select) {
            self.select(query);
        }
        self.fit_options(node);
        let Some(definitions) = node.child_mut(Kind::Definitions) else {
            return;
        };
        let new_columns = definitions.children().filter_map(|definition| definition.child(Kind::NewColumn));
        let columns = new_columns.filter_map(Node::as_text).map(SmolStr::new).collect();
        self.scopes.enter(vec![Source::query(&name, columns)]);
        self.may_qualify = false;
        for definition in definitions.children_mut() {
            self.definition(definition);
        }
        self.may_qualify = true;
        self.scopes.leave();
    }

    /// Allows `WITHOUT ROWID` only with a primary key, `STRICT` only with the types that it accepts.
    fn fit_options(&mut self, node: &mut Node) {
        const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
        let options = node.child(Kind::TableOptions).map(Node::print).unwrap_or_default();
        if options.is_empty() || self.spares() {
            return;
        }
        let definitions = node.child(Kind::Definitions).map(Node::print).unwrap_or_default();
        let lacks_key = options.contains("WITHOUT") && !definitions.contains("PRIMARY KEY");
        if let Some(options) = node.child_mut(Kind::TableOptions).filter(|_| lacks_key) {
            options.parts.clear();
        }
        let columns = node.child_mut(Kind::Definitions).into_iter().flat_map(Node::children_mut);
        for kind in columns
            .filter_map(|column| column.child_mut(Kind::TypeName))
            .filter(|_| options.contains("STRICT"))
        {
            if !kind.as_text().is_some_and(|own| STRICT_TYPES.contains(&own)) {
                *kind = Node::text(Kind::TypeName, STRICT_TYPES[self.rng.usize(0..STRICT_TYPES.len())]);
            }
        }
    }

    /// A column or constraint of the table in scope.
    fn definition(&mut self, node: &mut Node) {
        let table = self.scopes.innermost().first().cloned().unwrap_or_default();
        let is_default = matches!(node.parts.first(), Some(Part::Text(text)) if text.starts_with("DEFAULT"));
        for child in node.children_mut() {
            match child.kind {
                Kind::Expr if is_default => {}
                Kind::Expr => self.expr(child, 1),
                Kind::ColumnNames => self.column_names(child, &table),
                // A foreign key may refer to a missing table, or to this one.
                Kind::TableName if child.as_text().is_some_and(|name| table.is_called(name)) => {}
                Kind::TableName if self.chance(20) => {}
                Kind::TableName => {
                    self.table_name(child);
                }
                _ => self.definition(child),
            }
        }
    }

    pub(super) fn create_trigger(&mut self, node: &mut Node) {
        self.new_name(node);
        let is_instead = node.child(Kind::TriggerTime).is_some_and(|time| time.print() == "INSTEAD OF");
        let table = self.target_of(node, |table| table.module.is_none() && table.is_view == is_instead);
        let named = |name: &str| Source { name: name.into(), ..table.clone() };
        let event = node.child(Kind::TriggerEvent).map(Node::print).unwrap_or_default();
        let rows = match event.as_str() {
            "INSERT" => vec![named("new")],
            "DELETE" => vec![named("old")],
            _ => vec![named("new"), named("old")],
        };
        if let Some(columns) =
            node.child_mut(Kind::TriggerEvent).and_then(|event| event.child_mut(Kind::ColumnNames))
        {
            self.column_names(columns, &table);
        }
        self.scopes.enter(rows);
        self.is_trigger = true;
        self.condition(node, Kind::When);
        if let Some(commands) = node.child_mut(Kind::Commands) {
            for command in commands.children_mut() {
                self.statement(command);
            }
        }
        self.is_trigger = false;
        self.scopes.leave();
    }

    pub(super) fn alter(&mut self, node: &mut Node) {
        let is_rename = node.child(Kind::NewName).is_some();
        let table = self.target_of(node, |table| !table.is_view && (is_rename || table.module.is_none()));
        self.new_name(node);
        if let Some(column) = node.child_mut(Kind::ColumnName) {
            self.column_name(column, &table, &[]);
        }
        self.scopes.enter(vec![table]);
        if let Some(definition) = node.child_mut(Kind::ColumnDefinition) {
            self.definition(definition);
        }
        self.scopes.leave();
    }
}
