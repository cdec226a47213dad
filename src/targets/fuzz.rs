//! A fuzz target inside libFuzzer. The macro [`crate::libfuzzer_target`] is the only place
//! that names libFuzzer; this module is the rest.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use arbitrary::{Arbitrary, Unstructured};

use super::adaptive::Adaptive;
use super::arena::ARENA;
use super::directed::{self, Directed, Inventory};
use super::feedback::Feedback;
use super::group::Group;
use super::sample::Sampler;
use super::stats::Recorder;
use super::{Judged, Target, wanted};
use crate::corpus::seeding;
use crate::engine::plant::{PLANTS, Plant};
use crate::engine::sqlite::Executor;
use crate::engine::sqlite::instrumentation::Instrumentation;
use crate::mutators::MUTATORS;
use crate::mutators::adapter::{self, CROSSOVER, RAW, Setup};
use crate::oracles::Finding;
use crate::sql::vocabulary::Vocabulary;
use crate::stack;
use crate::testcase::TestCase;

/// Names a bug to plant ([`PLANTS`]).
const PLANT_VARIABLE: &str = "TANDEM_PLANT";
/// Names the mutations to use ([`Group`]).
const MUTATORS_VARIABLE: &str = "TANDEM_MUTATORS";
/// Names a folder for a sample of the cases that are run ([`Sampler`]).
const SAMPLE_VARIABLE: &str = "TANDEM_SAMPLE";
/// The VFS of a compiled-in extension, through which cases open their files.
const VFS_VARIABLE: &str = "TANDEM_VFS";
/// Names a file to keep statistics in ([`super::stats::Stats`]).
const STATS_VARIABLE: &str = "TANDEM_STATS";

/// Holds the signatures, one a line, of which whoever runs the target has cases enough: such a finding of an oracle, after
/// which the process is as sound as before, no longer ends it, but is told of by [`MET_AGAIN`].
pub const MET_VARIABLE: &str = "TANDEM_MET";
/// Begins the line that tells of one.
pub const MET_AGAIN: &str = "tandem: met again: ";

/// A target as a type, so that the bytes of an input are read as that target reads them.
pub trait TargetType {
    /// The target.
    const TARGET: &'static Target;
}

/// The input of a target. Prints as the case, for `cargo fuzz fmt` and crash reports.
pub struct Input<T> {
    case: TestCase,
    target: PhantomData<T>,
}

impl<'a, T: TargetType> Arbitrary<'a> for Input<T> {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let bytes = u.bytes(u.len())?;
        Ok(Self { case: (T::TARGET.decode)(bytes), target: PhantomData })
    }

    fn arbitrary_take_rest(u: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self { case: (T::TARGET.decode)(u.take_rest()), target: PhantomData })
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<T> fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.case.fmt(f)
    }
}

/// The state of a fuzz target, for the life of the process.
struct State {
    executor: Executor,
    vocabulary: Vocabulary,
    group: Group,
    setup: Setup,
    adaptive: Option<Adaptive>,
    feedback: Feedback,
    /// The operators of the last mutation: those that made the input that runs next. Empty for an input that
    /// was given.
    operators: Vec<&'static str>,
    recorder: Option<Recorder>,
    sampler: Option<Sampler>,
    directed: Option<Directed>,
    /// What [`MET_VARIABLE`] holds.
    met: Vec<String>,
    /// Whether the handlers of [`stack::report_signals`] are there.
    reports_signals: bool,
}

