//! Converts the parser's tree to ours.

mod define;
mod expr;
mod select;
mod statement;

use std::fmt;

use sqlite3_parser::ast::fmt::ToTokens;
use sqlite3_parser::ast::{As, Cmd, Name, QualifiedName};

use super::{Kind, Node, Part};

pub(super) fn command(command: &Cmd<'_>) -> Node {
    match command {
        Cmd::Stmt(stmt) => statement::statement(stmt),
        Cmd::Explain(stmt) => Parts::word("EXPLAIN").node(statement::statement(stmt)).of(Kind::Statement),
        Cmd::ExplainQueryPlan(stmt) => {
            Parts::word("EXPLAIN QUERY PLAN").node(statement::statement(stmt)).of(Kind::Statement)
        }
    }
}

/// The parts of a node under construction.
struct Parts(Vec<Part>);

impl Parts {
    fn none() -> Self {
        // Most nodes have several parts: one allocation, not three.
        Self(Vec::with_capacity(6))
    }

    fn word(word: &str) -> Self {
        Self::none().and(word)
    }

    fn first(node: Node) -> Self {
        Self::none().node(node)
    }

    /// A text; nothing if it is empty.
    fn and(mut self, text: &str) -> Self {
        if !text.is_empty() {
            self.0.push(Part::Text(text.into()));
        }
        self
    }

    fn and_if(self, condition: bool, text: &str) -> Self {
        if condition { self.and(text) } else { self }
    }

    fn node(mut self, node: Node) -> Self {
        self.0.push(Part::Node(node));
        self
    }

    fn nodes(mut self, nodes: impl IntoIterator<Item = Node>) -> Self {
        self.0.extend(nodes.into_iter().map(Part::Node));
        self
    }

    /// The output of the parser's own printer.
    fn show<T: ToTokens>(self, item: &T) -> Self {
        let text = shown(item);
        self.and(text.trim())
    }

    fn of(self, kind: Kind) -> Node {
        Node::new(kind, self.0)
    }
}

fn shown<T: ToTokens>(item: &T) -> String {
    struct Shown<'a, T>(&'a T);

    impl<T: ToTokens> fmt::Display for Shown<'_, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.to_fmt(f)
        }
    }

    Shown(item).to_string()
}

/// A node of `kind` that consists of `nodes`.
fn list(kind: Kind, nodes: impl IntoIterator<Item = Node>) -> Node {
    Parts::none().nodes(nodes).of(kind)
}

/// The clause of `item`, or its absence.
fn optional<T>(kind: Kind, item: Option<T>, parts: impl FnOnce(T) -> Parts) -> Node {
    item.map_or_else(|| Node::absent(kind), |item| parts(item).of(kind))
}

/// `schema.` before a name.
fn schema_prefix(name: &QualifiedName<'_>) -> Parts {
    match &name.db_name {
        Some(schema) => Parts::word(schema.0).and("."),
        None => Parts::none(),
    }
}

/// A qualified name; the name itself is a node of `kind`.
fn qualified(kind: Kind, name: &QualifiedName<'_>) -> Vec<Part> {
    schema_prefix(name).node(Node::text(kind, name.name.0)).0
}

impl Parts {
    fn qualified(mut self, kind: Kind, name: &QualifiedName<'_>) -> Self {
        self.0.extend(qualified(kind, name));
        self
    }
}

fn alias(alias: Option<&As<'_>>) -> Node {
    optional(Kind::Alias, alias, |alias| {
        let (As::As(name) | As::Elided(name)) = alias;
        Parts::word("AS").and(name.0)
    })
}

fn alias_name(name: Option<&Name<'_>>) -> Node {
    optional(Kind::Alias, name, |name| Parts::word("AS").and(name.0))
}
