//! The order of versions, and the edges between transactions that follow from it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::facts::{Facts, Read};
use super::graph::{Edge, EdgeKind};
use super::{Kind, Object, Transaction};

/// How many transactions that wrote over one version, each directly, get edges: of more there may be too many edges, and
/// those say little new.
const FOLLOWERS_MAX: usize = 4;

/// The edges that are not of time alone; what is wrong with versions is added to the anomalies.
pub(super) fn edges(facts: &mut Facts<'_>) -> Vec<Edge> {
    let reads = std::mem::take(&mut facts.reads);
    let mut by_object = BTreeMap::<Object, Vec<&Read>>::new();
    for read in &reads {
        by_object.entry(read.object).or_default().push(read);
    }
    let writes = writes(facts);
    let mut edges = Vec::new();
    for (&object, reads) in &by_object {
        let writes = writes.get(&object).map_or(&[][..], Vec::as_slice);
        lost_updates(facts, object, reads, writes);
        match object {
            Object::List(_) => {
                let order = list_order(facts, object, reads);
                let unread = unread_writes(facts, object, reads, writes);
                list_edges(facts, reads, &order, &unread, &mut edges);
            }
            Object::Register(_) => register_edges(facts, object, reads, writes, &mut edges),
        }
    }
    edges
}

/// The transactions that count as committed and write to each object, with the values that stay: of a register, the last
/// one of each.
fn writes(facts: &Facts<'_>) -> HashMap<Object, Vec<(usize, i64)>> {
    let mut writes = HashMap::<Object, Vec<(usize, i64)>>::new();
    for (place, one) in facts.history.iter().enumerate().filter(|(place, _)| facts.is_committed[*place]) {
        for (object, value) in one.accesses.iter().filter_map(super::Access::written) {
            if matches!(object, Object::Register(_)) && !facts.writers[&(object, value)].is_last {
                continue;
            }
            writes.entry(object).or_default().push((place, value));
        }
    }
    writes
}

/// Of those that read a version and write, each must read what the others wrote.
fn lost_updates(facts: &mut Facts<'_>, object: Object, reads: &[&Read], writes: &[(usize, i64)]) {
    let writers: HashSet<usize> = writes.iter().map(|(place, _)| *place).collect();
    let mut groups = BTreeMap::<Option<i64>, Vec<usize>>::new();
    for read in reads.iter().filter(|read| read.is_telling && writers.contains(&read.transaction)) {
        groups.entry(read.version()).or_default().push(read.transaction);
    }
    for (version, group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
        let (a, b) = (group[0], group[1]);
        let version = in_words(object, version);
        let explanation = format!("T{a} and T{b} both read {object} {version}, and both wrote to it");
        facts.report(Kind::LostUpdate, group, explanation);
    }
}

/// A version in words: what there was to read.
pub(super) fn in_words(object: Object, version: Option<i64>) -> String {
    match (object, version) {
        (Object::List(_), Some(value)) => format!("up to {value}"),
        (Object::List(_), None) => "while it was empty".to_owned(),
        (Object::Register(_), Some(value)) => format!("when it was {value}"),
        (Object::Register(_), None) => "while it was NULL".to_owned(),
    }
}

/// The values of a list in the order in which they were appended: the longest read.
fn list_order(facts: &mut Facts<'_>, object: Object, reads: &[&Read]) -> Vec<i64> {
    let mut longest: Option<&Read> = None;
    for read in reads.iter().filter(|read| read.is_telling) {
        if longest.is_none_or(|longest| read.values.len() > longest.values.len()) {
            longest = Some(read);
        }
    }
    let Some(longest) = longest else { return Vec::new() };
    let other = reads.iter().find(|read| read.is_telling && !longest.values.starts_with(&read.values));
    if let Some(other) = other {
        let (a, b) = (other.transaction, longest.transaction);
        let at = other.values.iter().zip(&longest.values).take_while(|(a, b)| a == b).count();
        let explanation = format!(
            "T{a} read {} in {object} where T{b} read {}, after {at} values that are the same",
            other.values[at], longest.values[at]
        );
        facts.report(Kind::IncompatibleOrder, vec![a, b], explanation);
    }
    longest.values.clone()
}

/// What is committed must be in what is read later. Returns writes that nobody has read, but nobody must have, either:
/// they are after all that somebody has read.
fn unread_writes<'w>(
    facts: &mut Facts<'_>,
    object: Object,
    reads: &[&Read],
    writes: &'w [(usize, i64)],
) -> Vec<&'w (usize, i64)> {
    let history = facts.history;
    let is_read = |value: i64| facts.seen.contains(&(object, value));
    let unread: Vec<&(usize, i64)> = writes.iter().filter(|(_, value)| !is_read(*value)).collect();
    let Some(last) = reads.iter().max_by_key(|read| history[read.transaction].begin) else { return unread };
    let begin = history[last.transaction].begin;
    let ended = |place: usize| last_position(&history[place]).is_some_and(|end| end < begin);
    let Some((writer, value)) = unread.iter().find(|(writer, _)| ended(*writer)) else { return unread };
    let reader = last.transaction;
    let explanation = format!(
        "T{writer} appended {value} to {object} and ended at {}, but no read has it, not even that of T{reader}, \
         which began at {begin}",
        history[*writer].end
    );
    facts.report(Kind::LostWrite, vec![*writer, reader], explanation);
    Vec::new()
}

