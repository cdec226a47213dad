//! Queries.

use sqlite3_parser::ast::{
    Distinctness, Expr, FromClause, Indexed, JoinConstraint, JoinedSelectTable, Limit, OneSelect,
    ResultColumn, Select, SelectTable, SortedColumn, With,
};

use super::expr::{expr, exprs, window};
use super::{Parts, alias, alias_name, list, optional};
use crate::sql::tree::{Kind, Node};

pub(super) fn select(item: &Select<'_>) -> Node {
    Parts::first(with(item.with.as_ref()))
        .node(compound(item))
        .node(order(item.order_by))
        .node(limit(item.limit))
        .of(Kind::Select)
}

fn compound(item: &Select<'_>) -> Node {
    let mut parts = Parts::first(core(&item.body.select));
    for next in item.body.compounds.iter().flatten() {
        parts = parts
            .node(Parts::none().show(&next.operator).of(Kind::CompoundOperator))
            .node(core(&next.select));
    }
    parts.of(Kind::Compound)
}

fn core(item: &OneSelect<'_>) -> Node {
    match item {
        OneSelect::Select { distinctness, columns, from, where_clause, group_by, having, window_clause } => {
            let windows = optional(Kind::Windows, *window_clause, |windows| {
                let mut parts = Parts::word("WINDOW");
                for (i, definition) in windows.iter().enumerate() {
                    let inner = window(&definition.window);
                    let definition = Parts::word(definition.name.0).and("AS (").node(inner).and(")");
                    parts = parts.and_if(i > 0, ",").node(definition.of(Kind::WindowDefinition));
                }
                parts
            });
            Parts::word("SELECT")
                .node(distinct(distinctness.as_ref()))
                .node(self::columns(columns))
                .node(self::from(from.as_ref()))
                .node(self::filter(*where_clause))
                .node(optional(Kind::Group, *group_by, |group| Parts::word("GROUP BY").node(exprs(group))))
                .node(optional(Kind::Having, *having, |having| Parts::word("HAVING").node(expr(having))))
                .node(windows)
                .of(Kind::Core)
        }
        OneSelect::Values(rows) => {
            let row = |row| Parts::word("(").node(exprs(row)).and(")").of(Kind::Row);
            let rows = list(Kind::Rows, rows.iter().map(|items| row(items)));
            Parts::word("VALUES").node(rows).of(Kind::Core)
        }
    }
}

fn distinct(item: Option<&Distinctness>) -> Node {
    optional(Kind::Distinct, item, |item| Parts::none().show(item))
}

