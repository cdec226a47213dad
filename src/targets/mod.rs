//! The fuzz targets: what a case means and what runs on it.
//!
//! One [`Target`] is one name everywhere: the binary and its stub in `fuzz/`, the corpus database, the README.
//! `fuzzcheck/tests/layout.rs` fails where they disagree.
//!
//! # Adding one
//! A file with its `TARGET`, and that file's name in two lines here. `cargo fuzzcheck corpus seed` then makes its binary in
//! `fuzz/`, its corpus and its line of the README.

mod adaptive;
mod answers;
mod api;
pub mod arena;
mod db_file;
mod db_sql;
pub mod directed;
pub mod driver;
mod explore;
mod faults;
mod feedback;
pub mod fuzz;
pub mod group;
mod recovery;
mod sample;
mod sql;
pub mod stats;
pub mod wanted;

pub use explore::{Exploration, Explored};

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::corpus::seeding::{self, Beginning};
use crate::corpus::{Corpus, CorpusError};
use crate::engine::sqlite::{Budget, Executor, Program};
use crate::engine::{Asked, Observation};
use crate::generators::seeds::Seed;
use crate::mutators::Weights;
use crate::oracles::{self, Entry, Finding, Judgement, SkipReason, Verdict};
use crate::testcase::{OpenConfig, Operations, Script, Setting, TOGGLE_NAMES, TestCase};

/// A fuzz target.
#[derive(Clone)]
pub struct Target {
    /// Its name: `[a-z0-9_]+`.
    pub name: &'static str,
    /// What it fuzzes, in a line.
    pub about: &'static str,
    /// What one run may use.
    pub budget: Budget,
    /// Reads any bytes as a case of this target.
    pub decode: fn(&[u8]) -> TestCase,
    /// Makes the seeds.
    pub seeds: fn() -> Vec<Seed>,
    /// What runs on the connection.
    pub program: &'static (dyn Program + Sync),
    /// How often each family of mutators is applied.
    pub weights: Weights,
    /// Whether an oracle judges a case that does not name it. [`Entry::is_usual`] unless there is a reason.
    pub judges: fn(&TestCase, &Entry) -> bool,
}

/// These settings of a case, without `writable_schema`, after which nothing can be compared.
fn comparable(config: &OpenConfig, kept: &[Setting]) -> OpenConfig {
    let mut only = OpenConfig::default();
    kept.iter().for_each(|&setting| only.set(setting, config.get(setting)));
    let writable = TOGGLE_NAMES.iter().position(|&name| name == "WRITABLE_SCHEMA");
    let toggles = only.get(Setting::Toggles) & !writable.map_or(0, |bit| 1 << bit);
    only.set(Setting::Toggles, toggles);
    only
}

/// The usual oracles judge a case: [`Target::judges`].
pub(crate) fn usual(case: &TestCase, entry: &Entry) -> bool {
    entry.judges_usually(case)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! targets {
    ($($name:ident = $module:ident;)*) => {
        $(
            #[doc = concat!("The target `", stringify!($module), "`.")]
            pub static $name: Target = $module::TARGET;
        )*

        /// The targets that are Tandem's own.
        pub static TARGETS: &[&Target] = &[$(&$name),*];
    };
}

targets! {
    DB_SQL = db_sql;
    SQL = sql;
    DB_FILE = db_file;
    ANSWERS = answers;
    FAULTS = faults;
    RECOVERY = recovery;
    API = api;
}

/// How often a case runs at most for a fault that is each in turn.
const TURNS_MAX: u32 = 5_000;

static ALL: OnceLock<Vec<&'static Target>> = OnceLock::new();

/// The targets of this process: [`TARGETS`], or those of its [`crate::Registry`].
pub fn all() -> &'static [&'static Target] {
    ALL.get_or_init(|| TARGETS.to_vec())
}

/// Sets what [`all`] returns; false if it has returned something.
pub(crate) fn set_all(targets: Vec<&'static Target>) -> bool {
    ALL.set(targets).is_ok()
}

/// A run of a case, and the verdicts of the oracles.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The run.
    pub observation: Observation,
    /// The verdicts, in the order of the oracles.
    pub judgements: Vec<Judgement>,
}

