//! What `simulate` and `simulate loop` share: which engines, and what simulations consist of.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tandem::generators::simulation::{Plan, Simulation, from_bytes, from_seed};
use tandem::testcase::FILE_BYTES_MAX;

use crate::base::project;
use crate::command_line;
use crate::differential::named::UNOPTIMIZED;
use crate::minimizing::arguments::SearchArgs;
use crate::replay::oracles::Oracles;
use crate::simulating::profile::Profile;
use crate::simulating::{Running, Simulator};
use crate::verbs::shared::check_plant;

/// Seconds for which a finding is made smaller unless the command line says otherwise.
const MINIMIZE_S: u64 = 60;

/// How engines run.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunningArgs {
    /// CPU seconds of a script on an engine.
    #[arg(long, value_name = "S", env = "PER_RUN_TIMEOUT_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout_s: u64,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Plant a bug by name in the first engine, to see that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant_a: Option<String>,
    /// The same in the second.
    #[arg(long, value_name = "NAME", hide = true)]
    plant_b: Option<String>,
}

/// See the module.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SimulationArgs {
    /// The seed of the choices [default: from the clock]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Take the choices from the bytes of a file, such as one of a fuzzer, instead.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub(super) entropy: Option<PathBuf>,
    /// Statements behind the tables [default: 100, or what the profile says]
    #[arg(long, short = 'n', value_name = "N", env = "NUM_STATEMENTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    statements: Option<u32>,
    /// Tables to begin with [default: 2]
    #[arg(long, short = 't', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50))]
    tables: Option<u32>,
    /// Columns of each [default: 5]
    #[arg(long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    columns: Option<u32>,
    /// What comes how often: balanced, ddl, triggers, writes, spill, savepoints, or a TOML file (`--profile-schema`).
    #[arg(long, value_name = "PROFILE", default_value = "balanced")]
    profile: String,
    /// The weight of a class of statements beside the others, or of each class of a group, as select.window=0.6.
    #[arg(long, value_name = "CLASS=WEIGHT", value_parser = weight)]
    weight: Vec<(String, f64)>,
    /// Make one class as frequent as all others together, as recursive-cte or window.
    #[arg(long, value_name = "CLASS")]
    focus: Option<String>,
    /// `PRAGMA journal_mode` of the database.
    #[arg(long, value_name = "MODE", value_parser = ["delete", "truncate", "persist", "memory", "wal", "off"])]
    journal_mode: Option<String>,
    /// Go on from a copy of this database instead of new tables.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tables", "columns"])]
    from: Option<PathBuf>,
    /// Let these oracles judge the script on either engine, too; `all` for all of them.
    #[arg(long, value_name = "NAMES")]
    oracles: Option<Oracles>,
    /// Seconds for which each finding is made smaller; 0 leaves it as it is.
    #[arg(long, value_name = "S", default_value_t = MINIMIZE_S)]
    minimize_s: u64,
    #[command(flatten)]
    running: RunningArgs,
}

/// A class and its weight.
fn weight(word: &str) -> Result<(String, f64), String> {
    let parsed =
        word.split_once('=').and_then(|(class, weight)| Some((class.to_owned(), weight.parse().ok()?)));
    parsed.ok_or_else(|| format!("`{word}` is not CLASS=WEIGHT, as select.window=0.6"))
}

/// Two engines and what is run on them.
pub(super) struct Prepared {
    pub(super) simulator: Simulator,
    pub(super) plan: Plan,
    /// The choices, if they are not a seed's.
    pub(super) entropy: Option<Vec<u8>>,
    /// The number of the simulation: the seed, or one that stands for the bytes.
    pub(super) seed: u64,
}

impl Prepared {
    /// The simulation of a seed, or of the bytes that were given.
    pub(super) fn simulation(&self, seed: u64) -> Simulation {
        match &self.entropy {
            Some(bytes) => Simulation::new(&self.plan, &mut from_bytes(bytes)),
            None => Simulation::new(&self.plan, &mut from_seed(seed)),
        }
    }
}

/// The two engines: the bundled SQLite, and the first one without optimizations, unless others are named.
pub(super) fn engines(a: Option<&str>, b: Option<&str>) -> [String; 2] {
    let a = a.unwrap_or("bundled").to_owned();
    let b = b.map_or_else(|| format!("{a}{UNOPTIMIZED}"), str::to_owned);
    [a, b]
}

