//! Expressions.

use sqlite3_parser::ast::{
    Expr, FrameBound, FrameClause, FunctionCallOrder, FunctionTail, Literal, Over, SortedColumn, Window,
};

use super::select::{order, select};
use super::{Parts, list, optional, shown};
use crate::sql::tree::{Kind, Node};

pub(super) fn expr(item: &Expr<'_>) -> Node {
    parts(item).of(Kind::Expr)
}

pub(super) fn exprs(items: &[Expr<'_>]) -> Node {
    list(Kind::Exprs, items.iter().map(expr))
}

fn parts(item: &Expr<'_>) -> Parts {
    match item {
        Expr::Between { lhs, not, start, end } => Parts::first(expr(lhs))
            .and_if(*not, "NOT")
            .and("BETWEEN")
            .node(expr(start))
            .and("AND")
            .node(expr(end)),
        Expr::Binary(left, operator, right) => Parts::first(expr(left))
            .node(Node::text(Kind::Operator, shown(operator).trim()))
            .node(expr(right)),
        Expr::Case { base, when_then_pairs, else_expr } => {
            let mut parts = Parts::word("CASE").nodes(base.map(|base| expr(base)));
            for (when, then) in *when_then_pairs {
                parts = parts.and("WHEN").node(expr(when)).and("THEN").node(expr(then));
            }
            let parts = parts.and_if(else_expr.is_some(), "ELSE");
            parts.nodes(else_expr.map(|other| expr(other))).and("END")
        }
        Expr::Cast { expr: inner, type_name } => {
            let name = type_name.as_ref().map(shown).unwrap_or_default();
            Parts::word("CAST (")
                .node(expr(inner))
                .and("AS")
                .node(Node::text(Kind::TypeName, name.trim()))
                .and(")")
        }
        Expr::Collate(inner, name) => {
            Parts::first(expr(inner)).and("COLLATE").node(Node::text(Kind::Collation, *name))
        }
        Expr::FunctionCall { name, distinctness, args, order_by, filter_over } => {
            let mut parts = Parts::first(Node::text(Kind::FunctionName, name.0)).and("(");
            if let Some(distinctness) = distinctness {
                parts = parts.show(distinctness);
            }
            let order_by: Option<&[SortedColumn<'_>]> = order_by.as_ref().map(|by| {
                let FunctionCallOrder::SortList(terms) = by;
                *terms
            });
            let parts = parts.node(exprs(args.unwrap_or_default())).node(order(order_by)).and(")");
            tail(parts, filter_over.as_ref())
        }
        Expr::FunctionCallStar { name, filter_over } => {
            tail(Parts::first(Node::text(Kind::FunctionName, name.0)).and("(*)"), filter_over.as_ref())
        }
        Expr::IsNull(inner) => Parts::first(expr(inner)).and("IS NULL"),
        Expr::NotNull(inner) => Parts::first(expr(inner)).and("NOT NULL"),
        Expr::Like { lhs, not, op, rhs, escape } => Parts::first(expr(lhs))
            .and_if(*not, "NOT")
            .show(op)
            .node(expr(rhs))
            .and_if(escape.is_some(), "ESCAPE")
            .nodes(escape.map(|escape| expr(escape))),
        Expr::Literal(literal) => Parts::first(self::literal(literal)),
        Expr::Parenthesized(inner) => Parts::word("(").node(exprs(inner)).and(")"),
        Expr::Unary(operator, inner) => Parts::none().show(operator).node(expr(inner)),
        Expr::Raise(..) | Expr::Variable(_) => Parts::none().show(item),
        Expr::Exists(_)
        | Expr::Subquery(_)
        | Expr::InList { .. }
        | Expr::InSelect { .. }
        | Expr::InTable { .. } => with_rows(item),
        Expr::Id(_) | Expr::Name(_) | Expr::Qualified(..) | Expr::DoublyQualified(..) => {
            Parts::first(column(item))
        }
    }
}