impl State {
    fn new(target: &Target, executor: Executor, group: Group) -> Self {
        let vocabulary = executor.vocabulary();
        let setup = Setup { decode: target.decode, weights: group.weights(target) };
        let adaptive = group.is_adaptive().then(|| Adaptive::new(setup.weights.clone()));
        // With room for all that one mutation uses: what it allocates itself is freed with it.
        let (feedback, operators) = (Feedback::new(), Vec::with_capacity(MUTATORS.len() + 2));
        let recorder = std::env::var_os(STATS_VARIABLE).map(|path| {
            or_exit(STATS_VARIABLE, Recorder::new(path.as_ref(), target.name, &group.to_string()))
        });
        let sampler = std::env::var(SAMPLE_VARIABLE).ok();
        let sampler = sampler.map(|text| or_exit(SAMPLE_VARIABLE, Sampler::new(&text)));
        Self {
            executor,
            vocabulary,
            group,
            setup,
            adaptive,
            feedback,
            operators,
            recorder,
            sampler,
            directed: None,
            met: std::env::var(MET_VARIABLE).unwrap_or_default().lines().map(str::to_owned).collect(),
            // AddressSanitizer tells of faults itself.
            reports_signals: cfg!(tandem_asan),
        }
    }

    /// Records what a run brought.
    fn learn(&mut self, case: &TestCase, judged: &Judged) {
        let operators = std::mem::take(&mut self.operators);
        let news = self.feedback.look();
        let directed = self.directed.as_mut().map(|directed| directed.look(case, !operators.is_empty()));
        let there = directed.map_or(0, |news| or_exit(directed::VARIABLE, news));
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.credit(&operators, news.features + directed::CREDIT * there);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.note(case, &judged.observation, &operators, news, self.feedback.total());
            let has_finding = judged.findings().next().is_some();
            if has_finding || recorder.is_due() {
                or_exit(STATS_VARIABLE, recorder.write());
            }
        }
        if let Some(sampler) = self.sampler.as_mut().filter(|_| !operators.is_empty()) {
            or_exit(SAMPLE_VARIABLE, sampler.note(case));
        }
        self.operators = operators;
        self.operators.clear();
    }

    /// Does `work`, which is a mutation, and measures its time if requested.
    fn mutation<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        match self.recorder.take() {
            None => work(self),
            Some(mut recorder) => {
                let done = recorder.time_mutation(|| work(self));
                self.recorder = Some(recorder);
                done
            }
        }
    }

    /// The operators of a mutation, each once.
    fn made_by(&mut self, operators: &[&'static str]) {
        self.operators.clear();
        for name in operators {
            if !self.operators.contains(name) {
                self.operators.push(name);
            }
        }
    }
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Prepares the process; called once before the first input. Exits with code 2 if SQLite
/// would be fuzzed blind.
pub fn initialize(target: &Target) {
    if let Some(complaint) = Instrumentation::of_this_program().complaint() {
        eprintln!("{complaint}");
        std::process::exit(2);
    }
    if let Some(folder) = std::env::var_os(wanted::VARIABLE).filter(|folder| !folder.is_empty()) {
        or_exit(wanted::VARIABLE, wanted::check(folder.as_ref()));
    }
    if let Some(path) = std::env::var_os(directed::LIST_VARIABLE) {
        let inventory = serde_json::to_vec(&Inventory::of_this_program()).map_err(std::io::Error::from);
        or_exit(directed::LIST_VARIABLE, inventory.and_then(|text| std::fs::write(path, text)));
        std::process::exit(0);
    }
    let still_empty = seeding::seed_empty_folder(target.name);
    let mut executor = Executor::isolated();
    if let Some(folder) = still_empty {
        let written = target.build_seeds(&executor).and_then(|cases| {
            seeding::write(&folder, cases.iter().map(TestCase::encode)).map_err(|error| error.to_string())
        });
        match written {
            Ok(count) => eprintln!("tandem: {} was empty: wrote {count} seeds", folder.display()),
            Err(error) => eprintln!("tandem: no seeds written: {error}"),
        }
    }
    if let Ok(name) = std::env::var(VFS_VARIABLE) {
        or_exit(VFS_VARIABLE, executor.open_through(&name));
    }
    if let Some(plant) = planted() {
        executor.plant(plant);
    }
    let group: Group = std::env::var(MUTATORS_VARIABLE)
        .map_or_else(|_| Group::default(), |name| or_exit(MUTATORS_VARIABLE, name.parse()));
    let mut state = State::new(target, executor, group);
    state.directed = std::env::var_os(directed::VARIABLE)
        .map(|path| or_exit(directed::VARIABLE, Directed::read(path.as_ref())));
    STATE.set(Some(state));
}

/// What the environment asks for, or the end of the process with a message and exit code 2.
fn or_exit<T>(variable: &str, result: Result<T, impl fmt::Display>) -> T {
    result.unwrap_or_else(|error| {
        let value = std::env::var_os(variable).unwrap_or_default();
        eprintln!("tandem: {variable}={}: {error}", value.display());
        std::process::exit(2);
    })
}

/// The bug that the environment asks to plant, to test whoever runs the target.
fn planted() -> Option<Plant> {
    let name = std::env::var(PLANT_VARIABLE).ok()?;
    let plant = Plant::by_name(&name);
    if plant.is_none() {
        let known = PLANTS.map(|(name, _)| name).join(", ");
        eprintln!("tandem: {PLANT_VARIABLE}={name}: no planted bug has that name; there are {known}");
        std::process::exit(2);
    }
    plant
}

fn with_state<R>(action: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(|state| action(state.as_mut().expect("libFuzzer calls LLVMFuzzerInitialize first")))
}

/// Runs one input. A finding becomes a panic, which libFuzzer takes for a crash. False for a case that belongs in no
/// corpus: it has a finding of which there are cases enough.
pub fn run<T: TargetType>(input: &Input<T>) -> bool {
    let (judged, met) = with_state(|state| {
        // libFuzzer has installed its own by now, which come next.
        if !std::mem::replace(&mut state.reports_signals, true) {
            stack::report_signals();
        }
        let judged = T::TARGET.judge(&mut state.executor, &input.case);
        state.learn(&input.case, &judged);
        let is_met = |finding: &Finding| state.met.iter().any(|met| met == finding.signature.as_str());
        let met: Vec<bool> = judged.findings().map(|(_, finding)| is_met(finding)).collect();
        (judged, met)
    });
    for ((oracle, finding), is_met) in judged.findings().zip(&met) {
        if !is_met {
            (oracle.raise)(finding);
        }
        eprintln!("{MET_AGAIN}{}", finding.signature.as_str());
    }
    met.is_empty()
}

/// The custom mutator: mutates `data[..size]` in place to at most `max_size` bytes and returns the new
/// size. `byte_mutator` is libFuzzer's own, for its dictionary and its comparison hints.
pub fn mutate<T: TargetType>(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    byte_mutator: fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    with_state(|state| {
        state.mutation(|state| {
            if state.group == Group::LibFuzzer {
                state.made_by(&[RAW]);
                return byte_mutator(data, size, max_size);
            }
            let seed = u64::from(seed);
            let size =
                state.directed.as_mut().map_or(size, |directed| directed.steer(data, size, max_size, seed));
            if let Some(weights) = state.adaptive.as_mut().and_then(|adaptive| adaptive.next_mutation(seed)) {
                state.setup.weights = weights;
            }
            ARENA.within(|| {
                let mutation = adapter::mutate(
                    &state.setup,
                    &state.vocabulary,
                    data,
                    size,
                    max_size,
                    seed,
                    byte_mutator,
                );
                state.made_by(&mutation.operators);
                mutation.size
            })
        })
    })
}

/// The custom crossover: writes a mixture of two inputs to `out` and returns its size; 0 for none.
pub fn crossover<T: TargetType>(first: &[u8], second: &[u8], out: &mut [u8], seed: u32) -> usize {
    with_state(|state| {
        if !state.group.crosses_over() {
            return 0;
        }
        state.mutation(|state| {
            let size = ARENA.within(|| {
                adapter::crossover(T::TARGET.decode, &state.vocabulary, first, second, out, u64::from(seed))
            });
            if size > 0 {
                state.made_by(&[CROSSOVER]);
            }
            size
        })
    })
}

#[cfg(test)]
mod tests;
