//! What single reads show: who wrote what they contain, and whether they could contain it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Action, Anomaly, Kind, Object, Outcome, Transaction};

/// Who wrote a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    /// The transaction's place.
    pub transaction: usize,
    /// Whether it is the last that the transaction wrote to the object.
    pub is_last: bool,
}

/// What one read showed, without values that cannot be.
#[derive(Debug)]
pub(super) struct Read {
    /// The transaction's place.
    pub transaction: usize,
    /// What was read.
    pub object: Object,
    /// The values: at the end those that the transaction itself had written, if it is committed.
    pub values: Vec<i64>,
    /// How many of them others had written.
    pub foreign: usize,
    /// Whether edges follow from it: it is the first read of the object in its transaction, and of a whole version.
    pub is_telling: bool,
}

impl Read {
    /// The version that others had left: its last value, if there is one.
    pub fn version(&self) -> Option<i64> {
        self.values[..self.foreign].last().copied()
    }
}

/// All of that.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The transactions.
    pub history: &'a [Transaction],
    /// Which of them count as committed.
    pub is_committed: Vec<bool>,
    /// Who wrote each value.
    pub writers: HashMap<(Object, i64), Writer>,
    /// The reads, in the order of the history.
    pub reads: Vec<Read>,
    /// The values that are in any of them.
    pub seen: HashSet<(Object, i64)>,
    /// What was wrong so far.
    pub anomalies: Vec<Anomaly>,
}

impl<'a> Facts<'a> {
    pub fn of(history: &'a [Transaction]) -> Self {
        let is_committed = history.iter().map(|one| one.outcome == Outcome::Committed).collect();
        let (reads, seen, anomalies) = (Vec::new(), HashSet::new(), Vec::new());
        let mut facts = Self { history, is_committed, writers: writers(history), reads, seen, anomalies };
        for place in 0..history.len() {
            facts.walk(place);
        }
        facts.settle_unknown();
        facts.judge();
        facts
    }

    /// Who wrote a value that is in a read and was not left out.
    pub fn writer(&self, object: Object, value: i64) -> usize {
        self.writers[&(object, value)].transaction
    }

    pub fn report(&mut self, kind: Kind, transactions: Vec<usize>, explanation: String) {
        self.anomalies.push(Anomaly { kind, transactions, explanation });
    }

    /// Collects the reads of a transaction; each must agree with what the transaction did before.
    fn walk(&mut self, place: usize) {
        let accesses = &self.history[place].accesses;
        let own: BTreeSet<(Object, i64)> = accesses.iter().filter_map(super::Access::written).collect();
        let mut states = BTreeMap::<Object, State>::new();
        let mut reported = BTreeSet::new();
        for access in accesses {
            let (object, state) = (access.object, states.entry(access.object).or_default());
            match &access.action {
                Action::Write(value) => state.write(object, *value),
                Action::Read(values) => {
                    let is_first = state.known.is_none();
                    let read = self.read(place, object, values, &own);
                    // Before its first read, its own writes are all that it knows; it cannot read later ones.
                    let is_own_right = !is_first || values.len() - read.foreign == state.written.len();
                    let is_expected = is_own_right && state.expects(values);
                    if !is_expected && reported.insert(object) {
                        let before = state.in_words();
                        let explanation = format!("T{place} read {values:?} in {object}, {before}");
                        self.report(Kind::Internal, vec![place], explanation);
                    }
                    if is_first || !is_expected {
                        self.reads.push(Read { is_telling: is_first && is_expected, ..read });
                    }
                    state.known = Some(values.clone());
                }
                Action::Garbled(what) => {
                    let explanation = format!("T{place} read {object}, and {what}");
                    self.report(Kind::GarbageRead, vec![place], explanation);
                }
            }
        }
    }

    /// What a read says about the versions that others left; `own` is all that its transaction writes.
    fn read(&self, place: usize, object: Object, values: &[i64], own: &BTreeSet<(Object, i64)>) -> Read {
        let is_own = |value: &i64| !own.is_empty() && own.contains(&(object, *value));
        let (mine, mut all): (Vec<i64>, Vec<i64>) = values.iter().partition(|value| is_own(value));
        let foreign = all.len();
        // What is rolled back is in nobody's version.
        if self.is_committed[place] {
            all.extend(mine);
        }
        Read { transaction: place, object, values: all, foreign, is_telling: true }
    }

    /// An unknown outcome was a commit if somebody else read from it.
    fn settle_unknown(&mut self) {
        if self.history.iter().all(|one| one.outcome != Outcome::Unknown) {
            return;
        }
        for read in &self.reads {
            for value in &read.values[..read.foreign] {
                if let Some(writer) = self.writers.get(&(read.object, *value))
                    && self.history[writer.transaction].outcome == Outcome::Unknown
                {
                    self.is_committed[writer.transaction] = true;
                }
            }
        }
    }

