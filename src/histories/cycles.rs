//! Cycles: which are looked for, what they are called, how they are explained.

use super::components::Components;
use super::graph::{Edge, EdgeKind, Filter, Graph};
use super::order::in_words;
use super::search::Search;
use super::{Anomaly, Kind, Object, Transaction};

/// What is looked for, the weakest kinds first.
const FILTERS: [Filter; 8] = {
    const fn filter(strongest: EdgeKind, has_one_rw: bool, by_time: bool) -> Filter {
        Filter { strongest, has_one_rw, by_time }
    }
    [
        filter(EdgeKind::Ww, false, false),
        filter(EdgeKind::Wr, false, false),
        filter(EdgeKind::Rw, true, false),
        filter(EdgeKind::Rw, false, false),
        filter(EdgeKind::Ww, false, true),
        filter(EdgeKind::Wr, false, true),
        filter(EdgeKind::Rw, true, true),
        filter(EdgeKind::Rw, false, true),
    ]
};

/// The cycles of a history: the shortest one of each component in which none of a weaker kind was found. Those that
/// only say what an anomaly in `known` says are left out.
pub(super) fn find(history: &[Transaction], edges: Vec<Edge>, known: &[Anomaly]) -> Vec<Anomaly> {
    let graph = Graph::of(history, edges);
    let mut is_reported = vec![false; history.len()];
    let mut found = Vec::new();
    for filter in &FILTERS {
        let components = Components::of(&graph, filter);
        let mut search = Search::new(&graph, filter, &components);
        for component in &components {
            if component.iter().any(|node| is_reported.get(*node) == Some(&true)) {
                continue;
            }
            let Some(cycle) = search.shortest(component) else { continue };
            let transactions: Vec<usize> = cycle.iter().map(|edge| edge.from).collect();
            transactions.iter().for_each(|place| is_reported[*place] = true);
            let is_lost_update = known.iter().any(|anomaly| {
                anomaly.kind == Kind::LostUpdate
                    && transactions.iter().all(|place| anomaly.transactions.contains(place))
            });
            if !is_lost_update {
                let steps: Vec<String> = cycle.iter().map(|edge| step(history, edge)).collect();
                found.push(Anomaly { kind: kind(&cycle), transactions, explanation: steps.join("; ") });
            }
        }
    }
    found
}

/// What a cycle is called, whatever was looked for.
fn kind(cycle: &[Edge]) -> Kind {
    let count = |kind| cycle.iter().filter(|edge| edge.kind == kind).count();
    let needs_time = cycle.iter().any(|edge| edge.by_time);
    match (count(EdgeKind::Rw), count(EdgeKind::Wr), needs_time) {
        (0, 0, false) => Kind::G0,
        (0, _, false) => Kind::G1c,
        (1, _, false) => Kind::GSingle,
        (_, _, false) => Kind::G2,
        (0, 0, true) => Kind::G0Realtime,
        (0, _, true) => Kind::G1cRealtime,
        (1, _, true) => Kind::GSingleRealtime,
        (_, _, true) => Kind::G2Realtime,
    }
}

/// An edge in words.
fn step(history: &[Transaction], edge: &Edge) -> String {
    let Edge { from, to, object, before, .. } = *edge;
    let after = edge.after.unwrap_or_default();
    match edge.kind {
        EdgeKind::Ww => {
            let before = before.unwrap_or_default();
            let why = match object {
                Object::List(_) => {
                    format!("T{to} appended {after} to {object} after the {before} of T{from}")
                }
                Object::Register(_) => {
                    format!("T{to} read the {before} of T{from} in {object} and wrote {after} over it")
                }
            };
            format!("T{from} -ww-> T{to}: {why}")
        }
        EdgeKind::Wr => format!("T{from} -wr-> T{to}: T{to} read the {after} that T{from} wrote to {object}"),
        EdgeKind::Rw => {
            let version = in_words(object, before);
            let when = if edge.by_time { "later " } else { "" };
            format!(
                "T{from} -rw-> T{to}: T{from} read {object} {version}, without the {after} that T{to} {when}wrote to it"
            )
        }
        EdgeKind::Time => {
            let (end, begin) = (history[from].end, history[to].begin);
            format!("T{from} -time-> T{to}: T{from} ended at {end}, before T{to} began at {begin}")
        }
    }
}
