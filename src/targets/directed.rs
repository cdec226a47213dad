//! Directed fuzzing: steering a target towards functions of SQLite.
//!
//! A case that reaches something new within the target functions is remembered, and half of all mutations start from a
//! remembered case instead of the input that libFuzzer chose. As long as nothing reaches the target functions, their
//! callers stand in for them, level by level. Operators earn more credit for new features there than elsewhere.
//!
//! Which counters belong to a function is read from the program's own debug information, so that one that was inlined
//! is found in whatever it was inlined into.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::feedback::range_of;
use crate::engine::sqlite::instrumentation;
use crate::testcase::TestCase;

/// Names a file with an [`Order`].
pub const VARIABLE: &str = "TANDEM_DIRECTED";
/// Names a file to write an [`Inventory`] to instead of fuzzing.
pub const LIST_VARIABLE: &str = "TANDEM_DIRECTED_LIST";
/// Mutations that start from a remembered case, of 100.
pub const STEERED_PERCENT: u32 = 50;
/// How much more a feature within the target functions counts for an operator than one elsewhere.
pub const CREDIT: u64 = 16;

/// Maximum number of remembered cases, and of bytes of each.
const CASES_MAX: usize = 64;
const CASE_BYTES_MAX: usize = 200_000;
/// Runs between two writes of the report.
const RUNS_PER_WRITE: u64 = 128;
/// The level of everything else.
const ELSEWHERE: u8 = u8::MAX;

/// What to fuzz.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The functions; then those that call them; then those that call these.
    pub levels: Vec<BTreeSet<String>>,
    /// False to count only, for a comparison.
    pub steers: bool,
    /// A folder for reports, one per process.
    pub reports: PathBuf,
}

/// What a process did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Runs of mutated inputs.
    pub runs: u64,
    /// Those that reached a function of the first level.
    pub reached: u64,
    /// Mutations that started from a remembered case.
    pub steered: u64,
    /// By function of the first level.
    pub functions: BTreeMap<String, Reached>,
}

/// How far a function was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Its edges.
    pub edges: u64,
    /// Those that ran, by number within the function, given inputs included.
    pub seen: BTreeSet<u32>,
    /// Runs of mutated inputs that reached it.
    pub runs: u64,
}

impl Report {
    /// Adds what another process did.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.reached += other.reached;
        self.steered += other.steered;
        for (name, other) in &other.functions {
            let own = self.functions.entry(name.clone()).or_default();
            own.edges = own.edges.max(other.edges);
            own.runs += other.runs;
            own.seen.extend(&other.seen);
        }
    }
}

/// The functions of SQLite that this program counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// sqlite3.c, as the compiler found it.
    pub source: PathBuf,
    /// By name: edges, and the first line that one of them has.
    pub functions: BTreeMap<String, (u64, u32)>,
}

impl Inventory {
    /// That of this program.
    pub fn of_this_program() -> Self {
        let mut inventory = Self::default();
        for (_, frames) in frames() {
            let mut names = BTreeSet::new();
            for Frame { name, file, line } in frames {
                if file.file_name().is_some_and(|name| name == "sqlite3.c") && names.insert(name.clone()) {
                    let (edges, first) = inventory.functions.entry(name).or_insert((0, 0));
                    *edges += 1;
                    // What the compiler made up is on line 0.
                    if line > 0 && (*first == 0 || line < *first) {
                        *first = line;
                    }
                    if inventory.source.as_os_str().is_empty() {
                        inventory.source = file;
                    }
                }
            }
        }
        inventory
    }
}

/// A function that an instruction is in; of inlined ones there are several.
struct Frame {
    name: String,
    file: PathBuf,
    line: u32,
}

/// The functions of each counter, innermost first.
fn frames() -> impl Iterator<Item = (usize, Vec<Frame>)> {
    instrumentation::addresses().enumerate().map(|(index, address)| {
        let mut frames = Vec::new();
        // What is resolved is the byte before, as for a return address.
        backtrace::resolve(std::ptr::without_provenance_mut(address + 1), |symbol| {
            if let Some((name, file)) = symbol.name().zip(symbol.filename()) {
                let line = symbol.lineno().unwrap_or(0);
                frames.push(Frame { name: name.to_string(), file: file.to_owned(), line });
            }
        });
        (index, frames)
    })
}