    /// Looks for values that no read can have, and leaves them out.
    fn judge(&mut self) {
        let mut reads = std::mem::take(&mut self.reads);
        let mut last = HashMap::<Object, Sound>::new();
        let mut reported = HashSet::new();
        for read in &mut reads {
            let sound = last.entry(read.object).or_default();
            if !sound.values.starts_with(&read.values) {
                let known = if read.values.starts_with(&sound.values) { sound.values.len() } else { 0 };
                let is_sound = self.clean(read, known, &sound.all, &mut reported);
                if is_sound {
                    sound.replace(&read.values, known);
                }
            }
            self.check_whole(read, &mut reported);
        }
        self.reads = reads;
    }

    /// Leaves wrong values out of a read, whose first `known` ones are not wrong and are in `all`; whether there were none.
    fn clean(
        &mut self,
        read: &mut Read,
        known: usize,
        all: &HashSet<i64>,
        reported: &mut HashSet<(Kind, Object, i64)>,
    ) -> bool {
        let (place, object) = (read.transaction, read.object);
        let mut seen = HashSet::new();
        let (mut kept, mut foreign) = (read.values[..known].to_vec(), known.min(read.foreign));
        for (i, &value) in read.values.iter().enumerate().skip(known) {
            let is_twice = (known > 0 && all.contains(&value)) || !seen.insert(value);
            let writer = self.writers.get(&(object, value)).map(|writer| writer.transaction);
            let is_aborted = |writer: usize| writer != place && !self.is_committed[writer];
            let (kind, what) = match writer {
                None => (Kind::GarbageRead, "which nobody wrote".to_owned()),
                Some(_) if is_twice => (Kind::Duplicate, format!("twice: {:?}", read.values)),
                Some(writer) if is_aborted(writer) => {
                    (Kind::G1a, format!("but T{writer}, which wrote it, was rolled back"))
                }
                Some(_) => {
                    self.seen.insert((object, value));
                    kept.push(value);
                    foreign += usize::from(i < read.foreign);
                    continue;
                }
            };
            if reported.insert((kind, object, value)) {
                let transactions = [place].into_iter().chain(writer.filter(|_| kind == Kind::G1a));
                let explanation = format!("T{place} read {value} in {object}, {what}");
                self.report(kind, transactions.collect(), explanation);
            }
        }
        let is_sound = kept.len() == read.values.len();
        (read.values, read.foreign) = (kept, foreign);
        is_sound
    }

    /// A version ends with the last write of its writer.
    fn check_whole(&mut self, read: &mut Read, reported: &mut HashSet<(Kind, Object, i64)>) {
        let (place, object) = (read.transaction, read.object);
        let Some(value) = read.version() else { return };
        let Writer { transaction: writer, is_last } = self.writers[&(object, value)];
        if is_last {
            return;
        }
        read.is_telling = false;
        if reported.insert((Kind::G1b, object, value)) {
            let explanation = format!(
                "T{place} read {object} up to {value}, but T{writer}, which wrote it, wrote to {object} again later"
            );
            self.report(Kind::G1b, vec![place, writer], explanation);
        }
    }
}

/// Who wrote each value.
fn writers(history: &[Transaction]) -> HashMap<(Object, i64), Writer> {
    let mut writers = HashMap::new();
    for (transaction, one) in history.iter().enumerate() {
        let mut finished = HashSet::new();
        for access in one.accesses.iter().rev() {
            if let Action::Write(value) = access.action {
                let is_last = finished.insert(access.object);
                writers.insert((access.object, value), Writer { transaction, is_last });
            }
        }
    }
    writers
}

/// The last read of an object in which nothing is wrong and that was no beginning of one before: most that follow are
/// beginnings of it, or it is one of theirs, and so they need not be looked at again.
#[derive(Debug, Default)]
struct Sound {
    values: Vec<i64>,
    all: HashSet<i64>,
}

impl Sound {
    /// Takes other values, of which the first `known` are its own.
    fn replace(&mut self, values: &[i64], known: usize) {
        if known < self.values.len() {
            *self = Self::default();
        }
        let from = self.values.len();
        self.values.extend(&values[from..]);
        self.all.extend(&values[from..]);
    }
}

/// What a transaction knows of an object while it runs.
#[derive(Debug, Default)]
struct State {
    /// What it wrote: to a register, the last value.
    written: Vec<i64>,
    /// What a read must show now, if the transaction can know it.
    known: Option<Vec<i64>>,
}

impl State {
    fn write(&mut self, object: Object, value: i64) {
        if matches!(object, Object::Register(_)) {
            self.written.clear();
            self.known = Some(Vec::new());
        }
        self.written.push(value);
        if let Some(known) = &mut self.known {
            known.push(value);
        }
    }

    fn expects(&self, values: &[i64]) -> bool {
        self.known.as_ref().map_or_else(|| values.ends_with(&self.written), |known| known == values)
    }

    fn in_words(&self) -> String {
        match &self.known {
            Some(known) => format!("although it had left {known:?} there"),
            None if self.written.is_empty() => "before it had written that".to_owned(),
            None => format!("although it had written {:?} there", self.written),
        }
    }
}
