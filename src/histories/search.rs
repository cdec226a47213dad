//! The shortest cycles of a graph.

use std::collections::VecDeque;

use super::graph::{Edge, EdgeKind, Filter, Graph};

/// How many edges the search for the shortest cycles follows, for all components;
/// after that, the shortest so far is taken.
const STEPS_MAX: usize = 4_000_000;

/// Looks for cycles, each in one component.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    filter: &'a Filter,
    /// The component of each node.
    component_of: Vec<usize>,
    /// How each node was reached in the current search: its number, the distance, the edge.
    reached: Vec<(usize, usize, usize)>,
    number: usize,
    /// Edges followed so far.
    steps: usize,
}

impl<'a> Search<'a> {
    pub fn new(graph: &'a Graph, filter: &'a Filter, components: &[Vec<usize>]) -> Self {
        let mut component_of = vec![usize::MAX; graph.nodes()];
        for (number, component) in components.iter().enumerate() {
            component.iter().for_each(|node| component_of[*node] = number);
        }
        let reached = vec![(0, 0, 0); graph.nodes()];
        Self { graph, filter, component_of, reached, number: 0, steps: 0 }
    }

    /// The shortest cycle in a component, as edges between transactions; none if none was found.
    pub fn shortest(&mut self, component: &[usize]) -> Option<Vec<Edge>> {
        let graph = self.graph;
        let mut best: Option<Vec<Edge>> = None;
        for &node in component.iter().filter(|node| graph.is_transaction(**node)) {
            for at in graph.leaving(node) {
                let first = graph.edge(at);
                // A cycle with one `rw` is such an edge, and a path back without any.
                let is_first = !self.filter.has_one_rw || first.kind == EdgeKind::Rw;
                if !is_first || !self.is_followed(first) {
                    continue;
                }
                let most = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
                if let Some(cycle) = self.cycle(*first, most) {
                    best = Some(cycle);
                }
                if best.as_ref().is_some_and(|best| best.len() == 2 || self.steps > STEPS_MAX) {
                    return best;
                }
            }
            if self.steps > STEPS_MAX {
                break;
            }
        }
        best
    }

    fn is_followed(&self, edge: &Edge) -> bool {
        self.filter.allows(edge) && self.component_of[edge.from] == self.component_of[edge.to]
    }

    /// The shortest cycle that begins with an edge and has at most `most` edges between transactions.
    fn cycle(&mut self, first: Edge, most: usize) -> Option<Vec<Edge>> {
        self.number += 1;
        let graph = self.graph;
        // Entering the chain of time costs what an edge costs, the rest of it nothing.
        let cost = |edge: &Edge| usize::from(graph.is_transaction(edge.from));
        let mut queue = VecDeque::from([first.to]);
        self.reached[first.to] = (self.number, cost(&first), usize::MAX);
        while let Some(node) = queue.pop_front() {
            let distance = self.reached[node].1;
            if node == first.from {
                return Some(self.path(first));
            }
            if distance > most {
                return None;
            }
            for at in graph.leaving(node) {
                let edge = graph.edge(at);
                self.steps += 1;
                let is_second_rw = self.filter.has_one_rw && edge.kind == EdgeKind::Rw;
                if is_second_rw || !self.is_followed(edge) {
                    continue;
                }
                let next = distance + cost(edge);
                let (number, known, _) = self.reached[edge.to];
                if number == self.number && known <= next {
                    continue;
                }
                self.reached[edge.to] = (self.number, next, at);
                if next == distance { queue.push_front(edge.to) } else { queue.push_back(edge.to) }
            }
        }
        None
    }

    /// The cycle that was found, without the nodes of time.
    fn path(&self, first: Edge) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut at = self.reached[first.from].2;
        while at != usize::MAX {
            edges.push(*self.graph.edge(at));
            at = self.reached[self.graph.edge(at).from].2;
        }
        edges.push(first);
        edges.reverse();
        let mut short = Vec::<Edge>::new();
        for edge in edges {
            match short.last_mut() {
                Some(last) if !self.graph.is_transaction(last.to) => last.to = edge.to,
                _ => short.push(edge),
            }
        }
        short
    }
}