/// Where a transaction has taken effect at the latest; none if it may do so at any time.
pub(super) fn last_position(one: &Transaction) -> Option<u64> {
    (one.outcome != super::Outcome::Unknown).then(|| one.end.max(one.begin))
}

/// The edges of one list; it has a read.
fn list_edges(
    facts: &Facts<'_>,
    reads: &[&Read],
    order: &[i64],
    unread: &[&(usize, i64)],
    edges: &mut Vec<Edge>,
) {
    let object = reads[0].object;
    let edge = |from, to, kind, before, after| Edge { from, to, kind, by_time: false, object, before, after };
    for pair in order.windows(2) {
        let (from, to) = (facts.writer(object, pair[0]), facts.writer(object, pair[1]));
        edges.push(edge(from, to, EdgeKind::Ww, Some(pair[0]), Some(pair[1])));
    }
    for read in reads.iter().filter(|read| read.is_telling && order.starts_with(&read.values)) {
        let (reader, version) = (read.transaction, read.version());
        if let Some(value) = version {
            edges.push(edge(facts.writer(object, value), reader, EdgeKind::Wr, version, version));
        }
        if let Some(&next) = order.get(read.foreign) {
            edges.push(edge(reader, facts.writer(object, next), EdgeKind::Rw, version, Some(next)));
        } else {
            for (writer, value) in unread.iter().take(FOLLOWERS_MAX) {
                edges.push(edge(reader, *writer, EdgeKind::Rw, version, Some(*value)));
            }
        }
    }
}

fn register_edges(
    facts: &Facts<'_>,
    object: Object,
    reads: &[&Read],
    writes: &[(usize, i64)],
    edges: &mut Vec<Edge>,
) {
    let values: HashMap<usize, i64> = writes.iter().copied().collect();
    let mut readers = BTreeMap::<Option<i64>, Vec<usize>>::new();
    // Registers have one value; a read with more has been reported as garbled.
    for read in reads.iter().filter(|read| read.is_telling) {
        readers.entry(read.version()).or_default().push(read.transaction);
    }
    let later = Later::of(facts.history, writes);
    for (version, readers) in readers {
        let edge = |from, to, kind, by_time, after| {
            let before = version;
            edges.push(Edge { from, to, kind, by_time, object, before, after });
        };
        let writer = version.map(|value| facts.writer(object, value));
        one_register_version(facts, &readers, writer, version, &values, &later, edge);
    }
}

/// The edges around one version of a register.
fn one_register_version(
    facts: &Facts<'_>,
    readers: &[usize],
    writer: Option<usize>,
    version: Option<i64>,
    values: &HashMap<usize, i64>,
    later: &Later<'_>,
    mut edge: impl FnMut(usize, usize, EdgeKind, bool, Option<i64>),
) {
    if let Some(writer) = writer {
        readers.iter().for_each(|&reader| edge(writer, reader, EdgeKind::Wr, false, version));
    }
    let followers = readers.iter().filter_map(|reader| Some((*reader, *values.get(reader)?)));
    for (follower, value) in followers.take(FOLLOWERS_MAX) {
        if let Some(writer) = writer {
            edge(writer, follower, EdgeKind::Ww, false, Some(value));
        }
        readers.iter().for_each(|&reader| edge(reader, follower, EdgeKind::Rw, false, Some(value)));
    }
    // NULL is before all values. What is before another only by time gives edges that need time.
    let end = match writer {
        Some(writer) => match last_position(&facts.history[writer]) {
            Some(end) => Some(end),
            None => return,
        },
        None => None,
    };
    for &(next, value) in later.directly_after(end) {
        for &reader in readers {
            edge(reader, next, EdgeKind::Rw, writer.is_some(), Some(value));
        }
    }
}

/// The writes to a register by time.
struct Later<'a> {
    history: &'a [Transaction],
    /// By their beginnings.
    writes: Vec<(usize, i64)>,
    /// The first end of each of them and all after it.
    first_ends: Vec<u64>,
}

impl<'a> Later<'a> {
    fn of(history: &'a [Transaction], writes: &[(usize, i64)]) -> Self {
        let mut writes = writes.to_vec();
        writes.sort_by_key(|(place, _)| (history[*place].begin, *place));
        let mut first_ends = vec![u64::MAX; writes.len()];
        let mut first = u64::MAX;
        for (at, (place, _)) in writes.iter().enumerate().rev() {
            first = first.min(last_position(&history[*place]).unwrap_or(u64::MAX));
            first_ends[at] = first;
        }
        Self { history, writes, first_ends }
    }

    /// Those that begin after a position, or of all, and before any other such one has ended: who is after those is after
    /// one of them.
    fn directly_after(&self, end: Option<u64>) -> &[(usize, i64)] {
        let begin = |(place, _): &(usize, i64)| self.history[*place].begin;
        let from = end.map_or(0, |end| self.writes.partition_point(|write| begin(write) <= end));
        let Some(&first_end) = self.first_ends.get(from) else { return &[] };
        let to = self.writes.partition_point(|write| begin(write) <= first_end);
        &self.writes[from..to.max(from)]
    }
}
