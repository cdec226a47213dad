//! The syntax tree of a statement, as mutators edit it.
//!
//! [`parse`] reads a statement with `sqlite3-parser`, a port of SQLite's own grammar. That crate's tree has a type per
//! construct and lives in an arena, which suits reading but not editing; here it is converted to a single node type: a
//! [`Kind`] and parts, which are text or nodes. Everything that may appear in the same place of the grammar has the
//! same kind, so any two nodes of a kind can be swapped. A missing optional clause is a node without parts: to add one
//! is to fill it.
//!
//! Statements that the parser rejects, or that are too large or too deep to be worth it, have no tree; the token
//! mutators handle those.

mod bind;
mod convert;
mod kind;
mod limit;

pub use bind::Binder;
pub use kind::Kind;

use smol_str::SmolStr;
use sqlite3_parser::lexer::sql::Parser;
use sqlite3_parser::{Bump, FallibleIterator as _};

use super::token::{self, Token, TokenKind};

/// Longest statement that gets a tree, in bytes.
const STATEMENT_BYTES_MAX: usize = 6 << 10;
/// How many operators, brackets and keywords may nest in a statement that gets a tree: the parser's tree is as deep as
/// an expression is long, and printing and dropping it are recursive.
const NESTING_MAX: usize = 400;

/// A part of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as in the statement.
    Text(SmolStr),
    /// A child node.
    Node(Node),
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its place in the grammar.
    pub kind: Kind,
    /// Its parts, in order, without the separators of lists.
    pub parts: Vec<Part>,
}

impl Node {
    /// A node with these parts.
    pub fn new(kind: Kind, parts: Vec<Part>) -> Self {
        Self { kind, parts }
    }

    /// A node with a text as its only part.
    pub fn text(kind: Kind, text: impl Into<SmolStr>) -> Self {
        Self { kind, parts: vec![Part::Text(text.into())] }
    }

    /// An absent clause.
    pub fn absent(kind: Kind) -> Self {
        Self { kind, parts: Vec::new() }
    }

    /// True for an absent clause.
    pub fn is_absent(&self) -> bool {
        self.parts.is_empty()
    }

    /// The child nodes.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Text(_) => None,
        })
    }

    /// The child nodes, to edit.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Text(_) => None,
        })
    }

    /// The first child of a kind.
    pub fn child(&self, kind: Kind) -> Option<&Node> {
        self.children().find(|node| node.kind == kind)
    }

    /// The first child of a kind, to edit.
    pub fn child_mut(&mut self, kind: Kind) -> Option<&mut Node> {
        self.children_mut().find(|node| node.kind == kind)
    }

    /// The text of a node whose only part is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Number of nodes, this one included.
    pub fn count(&self) -> usize {
        1 + self.children().map(Node::count).sum::<usize>()
    }

    /// Calls `action` on this node and all below, parents first.
    pub fn visit<'n>(&'n self, action: &mut impl FnMut(&'n Node)) {
        action(self);
        for child in self.children() {
            child.visit(action);
        }
    }

    /// The `index`-th node in the order of [`Node::visit`], to edit.
    pub fn nth_mut(&mut self, index: usize) -> Option<&mut Node> {
        let mut left = index;
        self.descend(&mut left)
    }

    fn descend(&mut self, left: &mut usize) -> Option<&mut Node> {
        if *left == 0 {
            return Some(self);
        }
        *left -= 1;
        self.children_mut().find_map(|child| child.descend(left))
    }

    /// The statement's text, without a semicolon.
    pub fn print(&self) -> String {
        let mut out = String::with_capacity(256);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                out.push_str(self.kind.separator());
            }
            let follows_function =
                i > 0 && matches!(&self.parts[i - 1], Part::Node(node) if node.kind == Kind::FunctionName);
            match part {
                Part::Text(text) if follows_function && text.starts_with('(') => out.push_str(text),
                Part::Text(text) => push(out, text),
                Part::Node(node) => node.write(out),
            }
        }
    }
}

/// Appends text, after a space if the two would otherwise be read as one, or for readability.
fn push(out: &mut String, text: &str) {
    let (Some(last), Some(next)) = (out.bytes().last(), text.bytes().next()) else {
        out.push_str(text);
        return;
    };
    let sticks =
        matches!(last, b'(' | b'.' | b' ' | b'\n') || matches!(next, b')' | b',' | b'.' | b';' | b' ');
    if !sticks {
        out.push(' ');
    }
    out.push_str(text);
}

/// Parses one statement, without the semicolon at its end. `None` if there is none.
pub fn parse(statement: &[u8]) -> Option<Node> {
    if statement.len() > STATEMENT_BYTES_MAX || std::str::from_utf8(statement).is_err() {
        return None;
    }
    let tokens = token::tokenize(statement);
    if !is_shallow(statement, &tokens) {
        return None;
    }
    let bump = Bump::new();
    let statement = limit::with_offsets(statement, tokens);
    let mut parser = Parser::new(&bump, &statement);
    let command = parser.next().ok()??;
    Some(convert::command(&command))
}

/// The column names of the query in a `CREATE VIEW` or `CREATE TABLE … AS`, as far as they are known.
pub fn result_columns(statement: &[u8], names: &super::Names) -> Vec<String> {
    let tree = parse(statement);
    let Some(mut query) = tree.as_ref().and_then(|tree| tree.child(Kind::Select)).cloned() else {
        return Vec::new();
    };
    // Whatever does not fit stays, since this only reads.
    let (vocabulary, mut rng) = (crate::sql::vocabulary::Vocabulary::default(), fastrand::Rng::with_seed(0));
    let columns = Binder::new(names, &vocabulary, &mut rng, 100).query(&mut query);
    columns.into_iter().map(String::from).collect()
}

/// Whether a statement certainly does not nest deeply.
fn is_shallow(statement: &[u8], tokens: &[Token]) -> bool {
    let nests = tokens.iter().filter(|token| match token.kind {
        TokenKind::Operator => !matches!(&statement[token.range.clone()], b"," | b"." | b")" | b";"),
        TokenKind::Word => super::keyword(&statement[token.range.clone()]).is_some(),
        _ => false,
    });
    nests.count() <= NESTING_MAX
}

#[cfg(test)]
mod tests;
