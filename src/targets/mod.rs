//! The fuzz targets: what a case means and what runs on it.
//!
//! One [`Target`] is one name everywhere: the binary and its stub in `fuzz/`, the corpus database, the README.
//! `fuzzcheck/tests/layout.rs` fails where they disagree.

mod adaptive;
pub mod arena;
pub mod arm;
mod battery;
pub mod driver;
mod feedback;
pub mod focus;
pub mod fuzz;
mod sample;
pub mod stats;
pub mod wanted;

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::corpus::seeding::{self, Beginning};
use crate::corpus::{Corpus, CorpusError};
use crate::engine::Observation;
use crate::engine::sqlite::{Budget, Executor, Program, ScriptProgram};
use crate::generators::seeds::{self, Seed};
use crate::mutators::Weights;
use crate::oracles::{self, Entry, Finding, Judgement, SkipReason, Verdict};
use crate::testcase::{Script, TestCase, ossfuzz};

/// A fuzz target.
pub struct Target {
    /// Its name: `[a-z0-9_]+`.
    pub name: &'static str,
    /// What it fuzzes, in a line.
    pub about: &'static str,
    /// What one run may use.
    pub budget: Budget,
    /// Reads any bytes as a case of this target.
    pub decode: fn(&[u8]) -> TestCase,
    /// Makes the cases from which fuzzing begins.
    pub seeds: fn() -> Vec<Seed>,
    /// What runs on the connection.
    pub program: &'static (dyn Program + Sync),
    /// How often each family of mutators gets a turn.
    pub weights: Weights,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The main target: database, WAL, journal, settings and SQL of one case.
pub static DB_SQL: Target = Target {
    name: "db_sql",
    about: "database files and SQL text mutated together",
    // The steps of SQLite's own dbsqlfuzz driver.
    budget: Budget {
        vm_steps: 20_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 50_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 1_000_000,
        rows: None,
        has_small_limits: true,
    },
    decode: TestCase::decode,
    seeds: seeds::db_sql,
    program: &ScriptProgram,
    weights: Weights { sql: 52, database: 30, config: 8, joint: 10 },
};

/// SQL text on an empty or the rich schema.
pub static SQL: Target = Target {
    name: "sql",
    about: "SQL text on an empty or a rich schema; accepts inputs of SQLite's ossfuzz.c",
    // Heap and length are those of ossfuzz.c.
    budget: Budget {
        vm_steps: 50_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 20_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 50_000,
        rows: None,
        has_small_limits: true,
    },
    decode: ossfuzz::decode,
    seeds: seeds::sql,
    program: &ScriptProgram,
    weights: Weights { sql: 90, database: 0, config: 10, joint: 0 },
};

/// Database bytes against a fixed battery of statements.
pub static DB_FILE: Target = Target {
    name: "db_file",
    about: "database bytes against statements that read and rewrite everything",
    budget: Budget {
        vm_steps: 50_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 50_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 1_000_000,
        rows: None,
        has_small_limits: true,
    },
    decode: TestCase::decode,
    seeds: seeds::db_file,
    program: &battery::Battery,
    weights: Weights { sql: 0, database: 90, config: 10, joint: 0 },
};

/// The targets that are Tandem's own.
pub static TARGETS: [&Target; 3] = [&DB_SQL, &SQL, &DB_FILE];

static ALL: OnceLock<Vec<&'static Target>> = OnceLock::new();

/// The targets of this process: [`TARGETS`], or those of its [`crate::Registry`].
pub fn all() -> &'static [&'static Target] {
    ALL.get_or_init(|| TARGETS.to_vec())
}

/// Sets what [`all`] returns; false where it has returned something.
pub(crate) fn set_all(targets: Vec<&'static Target>) -> bool {
    ALL.set(targets).is_ok()
}

/// What a run of a case showed and what the oracles say.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The run.
    pub observation: Observation,
    /// What each oracle says, in their order.
    pub judgements: Vec<Judgement>,
}

impl Target {
    /// The target of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        all().iter().find(|target| target.name == name).copied()
    }

    /// Writes the cases from which fuzzing begins as files into `folder`: of the shipped corpus, or its seeds where none is
    /// shipped; how many, and whence.
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

    /// Runs a case and judges it.
    pub fn judge(&self, executor: &mut Executor, case: &TestCase) -> Judged {
        self.judge_within(executor, case, &self.budget, &[])
    }

    /// The case with the statements that this target runs as its script: two engines can be given it. Such a case
    /// gives itself.
    pub fn scripted(&self, case: TestCase) -> TestCase {
        match self.program.script(&case) {
            Some(script) => TestCase { sql: Script::new(script), ..case },
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
        if !case.faults.is_empty() {
            let judgements = oracles::skip(SkipReason::FaultsNotInjected, requested);
            return Judged { observation: Observation::default(), judgements };
        }
        let observation = executor.run(case, self.program, budget);
        let judgements = oracles::judge(executor, case, self.program, budget, &observation, requested);
        Judged { observation, judgements }
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
