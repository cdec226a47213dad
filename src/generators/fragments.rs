//! Subtrees of the seeds, to insert into other statements.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use super::seeds;
use crate::sql::statements;
use crate::sql::tree::{Kind, Node, parse};
use crate::testcase::RICH_SCHEMA;

/// Largest fragment, in nodes.
const NODES_MAX: usize = 40;

/// Fragments by kind, each text once, without absent clauses. They stay in the trees of their statements, since most of
/// them are part of others.
#[derive(Debug)]
pub struct Fragments(BTreeMap<Kind, Vec<&'static Node>>);

impl Fragments {
    /// Those of all seeds.
    pub fn of_seeds() -> &'static Self {
        static TREES: OnceLock<Vec<Node>> = OnceLock::new();
        static FRAGMENTS: OnceLock<Fragments> = OnceLock::new();
        FRAGMENTS.get_or_init(|| Self::of_trees(TREES.get_or_init(trees_of_seeds)))
    }

    fn of_trees(trees: &'static [Node]) -> Self {
        let mut fragments: BTreeMap<Kind, Vec<&Node>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for tree in trees {
            tree.visit(&mut |node| {
                let is_fit = !node.is_absent() && node.count() <= NODES_MAX;
                if is_fit && seen.insert((node.kind, node.print())) {
                    fragments.entry(node.kind).or_default().push(node);
                }
            });
        }
        Self(fragments)
    }

    /// Those of a kind.
    pub fn of(&self, kind: Kind) -> &[&'static Node] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }
}

/// The trees of all statements of the seeds.
fn trees_of_seeds() -> Vec<Node> {
    let scripts = seeds::db_sql().into_iter().chain(seeds::sql()).map(|seed| seed.script);
    let trees = |script: Cow<'static, str>| -> Vec<Node> {
        statements(script.as_bytes()).filter_map(|range| parse(script[range].as_bytes())).collect()
    };
    scripts.chain([RICH_SCHEMA.into()]).flat_map(trees).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_have_something_of_every_kind() {
        let fragments = Fragments::of_seeds();
        let missing: Vec<&Kind> = Kind::ALL.iter().filter(|kind| fragments.of(**kind).is_empty()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn each_text_is_there_once() {
        let fragments = Fragments::of_seeds();
        for kind in Kind::ALL {
            let texts: HashSet<String> = fragments.of(*kind).iter().map(|node| node.print()).collect();
            assert_eq!(texts.len(), fragments.of(*kind).len(), "{kind:?}");
        }
    }
}
