//! Query optimizations make no difference to a script: what it changes, what its triggers and views do.
//!
//! The oracle `plans` compares single queries; here the whole script runs with all of them off
//! (`SQLITE_TESTCTRL_OPTIMIZATIONS`, <https://sqlite.org/c3ref/c_testctrl_always.html>), so that a row that is missed
//! by an `UPDATE` or `DELETE`, or within a trigger, is noticed. The bit that alone brings the difference about is part
//! of the signature.
//!
//! # When nothing is said
//! Rows may come in another order. A script that lets the order decide what is stored is left alone: implicit rowids
//! that are looked at, `OR REPLACE` of several rows, `LIMIT`, bare columns, a change of a table by what is read from
//! it. So is one with virtual tables. If a reversed scan alone makes a difference as well, it is no bug.

use super::{Keeps, Scriptwise, Variant, script};
use crate::engine::{Observation, StatementTrace};
use crate::oracles::answers::{aggregates, open, plans as bits, query};
use crate::oracles::{Environment, SkipReason};
use crate::sql;
use crate::sql::tree::{self, Kind, Node};
use crate::testcase::{Setting, TOGGLE_NAMES, TestCase};

pub(crate) const SCRIPT_PLANS: Scriptwise =
    Scriptwise { name: "script_plans", keeps: Keeps::Answers, variants, examine };

/// Words with which the order of rows decides, or of what no optimization may be switched off for a comparison.
const ORDERING: [&str; 13] = [
    "virtual",
    "json_each",
    "json_tree",
    "jsonb_each",
    "jsonb_tree",
    "generate_series",
    "carray",
    "reverse_unordered_selects",
    "last_insert_rowid",
    "changes",
    "total_changes",
    "returning",
    "raise",
];

fn variants(case: &TestCase, _: &Observation) -> Result<Vec<Variant>, &'static str> {
    let reversed = TOGGLE_NAMES.iter().position(|&name| name == "REVERSE_SCANORDER");
    if reversed.is_some_and(|bit| case.config.get(Setting::Toggles) >> bit & 1 == 1) {
        return Err("scans are reversed");
    }
    Ok(vec![without(bits::ALL)])
}

fn without(optimizations_off: u32) -> Variant {
    Variant { name: "unoptimized", optimizations_off, ..Variant::default() }
}

/// Scans backwards, then finds the bit: half of them at a time.
fn examine(
    oracle: &Scriptwise,
    variant: &Variant,
    own: &Observation,
    ask: &mut Environment<'_>,
) -> Result<&'static str, SkipReason> {
    let case = ask.case();
    let reversed = |off| Variant { pragmas: vec![("reverse_unordered_selects", "1")], ..without(off) };
    let is_ordered = oracle.difference(&reversed(0), case, own, ask)?.is_some() || {
        // What the order changes may be seen only with the other plans.
        let (unoptimized, _) = variant.of(case);
        let run = ask.run(&unoptimized, super::ASKED)?;
        oracle.difference(&reversed(variant.optimizations_off), case, &run, ask)?.is_some()
    };
    if is_ordered {
        return Err(SkipReason::Excused("a reversed scan makes a difference, too"));
    }
    let mut suspects: Vec<(u32, &'static str)> = bits::bits().collect();
    while suspects.len() > 1 {
        let rest = suspects.split_off(suspects.len() / 2);
        let mask = |bits: &[(u32, &str)]| bits.iter().fold(0, |mask, (bit, _)| mask | bit);
        if oracle.difference(&without(mask(&suspects)), case, own, ask)?.is_some() {
            continue;
        }
        if oracle.difference(&without(mask(&rest)), case, own, ask)?.is_none() {
            return Ok("several");
        }
        suspects = rest;
    }
    Ok(suspects[0].1)
}

/// Why the order of rows may decide, judging by the words of a statement.
pub(super) fn hazard_of_words(words: &[String]) -> Option<&'static str> {
    let is_any = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    let is_ordering =
        is_any(&ORDERING) || is_any(&aggregates::ORDERED_AGGREGATES) || is_any(&aggregates::ORDERED_WINDOWS);
    is_ordering.then_some("the order of rows decides")
}

/// What is known of a script and its schema as a whole.
pub(super) struct About {
    /// True if rowids may be seen: what the order of rows gives them matters then.
    shows_rowids: bool,
    /// True if there are triggers, or constraints with `ON CONFLICT`.
    has_consequences: bool,
}

impl About {
    pub(super) fn of(script: &[u8], schema: &str) -> Self {
        let mut words = script::words(script);
        words.extend(script::words(schema.as_bytes()));
        let says = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        let has_key = words.windows(2).any(|pair| pair[0].starts_with("int") && pair[1] == "primary");
        Self {
            shows_rowids: has_key || says(&["rowid", "_rowid_", "oid", "autoincrement"]),
            has_consequences: says(&["trigger", "conflict", "replace"]),
        }
    }

