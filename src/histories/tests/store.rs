//! Workloads on a small store that works as SQLite in WAL mode does, or wrongly.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::super::form::{Form, recognise};
use super::*;

/// What the store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    /// Who read an old version may write, and its lists replace what was appended meanwhile.
    LostUpdate,
    /// Reads show what another connection has not committed.
    DirtyRead,
    /// `ROLLBACK` commits.
    SkippedRollback,
    /// Snapshots may lack the last commits.
    StaleSnapshot,
    /// What a transaction has not read before is read from the last commit, not from its snapshot.
    FracturedRead,
}

type State = BTreeMap<Object, Vec<i64>>;

/// What a transaction sees.
struct Snapshot {
    /// The commit, and the one that it should be.
    version: usize,
    due: usize,
    state: State,
}

/// A transaction of a connection.
#[derive(Default)]
struct Open {
    /// None before it reads.
    snapshot: Option<Snapshot>,
    holds_lock: bool,
    written: Vec<Object>,
    read: Vec<Object>,
}

struct Store {
    plant: Plant,
    rng: Rng,
    commits: Vec<State>,
    open: BTreeMap<u8, Open>,
    /// How often the plant changed something.
    effects: usize,
}

impl Store {
    fn run(&mut self, process: u8, form: &Form) -> (Completion, Vec<Vec<Option<String>>>) {
        let was_open = self.open.contains_key(&process);
        match form {
            Form::Begin { is_immediate } => {
                if was_open || (*is_immediate && self.is_locked(process)) {
                    return (if was_open { Completion::Failed } else { Completion::Busy }, Vec::new());
                }
                self.open.insert(process, Open { holds_lock: *is_immediate, ..Open::default() });
                if *is_immediate {
                    self.snapshot(process);
                }
                (Completion::Done, Vec::new())
            }
            Form::Commit | Form::Rollback => (self.end(process, *form == Form::Commit), Vec::new()),
            _ => {
                self.open.entry(process).or_default();
                let (mut completion, rows) = self.access(process, form);
                if !was_open {
                    let ended = self.end(process, completion == Completion::Done);
                    completion = if completion == Completion::Done { ended } else { completion };
                }
                (completion, rows)
            }
        }
    }

    /// Whether another connection writes.
    fn is_locked(&self, process: u8) -> bool {
        self.open.iter().any(|(other, open)| *other != process && open.holds_lock)
    }

    fn snapshot(&mut self, process: u8) -> &mut Snapshot {
        let due = self.commits.len() - 1;
        let is_stale = self.plant == Plant::StaleSnapshot && self.rng.u8(..16) == 0;
        let version = due.saturating_sub(if is_stale { 2 } else { 0 });
        let state = &self.commits[version];
        let open = self.open.get_mut(&process).expect("it has begun");
        open.snapshot.get_or_insert_with(|| Snapshot { version, due, state: state.clone() })
    }

    fn access(&mut self, process: u8, form: &Form) -> (Completion, Vec<Vec<Option<String>>>) {
        let last = self.commits.len() - 1;
        let had_begun = self.open[&process].snapshot.is_some();
        let version = self.snapshot(process).version;
        match form {
            Form::Write(object, value) => {
                let is_old = version != last && self.plant != Plant::LostUpdate;
                if self.is_locked(process) || is_old {
                    // As in SQLite, who waits in vain has not begun to read.
                    self.open.get_mut(&process).unwrap().snapshot.take_if(|_| !had_begun);
                    return (Completion::Busy, Vec::new());
                }
                let values = self.snapshot(process).state.get_mut(object).unwrap();
                if matches!(object, Object::Register(_)) {
                    values.clear();
                }
                values.push(*value);
                let open = self.open.get_mut(&process).unwrap();
                open.holds_lock = true;
                open.written.push(*object);
                (Completion::Done, Vec::new())
            }
            Form::Read(object) => (Completion::Done, vec![vec![self.read(process, *object)]]),
            Form::ReadAll(table) => {
                let keys = self.commits[0].keys().filter(|object| table.object(object.key()) == **object);
                let keys: Vec<Object> = keys.copied().collect();
                let row = |object: Object| vec![Some(object.key().to_string()), self.read(process, object)];
                (Completion::Done, keys.into_iter().map(row).collect())
            }
            _ => unreachable!("workloads have no other statements"),
        }
    }

    fn read(&mut self, process: u8, object: Object) -> Option<String> {
        let mut values = self.snapshot(process).state[&object].clone();
        let own = &self.open[&process];
        let other = match self.plant {
            Plant::DirtyRead if !own.written.contains(&object) => {
                let mut others = self.open.iter().filter(|(other, _)| **other != process);
                others.find_map(|(_, open)| {
                    open.written
                        .contains(&object)
                        .then(|| open.snapshot.as_ref().unwrap().state[&object].clone())
                })
            }
            Plant::FracturedRead if own.written.is_empty() && !own.read.contains(&object) => {
                Some(self.commits.last().unwrap()[&object].clone())
            }
            _ => None,
        };
        if let Some(other) = other
            && other != values
        {
            self.effects += 1;
            // The rest of the transaction sees it, too: otherwise it would just not be repeatable.
            self.snapshot(process).state.insert(object, other.clone());
            values = other;
        }
        let Snapshot { version, due, .. } = *self.snapshot(process);
        self.effects += usize::from(self.commits[version][&object] != self.commits[due][&object]);
        self.open.get_mut(&process).unwrap().read.push(object);
        let joined: Vec<String> = values.iter().map(i64::to_string).collect();
        match object {
            Object::List(_) => Some(joined.iter().map(|value| format!(",{value}")).collect()),
            Object::Register(_) => joined.last().cloned(),
        }
    }

