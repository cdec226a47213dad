//! Statements that define tables, indexes, views and triggers.

use sqlite3_parser::ast::{
    ColumnConstraint, ColumnDefinition, CreateTableBody, Expr, ForeignKeyClause, IndexedColumn,
    NamedColumnConstraint, NamedTableConstraint, Stmt, TabFlags, TableConstraint, TriggerEvent,
};

use super::expr::expr;
use super::select::{filter, select, terms};
use super::statement::trigger_command;
use super::{Parts, list, optional};
use crate::sql::tree::{Kind, Node};

const IF_NOT_EXISTS: &str = "IF NOT EXISTS";

/// The tree of a statement that defines something; `None` for others.
pub(super) fn definition(item: &Stmt<'_>) -> Option<Node> {
    Some(match item {
        Stmt::CreateTable { temporary, if_not_exists, tbl_name, body } => {
            let parts = Parts::word("CREATE").and_if(*temporary, "TEMP").and("TABLE");
            let parts = parts.and_if(*if_not_exists, IF_NOT_EXISTS).qualified(Kind::NewName, tbl_name);
            table_body(parts, body).of(Kind::CreateTable)
        }
        Stmt::CreateIndex { unique, if_not_exists, idx_name, tbl_name, columns, where_clause } => {
            let parts = Parts::word("CREATE").and_if(*unique, "UNIQUE").and("INDEX");
            let parts = parts.and_if(*if_not_exists, IF_NOT_EXISTS).qualified(Kind::NewName, idx_name);
            parts
                .and("ON")
                .node(Node::text(Kind::Target, tbl_name.0))
                .and("(")
                .node(terms(columns))
                .and(")")
                .node(filter(where_clause.as_ref()))
                .of(Kind::CreateIndex)
        }
        Stmt::CreateView { temporary, if_not_exists, view_name, columns, select: query } => {
            let parts = Parts::word("CREATE").and_if(*temporary, "TEMP").and("VIEW");
            let mut parts = parts.and_if(*if_not_exists, IF_NOT_EXISTS).qualified(Kind::NewName, view_name);
            if let Some(columns) = columns {
                parts = parts.and("(").node(names(Kind::NewColumn, columns)).and(")");
            }
            parts.and("AS").node(select(query)).of(Kind::CreateView)
        }
        Stmt::CreateVirtualTable { if_not_exists, tbl_name, module_name, args } => {
            let parts = Parts::word("CREATE VIRTUAL TABLE").and_if(*if_not_exists, IF_NOT_EXISTS);
            let arguments = args.unwrap_or_default().iter().filter(|text| !text.is_empty());
            let arguments =
                arguments.fold(Parts::none(), |parts, text| parts.and(text)).of(Kind::ModuleArguments);
            parts
                .qualified(Kind::NewName, tbl_name)
                .and("USING")
                .and(module_name.0)
                .and("(")
                .node(arguments)
                .and(")")
                .of(Kind::CreateVirtual)
        }
        Stmt::CreateTrigger { .. } => trigger(item),
        _ => return None,
    })
}

fn trigger(item: &Stmt<'_>) -> Node {
    let Stmt::CreateTrigger {
        temporary,
        if_not_exists,
        trigger_name,
        time,
        event,
        tbl_name,
        for_each_row,
        when_clause,
        commands,
    } = item
    else {
        return Parts::none().show(item).of(Kind::Statement);
    };
    let parts = Parts::word("CREATE").and_if(*temporary, "TEMP").and("TRIGGER");
    let mut parts = parts.and_if(*if_not_exists, IF_NOT_EXISTS).qualified(Kind::NewName, trigger_name);
    if let Some(time) = time {
        parts = parts.node(Parts::none().show(time).of(Kind::TriggerTime));
    }
    let event = match event {
        TriggerEvent::UpdateOf(columns) => {
            let names = columns.iter().map(|name| Node::text(Kind::ColumnName, name.0));
            Parts::word("UPDATE OF").node(list(Kind::ColumnNames, names))
        }
        _ => Parts::none().show(event),
    };
    parts = parts.node(event.of(Kind::TriggerEvent)).and("ON").qualified(Kind::Target, tbl_name);
    parts = parts.and_if(*for_each_row, "FOR EACH ROW");
    parts =
        parts.node(optional(Kind::When, when_clause.as_ref(), |when| Parts::word("WHEN").node(expr(when))));
    let commands = commands
        .iter()
        .fold(Parts::none(), |parts, command| parts.node(trigger_command(command)).and(";"))
        .of(Kind::Commands);
    parts.and("BEGIN").node(commands).and("END").of(Kind::CreateTrigger)
}