    /// Why the order of rows decides what a statement says or does, if it does.
    pub(super) fn hazard(&self, text: &[u8], statement: &StatementTrace) -> Option<&'static str> {
        const ORDER: &str = "the order of rows decides";
        if ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ANALYZE", "REINDEX", "VACUUM"]
            .contains(&statement.verb)
        {
            return None;
        }
        let text = text.trim_ascii();
        let Some(tree) = tree::parse(text.strip_suffix(b";").unwrap_or(text)) else {
            return (statement.code().is_success()).then_some("a statement that is not understood");
        };
        if is_open_tree(&tree) {
            return Some(ORDER);
        }
        let words = script::words(text);
        let says = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        let changes_by_order = match tree.kind {
            Kind::Insert | Kind::CreateTable => {
                let reads = tree.child(Kind::Select).is_some_and(|query| query::has(query, Kind::From));
                reads
                    && (takes_representatives(&tree)
                        || !is_generated(&tree)
                            && (self.shows_rowids || self.has_consequences || says(&["or", "conflict"])))
            }
            Kind::Update | Kind::Delete => {
                let target = query::target(&tree);
                let is_target = |node: &Node| {
                    node.kind == Kind::TableName
                        && target
                            .to_ascii_lowercase()
                            .contains(&sql::bare(&node.print()).to_ascii_lowercase())
                };
                let mut reads_itself = false;
                tree.children()
                    .filter(|child| child.kind != Kind::Target)
                    .for_each(|child| child.visit(&mut |node| reads_itself |= is_target(node)));
                let has_from = tree.child(Kind::From).is_some_and(|from| !from.is_absent());
                has_from
                    || reads_itself
                    || takes_representatives(&tree)
                    || says(&["replace", "ignore", "fail"])
            }
            Kind::Select => says(&["rowid", "_rowid_", "oid"]) && !self.shows_rowids,
            _ => false,
        };
        changes_by_order.then_some(ORDER)
    }
}

/// True if the order of rows decides in any of these statements, or one is not understood.
pub(super) fn is_open(statements: &[u8]) -> bool {
    sql::statements(statements).any(|range| {
        let text = statements[range].trim_ascii();
        let text = text.strip_suffix(b";").unwrap_or(text);
        !text.is_empty() && tree::parse(text).is_none_or(|tree| is_open_tree(&tree))
    })
}

fn is_open_tree(tree: &Node) -> bool {
    has_open_limit(tree, &mut Vec::new()) || aggregates::has_bare_column(tree) || has_open_value(tree)
}

/// True if one of several equal values may be stored.
fn takes_representatives(tree: &Node) -> bool {
    let mut found = query::has(tree, Kind::Distinct) || query::has(tree, Kind::Group);
    tree.visit(&mut |node| {
        found |= node.kind == Kind::CompoundOperator && node.print().trim() != "UNION ALL";
        let name = node.child(Kind::FunctionName).map(Node::print);
        found |= name.is_some_and(|name| ["min", "max"].iter().any(|known| name.eq_ignore_ascii_case(known)));
    });
    found
}

/// True if the rows of a statement come from a common table expression that reads nothing but itself: they come in one
/// order.
fn is_generated(tree: &Node) -> bool {
    let mut names = Vec::new();
    let mut tables = Vec::new();
    tree.visit(&mut |node| match node.kind {
        Kind::Cte => names.extend(cte_name(node)),
        Kind::From => node.visit(&mut |node| {
            if node.kind == Kind::TableName {
                tables.push(sql::bare(&node.print()).to_ascii_lowercase());
            }
        }),
        _ => {}
    });
    let [name] = &names[..] else {
        return false;
    };
    // Once in itself, once in the statement.
    tables.len() <= 2 && tables.iter().all(|table| table == name)
}

fn cte_name(node: &Node) -> Option<String> {
    let first = sql::tokenize(node.print().as_bytes()).into_iter().find(|token| !token.kind.is_blank())?;
    Some(sql::bare(&node.print()[first.range]).to_ascii_lowercase())
}

/// True if a `LIMIT` takes some rows of many whose order is not known. It is if a common table expression counts.
fn has_open_limit<'n>(node: &'n Node, inside: &mut Vec<&'n Node>) -> bool {
    if node.kind == Kind::Limit && !node.is_absent() {
        let counts =
            inside.iter().rev().take(3).any(|outer| outer.kind == Kind::Cte && reads_only_itself(outer));
        if !counts {
            return true;
        }
    }
    inside.push(node);
    let found = node.children().any(|child| has_open_limit(child, inside));
    inside.pop();
    found
}

fn reads_only_itself(cte: &Node) -> bool {
    let (name, mut tables) = (cte_name(cte), Vec::new());
    cte.visit(&mut |node| {
        if node.kind == Kind::From {
            node.visit(&mut |node| {
                if node.kind == Kind::TableName {
                    tables.push(sql::bare(&node.print()).to_ascii_lowercase());
                }
            });
        }
    });
    tables.len() == 1 && tables.first() == name.as_ref()
}

/// True if a subquery stands for a value and may have several rows, or if a window's frame counts rows.
fn has_open_value(tree: &Node) -> bool {
    let mut found = false;
    tree.visit(&mut |node| {
        found |= node.kind == Kind::Frame && node.print().to_ascii_uppercase().contains("ROWS");
        found |= open::scalar_subquery(node).is_some_and(|query| {
            let cores: Vec<&Node> =
                query.child(Kind::Compound).into_iter().flat_map(Node::children).collect();
            let is_single = |core: &Node| {
                let has_group = core.child(Kind::Group).is_some_and(|group| !group.is_absent());
                let aggregates = core.child(Kind::Columns).is_some_and(aggregates::aggregates) && !has_group;
                aggregates || core.child(Kind::From).is_none_or(Node::is_absent)
            };
            !matches!(cores[..], [core] if is_single(core))
        });
    });
    found
}
