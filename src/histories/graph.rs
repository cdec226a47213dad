//! A graph of transactions.
//!
//! Order in time is transitive and has too many edges to list. So each end of a transaction is a node, too, in a chain: a
//! transaction leads to its end, an end to the next, and the last end before the beginning of a transaction to that one.

use super::order::last_position;
use super::{Object, Transaction};

/// Why one transaction comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EdgeKind {
    /// The second wrote over the first's version.
    Ww,
    /// The second read the first's version.
    Wr,
    /// The second wrote over the version that the first had read.
    Rw,
    /// The first had ended before the second began.
    Time,
}

/// An edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The node that comes before.
    pub from: usize,
    /// The node that comes after.
    pub to: usize,
    /// Why.
    pub kind: EdgeKind,
    /// Whether that follows only from time.
    pub by_time: bool,
    /// What was written or read; says nothing for an edge of time.
    pub object: Object,
    /// The value that was written over or read; none for the initial version.
    pub before: Option<i64>,
    /// The value that was written or, for `wr`, read.
    pub after: Option<i64>,
}

impl Edge {
    fn time(from: usize, to: usize) -> Self {
        let object = Object::List(0);
        Self { from, to, kind: EdgeKind::Time, by_time: true, object, before: None, after: None }
    }
}

/// Which cycles are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// Edges of later kinds are left out.
    pub strongest: EdgeKind,
    /// `rw` occurs exactly once.
    pub has_one_rw: bool,
    /// Whether time counts.
    pub by_time: bool,
}

impl Filter {
    pub(super) fn allows(&self, edge: &Edge) -> bool {
        let is_weak = edge.kind == EdgeKind::Time || edge.kind <= self.strongest;
        is_weak && (self.by_time || !edge.by_time)
    }
}

/// The graph.
pub(super) struct Graph {
    /// Sorted by the nodes that they leave.
    edges: Vec<Edge>,
    /// Where the edges of each node begin; one more at the end.
    starts: Vec<usize>,
    transactions: usize,
}

impl Graph {
    pub fn of(history: &[Transaction], mut edges: Vec<Edge>) -> Self {
        let transactions = history.len();
        // Nobody comes before himself because of what he wrote himself.
        edges.retain(|edge| edge.from != edge.to);
        let mut ends: Vec<(u64, usize)> =
            (0..transactions).filter_map(|place| Some((last_position(&history[place])?, place))).collect();
        ends.sort_unstable();
        for (at, (_, place)) in ends.iter().enumerate() {
            edges.push(Edge::time(*place, transactions + at));
            if at > 0 {
                edges.push(Edge::time(transactions + at - 1, transactions + at));
            }
        }
        for (place, one) in history.iter().enumerate() {
            if let Some(last) = ends.partition_point(|(end, _)| *end < one.begin).checked_sub(1) {
                edges.push(Edge::time(transactions + last, place));
            }
        }
        edges.sort_by_key(|edge| (edge.from, edge.kind, edge.by_time, edge.to));
        let nodes = transactions + ends.len();
        let starts = (0..=nodes).map(|node| edges.partition_point(|edge| edge.from < node)).collect();
        Self { edges, starts, transactions }
    }

    pub(super) fn is_transaction(&self, node: usize) -> bool {
        node < self.transactions
    }

    pub(super) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// The edges that leave a node, by their places; those that time derives come after others of their kind.
    pub(super) fn leaving(&self, node: usize) -> std::ops::Range<usize> {
        self.starts[node]..self.starts[node + 1]
    }

    pub(super) fn edge(&self, at: usize) -> &Edge {
        &self.edges[at]
    }
}