/// Where a counter belongs.
#[derive(Debug, Clone, Copy)]
struct Place {
    level: u8,
    /// Of the first level: index of the function, and number of the edge within it.
    function: u32,
    edge: u32,
}

/// A case that brought something new.
#[derive(Debug)]
struct Kept {
    level: u8,
    bytes: Vec<u8>,
}

/// The state of directed fuzzing.
#[derive(Debug)]
pub(super) struct Directed {
    order: Order,
    names: Vec<String>,
    places: Vec<Place>,
    /// Ranges of counts that were seen, by counter.
    seen: Vec<u8>,
    kept: Vec<Kept>,
    report: Report,
    path: PathBuf,
}

impl Directed {
    /// Reads an order.
    ///
    /// # Errors
    /// The file cannot be read, or names a function that is not in this program.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let order: Order = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let frames = frames().map(|(_, frames)| frames.into_iter().map(|frame| frame.name).collect());
        let directed = Self::new(order, frames);
        let missing = directed.report.functions.iter().find(|(_, reached)| reached.edges == 0);
        if let Some((name, _)) = missing {
            return Err(format!("{name} is not an instrumented function of this program"));
        }
        std::fs::create_dir_all(&directed.order.reports).map_err(|error| error.to_string())?;
        directed.write().map_err(|error| format!("{}: {error}", directed.path.display()))?;
        Ok(directed)
    }

    /// With the names of the functions of each counter.
    fn new(order: Order, counters: impl Iterator<Item = Vec<String>>) -> Self {
        let names: Vec<String> = order.levels.first().into_iter().flatten().cloned().collect();
        let mut reached: Vec<Reached> = vec![Reached::default(); names.len()];
        let place = |frames: Vec<String>| {
            let level = order.levels.iter().position(|level| frames.iter().any(|name| level.contains(name)));
            let mut place = Place { level: ELSEWHERE, function: 0, edge: 0 };
            if let Some(level) = level {
                place.level = u8::try_from(level).unwrap_or(ELSEWHERE);
            }
            let own = frames.iter().find_map(|frame| names.iter().position(|name| name == frame));
            if let Some(function) = own {
                place.function = function as u32;
                place.edge = reached[function].edges as u32;
                reached[function].edges += 1;
            }
            place
        };
        let places: Vec<Place> = counters.map(place).collect();
        let functions = names.iter().cloned().zip(reached).collect();
        let path = order.reports.join(format!("{}.json", std::process::id()));
        let seen = vec![0; places.len()];
        let report = Report { functions, ..Report::default() };
        Self { order, names, places, seen, kept: Vec::new(), report, path }
    }

    /// Reads SQLite's counters after a run of `case`; returns how many features of the nearest level that it reached are new.
    pub(super) fn look(&mut self, case: &TestCase, is_mutated: bool) -> io::Result<u64> {
        let mut hits = Vec::new();
        let places = &self.places;
        instrumentation::for_each_hit(|index, count| {
            if places.get(index).is_some_and(|place| place.level != ELSEWHERE) {
                hits.push((index, count));
            }
        });
        let news = self.note(&hits, is_mutated, || case.encode());
        if self.report.runs.is_multiple_of(RUNS_PER_WRITE) && is_mutated {
            self.write()?;
        }
        Ok(news)
    }

    fn note(&mut self, hits: &[(usize, u8)], is_mutated: bool, encode: impl FnOnce() -> Vec<u8>) -> u64 {
        let level = hits.iter().map(|(index, _)| self.places[*index].level).min().unwrap_or(ELSEWHERE);
        let (mut news, mut functions) = (0, BTreeSet::new());
        for &(index, count) in hits {
            let place = self.places[index];
            if place.level == 0 {
                functions.insert(place.function);
            }
            let range = range_of(count);
            if self.seen[index] & range == 0 {
                self.seen[index] |= range;
                news += u64::from(place.level == level);
                if place.level == 0 {
                    let name = &self.names[place.function as usize];
                    let reached = self.report.functions.get_mut(name).expect("made of the same names");
                    reached.seen.insert(place.edge);
                }
            }
        }
        if is_mutated {
            self.report.runs += 1;
            self.report.reached += u64::from(!functions.is_empty());
            for function in functions {
                let reached = self.report.functions.get_mut(&self.names[function as usize]);
                reached.expect("made of the same names").runs += 1;
            }
        }
        // What is farther off than what is known already leads nowhere new.
        if news > 0 && self.order.steers && self.kept.iter().all(|kept| kept.level >= level) {
            let bytes = encode();
            if bytes.len() <= CASE_BYTES_MAX {
                self.keep(Kept { level, bytes });
            }
        }
        news
    }

    fn keep(&mut self, kept: Kept) {
        self.kept.retain(|other| other.level == kept.level);
        if self.kept.len() >= CASES_MAX {
            // What is newest reaches farthest.
            self.kept.remove(0);
        }
        self.kept.push(kept);
    }

    /// Half of the time, replaces `data[..size]` with a remembered case; returns the size.
    pub(super) fn steer(&mut self, data: &mut [u8], size: usize, max_size: usize, seed: u64) -> usize {
        let mut rng = fastrand::Rng::with_seed(seed);
        if self.kept.is_empty() || max_size < size || rng.u32(0..100) >= STEERED_PERCENT {
            return size;
        }
        let bytes = &self.kept[rng.usize(0..self.kept.len())].bytes;
        if bytes.len() > max_size.min(data.len()) {
            return size;
        }
        data[..bytes.len()].copy_from_slice(bytes);
        self.report.steered += 1;
        bytes.len()
    }

    /// Writes the report; whoever reads it sees the old one or the new one.
    pub(super) fn write(&self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(&self.report)?)?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directed(steers: bool) -> Directed {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let order = Order {
            levels: vec![set(&["deep", "other"]), set(&["caller"])],
            steers,
            reports: PathBuf::new(),
        };
        // The second edge of `deep` was inlined into its caller.
        let counters = [&["main"][..], &["caller"], &["deep"], &["deep", "caller"], &["other"]];
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Directed::new(order, counters.map(names).into_iter())
    }

    #[test]
    fn callers_stand_in_until_a_case_gets_there() {
        let mut directed = directed(true);
        assert_eq!(directed.note(&[(1, 1)], true, || b"near".to_vec()), 1);
        let mut data = [0; 16];
        let steered = |directed: &mut Directed, data: &mut [u8]| {
            (0..100).filter(|&seed| directed.steer(data, 3, 16, seed) == 4).count()
        };
        assert!((30..70).contains(&steered(&mut directed, &mut data)) && data.starts_with(b"near"));
        // One that gets there takes the place of what was only near, and nothing that is near again gets its own.
        assert_eq!(directed.note(&[(1, 1), (3, 1)], true, || b"deep".to_vec()), 1);
        assert_eq!(directed.note(&[(1, 200)], true, || b"none".to_vec()), 1);
        assert!(steered(&mut directed, &mut data) > 0 && data.starts_with(b"deep"));
        assert_eq!(directed.kept.len(), 1);
        // Smaller is smaller: libFuzzer asks for it.
        assert_eq!((0..100).filter(|&seed| directed.steer(&mut data, 3, 2, seed) != 3).count(), 0);
    }

    #[test]
    fn runs_and_edges_of_each_function_are_counted() {
        let mut directed = directed(false);
        directed.note(&[(2, 1)], false, Vec::new);
        directed.note(&[(2, 1), (3, 9)], true, Vec::new);
        directed.note(&[(1, 1)], true, Vec::new);
        let report = directed.report.clone();
        assert_eq!((report.runs, report.reached, report.steered), (2, 1, 0));
        let deep = &report.functions["deep"];
        assert_eq!((deep.edges, deep.seen.len(), deep.runs), (2, 2, 1));
        assert_eq!(report.functions["other"], Reached { edges: 1, ..Reached::default() });
        assert!(directed.kept.is_empty(), "only counts");
        let mut sum = report.clone();
        sum.add(&report);
        assert_eq!((sum.runs, sum.functions["deep"].seen.len(), sum.functions["deep"].runs), (4, 2, 2));
    }
}
