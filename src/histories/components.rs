//! Strongly connected components of a graph.

use super::graph::{Filter, Graph};

/// Tarjan's algorithm (*Depth-first search and linear graph algorithms*, SIAM J. Comput. 1972), without recursion.
pub(super) struct Components {
    /// When each node was reached, from 1; 0 for never.
    reached: Vec<usize>,
    /// The earliest node on the stack that it leads to.
    low: Vec<usize>,
    is_on_stack: Vec<bool>,
    stack: Vec<usize>,
    count: usize,
    found: Vec<Vec<usize>>,
}

impl Components {
    fn new(nodes: usize) -> Self {
        let (reached, low, is_on_stack) = (vec![0; nodes], vec![0; nodes], vec![false; nodes]);
        Self { reached, low, is_on_stack, stack: Vec::new(), count: 0, found: Vec::new() }
    }

    /// Strongly connected components of more than one node, in the order of their first transactions; each is sorted.
    pub fn of(graph: &Graph, filter: &Filter) -> Vec<Vec<usize>> {
        let mut search = Self::new(graph.nodes());
        for root in 0..graph.nodes() {
            search.visit(graph, filter, root);
        }
        let mut found = search.found;
        found.iter_mut().for_each(|component| component.sort_unstable());
        found.sort_unstable();
        found
    }

    fn enter(&mut self, node: usize) {
        self.count += 1;
        (self.reached[node], self.low[node]) = (self.count, self.count);
        self.stack.push(node);
        self.is_on_stack[node] = true;
    }

    fn visit(&mut self, graph: &Graph, filter: &Filter, root: usize) {
        if self.reached[root] > 0 {
            return;
        }
        self.enter(root);
        // The nodes on the path from the root, each with the next of its edges.
        let mut path = vec![(root, graph.leaving(root).start)];
        while let Some((node, at)) = path.last_mut() {
            let node = *node;
            if *at == graph.leaving(node).end {
                path.pop();
                if let Some((parent, _)) = path.last() {
                    self.low[*parent] = self.low[*parent].min(self.low[node]);
                }
                self.leave(node);
                continue;
            }
            let edge = graph.edge(*at);
            *at += 1;
            if !filter.allows(edge) {
                continue;
            }
            if self.reached[edge.to] == 0 {
                self.enter(edge.to);
                path.push((edge.to, graph.leaving(edge.to).start));
            } else if self.is_on_stack[edge.to] {
                self.low[node] = self.low[node].min(self.reached[edge.to]);
            }
        }
    }

    /// A node that leads to none before it is the first of a component, which is what the stack has above it.
    fn leave(&mut self, node: usize) {
        if self.low[node] < self.reached[node] {
            return;
        }
        let start = self.stack.iter().rposition(|other| *other == node).expect("it is on the stack");
        let component = self.stack.split_off(start);
        component.iter().for_each(|other| self.is_on_stack[*other] = false);
        if component.len() > 1 {
            self.found.push(component);
        }
    }
}
