//! Arguments of `nightly`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::build::arguments::FlavorArgs;
pub use crate::campaign::after::StepArg;
use crate::lane::Lane;

/// Where progress is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogArg {
    /// As for all commands.
    Stderr,
    /// As containers want it.
    Stdout,
}

/// The weight of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Name of the target.
    pub target: String,
    /// Above 0.
    pub weight: f64,
}

/// Arguments of `nightly`.
#[derive(Debug, Args)]
pub struct NightlyArgs {
    /// How long all of it may take, builds included: `20m`, `8h`, `1h30m`, or a number of seconds.
    #[arg(long, value_name = "TIME", env = "FUZZ_SECONDS", default_value = "8h", value_parser = time)]
    pub budget: Duration,
    /// How much of it fuzzes at most [default: all but what the steps afterwards need]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub fuzz_time: Option<Duration>,
    /// What to fuzz [default: all targets]
    #[arg(long, value_name = "TARGET,...", value_delimiter = ',')]
    pub targets: Vec<String>,
    /// Lanes that fuzz, each with every target [default: asan]
    #[arg(long, value_name = "LANE,...", value_enum, value_delimiter = ',')]
    pub lanes: Vec<Lane>,
    /// Lanes that run again what is new to the corpus, and a sample of the rest [default: debug, in nights of
    /// an hour or more, and where another SQLite than the bundled one is fuzzed]
    #[arg(long, value_name = "LANE,...", value_enum, value_delimiter = ',')]
    pub rerun: Vec<Lane>,
    /// Run nothing again.
    #[arg(long, conflicts_with = "rerun")]
    pub no_rerun: bool,
    /// How the time is shared; a target that is not named has 1 [default: db_sql=6,sql=2,db_file=2]
    #[arg(long, value_name = "TARGET=N,...", value_delimiter = ',', value_parser = weight)]
    pub weights: Vec<Weight>,
    /// Processes that fuzz at the same time and share a corpus; workers of what follows [default: one per core]
    #[arg(long, short, value_name = "N", env = "FUZZ_JOBS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Seconds after which a single case counts as hanging: libFuzzer's -timeout [default: 60]
    #[arg(long, value_name = "S", env = "FUZZ_TIMEOUT_S", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout_s: Option<u32>,
    /// Where progress is printed; with stdout, --json is refused.
    #[arg(long, value_name = "WHERE", env = "FUZZ_LOG", value_enum, default_value = "stderr")]
    pub log: LogArg,
    /// GiB of corpora, artifacts, logs and what campaigns leave. Beyond, what can be missed is removed: slow cases, cases
    /// of one bug beyond 20, logs; then fuzzing ends. Corpora and findings stay.
    #[arg(long, value_name = "GIB", default_value_t = 20.0, value_parser = super::positive)]
    pub max_disk_gib: f64,
    /// MiB of memory of all fuzzing processes together [default: 2048 for each, libFuzzer's own limit]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_memory_mib: Option<u64>,
    /// Folder of all campaigns [default: fuzz/nightly]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Begin another campaign, and leave one that is not through.
    #[arg(long)]
    pub fresh: bool,
    /// A shell command that is told of each new bug, and of the end: a JSON document on its standard input.
    #[arg(long, value_name = "COMMAND")]
    pub notify_cmd: Option<String>,
    /// Where what adds coverage is merged into, a folder with a database per target [default: copies of corpus/, in the
    /// folder of the campaign]
    #[arg(long, value_name = "DIR")]
    pub merge_into: Option<PathBuf>,
    /// Merge into corpus/ itself.
    #[arg(long, conflicts_with = "merge_into")]
    pub update_corpus: bool,
    /// Folder for what is known of each bug, as for `triage` [default: fuzz/triage]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Leave out these steps.
    #[arg(long, value_name = "STEP,...", value_enum, value_delimiter = ',')]
    pub without: Vec<StepArg>,
    /// The SQLite; --lanes says how it is built.
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    pub toolchain: Option<String>,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print the record of the campaign at the end, one JSON document, instead of text.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
    /// Plant a bug by name in what runs findings again (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}

/// A time in words, or a number of seconds.
fn time(word: &str) -> Result<Duration, String> {
    let in_words = || word.parse::<SignedDuration>().map_err(|error| format!("{error}: try `20m` or `8h`"));
    let time = match word.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(in_words()?).map_err(|_| "a time is not negative".to_owned())?,
    };
    // Anything longer is a mistake, and a date far away.
    let is_sane = (1..=400 * 24 * 3600).contains(&time.as_secs());
    is_sane.then_some(time).ok_or_else(|| "from a second to 400 days".to_owned())
}

/// `TARGET=N`.
fn weight(word: &str) -> Result<Weight, String> {
    let (target, weight) = word.split_once('=').ok_or("TARGET=N is expected, such as db_sql=6")?;
    Ok(Weight { target: target.to_owned(), weight: super::positive(weight)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let seconds = |word| time(word).map(|time| time.as_secs());
        assert_eq!(["20m", "8h", "90s", "3600", "1h30m"].map(seconds), [1200, 28800, 90, 3600, 5400].map(Ok));
        for wrong in ["0", "-3h", "x", "", "0s", "99999999999"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(weight("sql=2"), Ok(Weight { target: "sql".to_owned(), weight: 2.0 }));
        assert!(["sql", "sql=0", "sql=-1", "sql=inf", "sql=x"].iter().all(|word| weight(word).is_err()));
    }
}
