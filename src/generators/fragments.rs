//! Subtrees of the seeds, to put into other statements.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{RICH_SCHEMA, seeds};
use crate::sql::statements;
use crate::sql::tree::{Kind, Node, parse};

/// Largest fragment in nodes.
const NODES_MAX: usize = 40;

/// Fragments by kind; clauses that are absent are none.
#[derive(Debug, Default)]
pub struct Fragments(BTreeMap<Kind, Vec<Node>>);

impl Fragments {
    /// Those of all seeds.
    pub fn of_seeds() -> &'static Self {
        static FRAGMENTS: OnceLock<Fragments> = OnceLock::new();
        FRAGMENTS.get_or_init(|| {
            let scripts = ["db_sql", "sql"].into_iter().flat_map(seeds::of_target).map(|seed| seed.script);
            let mut fragments = Self::default();
            for script in scripts.chain([RICH_SCHEMA]) {
                fragments.add(script.as_bytes());
            }
            fragments
        })
    }

    /// Adds those of a script.
    pub fn add(&mut self, script: &[u8]) {
        for tree in statements(script).filter_map(|range| parse(&script[range])) {
            tree.visit(&mut |node| {
                if !node.is_absent() && node.count() <= NODES_MAX {
                    self.0.entry(node.kind).or_default().push(node.clone());
                }
            });
        }
    }

    /// Those of a kind.
    pub fn of(&self, kind: Kind) -> &[Node] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }
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
}