fn names(kind: Kind, columns: &[IndexedColumn<'_>]) -> Node {
    list(Kind::ColumnNames, columns.iter().map(|column| Node::text(kind, column.col_name.0)))
}

fn table_body(parts: Parts, body: &CreateTableBody<'_>) -> Parts {
    match body {
        CreateTableBody::AsSelect(query) => parts.and("AS").node(select(query)),
        CreateTableBody::ColumnsAndConstraints { columns, constraints, flags } => {
            let columns = columns.iter().map(column_definition);
            let constraints = constraints.unwrap_or_default().iter().map(table_constraint);
            let options = match (flags.contains(TabFlags::WithoutRowid), flags.contains(TabFlags::Strict)) {
                (false, false) => "",
                (true, false) => "WITHOUT ROWID",
                (false, true) => "STRICT",
                (true, true) => "WITHOUT ROWID, STRICT",
            };
            parts
                .and("(")
                .node(list(Kind::Definitions, columns.chain(constraints)))
                .and(")")
                .node(Parts::none().and(options).of(Kind::TableOptions))
        }
    }
}

pub(super) fn column_definition(column: &ColumnDefinition<'_>) -> Node {
    let kind = column.col_type.as_ref().map(super::shown).unwrap_or_default();
    Parts::first(Node::text(Kind::NewColumn, column.col_name.0))
        .node(Parts::none().and(kind.trim()).of(Kind::TypeName))
        .nodes(column.constraints.iter().map(column_constraint))
        .of(Kind::ColumnDefinition)
}

fn column_constraint(named: &NamedColumnConstraint<'_>) -> Node {
    let parts = match &named.name {
        Some(name) => Parts::word("CONSTRAINT").and(name.0),
        None => Parts::none(),
    };
    let parts = match &named.constraint {
        ColumnConstraint::Check(condition) => parts.and("CHECK (").node(expr(condition)).and(")"),
        ColumnConstraint::Default(value) => {
            // Only what begins with a literal, a sign or a parenthesis needs no parentheses here.
            if matches!(
                value,
                Expr::Literal(_) | Expr::Unary(..) | Expr::Parenthesized(_) | Expr::Id(_) | Expr::Name(_)
            ) {
                parts.and("DEFAULT").node(expr(value))
            } else {
                parts.and("DEFAULT (").node(expr(value)).and(")")
            }
        }
        ColumnConstraint::Collate { collation_name } => {
            parts.and("COLLATE").node(Node::text(Kind::Collation, collation_name.0))
        }
        ColumnConstraint::Generated { expr: value, typ } => {
            parts.and("AS (").node(expr(value)).and(")").and(typ.as_ref().map_or("", |typ| typ.0))
        }
        ColumnConstraint::ForeignKey { clause, defer_clause } => {
            let parts = references(parts, clause);
            match defer_clause {
                Some(defer) => parts.show(defer),
                None => parts,
            }
        }
        other => parts.show(other),
    };
    parts.of(Kind::ColumnConstraint)
}

fn references(parts: Parts, clause: &ForeignKeyClause<'_>) -> Parts {
    let mut parts = parts.and("REFERENCES").node(Node::text(Kind::TableName, clause.tbl_name.0));
    if let Some(columns) = clause.columns {
        // Columns of a table other than the one that is defined.
        parts = parts.and("(");
        for (i, column) in columns.iter().enumerate() {
            parts = parts.and_if(i > 0, ",").and(column.col_name.0);
        }
        parts = parts.and(")");
    }
    clause.args.iter().fold(parts, |parts, argument| parts.show(argument))
}

fn table_constraint(named: &NamedTableConstraint<'_>) -> Node {
    let parts = match &named.name {
        Some(name) => Parts::word("CONSTRAINT").and(name.0),
        None => Parts::none(),
    };
    let on_conflict = |parts: Parts, clause: &Option<sqlite3_parser::ast::ResolveType>| match clause {
        Some(clause) => parts.and("ON CONFLICT").show(clause),
        None => parts,
    };
    let parts = match &named.constraint {
        TableConstraint::PrimaryKey { columns, auto_increment, conflict_clause } => {
            let parts =
                parts.and("PRIMARY KEY (").node(terms(columns)).and_if(*auto_increment, "AUTOINCREMENT");
            on_conflict(parts.and(")"), conflict_clause)
        }
        TableConstraint::Unique { columns, conflict_clause } => {
            on_conflict(parts.and("UNIQUE (").node(terms(columns)).and(")"), conflict_clause)
        }
        TableConstraint::Check(condition, conflict_clause) => {
            on_conflict(parts.and("CHECK (").node(expr(condition)).and(")"), conflict_clause)
        }
        TableConstraint::ForeignKey { columns, clause, defer_clause } => {
            let parts = parts.and("FOREIGN KEY (").node(names(Kind::ColumnName, columns)).and(")");
            let parts = references(parts, clause);
            match defer_clause {
                Some(defer) => parts.show(defer),
                None => parts,
            }
        }
    };
    parts.of(Kind::TableConstraint)
}
