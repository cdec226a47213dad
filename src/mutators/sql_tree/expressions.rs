//! Expressions: wrapped, unwrapped; other literals, operators and functions.

use super::{Subject, indexes, operand, parse_expr, pick_node, tree_mutator};
use crate::mutators::{Context, sql_templates};
use crate::sql::tree::{Kind, Node, Part};

tree_mutator! {
    /// Wraps an expression in a larger one, or replaces it by one of its parts.
    Wrap => wrap
}

fn wrap(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    if context.chance(25) {
        return unwrap(tree, context);
    }
    let Some(place) = pick_node(tree, context, |node| node.kind == Kind::Expr) else {
        return false;
    };
    let inner = operand(place.clone()).print();
    let wrapped = sql_templates::wrap(&inner, subject.names, context);
    let Some(new) = parse_expr(&wrapped) else {
        return false;
    };
    *place = operand(new);
    true
}

fn unwrap(tree: &mut Node, context: &mut Context<'_>) -> bool {
    let has_inner =
        |node: &Node| node.kind == Kind::Expr && indexes(node, |below| below.kind == Kind::Expr).len() > 1;
    let Some(place) = pick_node(tree, context, has_inner) else {
        return false;
    };
    let inner = indexes(place, |node| node.kind == Kind::Expr);
    let Some(new) = context.pick(&inner[1..]).copied().and_then(|index| place.nth_mut(index)).cloned() else {
        return false;
    };
    *place = operand(new);
    true
}

tree_mutator! {
    /// Changes a literal, operator, collation or type; a name or literal may come from libFuzzer's hints.
    Literal => literal
}

fn literal(tree: &mut Node, _: &Subject<'_>, context: &mut Context<'_>) -> bool {
    use Kind::{Collation, CompoundOperator, Literal, Operator, PragmaName, TypeName};
    let is_word = |node: &Node| {
        matches!(node.kind, Literal | Operator | Collation | TypeName | PragmaName | CompoundOperator)
            && node.as_text().is_some()
    };
    let Some(place) = pick_node(tree, context, is_word) else {
        return false;
    };
    let old = place.as_text().unwrap_or_default().to_owned();
    let new = match place.kind {
        Literal if context.chance(15) => with_hints(&old, context),
        Literal => sql_templates::literal(context),
        Operator => sql_templates::operator_like(&old, context).trim().to_owned(),
        CompoundOperator => sql_templates::keyword_like(&old, context),
        Collation => context.pick(&context.vocabulary.collations).cloned().unwrap_or_default(),
        PragmaName => context.pick(&context.vocabulary.pragmas).cloned().unwrap_or_default(),
        _ => sql_templates::type_name(context),
    };
    let is_new = new != old && !new.is_empty();
    if is_new {
        *place = Node::text(place.kind, new);
    }
    is_new
}

/// Lets libFuzzer change the inside of a literal: it has a dictionary, and knows what comparisons expected.
fn with_hints(literal: &str, context: &mut Context<'_>) -> String {
    const GROWTH_MAX: usize = 40;
    let quoted = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let mut bytes = quoted.unwrap_or(literal).replace("''", "'").into_bytes();
    context.mutate_bytes(&mut bytes, GROWTH_MAX);
    let text = String::from_utf8_lossy(&bytes).replace('\0', "");
    match quoted {
        None if text.parse::<f64>().is_ok() => text,
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

tree_mutator! {
    /// Changes a function, with as many arguments as the new one takes.
    Function => function
}

fn function(tree: &mut Node, _: &Subject<'_>, context: &mut Context<'_>) -> bool {
    let is_call = |node: &Node| node.kind == Kind::Expr && node.child(Kind::Exprs).is_some();
    let is_call = |node: &Node| is_call(node) && node.child(Kind::FunctionName).is_some();
    let Some(call) = pick_node(tree, context, is_call) else {
        return false;
    };
    let Some(function) = context.pick(&context.vocabulary.functions).cloned() else {
        return false;
    };
    let name = Node::text(Kind::FunctionName, function.name.as_str());
    let before = call.clone();
    if let Some(called) = call.child_mut(Kind::FunctionName) {
        *called = name;
    }
    if let (Some(count), Some(arguments)) = (function.arguments, call.child_mut(Kind::Exprs)) {
        arguments.parts.truncate(usize::from(count));
        while arguments.parts.len() < usize::from(count) {
            let literal = Node::text(Kind::Literal, sql_templates::literal(context));
            arguments.parts.push(Part::Node(Node::new(Kind::Expr, vec![Part::Node(literal)])));
        }
    }
    *call != before
}