/// Expressions around queries and sets.
fn with_rows(item: &Expr<'_>) -> Parts {
    match item {
        Expr::Exists(query) => Parts::word("EXISTS (").node(select(query)).and(")"),
        Expr::Subquery(query) => Parts::word("(").node(select(query)).and(")"),
        Expr::InList { lhs, not, rhs } => Parts::first(expr(lhs))
            .and_if(*not, "NOT")
            .and("IN (")
            .node(exprs(rhs.unwrap_or_default()))
            .and(")"),
        Expr::InSelect { lhs, not, rhs } => {
            Parts::first(expr(lhs)).and_if(*not, "NOT").and("IN (").node(select(rhs)).and(")")
        }
        Expr::InTable { lhs, not, rhs, args } => {
            let parts = Parts::first(expr(lhs)).and_if(*not, "NOT").and("IN").qualified(Kind::TableName, rhs);
            match args {
                Some(args) => parts.and("(").node(exprs(args)).and(")"),
                None => parts,
            }
        }
        _ => Parts::none().show(item),
    }
}

fn literal(literal: &Literal<'_>) -> Node {
    let text = match literal {
        Literal::Blob(digits) => format!("x'{digits}'"),
        _ => shown(&Expr::Literal(copy(literal))).trim().to_owned(),
    };
    Node::text(Kind::Literal, text)
}

fn copy<'a>(literal: &Literal<'a>) -> Literal<'a> {
    match literal {
        Literal::Numeric(text) => Literal::Numeric(text),
        Literal::String(text) => Literal::String(text),
        Literal::Blob(text) => Literal::Blob(text),
        Literal::Keyword(text) => Literal::Keyword(text),
        Literal::Null => Literal::Null,
        Literal::CurrentDate => Literal::CurrentDate,
        Literal::CurrentTime => Literal::CurrentTime,
        Literal::CurrentTimestamp => Literal::CurrentTimestamp,
    }
}

/// A reference to a column: its name, after those of table and schema if it has them.
fn column(item: &Expr<'_>) -> Node {
    let parts = match item {
        Expr::Id(id) => Parts::word(id.0),
        Expr::Name(name) => Parts::word(name.0),
        Expr::Qualified(table, name) => Parts::word(table.0).and(".").and(name.0),
        Expr::DoublyQualified(schema, table, name) => {
            Parts::word(schema.0).and(".").and(table.0).and(".").and(name.0)
        }
        _ => Parts::none().show(item),
    };
    parts.of(Kind::Column)
}

/// `FILTER` and `OVER` of a call; absent if the call has none.
fn tail(parts: Parts, tail: Option<&FunctionTail<'_>>) -> Parts {
    let filter = optional(Kind::Filter, tail.and_then(|tail| tail.filter_clause), |filter| {
        Parts::word("FILTER (WHERE").node(expr(filter)).and(")")
    });
    let over = optional(Kind::Over, tail.and_then(|tail| tail.over_clause), |over| match over {
        Over::Window(inner) => Parts::word("OVER (").node(window(inner)).and(")"),
        Over::Name(name) => Parts::word("OVER").and(name.0),
    });
    parts.node(filter).node(over)
}

pub(super) fn window(window: &Window<'_>) -> Node {
    let partition = optional(Kind::Partition, window.partition_by, |items| {
        Parts::word("PARTITION BY").node(exprs(items))
    });
    Parts::none()
        .and(window.base.as_ref().map_or("", |name| name.0))
        .node(partition)
        .node(order(window.order_by))
        .node(optional(Kind::Frame, window.frame_clause.as_ref(), frame))
        .of(Kind::Window)
}

fn frame(frame: &FrameClause<'_>) -> Parts {
    let mut parts = Parts::none().show(&frame.mode);
    match &frame.end {
        Some(end) => parts = bound(bound(parts.and("BETWEEN"), &frame.start).and("AND"), end),
        None => parts = bound(parts, &frame.start),
    }
    match &frame.exclude {
        Some(exclude) => parts.and("EXCLUDE").show(exclude),
        None => parts,
    }
}

fn bound(parts: Parts, bound: &FrameBound<'_>) -> Parts {
    match bound {
        FrameBound::Following(distance) => parts.node(expr(distance)).and("FOLLOWING"),
        FrameBound::Preceding(distance) => parts.node(expr(distance)).and("PRECEDING"),
        FrameBound::CurrentRow | FrameBound::UnboundedFollowing | FrameBound::UnboundedPreceding => {
            parts.show(bound)
        }
    }
}