impl RunningArgs {
    /// The same as engines take it, with oracles that judge.
    ///
    /// # Errors
    /// If there is no such planted bug.
    pub(super) fn running(&self, oracles: Option<&Oracles>) -> Result<Running> {
        check_plant(self.plant_a.as_deref())?;
        check_plant(self.plant_b.as_deref())?;
        Ok(Running {
            timeout_ms: 1000 * self.timeout_s,
            plants: [self.plant_a.clone(), self.plant_b.clone()],
            oracles: oracles.cloned(),
            may_install: !self.no_install,
        })
    }
}

impl SimulationArgs {
    /// Builds the engines.
    pub(super) fn prepare(&self, names: [String; 2]) -> Result<Prepared> {
        let plan = self.plan()?;
        let entropy = match &self.entropy {
            Some(path) => Some(std::fs::read(path).with_context(|| format!("{}", path.display()))?),
            None => None,
        };
        if let (Some(path), Some([])) = (&self.entropy, entropy.as_deref()) {
            bail!("{}: it is empty: choices take bytes", path.display());
        }
        let simulator = Simulator::new(names, &self.running.running(self.oracles.as_ref())?, &project())?;
        let now = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xffff) << 16
        };
        let seed = match &entropy {
            Some(bytes) => {
                let digest = Sha256::digest(bytes);
                u64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
            }
            None => self.seed.unwrap_or_else(now),
        };
        Ok(Prepared { simulator, plan, entropy, seed })
    }

    fn plan(&self) -> Result<Plan> {
        let mut profile = Profile::named(&self.profile)?;
        profile.statements = self.statements.or(profile.statements);
        profile.tables = self.tables.or(profile.tables);
        profile.columns = self.columns.or(profile.columns);
        profile.journal_mode = self.journal_mode.clone().or(profile.journal_mode);
        profile.weights.extend(self.weight.iter().cloned());
        profile.plan(self.focus.as_deref(), self.image()?)
    }

    fn image(&self) -> Result<Option<Vec<u8>>> {
        let Some(path) = &self.from else { return Ok(None) };
        let image = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        ensure!(image.starts_with(tandem::dbfile::MAGIC), "{}: not a SQLite database", path.display());
        let most = FILE_BYTES_MAX;
        ensure!(image.len() <= most, "{}: {} bytes; at most {most} can be run", path.display(), image.len());
        let log =
            path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
        let is_in_use = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
        ensure!(!is_in_use, "{}: its WAL holds more of the database: checkpoint it first", log.display());
        Ok(Some(image))
    }

    /// How findings are made smaller; `None` if they are not.
    pub(super) fn search(&self) -> Option<SearchArgs> {
        (self.minimize_s > 0).then_some(SearchArgs {
            max_time_s: self.minimize_s,
            max_attempts: 100_000,
            jobs: None,
            timeout_ms: None,
        })
    }

    /// The command that runs this seed again.
    pub(super) fn repeat(&self, names: &[String; 2], seed: u64) -> String {
        let running = &self.running;
        let mut words: Vec<String> = names.to_vec();
        let mut push =
            |flag: &str, value: Option<String>| words.extend(value.map(|value| format!("--{flag}={value}")));
        match &self.entropy {
            Some(path) => push("entropy", Some(path.display().to_string())),
            None => push("seed", Some(seed.to_string())),
        }
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        push("statements", number(self.statements));
        push("tables", number(self.tables));
        push("columns", number(self.columns));
        push("profile", (self.profile != "balanced").then(|| self.profile.clone()));
        for (class, weight) in &self.weight {
            push("weight", Some(format!("{class}={weight}")));
        }
        push("focus", self.focus.clone());
        push("journal-mode", self.journal_mode.clone());
        push("from", self.from.as_ref().map(|path| path.display().to_string()));
        push("oracles", self.oracles.as_ref().map(Oracles::to_string));
        push("timeout-s", (running.timeout_s != 60).then(|| running.timeout_s.to_string()));
        push("plant-a", running.plant_a.clone());
        push("plant-b", running.plant_b.clone());
        command_line::fuzzcheck("simulate", words)
    }
}