impl Target {
    /// The target of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        all().iter().find(|target| target.name == name).copied()
    }

    /// Writes the initial cases as files into `folder`: those of the shipped corpus, or its seeds if none is
    /// shipped; returns how many, and from where.
    ///
    /// # Errors
    /// A corpus that cannot be read, a seed that cannot be built, a folder that cannot be written.
    pub fn write_beginning(&self, folder: &Path, beginning: Beginning) -> Result<(usize, String), String> {
        let shipped = seeding::shipped_corpus(self.name);
        let told = |error: CorpusError| error.to_string();
        if shipped.exists() || TARGETS.iter().any(|own| own.name == self.name) {
            let corpus = Corpus::load(&shipped).map_err(told)?;
            let count = seeding::export(&corpus, folder, beginning).map_err(told)?;
            return Ok((count, format!("cases from {}", shipped.display())));
        }
        let cases = self.build_seeds(&Executor::shared())?;
        let count = seeding::write(folder, cases.iter().map(TestCase::encode)).map_err(told)?;
        Ok((count, format!("seeds of the target {}", self.name)))
    }

    /// Its seeds.
    ///
    /// # Errors
    /// The statement of a set-up script that failed, and whose it is.
    pub fn build_seeds(&self, executor: &Executor) -> Result<Vec<TestCase>, String> {
        let build = |seed: Seed| seed.build(executor).map_err(|error| format!("{}: {error}", seed.about));
        (self.seeds)().into_iter().map(build).collect()
    }

    /// Runs a case and judges it, as while fuzzing: with few variants.
    pub fn judge(&self, executor: &mut Executor, case: &TestCase) -> Judged {
        let budget = Budget { has_few_variants: true, ..self.budget };
        self.judge_by(executor, case, &budget, &|entry| self.asks(case, entry))
    }

    /// Whether an oracle judges a case of this target if none is asked for by name.
    pub fn asks(&self, case: &TestCase, entry: &Entry) -> bool {
        (self.judges)(case, entry) || entry.is_named_by(case)
    }

    /// The case with the statements that this target runs as its script: two engines can be given it. Such a case
    /// gives itself.
    pub fn scripted(&self, case: TestCase) -> TestCase {
        match self.program.script(&case) {
            Some(script) => TestCase { sql: Script::new(script), operations: Operations::default(), ..case },
            None => case,
        }
    }

    /// Runs a case within another budget and judges it, also by the oracles that are `requested`.
    pub fn judge_within(
        &self,
        executor: &mut Executor,
        case: &TestCase,
        budget: &Budget,
        requested: &[&str],
    ) -> Judged {
        let judges = |entry: &Entry| entry.judges_usually(case) || requested.contains(&entry.name);
        self.judge_by(executor, case, budget, &judges)
    }

    /// Runs a case within another budget and lets those oracles judge it that `judges` says yes to.
    pub fn judge_by(
        &self,
        executor: &mut Executor,
        case: &TestCase,
        budget: &Budget,
        judges: &dyn Fn(&Entry) -> bool,
    ) -> Judged {
        if case.faults.repeats() && !budget.has_few_variants {
            return self.judge_in_turn(executor, case, budget, judges);
        }
        if let Some(reason) = SkipReason::of_case(case) {
            let judgements = oracles::skip(reason, judges);
            return Judged { observation: Observation::default(), judgements };
        }
        let is_judged_by = |name| oracles::all().iter().any(|entry| entry.name == name && judges(entry));
        let has_log = case.faults.loses_power() && is_judged_by("power_loss");
        let asked = Asked { has_log, ..Asked::VERDICTS };
        let observation = executor.run_asking(case, self.program, budget, asked);
        let judgements = oracles::judge(executor, case, self.program, budget, &observation, judges);
        Judged { observation, judgements }
    }

    /// Judges a case with its fault at each turn, until one shows something or is not met.
    fn judge_in_turn(
        &self,
        executor: &mut Executor,
        case: &TestCase,
        budget: &Budget,
        judges: &dyn Fn(&Entry) -> bool,
    ) -> Judged {
        let mut turn = 1;
        loop {
            let faults = case.faults.at_turn(turn).unwrap_or_default();
            let one = TestCase { faults, ..case.clone() };
            let judged = self.judge_by(executor, &one, budget, judges);
            let is_met = !judged.observation.trace.hits.is_empty();
            if !is_met || turn >= TURNS_MAX || judged.findings().next().is_some() {
                return judged;
            }
            turn += 1;
        }
    }
}

impl Judged {
    /// What failed, most important first.
    pub fn findings(&self) -> impl Iterator<Item = (&'static Entry, &Finding)> {
        self.judgements.iter().filter_map(|judgement| match &judgement.verdict {
            Verdict::Fail(finding) => Some((judgement.oracle, finding)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
