//! Statements.

use sqlite3_parser::ast::{
    AlterTableBody, Expr, FromClause, InsertBody, PragmaBody, QualifiedName, ResolveType, ResultColumn, Set,
    Stmt, TriggerCmd, Upsert, UpsertDo,
};

use super::define::{column_definition, definition};
use super::expr::expr;
use super::select::{columns, filter, from, indexed, limit, order, select, target_alias, terms, with};
use super::{Parts, list, optional};
use crate::sql::tree::{Kind, Node};

pub(super) fn statement(item: &Stmt<'_>) -> Node {
    match item {
        Stmt::Select(query) => select(query),
        Stmt::Insert { with: ctes, or_conflict, tbl_name, columns: names, body, returning: result } => {
            let parts = Parts::first(with(ctes.as_ref())).and("INSERT").node(conflict(or_conflict.as_ref()));
            let names: Option<&[_]> = names.as_ref().map(|names| names.as_slice());
            let parts = insert_into(parts, tbl_name, names);
            let parts = match body {
                InsertBody::Select(query, then) => parts.node(select(query)).node(upsert(*then)),
                InsertBody::DefaultValues => parts.and("DEFAULT VALUES").node(Node::absent(Kind::Upsert)),
            };
            parts.node(returning(*result)).of(Kind::Insert)
        }
        Stmt::Update {
            with: ctes,
            or_conflict,
            tbl_name,
            indexed: index,
            sets: assignments,
            from: source,
            where_clause,
            returning: result,
            order_by,
            limit: bound,
        } => {
            let parts = Parts::first(with(ctes.as_ref())).and("UPDATE").node(conflict(or_conflict.as_ref()));
            let parts = target(parts, tbl_name).node(indexed(index.as_ref()));
            update_rest(parts, assignments, source.as_ref(), where_clause.as_ref())
                .node(returning(*result))
                .node(order(*order_by))
                .node(limit(*bound))
                .of(Kind::Update)
        }
        Stmt::Delete {
            with: ctes,
            tbl_name,
            indexed: index,
            where_clause,
            returning: result,
            order_by,
            limit: bound,
        } => {
            let parts = Parts::first(with(ctes.as_ref())).and("DELETE FROM");
            target(parts, tbl_name)
                .node(indexed(index.as_ref()))
                .node(filter(where_clause.as_ref()))
                .node(returning(*result))
                .node(order(*order_by))
                .node(limit(*bound))
                .of(Kind::Delete)
        }
        Stmt::Pragma(name, value) => {
            let value = optional(Kind::PragmaValue, value.as_ref(), |value| match value {
                PragmaBody::Equals(value) => Parts::word("=").node(expr(value)),
                PragmaBody::Call(value) => Parts::word("(").node(expr(value)).and(")"),
            });
            Parts::word("PRAGMA").qualified(Kind::PragmaName, name).node(value).of(Kind::Pragma)
        }
        Stmt::AlterTable(name, body) => alter(name, body),
        _ => definition(item).unwrap_or_else(|| other(item)),
    }
}

/// Statements about one object, or none.
fn other(item: &Stmt<'_>) -> Node {
    let one = |words: &str, if_exists: bool, kind, name: &QualifiedName<'_>| {
        Parts::word(words).and_if(if_exists, "IF EXISTS").qualified(kind, name)
    };
    let parts = match item {
        Stmt::Analyze(Some(name)) => one("ANALYZE", false, Kind::TableName, name),
        Stmt::Reindex { obj_name: Some(name) } => one("REINDEX", false, Kind::TableName, name),
        Stmt::DropTable { if_exists, tbl_name } => one("DROP TABLE", *if_exists, Kind::Target, tbl_name),
        Stmt::DropView { if_exists, view_name } => one("DROP VIEW", *if_exists, Kind::Target, view_name),
        Stmt::DropIndex { if_exists, idx_name } => one("DROP INDEX", *if_exists, Kind::IndexName, idx_name),
        _ => Parts::none().show(item),
    };
    parts.of(Kind::Statement)
}

