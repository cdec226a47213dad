//! Binds expressions.

use smol_str::SmolStr;

use super::Binder;
use super::fit::{resize_exprs, resize_select, width};
use crate::sql::bare;
use crate::sql::tree::{Kind, Node, Part};
use crate::sql::vocabulary::Function;

/// Functions that are only window functions.
const WINDOW_ONLY: [&str; 11] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];
/// Words that the parser treats as columns.
const NO_COLUMNS: [&str; 2] = ["true", "false"];
/// Operators whose two sides have equally many values.
const COMPARISONS: [&str; 12] =
    ["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];

impl Binder<'_> {
    /// Binds all expressions below a node, each to one value.
    pub(super) fn exprs_below(&mut self, node: &mut Node) {
        for child in node.children_mut() {
            match child.kind {
                Kind::Expr => self.expr(child, 1),
                Kind::Select => {
                    self.select(child);
                }
                _ => self.exprs_below(child),
            }
        }
    }

    /// Binds an expression that should have `want` values.
    pub(super) fn expr(&mut self, node: &mut Node, want: usize) {
        if self.is_misplaced_raise(node) {
            node.parts = vec![Part::Node(Node::text(Kind::Literal, "NULL"))];
            return;
        }
        if let Some(reference) = node.child_mut(Kind::Column) {
            self.column(reference);
        } else if node.child(Kind::FunctionName).is_some() {
            self.call(node);
        } else if node.child(Kind::Select).is_some() {
            self.subquery(node, want);
        } else if node.child(Kind::Exprs).is_some() {
            self.list(node, want);
        } else {
            let is_comparison = node.child(Kind::Operator).and_then(Node::as_text);
            let is_comparison = is_comparison.is_some_and(|operator| COMPARISONS.contains(&operator))
                || node.parts.iter().any(|part| matches!(part, Part::Text(text) if text == "BETWEEN"));
            let sides = if is_comparison { node.child(Kind::Expr).map_or(1, width) } else { 1 };
            for child in node.children_mut() {
                match child.kind {
                    Kind::Expr => self.expr(child, sides),
                    Kind::TableName => {
                        self.table_name(child);
                    }
                    Kind::Collation => self.collation(child),
                    _ => {}
                }
            }
        }
    }

    fn is_misplaced_raise(&mut self, node: &Node) -> bool {
        let is_raise = node.as_text().is_some_and(|text| text.starts_with("RAISE"));
        is_raise && !self.is_trigger && !self.spares()
    }

    /// `(…)` with a query, `EXISTS (…)`, `… IN (SELECT …)`.
    fn subquery(&mut self, node: &mut Node, want: usize) {
        let left = node.child(Kind::Expr).map(width);
        let is_exists = matches!(node.parts.first(), Some(Part::Text(text)) if text.contains("EXISTS"));
        for child in node.children_mut() {
            match child.kind {
                Kind::Expr => self.expr(child, left.unwrap_or(1)),
                Kind::Select => {
                    let columns = self.select(child).len();
                    let want = left.unwrap_or(want);
                    if !is_exists && columns > 0 && columns != want && !self.spares() {
                        resize_select(child, want);
                    }
                }
                _ => {}
            }
        }
    }

    /// `(…)` with expressions, `… IN (…)`, `… IN table(…)`.
    fn list(&mut self, node: &mut Node, want: usize) {
        let left = node.child(Kind::Expr).map(width);
        for child in node.children_mut() {
            match child.kind {
                Kind::Expr => self.expr(child, left.unwrap_or(1)),
                Kind::Exprs if left.is_some() => {
                    for item in child.children_mut() {
                        self.expr(item, left.unwrap_or(1));
                    }
                }
                Kind::Exprs => {
                    let inner = if child.parts.len() == 1 { want } else { 1 };
                    if inner == 1 && child.parts.len() != want && !self.spares() {
                        resize_exprs(child, want);
                    }
                    for item in child.children_mut() {
                        self.expr(item, inner);
                    }
                }
                Kind::TableName => {
                    self.table_name(child);
                }
                _ => {}
            }
        }
    }

    /// Binds a reference to a column.
    fn column(&mut self, node: &mut Node) {
        let words: Vec<&str> = node.parts.iter().filter_map(text).filter(|word| *word != ".").collect();
        let Some((&name, qualifiers)) = words.split_last() else {
            return;
        };
        if qualifiers.is_empty() && NO_COLUMNS.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return;
        }
        let qualifier = qualifiers.last().copied();
        let matches = self.matches(name, qualifier);
        let is_alias =
            qualifier.is_none() && self.aliases.iter().any(|alias| crate::sql::same_name(alias, name));
        if matches == 1 || is_alias || self.spares() {
            return;
        }
        // Something in double quotes that is not a column is a string.
        if qualifier.is_none() && name.starts_with('"') && self.chance(70) {
            return;
        }
        // The same name in two tables is ambiguous; in both sides of USING and NATURAL it is not.
        if matches > 1 && (qualifier.is_some() || self.chance(30)) {
            return;
        }
        *node = match self.any_column((matches > 1).then_some(name)) {
            Some(parts) => Node::new(Kind::Column, parts),
            None => Node::text(Kind::Column, ["1", "NULL", "'x'", "0.5"][self.rng.usize(0..4)]),
        };
    }

    /// In how many sources a name is found, in the innermost query that knows it.
    fn matches(&self, name: &str, qualifier: Option<&str>) -> usize {
        let is_it = |source: &&super::Source| {
            qualifier.is_none_or(|qualifier| source.is_called(qualifier)) && source.has(name)
        };
        for scope in self.scopes.outward() {
            let sure = scope.iter().filter(is_it).filter(|source| source.lists(name)).count();
            let found = if sure > 0 { sure } else { usize::from(scope.iter().any(|source| is_it(&source))) };
            if found > 0 {
                return found;
            }
        }
        0
    }

    /// A column in scope; of a table that has `name`, if given.
    fn any_column(&mut self, name: Option<&str>) -> Option<Vec<Part>> {
        let scopes: Vec<&[super::Source]> = self.scopes.outward().filter(|scope| !scope.is_empty()).collect();
        let depth =
            if scopes.len() > 1 && self.rng.u8(0..100) < 15 { self.rng.usize(0..scopes.len()) } else { 0 };
        let scope = scopes.get(depth)?;
        let fitting: Vec<&super::Source> = scope
            .iter()
            .filter(|source| source.named_columns().next().is_some() || source.has_rowid)
            .filter(|source| name.is_none_or(|name| source.lists(name)))
            .collect();
        let source = *self.rng.choice(&fitting)?;
        let column = match name {
            Some(name) => SmolStr::new(name),
            None if source.has_rowid && (source.columns.is_empty() || self.rng.u8(0..100) < 6) => {
                SmolStr::new_static("rowid")
            }
            None => {
                let named: Vec<&SmolStr> = source.named_columns().collect();
                (*self.rng.choice(&named)?).clone()
            }
        };
        let needs_table = scope.len() > 1 || depth > 0 || self.rng.u8(0..100) < 10;
        if !needs_table || !self.may_qualify || source.name.is_empty() {
            return Some(vec![Part::Text(column)]);
        }
        Some(vec![Part::Text(source.name.clone()), Part::Text(SmolStr::new_static(".")), Part::Text(column)])
    }

    fn collation(&mut self, node: &mut Node) {
        let known =
            |name: &str| self.vocabulary.collations.iter().any(|own| own.eq_ignore_ascii_case(bare(name)));
        if node.as_text().is_some_and(known) || self.spares() {
            return;
        }
        if let Some(name) = self.rng.choice(&self.vocabulary.collations) {
            *node = Node::text(Kind::Collation, name.as_str());
        }
    }

    /// Binds a call to a function that takes this many arguments and is allowed here.
    fn call(&mut self, node: &mut Node) {
        if self.vocabulary.functions.is_empty() {
            // Nothing is known about the build, so the name stays.
            node.children_mut().for_each(|child| self.exprs_below(child));
            return;
        }
        let is_star = node.parts.iter().any(|part| text(part) == Some("(*)"));
        let count = if is_star { 0 } else { node.child(Kind::Exprs).map_or(0, |exprs| exprs.parts.len()) };
        let name = node.child(Kind::FunctionName).and_then(Node::as_text).unwrap_or_default().to_owned();
        let has_over = node.child(Kind::Over).is_some_and(|over| !over.is_absent());
        let may_aggregate = self.allows_aggregates;
        let takes = |function: &Function| function.arguments.is_none_or(|own| usize::from(own) == count);
        let may_stand = |function: &Function| takes(function) && (function.kind == 's' || may_aggregate);
        let vocabulary = self.vocabulary;
        let is_it = |function: &&Function| function.name.eq_ignore_ascii_case(bare(&name)) && takes(function);
        let mut own = vocabulary.functions.iter().filter(is_it);
        // Of max(X) and max(X, …), the one with a fixed number of arguments.
        let own = own.clone().find(|function| function.arguments.is_some()).or_else(|| own.next());
        let mut kind = own.map_or('s', |own| own.kind);
        if !own.is_some_and(may_stand) && !self.spares() {
            let wants = |function: &&Function| {
                may_stand(function) && (!has_over || function.kind == 'w' || !may_aggregate)
            };
            let fitting: Vec<&Function> = vocabulary.functions.iter().filter(wants).collect();
            if let Some(function) = self.pick(&fitting) {
                kind = function.kind;
                if let Some(called) = node.child_mut(Kind::FunctionName) {
                    *called = Node::text(Kind::FunctionName, function.name.as_str());
                }
            }
        }
        if is_star && kind == 's' && !self.spares() {
            let parts = node.parts.iter_mut().filter(|part| text(part) == Some("(*)"));
            parts.for_each(|part| *part = Part::Text(SmolStr::new_static("()")));
        }
        self.fit_tail(node, kind);
        // Aggregates do not nest.
        self.allows_aggregates = may_aggregate && (kind == 's' || has_over);
        for child in node.children_mut() {
            self.exprs_below(child);
        }
        self.allows_aggregates = may_aggregate;
    }

    /// Keeps `FILTER` and `OVER` only if the function accepts them.
    fn fit_tail(&mut self, node: &mut Node, kind: char) {
        let name = node.child(Kind::FunctionName).and_then(Node::as_text).unwrap_or_default().to_owned();
        let is_window_only = WINDOW_ONLY.iter().any(|known| known.eq_ignore_ascii_case(&name));
        if self.spares() {
            return;
        }
        if kind == 's' {
            for clause in [Kind::Filter, Kind::Over] {
                if let Some(clause) = node.child_mut(clause) {
                    clause.parts.clear();
                }
            }
            return;
        }
        if let Some(order) = node.child_mut(Kind::Order).filter(|_| is_window_only) {
            order.parts.clear();
        }
        if let Some(filter) = node.child_mut(Kind::Filter).filter(|_| is_window_only) {
            filter.parts.clear();
        }
        let windows = self.windows.clone();
        let Some(over) = node.child_mut(Kind::Over) else {
            return;
        };
        let names_unknown = match over.parts.as_slice() {
            [_, Part::Text(name)] => !windows.iter().any(|window| crate::sql::same_name(window, name)),
            [] => is_window_only,
            _ => false,
        };
        if kind == 'a' {
            over.parts.clear();
        } else if names_unknown {
            over.parts = vec![Part::Text(SmolStr::new_static("OVER ()"))];
        }
    }
}

fn text(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Node(_) => None,
    }
}