pub(super) fn columns(items: &[ResultColumn<'_>]) -> Node {
    list(Kind::Columns, items.iter().map(result_column))
}

fn result_column(item: &ResultColumn<'_>) -> Node {
    let parts = match item {
        ResultColumn::Expr(inner, name) => Parts::first(expr(inner)).node(alias(name.as_ref())),
        ResultColumn::Star => Parts::word("*"),
        ResultColumn::TableStar(table) => Parts::word(table.0).and(".").and("*"),
    };
    parts.of(Kind::ResultColumn)
}

pub(super) fn filter(item: Option<&Expr<'_>>) -> Node {
    optional(Kind::Where, item, |item| Parts::word("WHERE").node(expr(item)))
}

pub(super) fn from(item: Option<&FromClause<'_>>) -> Node {
    let item = item.filter(|from| from.select.is_some());
    optional(Kind::From, item, |from| joined(Parts::word("FROM"), from))
}

fn joined(parts: Parts, from: &FromClause<'_>) -> Parts {
    let first = parts.nodes(from.select.map(|table| table_ref(table)));
    from.joins.iter().flatten().fold(first, join)
}

fn join(parts: Parts, item: &JoinedSelectTable<'_>) -> Parts {
    let on = optional(Kind::JoinOn, item.constraint.as_ref(), |constraint| match constraint {
        JoinConstraint::On(condition) => Parts::word("ON").node(expr(condition)),
        JoinConstraint::Using(names) => {
            let names = names.iter().map(|name| Node::text(Kind::ColumnName, name.0));
            Parts::word("USING (").node(list(Kind::ColumnNames, names)).and(")")
        }
    });
    parts
        .node(Parts::none().show(&item.operator).of(Kind::JoinOperator))
        .node(table_ref(&item.table))
        .node(on)
}

fn table_ref(item: &SelectTable<'_>) -> Node {
    let parts = match item {
        SelectTable::Table(name, as_name, indexed) => Parts::none()
            .qualified(Kind::TableName, name)
            .node(alias(as_name.as_ref()))
            .node(self::indexed(indexed.as_ref())),
        SelectTable::TableCall(name, arguments, as_name) => Parts::none()
            .qualified(Kind::FunctionName, name)
            .and("(")
            .node(exprs(arguments.unwrap_or_default()))
            .and(")")
            .node(alias(as_name.as_ref())),
        SelectTable::Select(query, as_name) => {
            Parts::word("(").node(select(query)).and(")").node(alias(as_name.as_ref()))
        }
        SelectTable::Sub(from, as_name) => {
            joined(Parts::word("("), from).and(")").node(alias(as_name.as_ref()))
        }
    };
    parts.of(Kind::TableRef)
}

pub(super) fn indexed(item: Option<&Indexed<'_>>) -> Node {
    optional(Kind::Indexed, item, |item| match item {
        Indexed::IndexedBy(name) => Parts::word("INDEXED BY").node(Node::text(Kind::IndexName, name.0)),
        Indexed::NotIndexed => Parts::word("NOT INDEXED"),
    })
}

pub(super) fn order(items: Option<&[SortedColumn<'_>]>) -> Node {
    optional(Kind::Order, items, |items| Parts::word("ORDER BY").node(terms(items)))
}

pub(super) fn terms(items: &[SortedColumn<'_>]) -> Node {
    let term = |item: &SortedColumn<'_>| {
        let mut parts = Parts::first(expr(&item.expr));
        if let Some(order) = &item.order {
            parts = parts.show(order);
        }
        if let Some(nulls) = &item.nulls {
            parts = parts.show(nulls);
        }
        parts.of(Kind::Term)
    };
    list(Kind::Terms, items.iter().map(term))
}

pub(super) fn limit(item: Option<&Limit<'_>>) -> Node {
    optional(Kind::Limit, item, |item| {
        let parts = Parts::word("LIMIT").node(expr(&item.expr));
        let parts = parts.and_if(item.offset.is_some(), "OFFSET");
        parts.nodes(item.offset.as_ref().map(expr))
    })
}

pub(super) fn with(item: Option<&With<'_>>) -> Node {
    optional(Kind::With, item, |with| {
        let cte = |cte: &sqlite3_parser::ast::CommonTableExpr<'_>| {
            use sqlite3_parser::ast::Materialized;
            let mut parts = Parts::first(Node::text(Kind::NewName, cte.tbl_name.0));
            if let Some(columns) = cte.columns {
                let names = columns.iter().map(|column| Node::text(Kind::NewColumn, column.col_name.0));
                parts = parts.and("(").node(list(Kind::ColumnNames, names)).and(")");
            }
            let how = match cte.materialized {
                Materialized::Any => "AS",
                Materialized::Yes => "AS MATERIALIZED",
                Materialized::No => "AS NOT MATERIALIZED",
            };
            parts.and(how).and("(").node(select(cte.select)).and(")").of(Kind::Cte)
        };
        let ctes = list(Kind::Ctes, with.ctes.iter().map(cte));
        Parts::word("WITH").and_if(with.recursive, "RECURSIVE").node(ctes)
    })
}

/// `AS name` of the table that a statement writes to.
pub(super) fn target_alias(name: Option<&sqlite3_parser::ast::Name<'_>>) -> Node {
    alias_name(name)
}