fn alter(name: &QualifiedName<'_>, body: &AlterTableBody<'_>) -> Node {
    let parts = Parts::word("ALTER TABLE").qualified(Kind::Target, name);
    let parts = match body {
        AlterTableBody::RenameTo(new) => parts.and("RENAME TO").node(Node::text(Kind::NewName, new.0)),
        AlterTableBody::AddColumn(column) => parts.and("ADD COLUMN").node(column_definition(column)),
        AlterTableBody::RenameColumn { old, new } => parts
            .and("RENAME COLUMN")
            .node(Node::text(Kind::ColumnName, old.0))
            .and("TO")
            .node(Node::text(Kind::NewColumn, new.0)),
        AlterTableBody::DropColumn(name) => {
            parts.and("DROP COLUMN").node(Node::text(Kind::ColumnName, name.0))
        }
        _ => parts.show(body),
    };
    parts.of(Kind::Alter)
}

fn conflict(item: Option<&ResolveType>) -> Node {
    optional(Kind::Conflict, item, |item| Parts::word("OR").show(item))
}

fn target(parts: Parts, name: &QualifiedName<'_>) -> Parts {
    parts.qualified(Kind::Target, name).node(target_alias(name.alias.as_ref()))
}

fn insert_into(
    parts: Parts,
    name: &QualifiedName<'_>,
    columns: Option<&[sqlite3_parser::ast::Name<'_>]>,
) -> Parts {
    let parts = target(parts.and("INTO"), name);
    match columns {
        Some(names) => {
            let names = names.iter().map(|name| Node::text(Kind::ColumnName, name.0));
            parts.and("(").node(list(Kind::ColumnNames, names)).and(")")
        }
        None => parts,
    }
}

fn update_rest(
    parts: Parts,
    assignments: &[Set<'_>],
    source: Option<&FromClause<'_>>,
    condition: Option<&Expr<'_>>,
) -> Parts {
    parts.and("SET").node(sets(assignments)).node(from(source)).node(filter(condition))
}

fn sets(items: &[Set<'_>]) -> Node {
    let set = |item: &Set<'_>| {
        let mut names = item.col_names.iter().map(|name| Node::text(Kind::ColumnName, name.0));
        let parts = if item.col_names.len() == 1 {
            Parts::none().nodes(names.next())
        } else {
            Parts::word("(").node(list(Kind::ColumnNames, names)).and(")")
        };
        parts.and("=").node(expr(&item.expr)).of(Kind::Set)
    };
    list(Kind::Sets, items.iter().map(set))
}

fn upsert(item: Option<&Upsert<'_>>) -> Node {
    optional(Kind::Upsert, item, |first| {
        let mut parts = Parts::none();
        let mut next = Some(first);
        while let Some(clause) = next {
            parts = parts.and("ON CONFLICT");
            if let Some(index) = &clause.index {
                parts = parts
                    .and("(")
                    .node(terms(index.targets))
                    .and(")")
                    .node(filter(index.where_clause.as_ref()));
            }
            parts = match &clause.do_clause {
                UpsertDo::Nothing => parts.and("DO NOTHING"),
                UpsertDo::Set { sets: assignments, where_clause } => {
                    parts.and("DO UPDATE SET").node(sets(assignments)).node(filter(where_clause.as_ref()))
                }
            };
            next = clause.next;
        }
        parts
    })
}

fn returning(item: Option<&[ResultColumn<'_>]>) -> Node {
    optional(Kind::Returning, item, |items| Parts::word("RETURNING").node(columns(items)))
}

/// A statement in a trigger.
pub(super) fn trigger_command(item: &TriggerCmd<'_>) -> Node {
    match item {
        TriggerCmd::Select(query) => select(query),
        TriggerCmd::Insert { or_conflict, tbl_name, col_names, select: query, upsert: then } => {
            let parts = Parts::word("INSERT").node(conflict(or_conflict.as_ref()));
            let names: Option<&[_]> = col_names.as_ref().map(|names| names.as_slice());
            insert_into(parts, tbl_name, names).node(select(query)).node(upsert(*then)).of(Kind::Insert)
        }
        TriggerCmd::Update { or_conflict, tbl_name, sets: assignments, from: source, where_clause } => {
            let parts = target(Parts::word("UPDATE").node(conflict(or_conflict.as_ref())), tbl_name);
            update_rest(parts, assignments, source.as_ref(), where_clause.as_ref()).of(Kind::Update)
        }
        TriggerCmd::Delete { tbl_name, where_clause } => {
            target(Parts::word("DELETE FROM"), tbl_name).node(filter(where_clause.as_ref())).of(Kind::Delete)
        }
    }
}