    fn end(&mut self, process: u8, is_commit: bool) -> Completion {
        let Some(open) = self.open.remove(&process) else { return Completion::Failed };
        let Some(Snapshot { version, state, .. }) = open.snapshot else { return Completion::Done };
        if open.written.is_empty() || !(is_commit || self.plant == Plant::SkippedRollback) {
            return Completion::Done;
        }
        let last = self.commits.last().unwrap().clone();
        let mut next = last.clone();
        for object in open.written {
            let is_list = matches!(object, Object::List(_));
            self.effects += usize::from(!is_commit);
            self.effects += usize::from(is_list && last[&object] != self.commits[version][&object]);
            next.insert(object, state[&object].clone());
        }
        self.commits.push(next);
        Completion::Done
    }
}

/// Runs a workload, perhaps with statements that take so long that they overlap. Returns the history, and how often the
/// plant changed something.
fn run(plant: Plant, seed: u64, overlaps: bool) -> (Vec<Transaction>, usize) {
    let mut rng = Rng::with_seed(seed);
    let (processes, lists) = (rng.u8(2..=4), rng.u8(..=3));
    let registers = rng.u8(u8::from(lists == 0)..=3);
    let shape = Shape { processes, transactions: rng.u16(2..12), lists, registers };
    let objects: Vec<Object> = (1..=lists)
        .map(|key| Object::List(key.into()))
        .chain((1..=registers).map(|key| Object::Register(key.into())))
        .collect();
    let mut builder = HistoryBuilder::new(objects.iter().copied());
    let state: State = objects.iter().map(|object| (*object, Vec::new())).collect();
    let mut store = Store { plant, rng: rng.fork(), commits: vec![state], open: BTreeMap::new(), effects: 0 };
    for (position, (process, statement)) in (100..).step_by(10).zip(workload(&mut rng, shape)) {
        let form = recognise(statement.as_bytes());
        let fails = plant == Plant::Nothing && form == Form::Commit && rng.u8(..20) == 0;
        let (completion, rows) = if fails && store.open.contains_key(&process) {
            let is_kept = rng.bool();
            store.end(process, is_kept);
            (Completion::Failed, Vec::new())
        } else {
            store.run(process, &form)
        };
        let (before, after) = if overlaps { (rng.u64(..50), rng.u64(..50)) } else { (0, 0) };
        builder.add(&Event {
            process,
            form: &form,
            started: position - before,
            finished: position + after,
            completion,
            rows: &rows,
            is_autocommit: !store.open.contains_key(&process),
        });
    }
    (builder.finish().expect("workloads are in the right form"), store.effects)
}

#[test]
fn what_a_right_store_does_is_silent() {
    let mut transactions = 0;
    for seed in 0..4000 {
        let (history, effects) = run(Plant::Nothing, seed, seed % 2 == 0);
        assert_eq!((check(&history), effects), (vec![], 0), "seed {seed}: {history:#?}");
        transactions += history.len();
    }
    assert!(transactions > 40_000, "only {transactions}");
}

/// Checks histories in which a plant had an effect: in at least this share, in percent, something is found that says what
/// is wrong.
#[track_caller]
fn assert_found(plant: Plant, overlaps: bool, least_percent: usize, right: &[Kind]) {
    let (mut effective, mut found, mut kinds) = (0, 0, BTreeMap::<&str, usize>::new());
    let seeds = if overlaps { 300 } else { 1000 };
    for seed in 0..seeds {
        let (history, effects) = run(plant, seed, overlaps);
        let anomalies = check(&history);
        // Who read an old version and then writes is wrong with a register, too.
        let did_nothing = effects == 0 && plant != Plant::LostUpdate;
        assert!(!did_nothing || anomalies.is_empty(), "{plant:?} did nothing: {anomalies:#?}");
        if effects > 0 {
            effective += 1;
            found += usize::from(anomalies.iter().any(|anomaly| right.contains(&anomaly.kind)));
            *kinds.entry(anomalies.first().map_or("none", |anomaly| anomaly.kind.name())).or_default() += 1;
        }
    }
    let summary = format!("{plant:?}, overlaps: {overlaps}: {found} of {effective}: {kinds:?}");
    assert!(effective > seeds as usize / 25 && found * 100 >= effective * least_percent, "{summary}");
}

#[test]
fn plants_are_found_where_they_have_an_effect() {
    use Kind::*;
    let plants: [(_, _, &[Kind]); 5] = [
        (Plant::LostUpdate, 100, &[LostUpdate, LostWrite, IncompatibleOrder]),
        (Plant::DirtyRead, 100, &[Internal, G1a, G1b, G1c, GSingle, G1cRealtime]),
        // A register may have another value before anybody reads it.
        (Plant::SkippedRollback, 90, &[G1a]),
        (Plant::StaleSnapshot, 100, &[GSingleRealtime, LostWrite]),
        (Plant::FracturedRead, 100, &[GSingle, G2, G1cRealtime]),
    ];
    for (plant, least_percent, right) in plants {
        assert_found(plant, false, least_percent, right);
        // What overlaps may be in either order, and most does here.
        assert_found(plant, true, least_percent / 2, right);
    }
}
